"""The share of mined coins to be sold, as dated data with source and legal status; never a constant in a rule."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Protocol, TypeVar

import msgspec
from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField, LabelField, ParticipantField, TextField
from settlement.model.registers import Subtype


class LegalStatus(StrEnum):
    """How sure a rule is."""

    CONFIRMED = "confirmed"
    """Read in the act itself."""
    ASSUMED = "assumed"
    """Taken from reports; the act could not be read to the word."""
    REPEALED = "repealed"


class Basis(StrEnum):
    """Of what the share is taken. The value of a sale at its own price is none: see `settlement.quota.valuation`."""

    QUANTITY_PER_COIN = "quantity_per_coin"
    VALUE_AT_RECEIPT = "value_at_receipt"
    """All coins pooled, each quantity at the value of its lot on the day of distribution."""


class Period(StrEnum):
    """Over what the duty is taken together."""

    LOT_CUMULATIVE = "lot_cumulative"
    """Lot by lot, from the first on; a sale may fill the duty of an older lot."""
    CALENDAR_YEAR = "calendar_year"
    """The lots of a year against the sales of the same year."""
    QUARTER = "quarter"


class Excess(StrEnum):
    """What becomes of sales beyond the duty."""

    NO_CARRY = "no_carry"
    CARRY = "carry"
    """They lessen the duty of what is distributed later."""


POLICIES_MAX: Final = 64
"""Most policies of one history: a change a year outlasts everybody, and the row stays small."""

EXEMPT_MAX: Final = 64
"""Most miners that one policy exempts by name."""


class RatePolicy(Record, frozen=True, kw_only=True):
    """What share of a lot must be sold, for lots distributed from one local date until just before another."""

    policy: LabelField
    valid_from: DateField
    valid_until: DateField | None = None
    """The first date it no longer holds."""
    share_numerator: Annotated[int, Meta(ge=0, le=1_000_000)]
    share_denominator: Annotated[int, Meta(ge=1, le=1_000_000)]
    basis: Basis = Basis.QUANTITY_PER_COIN
    period: Period = Period.LOT_CUMULATIVE
    excess: Excess = Excess.NO_CARRY
    subtypes: tuple[Subtype, ...] = (1, 2)
    """Licence subtypes in scope."""
    exempt: Annotated[tuple[ParticipantField, ...], Meta(max_length=EXEMPT_MAX)] = ()
    """Miners without a duty; their sales are still recorded."""
    legal_source: TextField
    legal_status: LegalStatus


class Treatment(StrEnum):
    """What a flag does to a claim until a person decides."""

    COUNT = "count"
    FLAG = "flag"
    """It counts, and the statement shows why one might ask."""
    HOLD = "hold"
    """It does not count before a decision."""
    EXCLUDE = "exclude"


class FlagPolicy(Record, frozen=True, kw_only=True):
    """What makes a sale suspect, for sales executed from one local date until just before another."""

    policy: LabelField
    valid_from: DateField
    valid_until: DateField | None = None
    """The first date it no longer holds."""
    window_us: Annotated[int, Meta(ge=1, le=31 * 24 * 3_600_000_000)]
    """How long after a sale a return is looked for, in microseconds."""
    hops: Annotated[int, Meta(ge=1, le=3)]
    """Through how many payments a return is followed; up to three the search is exact."""
    returned_ppm: Annotated[int, Meta(ge=1, le=1_000_000)]
    """The least part of the amount that makes it a round trip, in parts per million."""
    price_off_ppm: Annotated[int, Meta(ge=0, le=1_000_000)]
    """The most a price may differ from the reference, in parts per million of it."""
    related: Treatment = Treatment.HOLD
    """What a sale between related parties comes to until it is decided."""
    legal_source: TextField
    legal_status: LegalStatus


class Dated(Protocol):
    """A policy with the dates between which it holds."""

    @property
    def valid_from(self) -> BusinessDate: ...  # noqa: D102
    @property
    def valid_until(self) -> BusinessDate | None: ...  # noqa: D102


DatedT = TypeVar("DatedT", bound=Dated)
PolicyT = TypeVar("PolicyT", RatePolicy, FlagPolicy)


def policy_on(policies: Sequence[DatedT], date: BusinessDate) -> DatedT | None:
    """Return the policy for a local date, or None where none holds."""
    for policy in policies:
        if policy.valid_from <= date and (policy.valid_until is None or date < policy.valid_until):
            return policy
    return None


def timeline(history: Sequence[PolicyT]) -> tuple[PolicyT, ...]:
    """Return the policies as they hold, not overlapping: one set later wins from its first date on."""
    standing: list[PolicyT] = []
    for policy in history:
        standing = _cut(standing, policy.valid_from)
        standing.append(policy)
    return tuple(standing)


def _cut(policies: Sequence[PolicyT], date: BusinessDate) -> list[PolicyT]:
    """End what holds on a date, and drop what would only begin then."""
    return [
        policy
        if policy.valid_until is not None and policy.valid_until <= date
        else msgspec.structs.replace(policy, valid_until=date)
        for policy in policies
        if policy.valid_from < date
    ]


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

FLAG_POLICIES: Final = (
    FlagPolicy(
        policy="F24",
        valid_from=BusinessDate("2024-01-01"),
        window_us=72 * 3_600_000_000,
        hops=3,
        returned_ppm=900_000,
        price_off_ppm=50_000,
        legal_source="No act that names a test was found; the project's own reading",
        legal_status=LegalStatus.ASSUMED,
    ),
)
"""A round trip: nine tenths come back within 72 hours through at most three payments. A price off by a twentieth."""
