"""A pool's report as a file in the columns of the official form, read strictly into the body of a transaction.

The columns: ``row`` number; ``iin_bin`` of the miner; its ``name``; ``licence`` number; ``licence_date``; ``wallet``;
``distributed``, the date of distribution, or the moment with its offset; ``coin``; ``quantity`` of whole coins;
``value`` in tenge; and ``payout``, which the form does not have and the ledger asks for: the output on the coin's
chain. A date without a time stands for its first moment in Kazakhstan.

IIN, name and wallet go into the body as commitments, made by the caller, who keeps their openings for the annex of the
transaction (design D13).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ledger.rules.tables import UtcOffset
from ledger.units import DigestField, ParticipantId, TimestampUs
from settlement.model.identifiers import has_valid_check_digit
from settlement.model.local_time import start_of
from settlement.model.production import ROWS_PER_REPORT_MAX, ProductionRow
from settlement.rows_text import (
    CellFault,
    Fault,
    TableFaulty,
    TextRow,
    date_of,
    integer_of,
    moment_of,
    read_rows,
    scaled_of,
)
from settlement.rules.production import ProductionReport

COLUMNS: Final = (
    "row",
    "iin_bin",
    "name",
    "licence",
    "licence_date",
    "wallet",
    "distributed",
    "coin",
    "quantity",
    "value",
    "payout",
)
"""The form's columns in its order, and the payout."""

TENGE_SCALE: Final = 2
"""Decimal places of the tenge."""


@dataclass(frozen=True, slots=True)
class Licensee:
    """Whose a licence is, as the register says."""

    miner: ParticipantId
    bin: str | None = None
    """None for an individual, who has an IIN."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the reader must know of the ledger, and how it makes commitments."""

    licensee: Callable[[str], Licensee | None]
    """By number of the licence; None if there is none."""
    scale: Callable[[str], int | None]
    """Decimal places of a coin; None if there is no such coin."""
    offsets: Sequence[UtcOffset]
    """UTC offsets of Kazakhstan."""
    commit: Callable[[str], DigestField]
    """Makes a commitment of its own to a personal value, and keeps its opening."""


def read_production(data: bytes, sequence: int, known: Known) -> ProductionReport:
    """Return the body of a ``production_report``; the rows of a correction are read the same way.

    Args:
        data: the file.
        sequence: number of the report.
        known: what the ledger knows.

    Raises:
        TableFaulty: something is wrong; all that was found is named by row and column, and nothing is read.
    """
    lines = read_rows(data, COLUMNS)
    if len(lines) > ROWS_PER_REPORT_MAX:
        raise TableFaulty([Fault(0, "", f"expected at most {ROWS_PER_REPORT_MAX} rows, got {len(lines)}")])
    faults: list[Fault] = []
    rows = [_row(line, known, faults) for line in lines]
    if faults:
        raise TableFaulty(faults)
    return ProductionReport(sequence=sequence, rows=tuple(row for row in rows if row is not None))


def _row(line: TextRow, known: Known, faults: list[Fault]) -> ProductionRow | None:
    missing = [column for column in COLUMNS if column not in line.cells]
    if missing:
        faults += [Fault(line.number, column, "expected a value") for column in missing]
        return None
    members: dict[str, Any] = {}
    before = len(faults)
    for column in COLUMNS:
        try:
            members |= _members(column, line.cells, known)
        except CellFault as error:
            faults.append(Fault(line.number, column, str(error)))
    if len(faults) > before:
        return None
    try:
        return msgspec.convert(members, ProductionRow)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        faults.append(Fault(line.number, _COLUMN_OF.get(path.removesuffix("`"), path.removesuffix("`")), reason))
        return None


_COLUMN_OF: Final = {"receipt_value": "value"}
"""Columns whose member has another name, as far as its bounds are checked there."""


def _members(column: str, cells: Any, known: Known) -> dict[str, Any]:  # noqa: ANN401 - a mapping of texts
    """The members of a row that a column makes."""
    text = cells[column]
    match column:
        case "row":
            return {"row": integer_of(text)}
        case "iin_bin":
            return _identity(text, known.licensee(cells["licence"]), known)
        case "licence":
            return {"licence": text, "miner": _licensee(text, known).miner}
        case "licence_date":
            return {"licence_date": date_of(text).isoformat()}
        case "name" | "wallet":
            return {column: known.commit(text)}
        case "distributed":
            return {"distributed_us": _moment(text, known.offsets)}
        case "quantity":
            return {"quantity": scaled_of(text, _scale(cells["coin"], known))}
        case "value":
            return {"receipt_value": scaled_of(text, TENGE_SCALE)}
        case _:
            return {column: text}


def _identity(number: str, licensee: Licensee | None, known: Known) -> dict[str, str]:
    if re.fullmatch(r"[0-9]{12}", number) is None or not has_valid_check_digit(number):
        raise CellFault("expected twelve digits, the last the right check digit")
    if licensee is None or licensee.bin is None:
        return {"iin": known.commit(number)}
    if licensee.bin != number:
        raise CellFault(f"expected the BIN of the licence's miner, {licensee.bin}")
    return {"bin": number}


def _licensee(number: str, known: Known) -> Licensee:
    licensee = known.licensee(number)
    if licensee is None:
        raise CellFault("expected a licence of the register")
    return licensee


def _scale(coin: str, known: Known) -> int:
    scale = known.scale(coin)
    if scale is None:
        raise CellFault(f"expected a quantity of a registered coin, got {coin}")
    return scale


def _moment(text: str, offsets: Sequence[UtcOffset]) -> TimestampUs:
    return moment_of(text) if "T" in text else start_of(offsets, date_of(text))
