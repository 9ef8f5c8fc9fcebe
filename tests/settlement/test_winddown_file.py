"""The distribution file and the drill: what is owed to whom, from the ledger alone, and nothing is changed."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.assets import TENGE
from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.state import Overlay, State, Table
from ledger.units import AccountId, ParticipantId, TimestampUs
from settlement.model.custody import Attestation
from settlement.model.winddown import AssetTotal, Distribution, Drill
from settlement.rules import RULEBOOK
from settlement.rules.tables import ATTESTATIONS
from settlement.winddown import COLUMNS, as_csv, as_json, distribution, drill
from tests.book import Book
from tests.settlement.instructed import AMOUNT, EXCHANGE, allocate, freeze, match, reserved
from tests.settlement.market import BTC, COIN, accepted, account, attest, fund, market, registered_market
from tests.settlement.reconciling import put
from tests.settlement.winding import pay_out, wound_down


@pytest.fixture
def book() -> Book:
    return market()


def test_the_file_lists_what_each_client_is_owed(book: Book) -> None:
    fund(book, "FKZT", 1_000_000)
    fund(book, "HOUSE", 777)
    match(book)
    accepted(allocate(book))

    assert as_csv(distribution(book.state, EXCHANGE)).splitlines() == [
        "exchange,holder,account,account_class,asset,balance,set_aside,payable,share,needs_order,is_frozen",
        f"aix-one,client-b,{account('BBTC')},client_segregated,BTC:aix-one,500000000,0,500000000,1/3,false,false",
        f"aix-one,miner-one,{account('MBTC')},miner_proceeds,BTC:aix-one,1000000000,1000000,1000000000,2/3,false,false",
        f"aix-one,affiliate,{account('FKZT')},affiliate_client,KZT,1000000,0,1000000,1/92,true,false",
        f"aix-one,client-a,{account('AKZT')},client_segregated,KZT,90000000,{AMOUNT},90000000,45/46,false,false",
        f"aix-one,client-c,{account('CKZT')},client_segregated,KZT,1000000,0,1000000,1/92,true,false",
    ]


def test_the_file_is_json_too(book: Book) -> None:
    made = distribution(book.state, EXCHANGE)

    assert msgspec.json.decode(as_json(made), type=Distribution) == made
    assert made.totals == (
        AssetTotal(asset=COIN, owed=15 * BTC, backing=100 * BTC),
        AssetTotal(asset=TENGE, owed=91_000_000, backing=91_000_000),
    )


def test_an_exchange_without_clients_owes_nothing() -> None:
    made = distribution(registered_market().state, EXCHANGE)

    assert (made.totals, made.lines) == ((), ())
    assert as_csv(made) == ",".join(COLUMNS) + "\n"


def test_an_account_that_names_nobody_is_listed(book: Book) -> None:
    accepted(book.open_account("aix-one", account("NOBODY"), account_class="client_segregated"))
    fund(book, "NOBODY", 5)

    (line,) = [line for line in distribution(book.state, EXCHANGE).lines if line.holder is None]

    assert (line.account, line.balance, line.needs_order) == (account("NOBODY"), 5, True)
    assert f"aix-one,,{account('NOBODY')},client_segregated,KZT,5,0,5," in as_csv(distribution(book.state, EXCHANGE))


def test_coins_that_are_short_are_shared_in_proportion(book: Book) -> None:
    accepted(attest(book, 10 * BTC))

    made = distribution(book.state, EXCHANGE)

    assert made.totals[0].covered == Fraction(2, 3)
    assert {line.holder: line.payable for line in made.lines if line.asset == COIN} == {
        "client-b": 333_333_333,
        "miner-one": 666_666_666,
    }


def test_coins_that_nobody_attested_are_not_there(book: Book) -> None:
    state = State(RULEBOOK.tables)
    overlay = Overlay(state)
    tables: tuple[Table[Any], ...] = (ACCOUNTS, BALANCES)
    for table in tables:
        for key, value in book.state.items(table):
            overlay.put(table, key, value)

    assert [line.payable for line in distribution(overlay, EXCHANGE).lines if line.asset == COIN] == [0, 0]


def test_a_drill_says_what_a_wind_down_would_come_to_and_changes_nothing(book: Book) -> None:
    fund(book, "FKZT", 1_000_000)
    fund(book, "BKZT", 3)
    match(book)
    accepted(allocate(book))
    accepted(attest(book, 10 * BTC))
    freeze(book, "BKZT")
    before, held = book.state.digest(), reserved(book, "AKZT")

    made = drill(book.state, EXCHANGE, time_us=TimestampUs(book.time_us))

    assert book.state.digest() == before
    assert (made.open_sales, made.released) == (("T-1",), held)
    assert all(line.set_aside == 0 for line in made.distribution.lines)
    assert (made.lines_by_consent, made.lines_by_order, made.lines_frozen) == (1, 2, 1)
    assert made.short == (AssetTotal(asset=COIN, owed=15 * BTC, backing=10 * BTC),)
    assert msgspec.json.decode(as_json(made), type=Drill) == made


def test_a_drill_sees_the_sales_of_its_exchange_only(book: Book) -> None:
    match(book)

    assert drill(book.state, EXCHANGE, time_us=TimestampUs(book.time_us)).open_sales == ("T-1",)
    other = drill(book.state, ParticipantId("aix-two"), time_us=TimestampUs(book.time_us))
    assert (other.open_sales, other.distribution.lines) == ((), ())


def test_what_was_paid_out_is_owed_no_more(book: Book) -> None:
    wound_down(book)
    assert pay_out(book, amount=90_000_000) == "accepted"
    assert pay_out(book, signed_by=None, account=account("CKZT"), amount=1_000_000, order="AFSA-12") == "accepted"

    assert [line.asset for line in distribution(book.state, EXCHANGE).lines] == [COIN, COIN]


@settings(deadline=None, max_examples=50)
@given(
    balances=st.lists(st.integers(0, 10**15), min_size=4, max_size=4),
    seen=st.integers(0, 4 * 10**15),
)
def test_never_more_is_payable_than_there_is_and_at_most_a_unit_less_for_each(balances: list[int], seen: int) -> None:
    book = market()
    names = ("ABTC", "BBTC", "MBTC", "FBTC")
    for name, balance in zip(names, balances, strict=True):
        put(book, BALANCES, account(name), balance)
    attestation = book.state.get(ATTESTATIONS, COIN)
    assert isinstance(attestation, Attestation)
    put(book, ATTESTATIONS, COIN, msgspec.structs.replace(attestation, quantity=seen))

    lines = [line for line in distribution(book.state, EXCHANGE).lines if line.asset == COIN]

    owed = sum(balances)
    assert sum(line.balance for line in lines) == owed
    paid, there = sum(line.payable for line in lines), min(owed, seen)
    assert there - len(lines) < paid <= there or paid == there
    assert sum(Fraction(*line.share) for line in lines) in (0, 1)
    for line in lines:
        assert line.payable == (line.balance if seen >= owed else line.balance * seen // owed)
        assert Fraction(*line.share) == Fraction(line.balance, owed)


def test_the_file_lists_all_and_only_client_accounts(book: Book) -> None:
    listed = {line.account for line in distribution(book.state, EXCHANGE).lines}

    assert listed == {
        name
        for name, each in book.state.items(ACCOUNTS)
        if each.owner == "aix-one"
        and each.account_class != "contra"
        and RULEBOOK.classes[each.account_class].is_client
        and book.balance(AccountId(name)) > 0
    }
