"""What a court's order takes, from whom, for whom, and how much of it."""

from typing import Any

import pytest

from ledger.rules.accounts import AccountClose
from ledger.units import AccountId, ParticipantId
from settlement.model.purposes import CourtOrder
from settlement.rules.court_orders import CourtOrderDebit
from settlement.rules.tables import COURT_ORDERS
from tests.book import Book, own_account, wallet
from tests.settlement.instructed import allocate, freeze, match, open_escrow
from tests.settlement.market import accepted, account, market

TWO = ("ministry-1", "ministry-2")


@pytest.fixture
def book() -> Book:
    return market()


def take(book: Book, *, by: str = "ministry", signers: tuple[str, ...] = TWO, **members: Any) -> str:
    """Take 1,000 tiyn of client-a for a wallet at bank-b."""
    whole: dict[str, Any] = {
        "account": account("AKZT"),
        "credit": wallet("602", 1),
        "amount": 1_000,
        "order": "2-17/2024",
        "ordered": 1_000,
    } | members
    return book.end("court_order_debit", CourtOrderDebit(**whole), by=by, signers=signers)


def test_an_order_is_carried_out_without_the_exchange_and_the_holder(book: Book) -> None:
    body = CourtOrderDebit(
        account=account("AKZT"), credit=wallet("602", 1), amount=400, order="2-17/2024", ordered=1_000
    )

    outcome = accepted(book.submit("court_order_debit", body, by="ministry", signers=TWO))

    assert outcome.record == {"keeper": "aix-one", "taken": 400}
    assert book.balance(wallet("602", 1)) == 400
    assert book.state.get(COURT_ORDERS, f"{account('AKZT')}/2-17/2024") == CourtOrder(
        supervisor=ParticipantId("ministry"), ordered=1_000, taken=400
    )


def test_an_order_takes_no_more_than_it_says_in_however_many_parts(book: Book) -> None:
    assert take(book, amount=600) == "accepted"
    assert take(book, amount=401) == "court_order_exceeded"
    assert take(book, amount=400) == "accepted"
    assert take(book, amount=1) == "court_order_exceeded"
    assert take(book, amount=1, account=account("MKZT")) == "insufficient_funds"
    assert book.balance(wallet("602", 1)) == 1_000


def test_an_order_keeps_its_sum_and_its_supervisor(book: Book) -> None:
    assert take(book, amount=1) == "accepted"
    assert take(book, amount=1, ordered=2_000) == "court_order_differs"


@pytest.mark.parametrize("signers", [("ministry-1",), ("ministry-1", "auditor-1")])
def test_one_person_does_not_carry_out_an_order(book: Book, signers: tuple[str, ...]) -> None:
    assert take(book, signers=signers) in ("signatures_insufficient", "signature_unasked")


@pytest.mark.parametrize("by", ["aix-one", "bank-a", "auditor", "operator"])
def test_nobody_but_a_supervisor_does(book: Book, by: str) -> None:
    assert take(book, by=by, signers=(f"{by}-1", f"{by}-2")) == "kind_not_permitted"


@pytest.mark.parametrize(
    "name", [account("HOUSE"), account("FEE"), account("NOBODY"), wallet("601", 1), account("CONTRABTC")]
)
def test_an_order_takes_from_a_client(book: Book, name: AccountId) -> None:
    assert take(book, account=name) == "court_account_unfit"


@pytest.mark.parametrize(
    ("credit", "end"),
    [
        (wallet("601", 1), "accepted"),
        (own_account("601"), "accepted"),
        (account("BKZT"), "accepted"),
        (account("MKZT"), "accepted"),
        (account("TAX"), "accepted"),
        (account("AKZT"), "accounts_must_differ"),
        (account("HOUSE"), "court_payee_unfit"),
        (account("FEE"), "court_payee_unfit"),
        (account("FKZT"), "court_payee_unfit"),
        (own_account("801"), "court_payee_unfit"),
        (own_account("802"), "court_payee_unfit"),
        (account("NOBODY"), "court_payee_unfit"),
        (account("BBTC"), "account_asset_differs"),
    ],
)
def test_an_order_pays_no_exchange_and_no_affiliate(book: Book, credit: AccountId, end: str) -> None:
    open_escrow(book)
    for exchange, code in (("aix-one", "801"), ("aix-two", "802")):
        accepted(book.open_account(exchange, own_account(code), account_class="own"))

    assert take(book, credit=credit) == end


def test_an_order_takes_coins_for_a_client(book: Book) -> None:
    assert take(book, account=account("BBTC"), credit=account("ABTC")) == "accepted"
    assert take(book, account=account("BBTC"), credit=wallet("601", 1), order="2-18") == "court_payee_unfit"
    assert book.balance(account("ABTC")) == 1_000
    assert book.state.get(COURT_ORDERS, f"{account('BBTC')}/2-17/2024") is not None


def test_an_order_takes_what_was_arrested(book: Book) -> None:
    freeze(book, "AKZT")

    assert take(book) == "accepted"


def test_an_order_takes_nothing_from_a_closed_account(book: Book) -> None:
    accepted(book.submit("account_close", AccountClose(account=account("BKZT")), by="aix-one"))

    assert take(book, account=account("BKZT")) == "debit_account_closed"
    assert take(book, credit=account("BKZT"), order="2-18") == "credit_account_closed"


def test_an_order_takes_from_an_account_that_no_key_is_bound_to(book: Book) -> None:
    assert take(book, account=account("CKZT")) == "accepted"


def test_what_is_set_aside_for_a_sale_is_released_first(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    held = book.balance(account("AKZT"))

    assert take(book, amount=held, ordered=held) == "funds_set_aside"
    assert take(book) == "accepted"
