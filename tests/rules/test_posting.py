"""What holds for every entry, whatever its kind, in its order: debits, credits, balances, guards."""

import itertools

import pytest

from ledger.model.accounts import iban
from ledger.model.journal import Posting, Side
from ledger.rules.accounts import AccountFreeze
from ledger.rules.issuance import Redeem
from ledger.rules.posting import is_balanced
from ledger.units import AccountId
from tests.book import CONTRA_ACCOUNT, Book, own_account, wallet
from tests.rules.answers import answers
from tests.rules.bodies import COIN, entry, leg, pay
from tests.rules.escrow import BOUND, CLIENT, COIN_CONTRA, COINS, UNLUCKY, CoinCredit, EscrowPay, escrow_book

FROZEN = wallet("601", 11)
CLOSED = wallet("601", 12)
MISSING = wallet("601", 13)
FOREIGN = wallet("602", 1)
RICH = own_account("601")
POOR = wallet("601", 1)

DEBITS = {
    RICH: None,
    MISSING: "debit_account_not_found",
    FOREIGN: "debit_account_not_found",
    CONTRA_ACCOUNT: "contra_account_reserved",
    COINS: "account_asset_differs",
    CLOSED: "debit_account_closed",
    FROZEN: "debit_account_frozen",
    BOUND: "holder_consent_missing",
}

CREDITS = {
    wallet("602", 2): None,
    FROZEN: None,
    MISSING: "credit_account_not_found",
    CONTRA_ACCOUNT: "contra_account_reserved",
    COINS: "account_asset_differs",
    CLOSED: "credit_account_closed",
}


@pytest.fixture
def book() -> Book:
    """The escrow book with a frozen and a closed account."""
    book = escrow_book()
    for account in (FROZEN, CLOSED):
        book.open_account("bank-a", account)
    book.submit("account_freeze", AccountFreeze(account=FROZEN, reason="order-17"), by="bank-a")
    assert book.close_account("bank-a", CLOSED) == "accepted"
    return book


def send(book: Book, debit: AccountId, credit: AccountId, amount: int = 5) -> str:
    """Send an entry by a kind that has no rules of its own about accounts."""
    return book.end("escrow_pay", EscrowPay(debit=debit, credit=credit, amount=amount), by="bank-a")


def test_of_several_faults_of_an_entry_the_first_in_order_is_answered(book: Book) -> None:
    for (debit, first), (credit, second) in itertools.product(DEBITS.items(), CREDITS.items()):
        if debit != credit:
            assert send(book, debit, credit) == (first or second or "accepted"), (debit, credit)


def test_balances_are_looked_at_after_accounts_and_before_guards(book: Book) -> None:
    assert send(book, POOR, MISSING, UNLUCKY) == "credit_account_not_found"
    assert send(book, POOR, FOREIGN, UNLUCKY) == "insufficient_funds"
    assert send(book, RICH, FOREIGN, UNLUCKY) == "unlucky_number"


@answers("escrow_pay", "debit_account_not_found")
def test_a_missing_account_is_not_debited(book: Book) -> str:
    return send(book, MISSING, RICH)


@answers("transfer", "debit_account_not_found")
def test_a_foreign_account_answers_as_a_missing_one(book: Book) -> str:
    assert book.end("transfer", pay(MISSING, RICH, 5), by="bank-a") == "debit_account_not_found"
    return book.end("transfer", pay(FOREIGN, RICH, 5), by="bank-a")


@answers("transfer", "debit_account_not_found")
def test_a_foreign_account_bound_to_a_holder_answers_as_a_missing_one(book: Book) -> str:
    return book.end("transfer", pay(BOUND, FOREIGN, 5), by="bank-b")


@answers("transfer", "contra_account_reserved")
def test_no_transfer_debits_the_contra_account(book: Book) -> str:
    return book.end("transfer", pay(CONTRA_ACCOUNT, RICH, 5), by="bank-a")


@answers("transfer", "contra_account_reserved")
def test_no_transfer_credits_the_contra_account(book: Book) -> str:
    return book.end("transfer", pay(RICH, CONTRA_ACCOUNT, 5), by="bank-a")


@answers("journal_entry", "contra_account_reserved")
def test_the_issuance_of_one_asset_does_not_reach_the_contra_account_of_another(book: Book) -> str:
    body = entry((Side.DEBIT, COINS, 5), (Side.CREDIT, COIN_CONTRA, 5), asset=COIN)
    return book.end("journal_entry", body, by="bank-a")


@answers("coin_credit", "account_asset_differs")
def test_an_account_takes_no_other_asset(book: Book) -> str:
    return book.end("coin_credit", CoinCredit(credit=RICH, amount=5), by="bank-a")


@answers("transfer", "account_asset_differs")
def test_an_account_gives_no_other_asset(book: Book) -> str:
    return book.end("transfer", pay(RICH, COINS, 5, asset=COIN), by="bank-a")


@answers("transfer", "debit_account_closed")
def test_a_closed_account_gives_nothing(book: Book) -> str:
    return book.end("transfer", pay(CLOSED, RICH, 5), by="bank-a")


@answers("transfer", "debit_account_frozen")
def test_a_frozen_account_gives_nothing(book: Book) -> str:
    return book.end("transfer", pay(FROZEN, RICH, 5), by="bank-a")


@answers("escrow_pay", "holder_consent_missing")
def test_a_bound_account_gives_nothing_without_its_holder(book: Book) -> str:
    return send(book, BOUND, RICH)


@answers("redeem", "holder_consent_missing")
def test_a_bound_own_account_redeems_nothing_without_its_holder(book: Book) -> str:
    bound = wallet("601", 14)
    book.open_account("bank-a", bound, account_class="own", holder_key="holder")
    assert book.pay("bank-a", RICH, bound, 5) == "accepted"
    body = Redeem(account=bound, amount=5, reserve_payment="RTGS-new")
    return book.end("redeem", body, by="bank-a", signers=("bank-a-1", "issuer-1", "issuer-2"))


@answers("transfer", "credit_account_not_found")
def test_a_missing_account_takes_nothing(book: Book) -> str:
    return book.end("transfer", pay(RICH, MISSING, 5), by="bank-a")


@answers("transfer", "credit_account_closed")
def test_a_closed_account_takes_nothing(book: Book) -> str:
    return book.end("transfer", pay(RICH, CLOSED, 5), by="bank-a")


@answers("transfer", "insufficient_funds")
def test_no_account_goes_one_tiyn_below_zero(book: Book) -> str:
    assert book.pay("bank-a", CLIENT, POOR, 9_999) == "accepted"
    assert book.pay("bank-a", CLIENT, POOR, 1) == "accepted"
    assert book.balance(CLIENT) == 0
    return book.pay("bank-a", CLIENT, POOR, 1)


def test_legs_in_two_assets_move_together_or_not_at_all(book: Book) -> None:
    buyer, buyers_coins = wallet("601", 21), wallet("601", 22)
    book.open_account("bank-a", buyer)
    book.open_account("bank-a", buyers_coins, asset=COIN)
    book.pay("bank-a", RICH, buyer, 100)

    def deliver(coins: int, tenge: int) -> str:
        body = entry((Side.DEBIT, buyer, tenge), (Side.CREDIT, POOR, tenge))
        legs = (leg(Side.DEBIT, COINS, coins, asset=COIN), leg(Side.CREDIT, buyers_coins, coins, asset=COIN))
        return book.end("journal_entry", type(body)(postings=(*body.postings, *legs)), by="bank-a")

    assert deliver(501, 100) == "insufficient_funds"
    assert deliver(500, 101) == "insufficient_funds"
    assert deliver(500, 100) == "accepted"
    assert (book.balance(buyers_coins), book.balance(POOR)) == (500, 100)


@pytest.mark.parametrize(
    ("legs", "holds"),
    [
        (((Side.DEBIT, 5), (Side.CREDIT, 5)), True),
        (((Side.DEBIT, 5), (Side.CREDIT, 4)), False),
        (((Side.DEBIT, 5), (Side.DEBIT, 5)), False),
        (((Side.DEBIT, 5), (Side.CREDIT, 2), (Side.CREDIT, 3)), True),
        (((Side.DEBIT, 5), (Side.CREDIT, 2), (Side.CREDIT, 2)), False),
    ],
)
def test_an_entry_is_balanced_when_debits_equal_credits(legs: tuple[tuple[Side, int], ...], holds: bool) -> None:
    assert is_balanced(tuple(leg(side, RICH, amount) for side, amount in legs)) is holds


def test_an_entry_is_balanced_in_each_asset_on_its_own() -> None:
    postings: tuple[Posting, ...] = (leg(Side.DEBIT, RICH, 5), leg(Side.CREDIT, RICH, 5, asset=COIN))
    assert not is_balanced(postings)
    assert not is_balanced((*postings, leg(Side.DEBIT, RICH, 5), leg(Side.CREDIT, RICH, 5, asset=COIN)))
    assert is_balanced((*postings, leg(Side.CREDIT, RICH, 5), leg(Side.DEBIT, RICH, 5, asset=COIN)))


def test_a_contra_account_of_the_right_form_is_nobodys(book: Book) -> None:
    assert iban("125", "CONTRAKZT0000") == CONTRA_ACCOUNT
    assert book.end("transfer", pay(CONTRA_ACCOUNT, RICH, 5, asset=COIN), by="bank-a") == "contra_account_reserved"
