"""The state of the ledger: tables, a read-only view, an overlay for one block, and ``advance``, the one mutation.

The state is a fold over the blocks. Rules read a :class:`View`; what a block changes is gathered in an
:class:`Overlay`; only after the block is durable does :meth:`State.advance` take the overlay in.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from ledger.crypto.canonical import encode
from ledger.seen import Seen, SeenWindow
from ledger.units import TimestampUs

Value = TypeVar("Value")

_NO_ROWS: Final = b"{}"


class Table(Generic[Value]):
    """A named table of the state: text keys, values of one type.

    Two tables are the same only if they are the same object; a name is used once in a rulebook.
    """

    __slots__ = ("group", "intern", "name", "value")

    def __init__(
        self,
        name: str,
        value: object,
        *,
        intern: Callable[[Any], Any] | None = None,
        group: Callable[[Any], str | None] | None = None,
    ) -> None:
        self.name: Final = name
        self.value: Final = value
        """The type of the values, for reading them back from a snapshot."""
        self.intern: Final = intern
        """Shares equal parts of a value read from a snapshot, so that a million accounts do not hold a million
        copies of the same owner."""
        self.group: Final = group
        """Returns the group a row belongs to, or None; for tables whose rows are read by group: see ``View.group``."""

    def __repr__(self) -> str:
        return f"Table({self.name!r})"


class View(Protocol):
    """What a rule may read."""

    def get(self, table: Table[Value], key: str) -> Value | None:
        """Return the value of a key, or None."""

    def get_many(self, table: Table[Value], keys: Set[str]) -> dict[str, Value]:
        """Return the values of those keys that have one."""

    def items(self, table: Table[Value]) -> Iterator[tuple[str, Value]]:
        """All rows of a table, in no particular order."""

    def group(self, table: Table[Value], name: str) -> Iterator[tuple[str, Value]]:
        """The rows of one group of a table that has groups, in no particular order; reads no others."""

    def seen(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        """Where the first outcome of a reference stands, or None."""


class State:
    """Everything the rules know, as of the last durable block."""

    __slots__ = ("_groups", "_seen", "_tables")

    def __init__(self, tables: Iterable[Table[Any]]) -> None:
        self._tables: dict[Table[Any], dict[str, Any]] = {table: {} for table in tables}
        self._groups: dict[Table[Any], dict[str, dict[str, Any]]] = {
            table: {} for table in self._tables if table.group is not None
        }
        self._seen = SeenWindow()
        names = [table.name for table in self._tables]
        assert len(names) == len(set(names)), f"each table of a rulebook has its own name: {names}"

    def get(self, table: Table[Value], key: str) -> Value | None:
        """Return the value of a key, or None."""
        value: Value | None = self._tables[table].get(key)
        return value

    def get_many(self, table: Table[Value], keys: Set[str]) -> dict[str, Value]:
        """Return the values of those keys that have one."""
        rows = self._tables[table]
        return {key: value for key in keys if (value := rows.get(key)) is not None}

    def items(self, table: Table[Value]) -> Iterator[tuple[str, Value]]:
        """All rows of a table."""
        return iter(self._tables[table].items())

    def group(self, table: Table[Value], name: str) -> Iterator[tuple[str, Value]]:
        """The rows of one group."""
        assert table.group is not None, f"{table} has groups"
        rows: dict[str, Value] = self._groups[table].get(name, {})
        return iter(rows.items())

    def count(self, table: Table[Any]) -> int:
        """Return how many rows a table has."""
        return len(self._tables[table])

    def seen(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        """Where the first outcome of a reference stands, or None."""
        return self._seen.get(key, reference_time_us)

    def advance(self, overlay: "Overlay", time_us: TimestampUs) -> None:
        """Take in what one durable block changed. The only mutation of a state."""
        for table, rows in overlay.writes():
            if table.group is not None:
                self._regroup(table, rows)
            self._tables[table].update(rows)
        for key, (reference_time_us, seen) in overlay.seen_in_block():
            self._seen.add(key, reference_time_us, seen)
        self._seen.forget_before(time_us)

    def digest(self) -> bytes:
        """SHA-256 over the canonical form of the tables that have rows and the window: equal states, equal digests.

        Tables without rows are left out, so that a table that a later program adds changes no digest by itself.
        """
        digest = hashlib.sha256(b"dt/v1/state\0")
        *tables, window = self.dump()
        for name, rows in zip(tables[::2], tables[1::2], strict=True):
            if rows != _NO_ROWS:
                digest.update(len(name).to_bytes(8) + name + len(rows).to_bytes(8) + rows)
        digest.update(len(window).to_bytes(8) + window)
        return digest.digest()

    def dump(self) -> Sequence[bytes]:
        """The state as byte strings: for each table by name its name and its rows, then the window."""
        parts: list[bytes] = []
        for table in sorted(self._tables, key=lambda table: table.name):
            parts.append(table.name.encode())
            parts.append(encode(self._tables[table]))
        parts.append(msgspec.msgpack.encode(self._seen.dump()))
        return parts

    @classmethod
    def load(cls, tables: Iterable[Table[Any]], parts: Sequence[bytes]) -> "State":
        """Read a state back from :meth:`dump`.

        Raises:
            ValueError: the parts are not those of the given tables.
        """
        state = cls(tables)
        by_name = {table.name: table for table in state._tables}
        names = [name.decode() for name in parts[:-1:2]]
        if names != sorted(by_name):
            raise ValueError(f"expected the tables {sorted(by_name)}, got {names}")
        for name, rows in zip(names, parts[1::2], strict=False):
            table = by_name[name]
            values = msgspec.json.decode(rows, type=dict[str, table.value])  # type: ignore[name-defined]
            if table.intern is not None:
                values = {key: table.intern(value) for key, value in values.items()}
            if table.group is not None:
                state._regroup(table, values)
            state._tables[table] = values
        state._seen = SeenWindow.load(msgspec.msgpack.decode(parts[-1], type=list[tuple[int, bytes]]))
        return state

    def _regroup(self, table: Table[Any], rows: Mapping[str, Any]) -> None:
        """Put rows that are about to be set into their groups, and take them out of those they were in."""
        assert table.group is not None, "asked for tables with groups"
        groups, before = self._groups[table], self._tables[table]
        entering: dict[str, dict[str, Any]] = {}
        leaving: list[tuple[str, str]] = []
        for key, value in rows.items():
            name = table.group(value)
            old = before.get(key)
            if old is not None and (former := table.group(old)) is not None and former != name:
                leaving.append((former, key))
            if name is not None:
                entering.setdefault(name, {})[key] = value
        for name, own in entering.items():
            # One step for all rows of a block: a reader in another thread sees all of them or none.
            groups.setdefault(name, {}).update(own)
        for former, key in leaving:
            del groups[former][key]
            if not groups[former]:
                del groups[former]


class Overlay:
    """Changes on top of a view, not yet durable. Overlays stack: a block, and inside it an atomic bulk."""

    __slots__ = ("_base", "_seen", "_writes")

    def __init__(self, base: "View") -> None:
        self._base = base
        self._writes: dict[Table[Any], dict[str, Any]] = {}
        self._seen: dict[bytes, tuple[TimestampUs, Seen]] = {}

    def get(self, table: Table[Value], key: str) -> Value | None:
        """Return the value of a key as changed here, else as below."""
        rows = self._writes.get(table)
        if rows is not None:
            value: Value | None = rows.get(key)
            if value is not None:
                return value
        return self._base.get(table, key)

    def get_many(self, table: Table[Value], keys: Set[str]) -> dict[str, Value]:
        """Return the values, as changed here, else as below, of those keys that have one."""
        found = self._base.get_many(table, keys)
        rows = self._writes.get(table)
        if rows:
            found.update({key: rows[key] for key in rows.keys() & keys})
        return found

    def items(self, table: Table[Value]) -> Iterator[tuple[str, Value]]:
        """All rows of a table, changes included."""
        rows = self._writes.get(table, {})
        yield from rows.items()
        for key, value in self._base.items(table):
            if key not in rows:
                yield key, value

    def group(self, table: Table[Value], name: str) -> Iterator[tuple[str, Value]]:
        """The rows of one group, changes included."""
        assert table.group is not None, f"{table} has groups"
        rows = self._writes.get(table, {})
        yield from ((key, value) for key, value in rows.items() if table.group(value) == name)
        for key, value in self._base.group(table, name):
            if key not in rows:
                yield key, value

    def put(self, table: Table[Value], key: str, value: Value) -> None:
        """Set a row. Rows are never deleted: what ends has a status that says so."""
        rows = self._writes.get(table)
        if rows is None:
            rows = self._writes[table] = {}
        rows[key] = value

    def put_many(self, table: Table[Value], rows: Mapping[str, Value]) -> None:
        """Set many rows; see :meth:`put`."""
        self._writes.setdefault(table, {}).update(rows)

    def seen(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        """Where the first outcome of a reference stands, or None."""
        here = self._seen.get(key)
        return self._base.seen(key, reference_time_us) if here is None else here[1]

    def mark_seen(self, key: bytes, reference_time_us: TimestampUs, seen: Seen) -> None:
        """Remember a reference decided in this block."""
        self._seen[key] = (reference_time_us, seen)

    def absorb(self, child: "Overlay") -> None:
        """Take over the changes of an overlay that stood on this one."""
        for table, rows in child.writes():
            self._writes.setdefault(table, {}).update(rows)
        self._seen.update(child.seen_in_block())

    def written(self, table: Table[Value]) -> Mapping[str, Value]:
        """Return the rows of one table that were set here."""
        return self._writes.get(table, {})

    def writes(self) -> Iterator[tuple[Table[Any], dict[str, Any]]]:
        """Changed rows by table."""
        return iter(self._writes.items())

    def seen_in_block(self) -> Iterator[tuple[bytes, tuple[TimestampUs, Seen]]]:
        """References decided here."""
        return iter(self._seen.items())
