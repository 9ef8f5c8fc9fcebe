import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_api.bench.bulk import Ran
from wallet_api.bench.growth import Window, label, rate_at, window_sizes
from wallet_api.bench.lag import Lag, Look, Lookout, lags

NONE = Lag(0, 0.0)


def window(size: int, lines: int, seconds: float) -> Window:
    return Window(size, Ran(lines, seconds, seconds, NONE, NONE))


@pytest.mark.parametrize(
    ("size", "name"), [(64, "64"), (10_000, "10k"), (1_500, "1500"), (1_000_000, "1m"), (10_000_000, "10m")]
)
def test_a_size_has_a_short_name(size: int, name: str) -> None:
    assert label(size) == name


@given(
    sizes=st.lists(st.integers(1, 50_000), min_size=1, max_size=5, unique=True).map(sorted),
    most=st.integers(100, 10_000),
)
def test_a_window_ends_at_every_size(sizes: list[int], most: int) -> None:
    windows = window_sizes(sizes, most)
    ends = {sum(windows[: number + 1]) for number in range(len(windows))}
    assert set(sizes) <= ends
    assert sum(windows) == sizes[-1]
    assert max(windows) <= most


def test_the_rate_at_a_size_is_that_of_the_last_quarter_of_the_way() -> None:
    windows = [window(size, 10, 10.0) for size in range(10, 760, 10)]
    windows += [window(size, 10, 0.5) for size in range(760, 1_010, 10)]
    assert rate_at(windows, 1_000, lambda ran: ran.answered_s) == 20.0
    assert rate_at(windows, 750, lambda ran: ran.answered_s) == 1.0


def test_the_rate_at_a_small_size_is_that_of_its_last_window() -> None:
    windows = [window(10, 10, 10.0), window(100, 90, 1.0), window(200, 100, 4.0)]
    assert [rate_at(windows, size, lambda ran: ran.answered_s) for size in (10, 100, 200)] == [1.0, 90.0, 25.0]


def test_projections_that_are_caught_up_have_no_lag() -> None:
    assert lags([Look(0.0, 5, 5), Look(1.0, 9, 9)]) == [NONE, NONE]


def test_a_lag_is_told_in_entries_and_since_when_the_first_of_them_could_have_been_there() -> None:
    looks = [Look(0.0, 10, 10), Look(1.0, 20, 10), Look(2.0, 30, 15), Look(3.0, 30, 20), Look(4.0, 30, 30)]
    assert lags(looks) == [NONE, Lag(10, 1_000.0), Lag(15, 2_000.0), Lag(10, 2_000.0), NONE]


def test_a_lag_that_was_there_before_the_first_look_counts_from_it() -> None:
    assert lags([Look(5.0, 10, 3), Look(6.0, 10, 4)]) == [Lag(7, 0.0), Lag(6, 1_000.0)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_a_lag_is_never_negative_and_none_exactly_where_nothing_is_missing(steps: list[tuple[int, int]]) -> None:
    looks = []
    durable = projected = 0
    for number, (more, applied) in enumerate(steps):
        durable += more
        projected = min(durable, projected + applied)
        looks.append(Look(float(number), durable, projected))
    for look, lag in zip(looks, lags(looks), strict=True):
        assert lag.entries == look.durable - look.projected
        assert lag.ms >= 0
        assert lag.entries > 0 or lag.ms == 0


def test_a_lookout_looks_at_the_beginning_and_at_the_end() -> None:
    moments = iter(range(1_000_000))

    def look() -> Look:
        moment = next(moments)
        return Look(float(moment), 2 * moment, moment)

    with Lookout(look) as lookout:
        pass
    assert len(lookout.looks) >= 2
    last = lookout.looks[-1]
    assert lookout.worst().entries == last.durable - last.projected
    assert lookout.at_end_of_load(last.at_s + 1) == lags(lookout.looks)[-1]
    assert lookout.at_end_of_load(0.0) == NONE
