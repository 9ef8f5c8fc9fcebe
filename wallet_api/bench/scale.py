"""How much is measured: the real sizes, and tiny ones that only show that everything runs."""

from dataclasses import dataclass, replace
from typing import Final


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
    bulks: int
    """Bulks a run."""
    bulk_connections: int
    """Connections that send bulks."""
    bulk_lines: int
    """Lines of one bulk."""
    reads: int
    """Balance reads a run."""
    verified_singles: int
    """Singly signed transfers in the export that is verified."""
    verified_lines: int
    """Lines of bulks in the export that is verified."""
    restart_entries: int
    """Entries in the log that a node restarts on."""
    opened_accounts: int
    """Accounts opened to see what one takes in memory."""
    accounts_per_opening: int
    """Accounts opened by one transaction."""


FULL: Final = Scale(
    runs=5,
    accounts=10_000,
    connections=64,
    singles=12_000,
    bulks=24,
    bulk_connections=4,
    bulk_lines=8_192,
    reads=5_000,
    verified_singles=12_000,
    verified_lines=204_800,
    restart_entries=1_000_000,
    opened_accounts=262_144,
    accounts_per_opening=4_096,
)
"""The sizes of published figures; ten thousand accounts as in the benchmarks of other engines."""

QUICK: Final = Scale(
    runs=1,
    accounts=50,
    connections=4,
    singles=40,
    bulks=2,
    bulk_connections=2,
    bulk_lines=32,
    reads=20,
    verified_singles=20,
    verified_lines=64,
    restart_entries=128,
    opened_accounts=200,
    accounts_per_opening=100,
)
"""Shows that the benchmark works; its figures mean nothing."""


def scale_of(*, quick: bool, runs: int | None) -> Scale:
    """Return the sizes asked for; ``runs`` overrides how often each is measured."""
    scale = QUICK if quick else FULL
    return scale if runs is None else replace(scale, runs=runs)
