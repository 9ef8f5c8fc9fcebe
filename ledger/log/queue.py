"""The queue of verified transactions: bounded, with a fair share for each participant (design section 4, step 4)."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

PARTICIPANT_LINES_MAX: Final = 65_536
"""Most lines one participant may have waiting: eight full bulks, or as many single transactions."""

PARTICIPANT_ITEMS_MAX: Final = 4_096
"""Most transactions one participant may have waiting."""

QUEUE_LINES_MAX: Final = 524_288
"""Most lines waiting in all."""

URGENT_ITEMS_MAX: Final = 256
"""Most urgent transactions waiting; they do not count against anyone's share."""


class QueueFull(Exception):
    """The sender, or the queue as a whole, has as much waiting as it may. Try again later."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item]):
    """One thing that waits."""

    item: Item
    weight: int
    """Its number of lines."""


class FairQueue(Generic[Item]):
    """First come, first served within a participant; in turns between participants; urgent ones before all."""

    def __init__(
        self,
        *,
        participant_items_max: int = PARTICIPANT_ITEMS_MAX,
        participant_lines_max: int = PARTICIPANT_LINES_MAX,
        lines_max: int = QUEUE_LINES_MAX,
        urgent_max: int = URGENT_ITEMS_MAX,
    ) -> None:
        self._participant_items_max = participant_items_max
        self._participant_lines_max = participant_lines_max
        self._lines_max = lines_max
        self._urgent_max = urgent_max
        self._urgent: deque[Waiting[Item]] = deque()
        self._lanes: dict[str, deque[Waiting[Item]]] = {}
        self._lane_lines: dict[str, int] = {}
        self._lines = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, participant: str, item: Item, *, weight: int, is_urgent: bool = False) -> None:
        """Add one.

        Raises:
            QueueFull: nothing was added.
        """
        with self._changed:
            if is_urgent:
                if len(self._urgent) >= self._urgent_max:
                    raise QueueFull(f"{self._urgent_max} urgent transactions are waiting")
                self._urgent.append(Waiting(item, weight))
            else:
                self._put(participant, Waiting(item, weight))
            self._changed.notify()

    def take(self, lines_max: int) -> list[Item]:
        """Wait for at least one, then take what is there up to a number of lines; empty when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or bool(self._lanes) or bool(self._urgent))
            taken: list[Item] = [waiting.item for waiting in self._urgent]
            self._urgent.clear()
            lines = len(taken)
            while self._lanes and lines < lines_max:
                for participant in list(self._lanes):
                    waiting = self._lanes[participant][0]
                    if taken and lines + waiting.weight > lines_max:
                        return taken
                    self._pop(participant)
                    taken.append(waiting.item)
                    lines += waiting.weight
            return taken

    def close(self) -> None:
        """Let ``take`` return what is left, then nothing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def lines(self) -> int:
        """Lines waiting."""
        return self._lines

    def _put(self, participant: str, waiting: Waiting[Item]) -> None:
        lane = self._lanes.get(participant)
        lane_lines = self._lane_lines.get(participant, 0)
        if lane is not None and (
            len(lane) >= self._participant_items_max or lane_lines + waiting.weight > self._participant_lines_max
        ):
            raise QueueFull(f"{len(lane)} transactions of {participant} with {lane_lines} lines are waiting")
        if self._lines + waiting.weight > self._lines_max:
            raise QueueFull(f"{self._lines} lines are waiting")
        if lane is None:
            lane = self._lanes[participant] = deque()
        lane.append(waiting)
        self._lane_lines[participant] = lane_lines + waiting.weight
        self._lines += waiting.weight

    def _pop(self, participant: str) -> None:
        lane = self._lanes[participant]
        waiting = lane.popleft()
        self._lines -= waiting.weight
        self._lane_lines[participant] -= waiting.weight
        if not lane:
            del self._lanes[participant]
            del self._lane_lines[participant]
