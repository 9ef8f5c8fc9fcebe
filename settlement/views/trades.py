"""Settled sales of an exchange, what failed, what was moved back, and what speaks against them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

from msgspec import Meta

from ledger.crypto.canonical import b64url
from ledger.model.record import Record
from ledger.rules.tables import ledger_of
from ledger.state import View
from ledger.units import (
    BusinessDate,
    DateField,
    DigestField,
    LabelField,
    ParticipantField,
    ParticipantId,
    TimestampField,
    TimestampUs,
    TotalField,
)
from settlement.model.claims import ClaimDecision, ClaimFlag
from settlement.model.instructions import FailCause, business_days_since
from settlement.model.registers import CoinField
from settlement.model.trades import tenge_amount
from settlement.rules.tables import (
    CLAIM_DECISIONS,
    CLAIMS,
    COINS,
    DAY_EXCEPTIONS,
    FAILS,
    INSTRUCTIONS,
    QUOTA_FLAGS,
    REVERSALS,
)
from settlement.rules.tariff import fee_ppm_on
from settlement.views.history import Decided

SumField = Annotated[int, Meta(ge=0)]
"""A sum over many rows, which no single bound holds for."""


class TradeLine(Record, frozen=True, kw_only=True):
    """A sale that settled within the dates, or the part of it that did."""

    trade: LabelField
    settled_us: TimestampField
    """When both legs were final."""
    coin: CoinField
    quantity: TotalField
    """In the coin's smallest unit."""
    amount: TotalField
    """Tiyn the buyer paid."""
    fee: TotalField = 0
    tax: TotalField = 0
    """Tiyn kept for the tax authority."""
    is_net: bool = False
    """Whether the tenge moved netted with other sales."""
    undone: TotalField = 0
    """What was moved back of the quantity since."""
    returned: TotalField = 0
    """Tiyn the buyer got back since."""
    transaction: DigestField


class FailLine(Record, frozen=True, kw_only=True):
    """A sale, or the rest of one, that did not settle."""

    trade: LabelField
    coin: CoinField
    cause: FailCause
    quantity: TotalField
    settlement_date: DateField
    failed_on: DateField
    age_days: SumField
    """Business days since the settlement date, as of today's business date."""


class CoinTotal(Record, frozen=True, kw_only=True):
    """All settled sales of one coin."""

    coin: CoinField
    scale: int
    trades: SumField
    quantity: SumField
    amount: SumField
    fees: SumField


class VenueActivity(Record, frozen=True, kw_only=True):
    """What an exchange's trading came to."""

    totals: tuple[CoinTotal, ...]
    fee_ppm: TotalField
    """The posted fee today, in parts per million."""
    trades: tuple[TradeLine, ...]
    fails: tuple[FailLine, ...]


class DayOfTrades(Record, frozen=True, kw_only=True):
    """Digital tenge that sales moved on one local date, in tiyn."""

    date: DateField
    trades: SumField
    amount: SumField
    """What buyers paid."""
    fees: SumField
    tax: SumField


class Doubt(Record, frozen=True, kw_only=True):
    """A miner's sale that something speaks against."""

    claim: str
    miner: ParticipantField
    executed_on: DateField
    flags: tuple[ClaimFlag, ...]
    decisions: tuple[ClaimDecision, ...] = ()


def trades_of(
    view: View, exchange: ParticipantId, sent: Iterable[Decided], from_us: TimestampUs, until_us: TimestampUs
) -> tuple[TradeLine, ...]:
    """Return the sales that settled between two moments, in order of finality.

    Args:
        view: the state.
        exchange: whose.
        sent: what it sent in that time: sales at once (``dvp_settle``) stand nowhere else as a whole.
        from_us: first moment.
        until_us: first moment that is too late.
    """
    lines = [*_at_once(view, exchange, sent), *_instructed(view, exchange, from_us, until_us)]
    return tuple(sorted(lines, key=lambda line: (line.settled_us, line.trade)))


def venue_activity(
    view: View,
    exchange: ParticipantId,
    trades: Sequence[TradeLine],
    from_date: BusinessDate,
    until_date: BusinessDate,
) -> VenueActivity:
    """Return trades with their totals, and what failed between two dates, both included."""
    return VenueActivity(
        totals=tuple(_total(view, coin, trades) for coin in sorted({line.coin for line in trades})),
        fee_ppm=fee_ppm_on(view, exchange, ledger_of(view).business_date),
        trades=tuple(trades),
        fails=tuple(line for line in fails_of(view, exchange) if from_date <= line.failed_on <= until_date),
    )


def fails_of(view: View, exchange: ParticipantId) -> tuple[FailLine, ...]:
    """Return all that failed at an exchange, oldest first."""
    holidays = frozenset(BusinessDate(date) for date, day in view.items(DAY_EXCEPTIONS) if not day.is_working)
    today = ledger_of(view).business_date
    lines = []
    for key, fail in view.items(FAILS):
        owner, _, trade = key.partition("/")
        if owner != exchange:
            continue
        instruction = view.get(INSTRUCTIONS, key)
        assert instruction is not None, "what failed was instructed"
        side = instruction.seller or instruction.buyer
        assert side is not None, "an instruction has a side"
        lines.append(
            FailLine(
                trade=trade,
                coin=side.terms.coin,
                cause=fail.cause,
                quantity=fail.quantity,
                settlement_date=fail.settlement_date,
                failed_on=fail.failed_on,
                age_days=business_days_since(fail, today, holidays),
            )
        )
    return tuple(sorted(lines, key=lambda line: (line.failed_on, line.trade)))


def days_of(trades: Iterable[TradeLine], date_of: Callable[[TimestampUs], BusinessDate]) -> tuple[DayOfTrades, ...]:
    """Return what trades come to on each local date on which there was one."""
    by_date: dict[BusinessDate, list[TradeLine]] = {}
    for line in trades:
        by_date.setdefault(date_of(line.settled_us), []).append(line)
    return tuple(
        DayOfTrades(
            date=date,
            trades=len(lines),
            amount=sum(line.amount for line in lines),
            fees=sum(line.fee for line in lines),
            tax=sum(line.tax for line in lines),
        )
        for date, lines in sorted(by_date.items())
    )


def doubts_at(
    view: View, exchange: ParticipantId, from_date: BusinessDate, until_date: BusinessDate
) -> tuple[Doubt, ...]:
    """Return the claims of an exchange with flags or decisions, executed between two dates, both included."""
    doubts = []
    for key, claim in view.items(CLAIMS):
        flags, decisions = view.get(QUOTA_FLAGS, key) or (), view.get(CLAIM_DECISIONS, key) or ()
        is_of_exchange = key.partition("/")[0] == exchange and from_date <= claim.executed_on <= until_date
        if is_of_exchange and (flags or decisions):
            doubts.append(
                Doubt(claim=key, miner=claim.miner, executed_on=claim.executed_on, flags=flags, decisions=decisions)
            )
    return tuple(sorted(doubts, key=lambda doubt: (doubt.executed_on, doubt.claim)))


def _at_once(view: View, exchange: ParticipantId, sent: Iterable[Decided]) -> Iterator[TradeLine]:
    for each in sent:
        if each.row.kind != "dvp_settle":
            continue
        coin = view.get(COINS, each.body.coin)
        assert coin is not None, "a sale of an unknown coin was refused"
        reversal = view.get(REVERSALS, f"{exchange}/{each.body.trade}")
        yield TradeLine(
            trade=each.body.trade,
            settled_us=each.row.time_us,
            coin=each.body.coin,
            quantity=each.body.quantity,
            amount=tenge_amount(each.body.quantity, each.body.price, coin.scale),
            fee=each.body.fee,
            undone=0 if reversal is None else reversal.quantity,
            returned=0 if reversal is None else reversal.amount,
            transaction=b64url(each.row.transaction_id),
        )


def _instructed(
    view: View, exchange: ParticipantId, from_us: TimestampUs, until_us: TimestampUs
) -> Iterator[TradeLine]:
    for key, instruction in view.items(INSTRUCTIONS):
        owner, _, trade = key.partition("/")
        settled, side = instruction.settled, instruction.seller
        if owner != exchange or settled is None or side is None or not from_us <= settled.settled_us < until_us:
            continue
        reversal = view.get(REVERSALS, key)
        yield TradeLine(
            trade=trade,
            settled_us=settled.settled_us,
            coin=side.terms.coin,
            quantity=settled.quantity,
            amount=settled.amount,
            fee=settled.fee,
            tax=settled.tax,
            is_net=settled.is_net,
            undone=0 if reversal is None else reversal.quantity,
            returned=0 if reversal is None else reversal.amount,
            transaction=settled.transaction,
        )


def _total(view: View, coin: str, trades: Iterable[TradeLine]) -> CoinTotal:
    known = view.get(COINS, coin)
    assert known is not None, "a sale of an unknown coin was refused"
    own = [line for line in trades if line.coin == coin]
    return CoinTotal(
        coin=coin,
        scale=known.scale,
        trades=len(own),
        quantity=sum(line.quantity for line in own),
        amount=sum(line.amount for line in own),
        fees=sum(line.fee for line in own),
    )
