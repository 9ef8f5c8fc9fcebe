"""What the views answer, and why they may not."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from ledger.model.journal import Side
from ledger.model.record import Record
from ledger.units import AccountId, AssetId, BusinessDate, Kid, ParticipantId, Reference, TimestampUs

Value = TypeVar("Value")


class ViewsUnavailable(Exception):
    """The views are not made yet, or their database cannot be reached."""


class ViewsBehind(Exception):
    """The views have not applied what the answer would depend on. They catch up: ask again."""


class UnknownCursor(ValueError):
    """The cursor is none that a page of this account gave out."""


@dataclass(frozen=True, slots=True)
class AsOf(Generic[Value]):
    """An answer, and how much of the log it includes."""

    size: int
    """Leaves applied: every leaf with a lower sequence number is included, none above."""
    height: int
    """The newest block included; -1 if there is none."""
    value: Value


class StatementLine(Record, frozen=True, kw_only=True):
    """One posting on an account."""

    number: int
    """Lines of the account up to this one, from 1."""
    side: Side
    amount: int
    balance: int
    """Balance of the account after it."""
    counterparty: AccountId | None = None
    """The other account of an entry of two postings; absent in larger ones."""
    label: str | None = None
    """The sender's name of the line of a bulk."""
    sequence: int
    """Leaf index of the entry."""
    line: int
    """Line of the transaction, from 0."""
    height: int
    time_us: TimestampUs
    business_date: BusinessDate
    kind: str
    participant: ParticipantId
    """Who sent the transaction."""
    reference: Reference
    transaction_id: bytes


class Statement(Record, frozen=True, kw_only=True):
    """A page of an account's statement."""

    account: AccountId
    balance: int
    """Balance after the newest line there is, whatever the page."""
    line_count: int
    """Lines there are."""
    lines: tuple[StatementLine, ...]
    next_cursor: int | None = None
    """Where the next page goes on; absent on the last one."""


class TransactionRow(Record, frozen=True, kw_only=True):
    """A decided transaction."""

    participant: ParticipantId
    reference: Reference
    transaction_id: bytes
    kind: str
    height: int
    place: int
    """Index among the block's submissions."""
    sequence: int
    """Leaf index of its first leaf."""
    leaf_count: int
    time_us: TimestampUs
    business_date: BusinessDate
    code: str | None = None
    """Refusal code; absent if it was accepted."""
    line: int = 0
    """First failing line of a refused atomic bulk."""


class RefusalRow(Record, frozen=True, kw_only=True):
    """A refusal: of a whole transaction, or of one line of an independent bulk."""

    sequence: int
    """Its leaf index."""
    line: int
    code: str


class ParticipantRow(Record, frozen=True, kw_only=True):
    """An admitted institution, as of now."""

    participant: ParticipantId
    name: str
    role: str
    code: str
    quorum: int
    is_suspended: bool
    changed_height: int
    """Block that changed it last."""


class KeyChange(Record, frozen=True, kw_only=True):
    """A key as it stood after a block that changed it."""

    kid: Kid
    height: int
    signatory: str
    use: str
    x: str
    active_from_us: TimestampUs
    active_from_date: BusinessDate
    is_revoked: bool


class Supply(Record, frozen=True, kw_only=True):
    """Sums of one asset, in its smallest unit."""

    asset: AssetId
    issued: int
    redeemed: int

    @property
    def in_circulation(self) -> int:
        """What the holders' accounts hold together."""
        return self.issued - self.redeemed


class BusinessDay(Record, frozen=True, kw_only=True):
    """A closed business date."""

    business_date: BusinessDate
    opens: BusinessDate
    """The business date after it."""
    sequence: int
    """Leaf index of the record that closed it."""
    height: int
    time_us: TimestampUs
    trial_balance: dict[str, dict[str, dict[str, int]]] | None = None
    """By asset and account class: number of ``accounts`` and ``sum`` of balances, when it was closed; absent where it
    is too long for a record."""
    trial_balance_digest: str | None = None
    """Digest of the trial balance where the record holds no more than that, base64url."""
    supply: tuple[Supply, ...]
    """What was issued and redeemed on the day, of assets that were."""


def reference_of(data: bytes) -> Reference:
    """Return the text of a reference kept as 16 bytes."""
    digits = data.hex()
    text = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return Reference(text)
