"""Quota statements, computed from the ledger's state in the moment they are asked for."""

from ledger.state import View
from ledger.units import BusinessDate, ParticipantId
from settlement import quota
from settlement.model.quota_policies import QUOTA_POLICIES
from settlement.model.statement import QuotaStatement
from settlement.rules.tables import CLAIMS, LOTS


def quota_statement(view: View, miner: ParticipantId, coin: str, *, as_of: BusinessDate) -> QuotaStatement:
    """Return where a miner stands with a coin, counting lots and sales up to a local date.

    A miner or coin nobody registered has an empty statement.
    """
    return quota.quota_statement(
        QUOTA_POLICIES, dict(view.items(LOTS)), dict(view.items(CLAIMS)), miner=miner, coin=coin, as_of=as_of
    )
