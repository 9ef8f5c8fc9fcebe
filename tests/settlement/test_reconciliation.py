"""Reconciliation: books, ledger and attested coins agree each day, or new business stops."""

import pytest

from ledger.model.assets import TENGE
from ledger.units import AssetId, TimestampUs
from settlement.model.reconciliation import (
    HOUR_US,
    AssetBooks,
    Break,
    BreakReason,
    Result,
)
from settlement.rules import RULEBOOK
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import CustodyDebit
from settlement.rules.purposes import PERMITTED_KINDS
from settlement.rules.reconciliation_order import GATED_KINDS
from settlement.rules.segregation import ClientReturn
from settlement.rules.tables import CUTS
from tests.book import Book, refused_with, wallet
from tests.settlement.instructed import allocate, batch, complete, match, reverse, settled, terms
from tests.settlement.market import (
    BTC,
    COIN,
    accepted,
    account,
    attest,
    commitment,
    credit_coins,
    fund,
    holder_key,
    market,
)
from tests.settlement.reconciling import (
    COINS_OWED,
    FEE,
    MONDAY,
    TENGE_OWED,
    TODAY,
    cut,
    last,
    listed,
    next_day,
    pay_in,
    reconcile,
    require,
    settle,
    stated,
)


@pytest.fixture
def book() -> Book:
    """A market under a supervisor's order."""
    book = market()
    accepted(require(book))
    return book


def test_the_ledger_counts_client_money_itself(book: Book) -> None:
    outcome = accepted(cut(book))

    assert outcome.record is not None
    seen = outcome.record["assets"][COIN].pop("observed_us")
    assert outcome.record == {
        "date": TODAY,
        "assets": {
            "KZT": {"ledger": TENGE_OWED, "accounts": 5},
            COIN: {"ledger": COINS_OWED, "accounts": 0, "attested": 100 * BTC},
        },
    }
    assert seen < book.time_us


def test_books_that_agree_balance_and_new_business_goes_on(book: Book) -> None:
    accepted(cut(book))
    outcome = accepted(reconcile(book))

    assert outcome.record is not None
    assert outcome.record["assets"]["KZT"] == {
        "backing": TENGE_OWED,
        "breaks": {},
        "owed": TENGE_OWED,
        "result": "balanced",
        "unexplained": 0,
    }
    assert outcome.record["assets"][COIN]["backing"] == 100 * BTC
    next_day(book)
    accepted(settle(book))
    accepted(credit_coins(book, "MBTC", 1))


def test_what_moves_after_the_cut_does_not_disturb_the_comparison(book: Book) -> None:
    accepted(cut(book))
    fund(book, "AKZT", 5_000)
    accepted(settle(book))
    accepted(reconcile(book))

    assert last(book, TENGE).result is Result.BALANCED


def test_the_fee_is_no_client_money(book: Book) -> None:
    accepted(settle(book))
    accepted(cut(book, TENGE))

    standing = book.state.get(CUTS, "aix-one/KZT")
    assert standing is not None
    assert standing.ledger == TENGE_OWED - FEE


def test_an_exchange_under_no_order_trades_as_before() -> None:
    book = market()
    next_day(book)

    accepted(settle(book))
    assert refused_with(cut(book)) == "reconciliation_not_required"
    assert refused_with(reconcile(book)) == "reconciliation_not_required"
    assert refused_with(listed(book, "AKZT")) == "reconciliation_not_required"


def test_the_first_day_is_due_by_its_end(book: Book) -> None:
    accepted(settle(book))
    next_day(book)

    assert refused_with(settle(book)) == "reconciliation_missing"
    assert refused_with(credit_coins(book, "MBTC", 1)) == "reconciliation_missing"


def test_a_missed_day_is_made_up_for_by_today(book: Book) -> None:
    next_day(book)
    accepted(cut(book))
    assert refused_with(reconcile(book, date=TODAY)) == "cut_date_differs"
    accepted(reconcile(book, date=MONDAY))

    accepted(settle(book))
    accepted(credit_coins(book, "MBTC", 1))


def test_a_sale_needs_both_its_assets_and_a_deposit_its_own(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    next_day(book)

    accepted(credit_coins(book, "MBTC", 1))
    assert refused_with(settle(book)) == "reconciliation_missing"


def test_a_reconciliation_of_the_day_before_yesterday_does_not_do(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book))
    next_day(book)
    accepted(settle(book))
    next_day(book, "2024-12-31")

    assert refused_with(settle(book)) == "reconciliation_missing"


def test_reconciling_every_other_day_keeps_no_business_going(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book))
    next_day(book)
    accepted(settle(book))
    tuesday, wednesday = "2024-12-31", "2025-01-01"
    next_day(book, tuesday)
    for _ in range(2):
        accepted(cut(book))
        accepted(reconcile(book, *stated(tenge=TENGE_OWED - FEE), date=tuesday))
        assert last(book).missed == last(book, TENGE).missed == MONDAY
        assert refused_with(settle(book)) == "reconciliation_missing"
        assert refused_with(credit_coins(book, "MBTC", 1)) == "reconciliation_missing"

    next_day(book, wednesday)
    accepted(settle(book))
    accepted(cut(book))
    accepted(reconcile(book, *stated(tenge=TENGE_OWED - 2 * FEE), date=wednesday))
    assert last(book).missed is None


def test_a_cut_is_not_forgotten_over_night(book: Book) -> None:
    accepted(cut(book))
    next_day(book)
    assert refused_with(cut(book)) == "cut_unreconciled"

    accepted(reconcile(book))
    accepted(settle(book))
    accepted(cut(book))


def test_the_days_between_business_dates_are_not_missed(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book))
    next_day(book, "2025-01-06")

    accepted(settle(book))


def test_a_break_stops_new_business_at_once_and_never_the_way_out(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book, *stated(coins=COINS_OWED + 1)))

    assert last(book).breaks == (Break(reason=BreakReason.BOOKS_ABOVE_LEDGER, amount=1),)
    assert refused_with(settle(book)) == "reconciliation_broken"
    assert refused_with(credit_coins(book, "MBTC", 1)) == "reconciliation_broken"
    withdrawal = CustodyDebit(
        account=account("MBTC"), amount=BTC, withdrawal="W-1", destination=commitment("own wallet")
    )
    accepted(book.submit("custody_debit", withdrawal, by="aix-one", signers=("aix-one-1", holder_key("miner-one"))))
    back = ClientReturn(account=account("AKZT"), credit=wallet("601", 1), holder="holder-1", amount=1_000)
    accepted(
        book.submit("client_return", back, by="aix-one", signers=("aix-one-1", holder_key("client-a"), "bank-a-1"))
    )
    fund(book, "AKZT", 1)


def test_the_house_makes_good_what_is_short(book: Book) -> None:
    """The books owe client-a 500.00 more than the ledger has: a fee was taken twice."""
    fund(book, "HOUSE", 1_000_000)
    accepted(cut(book))
    accepted(reconcile(book, *stated(tenge=TENGE_OWED + 50_000)))
    assert refused_with(settle(book)) == "reconciliation_broken"

    accepted(pay_in(book, "HOUSE", "AKZT", 50_000))
    assert refused_with(reconcile(book, *stated(tenge=TENGE_OWED + 50_000))) == "cut_reconciled"
    accepted(cut(book, TENGE))
    accepted(reconcile(book, AssetBooks(asset=TENGE, books=TENGE_OWED + 50_000)))
    accepted(settle(book))


def test_a_reserve_that_is_short_is_made_good_by_a_better_look(book: Book) -> None:
    accepted(attest(book, COINS_OWED - 1))
    accepted(cut(book))
    accepted(reconcile(book))
    assert last(book).breaks == (Break(reason=BreakReason.RESERVE_SHORT, amount=1),)
    assert refused_with(settle(book)) == "reconciliation_broken"

    accepted(attest(book, COINS_OWED))
    accepted(cut(book, COIN))
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    accepted(settle(book))


def test_what_is_short_elsewhere_is_not_covered_by_plenty_here(book: Book) -> None:
    accepted(cut(book))
    accepted(reconcile(book, *stated(tenge=TENGE_OWED + 1)))

    assert last(book).result is Result.BALANCED
    assert last(book, TENGE).result is Result.BROKEN
    assert refused_with(settle(book)) == "reconciliation_broken"
    accepted(credit_coins(book, "MBTC", 1))


def test_an_old_look_backs_nothing(book: Book) -> None:
    observed_us = TimestampUs(book.time_us)
    accepted(attest(book, 100 * BTC, observed_us=observed_us))
    book.time_us = observed_us + 24 * HOUR_US - 1_000_000
    accepted(cut(book, COIN))
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    assert last(book).result is Result.BALANCED

    book.time_us = observed_us + 24 * HOUR_US
    accepted(cut(book, COIN))
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    assert last(book).breaks == (Break(reason=BreakReason.ATTESTATION_OLD, amount=COINS_OWED),)
    assert last(book).backing == 0

    accepted(require(book, hours=48))
    accepted(cut(book, COIN))
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    assert last(book).result is Result.BALANCED


def test_a_coin_that_nobody_holds_needs_no_auditor(book: Book) -> None:
    accepted(book.submit("registry_coin", RegistryCoin(coin="LTC", scale=8), by="ministry"))
    admit = CoinAdmit(coin="LTC", contra=account("CONTRALTC"))
    accepted(book.submit("coin_admit", admit, by="aix-one", signers=("aix-one-1", "ministry-1")))
    litecoin = AssetId("LTC:aix-one")
    accepted(cut(book, litecoin))
    accepted(reconcile(book, AssetBooks(asset=litecoin, books=0)))

    assert last(book, litecoin).result is Result.BALANCED
    accepted(cut(book, litecoin))
    accepted(reconcile(book, AssetBooks(asset=litecoin, books=3)))
    assert [each.reason for each in last(book, litecoin).breaks] == [
        BreakReason.BOOKS_ABOVE_LEDGER,
        BreakReason.ATTESTATION_MISSING,
    ]


def test_instructed_sales_are_gated_too_and_their_reversal_is_not(book: Book) -> None:
    settled(book, "T-1")
    for trade in ("T-2", "T-3"):
        match(book, trade, terms(book, quantity=BTC // 1_000))
        accepted(allocate(book, trade))
    accepted(cut(book))
    accepted(reconcile(book, *stated(coins=COINS_OWED + 1)))

    assert last(book, TENGE).result is Result.BROKEN
    assert refused_with(complete(book, "T-2")) == "reconciliation_broken"
    assert refused_with(batch(book, "T-2", "T-3")) == "reconciliation_broken"
    assert reverse(book, "T-1") == "accepted"


WAYS_OUT = {"custody_debit", "client_return", "dvp_reverse", "court_order_debit", "winddown_pay"}
"""Kinds that debit clients and are open whatever the reconciliation says."""


def test_each_kind_that_debits_clients_is_new_business_or_a_way_out() -> None:
    assert set(RULEBOOK.kinds) >= GATED_KINDS
    assert not GATED_KINDS & WAYS_OUT
    assert PERMITTED_KINDS <= GATED_KINDS | WAYS_OUT, "say which of the two a new kind is"
