"""Local dates in Kazakhstan, from the dated UTC offsets of the ledger and from nothing else (design D24)."""

import datetime
from collections.abc import Sequence
from typing import Final

from ledger.rules.tables import UtcOffset
from ledger.units import TIMESTAMP_MAX, BusinessDate, TimestampUs

MINUTE_US: Final = 60_000_000
"""Microseconds in a minute."""

DATE_MAX: Final = datetime.date(2250, 12, 31)
"""Last date a register takes: a few years on, its start is still a timestamp (the last one is in 2255)."""

_EPOCH: Final = datetime.date(1970, 1, 1)
_DAY_US: Final = 24 * 60 * MINUTE_US


def local_date(offsets: Sequence[UtcOffset], moment: TimestampUs) -> BusinessDate:
    """Return the date on the wall in Kazakhstan at a moment.

    Args:
        offsets: ascending, the first from 0 on (genesis checks it).
        moment: microseconds since 1970-01-01T00:00:00Z.
    """
    offset = next(offset for offset in reversed(offsets) if offset.from_us <= moment)
    days = (moment + offset.offset_minutes * MINUTE_US) // _DAY_US
    return BusinessDate((_EPOCH + datetime.timedelta(days=days)).isoformat())


def start_of(offsets: Sequence[UtcOffset], date: datetime.date) -> TimestampUs:
    """Return the first moment of a local date before 2255; 0 for dates before the epoch."""
    midnight_us = (date - _EPOCH).days * _DAY_US
    starts = [max(offset.from_us, midnight_us - offset.offset_minutes * MINUTE_US) for offset in offsets]
    ends = [*(offset.from_us for offset in offsets[1:]), TIMESTAMP_MAX + 1]
    return TimestampUs(next(start_us for start_us, end_us in zip(starts, ends, strict=True) if start_us < end_us))


def calendar_date(text: str) -> datetime.date | None:
    """Return the date; None if its month has no such day, or it is past ``DATE_MAX``."""
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        return None
    return date if date <= DATE_MAX else None


def years_later(date: datetime.date, years: int) -> datetime.date:
    """Return the same day of a later year; 1 March for a 29 February that does not exist there."""
    try:
        return date.replace(year=date.year + years)
    except ValueError:
        return datetime.date(date.year + years, 3, 1)
