"""The ends of a transaction: inadmissible, duplicate, refused, accepted (design D6)."""

from dataclasses import dataclass
from typing import Any

import msgspec

from ledger.model.journal import Entry, Pairs


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """A rule's no: final, recorded, explained."""

    code: str
    """Stable name, unique in the rulebook."""
    meaning: str
    """One sentence for the documentation and the problem document."""
    iso: str | None = None
    """ISO 20022 external status reason code, where one fits."""
    is_transient: bool = False
    """Whether the same business request, signed anew, may succeed later."""


class Inadmissible(msgspec.Struct, frozen=True):
    """Not decided: no leaf, the reference stays unspent, the cause can be mended."""

    code: str
    """A problem code."""
    detail: str
    """What was expected and what came."""


class Duplicate(msgspec.Struct, frozen=True):
    """The same payload was decided before; its first outcome stands."""

    height: int
    """Block of the first outcome."""
    index: int
    """Place among the block's submissions."""


class Refused(msgspec.Struct, frozen=True):
    """Admissible, but a rule said no."""

    code: RefusalCode
    line: int = 0
    """First failing line of an atomic bulk; 0 otherwise."""
    detail: str = ""
    """What was expected and what came; for the sender's eyes, not part of the leaf."""


class Accepted(msgspec.Struct, frozen=True):
    """Decided and done."""

    entries: tuple[Entry, ...] = ()
    refused_lines: dict[int, RefusalCode] = {}
    """Lines of an independent bulk that a rule refused."""
    record: dict[str, Any] | None = None
    """Content of the record leaf; None for a transaction that only posts."""
    pairs: Pairs | None = None
    """The entries of a bulk, as columns; ``entries`` is then empty."""

    def all_entries(self) -> tuple[Entry, ...]:
        """Return the entries in order, refused lines included, whichever way they are kept."""
        return self.entries if self.pairs is None else self.pairs.entries()


Outcome = Inadmissible | Duplicate | Refused | Accepted
"""What ``decide`` answers."""
