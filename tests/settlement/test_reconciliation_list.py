"""The list of client accounts: whatever happens, a cut leaves no client money out."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.assets import TENGE
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES
from ledger.rules.transfers import Transfer
from ledger.state import Overlay
from ledger.units import TimestampUs
from settlement.model.reconciliation import (
    ACCOUNTS_PER_PAGE,
    LISTED_ACCOUNTS_MAX,
    LISTED_BY_ORDER_MAX,
)
from settlement.rules import RULEBOOK
from settlement.rules.reconciliation_order import ClientAccountsList
from settlement.rules.segregation import ClientReturn
from settlement.rules.tables import LISTED, LISTED_PAGES, REQUIREMENTS
from tests.book import Book, own_account, refused_with, wallet
from tests.settlement.market import (
    accepted,
    account,
    credit_coins,
    fund,
    holder_key,
    market,
)
from tests.settlement.reconciling import TENGE_OWED, cut, cut_of, listed, next_day, put, require, settle


@pytest.fixture
def book() -> Book:
    """A market under a supervisor's order."""
    book = market()
    accepted(require(book))
    return book


def test_no_money_reaches_a_client_account_that_no_cut_would_see(book: Book) -> None:
    accepted(book.open_account("aix-one", account("NKZT"), account_class="client_segregated", holder="client-n"))
    body = Transfer(debit=wallet("601", 1), credit=account("NKZT"), asset=TENGE, amount=1)
    fund(book, "AKZT", 1)
    accepted(
        book.submit(
            "transfer", Transfer(debit=own_account("601"), credit=wallet("601", 1), asset=TENGE, amount=1), by="bank-a"
        )
    )
    assert refused_with(book.submit("transfer", body, by="bank-a")) == "client_account_unlisted"

    assert accepted(listed(book, "NKZT")).record == {"accounts": 6}
    accepted(book.submit("transfer", body, by="bank-a"))
    accepted(cut(book, TENGE))
    assert cut_of(book).ledger == TENGE_OWED + 2


def test_the_house_and_coins_need_no_listing(book: Book) -> None:
    fund(book, "HOUSE", 1)
    accepted(credit_coins(book, "FBTC", 1))


@pytest.mark.parametrize("name", ["HOUSE", "ABTC", "NOBODY"])
def test_tenge_accounts_of_clients_are_listed_and_no_others(book: Book, name: str) -> None:
    assert refused_with(listed(book, name)) == "listing_account_unfit"


def test_accounts_of_another_exchange_are_not_listed(book: Book) -> None:
    accepted(require(book, "aix-two"))

    assert refused_with(listed(book, "AKZT", by="aix-two")) == "listing_account_unfit"


def test_an_account_is_listed_once(book: Book) -> None:
    assert refused_with(listed(book, "AKZT")) == "account_listed"
    assert refused_with(listed(book, "AKZT", "AKZT")) == "account_repeated"


def test_a_list_has_an_end(book: Book) -> None:
    for name in ("NKZT", "OKZT"):
        accepted(book.open_account("aix-one", account(name), account_class="client_segregated", holder=name))
    standing = book.state.get(REQUIREMENTS, "aix-one")
    assert standing is not None
    put(book, REQUIREMENTS, "aix-one", msgspec.structs.replace(standing, accounts=LISTED_ACCOUNTS_MAX - 1))

    assert refused_with(listed(book, "NKZT", "OKZT")) == "client_accounts_too_many"
    accepted(listed(book, "NKZT"))


def opened(book: Book, number: int, balance: int = 0) -> None:
    """The exchange opened so many more accounts of clients, too many to open one by one here."""
    account_row, tenge = book.state.get(ACCOUNTS, account("CKZT")), book.state.get(ASSETS, TENGE)
    assert account_row is not None
    assert tenge is not None
    overlay = Overlay(book.state)
    overlay.put(BALANCES, tenge.contra, (book.state.get(BALANCES, tenge.contra) or 0) + number * balance)
    for each in range(number):
        overlay.put(ACCOUNTS, account(f"X{each:06}"), account_row)
        overlay.put(BALANCES, account(f"X{each:06}"), balance)
    book.state.advance(overlay, TimestampUs(book.time_us))


def test_the_order_stands_however_many_accounts_an_exchange_has_opened() -> None:
    book = market()
    opened(book, LISTED_BY_ORDER_MAX)
    assert accepted(require(book)).record == {"accounts": LISTED_BY_ORDER_MAX}
    accepted(cut(book, TENGE))
    assert cut_of(book).ledger == TENGE_OWED

    left_out = next(
        account(name)
        for name in (f"X{each:06}" for each in range(LISTED_BY_ORDER_MAX))
        if book.state.get(LISTED, account(name)) is None
    )
    body = Transfer(debit=own_account("601"), credit=left_out, asset=TENGE, amount=1)
    assert refused_with(book.submit("transfer", body, by="bank-a")) == "client_account_unlisted"
    accepted(book.submit("client_accounts_list", ClientAccountsList(accounts=(left_out,)), by="aix-one"))
    fund(book, "CKZT", 1)


def test_accounts_with_money_are_listed_whatever_their_number() -> None:
    book = market()
    opened(book, LISTED_BY_ORDER_MAX, balance=1)
    assert accepted(require(book)).record == {"accounts": LISTED_BY_ORDER_MAX + 2}
    accepted(cut(book, TENGE))

    assert cut_of(book).ledger == TENGE_OWED + LISTED_BY_ORDER_MAX == naive_client_tenge(book)


def test_a_list_fills_page_after_page(book: Book) -> None:
    standing = book.state.get(REQUIREMENTS, "aix-one")
    page = book.state.get(LISTED_PAGES, "aix-one/0")
    assert standing is not None
    assert page is not None
    filler = tuple(account(f"X{number}") for number in range(ACCOUNTS_PER_PAGE - 6))
    put(book, LISTED_PAGES, "aix-one/0", page + filler)
    put(book, REQUIREMENTS, "aix-one", msgspec.structs.replace(standing, accounts=ACCOUNTS_PER_PAGE - 1))
    for name in ("NKZT", "OKZT"):
        accepted(book.open_account("aix-one", account(name), account_class="client_segregated", holder=name))
    accepted(listed(book, "NKZT", "OKZT"))
    fund(book, "OKZT", 7)

    full = book.state.get(LISTED_PAGES, "aix-one/0")
    assert full is not None
    assert len(full) == ACCOUNTS_PER_PAGE
    assert book.state.get(LISTED_PAGES, "aix-one/1") == (account("OKZT"),)
    accepted(cut(book, TENGE))
    assert cut_of(book).ledger == TENGE_OWED + 7


def test_only_exchanges_are_put_under_the_order(book: Book) -> None:
    assert refused_with(require(book, "bank-a")) == "participant_role_differs"


def test_a_changed_order_keeps_its_first_day_and_its_list(book: Book) -> None:
    before = book.state.get(REQUIREMENTS, "aix-one")
    next_day(book)
    assert accepted(require(book, hours=48)).record == {"accounts": 5}

    after = book.state.get(REQUIREMENTS, "aix-one")
    assert before is not None
    assert after == msgspec.structs.replace(before, attestation_hours=48)


def test_an_exchange_without_clients_lists_none(book: Book) -> None:
    assert accepted(require(book, "aix-two")).record == {"accounts": 0}
    accepted(cut(book, TENGE, by="aix-two"))


def naive_client_tenge(book: Book) -> int:
    """The sum that a cut must come to, by looking at every account there is."""
    return sum(
        book.state.get(BALANCES, account_id) or 0
        for account_id, each in book.state.items(ACCOUNTS)
        if each.owner == "aix-one" and each.asset == TENGE and RULEBOOK.classes[each.account_class].is_client
    )


steps = st.tuples(
    st.sampled_from(("order", "open", "list", "fund", "sale", "return", "house")), st.integers(0, 3), st.integers(1, 9)
)


@settings(max_examples=20, deadline=None)
@given(st.lists(steps, max_size=14))
def test_whatever_happens_a_cut_leaves_no_client_money_out(moves: list[tuple[str, int, int]]) -> None:
    """Accounts are opened, paid into and listed in any order, before the order to reconcile and after it."""
    book = market()
    accepted(require(book, "aix-two"))
    for what, number, amount in moves:
        name = ("AKZT", "P1KZT", "P2KZT", "CKZT")[number]
        if what == "order":
            require(book)
        elif what == "open" and name[0] == "P":
            book.open_account("aix-one", account(name), account_class="tax_escrow", holder=name)
        elif what == "list":
            listed(book, name)
        elif what in ("fund", "house"):
            credit = account(name if what == "fund" else "HOUSE")
            body = Transfer(debit=own_account("601"), credit=credit, asset=TENGE, amount=amount)
            book.submit("transfer", body, by="bank-a")
        elif what == "sale":
            settle(book)
        else:
            back = ClientReturn(account=account("AKZT"), credit=wallet("601", 1), holder="holder-1", amount=amount)
            signers = ("aix-one-1", holder_key("client-a"), "bank-a-1")
            accepted(book.submit("client_return", back, by="aix-one", signers=signers))
    require(book)
    accepted(cut(book, TENGE))

    assert cut_of(book).ledger == naive_client_tenge(book)
