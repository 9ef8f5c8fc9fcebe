"""Published prices: on working days, carried over the others, final, corrected with their history; never made up."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model.outcome import Outcome, Refused
from ledger.rules.opening import NotAdmissible
from ledger.state import Overlay
from ledger.units import BusinessDate, TimestampUs
from settlement.model.prices import (
    CARRY_DAYS_MAX,
    DAYS_PER_DECREE_MAX,
    PRICE_CORRECTIONS_MAX,
    PRICES_PER_DAY_MAX,
    DayException,
    PriceReference,
)
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.prices import CoinPrice, PriceCorrect, PricePublish, price_on, refuse_reference_price
from settlement.rules.register_load import CoinRow, PriceListRow
from settlement.rules.tables import DAY_EXCEPTIONS, PRICE_HISTORY, PRICES
from settlement.rules.working_days import DaySet, WorkingDaysSet, last_working_day
from tests.book import START_US, Book, refused_with
from tests.settlement.market import PRICE, YEAR_US, accepted, registered_market, suspend
from tests.settlement.test_register_load import load

FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = (BusinessDate(f"2024-12-{day}") for day in ("20", "21", "22", "23", "24"))
"""The ledger starts on Tuesday, 24 December 2024."""


@pytest.fixture
def book() -> Book:
    book = registered_market()
    listed = PriceListRow(coin="BTC", from_us=TimestampUs(START_US - YEAR_US))
    accepted(load(book, CoinRow(coin="LTC", scale=8), listed))
    return book


def publish(book: Book, date: str, price: int = PRICE, **members: Any) -> Outcome:
    whole: dict[str, Any] = {
        "date": BusinessDate(date),
        "source": "daily weighted average",
        "prices": (CoinPrice(coin="BTC", price=price),),
    } | members
    return book.submit("price_publish", PricePublish(**whole), by="ministry")


def correct(book: Book, date: str, price: int) -> Outcome:
    body = PriceCorrect(coin="BTC", date=BusinessDate(date), price=price, source="corrected average", reason="note-1")
    return book.submit("price_correct", body, by="ministry")


def decree(book: Book, *days: tuple[str, bool]) -> Outcome:
    rows = tuple(DaySet(date=BusinessDate(date), is_working=is_working) for date, is_working in days)
    return book.submit("working_days_set", WorkingDaysSet(basis="order-7", days=rows), by="ministry")


def price(book: Book, date: str) -> tuple[int, str | None] | None:
    found = price_on(book.state, "BTC", BusinessDate(date))
    return None if found is None else (found.price, found.carried_from)


def test_the_price_of_friday_holds_over_the_weekend_and_not_on_monday(book: Book) -> None:
    accepted(publish(book, FRIDAY))

    assert price(book, FRIDAY) == (PRICE, None)
    assert price(book, SATURDAY) == price(book, SUNDAY) == (PRICE, FRIDAY)
    assert price(book, MONDAY) is None, "a working day has a price of its own, or none"
    assert price(book, "2024-12-19") is None
    assert price(book, "2024-02-30") is None
    assert price_on(book.state, "LTC", FRIDAY) is None


def test_a_holiday_carries_the_price_too_and_a_worked_saturday_does_not(book: Book) -> None:
    accepted(publish(book, FRIDAY))
    accepted(decree(book, (MONDAY, False), (SATURDAY, True)))

    assert price(book, SATURDAY) is None
    assert price(book, MONDAY) is None, "the last working day is now Saturday, which has no price"
    accepted(publish(book, SATURDAY, 7))
    assert price(book, MONDAY) == (7, SATURDAY)
    assert refused_with(publish(book, MONDAY)) == "price_day_not_worked"


def test_a_price_is_not_carried_over_more_days_than_any_holiday_has(book: Book) -> None:
    overlay = Overlay(book.state)
    first = datetime.date(2024, 11, 1)
    overlay.put(PRICES, f"BTC/{first}", PriceReference(price=1, source="x", published_us=TimestampUs(1)))
    for days in range(1, CARRY_DAYS_MAX + 2):
        date = first + datetime.timedelta(days=days)
        overlay.put(DAY_EXCEPTIONS, date.isoformat(), DayException(is_working=False, basis="order-1"))

    last = first + datetime.timedelta(days=CARRY_DAYS_MAX)
    assert price_on(overlay, "BTC", BusinessDate(last.isoformat())) is not None
    past = last + datetime.timedelta(days=1)
    assert last_working_day(overlay, past) is None
    assert price_on(overlay, "BTC", BusinessDate(past.isoformat())) is None


def test_the_first_day_of_all_has_no_day_before(book: Book) -> None:
    overlay = Overlay(book.state)
    overlay.put(DAY_EXCEPTIONS, "0001-01-01", DayException(is_working=False, basis="order-1"))

    assert last_working_day(overlay, datetime.date.min) is None


@given(
    st.sets(st.dates(datetime.date(2024, 1, 1), datetime.date(2024, 2, 28)), max_size=30),
    st.sets(st.dates(datetime.date(2024, 1, 1), datetime.date(2024, 2, 28)), max_size=15),
    st.dates(datetime.date(2024, 1, 1), datetime.date(2024, 2, 28)),
)
def test_a_price_is_the_one_a_calendar_on_the_wall_would_show(
    priced: set[datetime.date], holidays: set[datetime.date], asked: datetime.date
) -> None:
    overlay = Overlay(RULEBOOK.empty_state())
    for date in holidays:
        overlay.put(DAY_EXCEPTIONS, date.isoformat(), DayException(is_working=False, basis="order-1"))
    for date in priced:
        reference = PriceReference(price=date.toordinal(), source="x", published_us=TimestampUs(1))
        overlay.put(PRICES, f"BTC/{date.isoformat()}", reference)
    worked = asked
    while worked in holidays or worked.isoweekday() > 5:
        worked -= datetime.timedelta(days=1)

    found = price_on(overlay, "BTC", BusinessDate(asked.isoformat()))
    if worked not in priced or (asked - worked).days > CARRY_DAYS_MAX:
        assert found is None
    else:
        assert found is not None
        assert found.price == worked.toordinal()
        assert found.carried_from == (None if worked == asked else worked.isoformat())


def test_a_published_price_is_final(book: Book) -> None:
    accepted(publish(book, FRIDAY))

    outcome = publish(book, FRIDAY, PRICE + 1)
    assert refused_with(outcome) == "price_final"
    assert isinstance(outcome, Refused)
    assert outcome.detail == f"coin BTC: {PRICE} stands for {FRIDAY}"


def test_a_correction_supersedes_and_the_price_before_stays_on_record(book: Book) -> None:
    accepted(publish(book, FRIDAY))
    assert accepted(correct(book, FRIDAY, 5)).record == {"superseded": PRICE, "version": 2}

    assert price(book, SUNDAY) == (5, FRIDAY)
    history = book.state.get(PRICE_HISTORY, f"BTC/{FRIDAY}")
    assert history is not None
    assert [(each.reference.price, each.reference.version, each.reason) for each in history] == [(PRICE, 1, "note-1")]
    book.restart()


def test_a_correction_that_cannot_be_is_refused(book: Book) -> None:
    assert refused_with(correct(book, FRIDAY, 5)) == "price_unpublished"
    accepted(publish(book, FRIDAY))
    assert refused_with(correct(book, SATURDAY, 5)) == "price_unpublished"
    assert refused_with(correct(book, FRIDAY, PRICE)) == "price_unchanged"
    for number in range(PRICE_CORRECTIONS_MAX):
        accepted(correct(book, FRIDAY, number + 1))
    assert refused_with(correct(book, FRIDAY, PRICE)) == "price_corrections_too_many"


@pytest.mark.parametrize(
    ("date", "members", "code"),
    [
        ("2024-02-30", {}, "price_date_invalid"),
        ("2024-12-25", {}, "price_date_invalid"),
        (SUNDAY, {}, "price_day_not_worked"),
        (FRIDAY, {"prices": (CoinPrice(coin="BTC", price=1), CoinPrice(coin="BTC", price=2))}, "price_repeated"),
        (FRIDAY, {"prices": (CoinPrice(coin="BTC", price=1), CoinPrice(coin="XRP", price=2))}, "coin_unknown"),
        (FRIDAY, {"prices": (CoinPrice(coin="LTC", price=1),)}, "coin_not_price_listed"),
        ("2023-12-22", {}, "coin_not_price_listed"),
    ],
)
def test_a_price_that_cannot_be_is_refused(book: Book, date: str, members: dict[str, Any], code: str) -> None:
    assert refused_with(publish(book, date, **members)) == code


def test_a_day_begins_at_midnight_in_kazakhstan(book: Book) -> None:
    # 18:59:59 in UTC is a second before midnight at UTC+5; each submission is a second later.
    book.time_us = 1_735_066_798_000_000
    assert refused_with(publish(book, "2024-12-25")) == "price_date_invalid"
    accepted(publish(book, "2024-12-25"))


def test_so_many_prices_are_published_at_once_at_most(book: Book) -> None:
    prices = tuple(CoinPrice(coin=f"C{number}", price=1) for number in range(PRICES_PER_DAY_MAX + 1))
    with pytest.raises(NotAdmissible, match="prices"):
        publish(book, FRIDAY, prices=prices)

    rows = [CoinRow(coin=each.coin, scale=8) for each in prices[:-1]]
    listed = [PriceListRow(coin=each.coin, from_us=TimestampUs(0)) for each in prices[:-1]]
    accepted(load(book, *rows, *listed))
    accepted(publish(book, FRIDAY, prices=prices[:-1]))


def test_a_priced_day_stays_a_day_of_work(book: Book) -> None:
    accepted(publish(book, FRIDAY))

    assert refused_with(decree(book, (FRIDAY, False))) == "day_priced"
    accepted(decree(book, (FRIDAY, True)))


@pytest.mark.parametrize("days", [[("2024-02-30", False)], [(MONDAY, False), (MONDAY, True)]])
def test_a_day_exists_and_stands_once(book: Book, days: list[tuple[str, bool]]) -> None:
    assert refused_with(decree(book, *days)) == "day_invalid"


def test_a_decree_sets_a_year_at_most(book: Book) -> None:
    first = datetime.date(2028, 1, 1)
    dates = [(first + datetime.timedelta(days=days)).isoformat() for days in range(DAYS_PER_DECREE_MAX + 1)]
    with pytest.raises(NotAdmissible, match="days"):
        decree(book, *((date, False) for date in dates))

    accepted(decree(book, *((date, False) for date in dates[:-1])))


def test_a_reference_price_is_the_published_one_where_the_coin_is_listed(book: Book) -> None:
    def refused(coin: str, price: int, date: str) -> str | None:
        answer = refuse_reference_price(
            book.state, coin, price=price, date=BusinessDate(date), executed_us=TimestampUs(START_US)
        )
        return None if answer is None else answer.code.code

    assert refused("LTC", 1, FRIDAY) is None, "not listed, nothing to compare with"
    assert refused("BTC", PRICE, FRIDAY) == "price_missing"
    accepted(publish(book, FRIDAY))
    assert refused("BTC", PRICE, FRIDAY) is None
    assert refused("BTC", PRICE, SUNDAY) is None
    assert refused("BTC", PRICE + 1, SUNDAY) == "reference_price_differs"
    suspend(book, Register.PRICE_LIST, "BTC", START_US)
    assert refused("BTC", 1, MONDAY) is None
