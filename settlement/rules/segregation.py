"""Segregation: client money and client coins move only for the purposes of one table, whatever the kind.

What may debit an account of a client class, and where it may go, stands in ``purposes.TABLE``. Whatever else is
proposed is refused by the guard, by name. Credits are free: anybody may pay in, the exchange may make good. An account
of a client class without a holder key takes credits only, orders aside: the holder's consent is asked for each debit,
and there is nobody to ask.

Affiliates are stricter clients. Who is registered as belonging to the exchange (``parties.related``) trades from
accounts of class affiliate_client or not at all, so that its sales are marked and its flows are summed; it is paid by
no court order, and in a wind-down by a supervisor's order only. A miner of the group keeps its class, for its sales
count for the quota; the mark on the sale says whose it is.
"""

from collections.abc import Iterable
from typing import Final

from ledger.model.accounts import Account, participant_code
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner
from ledger.model.record import Record
from ledger.rules.accounts import OWN, WALLET
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, PARTICIPANT_CODES
from ledger.state import View
from ledger.units import AccountField, AccountId, AmountField, AssetId, Kid, LabelField, ParticipantId
from settlement.model.parties import client_party
from settlement.rules.classes import AFFILIATE_CLIENT, CLASSES, CLIENT_SEGREGATED, HOUSE_CLASSES
from settlement.rules.parties import related
from settlement.rules.purposes import DESTINATIONS, ORDERED_KINDS

TRADING_KINDS: Final = frozenset({"dvp_settle", "dvp_complete", "dvp_batch"})
"""Kinds that settle sales."""


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
AFFILIATE_CLASS_REQUIRED = RefusalCode(
    "affiliate_class_required",
    "A client that belongs to the exchange trades from accounts of class affiliate_client only.",
    iso="AG01",
)


Credited = dict[AssetId, set[tuple[str, ParticipantId]]]


def guard(view: View, submitted: Submitted, entry: Entry) -> Refused | None:
    """Refuse an entry that debits a client's account for a purpose outside the table."""
    kind = submitted.signed.transaction.kind
    credited: Credited | None = None
    for posting in entry.postings:
        if posting.side is Side.DEBIT:
            account = view.get(ACCOUNTS, posting.account)
            assert account is not None, "the posting rules looked it up"
            account_class = submitted.classes.get(account.account_class)
            if account_class is None or not account_class.is_client:
                continue
            credited = _credited(view, entry) if credited is None else credited
            if _is_outside(kind, credited, account):
                return _by_name(credited, posting.account)
            if account.holder_key is None and kind not in ORDERED_KINDS:
                return Refused(CLIENT_ACCOUNT_UNBOUND, detail=f"account {posting.account}")
            if kind in TRADING_KINDS and (relation := _hidden_relation(view, submitted, account)):
                return Refused(AFFILIATE_CLASS_REQUIRED, detail=f"account {posting.account}: {relation}")
    return None


def _credited(view: View, entry: Entry) -> Credited:
    """Asset to class and owner of each account that is credited in it."""
    found: Credited = {}
    for posting in entry.postings:
        if posting.side is Side.CREDIT:
            account = view.get(ACCOUNTS, posting.account)
            assert account is not None, "the posting rules looked it up"
            found.setdefault(posting.asset, set()).add((account.account_class, account.owner))
    return found


def _is_outside(kind: str, credited: Credited, debited: Account) -> bool:
    """Whether the table knows no such move of this asset from this account; which debit pays which credit is open."""
    to_classes = DESTINATIONS.get((kind, debited.account_class, "tenge" if debited.asset == TENGE else "coins"))
    if to_classes is None:
        return True
    return any(
        account_class not in to_classes or (account_class == OWN.name and owner == debited.owner)
        for account_class, owner in credited[debited.asset]
    )


def _hidden_relation(view: View, submitted: Submitted, account: Account) -> str | None:
    """How the holder belongs to the exchange, where its account does not say so."""
    if account.account_class != CLIENT_SEGREGATED.name or account.holder is None:
        return None
    return related(view, account.owner, client_party(account.owner, account.holder), submitted.time_us)


def _is_client(account_class: AccountClass) -> bool:
    return account_class.is_client


def _by_name(credited: Credited, debited: AccountId) -> Refused:
    """Name where the client's money would have gone."""
    classes = {account_class for ends in credited.values() for account_class, _ in ends}
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
    guard_refusals=(
        CLIENT_MONEY_TO_HOUSE,
        CLIENT_MONEY_TO_AFFILIATE,
        CLIENT_MONEY_PURPOSE,
        CLIENT_ACCOUNT_UNBOUND,
        AFFILIATE_CLASS_REQUIRED,
    ),
)
