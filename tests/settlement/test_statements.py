"""From signed reports and sales to the statement a miner reads."""

from ledger.rules.default_policies import CORE_POLICIES
from ledger.units import BusinessDate, ParticipantId
from settlement.rules import RULEBOOK, RULEBOOKS
from settlement.rules.policies import SETTLEMENT_POLICIES
from settlement.views.reference_prices import reference_prices
from settlement.views.statements import quota_statement
from tests.settlement.market import BTC, PRICE, accepted, market, report, row, settle


def test_a_report_and_a_sale_make_a_statement() -> None:
    book = market()
    accepted(report(book, row(1, quantity=BTC // 10)))
    accepted(settle(book))

    result = quota_statement(book.state, ParticipantId("miner-one"), "BTC", as_of=BusinessDate("2024-12-24"))
    assert (result.produced, result.obligation) == (BTC // 10, BTC // 20)
    assert (result.counted, result.shortfall) == (BTC // 100, BTC // 20 - BTC // 100)
    assert [line.policy for line in result.policies] == ["P24"]


def test_a_miner_nobody_knows_has_an_empty_statement() -> None:
    result = quota_statement(market().state, ParticipantId("nobody"), "BTC", as_of=BusinessDate("2024-12-24"))

    assert (result.produced, result.sold, result.lots, result.claims) == (0, 0, (), ())


def test_the_prices_of_the_pilot_days_come_with_the_package() -> None:
    prices = reference_prices()

    assert list(prices) == sorted(prices)
    assert (min(prices), max(prices), len(prices)) == ("2024-12-27", "2025-01-06", 11)
    assert prices[BusinessDate("2024-12-27")] == PRICE


def test_every_kind_has_a_policy_to_start_with() -> None:
    assert set(SETTLEMENT_POLICIES) | set(CORE_POLICIES) == set(RULEBOOK.kinds)
    assert RULEBOOKS[RULEBOOK.version] is RULEBOOK
