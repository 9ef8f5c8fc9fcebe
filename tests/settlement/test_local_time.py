"""Local dates follow the dated offsets of the ledger."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.tables import UtcOffset
from ledger.units import TimestampUs
from settlement.model.local_time import calendar_date, local_date, start_of, years_later

OFFSETS = (
    UtcOffset(from_us=TimestampUs(0), offset_minutes=360),
    UtcOffset(from_us=TimestampUs(1_709_229_600_000_000), offset_minutes=300),
)
"""Astana: six hours until the end of February 2024, five since."""


def us(text: str) -> TimestampUs:
    return TimestampUs(int(datetime.datetime.fromisoformat(text).timestamp()) * 1_000_000)


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        ("2023-12-31T17:59:59+00:00", "2023-12-31"),
        ("2023-12-31T18:00:00+00:00", "2024-01-01"),
        ("2024-12-31T18:59:59+00:00", "2024-12-31"),
        ("2024-12-31T19:00:00+00:00", "2025-01-01"),
        # At midnight before 1 March the clocks went back to eleven.
        ("2024-02-29T17:59:59+00:00", "2024-02-29"),
        ("2024-02-29T18:00:00+00:00", "2024-02-29"),
        ("2024-02-29T19:00:00+00:00", "2024-03-01"),
    ],
)
def test_a_moment_has_the_date_on_the_wall(moment: str, date: str) -> None:
    assert local_date(OFFSETS, us(moment)) == date


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("2024-01-01", "2023-12-31T18:00:00+00:00"),
        ("2024-02-29", "2024-02-28T18:00:00+00:00"),
        ("2024-03-01", "2024-02-29T19:00:00+00:00"),
        ("2025-01-01", "2024-12-31T19:00:00+00:00"),
        ("1960-01-01", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_date_starts_at_its_first_moment(date: str, moment: str) -> None:
    assert start_of(OFFSETS, datetime.date.fromisoformat(date)) == us(moment)


@given(st.dates(datetime.date(1970, 1, 2), datetime.date(2200, 1, 1)))
def test_a_date_starts_where_the_one_before_ends(date: datetime.date) -> None:
    start_us = start_of(OFFSETS, date)

    assert local_date(OFFSETS, start_us) == date.isoformat()
    assert local_date(OFFSETS, TimestampUs(start_us - 1)) < date.isoformat()


def test_a_day_that_no_month_has_is_no_date() -> None:
    assert calendar_date("2025-02-29") is None
    assert calendar_date("0000-01-01") is None
    assert calendar_date("2024-02-29") == datetime.date(2024, 2, 29)


def test_a_date_whose_start_would_be_no_timestamp_is_no_date() -> None:
    assert calendar_date("2250-12-31") == datetime.date(2250, 12, 31)
    assert calendar_date("2251-01-01") is None


def test_three_years_after_a_leap_day_is_the_first_of_march() -> None:
    assert years_later(datetime.date(2024, 2, 29), 3) == datetime.date(2027, 3, 1)
    assert years_later(datetime.date(2023, 6, 1), 3) == datetime.date(2026, 6, 1)
