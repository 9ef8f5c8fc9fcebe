"""What moved on the ledger, as flows from account to account: read off its leaves in order. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.model.journal import BlockLeaf, EntryLeaf, Leaf, Side
from ledger.units import AccountId, AssetId, TimestampUs


@dataclass(frozen=True, slots=True)
class Flow:
    """An amount that went from one account to another."""

    sequence: int
    """Of the leaf; flows of one entry share it."""
    time_us: TimestampUs
    """Of the block."""
    transaction: str
    kind: str
    """Of the transaction."""
    debited: AccountId
    credited: AccountId
    asset: AssetId
    amount: int


def flows_of(leaves: Iterable[Leaf]) -> Iterator[Flow]:
    """Yield the flows of all entries, in the order of the log.

    A block's time stands in its last leaf: entries of a block that has not ended are not seen.
    """
    waiting: list[EntryLeaf] = []
    for leaf in leaves:
        if isinstance(leaf, EntryLeaf):
            waiting.append(leaf)
        elif isinstance(leaf, BlockLeaf):
            for entry in waiting:
                yield from entry_flows(entry, leaf.time_us)
            waiting = []


def entry_flows(entry: EntryLeaf, time_us: TimestampUs) -> Iterator[Flow]:
    """Yield who paid whom in an entry: in each asset, the debits in order pay the credits in order.

    With one debit or one credit of an asset there is no other reading; with more, the total of each account is right.
    """
    for asset in sorted({posting.asset for posting in entry.postings}):
        payers = deque(_side(entry, asset, Side.DEBIT))
        for payee in _side(entry, asset, Side.CREDIT):
            while payee.left:
                payer = payers[0]
                part = min(payee.left, payer.left)
                payer.left -= part
                payee.left -= part
                if payer.left == 0:
                    payers.popleft()
                yield Flow(
                    sequence=entry.sequence,
                    time_us=time_us,
                    transaction=entry.transaction,
                    kind=entry.kind,
                    debited=payer.account,
                    credited=payee.account,
                    asset=asset,
                    amount=part,
                )


@dataclass(slots=True)
class _Leg:
    account: AccountId
    left: int


def _side(entry: EntryLeaf, asset: AssetId, side: Side) -> list[_Leg]:
    return [
        _Leg(posting.account, posting.amount)
        for posting in entry.postings
        if posting.asset == asset and posting.side is side
    ]
