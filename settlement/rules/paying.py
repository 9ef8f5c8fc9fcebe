"""Payments of a miner to the state: from its own account, or from a wallet at its bank.

Who keeps the account to debit sends the transaction: the miner itself, or its bank. The miner signs in both cases,
for what is bought or paid stands in its name; a holder key that binds the wallet signs as for any other debit.
"""

from collections.abc import Iterable
from typing import Protocol

from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.participants import Cosigner
from ledger.rules.tables import ACCOUNTS
from ledger.state import View
from ledger.units import AccountId, Kid, ParticipantId


class MinersPayment(Protocol):
    """A body by which a miner pays."""

    @property
    def miner(self) -> ParticipantId:
        """In whose name."""

    @property
    def payer(self) -> AccountId:
        """The account to debit."""


def miner_signs(_view: View, body: MinersPayment) -> Iterable[Cosigner]:
    """The miner; as the sender it signs once."""
    return (Cosigner(participant=body.miner, threshold=1),)


def holder_of_payer(view: View, body: MinersPayment) -> Iterable[Kid]:
    """The key that the account to debit is bound to, if any."""
    account = view.get(ACCOUNTS, body.payer)
    return () if account is None or account.holder_key is None else (account.holder_key,)


def tenge_entry(payer: AccountId, payee: AccountId, amount: int) -> Entry:
    """The entry that pays."""
    return Entry(
        (
            Posting(account=payer, asset=TENGE, amount=amount, side=Side.DEBIT),
            Posting(account=payee, asset=TENGE, amount=amount, side=Side.CREDIT),
        )
    )
