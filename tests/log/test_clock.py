"""Where the time of blocks comes from (design D24)."""

import pytest

from ledger.clock import CLOCK_JUMP_MAX_US, ClockJumped, ScriptedClock, SystemClock
from ledger.units import TimestampUs

START_US = 1_735_000_000_000_000


class Hands:
    """A wall clock and a monotonic one, both moved by hand; in nanoseconds, as the machine has them."""

    def __init__(self) -> None:
        self.wall_ns = START_US * 1_000
        self.monotonic_ns = 77_000_000_000

    def wall(self) -> int:
        return self.wall_ns

    def monotonic(self) -> int:
        return self.monotonic_ns

    def pass_us(self, wall_us: int, monotonic_us: int | None = None) -> None:
        """Let time pass, on one clock more than on the other if told so."""
        self.wall_ns += wall_us * 1_000
        self.monotonic_ns += (wall_us if monotonic_us is None else monotonic_us) * 1_000

    def system_clock(self) -> SystemClock:
        return SystemClock(self.wall, self.monotonic)


def test_the_system_clock_tells_the_wall_clocks_microseconds() -> None:
    hands = Hands()
    clock = hands.system_clock()
    assert clock.now_us() == START_US
    hands.pass_us(1_234_567)
    hands.wall_ns += 999
    assert clock.now_us() == START_US + 1_234_567


@pytest.mark.parametrize("jump_us", [CLOCK_JUMP_MAX_US + 1, -CLOCK_JUMP_MAX_US - 1, 3_600_000_000])
def test_a_jump_either_way_stops_the_clock_for_good(jump_us: int) -> None:
    hands = Hands()
    clock = hands.system_clock()
    hands.pass_us(10_000_000 + jump_us, 10_000_000)
    with pytest.raises(ClockJumped, match=f"jumped by {jump_us} us"):
        clock.now_us()
    hands.pass_us(60_000_000)
    with pytest.raises(ClockJumped):
        clock.now_us()


@pytest.mark.parametrize("drift_us", [CLOCK_JUMP_MAX_US, -CLOCK_JUMP_MAX_US])
def test_slow_adjustment_is_followed_however_long_it_goes_on(drift_us: int) -> None:
    hands = Hands()
    clock = hands.system_clock()
    for _ in range(100):
        hands.pass_us(1_000_000 + drift_us, 1_000_000)
        assert clock.now_us() == hands.wall_ns // 1_000


def test_a_jump_since_the_start_is_seen_at_the_first_look() -> None:
    hands = Hands()
    clock = hands.system_clock()
    hands.pass_us(5_000_000, 0)
    with pytest.raises(ClockJumped):
        clock.now_us()


def test_the_machines_own_clocks_agree_with_each_other() -> None:
    clock = SystemClock()
    assert clock.now_us() <= clock.now_us()


def test_a_scripted_clock_runs_at_the_pace_of_the_monotonic_one() -> None:
    hands = Hands()
    clock = ScriptedClock(TimestampUs(START_US), hands.monotonic)
    assert clock.now_us() == START_US
    hands.pass_us(0, 250)
    assert clock.now_us() == START_US + 250


def test_a_scripted_clock_is_set_ahead_and_never_back() -> None:
    hands = Hands()
    clock = ScriptedClock(TimestampUs(START_US), hands.monotonic)
    clock.set_us(TimestampUs(START_US + 86_400_000_000))
    hands.pass_us(0, 5)
    now_us = START_US + 86_400_000_005
    assert clock.now_us() == now_us
    clock.set_us(TimestampUs(now_us))
    with pytest.raises(ValueError, match=f"at or after {now_us}, got {START_US}"):
        clock.set_us(TimestampUs(START_US))
    assert clock.now_us() == now_us
