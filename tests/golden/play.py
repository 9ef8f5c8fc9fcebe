"""The story that the golden log tells: each kind accepted once at least, many refused, every sort of bulk.

It is played on a `Book`, which says what each submission must be signed with; the submissions are all that is kept.
"""

from typing import Any

from ledger.model.journal import Side
from ledger.model.participants import KeyUse, Role
from ledger.rules.accounts import AccountClose, AccountFreeze, AccountUnfreeze
from ledger.rules.admission import ParticipantReinstate, ParticipantSuspend
from ledger.rules.day_close import RulebookSet
from ledger.rules.issuance import CapSet, Redeem
from ledger.rules.keys import KeyAdd, KeyRecover, KeyRotate, LogKeyRotate
from ledger.rules.policy import PolicySet
from ledger.units import AccountId, Kid, ParticipantId
from settlement.model.registers import Register
from settlement.rules.custody import CustodyDebit
from settlement.rules.mandates import MandateCancel, mandate_digest
from settlement.rules.segregation import ClientReturn
from tests.book import Book, end_of, key_of, own_account, wallet
from tests.rules.bodies import bulk, entry, pay
from tests.settlement.market import (
    BTC,
    DAY_US,
    accepted,
    account,
    attest,
    attestation,
    commitment,
    credit_coins,
    holder_key,
    market,
    report,
    row,
    sell_mandate,
    send_attestation,
    settle,
    suspend,
)

A_OWN, A_ONE, A_TWO = own_account("601"), wallet("601", 1), wallet("601", 2)
B_OWN, B_ONE = own_account("602"), wallet("602", 1)


def play() -> Book:
    """Play it from an empty ledger."""
    book = market()
    pay_and_refuse(book)
    settle_and_refuse(book)
    change_keys(book)
    govern(book)
    return book


def pay_and_refuse(book: Book) -> None:
    """Payments of each sort."""
    ends(book, "bank-a", "transfer", pay(A_OWN, A_ONE, 500_00), "accepted")
    ends(book, "bank-a", "transfer", pay(A_ONE, B_ONE, 999_999_999_999), "insufficient_funds")
    ends(book, "bank-a", "transfer", pay(A_ONE, A_ONE, 1), "accounts_must_differ")
    legs = ((Side.DEBIT, A_OWN, 30), (Side.CREDIT, A_TWO, 10), (Side.CREDIT, B_OWN, 20))
    ends(book, "bank-a", "journal_entry", entry(*legs), "accepted")
    many = [(A_OWN, (A_ONE, A_TWO, B_ONE)[number % 3], number + 1) for number in range(40)]
    ends(book, "bank-a", "bulk_transfer", bulk(*many), "accepted")
    ends(book, "bank-a", "bulk_transfer", bulk(*many, (A_TWO, A_ONE, 10**14)), "insufficient_funds")
    some = [(A_TWO if number % 5 == 0 else A_OWN, A_ONE, 10**9 if number % 5 == 0 else 1) for number in range(25)]
    ends(book, "bank-a", "bulk_transfer", bulk(*some, is_atomic=False), "accepted")
    ends(book, "bank-a", "bulk_transfer", bulk((A_TWO, A_ONE, 10**14), is_atomic=False), "accepted")
    ends(book, "bank-a", "account_freeze", AccountFreeze(account=A_TWO, reason="order-17"), "accepted")
    ends(book, "bank-a", "transfer", pay(A_TWO, A_ONE, 1), "debit_account_frozen")
    ends(book, "bank-a", "account_unfreeze", AccountUnfreeze(account=A_TWO, reason="order-17"), "accepted")
    ends(book, "bank-b", "account_close", AccountClose(account=wallet("602", 2)), "accepted")
    redeem = Redeem(account=A_OWN, amount=1_000_00, reserve_payment="RTGS-back-1")
    signers = ("bank-a-1", "issuer-1", "issuer-3")
    ends(book, "bank-a", "redeem", redeem, "accepted", *signers)
    ends(book, "bank-a", "redeem", redeem, "reserve_payment_used", *signers)


def settle_and_refuse(book: Book) -> None:
    """A report, sales, coins taken out, a mandate taken back, tenge returned; and what goes wrong."""
    accepted(report(book, row(1), row(2)))
    accepted(settle(book))
    assert end_of(settle(book, quantity=100 * BTC)) != "accepted"
    held = attestation(book, 90 * BTC)
    accepted(book.submit("reserve_attest", attestation(book, 80 * BTC), by="auditor"))
    assert end_of(send_attestation(book, held)) == "attestation_stale"
    accepted(attest(book, 90 * BTC))
    assert end_of(credit_coins(book, "HOUSE", BTC)) != "accepted"
    debit = CustodyDebit(
        account=account("BBTC"), amount=BTC, withdrawal="W-1", destination=commitment("wallet of client-b")
    )
    ends(book, "aix-one", "custody_debit", debit, "accepted", "aix-one-1", holder_key("client-b"))
    accepted(attest(book, 90 * BTC))
    taken_back = sell_mandate(book)
    cancel = MandateCancel(mandate=mandate_digest(taken_back), kid=Kid(key_of(holder_key("miner-one")).public.kid))
    ends(book, "aix-one", "mandate_cancel", cancel, "accepted", holder_key("miner-one"))
    assert end_of(settle(book, seller_mandate=taken_back)) == "mandate_cancelled"
    assert end_of(settle(book, executed_us=book.time_us - 2 * DAY_US)) == "execution_too_old"
    back = ClientReturn(account=account("AKZT"), credit=A_ONE, holder="holder-1", amount=1_000)
    ends(book, "aix-one", "client_return", back, "accepted", "aix-one-1", holder_key("client-a"), "bank-a-1")
    suspend(book, Register.LICENCE, "L-1", book.time_us)
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)
    assert end_of(settle(book)) == "venue_licence_invalid"


def change_keys(book: Book) -> None:
    """Keys added, rotated, revoked, recovered; the log's too. Somebody is suspended and comes back."""
    add = KeyAdd(x=x("bank-b-3"), signatory="bank-b-3", use=KeyUse.TRANSACTION)
    ends(book, "bank-b", "key_add", add, "accepted", "bank-b-1", "bank-b-3")
    rotate = KeyRotate(replaces=Kid(key_of("bank-b-2").public.kid), x=x("bank-b-4"))
    ends(book, "bank-b", "key_rotate", rotate, "accepted", "bank-b-1", "bank-b-4")
    assert end_of(book.revoke("bank-b", "bank-b-3", "bank-b-3")) == "accepted"
    recover = KeyRecover(
        participant=ParticipantId("bank-b"), x=x("bank-b-5"), signatory="bank-b-5", use=KeyUse.TRANSACTION
    )
    ends(book, "operator", "key_recover", recover, "accepted", "operator-1", "operator-2", "bank-b-5")
    rotate_log = LogKeyRotate(x=x("log-2"))
    ends(book, "operator", "log_key_rotate", rotate_log, "accepted", "operator-1", "operator-3", "log", "log-2")
    bank_b = ParticipantId("bank-b")
    ends(book, "operator", "participant_suspend", ParticipantSuspend(participant=bank_b, reason="order-17"), "accepted")
    ends(
        book,
        "operator",
        "participant_reinstate",
        ParticipantReinstate(participant=bank_b, reason="order-17"),
        "accepted",
    )


def govern(book: Book) -> None:
    """Policies, caps and the day; the next version of the rules is named, and never comes into force here."""
    ends(book, "central-bank", "cap_set", CapSet(per_day=10**14), "accepted")
    policy = PolicySet(kind="journal_entry", roles=(Role.INTERMEDIARY,), own=1)
    ends(book, "central-bank", "policy_set", policy, "accepted")
    assert end_of(book.close_day("2024-12-30")) == "accepted"
    ends(book, "central-bank", "rulebook_set", RulebookSet(version=2), "accepted")


def ends(book: Book, by: str, kind: str, body: Any, expected: str, *signers: str) -> None:
    """Submit, and hold the end to what is expected."""
    end = book.end(kind, body, by=by, signers=signers)
    assert end == expected, f"{kind} of {by}: expected {expected}, got {end}"


def x(name: str) -> str:
    """The public key of a name."""
    return key_of(name).public.x


def together(book: Book) -> list[bytes]:
    """Submissions for one block: small payments by two banks."""
    accounts: list[AccountId] = [A_ONE, A_TWO, B_ONE]
    return [book.signed("transfer", pay(A_OWN, accounts[number % 3], number + 1), by="bank-a") for number in range(12)]
