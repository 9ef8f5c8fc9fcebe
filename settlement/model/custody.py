"""Custody: the reserve an exchange has shown for the coins it owes, and the fee it has posted."""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField, DigestField, OrderField, TimestampField, TotalField

MILLION: Final = 1_000_000
"""Parts of a fee of one: fees are posted in parts per million of the amount."""

FEE_PPM_MAX: Final = 20_000
"""Highest fee a tariff may post, in parts per million: two per cent. Without a bound, a tariff would be a way for
client money to reach the house. No act that sets one was found; this one is assumed."""

FeeField = Annotated[int, Meta(ge=0, le=FEE_PPM_MAX)]
"""A fee in parts per million of the tenge amount of a trade."""


NOTICE_DAYS_DEFAULT: Final = 1
"""Notice of a higher fee where no supervisor has set one, in calendar days: it starts on the next day."""

NOTICE_DAYS_MAX: Final = 366
"""Longest notice that may be asked for, in calendar days: a year."""

NoticeDaysField = Annotated[int, Meta(ge=1, le=NOTICE_DAYS_MAX)]
"""Notice of a higher fee, in calendar days."""


class Attestation(Record, frozen=True, kw_only=True):
    """The coins an auditor saw for an asset; keyed by the asset."""

    quantity: TotalField
    """What the auditor saw, less what was withdrawn since: the most that may be owed, in the coin's smallest unit."""
    evidence: DigestField
    """Commitment to what the auditor saw."""
    observed_us: TimestampField
    """When the auditor looked."""
    attested_us: TimestampField
    """When the ledger took it."""


class Tariff(Record, frozen=True, kw_only=True):
    """The most an exchange takes of a trade; keyed by its participant id."""

    fee_ppm: FeeField
    following_ppm: FeeField | None = None
    following_from: DateField | None = None

    def on(self, business_date: BusinessDate) -> int:
        """Return the parts per million in force on a business date."""
        if self.following_ppm is None or self.following_from is None or business_date < self.following_from:
            return self.fee_ppm
        return self.following_ppm


class TariffNotice(Record, frozen=True, kw_only=True):
    """How long before it starts a higher fee must be posted; one for all exchanges."""

    days: NoticeDaysField
    """Calendar days after the business date on which it was posted."""
    following_days: NoticeDaysField | None = None
    following_from: DateField | None = None
    order: OrderField

    def on(self, business_date: BusinessDate) -> int:
        """Return the days that hold for a tariff posted on a business date."""
        if self.following_days is None or self.following_from is None or business_date < self.following_from:
            return self.days
        return self.following_days


def fee_limit(amount: int, fee_ppm: int) -> int:
    """Return the highest fee for an amount, in tiyn, rounded down."""
    return amount * fee_ppm // MILLION
