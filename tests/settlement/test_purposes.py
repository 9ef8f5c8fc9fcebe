"""The table of purposes says what the rules do, is closed under paths, and stands on the page as it is in the code."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import Refused
from ledger.rules.accounts import OWN, WALLET
from ledger.rules.module import Submitted
from ledger.units import AccountId, AssetId
from settlement.model.purposes import Move, Place, Purpose, Whose, as_markdown, destinations, reachable
from settlement.rules import RULEBOOK
from settlement.rules.classes import AFFILIATE_CLIENT, FEE, HOUSE, HOUSE_CLASSES, TAX_ESCROW
from settlement.rules.purposes import CLIENT_CLASSES, DESTINATIONS, ORDERED_KINDS, PERMITTED_KINDS, TABLE
from settlement.rules.register_load import PartyRow
from settlement.rules.segregation import guard
from tests.book import Book, own_account, refused_with, wallet
from tests.settlement.instructed import enrich
from tests.settlement.market import (
    COIN,
    PRICE,
    accepted,
    account,
    buy_mandate,
    commitment,
    credit_coins,
    market,
    sell_mandate,
    settle,
)
from tests.settlement.test_parties import relation
from tests.settlement.test_register_load import load

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "settlement.md"
SALES = {Purpose.DVP_BUY, Purpose.DVP_SELL, Purpose.FEE, Purpose.TAX, Purpose.REVERSAL}
CLIENTS = [name for name in CLIENT_CLASSES if name != TAX_ESCROW.name]


@pytest.fixture
def book() -> Book:
    return market()


def walked(
    *, without: Iterable[Purpose] = (), starts: Iterable[str] = CLIENT_CLASSES, more: Iterable[Move] = ()
) -> dict[Place, frozenset[Purpose]]:
    left_out = set(without)
    table = [move for move in (*TABLE, *more) if move.purpose not in left_out]
    return dict(reachable(table, starts, CLIENT_CLASSES))


def test_the_kinds_that_may_debit_clients_follow_from_the_table() -> None:
    assert {
        "dvp_settle",
        "dvp_complete",
        "dvp_batch",
        "dvp_reverse",
        "custody_debit",
        "client_return",
        "court_order_debit",
        "winddown_pay",
    } == PERMITTED_KINDS
    assert ORDERED_KINDS <= PERMITTED_KINDS


def test_the_table_names_classes_and_kinds_of_the_rulebook_and_leaves_no_client_class_out() -> None:
    classes = {*RULEBOOK.classes, "contra"}
    assert {name for move in TABLE for name in (*move.from_classes, *move.to_classes)} <= classes
    assert {kind for move in TABLE for kind in move.kinds} <= set(RULEBOOK.kinds)
    assert set(CLIENT_CLASSES) == {name for name, each in RULEBOOK.classes.items() if each.is_client}
    assert {name for _, name, _ in DESTINATIONS} == set(CLIENT_CLASSES)


def test_each_purpose_has_a_row_and_each_row_says_what_bounds_it() -> None:
    assert {move.purpose for move in TABLE} == set(Purpose)
    assert all(move.bound for move in TABLE)


def test_no_path_leads_from_a_client_to_the_house() -> None:
    places = {place.account_class for place in walked()}

    assert HOUSE.name not in places
    assert places & HOUSE_CLASSES == {FEE.name, OWN.name}


def test_what_reaches_another_owner_does_so_by_a_sale_its_fee_its_tax_or_its_reversal() -> None:
    for place, ways in walked(without=[Purpose.COURT_ORDER], starts=CLIENTS).items():
        assert bool(ways) is (place.whose is not Whose.SAME)
        assert ways <= SALES, place
        if place.account_class == FEE.name:
            assert Purpose.FEE in ways
            assert place.whose is Whose.EXCHANGE
        if place.account_class == OWN.name:
            assert Purpose.TAX in ways
            assert place.whose is Whose.STATE
        if place.account_class == AFFILIATE_CLIENT.name and place.whose is not Whose.SAME:
            assert ways & {Purpose.DVP_BUY, Purpose.DVP_SELL, Purpose.REVERSAL}


def test_an_order_reaches_whom_it_names_and_no_affiliate_directly() -> None:
    (tenge, coins) = [move for move in TABLE if move.purpose is Purpose.COURT_ORDER]

    assert not {AFFILIATE_CLIENT.name, FEE.name, HOUSE.name} & {*tenge.to_classes, *coins.to_classes}
    with_orders = walked()
    assert with_orders[Place(OWN.name, Whose.NAMED, "tenge")] >= {Purpose.COURT_ORDER}


def test_what_lies_in_the_tax_escrow_reaches_no_exchange() -> None:
    """Unless it went back to the buyer first, who then trades like anybody."""
    from_escrow = walked(without=[Purpose.REVERSAL, Purpose.COURT_ORDER], starts=[TAX_ESCROW.name])

    assert {place.account_class for place in from_escrow} == {TAX_ESCROW.name, WALLET.name, "contra"}
    assert all(place.whose is Whose.SAME for place in from_escrow)


def test_a_row_too_many_would_be_found_even_in_two_steps() -> None:
    """What the walk is for: a suspense account that clients reach, and the house from there."""
    into = Move(Purpose.FEE, ("tenge",), tuple(CLIENTS), (TAX_ESCROW.name,), ("x",), Whose.SAME, "for a while")
    out = Move(Purpose.FUND_IN, ("tenge",), (TAX_ESCROW.name,), (HOUSE.name,), ("y",), Whose.EXCHANGE, "left over")

    found = walked(more=[into, out])

    assert found[Place(HOUSE.name, Whose.EXCHANGE, "tenge")] >= {Purpose.FUND_IN}


def test_coins_never_become_tenge_on_the_way() -> None:
    found = reachable(TABLE, ["miner_proceeds"], CLIENT_CLASSES)

    assert Place(FEE.name, Whose.EXCHANGE, "coins") not in found
    assert Place(FEE.name, Whose.EXCHANGE, "tenge") in found


def test_destinations_of_a_kind_are_those_of_all_its_rows() -> None:
    found = destinations(TABLE, ["client_segregated"])

    assert found["dvp_settle", "client_segregated", "coins"] == {"client_segregated", "affiliate_client"}
    assert found["dvp_settle", "client_segregated", "tenge"] == {
        "client_segregated",
        "miner_proceeds",
        "affiliate_client",
        "fee",
    }
    assert ("transfer", "client_segregated", "tenge") not in found


def test_the_page_shows_the_table() -> None:
    assert as_markdown(TABLE) in PAGE.read_text("utf-8"), f"put this into {PAGE.name}:\n{as_markdown(TABLE)}"


# --- the guard asks the table ---------------------------------------------------------------------------


def asked(book: Book, kind: str, debit: AccountId, credit: AccountId, asset: AssetId = TENGE) -> str:
    """What the guard says of an entry of a kind, whatever the kind's own rules would say."""
    entry = Entry(
        (
            Posting(account=debit, asset=asset, amount=1, side=Side.DEBIT),
            Posting(account=credit, asset=asset, amount=1, side=Side.CREDIT),
        )
    )
    signed: Any = SimpleNamespace(transaction=SimpleNamespace(kind=kind))
    submitted = SimpleNamespace(signed=signed, classes=RULEBOOK.classes, time_us=book.time_us)
    answer = guard(book.state, cast(Submitted, submitted), entry)
    return answer.code.code if isinstance(answer, Refused) else "nothing"


@pytest.mark.parametrize(
    ("kind", "credit", "answer"),
    [
        ("client_return", wallet("601", 1), "nothing"),
        ("client_return", account("HOUSE"), "client_money_to_house"),
        ("client_return", account("FKZT"), "client_money_to_affiliate"),
        ("client_return", account("BKZT"), "client_money_purpose"),
        ("custody_debit", wallet("601", 1), "client_money_purpose"),
        ("dvp_settle", account("BKZT"), "nothing"),
        ("dvp_settle", account("FEE"), "nothing"),
        ("dvp_settle", account("HOUSE"), "client_money_to_house"),
        ("dvp_settle", wallet("601", 1), "client_money_purpose"),
        ("dvp_complete", wallet("601", 1), "nothing"),
        ("dvp_complete", own_account("601"), "nothing"),
        ("dvp_complete", own_account("801"), "client_money_to_house"),
        ("court_order_debit", own_account("601"), "nothing"),
        ("court_order_debit", own_account("801"), "client_money_to_house"),
        ("court_order_debit", account("FKZT"), "client_money_to_affiliate"),
        ("winddown_pay", wallet("601", 1), "nothing"),
        ("winddown_pay", account("BKZT"), "client_money_purpose"),
    ],
)
def test_a_permitted_kind_goes_nowhere_but_where_the_table_says(
    book: Book, kind: str, credit: AccountId, answer: str
) -> None:
    accepted(book.open_account("aix-one", own_account("801"), account_class="own"))

    assert asked(book, kind, account("AKZT"), credit) == answer


@pytest.mark.parametrize(("kind", "answer"), [("winddown_pay", "nothing"), ("client_return", "client_account_unbound")])
def test_only_an_order_debits_an_account_that_nobody_can_sign_for(book: Book, kind: str, answer: str) -> None:
    assert asked(book, kind, account("CKZT"), wallet("601", 1)) == answer


# --- affiliates are stricter clients --------------------------------------------------------------------


def belongs(book: Book, party: str) -> None:
    """The exchange and a party turn out to be of one group."""
    accepted(load(book, PartyRow(party="group:steppe", name=commitment("steppe"))))
    accepted(load(book, relation("aix-one", "group:steppe", "group"), relation(party, "group:steppe", "owner")))


def test_a_client_of_the_exchanges_group_trades_on_accounts_of_an_affiliate_only(book: Book) -> None:
    enrich(book, "AKZT", 90_000_000)
    accepted(settle(book))
    belongs(book, "aix-one/client-a")

    assert refused_with(settle(book)) == "affiliate_class_required"


def test_so_does_one_who_sells(book: Book) -> None:
    belongs(book, "aix-one/client-b")
    consent = sell_mandate(book, "client-b", account=account("BBTC"))

    outcome = settle(book, seller_coin=account("BBTC"), seller_tenge=account("BKZT"), seller_mandate=consent)

    assert refused_with(outcome) == "affiliate_class_required"


def test_a_client_of_another_exchanges_group_trades_as_before(book: Book) -> None:
    belongs(book, "aix-two/client-a")

    accepted(settle(book))


def test_a_miner_of_the_group_keeps_its_class(book: Book) -> None:
    belongs(book, "miner-one")

    accepted(settle(book))


def test_an_affiliate_that_says_so_trades(book: Book) -> None:
    belongs(book, "aix-one/affiliate")
    accepted(credit_coins(book, "FBTC", 100_000_000))
    seller = sell_mandate(book, "affiliate", account=account("FBTC"), asset=COIN)
    outcome = settle(
        book,
        seller_coin=account("FBTC"),
        seller_tenge=account("FKZT"),
        seller_mandate=seller,
        buyer_mandate=buy_mandate(book, limit_price=PRICE),
    )

    accepted(outcome)
