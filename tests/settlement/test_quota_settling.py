"""From instructed sales, parts, batches and reversals on the ledger to the quota."""

import pytest

from ledger.units import BusinessDate
from settlement.model.statement import ClaimState, QuotaStatement
from settlement.quota import restated
from settlement.rules.tables import CASH_LEGS, CLAIMS
from settlement.views.statements import quota_statement
from tests.book import Book
from tests.settlement.instructed import (
    allocate,
    buyer_says,
    complete,
    match,
    reverse,
    seller_says,
    settled,
    take_out,
    terms,
)
from tests.settlement.market import BTC, PRICE, accepted, account, close_day, market, report, row, sell_mandate
from tests.settlement.quota_cases import MINER, line_of


@pytest.fixture
def book() -> Book:
    """The miner has produced 1 BTC."""
    made = market()
    accepted(report(made, row(1)))
    return made


def stands(book: Book) -> QuotaStatement:
    return quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-31"))


def test_a_sale_is_pending_until_it_is_final(book: Book) -> None:
    agreed = terms(book)
    accepted(buyer_says(book, "T-1", agreed))
    assert stands(book).claims == ()
    accepted(seller_says(book, "T-1", agreed))
    assert (line_of(stands(book), "aix-one/T-1").state, stands(book).pending) == (ClaimState.PENDING, BTC // 100)
    assert (stands(book).sold, stands(book).counted) == (0, 0)
    accepted(allocate(book))
    accepted(complete(book))

    assert (line_of(stands(book), "aix-one/T-1").state, stands(book).pending) == (ClaimState.COUNTED, 0)
    claim = book.state.get(CLAIMS, "aix-one/T-1")
    assert claim is not None
    assert book.state.get(CASH_LEGS, claim.transaction) == "aix-one/T-1"


def test_a_clients_pending_sale_is_nobodys_quota(book: Book) -> None:
    agreed = terms(book, seller_coin=account("BBTC"), seller_tenge=account("BKZT"))
    match(book, agreed=agreed, mandate=sell_mandate(book, "client-b", account=account("BBTC")))

    assert (stands(book).pending, stands(book).claims) == (0, ())


def test_example_15_of_a_partial_settlement_the_final_part_counts(book: Book) -> None:
    match(book, agreed=terms(book, quantity=3 * BTC // 1_000))
    accepted(take_out(book, 90_000_000 - 2 * BTC // 1_000 * PRICE // BTC))
    accepted(allocate(book, is_partial=True))
    accepted(complete(book))
    result = stands(book)

    # The rest has failed for want of cash: it is on record as a fail, and no sale.
    (line,) = result.claims
    assert (line.state, line.quantity) == (ClaimState.COUNTED, 2 * BTC // 1_000)
    assert (result.counted, result.sold, result.pending) == (2 * BTC // 1_000, 2 * BTC // 1_000, 0)


def test_rule_11_a_reversal_restates_the_period_in_which_the_sale_was_executed(book: Book) -> None:
    settled(book)
    first = restated(None, stands(book))
    assert first.statement.counted == BTC // 100
    close_day(book, "2024-12-27", "2025-01-03")
    assert reverse(book, quantity=BTC // 400) == "accepted"
    second = restated(first, stands(book))
    assert (second.version, second.statement.counted) == (2, BTC // 100 - BTC // 400)
    assert line_of(second.statement, "aix-one/T-1").reversed == BTC // 400

    assert reverse(book, quantity=BTC // 100 - BTC // 400) == "accepted"
    third = restated(second, stands(book))
    assert (third.version, third.previous, third.statement.counted) == (3, second.digest, 0)
    assert line_of(third.statement, "aix-one/T-1").state is ClaimState.REVERSED
