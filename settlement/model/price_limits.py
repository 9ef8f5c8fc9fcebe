"""Limits on the price of a sale: how old the reference price may be, and how far from it a sale may lie."""

import datetime
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField
from settlement.model.custody import MILLION

REFERENCE_AGE_DAYS_DEFAULT: Final = 14
"""Oldest reference price of an instructed sale where no supervisor has set a limit, in calendar days: the longest
holidays known are shorter."""

AgeField = Annotated[int, Meta(ge=0, le=366)]
"""An age in calendar days."""

BandField = Annotated[int, Meta(ge=1, le=MILLION)]
"""A distance from a price, in parts per million of it."""


class PriceLimit(Record, frozen=True, kw_only=True):
    """What a supervisor has set for a coin."""

    age_days_max: AgeField
    """Oldest reference price, in calendar days before the local date of execution."""
    band_ppm: BandField | None = None
    """Farthest from the reference price that a sale may lie; None: no band."""


class DatedPriceLimit(Record, frozen=True, kw_only=True):
    """The limit of a coin, and the one that replaces it from a business date; keyed by the coin."""

    current: PriceLimit | None = None
    following: PriceLimit
    following_from: DateField

    def on(self, business_date: BusinessDate) -> PriceLimit | None:
        """Return the limit in force on a business date."""
        return self.current if business_date < self.following_from else self.following


def is_inside(price: int, reference: int, band_ppm: int) -> bool:
    """Whether a price lies within a band around a reference, its edges included."""
    return abs(price - reference) * MILLION <= band_ppm * reference


def age_days(reference_date: BusinessDate, executed_on: BusinessDate) -> int:
    """Return the calendar days from one existing date to another."""
    return (datetime.date.fromisoformat(executed_on) - datetime.date.fromisoformat(reference_date)).days
