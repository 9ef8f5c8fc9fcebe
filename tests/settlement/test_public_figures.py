"""Public figures: sums over enough firms, and nothing that would tell of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model.participants import Role
from ledger.units import BusinessDate, ParticipantId
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.views.public_figures import DOMINANT_PPM, FIRMS_MIN, MILLION, public_figures, told
from settlement.views.steady import Steady
from tests.book import Book
from tests.settlement import market, reconciling
from tests.settlement.market import BTC, accepted, commitment


def with_miners(count: int) -> Book:
    """A market where so many miners beside ``miner-one`` got two coins each, and the day is closed."""
    book = market.market()
    rows = [market.row()]
    for number in range(1, count + 1):
        name = f"miner-x{number}"
        accepted(book.admit(name, Role.MINER, str(850 + number)))
        miner = RegistryMiner(miner=ParticipantId(name), name=commitment(name), iin=commitment(f"iin-{name}"))
        accepted(book.submit("registry_miner", miner, by="ministry"))
        licence = RegistryLicence(
            licence=f"L-x{number}", miner=ParticipantId(name), subtype=2, issued=BusinessDate("2023-06-01")
        )
        accepted(book.submit("registry_licence", licence, by="ministry"))
        own = {"miner": ParticipantId(name), "bin": None, "iin": commitment(f"iin-{name}"), "licence": f"L-x{number}"}
        rows.append(market.row(number + 1, quantity=2 * BTC, **own))
    accepted(market.report(book, *rows))
    accepted(market.settle(book))
    reconciling.next_day(book)
    return book


def test_a_figure_of_enough_firms_is_told() -> None:
    figures = public_figures(Steady(with_miners(FIRMS_MIN - 1).state))
    (coin,) = figures.coins

    assert figures.as_of == "2024-12-27"
    assert coin.produced == BTC + 2 * (FIRMS_MIN - 1) * BTC
    assert figures.miners_with_duty == FIRMS_MIN
    assert coin.sold is None, "one miner sold"
    assert figures.miners_met is None, "none has met it, which would tell of each"
    assert figures.levy_paid is None
    assert figures.tenge_in_circulation == 100_000_000
    assert (figures.exchanges, figures.exchanges_reconciling, figures.exchanges_covered) == (2, 0, None)


def test_a_figure_of_one_firm_fewer_is_withheld() -> None:
    figures = public_figures(Steady(with_miners(FIRMS_MIN - 2).state))
    assert (figures.coins[0].produced, figures.miners_with_duty) == (None, None)


def test_how_many_met_the_quota_is_told_where_some_did_and_some_did_not() -> None:
    book = with_miners(FIRMS_MIN - 1)
    accepted(market.settle(book, quantity=BTC // 2, price=market.PRICE // 100, fee=0, **cheap(book)))
    reconciling.next_day(book, "2024-12-31")
    figures = public_figures(Steady(book.state))
    assert (figures.miners_with_duty, figures.miners_met) == (FIRMS_MIN, 1)


def cheap(book: Book) -> dict[str, object]:
    return {
        "seller_mandate": market.sell_mandate(book, limit_price=1, nonce="B" * 22),
        "fee_account": None,
        "reference_price": market.PRICE // 100,
    }


def test_before_the_first_close_nothing_is_over() -> None:
    figures = public_figures(Steady(market.registered_market().state))
    assert (figures.as_of, [coin.produced for coin in figures.coins]) == ("2024-12-23", [None])


def test_covered_exchanges_are_counted_among_those_that_reconcile() -> None:
    book = market.market()
    accepted(reconciling.require(book))
    figures = public_figures(Steady(book.state))
    assert (figures.exchanges_reconciling, figures.exchanges_covered) == (1, None)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 10**6), max_size=12))
def test_no_sum_tells_of_a_firm(by_firm: dict[str, int]) -> None:
    parts = [part for part in by_firm.values() if part]
    found = told(by_firm)
    if len(parts) < FIRMS_MIN or max(parts) * MILLION >= DOMINANT_PPM * sum(parts):
        assert found is None
    else:
        assert found == sum(parts)


@pytest.mark.parametrize(("largest", "expected"), [(15, 19), (16, None), (17, None)])
def test_a_sum_is_withheld_at_the_part_that_is_named(largest: int, expected: int | None) -> None:
    assert told({"a": largest, "b": 1, "c": 1, "d": 1, "e": 1}) == expected
