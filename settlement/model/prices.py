"""Published prices of coins, by local date, and the days on which none is taken."""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import AmountField, DateField, OrderField, TextField, TimestampField

PRICES_PER_DAY_MAX: Final = 256
"""Most prices of one publication: the list of coins is closed and short."""

PRICE_CORRECTIONS_MAX: Final = 16
"""Most corrections of one price: each is an exception, and their history stays in one row."""

DAYS_PER_DECREE_MAX: Final = 366
"""Most days that one transaction sets: a year."""

CARRY_DAYS_MAX: Final = 14
"""Most days in a row on which no price is taken. The longest holidays known are shorter; past this the calendar is
wrong, and no price is better than a price of long ago."""


class PriceReference(Record, frozen=True, kw_only=True):
    """The published price of a coin; keyed ``<coin>/<date>``."""

    price: AmountField
    """Tiyn for one whole coin."""
    source: TextField
    """Who took it from where."""
    published_us: TimestampField
    """When the ledger took this version."""
    version: Annotated[int, Meta(ge=1, le=PRICE_CORRECTIONS_MAX + 1)] = 1
    """1 as first published, one more with each correction."""
    carried_from: DateField | None = None
    """For a non-working day: the working day whose price this is. Never set in the state."""


class SupersededPrice(Record, frozen=True, kw_only=True):
    """A price that was corrected, and why."""

    reference: PriceReference
    superseded_us: TimestampField
    reason: OrderField


class DayException(Record, frozen=True, kw_only=True):
    """A holiday on a weekday, or a day of work on a weekend; keyed by the local date."""

    is_working: bool
    basis: OrderField
    """Number of the act or order that says so."""
