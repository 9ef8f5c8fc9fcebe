"""Segregation: client money and client coins move only for the purposes of one table, whatever the kind.

What may debit an account of a client class: a sale (``dvp_settle``, with its posted fee), a withdrawal of coins
(``custody_debit``), the return of tenge to the same owner (``client_return``). Whatever else is proposed is refused by
the guard, by name. Credits are free: anybody may pay in, the exchange may make good. An account of a client class
without a holder key takes credits only: the holder's consent is asked for each debit, and there is nobody to ask.
"""

from collections.abc import Iterable
from typing import Final

from ledger.model.accounts import participant_code
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner
from ledger.model.record import Record
from ledger.rules.accounts import WALLET
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, PARTICIPANT_CODES
from ledger.state import View
from ledger.units import AccountField, AccountId, AmountField, Kid, LabelField, ParticipantId
from settlement.rules.classes import AFFILIATE_CLIENT, CLASSES, HOUSE_CLASSES

PERMITTED_KINDS: Final = frozenset({"dvp_settle", "custody_debit", "client_return"})
"""Kinds that may debit accounts of client classes, each within its own rules."""


class ClientReturn(Record, frozen=True, kw_only=True):
    """Return tenge of a client to the same owner's wallet at a bank; holder and bank sign too."""

    account: AccountField
    """The client's account at the sender."""
    credit: AccountField
    """The wallet at the bank."""
    holder: LabelField
    """The bank's own pseudonym of the wallet's holder; its signature says that it is the client."""
    amount: AmountField


RETURN_ACCOUNT_UNFIT = RefusalCode(
    "return_account_unfit",
    "Tenge is returned from an account of a client class of the sender to a wallet kept by a bank.",
    iso="AG01",
)
RETURN_HOLDER_DIFFERS = RefusalCode(
    "return_holder_differs", "The wallet belongs to another holder than the one named.", iso="BE01"
)
CLIENT_MONEY_TO_HOUSE = RefusalCode(
    "client_money_to_house", "Client money or coins would go to the exchange itself.", iso="AG01"
)
CLIENT_MONEY_TO_AFFILIATE = RefusalCode(
    "client_money_to_affiliate", "Client money or coins would go to an affiliate without a sale.", iso="AG01"
)
CLIENT_MONEY_PURPOSE = RefusalCode(
    "client_money_purpose", "Client money or coins move for a purpose that is not permitted.", iso="AG01"
)
CLIENT_ACCOUNT_UNBOUND = RefusalCode(
    "client_account_unbound", "The client's account has no holder key, so nobody can consent to the debit.", iso="AG01"
)


def guard(view: View, submitted: Submitted, entry: Entry) -> Refused | None:
    """Refuse an entry that debits a client's account for a purpose outside the table."""
    for posting in entry.postings:
        if posting.side is Side.DEBIT:
            account = view.get(ACCOUNTS, posting.account)
            assert account is not None, "the posting rules looked it up"
            account_class = submitted.classes.get(account.account_class)
            if account_class is None or not account_class.is_client:
                continue
            if submitted.signed.transaction.kind not in PERMITTED_KINDS:
                return _by_name(view, entry, posting.account)
            if account.holder_key is None:
                return Refused(CLIENT_ACCOUNT_UNBOUND, detail=f"account {posting.account}")
    return None


def _is_client(account_class: AccountClass) -> bool:
    return account_class.is_client


def _by_name(view: View, entry: Entry, debited: AccountId) -> Refused:
    """Name where the client's money would have gone."""
    classes = set()
    for posting in entry.postings:
        if posting.side is Side.CREDIT:
            account = view.get(ACCOUNTS, posting.account)
            assert account is not None, "the posting rules looked it up"
            classes.add(account.account_class)
    if classes & HOUSE_CLASSES:
        return Refused(CLIENT_MONEY_TO_HOUSE, detail=f"account {debited}")
    if AFFILIATE_CLIENT.name in classes:
        return Refused(CLIENT_MONEY_TO_AFFILIATE, detail=f"account {debited}")
    return Refused(CLIENT_MONEY_PURPOSE, detail=f"account {debited}")


def _return(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ClientReturn = submitted.signed.body
    account = view.get(ACCOUNTS, body.account)
    wallet = view.get(ACCOUNTS, body.credit)
    account_class = None if account is None else submitted.classes.get(account.account_class)
    if (
        account is None
        or account.owner != submitted.signed.transaction.participant
        or account.asset != TENGE
        or account_class is None
        or not account_class.is_client
    ):
        return Refused(RETURN_ACCOUNT_UNFIT, detail=f"account {body.account}")
    if wallet is None or wallet.account_class != WALLET.name or wallet.asset != TENGE:
        return Refused(RETURN_ACCOUNT_UNFIT, detail=f"account {body.credit}")
    if wallet.holder != body.holder:
        return Refused(RETURN_HOLDER_DIFFERS, detail=f"account {body.credit}, holder {body.holder}")
    return Proposal(entries=_return_entries(body))


def _return_entries(body: ClientReturn) -> tuple[Entry, ...]:
    return (
        Entry(
            (
                Posting(account=body.account, asset=TENGE, amount=body.amount, side=Side.DEBIT),
                Posting(account=body.credit, asset=TENGE, amount=body.amount, side=Side.CREDIT),
            )
        ),
    )


def _holder(view: View, body: ClientReturn) -> Iterable[Kid]:
    account = view.get(ACCOUNTS, body.account)
    return () if account is None or account.holder_key is None else (account.holder_key,)


def _receiving_bank(view: View, body: ClientReturn) -> Iterable[Cosigner]:
    """The bank whose code the wallet's id carries, whether or not there is such a wallet (design D26)."""
    bank = view.get(PARTICIPANT_CODES, participant_code(body.credit))
    return () if bank is None else (Cosigner(participant=ParticipantId(bank), threshold=1),)


MODULE = RuleModule(
    name="segregation",
    meaning="Client money and coins stay inside the table of classes and purposes.",
    classes=CLASSES,
    kinds=(
        Kind(
            name="client_return",
            body=ClientReturn,
            meaning="Return tenge of a client to the same owner's wallet at a bank.",
            refusals=(RETURN_ACCOUNT_UNFIT, RETURN_HOLDER_DIFFERS),
            decide=_return,
            entries=_return_entries,
            required_keys=_holder,
            cosigners=_receiving_bank,
        ),
    ),
    guards=(guard,),
    guards_watch=_is_client,
    guard_refusals=(CLIENT_MONEY_TO_HOUSE, CLIENT_MONEY_TO_AFFILIATE, CLIENT_MONEY_PURPOSE, CLIENT_ACCOUNT_UNBOUND),
)
