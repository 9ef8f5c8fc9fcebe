"""The window of references: a dict that forgets, in little memory."""

import hashlib
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.seen import KEEP_US, SEEN_KEY_BYTES, SEGMENT_US, Seen, SeenWindow
from ledger.units import TimestampUs

BYTES_PER_RECORD_MAX = 64

KEYS = st.one_of(
    st.binary(min_size=SEEN_KEY_BYTES, max_size=SEEN_KEY_BYTES),
    # Keys that fall on one slot, and differ elsewhere.
    st.binary(min_size=8, max_size=8).map(lambda tail: bytes(8) + tail),
)
HOURS = st.integers(0, 60)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, HOURS, st.integers(0, SEGMENT_US - 1)),
        st.tuples(st.just("forget"), st.just(b""), HOURS, st.integers(0, SEGMENT_US - 1)),
    ),
    max_size=60,
)


def seen_of(number: int) -> Seen:
    return Seen(hashlib.sha256(number.to_bytes(8)).digest()[:16], number, number % 2**24)


@given(steps=STEPS, others=st.lists(KEYS, max_size=10))
def test_the_window_remembers_as_a_dict_does_and_forgets_by_the_hour(
    steps: list[tuple[str, bytes, int, int]], others: list[bytes]
) -> None:
    window = SeenWindow()
    model: dict[tuple[int, bytes], Seen] = {}
    for number, (step, key, hour, offset) in enumerate(steps):
        moment = hour * SEGMENT_US + offset
        if step == "forget":
            window.forget_before(TimestampUs(moment))
            oldest = (moment - KEEP_US) // SEGMENT_US
            model = {place: seen for place, seen in model.items() if place[0] >= oldest}
        elif (hour, key) not in model:
            window.add(key, TimestampUs(moment), seen_of(number))
            model[hour, key] = seen_of(number)
    for (hour, key), seen in model.items():
        assert window.get(key, TimestampUs(hour * SEGMENT_US)) == seen
    for hour in range(61):
        for key in others:
            assert window.get(key, TimestampUs(hour * SEGMENT_US)) == model.get((hour, key))
    again = SeenWindow.load(window.dump())
    assert again.dump() == window.dump()
    assert [hour for hour, _ in window.dump()] == sorted({hour for hour, _ in model})
    for (hour, key), seen in model.items():
        assert again.get(key, TimestampUs(hour * SEGMENT_US)) == seen


def test_what_is_admissible_is_never_forgotten() -> None:
    window = SeenWindow()
    day = 24 * 3_600_000_000
    for start in range(0, 2 * SEGMENT_US, SEGMENT_US // 7):
        key = start.to_bytes(SEEN_KEY_BYTES)
        window.add(key, TimestampUs(start), seen_of(1))
        window.forget_before(TimestampUs(start + day))
        assert window.get(key, TimestampUs(start)) == seen_of(1)


def test_the_largest_height_and_place_are_kept() -> None:
    window = SeenWindow()
    largest = Seen(b"\xff" * 16, 2**40 - 1, 2**24 - 1)
    window.add(b"k" * 16, TimestampUs(0), largest)
    assert window.get(b"k" * 16, TimestampUs(0)) == largest


def test_a_window_read_back_grows_as_the_one_it_came_of() -> None:
    whole, window = SeenWindow(), SeenWindow()
    for number in range(100):
        # At each length, so that one is at the edge of its index.
        window = SeenWindow.load(window.dump())
        key = hashlib.sha256(number.to_bytes(8)).digest()[:SEEN_KEY_BYTES]
        whole.add(key, TimestampUs(0), seen_of(number))
        window.add(key, TimestampUs(0), seen_of(number))
        assert window.dump() == whole.dump()
        assert window.get(key, TimestampUs(0)) == seen_of(number)


def test_records_that_are_cut_off_are_refused() -> None:
    window = SeenWindow()
    window.add(b"k" * 16, TimestampUs(0), seen_of(1))
    ((hour, records),) = window.dump()
    with pytest.raises(ValueError, match="expected records of 40 bytes, got 39 bytes"):
        SeenWindow.load([(hour, records[:-1])])


def test_a_record_takes_at_most_64_bytes() -> None:
    window = SeenWindow()
    count = 100_000
    for number in range(count):
        key = hashlib.sha256(number.to_bytes(8)).digest()[:SEEN_KEY_BYTES]
        window.add(key, TimestampUs(number % 3 * SEGMENT_US), seen_of(number))
    assert _bytes_of(window) / count <= BYTES_PER_RECORD_MAX


def _bytes_of(value: object) -> int:
    """The size of an object and of all it holds."""
    size = sys.getsizeof(value)
    if isinstance(value, dict):
        return size + sum(_bytes_of(key) + _bytes_of(each) for key, each in value.items())
    if isinstance(value, int | bytes | bytearray | array):
        return size
    slots: tuple[str, ...] = getattr(type(value), "__slots__")  # noqa: B009 - `type` itself declares none
    return size + sum(_bytes_of(getattr(value, name)) for name in slots)
