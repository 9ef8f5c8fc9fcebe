"""What a miner produced, valued at the published price of the date of receipt."""

import pytest

from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.production_statement import ROUNDING_TIYN, ValueState
from settlement.model.registers import Register
from settlement.rules.register_load import PriceListRow
from settlement.views.production import production_statement
from tests.book import START_US, Book
from tests.settlement.market import (
    BTC,
    DAY_US,
    PRICE,
    YEAR_US,
    accepted,
    payout,
    registered_market,
    report,
    row,
    suspend,
)
from tests.settlement.test_corrections import correct
from tests.settlement.test_prices import FRIDAY, SUNDAY, publish
from tests.settlement.test_register_load import load

MINER = ParticipantId("miner-one")
TODAY = BusinessDate("2024-12-24")
TWO_DAYS_AGO_US = TimestampUs(START_US - 2 * DAY_US)
"""A Sunday in Kazakhstan."""


@pytest.fixture
def book() -> Book:
    book = registered_market()
    accepted(load(book, PriceListRow(coin="BTC", from_us=TimestampUs(START_US - YEAR_US))))
    return book


def test_a_lot_of_a_weekend_has_the_price_of_friday(book: Book) -> None:
    accepted(publish(book, FRIDAY))
    accepted(report(book, row(1, distributed_us=TWO_DAYS_AGO_US, quantity=BTC // 2, receipt_value=PRICE // 2)))

    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    (lot,) = statement.lots
    assert lot.distributed_on == SUNDAY
    assert (lot.value.state, lot.value.published) == (ValueState.AGREES, PRICE // 2)
    assert lot.value.price is not None
    assert lot.value.price.carried_from == FRIDAY
    assert (statement.value_published, statement.value_reported) == (PRICE // 2, PRICE // 2)
    assert (statement.unvalued, statement.differing) == (0, 0)


@pytest.mark.parametrize(
    ("apart", "state"), [(ROUNDING_TIYN, ValueState.AGREES), (ROUNDING_TIYN + 1, ValueState.DIFFERS)]
)
def test_a_value_that_differs_is_flagged_and_not_refused(book: Book, apart: int, state: ValueState) -> None:
    accepted(publish(book, FRIDAY))
    accepted(report(book, row(1, distributed_us=TWO_DAYS_AGO_US, receipt_value=PRICE + apart)))

    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert statement.lots[0].value.state is state
    assert statement.differing == (state is ValueState.DIFFERS)


def test_a_missing_price_is_said_and_is_no_value_of_nothing(book: Book) -> None:
    accepted(report(book, row(1, distributed_us=TWO_DAYS_AGO_US), row(2)))
    accepted(publish(book, FRIDAY))

    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert [lot.value.state for lot in statement.lots] == [ValueState.AGREES, ValueState.PRICE_MISSING]
    assert statement.lots[1].value.published is None
    assert (statement.value_published, statement.unvalued) == (PRICE, 1)


def test_a_coin_off_the_list_has_the_reported_value_only(book: Book) -> None:
    suspend(book, Register.PRICE_LIST, "BTC", START_US - YEAR_US)
    accepted(report(book, row(1)))

    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert statement.lots[0].value.state is ValueState.NOT_LISTED
    assert (statement.value_reported, statement.unvalued) == (PRICE, 1)


def test_corrected_and_unlicensed_lots_are_listed_apart(book: Book) -> None:
    accepted(report(book, row(1), row(2, quantity=7), row(3, payout=payout(3))))
    accepted(correct(book, row(1, quantity=5), withdrawn=(3,)))
    suspend(book, Register.LICENCE, "L-1", START_US - 2 * DAY_US)
    accepted(report(book, row(1, payout=payout(4), quantity=11), sequence=2))

    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert (statement.produced, statement.unlicensed, statement.corrected) == (12, 11, 2 * BTC)
    assert statement.value_reported == 3 * PRICE
    assert [lot.superseded_by for lot in statement.lots if lot.lot == "pool-one/1/1"] == ["pool-one/1/1/2"]
    earlier = production_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-22"))
    assert (earlier.produced, earlier.lots) == (0, ())
