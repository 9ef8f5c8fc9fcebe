"""How much is measured: the real sizes, and tiny ones that only show that everything runs."""

from dataclasses import dataclass, replace
from typing import Final

from wallet_api.bench.options import CONNECTIONS, Options

EVERY_RUN_MAX: Final = 1_000_000
"""Sizes above this are measured in the last run only: ten million entries take minutes."""

TEN_MILLION: Final = 10_000_000
"""The size that a full run adds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of one run of the benchmark."""

    runs: int
    """Runs behind each figure."""
    accounts: int
    """Wallets that payments go between."""
    connections: int
    """Connections of the closed loop: each sends its next request when it has the answer to the last."""
    singles: int
    """Single transfers a run."""
    textbook_hot_singles: int
    """The same of a textbook ledger with one hot account, which takes several times as long for each."""
    open_connections: int
    """Connections of the open loop: enough that a request seldom waits for one, unless the ledger is overloaded."""
    open_s: float
    """How long each load of the open loop takes, in seconds."""
    bulk_connections: int
    """Connections that send bulks."""
    bulk_lines: int
    """Lines of one bulk."""
    bulks: int
    """Bulks a run."""
    sizes: tuple[int, ...]
    """Entries that the growing ledger is measured at, smallest first."""
    window_lines: int
    """Lines sent to the growing ledger at a time, between pauses in which the next are signed."""
    reads: int
    """Balance reads a run; statements are read a tenth as often."""
    verified_singles: int
    """Singly signed transfers in the export that is verified."""
    verified_lines: int
    """Lines of bulks in the export that is verified."""
    large_entries: int
    """Entries in the log that a node restarts on, all of them postings on one account whose statement is read."""
    opened_accounts: int
    """Accounts that a node opens, to see what it takes in memory."""
    probed_accounts: int
    """Accounts opened in a fresh process, to see what one takes."""


USUAL: Final = Scale(
    runs=3,
    accounts=10_000,
    connections=CONNECTIONS,
    singles=8_000,
    textbook_hot_singles=2_000,
    open_connections=256,
    open_s=3.0,
    bulk_connections=4,
    bulk_lines=8_192,
    bulks=32,
    sizes=(10_000, 100_000, 1_000_000),
    window_lines=98_304,
    reads=4_000,
    verified_singles=100_000,
    verified_lines=204_800,
    large_entries=1_000_000,
    opened_accounts=1_000_000,
    probed_accounts=131_072,
)
"""The sizes of published figures; ten thousand accounts as in the benchmarks of other engines."""

QUICK: Final = Scale(
    runs=1,
    accounts=50,
    connections=4,
    singles=40,
    textbook_hot_singles=20,
    open_connections=8,
    open_s=0.1,
    bulk_connections=2,
    bulk_lines=32,
    bulks=2,
    sizes=(64, 192),
    window_lines=64,
    reads=20,
    verified_singles=20,
    verified_lines=64,
    large_entries=128,
    opened_accounts=200,
    probed_accounts=200,
)
"""Shows that the benchmark works; its figures mean nothing."""


def scale_of(options: Options) -> Scale:
    """Return the sizes asked for."""
    scale = QUICK if options.is_quick else USUAL
    sizes = options.sizes or (*scale.sizes, *((TEN_MILLION,) if options.is_full else ()))
    return replace(
        scale,
        runs=options.runs or scale.runs,
        connections=options.connections or scale.connections,
        sizes=tuple(sorted(set(sizes))),
    )


def sizes_of_run(scale: Scale, run: int) -> tuple[int, ...]:
    """Return the sizes that one run, from 0, is measured at: the largest ones only in the last."""
    return scale.sizes if run == scale.runs - 1 else tuple(size for size in scale.sizes if size <= EVERY_RUN_MAX)
