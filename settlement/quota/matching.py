"""Which lots a sale covers (rules 6 to 8), in time proportional to lots and sales after sorting."""

import bisect
from collections.abc import Iterable, Sequence

from settlement.model.statement import Allocation
from settlement.quota.lots import LotCount
from settlement.quota.sales import Sale


class ObligationFirst:
    """Lots in scope, oldest first, while sales are counted on them.

    The lots a sale may cover are the first ones, up to its date. Both passes fill from the oldest lot with room on, so
    in each a lot that is full stays behind for good: two pointers move on.

    Where policies carry the excess, a lot that has come into being takes what older sales left beyond the duty of their
    time, before any sale is counted on it.
    """

    def __init__(self, counts: Sequence[LotCount], *, carries: bool = True) -> None:
        self._counts = counts
        self._carries = carries
        self._dates = [count.lot.distributed_on for count in counts]
        self._entered = 0
        """The first lot that no sale was late enough for, so far."""
        self._obliged = 0
        """The first lot that may have an unmet obligation."""
        self._beyond = 0
        """The first lot that may have room beyond its obligation."""
        self._excess = 0
        """Sold beyond the duty, and carried."""

    def match(self, sale: Sale) -> tuple[Allocation, ...]:
        """Count one sale; sales come in order of execution."""
        end = bisect.bisect_right(self._dates, sale.executed_on)
        self._enter(end)
        allocations: list[Allocation] = []
        left = self._fill_obligations(sale.quantity, end, allocations)
        self._fill_beyond(left, end, allocations)
        return tuple(allocations)

    def finish(self) -> None:
        """Carry the excess to lots younger than the last sale."""
        self._enter(len(self._counts))

    def _enter(self, end: int) -> None:
        for count in self._counts[self._entered : end]:
            count.carried = min(self._excess, count.obligation)
            self._excess -= count.carried
        self._entered = max(self._entered, end)

    def _fill_obligations(self, left: int, end: int, allocations: list[Allocation]) -> int:
        while left and self._obliged < end:
            count = self._counts[self._obliged]
            if part := min(left, count.unmet):
                count.counted_obligation += part
                left -= part
                allocations.append(Allocation(lot=count.key, quantity=part, is_obligation=True))
            if count.unmet == 0:
                self._obliged += 1
        return left

    def _fill_beyond(self, left: int, end: int, allocations: list[Allocation]) -> None:
        while left and self._beyond < end:
            count = self._counts[self._beyond]
            if part := min(left, count.room):
                count.counted_beyond += part
                left -= part
                self._excess += part if self._carries and count.carries else 0
                allocations.append(Allocation(lot=count.key, quantity=part, is_obligation=False))
            if count.room == 0:
                self._beyond += 1


def match_obligation_first(counts: Sequence[LotCount], sales: Iterable[Sale], *, carries: bool = True) -> None:
    """Count sales, in order of execution, on lots in scope, oldest first; ``carries``: where the policies say so."""
    matching = ObligationFirst(counts, carries=carries)
    for sale in sales:
        matching.match(sale)
    matching.finish()


def match_oldest_first(counts: Sequence[LotCount], sales: Iterable[Sale]) -> None:
    """Count sales, in order of execution, on each lot as a whole before the next: for comparison."""
    dates = [count.lot.distributed_on for count in counts]
    oldest = 0
    for sale in sales:
        left = sale.quantity
        end = bisect.bisect_right(dates, sale.executed_on)
        while left and oldest < end:
            count = counts[oldest]
            part = min(left, count.lot.quantity - count.counted)
            obliged = min(part, count.unmet)
            count.counted_obligation += obliged
            count.counted_beyond += part - obliged
            left -= part
            if count.counted == count.lot.quantity:
                oldest += 1
