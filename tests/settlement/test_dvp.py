"""Delivery versus payment: both legs or neither, within what both holders signed."""

from typing import Any

import pytest

from ledger.model.outcome import Duplicate
from ledger.rules.accounts import AccountClose
from ledger.state import State
from ledger.units import AMOUNT_MAX, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.rules.sales import EXECUTION_AGE_MAX_US
from settlement.rules.tables import CLAIMS, MANDATES_USED, TRADES
from tests.book import Book, end_of, key_of, refused_with
from tests.settlement.market import (
    BTC,
    COIN,
    DAY_US,
    accepted,
    account,
    buy_mandate,
    commitment,
    credit_coins,
    holder_key,
    market,
    report,
    row,
    sale,
    sell_mandate,
    settle,
    suspend,
)

TENGE = AssetId("KZT")


@pytest.fixture
def book() -> Book:
    return market()


def test_a_sale_moves_coins_tenge_and_fee_in_one_entry(book: Book) -> None:
    outcome = accepted(settle(book))

    assert len(outcome.entries) == 1
    assert book.balance(account("MBTC")) == 10 * BTC - BTC // 100
    assert book.balance(account("ABTC")) == BTC // 100
    assert book.balance(account("AKZT")) == 90_000_000 - 48_775_361
    assert book.balance(account("MKZT")) == 48_775_361 - 97_550
    assert book.balance(account("FEE")) == 97_550


def test_a_miners_sale_makes_a_claim_of_what_the_buyer_received(book: Book) -> None:
    accepted(settle(book, trade="T-1"))

    claim = book.state.get(CLAIMS, "aix-one/T-1")
    assert claim is not None
    assert (claim.miner, claim.coin, claim.quantity) == ("miner-one", "BTC", BTC // 100)
    assert claim.executed_on == "2024-12-24"
    assert (claim.amount, claim.fee, claim.settled_us) == (48_775_361, 97_550, book.time_us)


def test_a_clients_sale_makes_no_claim(book: Book) -> None:
    consent = sell_mandate(book, "client-b", account=account("BBTC"))
    accepted(settle(book, seller_coin=account("BBTC"), seller_tenge=account("BKZT"), seller_mandate=consent))

    assert list(book.state.items(CLAIMS)) == []
    assert len(list(book.state.items(TRADES))) == 1


def test_a_sale_without_a_fee_needs_no_fee_account(book: Book) -> None:
    accepted(settle(book, fee=0, fee_account=None))

    assert book.balance(account("FEE")) == 0


def test_the_same_bytes_get_the_first_answer_again(book: Book) -> None:
    raw = book.sign(book.transaction("dvp_settle", sale(book), by="aix-one"), [key_of("aix-one-1")])
    accepted(book.decide(raw))
    paid = book.balance(account("AKZT"))

    assert isinstance(book.decide(raw), Duplicate)
    assert book.balance(account("AKZT")) == paid


def test_an_affiliate_buys_like_any_client(book: Book) -> None:
    consent = buy_mandate(book, "affiliate", account=account("FKZT"))
    members = {"buyer_tenge": account("FKZT"), "buyer_coin": account("FBTC"), "buyer_mandate": consent}

    assert refused_with(settle(book, **members)) == "insufficient_funds"


def test_a_buyer_without_the_tenge_is_refused_and_no_coin_moves(book: Book) -> None:
    consent = buy_mandate(book, maximum=10**12)
    outcome = settle(book, quantity=BTC // 10, fee=0, buyer_mandate=consent)

    assert refused_with(outcome) == "insufficient_funds"
    assert book.balance(account("MBTC")) == 10 * BTC
    assert list(book.state.items(MANDATES_USED)) == []
    assert list(book.state.items(CLAIMS)) == []


def test_a_seller_without_the_coins_is_refused(book: Book) -> None:
    outcome = settle(
        book,
        quantity=6 * BTC,
        price=1_000_000,
        fee=0,
        seller_coin=account("BBTC"),
        seller_tenge=account("BKZT"),
        seller_mandate=sell_mandate(book, "client-b", account=account("BBTC"), limit_price=1),
    )
    assert refused_with(outcome) == "insufficient_funds"


def test_an_execution_in_the_future_is_refused(book: Book) -> None:
    assert refused_with(settle(book, executed_us=TimestampUs(book.time_us + 2_000_000))) == "execution_in_future"


def test_a_venue_that_was_not_registered_at_execution_is_refused(book: Book) -> None:
    executed_us = TimestampUs(book.time_us - 60_000_000)
    suspend(book, Register.EXCHANGE, "aix-one", executed_us, until_us=executed_us + 1)

    assert refused_with(settle(book, executed_us=executed_us)) == "venue_licence_invalid"
    accepted(settle(book, executed_us=TimestampUs(executed_us + 1)))


def test_an_execution_is_settled_within_a_day(book: Book) -> None:
    oldest_us = book.time_us + 1_000_000 - EXECUTION_AGE_MAX_US
    assert refused_with(settle(book, executed_us=TimestampUs(oldest_us - 1))) == "execution_too_old"

    oldest_us = book.time_us + 1_000_000 - EXECUTION_AGE_MAX_US
    accepted(settle(book, executed_us=TimestampUs(oldest_us), reference_date=BusinessDate("2024-12-22")))


def test_a_venue_suspended_since_the_execution_is_refused(book: Book) -> None:
    executed_us = TimestampUs(book.time_us)
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us + 500_000)

    assert refused_with(settle(book, executed_us=executed_us)) == "venue_licence_invalid"


def test_a_coin_that_is_not_admitted_is_refused(book: Book) -> None:
    assert refused_with(settle(book, coin="LTC")) == "coin_not_admitted"


def test_a_trade_settles_once(book: Book) -> None:
    accepted(settle(book, trade="T-1"))

    assert refused_with(settle(book, trade="T-1")) == "trade_repeated"


@pytest.mark.parametrize(
    "members",
    [
        {"seller_coin": account("NOBODY")},
        {"seller_coin": account("MKZT")},
        {"seller_tenge": account("HOUSE")},
        {"buyer_tenge": account("MKZT")},
        {"buyer_coin": account("MBTC")},
        {"buyer_coin": account("CONTRABTC")},
    ],
)
def test_accounts_of_another_asset_or_class_are_refused(book: Book, members: dict[str, Any]) -> None:
    assert refused_with(settle(book, **members)) == "dvp_account_unfit"


def test_an_account_at_another_exchange_is_refused(book: Book) -> None:
    theirs = account("A", "802")
    accepted(book.open_account("aix-two", theirs, account_class="client_segregated", holder="client-a"))

    assert refused_with(settle(book, buyer_tenge=theirs)) == "dvp_account_unfit"


def test_proceeds_go_to_the_holder_of_the_coins(book: Book) -> None:
    assert refused_with(settle(book, seller_tenge=account("BKZT"))) == "dvp_holder_differs"


def test_bought_coins_go_to_who_pays(book: Book) -> None:
    assert refused_with(settle(book, buyer_coin=account("BBTC"))) == "dvp_holder_differs"


def test_proceeds_go_where_the_same_key_disposes_of_them(book: Book) -> None:
    opened = book.open_account(
        "aix-one",
        account("M2KZT"),
        account_class="miner_proceeds",
        holder="miner-one",
        holder_key="made-by-the-exchange",
    )
    accepted(opened)

    assert refused_with(settle(book, seller_tenge=account("M2KZT"))) == "dvp_holder_differs"


def test_an_account_without_a_holder_is_no_party(book: Book) -> None:
    for name, asset in (("XBTC", COIN), ("XKZT", TENGE)):
        accepted(book.open_account("aix-one", account(name), account_class="client_segregated", asset=asset))

    outcome = settle(book, seller_coin=account("XBTC"), seller_tenge=account("XKZT"))
    assert refused_with(outcome) == "dvp_holder_differs"


def test_a_holder_does_not_trade_with_itself(book: Book) -> None:
    outcome = settle(book, seller_coin=account("ABTC"), seller_tenge=account("AKZT"))

    assert refused_with(outcome) == "self_trade"


def test_two_names_with_one_key_are_one_holder(book: Book) -> None:
    for name, asset in (("GBTC", COIN), ("GKZT", TENGE)):
        opened = book.open_account(
            "aix-one",
            account(name),
            account_class="client_segregated",
            asset=asset,
            holder="client-g",
            holder_key=holder_key("client-a"),
        )
        accepted(opened)

    outcome = settle(book, seller_coin=account("GBTC"), seller_tenge=account("GKZT"))
    assert refused_with(outcome) == "self_trade"


@pytest.mark.parametrize(("quantity", "price"), [(1, 100 * BTC - 1), (AMOUNT_MAX, AMOUNT_MAX)])
def test_an_amount_below_a_tenge_or_too_large_is_refused(book: Book, quantity: int, price: int) -> None:
    assert refused_with(settle(book, quantity=quantity, price=price)) == "trade_amount_out_of_range"


def test_an_account_the_miner_never_confirmed_sells_nothing(book: Book) -> None:
    for name, asset in (("NBTC", COIN), ("NKZT", TENGE)):
        opened = book.open_account(
            "aix-one",
            account(name),
            account_class="miner_proceeds",
            asset=asset,
            holder="miner-two",
            holder_key=holder_key("miner-two"),
        )
        accepted(opened)
    accepted(credit_coins(book, "NBTC", BTC))
    consent = sell_mandate(book, "miner-two", account=account("NBTC"))

    outcome = settle(book, seller_coin=account("NBTC"), seller_tenge=account("NKZT"), seller_mandate=consent)
    assert refused_with(outcome) == "miner_account_unconfirmed"


def test_a_miner_whose_licence_was_suspended_sells_nothing(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", book.time_us - DAY_US)

    assert refused_with(settle(book)) == "miner_licence_invalid"


def test_a_miner_whose_licence_ended_since_the_execution_sells_nothing(book: Book) -> None:
    executed_us = TimestampUs(book.time_us)
    suspend(book, Register.LICENCE, "L-1", book.time_us + 500_000)

    assert refused_with(settle(book, executed_us=executed_us)) == "miner_licence_invalid"


def test_any_licence_of_the_miner_suffices_and_none_of_others(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", book.time_us - DAY_US)
    other = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("x"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", other, by="ministry"))
    for number, miner, code in (("L-2", "miner-two", "miner_licence_invalid"), ("L-3", "miner-one", "accepted")):
        licence = RegistryLicence(
            licence=number, miner=ParticipantId(miner), subtype=1, issued=BusinessDate("2023-06-01")
        )
        accepted(book.submit("registry_licence", licence, by="ministry"))
        assert end_of(settle(book)) == code


@pytest.mark.parametrize("date", ["2024-12-25", "2024-02-30"])
def test_a_reference_date_after_the_trade_or_outside_the_calendar_is_refused(book: Book, date: str) -> None:
    assert refused_with(settle(book, reference_date=BusinessDate(date))) == "reference_date_invalid"


def test_a_fee_above_the_tariff_is_refused(book: Book) -> None:
    assert refused_with(settle(book, fee=97_551)) == "fee_above_tariff"


@pytest.mark.parametrize("name", [None, "HOUSE", "NOBODY", "AKZT"])
def test_a_fee_goes_to_a_fee_account(book: Book, name: str | None) -> None:
    fee_account = None if name is None else account(name)

    assert refused_with(settle(book, fee_account=fee_account)) == "fee_account_unfit"


def test_the_first_reason_in_the_documented_order_is_the_one_named(book: Book) -> None:
    """Everything is wrong at once; what is mended first is what was named."""
    wrong: dict[str, Any] = {
        "executed_us": TimestampUs(book.time_us + DAY_US),
        "coin": "LTC",
        "seller_tenge": account("HOUSE"),
        "quantity": 1_000,
        "price": 1,
        "seller_mandate": sell_mandate(book, "client-b"),
        "reference_date": BusinessDate("2025-12-24"),
        "fee": 10**12,
        "fee_account": None,
    }
    mended: list[tuple[str, str]] = [
        ("executed_us", "execution_in_future"),
        ("coin", "coin_not_admitted"),
        ("seller_tenge", "dvp_account_unfit"),
        ("price", "trade_amount_out_of_range"),
        ("seller_mandate", "mandate_key_invalid"),
        ("reference_date", "reference_date_invalid"),
        ("fee", "fee_above_tariff"),
    ]
    for member, code in mended:
        assert refused_with(settle(book, **wrong)) == code
        del wrong[member]
    accepted(settle(book, **(wrong | {"fee": 0})))


def test_the_codes_of_a_kind_stand_in_the_order_they_are_looked_at() -> None:
    codes = [code.code for code in RULEBOOK.kinds["dvp_settle"].refusals]

    assert codes == [
        "execution_in_future",
        "execution_too_old",
        "venue_licence_invalid",
        "coin_not_admitted",
        "trade_repeated",
        "dup_cash_leg",
        "dvp_account_unfit",
        "dvp_holder_differs",
        "self_trade",
        "trade_amount_out_of_range",
        "mandate_key_invalid",
        "mandate_cancelled",
        "mandate_scope_differs",
        "mandate_payee_differs",
        "mandate_expired",
        "mandate_price_outside",
        "mandate_exceeded",
        "miner_account_unconfirmed",
        "miner_licence_invalid",
        "reference_date_invalid",
        "price_stale",
        "price_missing",
        "reference_price_differs",
        "price_outside_band",
        "fee_above_tariff",
        "fee_account_unfit",
    ]


def test_a_closed_account_of_the_buyer_stops_the_sale(book: Book) -> None:
    accepted(book.submit("account_close", AccountClose(account=account("ABTC")), by="aix-one"))

    assert refused_with(settle(book)) == "credit_account_closed"


def test_the_state_of_settlement_survives_a_snapshot(book: Book) -> None:
    accepted(report(book, row(1)))
    accepted(settle(book))
    suspend(book, Register.POOL, "pool-one", book.time_us)

    loaded = State.load(RULEBOOK.tables, book.state.dump())
    assert loaded.digest() == book.state.digest()
    assert loaded.get(CLAIMS, next(key for key, _ in loaded.items(CLAIMS))) is not None
