"""The queue of verified transactions: bounded, with a fair share for each participant (design section 4, step 4)."""

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

PARTICIPANT_LINES_MAX: Final = 65_536
"""Most lines one participant may have waiting: eight full bulks."""

PARTICIPANT_ITEMS_MAX: Final = 1_024
"""Most transactions one participant may have waiting: about a quarter of a second's work."""

PARTICIPANT_BYTES_MAX: Final = 32 * 1024 * 1024
"""Most bytes one participant may have waiting: eight of the longest submissions the door lets in."""

QUEUE_LINES_MAX: Final = 524_288
"""Most lines waiting in all."""

QUEUE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Most bytes waiting in all: a journal entry of many legs is one line, and thirty kilobytes."""

URGENT_ITEMS_MAX: Final = 256
"""Most urgent transactions waiting; they do not count against anyone's share."""

PARTICIPANT_URGENT_MAX: Final = 16
"""Most urgent transactions of one participant waiting, so that nobody keeps the others out of the urgent lane."""


class QueueFull(Exception):
    """The sender, or the queue as a whole, has as much waiting as it may. Try again later."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item]):
    """One thing that waits."""

    item: Item
    weight: int
    """Its number of lines."""
    size: int
    """Its bytes as received."""


class _Lane(Generic[Item]):
    """What one participant has waiting."""

    __slots__ = ("lines", "size", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Waiting[Item]] = deque()
        self.lines = 0
        self.size = 0

    def add(self, waiting: Waiting[Item]) -> None:
        self.waiting.append(waiting)
        self.lines += waiting.weight
        self.size += waiting.size

    def pop(self) -> Waiting[Item]:
        waiting = self.waiting.popleft()
        self.lines -= waiting.weight
        self.size -= waiting.size
        return waiting


class FairQueue(Generic[Item]):
    """First come, first served within a participant; in turns between participants; urgent ones before all."""

    def __init__(
        self,
        *,
        participant_items_max: int = PARTICIPANT_ITEMS_MAX,
        participant_lines_max: int = PARTICIPANT_LINES_MAX,
        participant_bytes_max: int = PARTICIPANT_BYTES_MAX,
        lines_max: int = QUEUE_LINES_MAX,
        bytes_max: int = QUEUE_BYTES_MAX,
        urgent_max: int = URGENT_ITEMS_MAX,
        participant_urgent_max: int = PARTICIPANT_URGENT_MAX,
    ) -> None:
        self._participant_items_max = participant_items_max
        self._participant_lines_max = participant_lines_max
        self._participant_bytes_max = participant_bytes_max
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._urgent_max = urgent_max
        self._participant_urgent_max = participant_urgent_max
        self._urgent: deque[Waiting[Item]] = deque()
        self._urgent_of: Counter[str] = Counter()
        self._lanes: dict[str, _Lane[Item]] = {}
        """By participant, whose turn is next first. A participant with nothing waiting has no lane."""
        self.crowded: set[str] = set()
        """Participants with as many transactions waiting as they may. May be asked from any thread."""
        self._lines = 0
        self._size = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, participant: str, item: Item, *, weight: int, size: int = 0, is_urgent: bool = False) -> None:
        """Add one.

        Raises:
            QueueFull: nothing was added.
        """
        with self._changed:
            assert not self._is_closed, "whoever closes the queue stops those who put into it first"
            if is_urgent:
                self._put_urgent(participant, Waiting(item, weight, size))
            else:
                self._put(participant, Waiting(item, weight, size))
            self._changed.notify()

    def take(self, lines_max: int, bytes_max: int = QUEUE_BYTES_MAX, items_max: int = QUEUE_LINES_MAX) -> list[Item]:
        """Wait for at least one, then take what is there up to a number of lines, bytes and items.

        The first one is taken whatever its lines and bytes. Empty when the queue is closed and drained.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or bool(self._lanes) or bool(self._urgent))
            taken: list[Item] = [waiting.item for waiting in self._urgent]
            self._urgent.clear()
            self._urgent_of.clear()
            lines, size = len(taken), 0
            while self._lanes and len(taken) < items_max:
                # The longest-waiting turn comes first, across calls too: a full bulk every time starves nobody.
                participant, lane = next(iter(self._lanes.items()))
                following = lane.waiting[0]
                if taken and (lines + following.weight > lines_max or size + following.size > bytes_max):
                    break
                self._pop(participant, lane)
                taken.append(following.item)
                lines, size = lines + following.weight, size + following.size
            return taken

    def wait(self) -> bool:
        """Wait until something waits; False when the queue is closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or bool(self._lanes) or bool(self._urgent))
            return bool(self._lanes) or bool(self._urgent)

    def close(self) -> None:
        """Let ``take`` return what is left, then nothing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def lines(self) -> int:
        """Lines waiting, urgent ones aside."""
        return self._lines

    def _put_urgent(self, participant: str, waiting: Waiting[Item]) -> None:
        if len(self._urgent) >= self._urgent_max or self._urgent_of[participant] >= self._participant_urgent_max:
            raise QueueFull(
                f"{self._urgent_of[participant]} urgent transactions of {participant} are waiting, or too many in all"
            )
        self._urgent.append(waiting)
        self._urgent_of[participant] += 1

    def _put(self, participant: str, waiting: Waiting[Item]) -> None:
        lane = self._lanes.get(participant)
        if lane is not None and (
            len(lane.waiting) >= self._participant_items_max
            or lane.lines + waiting.weight > self._participant_lines_max
            or lane.size + waiting.size > self._participant_bytes_max
        ):
            raise QueueFull(
                f"{len(lane.waiting)} transactions of {participant} with {lane.lines} lines "
                f"and {lane.size} bytes are waiting"
            )
        if self._lines + waiting.weight > self._lines_max or self._size + waiting.size > self._bytes_max:
            # How much others have waiting is their business.
            raise QueueFull("too much is waiting in all")
        if lane is None:
            lane = self._lanes[participant] = _Lane()
        lane.add(waiting)
        if len(lane.waiting) >= self._participant_items_max:
            self.crowded.add(participant)
        self._lines += waiting.weight
        self._size += waiting.size

    def _pop(self, participant: str, lane: _Lane[Item]) -> None:
        """Take a participant's first and put its lane at the end of the turns."""
        waiting = lane.pop()
        self._lines -= waiting.weight
        self._size -= waiting.size
        self.crowded.discard(participant)
        del self._lanes[participant]
        if lane.waiting:
            self._lanes[participant] = lane
