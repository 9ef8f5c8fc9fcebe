"""Every reading of the law side by side, from the same lots and sales: which one decides is the policy's matter.

* quantity per coin, lot by lot: the sums of the statement itself;
* the same, each lot as a whole before the next, for comparison;
* quantity per coin, by calendar year and by quarter: the lots of a period against the sales of the same period;
* value at receipt, all coins pooled: over all lots, by calendar year and by quarter.

In all of them a sale covers no lot that is younger, and never more is counted than was produced.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.units import BusinessDate
from settlement.model.production import ProductionLot
from settlement.model.quarters import quarter_of
from settlement.model.quota_policies import Basis, LegalStatus, Period, RatePolicy
from settlement.model.statement import BasisResult, Order, PeriodLine
from settlement.quota.lots import LotCount, count_lots, in_scope
from settlement.quota.matching import match_obligation_first, match_oldest_first
from settlement.quota.sales import Sale
from settlement.quota.valuation import obligation_at_receipt, value_at_receipt

_READINGS: Final = {
    Basis.QUANTITY_PER_COIN: "quantity per coin",
    Basis.VALUE_AT_RECEIPT: "value at receipt, all coins pooled",
}
_PERIODS: Final = {
    Period.LOT_CUMULATIVE: "over all lots",
    Period.CALENDAR_YEAR: "by calendar year",
    Period.QUARTER: "by quarter",
}
_ORDERS: Final = {
    Order.OBLIGATION_FIRST: "obligation first, oldest first",
    Order.OLDEST_FIRST: "oldest lot first as a whole",
}


def _year_of(date: BusinessDate) -> str:
    return date[:4]


_PERIOD_OF: Final[Mapping[Period, Callable[[BusinessDate], str]]] = {
    Period.CALENDAR_YEAR: _year_of,
    Period.QUARTER: quarter_of,
}


def basis_results(
    policies: Sequence[RatePolicy], lots: Mapping[str, ProductionLot], sales: Sequence[Sale], *, coin: str
) -> tuple[BasisResult, ...]:
    """Return what one miner's lots and sales come to on each basis.

    Args:
        policies: dated, not overlapping.
        lots: of all coins, by key.
        sales: of all coins, in order of execution, only those that count.
        coin: the one that is looked at by quantity.
    """
    inputs = _Inputs(policies, lots, sales)
    return (
        inputs.by_lot(coin),
        inputs.oldest_first(coin),
        inputs.by_period(coin, Period.CALENDAR_YEAR),
        inputs.by_period(coin, Period.QUARTER),
        inputs.pooled(),
        inputs.pooled_by_period(Period.CALENDAR_YEAR),
        inputs.pooled_by_period(Period.QUARTER),
    )


@dataclass(slots=True)
class _Sums:
    """What some lots come to, in one measure."""

    produced: int = 0
    obligation: int = 0
    counted: int = 0
    carries: bool = True


class _Inputs:
    """Lots and sales by coin; each reading counts afresh."""

    def __init__(
        self, policies: Sequence[RatePolicy], lots: Mapping[str, ProductionLot], sales: Sequence[Sale]
    ) -> None:
        self._policies = policies
        self._lots = lots
        self._sales = sales
        self._coins = sorted({lot.coin for lot in lots.values()})

    def _counts(self, coin: str) -> list[LotCount]:
        return in_scope(count_lots(self._policies, {key: lot for key, lot in self._lots.items() if lot.coin == coin}))

    def _of(self, coin: str) -> list[Sale]:
        return [sale for sale in self._sales if sale.coin == coin]

    def by_lot(self, coin: str) -> BasisResult:
        counts = self._counts(coin)
        match_obligation_first(counts, self._of(coin))
        return self._lot_result(coin, counts, Order.OBLIGATION_FIRST)

    def oldest_first(self, coin: str) -> BasisResult:
        counts = self._counts(coin)
        match_oldest_first(counts, self._of(coin))
        return self._lot_result(coin, counts, Order.OLDEST_FIRST)

    def _lot_result(self, coin: str, counts: Sequence[LotCount], order: Order) -> BasisResult:
        sums = _by_quantity(counts)
        named_by = _named_by(counts, Basis.QUANTITY_PER_COIN, Period.LOT_CUMULATIVE, order)
        return BasisResult(
            basis=Basis.QUANTITY_PER_COIN,
            period=Period.LOT_CUMULATIVE,
            order=order,
            coin=coin,
            produced=sums.produced,
            obligation=sums.obligation,
            counted=sums.counted,
            carried=sum(count.carried for count in counts),
            shortfall=sum(count.unmet for count in counts),
            named_by=_ids(named_by),
            note=_note(named_by, Basis.QUANTITY_PER_COIN, Period.LOT_CUMULATIVE, order),
        )

    def by_period(self, coin: str, period: Period) -> BasisResult:
        counts = self._counts(coin)
        by_period = _match_within(counts, self._of(coin), _PERIOD_OF[period])
        lines = _period_lines({name: _by_quantity(within) for name, within in by_period.items()})
        return _result(counts, Basis.QUANTITY_PER_COIN, period, lines, coin=coin)

    def pooled(self) -> BasisResult:
        counts = []
        for coin in self._coins:
            ours = self._counts(coin)
            match_obligation_first(ours, self._of(coin))
            counts += ours
        (line,) = _period_lines({"all": _by_value(counts)})
        return _result(counts, Basis.VALUE_AT_RECEIPT, Period.LOT_CUMULATIVE, (line,))

    def pooled_by_period(self, period: Period) -> BasisResult:
        counts: list[LotCount] = []
        pools: dict[str, list[LotCount]] = {}
        for coin in self._coins:
            ours = self._counts(coin)
            for name, within in _match_within(ours, self._of(coin), _PERIOD_OF[period]).items():
                pools.setdefault(name, []).extend(within)
            counts += ours
        lines = _period_lines({name: _by_value(within) for name, within in pools.items()})
        return _result(counts, Basis.VALUE_AT_RECEIPT, period, lines)


def _match_within(
    counts: Sequence[LotCount], sales: Iterable[Sale], name_of: Callable[[BusinessDate], str]
) -> dict[str, list[LotCount]]:
    """Count sales on lots of the same period; the excess is the period's, so that nothing is carried lot by lot."""
    sales_by_period: dict[str, list[Sale]] = {}
    for sale in sales:
        sales_by_period.setdefault(name_of(sale.executed_on), []).append(sale)
    by_period = {
        name: list(within)
        for name, within in itertools.groupby(counts, key=lambda count: name_of(count.lot.distributed_on))
    }
    for name, within in by_period.items():
        match_obligation_first(within, sales_by_period.get(name, ()), carries=False)
    return by_period


def _by_quantity(counts: Iterable[LotCount]) -> _Sums:
    sums = _Sums()
    for count in counts:
        sums.produced += count.lot.quantity
        sums.obligation += count.obligation
        sums.counted += count.counted
        sums.carries = sums.carries and count.carries
    return sums


def _by_value(counts: Iterable[LotCount]) -> _Sums:
    sums = _Sums()
    for count in counts:
        assert count.policy is not None, "a lot in scope has a policy"
        sums.produced += count.lot.receipt_value
        sums.obligation += obligation_at_receipt(count.lot, count.policy)
        sums.counted += value_at_receipt(count.lot, count.counted)
        sums.carries = sums.carries and count.carries
    return sums


def _period_lines(by_period: Mapping[str, _Sums]) -> tuple[PeriodLine, ...]:
    """One line a period. The excess of a period is carried if every lot in it lies under a policy that says so."""
    excess = 0
    lines = []
    for name, sums in sorted(by_period.items()):
        unmet = max(0, sums.obligation - sums.counted)
        carried = min(excess, unmet)
        excess += (max(0, sums.counted - sums.obligation) if sums.carries else 0) - carried
        lines.append(
            PeriodLine(
                period=name,
                produced=sums.produced,
                obligation=sums.obligation,
                counted=sums.counted,
                carried=carried,
                shortfall=unmet - carried,
            )
        )
    return tuple(lines)


def _result(
    counts: Sequence[LotCount], basis: Basis, period: Period, lines: Sequence[PeriodLine], *, coin: str | None = None
) -> BasisResult:
    named_by = _named_by(counts, basis, period, Order.OBLIGATION_FIRST)
    is_by_value = basis is Basis.VALUE_AT_RECEIPT
    return BasisResult(
        basis=basis,
        period=period,
        coin=coin,
        produced=sum(line.produced for line in lines),
        obligation=sum(line.obligation for line in lines),
        counted=sum(line.counted for line in lines),
        carried=sum(line.carried for line in lines),
        shortfall=sum(line.shortfall for line in lines),
        periods=() if period is Period.LOT_CUMULATIVE else tuple(lines),
        unvalued=sum(count.lot.receipt_value == 0 for count in counts) if is_by_value else 0,
        named_by=_ids(named_by),
        note=_note(named_by, basis, period, Order.OBLIGATION_FIRST),
    )


def _named_by(counts: Iterable[LotCount], basis: Basis, period: Period, order: Order) -> list[RatePolicy]:
    """The policies of these lots that name a basis and period."""
    if order is Order.OLDEST_FIRST:
        return []
    used = {count.policy.policy: count.policy for count in counts if count.policy is not None}
    return [policy for _, policy in sorted(used.items()) if (policy.basis, policy.period) == (basis, period)]


def _ids(policies: Iterable[RatePolicy]) -> tuple[str, ...]:
    return tuple(policy.policy for policy in policies)


def _note(named_by: Sequence[RatePolicy], basis: Basis, period: Period, order: Order) -> str:
    reading = f"{_READINGS[basis]}, {_PERIODS[period]}, {_ORDERS[order]}."
    if not named_by:
        return f"For comparison. Computation basis assumed: {reading}"
    if any(policy.legal_status is not LegalStatus.CONFIRMED for policy in named_by):
        return f"Computation basis assumed: {reading}"
    return f"Computed by {reading}"
