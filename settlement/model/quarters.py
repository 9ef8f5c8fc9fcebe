"""Quarters of the tax calendar, and due dates that shift over days on which nobody works."""

import datetime
from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField
from settlement.model.quota_policies import LegalStatus

QuarterField = Annotated[str, Meta(pattern=r"\A[12][0-9]{3}-Q[1-4]\Z")]
"""A quarter: ``2023-Q1``. Quarters sort by their text."""


class DueRule(Record, frozen=True, kw_only=True):
    """A day some months after a quarter's last month: the 25th of the second month is month 2, day 25."""

    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=28)]


class DueDate(Record, frozen=True, kw_only=True):
    """When something is due."""

    nominal: DateField
    """The day the act names."""
    shifted: DateField
    """The same if it is worked, else the next day that is."""
    shift_status: LegalStatus
    """How sure it is that the day shifts."""


SHIFT_STATUS: Final = LegalStatus.ASSUMED
"""That a due date on a day without work shifts to the next working day is from memory; the nominal day is given too."""

SHIFT_DAYS_MAX: Final = 31
"""Longest shift, in days: no run of days without work is near it, and a calendar of mistakes ends somewhere."""


def quarter_of(date: BusinessDate) -> QuarterField:
    """Return the quarter of a date."""
    return f"{date[:4]}-Q{(int(date[5:7]) + 2) // 3}"


def first_date(quarter: QuarterField) -> BusinessDate:
    """Return the first date of a quarter."""
    return BusinessDate(f"{quarter[:4]}-{3 * int(quarter[6]) - 2:02d}-01")


def is_first_date(date: BusinessDate) -> bool:
    """Whether a quarter begins on a date."""
    return date == first_date(quarter_of(date))


def due_date(quarter: QuarterField, rule: DueRule, is_working: Callable[[datetime.date], bool]) -> DueDate:
    """Return when something of a quarter is due.

    Args:
        quarter: what it is due for.
        rule: which day.
        is_working: whether a local date is worked.
    """
    months = 3 * int(quarter[6]) - 1 + rule.month
    nominal = datetime.date(int(quarter[:4]) + months // 12, months % 12 + 1, rule.day)
    days = (nominal + datetime.timedelta(days=later) for later in range(SHIFT_DAYS_MAX + 1))
    shifted = next((day for day in days if is_working(day)), nominal)
    return DueDate(
        nominal=BusinessDate(nominal.isoformat()),
        shifted=BusinessDate(shifted.isoformat()),
        shift_status=SHIFT_STATUS,
    )
