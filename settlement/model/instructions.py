"""Instructions to settle a sale: what each side said, what is set aside, what came of it and when.

A status goes forward only, so its history is short by construction.
"""

import datetime
from collections.abc import Container
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ledger.model.record import Record
from ledger.model.transactions import Mandate, VerifiedMandate
from ledger.units import (
    AccountField,
    AmountField,
    BusinessDate,
    DateField,
    DigestField,
    KidField,
    LabelField,
    OrderField,
    TimestampField,
    TimestampUs,
    TotalField,
)
from settlement.model.registers import CoinField

STATUSES_MAX: Final = 6
"""Most statuses in one history: pending, unmatched, matched, allocated, settled, reversed."""

CUT_OFF_MINUTES_DEFAULT: Final = 18 * 60
"""Cut-off where an exchange has set none, in minutes after local midnight: 18:00. No act that sets one was found."""

SETTLEMENT_DAYS_MAX: Final = 31
"""Longest way from the business date of an instruction to its settlement date, in calendar days."""

RUN_OFF_DAYS_MAX: Final = 92
"""Longest run-off that one order may set, in days: a quarter. A longer one is ordered again."""

MinutesField = Annotated[int, Meta(ge=1, le=24 * 60)]
"""A time of day, in minutes after local midnight."""

SideName = Literal["seller", "buyer"]


class Terms(Record, frozen=True, kw_only=True):
    """What both sides of a sale must name alike."""

    coin: CoinField
    quantity: AmountField
    """In the coin's smallest unit."""
    price: AmountField
    """Tiyn for one whole coin."""
    seller_coin: AccountField
    seller_tenge: AccountField
    buyer_tenge: AccountField
    buyer_coin: AccountField
    settlement_date: DateField
    """The business date on which it is to settle."""
    reference_price: AmountField
    """The published price of the coin, in tiyn for one whole coin."""
    reference_date: DateField
    executed_us: TimestampField
    """When buyer and seller met, as the exchange attests."""


class Charges(Record, frozen=True, kw_only=True):
    """What is taken out of the seller's proceeds, in tiyn, if all of the sale settles."""

    fee: TotalField = 0
    fee_account: AccountField | None = None
    """Account of class fee, if there is a fee."""
    tax: TotalField = 0
    """Set aside for the tax authority; counts as price the seller does not receive."""
    tax_account: AccountField | None = None
    """Account of class tax_escrow, if there is a tax."""


class Consent(Record, frozen=True, kw_only=True):
    """A mandate as it was verified, kept until the sale settles."""

    mandate: Mandate
    kid: KidField
    digest: DigestField

    @property
    def verified(self) -> VerifiedMandate:
        """The mandate, as the rules take it."""
        return VerifiedMandate(self.mandate, self.kid, self.digest)


class SideInstruction(Record, frozen=True, kw_only=True):
    """What one side said."""

    terms: Terms
    charges: Charges
    """Of the seller; nothing for a buyer."""
    consent: Consent
    cut_off_us: TimestampField
    """First moment at which it no longer settles: the cut-off of its settlement date, as it stood then."""
    transaction: DigestField


class InstructionStatus(StrEnum):
    """Where a sale stands. The order below is the only way through; some are left out."""

    PENDING = "pending"
    """One side is here."""
    UNMATCHED = "unmatched"
    """Both are here and differ."""
    MATCHED = "matched"
    ALLOCATED = "allocated"
    """Coins and tenge are set aside."""
    SETTLED = "settled"
    PARTLY_SETTLED = "partly_settled"
    """A part is final, the rest has failed."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    """All that settled was moved back."""


OPEN_STATUSES: Final = frozenset(
    {
        InstructionStatus.PENDING,
        InstructionStatus.UNMATCHED,
        InstructionStatus.MATCHED,
        InstructionStatus.ALLOCATED,
    }
)
"""Statuses of a sale that may still settle."""

UNMATCHED_STATUSES: Final = frozenset({InstructionStatus.PENDING, InstructionStatus.UNMATCHED})
"""Statuses in which a side may still say something else."""


class FailCause(StrEnum):
    """Why a sale, or the rest of it, did not settle."""

    CASH_SHORT = "CASH_SHORT"
    """The buyer did not have the tenge."""
    COIN_SHORT = "COIN_SHORT"
    """The seller did not have the coins."""
    VENUE_SUSPENDED = "VENUE_SUSPENDED"
    LICENCE_LAPSED = "LICENCE_LAPSED"
    """The miner's."""
    DEADLINE_PASSED = "DEADLINE_PASSED"
    """All was there, and nobody settled it in time; or the sides never matched."""
    CANCELLED_BY_BOTH = "CANCELLED_BY_BOTH"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    """A holder took its mandate back, or the key that signed it was revoked; it was released before its deadline."""


class StatusInterval(Record, frozen=True, kw_only=True):
    """A status from a moment on, until just before another: [from, until)."""

    status: InstructionStatus
    from_us: TimestampField
    until_us: TimestampField | None = None


class SetAside(Record, frozen=True, kw_only=True):
    """Coins and tenge that nothing but this sale may take before the deadline."""

    quantity: AmountField
    """Of the seller's coins; less than instructed where the sale may settle in part."""
    amount: AmountField
    """Of the buyer's tenge: what that quantity costs."""
    deadline_us: TimestampField
    """First moment at which it no longer settles and anybody may release it."""
    cause: FailCause | None = None
    """For a part: why the rest is missing."""


class Settled(Record, frozen=True, kw_only=True):
    """What is final of a sale."""

    quantity: AmountField
    amount: AmountField
    """Tiyn the buyer paid."""
    fee: TotalField = 0
    tax: TotalField = 0
    settled_us: TimestampField
    is_net: bool = False
    """Whether the tenge moved netted with other sales."""
    transaction: DigestField


class Instruction(Record, frozen=True, kw_only=True):
    """A sale on its way; keyed ``<exchange>/<trade>``."""

    history: tuple[StatusInterval, ...]
    seller: SideInstruction | None = None
    buyer: SideInstruction | None = None
    differs: tuple[str, ...] = ()
    """Names of the terms in which the sides differ."""
    related: LabelField | None = None
    """How seller and buyer belong together, if they do: a mark for those who look for sham sales."""
    set_aside: SetAside | None = None
    settled: Settled | None = None

    @property
    def status(self) -> InstructionStatus:
        """The status that stands."""
        return self.history[-1].status

    @property
    def cut_off_us(self) -> TimestampUs:
        """The later cut-off of the sides that are here."""
        return max(side.cut_off_us for side in (self.seller, self.buyer) if side is not None)

    @property
    def deadline_us(self) -> TimestampUs:
        """First moment at which it no longer settles."""
        return self.cut_off_us if self.set_aside is None else self.set_aside.deadline_us


class Fail(Record, frozen=True, kw_only=True):
    """A sale, or the rest of one, that did not settle; keyed ``<exchange>/<trade>``."""

    cause: FailCause
    quantity: AmountField
    """What did not settle, in the coin's smallest unit."""
    settlement_date: DateField
    """Its age counts from here."""
    failed_on: DateField
    """Business date on which that was put on record."""
    failed_us: TimestampField


class Reversal(Record, frozen=True, kw_only=True):
    """What was moved back of a settled sale, all reversals together; keyed ``<exchange>/<trade>``."""

    quantity: AmountField
    """In the coin's smallest unit; a claim of this key counts for so much less, in its original period."""
    amount: AmountField
    """Tiyn the buyer got back."""
    fee: TotalField = 0
    tax: TotalField = 0
    reversed_us: TimestampField
    """When the last of them was final."""
    reason: OrderField
    transaction: DigestField


class CutOff(Record, frozen=True, kw_only=True):
    """Time of day after which an exchange settles nothing for that day; keyed by its participant id."""

    minutes: MinutesField
    following_minutes: MinutesField | None = None
    following_from: DateField | None = None

    def on(self, date: BusinessDate) -> int:
        """Return the minutes after local midnight that hold for a settlement date."""
        if self.following_minutes is None or self.following_from is None or date < self.following_from:
            return self.minutes
        return self.following_minutes


class RunOff(Record, frozen=True, kw_only=True):
    """An order under which a suspended exchange still settles what was executed before; keyed by the exchange."""

    from_us: TimestampField
    until_us: TimestampField
    order: OrderField


def differing(one: Terms, other: Terms) -> tuple[str, ...]:
    """Return the names of the terms that two sides name differently, in their order."""
    return tuple(name for name in Terms.__struct_fields__ if getattr(one, name) != getattr(other, name))


def with_status(instruction: Instruction, status: InstructionStatus, time_us: TimestampUs) -> Instruction:
    """Return the instruction in another status from a moment on; unchanged if that status stands."""
    if instruction.status is status:
        return instruction
    ended = msgspec.structs.replace(instruction.history[-1], until_us=time_us)
    history = (*instruction.history[:-1], ended, StatusInterval(status=status, from_us=time_us))
    assert len(history) <= STATUSES_MAX, "a status goes forward only"
    return msgspec.structs.replace(instruction, history=history)


def status_at(instruction: Instruction, moment: TimestampUs) -> InstructionStatus | None:
    """Return the status at a moment; None before there was any."""
    for interval in reversed(instruction.history):
        if interval.from_us <= moment:
            return interval.status
    return None


def part_of(total: int, part: int, whole: int) -> int:
    """Return the share of a total that belongs to a part of the whole, rounded down."""
    return total * part // whole


def affordable(tenge: int, price: int, scale: int) -> int:
    """Return the largest quantity that costs no more than so many tiyn, in the coin's smallest unit.

    Args:
        tenge: tiyn.
        price: tiyn for one whole coin.
        scale: decimal places of the coin.
    """
    return int(((tenge + 1) * 10**scale - 1) // price)


def business_days_since(fail: Fail, as_of: BusinessDate, holidays: Container[BusinessDate] = ()) -> int:
    """Return the age of a fail: the business days after its settlement date, up to and including a date.

    Args:
        fail: what did not settle.
        as_of: a date that exists.
        holidays: days on which nothing settles, besides Saturdays and Sundays.
    """
    first = datetime.date.fromisoformat(fail.settlement_date)
    days = (datetime.date.fromisoformat(as_of) - first).days
    dates = (first + datetime.timedelta(days=number) for number in range(1, days + 1))
    return sum(date.weekday() < 5 and BusinessDate(date.isoformat()) not in holidays for date in dates)
