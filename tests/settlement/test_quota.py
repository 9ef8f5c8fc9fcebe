"""The quota of one coin: scopes, dates, matching, and what holds for every set of lots and sales."""

import datetime

import pytest

from ledger.units import BusinessDate, ParticipantId
from settlement.model.quota_policies import QUOTA_POLICIES, LegalStatus
from settlement.model.statement import ClaimState, LotScope
from settlement.quota import ASSUMED_NOTE, obligation
from tests.settlement.market import BTC
from tests.settlement.quota_cases import claim, lot, rate, statement


def test_production_before_2024_has_no_quota() -> None:
    result = statement({"a": lot("2023-12-31", BTC), "b": lot("2024-01-01", BTC)}, {})

    assert [line.scope for line in result.lots] == [LotScope.OUT_OF_SCOPE, LotScope.IN_SCOPE]
    assert (result.out_of_scope, result.obligation) == (BTC, BTC // 2)


def test_rule_19_after_a_repeal_the_share_is_nothing_and_earlier_shortfalls_stay() -> None:
    ended = rate("P25", "2025-01-01", valid_until=BusinessDate("2026-01-01"))
    repealed = rate("NONE", "2026-01-01", (0, 1), legal_status=LegalStatus.REPEALED)
    lots = {"a": lot("2025-12-31", 4 * BTC), "b": lot("2026-01-01", 4 * BTC)}
    result = statement(lots, {}, policies=(ended, repealed))

    assert [line.shortfall for line in result.lots] == [3 * BTC, 0]
    assert result.produced == 8 * BTC
    result = statement(lots, {"s": claim("2026-02-01", 5 * BTC)}, policies=(ended, repealed))
    assert [(part.quantity, part.is_obligation) for part in result.claims[0].allocations] == [
        (3 * BTC, True),
        (BTC, False),
        (BTC, False),
    ]


def test_an_obligation_is_rounded_up() -> None:
    p24, p25 = QUOTA_POLICIES

    assert [obligation(quantity, p24) for quantity in (1, 2, 3)] == [1, 1, 2]
    assert [obligation(quantity, p25) for quantity in (1, 2, 3, 4, 5)] == [1, 2, 3, 3, 4]


def test_a_lot_younger_than_a_sale_does_not_cover_it() -> None:
    result = statement({"a": lot("2025-03-02", BTC)}, {"s": claim("2025-03-01", BTC)})
    assert (result.claims[0].state, result.unmatched, result.shortfall) == (ClaimState.UNMATCHED, BTC, 75_000_000)

    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-01", BTC)})
    assert result.claims[0].state is ClaimState.COUNTED


def test_what_no_lot_covers_is_unmatched() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-02", 3 * BTC)})

    assert (result.counted, result.unmatched) == (BTC, 2 * BTC)
    assert result.claims[0].state is ClaimState.PARTIAL


def test_all_obligations_are_filled_before_what_is_beyond_them() -> None:
    lots = {"a": lot("2025-03-01", 4), "b": lot("2025-03-02", 4)}
    result = statement(lots, {"s": claim("2025-03-03", 7)})

    parts = [(part.lot, part.quantity, part.is_obligation) for part in result.claims[0].allocations]
    assert parts == [("a", 3, True), ("b", 3, True), ("a", 1, False)]


def test_other_miners_other_coins_and_later_days_are_passed_over() -> None:
    lots = {
        "a": lot("2025-03-01", BTC),
        "b": lot("2025-03-01", BTC, miner=ParticipantId("miner-two")),
        "c": lot("2025-03-01", BTC, coin="LTC"),
        "d": lot("2025-03-02", BTC),
    }
    claims = {
        "s": claim("2025-03-01", 1),
        "t": claim("2025-03-01", 1, miner=ParticipantId("miner-two")),
        "u": claim("2025-03-02", 1),
    }
    result = statement(lots, claims, as_of="2025-03-01")

    assert [line.lot for line in result.lots] == ["a"]
    assert [line.claim for line in result.claims] == ["s"]


def test_every_statement_says_on_what_it_rests() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {})

    assert (result.is_basis_assumed, result.basis_note) == (True, ASSUMED_NOTE)
    assert [(line.policy, line.legal_status) for line in result.policies] == [("P25", LegalStatus.ASSUMED)]
    assert statement({}, {}).is_basis_assumed


@pytest.mark.parametrize(
    ("date", "policy"),
    [("2023-12-31", None), ("2024-01-01", "P24"), ("2024-12-31", "P24"), ("2025-01-01", "P25")],
)
def test_the_policy_is_that_of_the_date_of_distribution(date: str, policy: str | None) -> None:
    (line,) = statement({"a": lot(date, 1)}, {}).lots

    assert line.policy == policy


def test_the_work_grows_with_the_lots_and_not_with_their_square() -> None:
    """Counted, not timed: each allocation fills a lot up or ends a sale."""
    moment = datetime.date(2025, 1, 1)
    days = [(moment + datetime.timedelta(days=number)).isoformat() for number in range(2_000)]
    lots = {f"{number:04d}": lot(day, 4) for number, day in enumerate(days)}
    claims = {f"{number:04d}": claim(day, 3) for number, day in enumerate(days)}
    result = statement(lots, claims, as_of="2031-01-01")

    assert sum(len(sale.allocations) for sale in result.claims) <= 2 * len(lots) + len(claims)
    assert (result.shortfall, result.unmatched) == (0, 0)
