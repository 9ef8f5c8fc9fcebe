"""A small capability beside the core's, to try what the core offers to others: mandates, guards, client classes.

An escrow agent pays out of accounts of clients: with a mandate of the holder, cosigned by a notary where the amount
is large. A guard keeps every entry away from one number, whatever its kind.
"""

from collections.abc import Iterable
from typing import Final

from ledger.crypto import canonical, jws
from ledger.genesis import GenesisAsset
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Policy, Role
from ledger.model.record import Record
from ledger.model.transactions import EmbeddedJws, Mandate
from ledger.rules.core import CORE_MODULES
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.rulebook import Rulebook
from ledger.state import View
from ledger.units import AccountField, AccountId, AmountField, AssetId, ParticipantId, TimestampUs
from tests.book import Book, end_of, genesis_document, key_of, own_account, pilot_book, wallet
from tests.rules.bodies import COIN

UNLUCKY: Final = 13
LARGE: Final = 1_000

UNLUCKY_NUMBER = RefusalCode("unlucky_number", "No entry moves thirteen.")
MANDATE_FOREIGN = RefusalCode("mandate_foreign", "The mandate is for another account.")


class EscrowPay(Record, frozen=True, kw_only=True):
    """Pay from a client's account, by mandate if there is one."""

    debit: AccountField
    credit: AccountField
    amount: AmountField
    mandate: EmbeddedJws | None = None


class CoinCredit(Record, frozen=True, kw_only=True):
    """Credit coins out of nothing: the issuance of the coin."""

    credit: AccountField
    amount: AmountField


def _pay(_view: View, submitted: Submitted) -> Proposal | Refused:
    body: EscrowPay = submitted.signed.body
    mandated = tuple(verified.mandate.account for verified in submitted.signed.mandates)
    if mandated not in ((), (body.debit,)):
        return Refused(MANDATE_FOREIGN)
    postings = _legs(TENGE, body.debit, body.credit, body.amount)
    return Proposal(entries=(Entry(postings, mandated),))


def _credit(_view: View, submitted: Submitted) -> Proposal | Refused:
    body: CoinCredit = submitted.signed.body
    return Proposal(entries=(Entry(_legs(COIN, COIN_CONTRA, body.credit, body.amount)),))


def _legs(asset: AssetId, debit: AccountId, credit: AccountId, amount: int) -> tuple[Posting, Posting]:
    return (
        Posting(account=debit, asset=asset, amount=amount, side=Side.DEBIT),
        Posting(account=credit, asset=asset, amount=amount, side=Side.CREDIT),
    )


def _mandates(body: EscrowPay) -> Iterable[EmbeddedJws]:
    return () if body.mandate is None else (body.mandate,)


def _notary(_view: View, body: EscrowPay) -> Iterable[Cosigner]:
    return (Cosigner(role=Role.AUDITOR, threshold=1),) if body.amount >= LARGE else ()


def _guard(_view: View, _submitted: Submitted, entry: Entry) -> Refused | None:
    if any(posting.amount == UNLUCKY for posting in entry.postings):
        return Refused(UNLUCKY_NUMBER, detail="13")
    return None


ESCROW: Final = RuleModule(
    name="escrow",
    meaning="Payments out of accounts of clients.",
    classes=(AccountClass("client", frozenset({Role.INTERMEDIARY}), "Money of clients.", is_client=True),),
    kinds=(
        Kind(
            name="escrow_pay",
            body=EscrowPay,
            meaning="Pay from a client's account.",
            refusals=(MANDATE_FOREIGN,),
            decide=_pay,
            mandates=_mandates,
            cosigners=_notary,
        ),
        Kind(name="coin_credit", body=CoinCredit, meaning="Credit coins.", refusals=(), decide=_credit),
    ),
    guards=(_guard,),
    guard_refusals=(UNLUCKY_NUMBER,),
)

ESCROW_RULEBOOK: Final = Rulebook(1, (*CORE_MODULES, ESCROW))

COIN_CONTRA: Final = iban("125", "CONTRABTC0000")

CLIENT: Final = wallet("601", 5)
"""Client money of bank-a, 10,000 tiyn."""
BOUND: Final = wallet("601", 6)
"""A wallet of bank-a that is bound to the key `holder`, 10,000 tiyn."""
COINS: Final = wallet("601", 7)
"""A wallet of bank-a with 500 coins."""


def escrow_book() -> Book:
    """The pilot book under the larger rulebook, with the accounts above, a coin and an auditor."""
    document = genesis_document(
        rulebook=ESCROW_RULEBOOK,
        policies={
            "escrow_pay": Policy(roles=(Role.INTERMEDIARY,), own=1),
            "coin_credit": Policy(roles=(Role.INTERMEDIARY,), own=1),
        },
        assets=(
            GenesisAsset(
                asset=COIN,
                scale=8,
                contra=COIN_CONTRA,
                issuer=ParticipantId("central-bank"),
                issuance_kinds=("coin_credit",),
                cap_per_day=0,
            ),
        ),
    )
    book = pilot_book(ESCROW_RULEBOOK, document=document)
    assert end_of(book.admit("auditor", Role.AUDITOR, "901")) == "accepted"
    book.open_account("bank-a", CLIENT, account_class="client")
    book.open_account("bank-a", BOUND, holder_key="holder")
    book.open_account("bank-a", COINS, asset=COIN)
    for account in (CLIENT, BOUND):
        assert book.pay("bank-a", own_account("601"), account, 10_000) == "accepted"
    assert book.end("coin_credit", CoinCredit(credit=COINS, amount=500), by="bank-a") == "accepted"
    return book


def mandate(
    book: Book,
    *,
    by: str = "holder",
    account: AccountId = BOUND,
    network: str = "",
    typ: str = jws.TYP_MANDATE,
) -> EmbeddedJws:
    """A mandate for one account, signed by a holder key."""
    consent = Mandate(
        network=network or book.network,
        account=account,
        purpose="escrow",
        asset=TENGE,
        maximum=10_000,
        expires=TimestampUs(2**53 - 1),
        nonce="A" * 22,
    )
    return embedded(canonical.encode(consent), by=by, typ=typ)


def embedded(payload: bytes, *, by: str, typ: str = jws.TYP_MANDATE) -> EmbeddedJws:
    """Any signed bytes, in the form in which a body carries them."""
    return EmbeddedJws(**jws.serialize_object(jws.sign(payload, [key_of(by)], typ=typ)))
