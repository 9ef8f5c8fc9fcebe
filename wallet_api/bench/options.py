"""What may be asked of the benchmark."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_api.bench.payments import UNIFORM, Mix
from wallet_api.bench.place import Store

CONNECTIONS: Final = 64
"""Connections of the closed loop unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """One run, as asked for."""

    json_path: Path | None = None
    """File for the report; none is written if None."""
    plots: Path | None = None
    """Folder for the plots; none are drawn if None."""
    only: tuple[str, ...] = ()
    """Names of measurements; all of them if empty."""
    is_quick: bool = False
    """Tiny sizes, which only show that everything works."""
    is_full: bool = False
    """Sizes up to ten million entries."""
    runs: int | None = None
    """How often each figure is measured; as the sizes say if None."""
    sizes: tuple[int, ...] = ()
    """Entries that the growing ledger is measured at; as the sizes say if empty."""
    store: Store = "sqlite"
    """Where the ledger keeps its blocks and projections."""
    connections: int | None = None
    """Connections of the closed loop; as the sizes say if None."""
    rate_per_s: float | None = None
    """A further load of the open loop, in single transfers a second."""
    mix: Mix = UNIFORM
    """What the payments of uniform loads are made of."""


def read_sizes(text: str) -> tuple[int, ...]:
    """Return the sizes of a text such as ``10k,100k,1m``; none of an empty one.

    Raises:
        ValueError: a part of it is no positive whole number, with ``k`` for thousands or ``m`` for millions.
    """
    return tuple(map(_size, text.split(","))) if text else ()


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"expected sizes such as 10k,100k,1m, got {text!r}")
    return int(found[1]) * _UNITS[found[2]]


_SIZE: Final = re.compile(r"([1-9][0-9]*)([km]?)")
_UNITS: Final = {"": 1, "k": 1_000, "m": 1_000_000}
