"""Rounding: the buyer never pays above the price, the seller gets its limit and loses less than one per cent."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from settlement.model.trades import TRADE_AMOUNT_MIN, price_received, tenge_amount
from tests.book import Book, refused_with
from tests.settlement.market import BTC, accepted, account, buy_mandate, market, sell_mandate, settle


@pytest.fixture
def book() -> Book:
    return market()


def test_the_amount_is_rounded_down_to_a_tiyn(book: Book) -> None:
    price = 101 * BTC - 1
    accepted(settle(book, quantity=1, price=price, fee=0, buyer_mandate=buy_mandate(book, limit_price=price)))

    assert book.balance(account("MKZT")) == 100


def test_rounding_down_leaves_the_seller_its_limit_price(book: Book) -> None:
    price = 101 * BTC - 1
    members = {"quantity": 1, "price": price, "fee": 0, "buyer_mandate": buy_mandate(book, limit_price=price)}

    outcome = settle(book, **members, seller_mandate=sell_mandate(book, limit_price=100 * BTC + 1))
    assert refused_with(outcome) == "mandate_price_outside"
    accepted(settle(book, **members, seller_mandate=sell_mandate(book, limit_price=100 * BTC)))


def test_a_sale_is_of_one_tenge_at_least(book: Book) -> None:
    for price, code in ((100 * BTC - 1, "trade_amount_out_of_range"), (100 * BTC, None)):
        consent = buy_mandate(book, limit_price=price)
        outcome = settle(book, quantity=1, price=price, fee=0, buyer_mandate=consent)
        if code is None:
            accepted(outcome)
        else:
            assert refused_with(outcome) == code


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 8))
def test_rounding_costs_the_seller_less_than_one_per_cent(quantity: int, price: int, scale: int) -> None:
    amount = tenge_amount(quantity, price, scale)
    assume(amount >= TRADE_AMOUNT_MIN)

    received = price_received(amount, quantity, scale)
    assert received <= price
    assert amount * 100 * 10**scale > quantity * price * 99
    assert received * quantity <= amount * 10**scale
