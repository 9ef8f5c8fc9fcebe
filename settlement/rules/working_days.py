"""Working days: Monday to Friday, and what dated orders set apart, as data of the ledger.

A holiday on a weekday and a weekend that is worked are exceptions; nothing follows from a list in the code.
"""

import datetime
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import BusinessDate, DateField, OrderField
from settlement.model.local_time import calendar_date
from settlement.model.prices import CARRY_DAYS_MAX, DAYS_PER_DECREE_MAX, DayException
from settlement.rules.tables import DAY_EXCEPTIONS, PRICED_DATES

WEEKEND: Final = frozenset({5, 6})
"""Saturday and Sunday, counted from Monday as 0."""


class DaySet(Record, frozen=True, kw_only=True):
    """One day that is worked or not, whatever its day of the week."""

    date: DateField
    is_working: bool


class WorkingDaysSet(Record, frozen=True, kw_only=True):
    """Set days apart from their day of the week: holidays, and weekends that are worked."""

    basis: OrderField
    """Number of the act or order that says so."""
    days: Annotated[tuple[DaySet, ...], Meta(min_length=1, max_length=DAYS_PER_DECREE_MAX)]


DAY_INVALID = RefusalCode("day_invalid", "The date does not exist in the calendar, or stands twice.")
DAY_PRICED = RefusalCode("day_priced", "A price was published for the day, so it was worked and stays so.")


def is_working_day(view: View, date: datetime.date) -> bool:
    """Whether prices are taken on a local date."""
    exception = view.get(DAY_EXCEPTIONS, date.isoformat())
    return date.weekday() not in WEEKEND if exception is None else exception.is_working


def last_working_day(view: View, date: datetime.date) -> datetime.date | None:
    """Return the date if it is worked, else the last worked one before it, at most ``CARRY_DAYS_MAX`` days back."""
    for days in range(min(CARRY_DAYS_MAX, (date - datetime.date.min).days) + 1):
        earlier = date - datetime.timedelta(days=days)
        if is_working_day(view, earlier):
            return earlier
    return None


def _set(view: View, submitted: Submitted) -> Proposal | Refused:
    body: WorkingDaysSet = submitted.signed.body
    dates: set[str] = set()
    for line, day in enumerate(body.days):
        if calendar_date(day.date) is None or day.date in dates:
            return Refused(DAY_INVALID, line, f"date {day.date}")
        dates.add(day.date)
        if not day.is_working and view.get(PRICED_DATES, day.date) is not None:
            return Refused(DAY_PRICED, line, f"date {day.date}")
    rows = ((day.date, DayException(is_working=day.is_working, basis=body.basis)) for day in body.days)
    return Proposal(changes=tuple((DAY_EXCEPTIONS, BusinessDate(date), row) for date, row in rows), record={})


MODULE = RuleModule(
    name="working_days",
    meaning="Days on which prices are taken.",
    tables=(DAY_EXCEPTIONS,),
    kinds=(
        Kind(
            name="working_days_set",
            body=WorkingDaysSet,
            meaning="Set holidays, and weekends that are worked.",
            refusals=(DAY_INVALID, DAY_PRICED),
            decide=_set,
        ),
    ),
)
