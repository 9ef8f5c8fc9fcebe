"""Batches: coins sale by sale, tenge net for each account, all or nothing."""

import pytest

from ledger.model.assets import TENGE
from ledger.model.outcome import Outcome, Refused
from ledger.rules.accounts import AccountClose
from ledger.rules.opening import NotAdmissible
from ledger.units import AMOUNT_MAX, BALANCE_MAX, BusinessDate
from settlement.model.instructions import Charges
from settlement.model.reconciliation import AssetBooks
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.mandates import mandate_digest
from settlement.rules.netting import BATCH_TRADES_MAX, DvpBatch
from settlement.rules.tables import CLAIMS, MANDATES_USED
from tests.book import Book, refused_with
from tests.settlement.instructed import (
    QUANTITY,
    allocate,
    batch,
    buyer_says,
    complete,
    enrich,
    freeze,
    instruction,
    match,
    nonce,
    reserved,
    seller_says,
    take_out,
    terms,
    withdraw,
)
from tests.settlement.market import (
    BTC,
    PRICE,
    accepted,
    account,
    buy_mandate,
    market,
    sell_mandate,
    suspend,
)
from tests.settlement.reconciling import cut, cut_of, reconcile, require, stated

SMALL = QUANTITY // 10
COST = SMALL * PRICE // BTC


@pytest.fixture
def book() -> Book:
    return market()


def match_back(book: Book, trade: str, quantity: int = SMALL) -> None:
    """client-a sells to client-b what it bought or has."""
    agreed = terms(
        book,
        quantity=quantity,
        seller_coin=account("ABTC"),
        seller_tenge=account("AKZT"),
        buyer_tenge=account("BKZT"),
        buyer_coin=account("BBTC"),
    )
    sell = sell_mandate(book, "client-a", account=account("ABTC"), nonce=nonce(trade, "s"))
    buy = buy_mandate(book, "client-b", account=account("BKZT"), nonce=nonce(trade, "b"))
    accepted(seller_says(book, trade, agreed, mandate=sell, charges=Charges()))
    accepted(buyer_says(book, trade, agreed, mandate=buy))


def sales(book: Book, *trades: str) -> None:
    for trade in trades:
        match(book, trade, terms(book, quantity=SMALL))


def test_a_batch_moves_coins_gross_and_tenge_net(book: Book) -> None:
    enrich(book, "BKZT", 2 * COST)
    sales(book, "T-1", "T-2")
    accepted(complete_one(book))
    match_back(book, "T-4")
    outcome = accepted(batch(book, "T-1", "T-2", "T-4"))

    fee = 2 * (SMALL * 97_550 // QUANTITY)
    assert len(outcome.entries) == 4
    assert [len(entry.postings) for entry in outcome.entries] == [2, 2, 2, 4]
    assert outcome.record == {
        "model": "bis_2_coins_gross_tenge_net",
        "finality": "final with the block that carries it",
        "final_us": book.time_us,
        "gross": 3 * COST,
        "net": 2 * COST,
        "gives": {account("AKZT"): COST, account("BKZT"): COST},
        "gets": {account("FEE"): fee, account("MKZT"): 2 * COST - fee},
    }
    assert all(instruction(book, trade).status == "settled" for trade in ("T-1", "T-2", "T-4"))
    assert instruction(book).settled is not None
    assert book.state.get(CLAIMS, "aix-one/T-1") is not None
    assert book.state.get(CLAIMS, "aix-one/T-4") is None


def complete_one(book: Book) -> Outcome:
    """client-a gets coins to sell."""
    match(book, "T-0", terms(book, quantity=SMALL))
    accepted(allocate(book, "T-0"))
    return complete(book, "T-0")


def test_a_client_that_buys_and_sells_needs_the_difference_only(book: Book) -> None:
    enrich(book, "BKZT", COST)
    sales(book, "T-1")
    accepted(complete_one(book))
    match_back(book, "T-2")
    accepted(take_out(book, 90_000_000 - COST))
    outcome = accepted(batch(book, "T-1", "T-2"))

    assert outcome.record is not None
    assert outcome.record["gets"][account("AKZT")] == 0
    assert account("AKZT") not in outcome.record["gives"]
    assert book.balance(account("AKZT")) == 0


def test_coins_may_come_from_an_earlier_sale_of_the_batch_and_not_from_a_later(book: Book) -> None:
    enrich(book, "BKZT", COST)
    accepted(complete_one(book))
    sales(book, "T-1")
    match_back(book, "T-2")
    accepted(withdraw(book, "ABTC", "client-a", SMALL))

    assert refused_with(batch(book, "T-2", "T-1")) == "insufficient_funds"
    accepted(batch(book, "T-1", "T-2"))


def test_a_batch_takes_what_is_set_aside_for_its_own_sales_only(book: Book) -> None:
    sales(book, "T-1", "T-2", "T-3")
    accepted(allocate(book, "T-1"))
    accepted(allocate(book, "T-3"))
    accepted(take_out(book, 90_000_000 - 3 * COST + 1))
    assert refused_with(batch(book, "T-1", "T-2")) == "batch_funds_short"
    accepted(batch(book, "T-1", "T-3"))

    assert (reserved(book, "AKZT"), reserved(book, "MBTC")) == (0, 0)


def test_coins_set_aside_outside_the_batch_stay(book: Book) -> None:
    sales(book, "T-1", "T-2", "T-3")
    accepted(allocate(book, "T-3"))
    accepted(withdraw(book, "MBTC", "miner-one", 10 * BTC - 3 * SMALL + 1))

    assert refused_with(batch(book, "T-1", "T-2")) == "batch_funds_short"


def test_one_sale_that_may_not_settle_stops_all(book: Book) -> None:
    sales(book, "T-1")
    before = book.state.digest()
    for trades, code in (
        (("T-1", "T-9"), "instruction_unknown"),
        (("T-1", "T-1"), "instruction_status_unfit"),
    ):
        assert refused_with(batch(book, *trades)) == code
    assert book.balance(account("ABTC")) == 0
    assert instruction(book).status == "matched"
    assert before != book.state.digest(), "only the references were remembered"
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)
    assert refused_with(batch(book, "T-1", "T-1")) == "venue_licence_invalid"


def test_an_unmatched_sale_is_not_batched(book: Book) -> None:
    sales(book, "T-1")
    accepted(seller_says(book, "T-2", terms(book, quantity=SMALL)))

    assert refused_with(batch(book, "T-1", "T-2")) == "instruction_status_unfit"


def test_one_consent_is_used_up_over_the_sales_of_a_batch(book: Book) -> None:
    consent = buy_mandate(book, maximum=2 * COST - 1)
    agreed = terms(book, quantity=SMALL)
    for trade in ("T-1", "T-2"):
        accepted(seller_says(book, trade, agreed))
        accepted(buyer_says(book, trade, agreed, mandate=consent))
    assert refused_with(batch(book, "T-1", "T-2")) == "mandate_exceeded"
    accepted(allocate(book, "T-1"))
    accepted(complete(book, "T-1"))
    assert book.state.get(MANDATES_USED, mandate_digest(consent)) == COST


def test_a_part_set_aside_settles_in_the_batch_and_the_rest_fails(book: Book) -> None:
    sales(book, "T-1", "T-2")
    accepted(take_out(book, 90_000_000 - COST - COST // 2))
    accepted(allocate(book, "T-1"))
    accepted(allocate(book, "T-2", is_partial=True))
    outcome = accepted(batch(book, "T-1", "T-2"))

    assert outcome.record is not None
    assert outcome.record["failed"]["T-2"]["cause"] == "CASH_SHORT"
    assert instruction(book, "T-2").status == "partly_settled"


def match_both_ways(book: Book) -> None:
    """client-b sells to client-a, and buys as much back for the same."""
    enrich(book, "BKZT", COST)
    back = terms(
        book,
        quantity=SMALL,
        seller_coin=account("BBTC"),
        seller_tenge=account("BKZT"),
    )
    sell = sell_mandate(book, "client-b", account=account("BBTC"))
    accepted(seller_says(book, "T-1", back, mandate=sell, charges=Charges()))
    accepted(buyer_says(book, "T-1", back))
    accepted(complete_one(book))
    match_back(book, "T-2")


def test_equal_sales_both_ways_move_no_tenge(book: Book) -> None:
    match_both_ways(book)
    outcome = accepted(batch(book, "T-1", "T-2"))

    assert len(outcome.entries) == 2
    assert outcome.record is not None
    assert outcome.record["net"] == 0


@pytest.mark.parametrize("name", ["AKZT", "BKZT"])
def test_a_frozen_client_buys_nothing_though_it_pays_nothing_net(book: Book, name: str) -> None:
    match_both_ways(book)
    freeze(book, name)

    assert refused_with(batch(book, "T-1", "T-2")) == "debit_account_frozen"


def test_a_closed_account_buys_nothing_either(book: Book) -> None:
    match_both_ways(book)
    accepted(take_out(book, book.balance(account("AKZT"))))
    accepted(book.submit("account_close", AccountClose(account=account("AKZT")), by="aix-one"))

    assert refused_with(batch(book, "T-1", "T-2")) == "debit_account_closed"


def test_the_tenge_is_asked_for_its_reconciliation_though_none_moves(book: Book) -> None:
    match_both_ways(book)
    accepted(require(book))
    accepted(cut(book))
    owed = cut_of(book).ledger
    accepted(reconcile(book, *stated(tenge=owed + 1)))
    assert refused_with(batch(book, "T-1", "T-2")) == "reconciliation_broken"

    accepted(cut(book, TENGE))
    accepted(reconcile(book, AssetBooks(asset=TENGE, books=owed)))
    accepted(batch(book, "T-1", "T-2"))


def match_dear(book: Book, trade: str) -> None:
    """One bitcoin for the largest amount there is."""
    today = BusinessDate("2024-12-28")
    agreed = terms(book, quantity=BTC, price=AMOUNT_MAX, settlement_date=today)
    sell = sell_mandate(book, nonce=nonce(trade, "s"))
    buy = buy_mandate(book, maximum=AMOUNT_MAX, limit_price=AMOUNT_MAX, nonce=nonce(trade, "b"))
    accepted(seller_says(book, trade, agreed, mandate=sell, charges=Charges()))
    accepted(buyer_says(book, trade, agreed, mandate=buy))


def test_sums_that_cannot_be_written_are_refused(book: Book) -> None:
    """Each sale of ten is funded by itself; together they are more than any balance, and two more than a posting."""
    for _ in range(2):
        enrich(book, "AKZT", AMOUNT_MAX // 2 - 100_000_000)
    accepted(book.close_day("2024-12-28"))
    enrich(book, "AKZT", 200_000_000)
    names = [f"T-{number}" for number in range(10)]
    for name in names:
        match_dear(book, name)

    assert BALANCE_MAX // AMOUNT_MAX == 9
    outcome = batch(book, *names)
    assert refused_with(outcome) == "batch_sum_too_large"
    assert isinstance(outcome, Refused)
    assert outcome.detail.startswith("gross")
    outcome = batch(book, *names[:2])
    assert refused_with(outcome) == "batch_sum_too_large"
    assert isinstance(outcome, Refused)
    assert outcome.detail.startswith("account")


def test_a_batch_has_two_to_sixty_four_sales(book: Book) -> None:
    for trades in (("T-1",), tuple(f"T-{number}" for number in range(BATCH_TRADES_MAX + 1))):
        with pytest.raises(NotAdmissible):
            batch(book, *trades)
    assert refused_with(batch(book, *(f"T-{number}" for number in range(BATCH_TRADES_MAX)))) == "instruction_unknown"


def test_a_full_batch_settles(book: Book) -> None:
    agreed = terms(book, quantity=QUANTITY // 100)
    names = [f"F-{number}" for number in range(BATCH_TRADES_MAX)]
    for name in names:
        match(book, name, agreed)
    outcome = accepted(batch(book, *names))

    assert len(outcome.entries) == BATCH_TRADES_MAX + 1
    body = DvpBatch(trades=tuple(names))
    assert RULEBOOK.kinds["dvp_batch"].weight(body) == BATCH_TRADES_MAX
