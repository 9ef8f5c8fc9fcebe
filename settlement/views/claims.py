"""A miner's claims, and what the ledger's state says of them."""

from collections.abc import Iterator

from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import ParticipantId
from settlement.model.claims import ClaimFacts, PendingSale
from settlement.model.instructions import OPEN_STATUSES
from settlement.model.intervals import was_active
from settlement.model.local_time import local_date
from settlement.model.trades import QuotaClaim
from settlement.rules.quota_policies import flag_policies
from settlement.rules.tables import (
    ATTESTED_SALES,
    CLAIM_DECISIONS,
    CLAIMS,
    EXCHANGES,
    INSTRUCTIONS,
    MINER_ACCOUNTS,
    QUOTA_FLAGS,
    REVERSALS,
)


def claims_of(view: View, miner: ParticipantId) -> tuple[dict[str, QuotaClaim], ClaimFacts]:
    """Return the claims of a miner by key, and what is known of them."""
    claims = dict(view.group(CLAIMS, miner))
    attested = dict(view.group(ATTESTED_SALES, miner))
    keys = {*claims, *attested}
    facts = ClaimFacts(
        flags=view.get_many(QUOTA_FLAGS, keys),
        decisions=view.get_many(CLAIM_DECISIONS, keys),
        reversed={key: reversal.quantity for key, reversal in view.get_many(REVERSALS, keys).items()},
        suspended=tuple(sorted(key for key, claim in claims.items() if _is_suspended(view, key, claim))),
        attested=attested,
        pending=dict(_pending(view, miner)),
        flag_policies=flag_policies(view),
    )
    return claims, facts


def _is_suspended(view: View, key: str, claim: QuotaClaim) -> bool:
    """Whether the exchange was active when the sale was executed, and not when it was final (rule 10)."""
    exchange = view.get(EXCHANGES, key.partition("/")[0])
    assert exchange is not None, "only a registered exchange settles"
    return was_active(exchange.history, claim.executed_us) and not was_active(exchange.history, claim.settled_us)


def _pending(view: View, miner: ParticipantId) -> Iterator[tuple[str, PendingSale]]:
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    for account, _ in view.group(MINER_ACCOUNTS, miner):
        for key, instruction in view.group(INSTRUCTIONS, account):
            side = instruction.seller
            if side is None or instruction.status not in OPEN_STATUSES:
                continue
            yield (
                key,
                PendingSale(
                    miner=miner,
                    coin=side.terms.coin,
                    quantity=side.terms.quantity,
                    executed_us=side.terms.executed_us,
                    executed_on=local_date(offsets, side.terms.executed_us),
                ),
            )
