"""Bulk throughput against the size of the ledger: does it slow down as it grows?

A fresh node is sent one window of bulks after the other, from nothing to the largest size. The bulks of a window are
signed before it, while nothing is timed; each window is timed by itself, until the projections include its last line.
So memory and disk hold one window of requests at a time, and signing never competes with what is measured. The rate
at a size is that of the windows that led up to it: see :func:`rates_at`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wallet_api.bench import books, restart
from wallet_api.bench.bench import Bench
from wallet_api.bench.bulk import Ran, run_bulks
from wallet_api.bench.cost import Costs
from wallet_api.bench.figures import Axis, Figure, Measured, Series, figure, rounded
from wallet_api.bench.payments import bulks, split
from wallet_api.bench.place import Place, stored_bytes
from wallet_api.bench.scale import EVERY_RUN_MAX, sizes_of_run

PLOT: Final = "throughput_against_size"
"""The plot of these rates."""

REFERENCE_SIZE: Final = 100_000
"""The size that larger ones are compared with, if it is measured; else the smallest."""

LEADING_SHARE: Final = 4
"""The rate at a size is that of the last quarter of the way to it, or of the last window where that is longer."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bulks sent to a ledger at a time."""

    size: int
    """Entries of the ledger after it."""
    ran: Ran


def measure(bench: Bench) -> Iterator[Measured]:
    """Yield the rate at each size, its ratio to that at the reference, bytes stored, and restarts of the largest."""
    grown: list[dict[int, float]] = []
    stored: dict[str, list[float]] = {}
    windows: list[Window] = []
    for run in range(bench.scale.runs):
        sizes = sizes_of_run(bench.scale, run)
        if not sizes:
            continue
        place = bench.new_place(f"grown-{run}")
        bench.say(f"growth, run {run + 1} of {bench.scale.runs}")
        windows = _grow(bench, place, sizes)
        grown.append({size: rate_at(windows, size, lambda ran: ran.caught_up_s) for size in sizes})
        for name, taken in stored_bytes(place).items():
            stored.setdefault(name, []).append(taken / sizes[-1])
        if sizes[-1] > EVERY_RUN_MAX:
            yield from restart.figures(bench, place, label(sizes[-1]))
    for size in bench.scale.sizes:
        yield figure(f"bulk_at_{label(size)}_lines_per_s", "1/s", [rates[size] for rates in grown if size in rates])
    yield from _ratios(bench.scale.sizes, grown)
    for name in ("blocks", "views"):
        if name in stored:
            yield figure(f"{name}_stored_bytes_per_entry", "bytes", stored[name])
    yield from _series(windows)


def label(size: int) -> str:
    """Return a size as part of a name: ``10k``, ``1m``."""
    for unit, letter in ((1_000_000, "m"), (1_000, "k")):
        if size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def window_sizes(sizes: Sequence[int], window_lines: int) -> list[int]:
    """Return the lines of each window, so that one ends at every size and none is longer than given."""
    windows = []
    before = 0
    for size in sizes:
        windows += split(size - before, window_lines)
        before = size
    return windows


def rate_at(windows: Sequence[Window], size: int, seconds: Callable[[Ran], float]) -> float:
    """Return the lines a second of the windows in the last quarter of the way to a size, at least of the last one."""
    leading = [
        each for each in windows if each.size <= size and each.size - each.ran.lines >= size - size / LEADING_SHARE
    ]
    if not leading:
        leading = [each for each in windows if each.size == size]
    return sum(each.ran.lines for each in leading) / sum(seconds(each.ran) for each in leading)


def _grow(bench: Bench, place: Place, sizes: Sequence[int]) -> list[Window]:
    books.found(place, bench.world)
    windows = []
    size = 0
    with bench.new_node(place, bench.world) as node:
        node.wait_for_views()
        for lines in window_sizes(sizes, bench.scale.window_lines):
            size += lines
            bench.say(f"growth: up to {size} entries")
            of_bulks = split(lines, bench.scale.bulk_lines)
            sent = list(bulks(bench.world, of_bulks, bench.options.mix, seed=bench.seed()))
            windows.append(Window(size, run_bulks(bench, node, sent, Costs())))
    return windows


def _ratios(sizes: Sequence[int], grown: Sequence[dict[int, float]]) -> Iterator[Figure]:
    reference = REFERENCE_SIZE if REFERENCE_SIZE in sizes else sizes[0]
    for size in sizes:
        if size > reference:
            samples = [rates[size] / rates[reference] for rates in grown if size in rates]
            yield figure(f"growth_{label(size)}_vs_{label(reference)}", "ratio", samples)


def _series(windows: Sequence[Window]) -> Iterator[Series]:
    """Yield the curves of the last run, which went furthest."""
    x = Axis(meaning="size of the ledger", unit="entries")
    y = Axis(meaning="bulk throughput", unit="lines/s")
    for name, seconds in _CURVES.items():
        points = tuple((float(each.size), rounded(each.ran.lines / seconds(each.ran))) for each in windows)
        yield Series(plot=PLOT, name=name, x=x, y=y, points=points)


_CURVES: Final[dict[str, Callable[[Ran], float]]] = {
    "answered with receipts": lambda ran: ran.answered_s,
    "statements caught up": lambda ran: ran.caught_up_s,
}
"""What is drawn, with the seconds that count for it."""
