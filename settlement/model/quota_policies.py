"""The share of mined coins to be sold, as dated data with source and legal status; never a constant in a rule."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField, LabelField, TextField
from settlement.model.registers import Subtype


class LegalStatus(StrEnum):
    """How sure a rule is."""

    CONFIRMED = "confirmed"
    """Read in the act itself."""
    ASSUMED = "assumed"
    """Taken from reports; the act could not be read to the word."""
    REPEALED = "repealed"


class RatePolicy(Record, frozen=True, kw_only=True):
    """What share of a lot must be sold, for lots distributed from one local date until just before another."""

    policy: LabelField
    valid_from: DateField
    valid_until: DateField | None = None
    """The first date it no longer holds."""
    share_numerator: Annotated[int, Meta(ge=0, le=1_000_000)]
    share_denominator: Annotated[int, Meta(ge=1, le=1_000_000)]
    basis: Literal["quantity_per_coin"] = "quantity_per_coin"
    """Of what the share is taken; other readings come with their own computation."""
    subtypes: tuple[Subtype, ...] = (1, 2)
    """Licence subtypes in scope."""
    legal_source: TextField
    legal_status: LegalStatus


def policy_on(policies: tuple[RatePolicy, ...], date: BusinessDate) -> RatePolicy | None:
    """Return the policy for lots distributed on a local date, or None where no quota holds."""
    for policy in policies:
        if policy.valid_from <= date and (policy.valid_until is None or date < policy.valid_until):
            return policy
    return None


QUOTA_POLICIES: Final = (
    RatePolicy(
        policy="P24",
        valid_from=BusinessDate("2024-01-01"),
        valid_until=BusinessDate("2025-01-01"),
        share_numerator=1,
        share_denominator=2,
        legal_source="Law No. 193-VII of 6 February 2023, art. 8(4); share and date from press reports",
        legal_status=LegalStatus.ASSUMED,
    ),
    RatePolicy(
        policy="P25",
        valid_from=BusinessDate("2025-01-01"),
        share_numerator=3,
        share_denominator=4,
        legal_source="Law No. 193-VII of 6 February 2023, art. 8(4); share and date from press reports",
        legal_status=LegalStatus.ASSUMED,
    ),
)
"""Whether the quota outlived the laws of November 2025 and January 2026 is not confirmed. There is none before 2024:
article 8(4) was the delayed part of the law."""
