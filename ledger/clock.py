"""Where the time of blocks comes from (design D24). The rules never ask; the sequencer hands them a time."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from ledger.units import TimestampUs

CLOCK_JUMP_MAX_US: Final = 500_000
"""Largest difference between what the wall clock and the monotonic clock say has passed, in microseconds."""


class ClockJumped(Exception):
    """The wall clock moved against the monotonic one; no time is better than a wrong one."""


class Clock(Protocol):
    """A source of ledger time."""

    def now_us(self) -> TimestampUs:
        """Return microseconds since 1970-01-01T00:00:00Z.

        Raises:
            ClockJumped: the time cannot be trusted.
        """


class SystemClock:
    """The machine's wall clock, watched by its monotonic one."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._last_wall_us = wall_ns() // 1_000
        self._last_monotonic_us = monotonic_ns() // 1_000

    def now_us(self) -> TimestampUs:
        """Return the wall clock's time.

        Raises:
            ClockJumped: since the last call the two clocks disagree by more than ``CLOCK_JUMP_MAX_US``; the clock
                stays stopped, since a jump that is forgotten at the second look is no protection.
        """
        wall_us, monotonic_us = self._wall_ns() // 1_000, self._monotonic_ns() // 1_000
        jump_us = (wall_us - self._last_wall_us) - (monotonic_us - self._last_monotonic_us)
        if abs(jump_us) > CLOCK_JUMP_MAX_US:
            raise ClockJumped(f"the wall clock jumped by {jump_us} us, expected at most {CLOCK_JUMP_MAX_US}")
        # Slow adjustment by a time server is followed; only a jump between two looks is refused.
        self._last_wall_us, self._last_monotonic_us = wall_us, monotonic_us
        return TimestampUs(wall_us)


class ScriptedClock:
    """A sandbox's clock: it runs at the pace of the monotonic clock and can be set ahead by hand."""

    def __init__(self, start_us: TimestampUs, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_us = start_us - monotonic_ns() // 1_000

    def now_us(self) -> TimestampUs:
        """Return the scripted time."""
        return TimestampUs(self._monotonic_ns() // 1_000 + self._offset_us)

    def set_us(self, time_us: TimestampUs) -> None:
        """Set the clock ahead.

        Raises:
            ValueError: the time lies in the past; ledger time never goes back.
        """
        now_us = self.now_us()
        if time_us < now_us:
            raise ValueError(f"expected a time at or after {now_us}, got {time_us}")
        self._offset_us += time_us - now_us
