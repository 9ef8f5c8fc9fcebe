"""A register as a file: CSV or JSON with many rows, read strictly into one transaction to sign.

The column ``row`` says which register a row belongs to. The others are the members of its rows, as the reference of the
kind ``registry_load`` has them, with three differences: times stand without ``_us`` and with their offset to UTC;
``name`` and ``iin`` are the values themselves; a person as ``party``, ``other`` or ``operator`` is ``iin:`` and IIN.
What is personal goes into the transaction as commitments, made by the caller, who keeps their openings (design D13).

One wrong row, and nothing is read. What only the ledger knows, it decides when the transaction arrives: all rows, or
none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, get_args

import msgspec

from ledger.crypto.canonical import b64url
from ledger.crypto.digest import tagged
from ledger.units import DigestField
from settlement.model.identifiers import has_valid_check_digit
from settlement.rows_text import (
    CellFault,
    Fault,
    TableFaulty,
    TextRow,
    date_of,
    integer_of,
    moment_of,
    read_rows,
)
from settlement.rules.register_load import ROWS_PER_LOAD_MAX, RegisterRow, RegistryLoad


class Commitments(Protocol):
    """Makes commitments to personal values and keeps their openings."""

    def fresh(self, value: str) -> DigestField:
        """Return a commitment of its own to a value: two to one value look unrelated."""

    def person(self, iin: str) -> DigestField:
        """Return the one commitment that is a person's party id, the same whenever the IIN is the same."""


@dataclass(frozen=True, slots=True)
class RegisterFile:
    """What a register file says."""

    body: RegistryLoad
    """The body to sign, kind ``registry_load``."""
    numbers: tuple[int, ...]
    """Number of each row in the file: a refusal's ``line`` is an index into it."""


_TYPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    str(row.__struct_config__.tag): row for row in get_args(RegisterRow)
}

_PERSON: Final = re.compile(r"iin:([0-9]{12})")


def read_register(data: bytes, commitments: Commitments) -> RegisterFile:
    """Return the transaction body that a register file comes to.

    Args:
        data: the file.
        commitments: for names, IINs and persons.

    Raises:
        TableFaulty: something is wrong; all that was found is named by row and column, and nothing is read.
    """
    columns = {"row"} | {_column(name) for shape in _TYPES.values() for name in shape.__struct_fields__}
    lines = read_rows(data, columns)
    if len(lines) > ROWS_PER_LOAD_MAX:
        raise TableFaulty([Fault(0, "", f"expected at most {ROWS_PER_LOAD_MAX} rows, got {len(lines)}")])
    faults: list[Fault] = []
    rows = [_row(line, commitments, faults) for line in lines]
    if faults:
        raise TableFaulty(faults)
    body = RegistryLoad(
        source=b64url(tagged("register-file", data)), rows=tuple(row for row in rows if row is not None)
    )
    return RegisterFile(body, tuple(line.number for line in lines))


def _row(line: TextRow, commitments: Commitments, faults: list[Fault]) -> RegisterRow | None:
    """The row, or None and what is wrong with it."""
    shape = _TYPES.get(line.cells.get("row", ""))
    if shape is None:
        faults.append(Fault(line.number, "row", f"expected one of {', '.join(sorted(_TYPES))}"))
        return None
    fields = {_column(name): name for name in shape.__struct_fields__}
    members: dict[str, Any] = {"row": line.cells["row"]}
    before = len(faults)
    for column, text in line.cells.items():
        if column == "row":
            continue
        if column not in fields:
            faults.append(Fault(line.number, column, f"expected nothing for a row of {members['row']}"))
            continue
        try:
            members[fields[column]] = _value(fields[column], text, commitments)
        except CellFault as error:
            faults.append(Fault(line.number, column, str(error)))
    if len(faults) > before:
        return None
    try:
        row: Any = msgspec.convert(members, shape)
    except msgspec.ValidationError as error:
        faults.append(_fault(line.number, str(error)))
        return None
    read: RegisterRow = row
    return read


def _value(field: str, text: str, commitments: Commitments) -> str | int:
    convert = _CONVERTERS.get(field)
    if convert is not None:
        return convert(text, commitments)
    return moment_of(text) if field.endswith("_us") else text


def _name(text: str, commitments: Commitments) -> str:
    return commitments.fresh(text)


def _iin(text: str, commitments: Commitments) -> str:
    return commitments.fresh(_checked(text))


def _bin(text: str, _commitments: Commitments) -> str:
    return _checked(text)


def _party(text: str, commitments: Commitments) -> str:
    person = _PERSON.fullmatch(text)
    if person is not None:
        return commitments.person(_checked(person[1]))
    if text.startswith("bin:"):
        _checked(text.removeprefix("bin:"))
    return text


def _date(text: str, _commitments: Commitments) -> str:
    return date_of(text).isoformat()


def _integer(text: str, _commitments: Commitments) -> int:
    return integer_of(text)


_CONVERTERS: Final[Mapping[str, Callable[[str, Commitments], str | int]]] = {
    "name": _name,
    "iin": _iin,
    "bin": _bin,
    "party": _party,
    "other": _party,
    "operator": _party,
    "issued": _date,
    "expires": _date,
    "subtype": _integer,
    "scale": _integer,
}


def _checked(number: str) -> str:
    if re.fullmatch(r"[0-9]{12}", number) is None or not has_valid_check_digit(number):
        raise CellFault("expected twelve digits, the last the right check digit")
    return number


def _column(field: str) -> str:
    return field.removesuffix("_us")


def _fault(number: int, message: str) -> Fault:
    """What msgspec says, by column: it names a member that is missing in words, another one by its path."""
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing is not None:
        return Fault(number, _column(missing[1]), "expected a value")
    reason, _, path = message.partition(" - at `$.")
    return Fault(number, _column(path.removesuffix("`")), reason)
