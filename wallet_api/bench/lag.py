"""How far the projections are behind, looked at while there is load."""

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

LOOK_EVERY_S: Final = 0.05
"""Pause between two looks, in seconds; a look costs the node a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class Look:
    """The log and its projections at one moment."""

    at_s: float
    """By the monotonic clock."""
    durable: int
    """Leaves that are durable."""
    projected: int
    """Of them, those that the projections include."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind."""

    entries: int
    ms: float
    """For how long the oldest leaf that is not projected has been durable."""


def lags(looks: Sequence[Look]) -> list[Lag]:
    """Return the lag at each look.

    A leaf became durable at some moment between two looks; it is taken to be that of the earlier one, so a lag may be
    told too large by one pause, and never too small.
    """
    durable = [look.durable for look in looks]
    found = []
    for number, look in enumerate(looks):
        if look.projected >= look.durable:
            found.append(Lag(0, 0.0))
            continue
        # The first look at which a leaf that is not projected yet was there; it came after the look before.
        after = bisect_left(durable, look.projected + 1, hi=number + 1)
        found.append(Lag(look.durable - look.projected, 1_000 * (look.at_s - looks[max(after - 1, 0)].at_s)))
    return found


class Lookout:
    """Looks again and again in a thread of its own, as a context."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self.looks: list[Look] = []
        self._look = look
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self.looks.append(self._look())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, after a last look."""
        self._is_over.set()
        self._thread.join()
        self.looks.append(self._look())

    def at_end_of_load(self, ended_s: float) -> Lag:
        """Return the lag at the first look after the load had ended."""
        found = lags(self.looks)
        return next((lag for look, lag in zip(self.looks, found, strict=True) if look.at_s >= ended_s), found[-1])

    def worst(self) -> Lag:
        """Return the largest lag, in entries and in time, which need not be at the same moment."""
        found = lags(self.looks)
        return Lag(max(lag.entries for lag in found), max(lag.ms for lag in found))

    def _run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            self.looks.append(self._look())
