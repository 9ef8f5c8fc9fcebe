"""The registers as of a moment, with a digest: what a statement, or the record of a sale, can name.

A snapshot holds what was in force at the moment: subjects with their status then, relations and terms that held then,
and miners, coins and parties, which have no dates. A row's digest is over its facts at that moment and nothing later,
so who knows the facts can check one row; the snapshot's digest is over all rows' digests in order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.model.record import Record
from ledger.state import Table, View
from ledger.units import DigestField, TimestampField, TimestampUs
from settlement.model.intervals import Status
from settlement.model.parties import holds
from settlement.model.registers import Register
from settlement.rules.parties import exposed
from settlement.rules.registry import REGISTERS
from settlement.rules.tables import COINS, EXPOSURES, MINERS, PARTIES, RELATED
from settlement.rules.validity import status_at

_UNDATED: Final[Sequence[tuple[str, Table[Any]]]] = (("miner", MINERS), ("coin", COINS), ("party", PARTIES))


class SnapshotRow(Record, frozen=True, kw_only=True):
    """One subject of one register as of a moment."""

    register: str
    subject: str
    status: Status | None = None
    """Of a subject with a history."""
    digest: DigestField
    """SHA-256 over register, subject, status and facts."""


class RegisterSnapshot(Record, frozen=True, kw_only=True):
    """All registers as of a moment, ordered by register and subject."""

    as_of_us: TimestampField
    rows: tuple[SnapshotRow, ...]
    digest: DigestField


def register_snapshot(view: View, moment: TimestampUs) -> RegisterSnapshot:
    """Return the registers as of a moment. It walks through all of them: for reading, not for deciding."""
    return _snapshot(moment, _all(view, moment))


def _snapshot(moment: TimestampUs, rows: Iterable[SnapshotRow]) -> RegisterSnapshot:
    ordered = tuple(sorted(rows, key=lambda row: (row.register, row.subject)))
    content = encode([moment, [row.digest for row in ordered]])
    return RegisterSnapshot(as_of_us=moment, rows=ordered, digest=b64url(tagged("register-snapshot", content)))


def _all(view: View, moment: TimestampUs) -> Iterator[SnapshotRow]:
    for register, table in REGISTERS.items():
        for subject, _ in view.items(table):
            row = _dated(view, register, subject, moment)
            if row is not None:
                yield row
    for name, undated in _UNDATED:
        for subject, facts in view.items(undated):
            yield _row(name, subject, None, facts)
    for party, relations in view.items(RELATED):
        held = [(relation.other, relation.kind) for relation in relations if holds(relation, moment)]
        if held:
            yield _row("relation", party, None, sorted(held))
    for party, _ in view.items(EXPOSURES):
        exposure = exposed(view, party, moment)
        if exposure is not None:
            yield _row("exposure", party, None, exposure)


def _dated(view: View, register: Register, subject: str, moment: TimestampUs) -> SnapshotRow | None:
    status = status_at(view, register, subject, moment)
    row = view.get(REGISTERS[register], subject)
    if row is None or status is None:
        return None
    facts = msgspec.structs.asdict(row)
    del facts["history"]
    return _row(register.value, subject, status, facts)


def _row(register: str, subject: str, status: Status | None, facts: Any) -> SnapshotRow:  # noqa: ANN401 - any record
    content = encode([register, subject, "" if status is None else status, facts])
    return SnapshotRow(
        register=register, subject=subject, status=status, digest=b64url(tagged("register-row", content))
    )
