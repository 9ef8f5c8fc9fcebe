"""The numbered examples of the quota, with their numbers."""

import json

import pytest

from ledger.crypto import canonical
from ledger.units import BusinessDate, TimestampUs
from settlement.model.claims import ClaimFacts, PendingSale, Reason, Verdict
from settlement.model.production import LotState
from settlement.model.quota_policies import RatePolicy
from settlement.model.registers import Register
from settlement.model.statement import ClaimState, Column, LotScope
from settlement.quota import ASSUMED_NOTE, CONFIRMED_NOTE
from settlement.views.statements import quota_statement
from tests.book import refused_with
from tests.settlement.market import BTC, accepted, market, report, row, settle, suspend
from tests.settlement.quota_cases import (
    MINER,
    attested,
    basis,
    claim,
    coins,
    decision,
    flag,
    line_of,
    lot,
    noon_us,
    rate,
    statement,
)

TENGE = 100
"""Tiyn."""


def test_example_1_a_plain_year() -> None:
    result = statement({"a": lot("2024-05-01", 10 * BTC)}, {"s": claim("2024-06-01", coins("6.2"))})

    assert (result.obligation, result.counted_obligation, result.shortfall) == (5 * BTC, 5 * BTC, 0)
    # The ratio is 62 per cent; the 1.2 beyond duty stay with the lot.
    assert (result.counted, result.produced) == (coins("6.2"), 10 * BTC)
    assert result.lots[0].counted_beyond == coins("1.2")


CHANGE_OF_RATE = {"a": lot("2024-12-15", 4 * BTC), "b": lot("2025-01-10", 4 * BTC)}
ONE_SALE = {"s": claim("2025-01-20", coins("2.5"))}


def test_example_2_a_change_of_rate_at_year_end() -> None:
    result = statement(CHANGE_OF_RATE, ONE_SALE)

    first, second = result.lots
    assert (first.policy, first.obligation, first.counted_obligation) == ("P24", 2 * BTC, 2 * BTC)
    assert (second.policy, second.obligation, second.counted_obligation) == ("P25", 3 * BTC, coins("0.5"))
    assert result.shortfall == coins("2.5")
    assert [(part.lot, part.quantity) for part in result.claims[0].allocations] == [("a", 2 * BTC), ("b", BTC // 2)]


def test_example_2_each_lot_as_a_whole_before_the_next() -> None:
    result = basis(statement(CHANGE_OF_RATE, ONE_SALE), "quantity_per_coin", "lot_cumulative", "oldest_first")

    assert (result.counted, result.shortfall) == (coins("2.5"), 3 * BTC)
    assert result.named_by == ()
    assert result.note.startswith("For comparison.")


def test_example_2_by_calendar_year() -> None:
    result = basis(statement(CHANGE_OF_RATE, ONE_SALE), "quantity_per_coin", "calendar_year")

    lines = [(line.period, line.counted, line.obligation, line.shortfall) for line in result.periods]
    assert lines == [("2024", 0, 2 * BTC, 2 * BTC), ("2025", coins("2.5"), 3 * BTC, coins("0.5"))]
    assert result.shortfall == coins("2.5")


SEVERAL_COINS = {
    "btc": lot("2025-03-01", 2 * BTC, receipt_value=100_000_000 * TENGE),
    "ltc": lot("2025-03-01", 300 * BTC, coin="LTC", receipt_value=15_000_000 * TENGE),
    "kas": lot("2025-03-01", 400_000 * BTC, coin="KAS", receipt_value=20_000_000 * TENGE),
}
SEVERAL_SALES = {
    "btc": claim("2025-04-01", 2 * BTC),
    "ltc": claim("2025-04-01", 100 * BTC, coin="LTC"),
}


@pytest.mark.parametrize(
    ("coin", "produced", "sold", "duty", "shortfall"),
    [
        ("BTC", 2 * BTC, 2 * BTC, coins("1.5"), 0),
        ("LTC", 300 * BTC, 100 * BTC, 225 * BTC, 125 * BTC),
        ("KAS", 400_000 * BTC, 0, 300_000 * BTC, 300_000 * BTC),
    ],
)
def test_example_3_each_coin_for_itself(coin: str, produced: int, sold: int, duty: int, shortfall: int) -> None:
    result = statement(SEVERAL_COINS, SEVERAL_SALES, coin=coin)

    assert (result.produced, result.sold) == (produced, sold)
    assert (result.obligation, result.shortfall) == (duty, shortfall)


@pytest.mark.parametrize("coin", ["BTC", "LTC", "KAS"])
def test_example_3_by_value_at_receipt(coin: str) -> None:
    result = basis(statement(SEVERAL_COINS, SEVERAL_SALES, coin=coin), "value_at_receipt", "lot_cumulative")

    assert (result.counted, result.produced) == (105_000_000 * TENGE, 135_000_000 * TENGE)
    assert round(result.counted / result.produced, 4) == 0.7778
    assert (result.obligation, result.shortfall) == (101_250_000 * TENGE, 0)


def test_example_4_value_at_sale_price_is_no_basis() -> None:
    lots = {"a": lot("2025-03-01", 4 * BTC, receipt_value=192_000_000 * TENGE)}
    sale = claim("2025-04-01", coins("2.6"), price=60_000_000 * TENGE, amount=156_000_000 * TENGE)
    result = statement(lots, {"s": sale})

    assert (result.counted * 100 // result.produced, result.shortfall) == (65, coins("0.4"))
    value = basis(result, "value_at_receipt", "lot_cumulative")
    # 65 per cent again: what was sold at a higher price is worth here what it was on the day of receipt.
    assert (value.counted, value.shortfall) == (124_800_000 * TENGE, 19_200_000 * TENGE)
    # A ratio of 81.25 per cent, the price of the sale over the value at receipt, cannot be asked for.
    document = json.loads(canonical.encode(rate("P", "2025-01-01"))) | {"basis": "value_at_sale"}
    with pytest.raises(canonical.NotCanonical, match="basis"):
        canonical.decode(canonical.encode(document), RatePolicy)


def test_example_7_a_suspended_exchange() -> None:
    lots = {"a": lot("2025-05-01", 10 * BTC)}
    claims = {"aix-one/a": claim("2025-05-10", BTC), "aix-one/b": claim("2025-05-10", 2 * BTC)}
    result = statement(lots, claims, facts=ClaimFacts(suspended=("aix-one/b",)))

    first, second = result.claims
    assert first.state is ClaimState.COUNTED
    assert (second.state, second.reasons) == (ClaimState.HELD, (Reason.VENUE_SUSPENDED_BEFORE_FINALITY,))
    assert (result.counted, result.held) == (BTC, 2 * BTC)


def test_example_7_on_the_ledger() -> None:
    book = market()
    accepted(report(book, row(1, quantity=BTC // 10)))
    for _ in range(2):
        accepted(settle(book, quantity=BTC // 200, fee=0))
    # The second of the two was executed before the suspension and is final after it.
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us - 500_000)
    result = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-24"))

    assert [line.state for line in result.claims] == [ClaimState.COUNTED, ClaimState.HELD]
    assert (result.counted, result.held) == (BTC // 200, BTC // 200)
    # What is matched after the suspension is refused, and there is no claim.
    assert refused_with(settle(book, executed_us=TimestampUs(book.time_us))) == "venue_licence_invalid"


def test_example_8_a_licence_expired() -> None:
    lots = {
        "july": lot("2025-07-10", coins("1.5")),
        "september": lot("2025-09-03", coins("0.8"), state=LotState.UNLICENSED),
    }
    result = statement(lots, {"s": claim("2025-09-10", BTC)})

    assert result.unlicensed == coins("0.8")
    assert result.lots[1].scope is LotScope.UNLICENSED
    assert (result.produced, result.obligation, result.counted) == (coins("1.5"), coins("1.125"), BTC)
    assert {part.lot for part in result.claims[0].allocations} == {"july"}


def test_example_12_held_and_then_decided() -> None:
    lots = {"a": lot("2025-03-01", 5 * BTC)}
    claims = {"x/1": claim("2025-03-02", 2 * BTC), "x/2": claim("2025-03-03", 2 * BTC)}
    flags = {"x/2": (flag(Reason.WASH_ROUND_TRIP),)}

    held = statement(lots, claims, facts=ClaimFacts(flags=flags))
    assert (held.obligation, held.counted, held.produced) == (coins("3.75"), 2 * BTC, 5 * BTC)
    assert (held.shortfall, held.held) == (coins("1.75"), 2 * BTC)
    assert (line_of(held, "x/2").state, line_of(held, "x/2").reasons) == (
        ClaimState.HELD,
        (Reason.WASH_ROUND_TRIP,),
    )

    restored = {"x/2": (decision(Verdict.RESTORE, flags=1),)}
    result = statement(lots, claims, facts=ClaimFacts(flags=flags, decisions=restored))
    assert (result.counted, result.shortfall, result.held) == (4 * BTC, 0, 0)

    disqualified = {"x/2": (decision(Verdict.DISQUALIFY, flags=1, reason=Reason.WASH_ROUND_TRIP),)}
    result = statement(lots, claims, facts=ClaimFacts(flags=flags, decisions=disqualified))
    assert (result.counted, result.shortfall, result.disqualified) == (2 * BTC, coins("1.75"), 2 * BTC)
    assert line_of(result, "x/2").state is ClaimState.DISQUALIFIED


def test_example_14_a_fee_in_coin_counts_what_the_buyer_received() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-02", coins("0.999"))})

    assert result.counted == coins("0.999")


def test_example_15_the_final_part_counts() -> None:
    rest = PendingSale(
        miner=MINER,
        coin="BTC",
        quantity=BTC,
        executed_us=noon_us("2025-03-02"),
        executed_on=BusinessDate("2025-03-02"),
    )
    lots = {"a": lot("2025-03-01", 3 * BTC)}
    final = {"aix-one/T": claim("2025-03-02", 2 * BTC)}
    result = statement(lots, final, facts=ClaimFacts(pending={"aix-one/T": rest}))
    assert (result.counted, result.sold, result.pending) == (2 * BTC, 2 * BTC, BTC)
    assert [line.state for line in result.claims] == [ClaimState.COUNTED, ClaimState.PENDING]

    # The rest has failed: it is on record as a fail, and no sale.
    result = statement(lots, final)
    assert (result.counted, result.sold, result.pending) == (2 * BTC, 2 * BTC, 0)


def test_example_18_a_subtype_outside_the_scope() -> None:
    policy = rate("P25-I", "2025-01-01", subtypes=(1,))
    lots = {"a": lot("2025-03-01", 2 * BTC, subtype=2)}
    result = statement(lots, {"s": claim("2025-03-02", BTC)}, policies=(policy,))

    assert (result.obligation, result.shortfall, result.out_of_scope) == (0, 0, 2 * BTC)
    assert result.lots[0].scope is LotScope.OUT_OF_SCOPE
    assert (result.sold, result.claims[0].state) == (BTC, ClaimState.OUT_OF_SCOPE)
    assert (result.is_basis_assumed, result.basis_note) == (False, CONFIRMED_NOTE)


def test_example_20_a_sale_for_account_money() -> None:
    lots = {"a": lot("2025-03-01", 4 * BTC)}
    claims = {"x/1": claim("2025-03-02", 2 * BTC)}
    elsewhere = {"x/2": attested("2025-03-03", BTC)}
    result = statement(lots, claims, facts=ClaimFacts(attested=elsewhere))

    assert (result.counted, result.produced, result.shortfall) == (2 * BTC, 4 * BTC, BTC)
    both = result.with_attested
    assert both is not None
    assert (both.counted, both.attested, both.shortfall) == (3 * BTC, BTC, 0)
    assert (line_of(result, "x/2").column, line_of(result, "x/2").state) == (
        Column.ATTESTED_OFF_LEDGER,
        ClaimState.COUNTED,
    )
    assert (result.sold, result.basis_note) == (2 * BTC, ASSUMED_NOTE)
    assert statement(lots, claims).with_attested is None
