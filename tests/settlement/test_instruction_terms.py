"""The terms of an instructed sale: cut-off, fee and tax, price, and who belongs together."""

import pytest

from ledger.units import AssetId, BusinessDate, TimestampUs
from settlement.model.energy import PayeePurpose
from settlement.model.instructions import (
    Charges,
)
from settlement.model.parties import RelationKind, client_party
from settlement.model.registers import Register
from settlement.rules.price_limits import PriceBandSet
from settlement.rules.prices import CoinPrice, PricePublish
from settlement.rules.register_load import PriceListRow, RelationRow
from settlement.rules.settlement_settings import CutOffSet
from settlement.rules.tables import CLAIMS
from settlement.rules.utilities import RegistryPayee
from tests.book import Book, refused_with, wallet
from tests.settlement.instructed import (
    AMOUNT,
    EXCHANGE,
    FEE,
    HOUR_US,
    MIDNIGHT_US,
    QUANTITY,
    buyer_says,
    confirm_tax,
    instruction,
    open_escrow,
    seller_says,
    settled,
    terms,
)
from tests.settlement.market import (
    BTC,
    PRICE,
    YEAR_US,
    accepted,
    account,
    close_day,
    credit_coins,
    market,
    sell_mandate,
    settle,
    suspend,
)
from tests.settlement.test_register_load import load


@pytest.fixture
def book() -> Book:
    return market()


# --- the cut-off ----------------------------------------------------------------------------------------


def test_nothing_is_instructed_from_the_cut_off_on(book: Book) -> None:
    book.time_us = MIDNIGHT_US + 18 * HOUR_US - 1_000_001
    accepted(seller_says(book, "T-1", terms(book)))
    assert instruction(book).cut_off_us == MIDNIGHT_US + 18 * HOUR_US

    book.time_us = MIDNIGHT_US + 18 * HOUR_US - 1_000_000
    assert refused_with(seller_says(book, "T-2", terms(book))) == "cut_off_passed"


def test_a_cut_off_changes_from_the_next_business_day(book: Book) -> None:
    outcome = accepted(book.submit("cut_off_set", CutOffSet(minutes=60), by="aix-one"))
    assert outcome.record == {"from": "2024-12-28"}
    accepted(seller_says(book, "T-1", terms(book)))
    accepted(seller_says(book, "T-2", terms(book, settlement_date=BusinessDate("2024-12-28"))))
    assert instruction(book, "T-1").cut_off_us == MIDNIGHT_US + 18 * HOUR_US
    assert instruction(book, "T-2").cut_off_us == MIDNIGHT_US + 25 * HOUR_US

    close_day(book, "2024-12-27", "2024-12-28")
    accepted(book.submit("cut_off_set", CutOffSet(minutes=120), by="aix-one"))
    accepted(seller_says(book, "T-3", terms(book, settlement_date=BusinessDate("2024-12-28"))))
    assert instruction(book, "T-3").cut_off_us == MIDNIGHT_US + 25 * HOUR_US


def test_a_suspended_venue_sets_no_cut_off(book: Book) -> None:
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)

    assert refused_with(book.submit("cut_off_set", CutOffSet(minutes=60), by="aix-one")) == "venue_licence_invalid"


# --- fee and tax ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charges", "code"),
    [
        (Charges(fee=FEE + 1, fee_account=account("FEE")), "fee_above_tariff"),
        (Charges(fee=FEE), "fee_account_unfit"),
        (Charges(fee=FEE, fee_account=account("HOUSE")), "fee_account_unfit"),
        (Charges(tax=1), "tax_account_unfit"),
        (Charges(tax=1, tax_account=account("HOUSE")), "tax_account_unfit"),
        (Charges(tax=1, tax_account=account("NOBODY")), "tax_account_unfit"),
        (Charges(tax=1, tax_account=account("CONTRABTC")), "tax_account_unfit"),
        (Charges(tax=AMOUNT), "mandate_price_outside"),
    ],
)
def test_charges_beyond_what_is_permitted_are_refused(book: Book, charges: Charges, code: str) -> None:
    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges)) == code


def test_charges_that_leave_the_seller_nothing_are_refused(book: Book) -> None:
    consent = sell_mandate(book, limit_price=1)
    charges = Charges(tax=AMOUNT - 1, fee=1)

    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges, mandate=consent)) == (
        "charges_exceed_amount"
    )


def test_a_buyer_pays_the_price_and_nothing_else(book: Book) -> None:
    assert refused_with(buyer_says(book, "T-1", terms(book), charges=Charges(fee=1))) == "charges_on_buyer"


def test_a_tax_is_within_the_sellers_mandate(book: Book) -> None:
    """What a tax takes counts as price the seller does not receive, so his limit bounds it."""
    tax = 1_000_000
    open_escrow(book)
    charges = Charges(tax=tax, tax_account=account("TAX"))
    limit = (AMOUNT - tax) * 100
    consent = sell_mandate(book, limit_price=limit + 1)
    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges, mandate=consent)) == (
        "mandate_price_outside"
    )
    accepted(seller_says(book, "T-1", terms(book), charges=charges, mandate=sell_mandate(book, limit_price=limit)))


def test_an_escrow_account_is_confirmed_once_and_only_if_it_is_one(book: Book) -> None:
    accepted(book.open_account("aix-one", account("UNBOUND"), account_class="tax_escrow", holder="treasury"))
    for name in ("HOUSE", "NOBODY", "UNBOUND"):
        assert confirm_tax(book, name) == "tax_account_unfit"
    accepted(
        book.open_account(
            "aix-one",
            account("COINS"),
            account_class="tax_escrow",
            asset=AssetId("BTC:aix-one"),
            holder="treasury",
            holder_key="treasury",
        )
    )
    assert confirm_tax(book, "COINS") == "tax_account_unfit"
    open_escrow(book)
    assert confirm_tax(book, "TAX") == "tax_account_confirmed"


def test_an_escrow_account_that_nobody_confirmed_takes_no_tax(book: Book) -> None:
    opened = book.open_account(
        "aix-one", account("TAX"), account_class="tax_escrow", holder="treasury", holder_key="treasury"
    )
    accepted(opened)
    charges = Charges(tax=1, tax_account=account("TAX"))

    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges)) == "tax_account_unfit"


def test_a_tax_goes_to_the_treasurys_own_account_if_that_is_registered(book: Book) -> None:
    charges = Charges(tax=1_000, tax_account=wallet("602", 1))
    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges)) == "tax_account_unfit"
    body = RegistryPayee(account=wallet("602", 1), purpose=PayeePurpose.TREASURY)
    accepted(book.submit("registry_payee", body, by="ministry", signers=("ministry-1", "ministry-2")))
    settled(book, charges=charges)

    assert book.balance(wallet("602", 1)) == 1_000


def test_a_fee_account_is_no_account_of_the_treasury(book: Book) -> None:
    """One account stands once in an entry, and the exchange's is not the state's, whatever the register says."""
    body = RegistryPayee(account=account("FEE"), purpose=PayeePurpose.TREASURY)
    accepted(book.submit("registry_payee", body, by="ministry", signers=("ministry-1", "ministry-2")))
    charges = Charges(fee=FEE, fee_account=account("FEE"), tax=1_000, tax_account=account("FEE"))

    assert refused_with(seller_says(book, "T-1", terms(book), charges=charges)) == "tax_account_unfit"


# --- the price ------------------------------------------------------------------------------------------


def limit_prices(book: Book, age_days_max: int, band_ppm: int | None) -> None:
    body = PriceBandSet(coin="BTC", age_days_max=age_days_max, band_ppm=band_ppm)
    accepted(book.submit("price_band_set", body, by="ministry"))


def test_a_band_holds_from_the_next_business_day_for_both_ways_to_settle(book: Book) -> None:
    limit_prices(book, 1, 50_000)
    edge = PRICE * 21 // 20
    assert edge - PRICE < PRICE // 20 + 1
    accepted(buyer_says(book, "T-0", terms(book, price=edge + 1)))
    close_day(book, "2024-12-27", "2024-12-28")
    monday = {"settlement_date": BusinessDate("2024-12-28")}

    assert refused_with(buyer_says(book, "T-1", terms(book, price=edge + 1, **monday))) == "price_outside_band"
    assert refused_with(settle(book, price=edge + 1)) == "price_outside_band"
    assert refused_with(settle(book, price=PRICE * 19 // 20 - 1)) == "price_outside_band"
    accepted(buyer_says(book, "T-1", terms(book, price=edge, **monday)))
    assert refused_with(settle(book, reference_date=BusinessDate("2024-12-22"))) == "price_stale"
    accepted(settle(book))


def test_a_limit_is_replaced_from_the_next_day(book: Book) -> None:
    limit_prices(book, 1, 50_000)
    close_day(book, "2024-12-27", "2024-12-28")
    limit_prices(book, 366, None)
    assert refused_with(settle(book, price=PRICE * 2)) == "mandate_price_outside"
    assert refused_with(settle(book, reference_date=BusinessDate("2024-12-22"))) == "price_stale"
    close_day(book, "2024-12-28", "2024-12-30")

    accepted(settle(book, price=PRICE + PRICE // 10, reference_date=BusinessDate("2024-12-22")))


def test_only_a_registered_coin_has_a_limit(book: Book) -> None:
    body = PriceBandSet(coin="LTC", age_days_max=1)

    assert refused_with(book.submit("price_band_set", body, by="ministry")) == "coin_unknown"


def test_the_oldest_reference_price_is_two_weeks_old_where_nothing_is_set(book: Book) -> None:
    accepted(seller_says(book, "T-1", terms(book, reference_date=BusinessDate("2024-12-10"))))


def test_the_reference_price_of_a_listed_coin_is_the_published_one(book: Book) -> None:
    accepted(load(book, PriceListRow(coin="BTC", from_us=TimestampUs(book.time_us - YEAR_US))))
    assert refused_with(seller_says(book, "T-1", terms(book))) == "price_missing"
    publish(book, "2024-12-23", PRICE - 1)

    assert refused_with(seller_says(book, "T-1", terms(book))) == "reference_price_differs"
    accepted(settle(book, quantity=QUANTITY // 2, fee=0))
    limit_prices(book, 1, None)
    close_day(book, "2024-12-27", "2024-12-28")
    assert refused_with(settle(book)) == "reference_price_differs"
    accepted(settle(book, quantity=QUANTITY // 2, fee=0, reference_price=PRICE - 1))


def publish(book: Book, date: str, price: int) -> None:
    body = PricePublish(date=BusinessDate(date), source="weighted mean", prices=(CoinPrice(coin="BTC", price=price),))
    accepted(book.submit("price_publish", body, by="ministry"))


# --- who belongs together -------------------------------------------------------------------------------


def test_related_parties_are_marked_and_not_refused(book: Book) -> None:
    client = client_party(EXCHANGE, "client-a")
    from_us = TimestampUs(book.time_us - YEAR_US)
    accepted(load(book, RelationRow(party="miner-one", other=client, relation=RelationKind.OWNER, from_us=from_us)))
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed))
    outcome = accepted(buyer_says(book, "T-1", agreed))

    assert outcome.record == {"status": "matched", "differs": [], "related": "owner"}
    assert instruction(book).related == "owner"


def test_an_affiliate_is_marked(book: Book) -> None:
    agreed = terms(book, seller_coin=account("FBTC"), seller_tenge=account("FKZT"))
    accepted(credit_coins(book, "FBTC", BTC))
    accepted(seller_says(book, "T-1", agreed, mandate=sell_mandate(book, "affiliate", account=account("FBTC"))))
    accepted(buyer_says(book, "T-1", agreed))

    assert instruction(book).related == "affiliate"
    assert list(book.state.items(CLAIMS)) == []
