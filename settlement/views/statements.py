"""Quota statements, computed from the ledger's state in the moment they are asked for."""

from collections.abc import Sequence

from ledger.state import View
from ledger.units import BusinessDate, ParticipantId
from settlement import quota
from settlement.model.production import ProductionLot
from settlement.model.quota_policies import RatePolicy
from settlement.model.statement import QuotaStatement
from settlement.rules.quota_policies import rate_policies
from settlement.rules.tables import LOTS
from settlement.views.claims import claims_of


def quota_statement(view: View, miner: ParticipantId, coin: str, *, as_of: BusinessDate) -> QuotaStatement:
    """Return where a miner stands with a coin, counting lots and sales up to a local date.

    A miner or coin nobody registered has an empty statement.
    """
    claims, facts = claims_of(view, miner)
    return quota.quota_statement(
        rate_policies(view), _lots_of(view, miner), claims, miner=miner, coin=coin, as_of=as_of, facts=facts
    )


def quota_what_if(
    view: View, miner: ParticipantId, coin: str, *, as_of: BusinessDate, policies: Sequence[RatePolicy]
) -> quota.WhatIf:
    """Return what the statement would say under other policies; dated, not overlapping."""
    claims, facts = claims_of(view, miner)
    return quota.what_if(policies, _lots_of(view, miner), claims, miner=miner, coin=coin, as_of=as_of, facts=facts)


def _lots_of(view: View, miner: ParticipantId) -> dict[str, ProductionLot]:
    return dict(view.group(LOTS, miner))
