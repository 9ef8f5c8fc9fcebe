"""State tables that every capability reads, and what the posting rules keep."""

import sys
from typing import Final

import msgspec

from ledger.model.accounts import Account
from ledger.model.assets import Asset
from ledger.model.participants import DatedPolicy, Key, Participant
from ledger.model.record import Record
from ledger.state import Table, View
from ledger.units import (
    AssetId,
    BusinessDate,
    DateField,
    KidField,
    ParticipantId,
    TimestampField,
    TotalField,
)


class LedgerState(Record, frozen=True, kw_only=True):
    """The few facts of which there is one."""

    network: str
    business_date: DateField
    former_business_date: DateField | None = None
    """The business date before this one; None until the first day close."""
    rulebook: int
    following_rulebook: int | None = None
    following_rulebook_from: DateField | None = None
    recovery_delay_us: TimestampField
    """How long a recovered key waits before it is valid, in microseconds."""
    log_key: KidField
    """The key that signs the next checkpoint."""


class UtcOffset(Record, frozen=True, kw_only=True):
    """Local time in Kazakhstan from a moment on."""

    from_us: TimestampField
    offset_minutes: int


class Day(Record, frozen=True, kw_only=True):
    """Sums of one asset on one business date, against the caps."""

    date: DateField
    issued: TotalField = 0
    redeemed: TotalField = 0


class Cap(Record, frozen=True, kw_only=True):
    """Most of an asset that one business day may issue, and may redeem."""

    per_day: TotalField
    following: TotalField | None = None
    following_from: DateField | None = None

    def on(self, business_date: BusinessDate) -> int:
        """Return the cap in force on a business date."""
        if self.following is None or self.following_from is None or business_date < self.following_from:
            return self.per_day
        return self.following


def _intern_account(account: Account) -> Account:
    return msgspec.structs.replace(
        account,
        asset=AssetId(sys.intern(account.asset)),
        owner=ParticipantId(sys.intern(account.owner)),
        account_class=sys.intern(account.account_class),
    )


THE: Final = "the"
"""Key of the one row of a table that has one row."""

LEDGER: Final = Table[LedgerState]("ledger", LedgerState)
UTC_OFFSETS: Final = Table[tuple[UtcOffset, ...]]("utc_offsets", tuple[UtcOffset, ...])
ASSETS: Final = Table[Asset]("assets", Asset)
ACCOUNTS: Final = Table[Account]("accounts", Account, intern=_intern_account)
BALANCES: Final = Table[int]("balances", int)
PARTICIPANTS: Final = Table[Participant]("participants", Participant)
PARTICIPANT_CODES: Final = Table[str]("participant_codes", str)
"""Three-digit code to participant id: a code is given once."""
KEYS: Final = Table[Key]("keys", Key)
POLICIES: Final = Table[DatedPolicy]("policies", DatedPolicy)
CAPS: Final = Table[Cap]("caps", Cap)
DAYS: Final = Table[Day]("days", Day)
RESERVE_PAYMENTS: Final = Table[str]("reserve_payments", str)
"""Reference of a payment in central bank reserves to the transaction that used it, for ever."""

CORE_TABLES: Final = (
    LEDGER,
    UTC_OFFSETS,
    ASSETS,
    ACCOUNTS,
    BALANCES,
    PARTICIPANTS,
    PARTICIPANT_CODES,
    KEYS,
    POLICIES,
    CAPS,
    DAYS,
    RESERVE_PAYMENTS,
)


def ledger_of(view: View) -> LedgerState:
    """Return the one ledger row."""
    ledger = view.get(LEDGER, THE)
    assert ledger is not None, "genesis writes the ledger row"
    return ledger
