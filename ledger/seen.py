"""The window of references that were decided lately (design D5).

A reference older than a day is refused for its age, so only the last day must be known in memory; older ones are
found in the projections. Records are packed: 40 bytes, plus the slots of a small hash index.
"""

from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from ledger.units import TimestampUs

SEEN_KEY_BYTES: Final = 16
"""Length of a key: a truncated SHA-256 of participant and reference."""

SEGMENT_US: Final = 3_600_000_000
"""One segment holds the references of one hour, so that forgetting is dropping a segment."""

KEEP_US: Final = 30 * 3_600_000_000
"""How long a reference is kept: the 24 hours in which it is admissible, and six in which projections may lag."""

_RECORD_BYTES: Final = 40
_SLOTS_FIRST: Final = 8
_LOAD_NUMERATOR: Final = 2
_LOAD_DENOMINATOR: Final = 3


class Seen(NamedTuple):
    """Where the first outcome of a reference stands."""

    transaction_id: bytes
    """First 16 bytes of the transaction id."""
    height: int
    place: int
    """Place among the submissions of the block."""


class _Segment:
    """Open addressing: an index of record numbers beside one packed array of records."""

    __slots__ = ("_count", "_records", "_slots")

    def __init__(self, records: bytes = b"") -> None:
        self._records = bytearray(records)
        self._count, rest = divmod(len(records), _RECORD_BYTES)
        if rest:
            raise ValueError(f"expected records of {_RECORD_BYTES} bytes, got {len(records)} bytes")
        slots = _SLOTS_FIRST
        while _is_full(self._count, slots):
            slots *= 2
        self._index(slots)

    def get(self, key: bytes) -> Seen | None:
        # Other threads look while one adds: the slots are taken once, and replaced as a whole when they grow.
        slots = self._slots
        mask = len(slots) - 1
        slot = int.from_bytes(key[:8]) & mask
        while number := slots[slot]:
            at = (number - 1) * _RECORD_BYTES
            if self._records[at : at + SEEN_KEY_BYTES] == key:
                return self._read(at)
            slot = (slot + 1) & mask
        return None

    def add(self, key: bytes, seen: Seen) -> None:
        if _is_full(self._count + 1, len(self._slots)):
            self._index(2 * len(self._slots))
        self._records += key + seen.transaction_id + seen.height.to_bytes(5) + seen.place.to_bytes(3)
        self._count += 1
        _place(self._slots, key, self._count)

    def records(self) -> bytes:
        return bytes(self._records)

    def _read(self, at: int) -> Seen:
        record = bytes(self._records[at + SEEN_KEY_BYTES : at + _RECORD_BYTES])
        return Seen(record[:16], int.from_bytes(record[16:21]), int.from_bytes(record[21:]))

    def _index(self, slot_count: int) -> None:
        slots = array("I", bytes(4 * slot_count))
        for number in range(1, self._count + 1):
            at = (number - 1) * _RECORD_BYTES
            _place(slots, self._records[at : at + 8], number)
        self._slots = slots


def _is_full(records: int, slots: int) -> bool:
    """Whether an index of so many slots is too small for so many records."""
    return records * _LOAD_DENOMINATOR > slots * _LOAD_NUMERATOR


def _place(slots: "array[int]", key: bytes | bytearray, number: int) -> None:
    """Note a record number in the first free slot for its key."""
    mask = len(slots) - 1
    slot = int.from_bytes(key[:8]) & mask
    while slots[slot]:
        slot = (slot + 1) & mask
    slots[slot] = number


class SeenWindow:
    """All references decided in the last thirty hours of ledger time."""

    __slots__ = ("_segments",)

    def __init__(self) -> None:
        self._segments: dict[int, _Segment] = {}

    def get(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        """Return where the first outcome of a reference stands, or None."""
        segment = self._segments.get(reference_time_us // SEGMENT_US)
        return None if segment is None else segment.get(key)

    def add(self, key: bytes, reference_time_us: TimestampUs, seen: Seen) -> None:
        """Remember a reference that was decided."""
        hour = reference_time_us // SEGMENT_US
        segment = self._segments.get(hour)
        if segment is None:
            segment = self._segments[hour] = _Segment()
        segment.add(key, seen)

    def forget_before(self, now_us: TimestampUs) -> None:
        """Drop the segments whose references are too old to be admissible at ``now_us``."""
        oldest = (now_us - KEEP_US) // SEGMENT_US
        for hour in [hour for hour in self._segments if hour < oldest]:
            del self._segments[hour]

    def dump(self) -> list[tuple[int, bytes]]:
        """Each hour and its records as they are kept, in the order they were added; hours ascending."""
        return [(hour, self._segments[hour].records()) for hour in sorted(self._segments)]

    @classmethod
    def load(cls, dumped: Iterable[tuple[int, bytes]]) -> "SeenWindow":
        """Read a window back from :meth:`dump`.

        Raises:
            ValueError: the records of an hour are cut off.
        """
        window = cls()
        window._segments = {hour: _Segment(records) for hour, records in dumped}
        return window
