"""The quota: the numbered examples, and what holds for every set of lots and sales."""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import QUOTA_POLICIES, LegalStatus, RatePolicy
from settlement.model.statement import ClaimState, LotScope, QuotaStatement
from settlement.model.trades import QuotaClaim
from settlement.quota import ASSUMED_NOTE, CONFIRMED_NOTE, obligation, quota_statement
from tests.settlement.market import BTC, commitment
from tests.settlement.naive_quota import naive_allocations

MINER = ParticipantId("miner-one")


def noon_us(date: str) -> TimestampUs:
    """Noon in UTC of a date."""
    noon = datetime.datetime.fromisoformat(f"{date}T12:00:00+00:00")
    return TimestampUs(int(noon.timestamp()) * 1_000_000)


def lot(date: str, quantity: int, **members: Any) -> ProductionLot:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "quantity": quantity,
        "distributed_us": noon_us(date),
        "distributed_on": BusinessDate(date),
        "licence": "L-1",
        "subtype": 1,
        "receipt_value": 0,
        "state": LotState.OPEN,
    } | members
    return ProductionLot(**whole)


def claim(date: str, quantity: int, **members: Any) -> QuotaClaim:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "quantity": quantity,
        "executed_us": noon_us(date),
        "executed_on": BusinessDate(date),
        "settled_us": noon_us(date),
        "price": 1,
        "amount": 1,
        "fee": 0,
        "reference_price": 1,
        "reference_date": BusinessDate(date),
        "transaction": commitment(date),
    } | members
    return QuotaClaim(**whole)


def statement(
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    *,
    policies: tuple[RatePolicy, ...] = QUOTA_POLICIES,
    coin: str = "BTC",
    as_of: str = "2026-12-31",
) -> QuotaStatement:
    return quota_statement(policies, lots, claims, miner=MINER, coin=coin, as_of=BusinessDate(as_of))


def test_example_1_a_plain_year() -> None:
    result = statement({"a": lot("2024-05-01", 10 * BTC)}, {"s": claim("2024-06-01", 62 * BTC // 10)})

    assert (result.obligation, result.counted_obligation, result.shortfall) == (5 * BTC, 5 * BTC, 0)
    # The ratio is 62 per cent; the 1.2 beyond duty stay with the lot.
    assert (result.counted, result.produced) == (62 * BTC // 10, 10 * BTC)
    assert result.lots[0].counted_beyond == 12 * BTC // 10


def test_example_2_a_change_of_rate_at_year_end() -> None:
    lots = {"a": lot("2024-12-15", 4 * BTC), "b": lot("2025-01-10", 4 * BTC)}
    result = statement(lots, {"s": claim("2025-01-20", 25 * BTC // 10)})

    first, second = result.lots
    assert (first.policy, first.obligation, first.counted_obligation) == ("P24", 2 * BTC, 2 * BTC)
    assert (second.policy, second.obligation, second.counted_obligation) == ("P25", 3 * BTC, BTC // 2)
    assert result.shortfall == 25 * BTC // 10
    assert [(part.lot, part.quantity) for part in result.claims[0].allocations] == [("a", 2 * BTC), ("b", BTC // 2)]


@pytest.mark.parametrize(
    ("coin", "produced", "sold", "duty", "shortfall"),
    [
        ("BTC", 2 * BTC, 2 * BTC, 15 * BTC // 10, 0),
        ("LTC", 300 * BTC, 100 * BTC, 225 * BTC, 125 * BTC),
        ("KAS", 400_000 * BTC, 0, 300_000 * BTC, 300_000 * BTC),
    ],
)
def test_example_3_each_coin_for_itself(coin: str, produced: int, sold: int, duty: int, shortfall: int) -> None:
    lots = {
        symbol: lot("2025-03-01", quantity, coin=symbol)
        for symbol, quantity in (("BTC", 2 * BTC), ("LTC", 300 * BTC), ("KAS", 400_000 * BTC))
    }
    claims = {
        symbol: claim("2025-04-01", quantity, coin=symbol)
        for symbol, quantity in (("BTC", 2 * BTC), ("LTC", 100 * BTC))
    }
    result = statement(lots, claims, coin=coin)

    assert (result.produced, result.sold) == (produced, sold)
    assert (result.obligation, result.shortfall) == (duty, shortfall)


def test_example_8_a_licence_expired() -> None:
    lots = {
        "july": lot("2025-07-10", 15 * BTC // 10),
        "september": lot("2025-09-03", 8 * BTC // 10, state=LotState.UNLICENSED),
    }
    result = statement(lots, {"s": claim("2025-09-10", BTC)})

    assert result.unlicensed == 8 * BTC // 10
    assert result.lots[1].scope is LotScope.UNLICENSED
    assert (result.produced, result.obligation, result.counted) == (15 * BTC // 10, 112_500_000, BTC)
    assert {part.lot for part in result.claims[0].allocations} == {"july"}


def test_example_14_a_fee_in_coin_counts_what_the_buyer_received() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-02", 99_900_000)})

    assert result.counted == 99_900_000


def test_example_18_a_subtype_outside_the_scope() -> None:
    policy = RatePolicy(
        policy="P25-I",
        valid_from=BusinessDate("2025-01-01"),
        share_numerator=3,
        share_denominator=4,
        subtypes=(1,),
        legal_source="an example",
        legal_status=LegalStatus.CONFIRMED,
    )
    lots = {"a": lot("2025-03-01", 2 * BTC, subtype=2)}
    result = statement(lots, {"s": claim("2025-03-02", BTC)}, policies=(policy,))

    assert (result.obligation, result.shortfall, result.out_of_scope) == (0, 0, 2 * BTC)
    assert result.lots[0].scope is LotScope.OUT_OF_SCOPE
    assert (result.sold, result.claims[0].state) == (BTC, ClaimState.UNMATCHED)
    assert (result.is_basis_assumed, result.basis_note) == (False, CONFIRMED_NOTE)


def test_production_before_2024_has_no_quota() -> None:
    result = statement({"a": lot("2023-12-31", BTC), "b": lot("2024-01-01", BTC)}, {})

    assert [line.scope for line in result.lots] == [LotScope.OUT_OF_SCOPE, LotScope.IN_SCOPE]
    assert (result.out_of_scope, result.obligation) == (BTC, BTC // 2)


def test_after_a_repeal_the_share_is_nothing_and_earlier_shortfalls_stay() -> None:
    ended, repealed = (
        RatePolicy(
            policy="P25",
            valid_from=BusinessDate("2025-01-01"),
            valid_until=BusinessDate("2026-01-01"),
            share_numerator=3,
            share_denominator=4,
            legal_source="an example",
            legal_status=LegalStatus.CONFIRMED,
        ),
        RatePolicy(
            policy="NONE",
            valid_from=BusinessDate("2026-01-01"),
            share_numerator=0,
            share_denominator=1,
            legal_source="an example",
            legal_status=LegalStatus.REPEALED,
        ),
    )
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


dates = st.dates(datetime.date(2023, 11, 1), datetime.date(2025, 3, 1)).map(datetime.date.isoformat)
many_lots = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(lot, dates, st.integers(1, 50), state=st.sampled_from(LotState), subtype=st.sampled_from((1, 2))),
    max_size=8,
)
many_claims = st.dictionaries(
    st.text("stuvwx", min_size=1, max_size=3), st.builds(claim, dates, st.integers(1, 80)), max_size=8
)


@given(many_lots, many_claims)
def test_never_more_is_counted_than_was_produced_or_sold(
    lots: dict[str, ProductionLot], claims: dict[str, QuotaClaim]
) -> None:
    result = statement(lots, claims)

    for line in result.lots:
        assert line.counted_obligation + line.counted_beyond <= line.quantity
        assert line.counted_obligation <= line.obligation <= line.quantity
        assert line.shortfall == line.obligation - line.counted_obligation
    for sale in result.claims:
        assert sum(part.quantity for part in sale.allocations) + sale.unmatched == sale.quantity
        assert all(lots[part.lot].distributed_on <= sale.executed_on for part in sale.allocations)
        assert all(lots[part.lot].state is LotState.OPEN for part in sale.allocations)
    assert result.counted == result.sold - result.unmatched
    assert result.produced + result.unlicensed + result.out_of_scope == sum(each.quantity for each in lots.values())


@given(many_lots, many_claims, st.randoms(use_true_random=False))
def test_the_order_in_which_things_arrived_does_not_matter(
    lots: dict[str, ProductionLot], claims: dict[str, QuotaClaim], random: Any
) -> None:
    shuffled_lots, shuffled_claims = list(lots.items()), list(claims.items())
    random.shuffle(shuffled_lots)
    random.shuffle(shuffled_claims)

    assert statement(dict(shuffled_lots), dict(shuffled_claims)) == statement(lots, claims)


@given(many_lots, many_claims)
def test_one_lot_more_never_hurts_what_was_counted(
    lots: dict[str, ProductionLot], claims: dict[str, QuotaClaim]
) -> None:
    before = statement(lots, claims)
    after = statement(lots | {"z": lot("2024-06-01", 10)}, claims)

    assert after.counted >= before.counted
    assert after.inputs != before.inputs


@given(many_lots, many_claims)
def test_no_obligation_is_left_open_while_a_sale_that_may_fill_it_is_unmatched(
    lots: dict[str, ProductionLot], claims: dict[str, QuotaClaim]
) -> None:
    result = statement(lots, claims)

    for sale in result.claims:
        for line in result.lots:
            if sale.unmatched and line.distributed_on <= sale.executed_on:
                assert line.shortfall == 0


crowded_dates = st.dates(datetime.date(2024, 12, 25), datetime.date(2025, 1, 8)).map(datetime.date.isoformat)
keys = st.text("abcdef", min_size=1, max_size=3)
crowded_lots = st.dictionaries(
    keys,
    st.builds(lot, crowded_dates, st.integers(1, 9), state=st.sampled_from(LotState), subtype=st.sampled_from((1, 2))),
    max_size=25,
)
crowded_claims = st.dictionaries(keys, st.builds(claim, crowded_dates, st.integers(1, 30)), max_size=25)
subtype_two_is_free = tuple(msgspec.structs.replace(policy, subtypes=(1,)) for policy in QUOTA_POLICIES)


@given(crowded_lots, crowded_claims, st.sampled_from((QUOTA_POLICIES, subtype_two_is_free)))
def test_pointers_that_move_on_count_what_the_plain_way_counts(
    lots: dict[str, ProductionLot], claims: dict[str, QuotaClaim], policies: tuple[RatePolicy, ...]
) -> None:
    result = statement(lots, claims, policies=policies)

    counted = [
        (sale.claim, [(part.lot, part.quantity, part.is_obligation) for part in sale.allocations])
        for sale in result.claims
    ]
    assert counted == naive_allocations(policies, lots, claims)


def test_the_work_grows_with_the_lots_and_not_with_their_square() -> None:
    """Counted, not timed: each allocation fills a lot up or ends a sale."""
    moment = datetime.date(2025, 1, 1)
    days = [(moment + datetime.timedelta(days=number)).isoformat() for number in range(2_000)]
    lots = {f"{number:04d}": lot(day, 4) for number, day in enumerate(days)}
    claims = {f"{number:04d}": claim(day, 3) for number, day in enumerate(days)}
    result = statement(lots, claims, as_of="2031-01-01")

    assert sum(len(sale.allocations) for sale in result.claims) <= 2 * len(lots) + len(claims)
    assert (result.shortfall, result.unmatched) == (0, 0)
