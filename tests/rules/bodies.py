"""Bodies of transactions, in the words of the tests."""

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import AccountId, AssetId

COIN = AssetId("BTC:aix-one")
"""A coin that no account holds unless a test says so."""


def pay(debit: AccountId, credit: AccountId, amount: int, *, asset: AssetId = TENGE) -> Transfer:
    """One payment."""
    return Transfer(debit=debit, credit=credit, asset=asset, amount=amount)


def bulk(*lines: tuple[AccountId, AccountId, int], is_atomic: bool = True, asset: AssetId = TENGE) -> BulkTransfer:
    """Payments under one signature, labelled by their line."""
    return BulkTransfer(
        asset=asset,
        is_atomic=is_atomic,
        lines=tuple(
            Line(debit=debit, credit=credit, amount=amount, label=f"line-{number}")
            for number, (debit, credit, amount) in enumerate(lines)
        ),
    )


def entry(*legs: tuple[Side, AccountId, int], asset: AssetId = TENGE) -> JournalEntry:
    """A journal entry of legs in one asset."""
    return JournalEntry(postings=tuple(leg(side, account, amount, asset=asset) for side, account, amount in legs))


def leg(side: Side, account: AccountId, amount: int, *, asset: AssetId = TENGE) -> Posting:
    """One leg of a journal entry."""
    return Posting(account=account, asset=asset, amount=amount, side=side)
