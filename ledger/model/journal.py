"""Journal entries and the leaves of the log.

Leaves are final once written (design D23): every member below is part of the wire format.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    AccountField,
    AccountId,
    AmountField,
    AssetField,
    AssetId,
    DigestField,
    KindField,
    ParticipantId,
    SaltField,
    TimestampField,
)

LEAF_BYTES_MAX: Final = 65_535
"""Longest leaf, in bytes: its length fits in 16 bits wherever a format frames it (C2SP tlog-tiles)."""

LEAF_VERSION: Final = 1
"""Version of the leaf format."""

CountField = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Side(StrEnum):
    """Direction of a posting. Wallets are liabilities: a credit adds, a debit takes (design D11)."""

    DEBIT = "debit"
    CREDIT = "credit"


class Posting(Record, frozen=True, kw_only=True):
    """One leg of a journal entry."""

    account: AccountField
    asset: AssetField
    amount: AmountField
    side: Side


class Entry(msgspec.Struct, frozen=True):
    """A journal entry: its postings balance for each asset."""

    postings: tuple[Posting, ...]
    mandated: tuple[AccountId, ...] = ()
    """Holder-bound accounts whose debit a mandate covers; the rule that says so has checked its limits."""
    keeper: ParticipantId | None = None
    """Whose accounts are debited, where an order lets another send the entry; the rule that says so has checked the
    order. None: the sender's."""
    is_through_freeze: bool = False
    """Whether accounts that an order has frozen are debited too: a court takes what it had arrested."""


class Pairs(msgspec.Struct, frozen=True):
    """Journal entries of one debit and one credit each, all in one asset, as columns: what a bulk consists of.

    A bulk of thousands is decided, written and projected over these lists; :meth:`entries` says what they mean.
    """

    asset: AssetId
    debits: list[AccountId]
    credits: list[AccountId]
    amounts: list[int]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.amounts)

    def entry(self, line: int) -> Entry:
        """Return one of the entries, from 0."""
        return Entry(
            (
                Posting(account=self.debits[line], asset=self.asset, amount=self.amounts[line], side=Side.DEBIT),
                Posting(account=self.credits[line], asset=self.asset, amount=self.amounts[line], side=Side.CREDIT),
            )
        )

    def entries(self) -> tuple[Entry, ...]:
        """Return the entries in order."""
        return tuple(self.entry(line) for line in range(len(self)))


class GenesisLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="genesis"):
    """Leaf 0: the document everything starts from."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    document: DigestField
    """SHA-256("dt/v1/genesis\\0" || document): the second half of the network id."""


class EntryLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="entry"):
    """An accepted journal entry. It holds no balance, so a payee's receipt does not show the payer's."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    transaction: DigestField
    authorised_by: DigestField
    kind: KindField
    line: CountField
    """Line of a bulk, from 0; 0 otherwise."""
    postings: tuple[Posting, ...]


class RecordLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="record"):
    """An accepted transaction that changes the register, not balances."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    transaction: DigestField
    authorised_by: DigestField
    kind: KindField
    content: dict[str, Any]
    """What the decision computed beyond the transaction itself; often empty."""


class RefusalLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="refusal"):
    """An admissible transaction, or one line of a bulk, that a rule refused. Final."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    transaction: DigestField
    authorised_by: DigestField
    kind: KindField
    line: CountField
    code: Annotated[str, Meta(pattern=r"\A[a-z][a-z_]{1,63}\Z")]


class DueLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="due"):
    """Something that fell due by the passing of time, decided at the start of a block."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    what: KindField
    content: dict[str, Any]


class BlockLeaf(Record, frozen=True, kw_only=True, tag_field="type", tag="block"):
    """The last leaf of each block."""

    v: Literal[1]
    sequence: CountField
    salt: SaltField
    height: CountField
    epoch: CountField
    time_us: TimestampField
    rulebook: CountField
    """Version of the rules that decided this block."""


Leaf = GenesisLeaf | EntryLeaf | RecordLeaf | RefusalLeaf | DueLeaf | BlockLeaf
"""Any leaf; the member ``type`` tells which."""
