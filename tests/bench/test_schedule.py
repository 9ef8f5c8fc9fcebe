from hypothesis import given
from hypothesis import strategies as st

from wallet_api.bench.percentiles import percentile, percentiles_ms
from wallet_api.bench.schedule import Closed, Open

MICROSECOND = 1e-6
"""Far less than the steps of the generator, far more than what rounding does."""

rates = st.floats(min_value=0.1, max_value=100_000)
starts = st.floats(min_value=0, max_value=1_000_000)


def test_a_closed_loop_means_every_request_to_be_sent_as_soon_as_it_can_be() -> None:
    schedule = Closed(5)
    assert schedule.due(0.0) == 5
    assert schedule.intended_s(4, 7.0) == 7.0


def test_an_open_loop_spaces_its_requests_evenly() -> None:
    schedule = Open(4, 10.0, started_s=100.0)
    assert [schedule.due(at) for at in (99.9, 100.0, 100.15, 100.25, 100.35, 999.0)] == [0, 1, 2, 3, 4, 4]
    assert [schedule.intended_s(number, 999.0) for number in range(3)] == [100.0, 100.1, 100.2]
    assert schedule.ends_s == 100.4


@given(rate=rates, started_s=starts, number=st.integers(0, 100_000))
def test_a_request_is_due_from_its_intended_moment_on(rate: float, started_s: float, number: int) -> None:
    schedule = Open(100_001, rate, started_s)
    intended_s = schedule.intended_s(number, 0.0)
    margin_s = MICROSECOND * max(1.0, intended_s)
    assert schedule.due(intended_s + margin_s) > number
    assert schedule.due(intended_s - margin_s - MICROSECOND / rate) <= number + margin_s * rate + 1


@given(values=st.lists(st.floats(min_value=0, max_value=1e6), min_size=1), per_mille=st.integers(1, 1_000))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], per_mille: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, per_mille / 1_000)
    assert 1_000 * sum(value <= found for value in ordered) >= per_mille * len(ordered)
    assert 1_000 * sum(value < found for value in ordered) < per_mille * len(ordered)


def test_percentiles_are_told_in_milliseconds() -> None:
    told = percentiles_ms([number / 1_000 for number in range(1, 1_001)])
    assert (told.p50, told.p99, told.p999, told.max) == (500.0, 990.0, 999.0, 1_000.0)


def test_without_answers_there_are_no_latencies() -> None:
    assert percentiles_ms([]).max == 0.0
