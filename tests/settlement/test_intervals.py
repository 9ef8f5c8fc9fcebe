"""Half-open intervals: a start belongs to them, an end does not, and no two of one subject overlap."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.units import TimestampUs
from settlement.model.intervals import (
    History,
    Interval,
    Status,
    contains,
    is_empty,
    was_active,
    with_grant,
    with_status,
)


def active(from_us: int, until_us: int | None = None) -> Interval:
    return interval(Status.ACTIVE, from_us, until_us)


def interval(status: Status, from_us: int, until_us: int | None = None) -> Interval:
    return Interval(
        status=status,
        from_us=TimestampUs(from_us),
        until_us=None if until_us is None else TimestampUs(until_us),
    )


def test_a_start_belongs_to_an_interval_and_an_end_does_not() -> None:
    assert [contains(active(10, 20), TimestampUs(moment)) for moment in (9, 10, 19, 20)] == [False, True, True, False]
    assert contains(active(10), TimestampUs(2**53 - 1))


def test_an_interval_that_ends_where_it_begins_is_empty() -> None:
    assert is_empty(active(10, 10))
    assert not is_empty(active(10, 11))
    assert not is_empty(active(10))


def test_a_grant_may_begin_where_another_ends() -> None:
    assert with_grant((active(10, 20),), active(20, 30)) == (active(10, 20), active(20, 30))
    assert with_grant((active(10, 20),), active(5, 10)) == (active(5, 10), active(10, 20))


def test_a_grant_that_overlaps_is_none() -> None:
    assert with_grant((active(10, 20),), active(19, 30)) is None
    assert with_grant((active(10),), active(30, 40)) is None


def test_a_suspension_splits_the_interval_around_it() -> None:
    assert with_status((active(10, 40),), interval(Status.SUSPENDED, 20, 30)) == (
        active(10, 20),
        interval(Status.SUSPENDED, 20, 30),
        active(30, 40),
    )


def test_a_change_of_the_whole_interval_leaves_nothing_of_it() -> None:
    assert with_status((active(10, 40),), interval(Status.SUSPENDED, 10, 40)) == (interval(Status.SUSPENDED, 10, 40),)


def test_a_change_without_an_end_lasts_as_long_as_the_interval() -> None:
    assert with_status((active(10, 40),), interval(Status.REVOKED, 20)) == (
        active(10, 20),
        interval(Status.REVOKED, 20, 40),
    )
    assert with_status((active(10),), interval(Status.SUSPENDED, 20)) == (
        active(10, 20),
        interval(Status.SUSPENDED, 20),
    )


def test_a_change_beyond_the_interval_or_of_the_same_status_is_none() -> None:
    assert with_status((active(10, 40),), interval(Status.SUSPENDED, 20, 41)) is None
    assert with_status((active(10, 40),), interval(Status.SUSPENDED, 40, 41)) is None
    assert with_status((active(10, 40),), active(20, 30)) is None


def test_there_is_no_way_back_from_revoked() -> None:
    assert with_status((interval(Status.REVOKED, 10),), active(20)) is None


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(Status),
            st.integers(0, 60),
            st.none() | st.integers(1, 20),
        ),
        max_size=20,
    )
)
def test_no_sequence_of_grants_and_changes_makes_intervals_overlap(
    steps: list[tuple[bool, Status, int, int | None]],
) -> None:
    history: History = ()
    for is_grant, status, from_us, length in steps:
        one = interval(Status.ACTIVE if is_grant else status, from_us, None if length is None else from_us + length)
        longer = with_grant(history, one) if is_grant else with_status(history, one)
        before = history
        history = history if longer is None else longer
        for moment in range(82):
            at = [each for each in history if contains(each, TimestampUs(moment))]
            assert len(at) <= 1
            # Only what the step was about has changed.
            if longer is None or not contains(one, TimestampUs(moment)):
                assert was_active(history, TimestampUs(moment)) == was_active(before, TimestampUs(moment))
    assert list(history) == sorted(history, key=lambda each: each.from_us)
    assert not any(is_empty(each) for each in history)
