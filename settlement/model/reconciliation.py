"""Reconciliation: what an exchange owes by its books, by the ledger and by an auditor's look, and where they differ.

A cut holds what the ledger shows at one place of the order. The books are stated as of that cut, so that nothing moves
between the two sides of the comparison. Coverage is one exact fraction for each asset; assets are never netted.
"""

from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    BALANCE_MAX,
    AmountField,
    AssetField,
    DateField,
    DigestField,
    OrderField,
    ParticipantField,
    TimestampField,
    TotalField,
)

ASSETS_PER_CUT_MAX: Final = 64
"""Most assets of one cut or one reconciliation: all that an exchange trades, and the record fits in one leaf."""

REPORTED_BREAKS_MAX: Final = 16
"""Most breaks that an exchange reports for one asset: by reason, not by account."""

CUTS_PER_DAY_MAX: Final = 24
"""Most cuts of one asset on one business date: a cut of the tenge sums up all client accounts of the exchange."""

LISTED_ACCOUNTS_MAX: Final = 1_048_576
"""Most listed tenge accounts of clients of one exchange: a cut sums them up in about half a second."""

LISTED_BY_ORDER_MAX: Final = 8_192
"""Most accounts that the order to reconcile lists where some of them are empty: as many as a block has lines. Accounts
with money in them are listed whatever their number, so that an exchange cannot escape the order by having many."""

ACCOUNTS_PER_PAGE: Final = 1_024
"""Accounts in one row of the list: a row is written anew for each listing, and read whole by a cut."""

ATTESTATION_HOURS_MAX: Final = 744
"""Longest time that an auditor's look may serve, in hours: 31 days, as custody records are checked monthly at least
(CASS 6.6)."""

AttestationHoursField = Annotated[int, Meta(ge=1, le=ATTESTATION_HOURS_MAX)]
"""How old an auditor's look may be at a cut, in hours."""

HOUR_US: Final = 3_600_000_000
"""Microseconds in an hour."""

CountField = Annotated[int, Meta(ge=0, le=BALANCE_MAX)]
"""A number of accounts; what an order lists is not bounded by what an exchange may list."""


class Result(StrEnum):
    """What a reconciliation came to."""

    BALANCED = "balanced"
    BROKEN = "broken"


class BreakReason(StrEnum):
    """Why the three sides do not agree, as the ledger finds it."""

    BOOKS_ABOVE_LEDGER = "books_above_ledger"
    """The books owe clients more than the ledger shows: a shortfall."""
    BOOKS_BELOW_LEDGER = "books_below_ledger"
    """The ledger shows more than the books owe: client property that the books do not know."""
    ATTESTATION_MISSING = "attestation_missing"
    """Coins are owed, and no auditor ever looked at them."""
    ATTESTATION_OLD = "attestation_old"
    """Coins are owed, and the auditor's look is older than the supervisor allows."""
    RESERVE_SHORT = "reserve_short"
    """The auditor saw fewer coins than are owed."""


class ReportedReason(StrEnum):
    """What the exchange itself found to be the cause of a difference between its books and the ledger."""

    UNCREDITED_DEPOSIT = "uncredited_deposit"
    """It arrived and stands in the books, and was not yet posted on the ledger."""
    UNBOOKED_RECEIPT = "unbooked_receipt"
    """It was posted on the ledger, and the books do not say for whom."""
    UNPOSTED_WITHDRAWAL = "unposted_withdrawal"
    """It left by the books, and was not yet posted on the ledger."""
    FEE_DIFFERENCE = "fee_difference"
    POSTING_ERROR = "posting_error"


class Excess(StrEnum):
    """The side on which a reported difference makes the larger sum."""

    BOOKS = "books"
    LEDGER = "ledger"


class ReportedBreak(Record, frozen=True, kw_only=True):
    """A cause of the difference, as the exchange reports it; it explains and does not cure."""

    reason: ReportedReason
    excess: Excess
    amount: AmountField


class Break(Record, frozen=True, kw_only=True):
    """A disagreement that the ledger found, in the asset's smallest unit."""

    reason: BreakReason
    amount: TotalField


class Requirement(Record, frozen=True, kw_only=True):
    """The order under which an exchange reconciles; keyed by its participant id."""

    from_date: DateField
    """The first business date that has to be reconciled."""
    attestation_hours: AttestationHoursField
    order: OrderField
    accounts: CountField = 0
    """How many tenge accounts of clients are listed."""


class Cut(Record, frozen=True, kw_only=True):
    """What the ledger showed at one place of the order; keyed ``<exchange>/<asset>``."""

    date: DateField
    """The business date on which it was taken."""
    taken_us: TimestampField
    number: Annotated[int, Meta(ge=1, le=CUTS_PER_DAY_MAX)]
    """Which cut of that date, from 1."""
    ledger: TotalField
    """Tenge on the exchange's accounts of client classes; of a coin, all that the exchange owes of it."""
    accounts: CountField = 0
    """How many tenge accounts were summed up."""
    attested: TotalField | None = None
    """Coins that an auditor saw, less what left since; None where nobody looked, and for the tenge."""
    observed_us: TimestampField | None = None
    """When the auditor looked."""


class Reconciliation(Record, frozen=True, kw_only=True):
    """The last reconciliation of an asset; keyed ``<exchange>/<asset>``. Earlier ones stand in the log."""

    date: DateField
    cut_us: TimestampField
    """When the cut was taken that the books were compared with."""
    result: Result
    books: TotalField
    """What the exchange owes its clients by its own books."""
    ledger: TotalField
    backing: TotalField
    """What stands behind it: client-class tenge, or coins attested by a look that is not too old."""
    breaks: tuple[Break, ...] = ()
    unexplained: TotalField = 0
    """The part of the difference between books and ledger that no reported break explains."""
    reconciled_us: TimestampField
    auditor: ParticipantField | None = None
    """The auditor that signed too."""
    missed: DateField | None = None
    """The business date before it, where nothing was reconciled for that one: new business rests until the next."""

    @property
    def owed(self) -> int:
        """What clients are owed: by the books, and never less than the ledger shows."""
        return max(self.books, self.ledger)


class Liabilities(Record, frozen=True, kw_only=True):
    """The last published root of a proof of liabilities; keyed ``<exchange>/<asset>``."""

    date: DateField
    cut_us: TimestampField
    root: DigestField
    total: TotalField
    leaves: TotalField
    ledger: TotalField
    """What the ledger showed at the cut."""
    backing: TotalField
    published_us: TimestampField
    auditor: ParticipantField | None = None

    @property
    def coverage(self) -> Fraction | None:
        """What stands behind each unit owed."""
        return coverage(self.backing, self.total)


class AssetBooks(Record, frozen=True, kw_only=True):
    """What an exchange owes its clients of one asset by its own books, as of the cut."""

    asset: AssetField
    books: TotalField
    breaks: Annotated[tuple[ReportedBreak, ...], Meta(max_length=REPORTED_BREAKS_MAX)] = ()


def coverage(backing: int, owed: int) -> Fraction | None:
    """Return what stands behind each unit owed, exactly; None where nothing is owed. One asset, never several."""
    return Fraction(backing, owed) if owed else None


def is_old(cut: Cut, attestation_hours: int) -> bool:
    """Whether the auditor's look was too old when the cut was taken."""
    return cut.observed_us is not None and cut.observed_us < cut.taken_us - attestation_hours * HOUR_US


def backing_of(cut: Cut, *, is_coin: bool, attestation_hours: int) -> int:
    """Return what stands behind the asset: client-class tenge, or the coins of a look that is not too old."""
    if not is_coin:
        return cut.ledger
    return 0 if cut.attested is None or is_old(cut, attestation_hours) else cut.attested


def breaks_of(cut: Cut, books: int, *, is_coin: bool, attestation_hours: int) -> tuple[Break, ...]:
    """Return where the three sides disagree, in a fixed order; none: they balance.

    A difference of books and ledger is a break in either direction. More attested coins than are owed are none: they
    are the exchange's own, or deposits that it has not credited yet.
    """
    breaks = []
    if books > cut.ledger:
        breaks.append(Break(reason=BreakReason.BOOKS_ABOVE_LEDGER, amount=books - cut.ledger))
    elif books < cut.ledger:
        breaks.append(Break(reason=BreakReason.BOOKS_BELOW_LEDGER, amount=cut.ledger - books))
    owed = max(books, cut.ledger)
    if is_coin and owed:
        if cut.attested is None:
            breaks.append(Break(reason=BreakReason.ATTESTATION_MISSING, amount=owed))
        elif is_old(cut, attestation_hours):
            breaks.append(Break(reason=BreakReason.ATTESTATION_OLD, amount=owed))
        elif cut.attested < owed:
            breaks.append(Break(reason=BreakReason.RESERVE_SHORT, amount=owed - cut.attested))
    return tuple(breaks)


def unexplained(cut: Cut, books: AssetBooks) -> int:
    """Return how much of the difference between books and ledger the reported breaks leave open, or invent."""
    explained = sum(each.amount if each.excess is Excess.BOOKS else -each.amount for each in books.breaks)
    # Invented amounts may add up to more than any sum on the ledger; then it is the largest that a record can carry.
    return min(abs(books.books - cut.ledger - explained), BALANCE_MAX)
