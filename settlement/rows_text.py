"""Tables as people send them: CSV or JSON, read strictly, with each fault named by row and column.

A row is a mapping of column to text. In CSV the first line names the columns, separated by commas or semicolons, and
an empty cell says nothing; rows are numbered as a spreadsheet does, so the first after the heading is row 2. In JSON
there is one object with the member ``rows``, a list of objects of texts and integers, numbered from 1.
"""

import csv
import datetime
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.crypto.canonical import NotCanonical, check_text
from ledger.units import TIMESTAMP_MAX, TimestampUs
from settlement.model.local_time import calendar_date

TABLE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest file, in bytes: what the door takes at most."""

FAULTS_MAX: Final = 100
"""Most faults that are listed: more say that the file is another one."""

TIME_PATTERN: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
"""A moment with its offset to UTC (RFC 3339): without one, nobody knows when it was."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a table."""

    row: int
    """Number of the row as its file counts; 0 for the file itself."""
    column: str
    """Empty for the row as a whole."""
    reason: str

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row else ""
        column = f"column {self.column}" if self.column else ""
        place = ", ".join(filter(None, (row, column)))
        return f"{place}: {self.reason}" if place else self.reason


class TableFaulty(ValueError):
    """A table is wrong, and nothing of it is used."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults, the first `FAULTS_MAX`."""
        self.faults: Final = tuple(faults[:FAULTS_MAX])
        super().__init__("; ".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row: its number in the file, and its cells that are not empty."""

    number: int
    cells: Mapping[str, str]


class CellFault(ValueError):
    """A cell does not say what its column takes."""


def read_rows(data: bytes, columns: Iterable[str]) -> tuple[TextRow, ...]:
    """Return the rows of a CSV or JSON table; JSON begins with a brace.

    Args:
        data: the file, UTF-8, with or without a byte order mark.
        columns: those that may stand in it.

    Raises:
        TableFaulty: the form is wrong, a column is unknown or stands twice, or there is no row.
    """
    if len(data) > TABLE_BYTES_MAX:
        raise TableFaulty([Fault(0, "", f"expected at most {TABLE_BYTES_MAX} bytes, got {len(data)}")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableFaulty([Fault(0, "", f"expected UTF-8 text, got another byte at byte {error.start}")]) from error
    rows, faults = _json(text) if text.lstrip().startswith("{") else _csv(text)
    known = frozenset(columns)
    faults += [
        Fault(row.number, column, reason)
        for row in rows
        for column, value in row.cells.items()
        if (reason := _refuse_cell(column, value, known)) is not None
    ]
    if not rows and not faults:
        faults = [Fault(0, "", "expected a row, got none")]
    if faults:
        raise TableFaulty(faults)
    return tuple(rows)


def moment_of(text: str) -> TimestampUs:
    """Return the moment that a time with its offset names; raises `CellFault`."""
    if TIME_PATTERN.fullmatch(text) is None:
        raise CellFault(f"expected a time with its offset, as 2024-01-31T09:00:00+05:00, got {text}")
    try:
        moment_us = (datetime.datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise CellFault(f"expected a time that exists, got {text}") from error
    if not 0 <= moment_us <= TIMESTAMP_MAX:
        raise CellFault(f"expected a time from 1970 to 2255, got {text}")
    return TimestampUs(moment_us)


def date_of(text: str) -> datetime.date:
    """Return the date that a text names; raises `CellFault`."""
    date = calendar_date(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    if date is None:
        raise CellFault(f"expected a date that exists, as 2024-01-31, got {text}")
    return date


def integer_of(text: str) -> int:
    """Return the integer that a text is the plain spelling of; raises `CellFault`."""
    if re.fullmatch(r"0|[1-9][0-9]{0,15}", text) is None:
        raise CellFault(f"expected an integer, got {text}")
    return int(text)


def scaled_of(text: str, scale: int) -> int:
    """Return a decimal text in units of the smallest place, exactly; raises `CellFault`.

    ``scaled_of("0.5", 2)`` is 50. A comma is no decimal point: what it means depends on who reads it.
    """
    match = re.fullmatch(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]+))?", text)
    if match is None:
        raise CellFault(f"expected a number with a decimal point, got {text}")
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > scale:
        raise CellFault(f"expected at most {scale} decimal places, got {text}")
    return int(whole + fraction.ljust(scale, "0"))


def _refuse_cell(column: str, value: str, known: frozenset[str]) -> str | None:
    if column not in known:
        return "expected no such column"
    try:
        check_text(value)
    except NotCanonical as error:
        return str(error)
    return None if value == value.strip() else "expected no space around the value"


def _csv(text: str) -> tuple[list[TextRow], list[Fault]]:
    heading = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in heading else ",", strict=True)
    try:
        lines = list(reader)
    except csv.Error as error:
        return [], [Fault(reader.line_num, "", str(error))]
    if not lines or not lines[0]:
        return [], [Fault(0, "", "expected a first line that names the columns")]
    columns = lines[0]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        return [], [Fault(1, column, "expected the column once") for column in twice]
    rows, faults = [], []
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(columns):
            faults.append(Fault(number, "", f"expected {len(columns)} cells, got {len(cells)}"))
            continue
        rows.append(TextRow(number, {column: cell for column, cell in zip(columns, cells, strict=True) if cell}))
    return rows, faults


def _json(text: str) -> tuple[list[TextRow], list[Fault]]:
    try:
        document = json.loads(text, object_pairs_hook=_members, parse_float=_no_fraction, parse_constant=_no_fraction)
    except (ValueError, RecursionError) as error:
        return [], [Fault(0, "", f"expected JSON: {error}")]
    listed = document.get("rows") if isinstance(document, dict) and set(document) == {"rows"} else None
    if not isinstance(listed, list):
        return [], [Fault(0, "", "expected an object with the one member rows, a list")]
    rows, faults = [], []
    for number, members in enumerate(listed, 1):
        if not isinstance(members, dict):
            faults.append(Fault(number, "", "expected an object"))
            continue
        faults += [
            Fault(number, column, "expected a text or an integer")
            for column, value in members.items()
            if not isinstance(value, str | int) or isinstance(value, bool)
        ]
        rows.append(TextRow(number, {column: str(value) for column, value in members.items() if value != ""}))
    return rows, faults


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"a member stands twice among {sorted(members)}")
    return members


def _no_fraction(text: str) -> int:
    raise ValueError(f"{text} is no integer; numbers with a fraction are texts")
