"""Wind-down of an exchange: who runs it and since when, and what the distribution file says of each client."""

from fractions import Fraction
from typing import Final

from ledger.model.record import Record
from ledger.units import (
    AccountField,
    AssetField,
    ClassField,
    HolderField,
    OrderField,
    ParticipantField,
    TimestampField,
    TimestampUs,
    TotalField,
)

UNWOUND_MAX: Final = 64
"""Most sales that one order unwinds: what a batch settles at most. Many are unwound by many transactions."""


class WindDown(Record, frozen=True, kw_only=True):
    """The wind-down of an exchange, the last one if there were several; keyed by the exchange: [opened, closed)."""

    administrator: ParticipantField
    """Signs in place of the exchange."""
    order: OrderField
    opened_us: TimestampField
    closed_us: TimestampField | None = None
    closing_order: OrderField | None = None

    def stands_at(self, moment: TimestampUs) -> bool:
        """Whether the exchange was being wound down at a moment."""
        return self.opened_us <= moment and (self.closed_us is None or moment < self.closed_us)


class DistributionLine(Record, frozen=True, kw_only=True):
    """What one account of a client holds."""

    holder: HolderField | None = None
    """The exchange's pseudonym of the client; absent where the account names nobody."""
    account: AccountField
    account_class: ClassField
    asset: AssetField
    balance: TotalField
    """In the asset's smallest unit."""
    set_aside: TotalField
    """Of that, what waits for sales that have not settled."""
    payable: TotalField
    """What there is for it: the balance, or its part of the coins that an auditor saw, rounded down."""
    share: tuple[int, int]
    """Balance over all that clients are owed of the asset, in lowest terms."""
    needs_order: bool
    """Whether it is paid by a supervisor's order only: nobody can consent, or it is an affiliate's."""
    is_frozen: bool
    """Whether an order stops its debits."""


class AssetTotal(Record, frozen=True, kw_only=True):
    """What an exchange owes its clients of one asset, and what stands behind it."""

    asset: AssetField
    owed: TotalField
    backing: TotalField
    """Tenge: the same, for it is on the ledger itself. Coins: what an auditor saw, less what left since."""

    @property
    def covered(self) -> Fraction:
        """The part of each claim that can be met, at most one."""
        return Fraction(1) if self.backing >= self.owed else Fraction(self.backing, self.owed)


class Distribution(Record, frozen=True, kw_only=True):
    """What an exchange owes each of its clients, from the ledger alone."""

    exchange: ParticipantField
    totals: tuple[AssetTotal, ...]
    lines: tuple[DistributionLine, ...]
    """In order of asset, holder and account; accounts that hold nothing are left out."""


class Drill(Record, frozen=True, kw_only=True):
    """What a wind-down would come to now."""

    exchange: ParticipantField
    open_sales: tuple[str, ...]
    """Numbers of the sales that would have to run off or be unwound."""
    released: TotalField
    """Tenge that unwinding them all would set free, in tiyn."""
    distribution: Distribution
    """After all of them are unwound."""
    lines_by_consent: TotalField
    """Lines of tenge that are paid with the holder's signature."""
    lines_by_order: TotalField
    """Lines of tenge that take a supervisor's order."""
    lines_frozen: TotalField
    """Lines of tenge that cannot be paid before an order is lifted."""
    short: tuple[AssetTotal, ...]
    """Assets of which less is there than is owed."""
