"""The five payments of the FTX complaint, tried by every way an exchange has: each is refused by a named rule."""

from typing import Any

import pytest

from ledger.crypto import canonical
from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.transfers import Transfer
from ledger.units import AMOUNT_MAX, AssetId, TimestampUs
from settlement.affiliate_flows import exposures, house_flows
from settlement.ftx_pattern import PAYMENTS, TOTAL_CENTS, Payment, Signer, Stage, attempts
from settlement.model.instructions import Charges
from settlement.rules import RULEBOOK
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.dvp import DvpSettle
from settlement.rules.price_limits import PriceBandSet
from settlement.rules.tables import RESERVED
from settlement.rules.tariff import TariffNoticeSet, TariffSet
from tests.book import Book, refused_with, wallet
from tests.settlement import reconciling
from tests.settlement.instructed import EXCHANGE, enrich, open_escrow, seller_says, take_out, terms
from tests.settlement.market import (
    BTC,
    COIN,
    PRICE,
    accepted,
    account,
    buy_mandate,
    close_day,
    credit_coins,
    fund,
    holder_key,
    market,
    sale,
    sell_mandate,
    settle,
)
from tests.settlement.test_purposes import belongs


@pytest.fixture(scope="module")
def stage() -> tuple[Book, Stage]:
    """A market in which client-a holds all that is to be taken, and every account the pattern needs."""
    book = market()
    enrich(book, "AKZT", TOTAL_CENTS)
    open_escrow(book)
    accepted(book.open_account("aix-one", account("HBTC"), account_class="house", asset=COIN))

    def bought(quantity: int, price: int, fee: int) -> DvpSettle:
        return sale(
            book,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_account=account("FEE") if fee else None,
            seller_coin=account("FBTC"),
            seller_tenge=account("FKZT"),
            seller_mandate=sell_mandate(book, "affiliate", account=account("FBTC"), maximum=AMOUNT_MAX),
            buyer_mandate=buy_mandate(book, maximum=AMOUNT_MAX),
        )

    return book, Stage(
        exchange=EXCHANGE,
        client_tenge=account("AKZT"),
        client_coin=account("BBTC"),
        other_client=account("BKZT"),
        affiliate_tenge=account("FKZT"),
        affiliate_coin=account("FBTC"),
        house=account("HOUSE"),
        house_coin=account("HBTC"),
        fee=account("FEE"),
        escrow=account("TAX"),
        wallet=wallet("601", 2),
        client_at_bank="holder-1",
        coin_scale=8,
        sale=bought,
        fair_price=PRICE,
    )


def test_the_payments_add_up() -> None:
    assert [payment.cents for payment in PAYMENTS] == [
        10_000_000_032,
        47_000_566_077,
        8_092_812_702,
        25_000_000_000,
        25_000_000_000,
    ]
    assert sum(payment.cents for payment in PAYMENTS) == TOTAL_CENTS == 115_093_378_811
    founders = sum(payment.cents for payment in PAYMENTS if "founder" in payment.to)
    assert founders == 55_093_378_779, "550,933,787.79 went to founders, not to data centres"


@pytest.mark.parametrize(("number", "payment"), list(enumerate(PAYMENTS, 1)))
def test_each_payment_is_refused_whichever_way_it_is_tried(
    stage: tuple[Book, Stage], number: int, payment: Payment
) -> None:
    book, where = stage
    before = {name: book.balance(getattr(where, name)) for name in ("client_tenge", "house", "fee", "affiliate_tenge")}
    assert before["client_tenge"] > payment.cents
    keys = {Signer.CLIENT: holder_key("client-a"), Signer.BANK: "bank-a-1"}

    tried = attempts(where, payment, number)

    for attempt in tried:
        signers = ("aix-one-1", "aix-one-2", *(keys[signer] for signer in attempt.signers))
        end = book.end(attempt.kind, attempt.body, by="aix-one", signers=signers)
        assert end == attempt.refused_by, attempt.way
    after = {name: book.balance(getattr(where, name)) for name in before}
    assert after == before
    assert len({attempt.way for attempt in tried}) == len(tried) == 27
    assert {attempt.kind for attempt in tried} >= {
        "transfer",
        "journal_entry",
        "bulk_transfer",
        "dvp_settle",
        "client_return",
        "custody_credit",
        "custody_debit",
    }


def test_every_way_is_refused_by_a_rule_of_the_rulebook_or_for_want_of_authority(stage: tuple[Book, Stage]) -> None:
    _, where = stage
    names = {attempt.refused_by for attempt in attempts(where, PAYMENTS[0], 1)}

    assert names - set(RULEBOOK.refusal_codes()) == {"kind_not_permitted", "signatures_insufficient"}


@pytest.mark.parametrize("payment", PAYMENTS)
def test_an_exchange_that_made_its_clients_keys_still_trades_within_the_band(payment: Payment) -> None:
    book = market()
    enrich(book, "AKZT", TOTAL_CENTS)
    accepted(credit_coins(book, "FBTC", BTC))
    band = PriceBandSet(coin="BTC", age_days_max=7, band_ppm=50_000)
    accepted(book.submit("price_band_set", band, by="ministry"))
    close_day(book, "2024-12-27", "2024-12-28")
    bought: dict[str, Any] = {
        "quantity": BTC // 1_000,
        "price": payment.cents * 1_000,
        "fee": 0,
        "fee_account": None,
        "seller_coin": account("FBTC"),
        "seller_tenge": account("FKZT"),
        "seller_mandate": sell_mandate(book, "affiliate", account=account("FBTC")),
        "buyer_mandate": buy_mandate(book, maximum=AMOUNT_MAX, limit_price=AMOUNT_MAX),
    }

    assert refused_with(settle(book, **bought)) == "price_outside_band"


# --- the escrow -----------------------------------------------------------------------------------------


def test_tax_is_no_way_to_the_house(stage: tuple[Book, Stage]) -> None:
    book, _ = stage
    for name, tax, code in (
        ("HOUSE", 1, "tax_account_unfit"),
        ("FEE", 1, "tax_account_unfit"),
        ("TAX", PAYMENTS[0].cents, "mandate_price_outside"),
    ):
        charges = Charges(tax=tax, tax_account=account(name))
        assert refused_with(seller_says(book, "T-1", terms(book), charges=charges)) == code


def test_what_lies_in_escrow_is_not_the_exchanges(stage: tuple[Book, Stage]) -> None:
    book, where = stage
    fund(book, "TAX", 1_000)
    body = Transfer(debit=where.escrow, credit=where.house, asset=TENGE, amount=1_000)

    assert book.end("transfer", body, by="aix-one") == "signatures_insufficient"
    assert book.end("transfer", body, by="aix-one", signers=("aix-one-1", "treasury")) == "client_money_to_house"


# --- one customer without limits ------------------------------------------------------------------------


def test_no_account_goes_below_zero_not_even_the_houses(stage: tuple[Book, Stage]) -> None:
    book, where = stage
    for debit, key in ((where.house, None), (where.affiliate_tenge, "affiliate")):
        body = Transfer(debit=debit, credit=where.other_client, asset=TENGE, amount=1)
        signers = ("aix-one-1",) if key is None else ("aix-one-1", holder_key(key))
        assert book.end("transfer", body, by="aix-one", signers=signers) == "insufficient_funds"


def test_there_is_no_switch_that_would_let_one_account(stage: tuple[Book, Stage]) -> None:
    for member in ("allow_negative", "is_exempt", "credit_line"):
        shape = f'{{"account":"{account("X")}","account_class":"house","asset":"KZT","{member}":true}}'
        with pytest.raises(canonical.NotCanonical, match=member):
            canonical.decode(shape.encode(), NewAccount)


def test_a_sister_firm_under_another_name_trades_as_what_it_is() -> None:
    book = market()
    belongs(book, "aix-one/client-a")

    assert refused_with(settle(book)) == "affiliate_class_required"


# --- own tokens -----------------------------------------------------------------------------------------


def test_a_token_of_its_own_is_neither_admitted_nor_held_nor_a_price_nor_a_reserve(stage: tuple[Book, Stage]) -> None:
    book, _ = stage
    token = RegistryCoin(coin="FTT", scale=8, issued_by="aix-one")
    accepted(book.submit("registry_coin", token, by="ministry"))
    both = ("aix-one-1", "ministry-1")
    admit = CoinAdmit(coin="FTT", contra=account("CONTRAFTT"))

    assert refused_with(book.submit("coin_admit", admit, by="aix-one", signers=both)) == "own_token_not_admitted"
    opened = NewAccount(account=account("FFTT"), asset=AssetId("FTT:aix-one"), account_class="client_segregated")
    assert book.end("account_open", AccountOpen(accounts=(opened,)), by="aix-one") == "asset_unknown"
    assert refused_with(settle(book, coin="FTT")) == "coin_not_admitted"
    assert refused_with(seller_says(book, "T-2", terms(book, coin="FTT"))) == "own_token_not_admitted"


def test_there_is_nothing_to_pledge() -> None:
    """Collateral would be a debit or a lien: no kind makes one, and what is set aside is set aside for a sale."""
    book = market()
    marks = ("loan", "lend", "pledge", "margin", "collateral", "credit_line", "overdraft")

    assert not [kind for kind in RULEBOOK.kinds if any(mark in kind for mark in marks)]
    assert not list(book.state.items(RESERVED))


# --- fees, reconciliation, and what is flagged --------------------------------------------------------------


def test_a_fee_for_all_of_it_would_have_to_be_posted_and_waited_for() -> None:
    book = market()
    accepted(book.submit("tariff_notice_set", TariffNoticeSet(days=10, order="DAA-2.5.1"), by="ministry"))
    close_day(book, "2024-12-27", "2024-12-28")
    raised = accepted(book.submit("tariff_set", TariffSet(fee_ppm=20_000), by="aix-one"))

    assert raised.record == {"from": "2025-01-07"}
    assert refused_with(settle(book, fee=975_507)) == "fee_above_tariff"
    assert book.end("tariff_set", _payload(20_001), by="aix-one") == "payload_invalid"
    accepted(take_out(book, 90_000_000))


def _payload(fee_ppm: int) -> TariffSet:
    return TariffSet(fee_ppm=fee_ppm)


def test_an_exchange_that_does_not_reconcile_settles_nothing() -> None:
    book = market()
    accepted(reconciling.require(book))
    reconciling.next_day(book)

    assert refused_with(reconciling.settle(book)) == "reconciliation_missing"
    accepted(reconciling.cut(book))
    accepted(reconciling.reconcile(book, *reconciling.stated(tenge=91_000_001), date=reconciling.MONDAY))
    assert refused_with(reconciling.settle(book)) == "reconciliation_broken"
    accepted(take_out(book, 1))


def test_what_the_house_lends_of_its_own_is_flagged() -> None:
    """Its own money is its own; but who reads the ledger sees each payment, and the sum of the month."""
    book = market()
    fund(book, "HOUSE", 1_000)
    body = Transfer(debit=account("HOUSE"), credit=account("FKZT"), asset=TENGE, amount=1_000)
    outcome = accepted(book.submit("transfer", body, by="aix-one"))
    classes = {account("HOUSE"): "house", account("FKZT"): "affiliate_client"}
    now = TimestampUs(book.time_us)

    flows = house_flows(outcome.entries[0].postings, lambda name: (EXCHANGE, classes[name]), now)

    assert exposures(flows, now)[EXCHANGE, TENGE, 30].net == 1_000
