"""A view that can be gone through while the ledger goes on: a state grows between two rows that are read of it."""

from collections.abc import Iterator, Set
from typing import Any, TypeVar

from ledger.seen import Seen
from ledger.state import Table, View
from ledger.units import TimestampUs

Value = TypeVar("Value")


class Steady:
    """A view whose tables are listed once, when they are first gone through. For one reading, in one thread.

    Single rows are read as they are then. So a reading may see a row that is younger than the list it goes through,
    never one that is older.
    """

    __slots__ = ("_base", "_listed")

    def __init__(self, base: View) -> None:
        """Read from a view."""
        self._base = base
        self._listed: dict[tuple[Table[Any], str | None], tuple[tuple[str, Any], ...]] = {}

    def get(self, table: Table[Value], key: str) -> Value | None:
        """Return the value of a key, or None."""
        return self._base.get(table, key)

    def get_many(self, table: Table[Value], keys: Set[str]) -> dict[str, Value]:
        """Return the values of those keys that have one."""
        return self._base.get_many(table, keys)

    def items(self, table: Table[Value]) -> Iterator[tuple[str, Value]]:
        """All rows of a table, in no particular order."""
        return self._list(table, None)

    def group(self, table: Table[Value], name: str) -> Iterator[tuple[str, Value]]:
        """The rows of one group."""
        return self._list(table, name)

    def seen(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        """Where the first outcome of a reference stands, or None."""
        return self._base.seen(key, reference_time_us)

    def _list(self, table: Table[Value], name: str | None) -> Iterator[tuple[str, Value]]:
        listed = self._listed.get((table, name))
        while listed is None:
            rows = self._base.items(table) if name is None else self._base.group(table, name)
            try:
                listed = self._listed[table, name] = tuple(rows)
            except RuntimeError:
                # A row was added meanwhile. Listing takes no more than the time between two blocks.
                continue
        return iter(listed)
