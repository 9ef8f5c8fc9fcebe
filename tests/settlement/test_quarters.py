"""The tax calendar: quarters, due dates, and their shift over days without work."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import BusinessDate
from settlement.model.levy_regimes import LEVY_REGIMES, regime_of
from settlement.model.quarters import (
    SHIFT_DAYS_MAX,
    DueRule,
    due_date,
    first_date,
    is_first_date,
    quarter_of,
)
from settlement.model.quota_policies import LegalStatus
from tests.settlement.power import is_weekday


@pytest.mark.parametrize(
    ("date", "quarter"),
    [
        ("2022-01-01", "2022-Q1"),
        ("2022-03-31", "2022-Q1"),
        ("2022-04-01", "2022-Q2"),
        ("2022-06-30", "2022-Q2"),
        ("2022-07-01", "2022-Q3"),
        ("2022-10-01", "2022-Q4"),
        ("2022-12-31", "2022-Q4"),
    ],
)
def test_a_date_lies_in_a_quarter(date: str, quarter: str) -> None:
    assert quarter_of(BusinessDate(date)) == quarter


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(2250, 12, 31)))
def test_a_quarter_begins_where_it_says(day: datetime.date) -> None:
    date = BusinessDate(day.isoformat())
    first = first_date(quarter_of(date))

    assert first <= date
    assert quarter_of(first) == quarter_of(date)
    assert is_first_date(first)
    before = datetime.date.fromisoformat(first) - datetime.timedelta(days=1)
    assert quarter_of(BusinessDate(before.isoformat())) < quarter_of(date)
    assert is_first_date(date) is (date == first)


@pytest.mark.parametrize(
    ("quarter", "declaration", "payment"),
    [
        ("2023-Q1", "2023-05-15", "2023-05-25"),
        ("2023-Q2", "2023-08-15", "2023-08-25"),
        ("2023-Q3", "2023-11-15", "2023-11-25"),
        ("2023-Q4", "2024-02-15", "2024-02-25"),
    ],
)
def test_example_13_from_2023_quarters_are_declared_by_the_15th_and_paid_by_the_25th(
    quarter: str, declaration: str, payment: str
) -> None:
    regime = regime_of(LEVY_REGIMES, quarter)
    assert regime is not None
    assert regime.declaration is not None

    assert due_date(quarter, regime.declaration, is_weekday).nominal == declaration
    assert due_date(quarter, regime.payment, is_weekday).nominal == payment


@pytest.mark.parametrize(
    ("quarter", "payment"),
    [("2022-Q1", "2022-04-20"), ("2022-Q2", "2022-07-20"), ("2022-Q3", "2022-10-20"), ("2022-Q4", "2023-01-20")],
)
def test_in_2022_a_quarter_is_paid_by_the_20th_of_the_next_month_and_not_declared(quarter: str, payment: str) -> None:
    regime = regime_of(LEVY_REGIMES, quarter)
    assert regime is not None

    assert regime.declaration is None
    assert due_date(quarter, regime.payment, is_weekday).nominal == payment


def test_a_due_date_on_a_sunday_shifts_to_monday_and_says_how_sure_that_is() -> None:
    due = due_date("2023-Q4", DueRule(month=2, day=25), is_weekday)

    assert (due.nominal, due.shifted, due.shift_status) == ("2024-02-25", "2024-02-26", LegalStatus.ASSUMED)


def test_a_due_date_shifts_over_holidays_too() -> None:
    holidays = {datetime.date(2024, 2, 26), datetime.date(2024, 2, 27)}
    due = due_date("2023-Q4", DueRule(month=2, day=25), lambda day: is_weekday(day) and day not in holidays)

    assert due.shifted == "2024-02-28"


def test_a_due_date_shifts_a_month_at_most() -> None:
    rule = DueRule(month=1, day=1)
    end = datetime.date(2022, 4, 1) + datetime.timedelta(days=SHIFT_DAYS_MAX)

    assert due_date("2022-Q1", rule, lambda day: day >= end).shifted == end.isoformat()
    assert due_date("2022-Q1", rule, lambda day: day > end).shifted == "2022-04-01"


def test_a_due_date_may_lie_a_year_ahead() -> None:
    assert due_date("2022-Q1", DueRule(month=12, day=28), is_weekday).nominal == "2023-03-28"
