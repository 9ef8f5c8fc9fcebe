"""What an authority, or the miner itself, reads of a miner over some dates: production, quota, sales, levy.

Each part is there if it was asked for, and absent otherwise: who reads one part learns nothing of another.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.model.record import Record
from ledger.state import View
from ledger.units import (
    BusinessDate,
    DateField,
    DigestField,
    LabelField,
    ParticipantField,
    ParticipantId,
    TextField,
    TotalField,
)
from settlement.model.authorities import Part
from settlement.model.intervals import History
from settlement.model.levy_statement import LevyStatement
from settlement.model.production import LotState, ProductionLot
from settlement.model.production_statement import LotValue, ValueState
from settlement.model.quarters import quarter_of
from settlement.model.registers import CoinField, Subtype
from settlement.model.statement import QuotaStatement
from settlement.model.trades import QuotaClaim
from settlement.rules.levy import levy_of
from settlement.rules.lot_values import lot_value
from settlement.rules.tables import CLAIMS, COINS, LICENCES, LOTS, MINER_LICENCES, MINERS, REVERSALS
from settlement.views.statements import quota_statement

MINER_PARTS: Final = frozenset({Part.QUOTA, Part.VALUE, Part.LEVY})
"""The parts that a miner's statement has."""

SumField = Annotated[int, Meta(ge=0)]
"""A sum over many rows, which no single bound holds for."""


class HeldLicence(Record, frozen=True, kw_only=True):
    """A licence of the miner, with its history."""

    licence: LabelField
    subtype: Subtype
    issued: DateField
    history: History


class LotOfPeriod(Record, frozen=True, kw_only=True):
    """A lot that was distributed within the dates."""

    lot: str
    state: LotState
    distributed_on: DateField
    quantity: TotalField
    """In the coin's smallest unit."""
    licence: LabelField
    value: LotValue | None = None
    """By the report and by the published price; absent where the reader does not read values."""


class SaleOfPeriod(Record, frozen=True, kw_only=True):
    """A sale that was executed within the dates and settled on this ledger."""

    claim: str
    executed_on: DateField
    quantity: TotalField
    """What the buyer received, in the coin's smallest unit."""
    undone: TotalField = 0
    """The part of it that was moved back."""
    price: TotalField
    """Tiyn for one whole coin."""
    amount: TotalField
    """Tiyn the buyer paid."""
    fee: TotalField
    """Tiyn of it that the exchange took."""
    reference_price: TotalField
    reference_date: DateField


class ValueOfPeriod(Record, frozen=True, kw_only=True):
    """What lots were worth and sales brought, in tiyn."""

    reported: SumField
    """Of all lots that stand, as the pools say."""
    published: SumField
    """By the published price of the date of receipt, of lots that have one; never read it without ``unvalued``."""
    unvalued: SumField
    """How many lots that stand have no published price."""
    differing: SumField
    """How many have a reported value that differs from the published one."""
    sold_for: SumField
    """What buyers paid, less what was paid back in reversals."""
    fees: SumField
    sales: tuple[SaleOfPeriod, ...]


class CoinOfMiner(Record, frozen=True, kw_only=True):
    """One coin of the miner over the dates."""

    coin: CoinField
    scale: int
    """Decimal places of one whole coin."""
    produced: SumField
    """Of lots under an active licence, in the coin's smallest unit."""
    unlicensed: SumField
    corrected: SumField
    """Of lots that were taken back: in no other sum."""
    lots: tuple[LotOfPeriod, ...]
    quota: QuotaStatement | None = None
    """As of the last date, from the first lot on: a duty does not begin anew with the dates of a statement."""
    value: ValueOfPeriod | None = None


class MinerStatement(Record, frozen=True, kw_only=True):
    """A miner's statement over some dates, both included."""

    miner: ParticipantField
    from_date: DateField
    until_date: DateField
    parts: tuple[Part, ...]
    """Those that this reader reads, in alphabetical order."""
    licences: tuple[HeldLicence, ...]
    coins: tuple[CoinOfMiner, ...] = ()
    """Each coin that was ever reported or sold; without quota and value: none."""
    levy: tuple[LevyStatement, ...] = ()
    """Of each quarter that the dates touch with energy or a payment, and of the last one, where the reader reads the
    levy."""
    is_basis_assumed: bool
    """Whether anything here rests on a rule that is not confirmed."""
    notes: tuple[TextField, ...]
    """Each rule that is assumed, in words."""
    inputs: DigestField
    """SHA-256 over the inputs of its parts: equal inputs, equal statement."""


def miner_statement(
    view: View, miner: ParticipantId, *, from_date: BusinessDate, until_date: BusinessDate, parts: Iterable[Part]
) -> MinerStatement:
    """Return the statement of a registered miner.

    Args:
        view: the state.
        miner: participant id.
        from_date: first local date.
        until_date: last local date; not before the first.
        parts: those to be in it; what no miner's statement has is passed over.
    """
    assert view.get(MINERS, miner) is not None, "the caller has looked the miner up"
    own = frozenset(parts) & MINER_PARTS
    coins = tuple(_coins(view, miner, from_date, until_date, own)) if own & {Part.QUOTA, Part.VALUE} else ()
    levy = tuple(_levy(view, miner, quarters_between(from_date, until_date))) if Part.LEVY in own else ()
    assumed = [coin.quota.basis_note for coin in coins if coin.quota is not None and coin.quota.is_basis_assumed]
    assumed += [statement.basis_note for statement in levy if statement.is_basis_assumed]
    return MinerStatement(
        miner=miner,
        from_date=from_date,
        until_date=until_date,
        parts=tuple(sorted(own)),
        licences=licences_of(view, miner),
        coins=coins,
        levy=levy,
        is_basis_assumed=bool(assumed),
        notes=tuple(dict.fromkeys(assumed)),
        inputs=_inputs(coins, levy),
    )


def licences_of(view: View, miner: ParticipantId) -> tuple[HeldLicence, ...]:
    """Return the licences of a miner, in the order in which they were registered."""
    held = []
    for number in view.get(MINER_LICENCES, miner) or ():
        licence = view.get(LICENCES, number)
        assert licence is not None, "the index is written with the licence"
        held.append(
            HeldLicence(licence=number, subtype=licence.subtype, issued=licence.issued, history=licence.history)
        )
    return tuple(held)


def quarters_between(from_date: BusinessDate, until_date: BusinessDate) -> tuple[str, ...]:
    """Return the quarters that two dates and what lies between them touch."""
    first, last = quarter_of(from_date), quarter_of(until_date)
    every = (f"{year}-Q{number}" for year in range(int(first[:4]), int(last[:4]) + 1) for number in range(1, 5))
    return tuple(quarter for quarter in every if first <= quarter <= last)


def _levy(view: View, miner: ParticipantId, quarters: Sequence[str]) -> Iterator[LevyStatement]:
    """The levy quarter by quarter; decades in which nothing was drawn are passed over."""
    for quarter in quarters:
        statement = levy_of(view, miner, quarter)
        if statement.energy_kwh or statement.paid or quarter == quarters[-1]:
            yield statement


def _coins(
    view: View, miner: ParticipantId, from_date: BusinessDate, until_date: BusinessDate, parts: frozenset[Part]
) -> Iterator[CoinOfMiner]:
    lots = sorted(view.group(LOTS, miner), key=lambda item: (item[1].distributed_us, item[0]))
    claims = sorted(view.group(CLAIMS, miner), key=lambda item: (item[1].executed_us, item[0]))
    for coin in sorted({lot.coin for _, lot in lots} | {claim.coin for _, claim in claims}):
        known = view.get(COINS, coin)
        assert known is not None, "a lot or a sale of an unknown coin was refused"
        within = [(key, lot) for key, lot in lots if lot.coin == coin and from_date <= lot.distributed_on <= until_date]
        shown = tuple(_lot(view, key, lot, has_value=Part.VALUE in parts) for key, lot in within)
        sold = [
            (key, claim) for key, claim in claims if claim.coin == coin and from_date <= claim.executed_on <= until_date
        ]
        yield CoinOfMiner(
            coin=coin,
            scale=known.scale,
            produced=_quantity(shown, LotState.OPEN),
            unlicensed=_quantity(shown, LotState.UNLICENSED),
            corrected=_quantity(shown, LotState.CORRECTED),
            lots=shown,
            quota=quota_statement(view, miner, coin, as_of=until_date) if Part.QUOTA in parts else None,
            value=_value(view, shown, sold) if Part.VALUE in parts else None,
        )


def _lot(view: View, key: str, lot: ProductionLot, *, has_value: bool) -> LotOfPeriod:
    return LotOfPeriod(
        lot=key,
        state=lot.state,
        distributed_on=lot.distributed_on,
        quantity=lot.quantity,
        licence=lot.licence,
        value=lot_value(view, lot) if has_value else None,
    )


def _quantity(lots: Iterable[LotOfPeriod], state: LotState) -> int:
    return sum(lot.quantity for lot in lots if lot.state is state)


def _value(view: View, lots: Iterable[LotOfPeriod], sold: Iterable[tuple[str, QuotaClaim]]) -> ValueOfPeriod:
    values = [lot.value for lot in lots if lot.value is not None and lot.state is not LotState.CORRECTED]
    sales = []
    sold_for = fees = 0
    for key, claim in sold:
        reversal = view.get(REVERSALS, key)
        undone = 0 if reversal is None else reversal.quantity
        sold_for += claim.amount - (0 if reversal is None else reversal.amount)
        fees += claim.fee - (0 if reversal is None else reversal.fee)
        sales.append(
            SaleOfPeriod(
                claim=key,
                executed_on=claim.executed_on,
                quantity=claim.quantity,
                undone=undone,
                price=claim.price,
                amount=claim.amount,
                fee=claim.fee,
                reference_price=claim.reference_price,
                reference_date=claim.reference_date,
            )
        )
    return ValueOfPeriod(
        reported=sum(value.reported for value in values),
        published=sum(value.published or 0 for value in values),
        unvalued=sum(value.published is None for value in values),
        differing=sum(value.state is ValueState.DIFFERS for value in values),
        sold_for=sold_for,
        fees=fees,
        sales=tuple(sales),
    )


def _inputs(coins: Iterable[CoinOfMiner], levy: Iterable[LevyStatement]) -> str:
    """Quota and levy name the digest of their own inputs; lots and sales are their own."""
    content: list[Any] = []
    for coin in coins:
        content += [coin.coin, coin.lots]
        if coin.quota is not None:
            content.append(coin.quota.inputs)
        if coin.value is not None:
            content.append(coin.value)
    content += [[statement.quarter, statement.inputs] for statement in levy]
    return b64url(tagged("miner-statement", encode(content)))
