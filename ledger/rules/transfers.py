"""Transfers: one payment, a journal entry of many legs, a bulk (design D12, D17)."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from ledger.crypto import canonical
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.model.transactions import NETWORK_PATTERN, Transaction
from ledger.rules.bulk import BulkTransfer, bulk_entries, bulk_pairs, read_bulk, read_bulk_again
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.posting import is_balanced
from ledger.rules.tables import ACCOUNTS
from ledger.state import View
from ledger.units import (
    ACCOUNT_PATTERN,
    ASSET_PATTERN,
    KIND_PATTERN,
    PARTICIPANT_PATTERN,
    POSTINGS_PER_ENTRY_MAX,
    REFERENCE_PATTERN,
    AccountField,
    AccountId,
    AmountField,
    AssetField,
    AssetId,
    DigestField,
    Kid,
    ParticipantId,
    Reference,
)


class Transfer(Record, frozen=True, kw_only=True):
    """Pay from one account to another."""

    debit: AccountField
    credit: AccountField
    asset: AssetField
    amount: AmountField
    details: DigestField | None = None
    """Commitment to the payment text, whose opening travels beside the transaction (design D13)."""


class _PlainTransfer(Transfer, frozen=True, kw_only=True):
    """A transfer whose texts are still to be looked at."""

    debit: AccountId
    credit: AccountId
    asset: AssetId


class _Plain(Transaction[_PlainTransfer], frozen=True, kw_only=True):
    """The transaction of one."""

    network: str
    participant: ParticipantId
    kind: str
    reference: Reference


_READER: Final[canonical.Reader[Transaction[Transfer]]] = canonical.reader_of(_Plain)

_TEXTS: Final = re.compile(
    "\n".join(
        (
            NETWORK_PATTERN,
            PARTICIPANT_PATTERN,
            KIND_PATTERN,
            REFERENCE_PATTERN,
            ASSET_PATTERN,
            ACCOUNT_PATTERN,
            ACCOUNT_PATTERN,
        )
    )
)


def read_transfer(payload: bytes) -> Transaction[Transfer] | None:
    """Return the transaction of a payload, or None if the schema has to say what is wrong with it.

    One pattern over all its texts takes a third of the time that one for each takes; none that fits holds a line end.
    """
    try:
        transaction = _READER.decode(payload)
    except canonical.NotCanonical:
        return None
    body = transaction.body
    texts = (
        f"{transaction.network}\n{transaction.participant}\n{transaction.kind}\n{transaction.reference}\n"
        f"{body.asset}\n{body.debit}\n{body.credit}"
    )
    return transaction if _TEXTS.fullmatch(texts) else None


def read_transfer_again(payload: bytes) -> Transaction[Transfer]:
    """Return the transaction of a payload that was read before."""
    return _READER.decode_again(payload)


class JournalEntry(Record, frozen=True, kw_only=True):
    """Post an entry of many legs: all or none."""

    postings: Annotated[tuple[Posting, ...], Meta(min_length=2, max_length=POSTINGS_PER_ENTRY_MAX)]
    details: DigestField | None = None


ACCOUNTS_MUST_DIFFER = RefusalCode("accounts_must_differ", "Debit and credit account are the same.")
ENTRY_UNBALANCED = RefusalCode("entry_unbalanced", "Debits and credits of an asset differ.")
POSTING_ACCOUNT_REPEATED = RefusalCode(
    "posting_account_repeated", "An account stands twice in the entry: its turnover would be more than what moved."
)
LABEL_REPEATED = RefusalCode("label_repeated", "Two lines of the bulk carry the same label.")
CLIENT_ACCOUNT_NEEDS_OWN_KIND = RefusalCode(
    "client_account_needs_own_kind",
    "Client money is not debited by a bulk or a general journal entry.",
    iso="AG01",
)


def _transfer(_view: View, submitted: Submitted) -> Proposal | Refused:
    body: Transfer = submitted.signed.body
    if body.debit == body.credit:
        return Refused(ACCOUNTS_MUST_DIFFER, detail=f"account {body.debit}")
    return Proposal(entries=_transfer_entries(body))


def _transfer_entries(body: Transfer) -> tuple[Entry, ...]:
    return (_pay(body.asset, body.debit, body.credit, body.amount),)


def _pay(asset: AssetField, debit: AccountId, credit: AccountId, amount: int) -> Entry:
    return Entry(
        (
            Posting(account=debit, asset=asset, amount=amount, side=Side.DEBIT),
            Posting(account=credit, asset=asset, amount=amount, side=Side.CREDIT),
        )
    )


def _entry(view: View, submitted: Submitted) -> Proposal | Refused:
    body: JournalEntry = submitted.signed.body
    if not is_balanced(body.postings):
        return Refused(ENTRY_UNBALANCED, detail="the debits of each asset must equal its credits")
    if len({posting.account for posting in body.postings}) < len(body.postings):
        return Refused(POSTING_ACCOUNT_REPEATED, detail=f"{len(body.postings)} postings on fewer accounts")
    debited = (posting.account for posting in body.postings if posting.side is Side.DEBIT)
    if account := _first_client_account(view, submitted, debited):
        return Refused(CLIENT_ACCOUNT_NEEDS_OWN_KIND, detail=f"account {account}")
    return Proposal(entries=_entry_entries(body))


def _entry_entries(body: JournalEntry) -> tuple[Entry, ...]:
    return (Entry(body.postings),)


def _bulk(view: View, submitted: Submitted) -> Proposal | Refused:
    body: BulkTransfer = submitted.signed.body
    labels = {line.label for line in body.lines}
    if len(labels) < len(body.lines):
        return Refused(LABEL_REPEATED, detail=f"{len(body.lines)} lines, {len(labels)} different labels")
    pairs = bulk_pairs(body)
    for index, (debit, credit) in enumerate(zip(pairs.debits, pairs.credits, strict=True)):
        if debit == credit:
            return Refused(ACCOUNTS_MUST_DIFFER, index, f"line {index}: account {debit}")
    if account := _first_client_account(view, submitted, pairs.debits):
        return Refused(CLIENT_ACCOUNT_NEEDS_OWN_KIND, detail=f"account {account}")
    return Proposal(pairs=pairs, is_atomic=body.is_atomic)


def _first_client_account(view: View, submitted: Submitted, account_ids: Iterable[AccountId]) -> AccountId | None:
    """The first of the sender's accounts that holds client money or is bound to a holder key."""
    sender = submitted.signed.transaction.participant
    client_classes = {name for name, account_class in submitted.classes.items() if account_class.is_client}
    asked = dict.fromkeys(account_ids)
    accounts = view.get_many(ACCOUNTS, asked.keys())
    for account_id in asked:
        account = accounts.get(account_id)
        if (
            account is not None
            and (account.holder_key is not None or account.account_class in client_classes)
            and account.owner == sender
        ):
            return account_id
    return None


def _holder_of_debit(view: View, body: Transfer) -> Iterable[Kid]:
    account = view.get(ACCOUNTS, body.debit)
    return () if account is None or account.holder_key is None else (account.holder_key,)


def _line_count(body: BulkTransfer) -> int:
    return len(body.lines)


MODULE = RuleModule(
    name="transfers",
    meaning="Payments.",
    kinds=(
        Kind(
            name="transfer",
            body=Transfer,
            meaning="Pay from one account to another.",
            refusals=(ACCOUNTS_MUST_DIFFER,),
            decide=_transfer,
            entries=_transfer_entries,
            read=read_transfer,
            read_again=read_transfer_again,
            required_keys=_holder_of_debit,
        ),
        Kind(
            name="journal_entry",
            body=JournalEntry,
            meaning="Post an entry of many legs: all or none.",
            refusals=(ENTRY_UNBALANCED, POSTING_ACCOUNT_REPEATED, CLIENT_ACCOUNT_NEEDS_OWN_KIND),
            decide=_entry,
            entries=_entry_entries,
        ),
        Kind(
            name="bulk_transfer",
            body=BulkTransfer,
            meaning="Pay many times under one signature.",
            refusals=(LABEL_REPEATED, ACCOUNTS_MUST_DIFFER, CLIENT_ACCOUNT_NEEDS_OWN_KIND),
            decide=_bulk,
            entries=bulk_entries,
            pairs=bulk_pairs,
            read=read_bulk,
            read_again=read_bulk_again,
            weight=_line_count,
        ),
    ),
)
