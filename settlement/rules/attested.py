"""Sales of mined coins whose money moved elsewhere: exchange and miner attest them, nothing here proves them.

They stand in a column of their own. A payment, a lock of coins and a number of a trade each stand behind one claim:
a second one that names any of them is refused. Whoever finds its payment or lock named by others has their claim
disqualified for just that; then it may name them itself, within the time that sales may be attested.
"""

from collections.abc import Iterable
from typing import Final

from ledger.crypto.canonical import b64url
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ASSETS, THE, UTC_OFFSETS
from ledger.state import Table, View
from ledger.units import (
    AmountField,
    DigestField,
    LabelField,
    OrderField,
    ParticipantField,
    ParticipantId,
    TimestampField,
)
from settlement.model.claims import AttestedSale
from settlement.model.local_time import local_date
from settlement.model.registers import CoinField
from settlement.rules.coins import VENUE_LICENCE_INVALID, coin_asset, refuse_venue
from settlement.rules.custody import COIN_NOT_ADMITTED
from settlement.rules.miners import MINER_UNKNOWN, has_licence
from settlement.rules.sales import (
    DUP_CASH_LEG,
    EXECUTION_IN_FUTURE,
    MINER_LICENCE_INVALID,
    TRADE_REPEATED,
    claim_behind,
)
from settlement.rules.tables import ASSET_LOCKS, ATTESTED_LEGS, ATTESTED_SALES, CASH_LEGS, MINERS, TRADES

ATTESTED_AGE_MAX_US: Final = 92 * 24 * 3_600_000_000
"""Longest time between a sale elsewhere and its attestation, in microseconds: a quarter, for which taxes are filed."""


class SaleAttest(Record, frozen=True, kw_only=True):
    """Attest a sale of mined coins that was paid for outside this ledger."""

    trade: LabelField
    """The exchange's number of the trade, unique for ever; those of settled sales included."""
    miner: ParticipantField
    coin: CoinField
    quantity: AmountField
    """What the buyer received, in the coin's smallest unit."""
    price: AmountField
    """Tiyn for one whole coin."""
    executed_us: TimestampField
    cash: OrderField | None = None
    """The bank's reference of the payment, where it was paid at a bank: its code first, so that all write it alike."""
    cash_transaction: DigestField | None = None
    """The transaction of this ledger that paid for it, where tenge moved here by itself."""
    asset_lock: DigestField
    """SHA-256 over what locked the coins until they were paid for: the output on the chain, or the exchange's id, a
    stroke and its own number of the lock."""

    @property
    def payment(self) -> str:
        """What the payment is found by: its transaction, or ``bank/`` and the bank's reference."""
        return self.cash_transaction or f"bank/{self.cash}"


CASH_LEG_UNCLEAR = RefusalCode(
    "cash_leg_unclear", "A sale was paid at a bank or by a transaction of this ledger, one of the two."
)
ATTESTED_TOO_LATE = RefusalCode(
    "attested_too_late", "The sale was executed more than 92 days before the ledger's time."
)


def _attest(view: View, submitted: Submitted) -> Proposal | Refused:
    body: SaleAttest = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    key = f"{exchange}/{body.trade}"
    if refused := _refuse_time(body, submitted) or refuse_venue(view, exchange, body.executed_us, submitted.time_us):
        return refused
    if view.get(ASSETS, coin_asset(body.coin, exchange)) is None:
        return Refused(COIN_NOT_ADMITTED, detail=f"coin {body.coin}")
    if refused := _refuse_miner(view, body):
        return refused
    if view.get(TRADES, key) is not None:
        return Refused(TRADE_REPEATED, detail=f"trade {body.trade}")
    if (body.cash is None) == (body.cash_transaction is None):
        return Refused(CASH_LEG_UNCLEAR, detail="expected cash or cash_transaction, and not both")
    for legs, name in ((CASH_LEGS, body.payment), (ASSET_LOCKS, body.asset_lock)):
        if (other := _claim_before(view, legs, name, body.miner, exchange)) is not None:
            return Refused(DUP_CASH_LEG, detail=f"{name} stands behind {other}")
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    sale = AttestedSale(
        miner=body.miner,
        coin=body.coin,
        quantity=body.quantity,
        executed_us=body.executed_us,
        executed_on=local_date(offsets, body.executed_us),
        price=body.price,
        attested_us=submitted.time_us,
        transaction=b64url(submitted.signed.transaction_id),
    )
    return Proposal(
        changes=(
            (TRADES, key, submitted.signed.transaction_id.hex()),
            (ATTESTED_LEGS, key, (body.payment, body.asset_lock)),
            (CASH_LEGS, body.payment, key),
            (ASSET_LOCKS, body.asset_lock, key),
            (ATTESTED_SALES, key, sale),
        ),
        record={},
    )


def _claim_before(view: View, legs: Table[str], name: str, miner: ParticipantId, exchange: ParticipantId) -> str | None:
    """Return the claim that a payment or a lock stands behind; what was taken from a miner or an exchange, it may not
    name again under another number.
    """
    claim = view.get(legs, name)
    sale = None if claim is None else view.get(ATTESTED_SALES, claim)
    if claim is not None and sale is not None and (sale.miner == miner or claim.partition("/")[0] == exchange):
        return claim
    return claim_behind(view, legs, name)


def _refuse_time(body: SaleAttest, submitted: Submitted) -> Refused | None:
    if body.executed_us > submitted.time_us:
        return Refused(EXECUTION_IN_FUTURE, detail=f"executed at {body.executed_us}, now {submitted.time_us}")
    if body.executed_us < submitted.time_us - ATTESTED_AGE_MAX_US:
        return Refused(ATTESTED_TOO_LATE, detail=f"executed at {body.executed_us}, now {submitted.time_us}")
    return None


def _refuse_miner(view: View, body: SaleAttest) -> Refused | None:
    if view.get(MINERS, body.miner) is None:
        return Refused(MINER_UNKNOWN, detail=f"miner {body.miner}")
    if not has_licence(view, body.miner, body.executed_us):
        return Refused(MINER_LICENCE_INVALID, detail=f"miner {body.miner} at {body.executed_us}")
    return None


def _miner(_view: View, body: SaleAttest) -> Iterable[Cosigner]:
    """The miner in whose name the sale counts."""
    return (Cosigner(participant=body.miner, threshold=1),)


MODULE = RuleModule(
    name="attested",
    meaning="Sales of mined coins that were paid for outside this ledger.",
    tables=(ATTESTED_SALES, ATTESTED_LEGS, CASH_LEGS, ASSET_LOCKS),
    kinds=(
        Kind(
            name="sale_attest",
            body=SaleAttest,
            meaning="Attest a sale of mined coins that was paid for outside this ledger.",
            refusals=(
                EXECUTION_IN_FUTURE,
                ATTESTED_TOO_LATE,
                VENUE_LICENCE_INVALID,
                COIN_NOT_ADMITTED,
                MINER_UNKNOWN,
                MINER_LICENCE_INVALID,
                TRADE_REPEATED,
                CASH_LEG_UNCLEAR,
                DUP_CASH_LEG,
            ),
            decide=_attest,
            cosigners=_miner,
        ),
    ),
)
