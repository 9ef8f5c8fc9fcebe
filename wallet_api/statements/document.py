"""What a statement looks like on paper: a title, facts, tables, notes. Cells know what they are, not how they look.

JSON is the statement itself. CSV and the printable page are made from this one document, so that they say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

TENGE_SCALE: Final = 2
"""Decimal places of the tenge."""

NARROW_SPACE: Final = "\u202f"
"""What stands between groups of three digits: it does not break a line."""

PERCENT_PLACES: Final = 2
"""Decimal places of a percentage on paper; it is rounded down, so that 75 % is never shown for less."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of smallest units, exact."""

    units: int
    scale: int = TENGE_SCALE
    """Decimal places: 2 for the tenge."""

    def plain(self) -> str:
        """Return it as a decimal number without grouping: ``1250.00``."""
        if self.scale == 0:
            return str(self.units)
        sign, digits = "-" * (self.units < 0), str(abs(self.units)).rjust(self.scale + 1, "0")
        return f"{sign}{digits[: -self.scale]}.{digits[-self.scale :]}"

    def grouped(self) -> str:
        """Return it with a narrow space between groups of three digits: ``1 250.00``."""
        sign, digits = self.plain().startswith("-"), self.plain().lstrip("-")
        whole, point, part = digits.partition(".")
        return "-" * sign + f"{int(whole):,}".replace(",", NARROW_SPACE) + point + part


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, as an exact fraction; None where there is no whole."""

    value: Fraction | None

    def plain(self) -> str:
        """Return it as a percentage, rounded down; empty where there is none."""
        if self.value is None:
            return ""
        return Amount(
            self.value.numerator * 10 ** (2 + PERCENT_PLACES) // self.value.denominator, PERCENT_PLACES
        ).plain()


Cell = str | int | Amount | Share
"""What stands in a cell. A plain integer is a count."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    """With the unit, where there is one: ``value, KZT``."""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of a statement."""

    name: str
    """Short and unique in its document: ``lots``."""
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A statement as people read it."""

    title: str
    facts: Sequence[tuple[str, Cell]]
    """Name and value, in order."""
    sheets: Sequence[Sheet]
    notes: Sequence[str] = ()
    """What must be read with it: each rule that is assumed."""


def columns(*titles: str) -> tuple[Column, ...]:
    """Return columns by their titles; one that begins with ``#`` holds numbers."""
    return tuple(Column(title.removeprefix("#"), title.startswith("#")) for title in titles)
