"""Histories of half-open intervals: was it valid at that moment?

A history is a tuple of intervals in order of time that never overlap. Outside all of them the subject was nothing.
"""

from enum import StrEnum
from typing import Final

from ledger.model.record import Record
from ledger.units import TIMESTAMP_MAX, TimestampField, TimestampUs

INTERVALS_MAX: Final = 64
"""Most intervals of one history: decades of suspensions, and a row of the state stays small."""


class Status(StrEnum):
    """What a register says of a subject during an interval."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    """For good: withdrawn, deprived or terminated."""


class Interval(Record, frozen=True, kw_only=True):
    """A status from a moment on, until just before another: [from, until)."""

    status: Status
    from_us: TimestampField
    until_us: TimestampField | None = None
    """The first moment that no longer belongs to it; None: no end is known."""


History = tuple[Interval, ...]


def contains(interval: Interval, moment: TimestampUs) -> bool:
    """Whether a moment lies in an interval: its start does, its end does not."""
    return interval.from_us <= moment < _end(interval)


def was_active(history: History, moment: TimestampUs) -> bool:
    """Whether the subject was active at that moment."""
    return any(interval.status is Status.ACTIVE and contains(interval, moment) for interval in history)


def is_empty(interval: Interval) -> bool:
    """Whether no moment lies in the interval."""
    return _end(interval) <= interval.from_us


def readable(interval: Interval) -> str:
    """Return an interval as a refusal tells it: ``active from 10 until 20``."""
    end = "" if interval.until_us is None else f" until {interval.until_us}"
    return f"{interval.status} from {interval.from_us}{end}"


def with_grant(history: History, grant: Interval) -> History | None:
    """Return the history with one interval more, or None if it would overlap one that stands."""
    if any(grant.from_us < _end(other) and other.from_us < _end(grant) for other in history):
        return None
    return tuple(sorted((*history, grant), key=_start))


def with_status(history: History, change: Interval) -> History | None:
    """Return the history with another status inside one interval that stands, which is split around it.

    A change without an end lasts as long as the interval it lies in. None if it does not lie wholly inside one
    interval of another status, or that status is for good.
    """
    for index, around in enumerate(history):
        if not contains(around, change.from_us):
            continue
        until_us = around.until_us if change.until_us is None else change.until_us
        inside = Interval(status=change.status, from_us=change.from_us, until_us=until_us)
        if _end(inside) > _end(around) or around.status in (change.status, Status.REVOKED):
            return None
        return (*history[:index], *_split(around, inside), *history[index + 1 :])
    return None


def _split(around: Interval, inside: Interval) -> History:
    pieces = [inside]
    if around.from_us < inside.from_us:
        pieces.insert(0, Interval(status=around.status, from_us=around.from_us, until_us=inside.from_us))
    if inside.until_us is not None and inside.until_us < _end(around):
        pieces.append(Interval(status=around.status, from_us=inside.until_us, until_us=around.until_us))
    return tuple(pieces)


def _start(interval: Interval) -> int:
    return interval.from_us


def _end(interval: Interval) -> int:
    return TIMESTAMP_MAX + 1 if interval.until_us is None else interval.until_us
