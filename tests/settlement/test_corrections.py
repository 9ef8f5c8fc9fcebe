"""Corrections of production reports: they supersede, and the history stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.outcome import Accepted, Outcome, Refused
from ledger.model.participants import Role
from ledger.rules.opening import NotAdmissible
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.production import ROWS_PER_REPORT_MAX, LotState, ProductionRow
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.corrections import VERSIONS_MAX, ProductionCorrect, standing_key
from settlement.rules.registry import RegistryPool
from settlement.rules.tables import LOTS, PAYOUTS
from settlement.views.production import production_statement
from settlement.views.statements import quota_statement
from tests.book import START_US, Book, refused_with
from tests.settlement.market import (
    BTC,
    DAY_US,
    YEAR_US,
    accepted,
    market,
    payout,
    registered_market,
    report,
    row,
    settle,
    suspend,
)

MINER = ParticipantId("miner-one")
TODAY = BusinessDate("2024-12-24")


@pytest.fixture
def book() -> Book:
    book = registered_market()
    accepted(report(book, row(1), row(2, quantity=7)))
    return book


def correct(book: Book, *rows: ProductionRow, by: str = "pool-one", **members: Any) -> Outcome:
    whole: dict[str, Any] = {"sequence": 1, "report": 1, "rows": rows, "reason": "letter-1"} | members
    return book.submit("production_correct", ProductionCorrect(**whole), by=by)


def states(book: Book) -> dict[str, LotState]:
    return {key: lot.state for key, lot in book.state.items(LOTS)}


def test_a_correction_weighs_what_it_takes_back() -> None:
    weight = RULEBOOK.kinds["production_correct"].weight
    body = ProductionCorrect(sequence=1, report=1, rows=(row(1), row(2)), withdrawn=(3,), reason="letter-1")

    assert weight(body) == 3
    assert weight(ProductionCorrect(sequence=1, report=1, reason="letter-1")) == 1


def test_a_row_in_place_of_another_makes_a_lot_and_the_old_one_stays_on_record(book: Book) -> None:
    outcome = accepted(correct(book, row(1, quantity=5)))

    assert outcome.record == {"lots": 1, "unlicensed": [], "withdrawn": 0}
    old, new = (book.state.get(LOTS, key) for key in ("pool-one/1/1", "pool-one/1/1/2"))
    assert old is not None
    assert new is not None
    assert (old.state, old.quantity, old.superseded_by) == (LotState.CORRECTED, BTC, "pool-one/1/1/2")
    assert (new.state, new.quantity, new.supersedes) == (LotState.OPEN, 5, "pool-one/1/1")
    assert new.distributed_on == old.distributed_on
    assert book.state.get(PAYOUTS, payout(1)) == "pool-one/1/1/2"
    assert states(book)["pool-one/1/2"] is LotState.OPEN
    book.restart()


def test_a_row_is_corrected_again_and_again_up_to_a_limit(book: Book) -> None:
    for number in range(1, VERSIONS_MAX):
        accepted(correct(book, row(1, quantity=number), sequence=number))
        assert standing_key(book.state, "pool-one/1/1") == f"pool-one/1/1/{number + 1}"

    assert refused_with(correct(book, row(1), sequence=VERSIONS_MAX)) == "row_versions_too_many"
    assert list(states(book).values()).count(LotState.OPEN) == 2


def test_a_withdrawn_row_is_gone_for_good_and_its_payout_is_free(book: Book) -> None:
    accepted(correct(book, withdrawn=(1,)))

    lot = book.state.get(LOTS, "pool-one/1/1")
    assert lot is not None
    assert (lot.state, lot.superseded_by) == (LotState.CORRECTED, None)
    assert refused_with(correct(book, row(1), sequence=2)) == "row_unreported"
    accepted(report(book, row(1), sequence=2))
    assert refused_with(report(book, row(1), sequence=3)) == "payout_repeated"


def test_payouts_of_rows_taken_back_together_may_change_places(book: Book) -> None:
    accepted(correct(book, row(1, payout=payout(2)), row(2, payout=payout(1))))

    assert book.state.get(PAYOUTS, payout(1)) == "pool-one/1/2/2"
    assert book.state.get(PAYOUTS, payout(2)) == "pool-one/1/1/2"


def test_a_payout_that_a_standing_lot_rests_on_is_not_taken(book: Book) -> None:
    assert refused_with(correct(book, row(1, payout=payout(2)))) == "payout_repeated"
    accepted(correct(book, row(1, payout=payout(9))))
    accepted(report(book, row(1), sequence=2))
    assert refused_with(correct(book, row(1, payout=payout(1)), sequence=2)) == "payout_repeated"


def test_corrections_come_in_order(book: Book) -> None:
    assert refused_with(correct(book, row(1), sequence=2)) == "correction_out_of_order"
    accepted(correct(book, row(1)))
    assert refused_with(correct(book, row(1), sequence=1)) == "correction_out_of_order"


@pytest.mark.parametrize(
    ("rows", "members", "code"),
    [
        ((), {}, "correction_empty"),
        ((row(1), row(1, payout=payout(9))), {}, "row_corrected_twice"),
        ((row(1),), {"withdrawn": (1,)}, "row_corrected_twice"),
        ((), {"withdrawn": (2, 2)}, "row_corrected_twice"),
        ((row(3),), {}, "row_unreported"),
        ((row(1),), {"report": 2}, "row_unreported"),
        ((row(1, coin="LTC"),), {}, "coin_unknown"),
        ((row(1, distributed_us=TimestampUs(START_US + YEAR_US)),), {}, "distribution_in_future"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(
    book: Book, rows: tuple[ProductionRow, ...], members: dict[str, Any], code: str
) -> None:
    before = states(book)

    assert refused_with(correct(book, *rows, **members)) == code
    assert states(book) == before


def test_the_row_at_fault_is_named(book: Book) -> None:
    outcome = correct(book, row(1), row(2, licence="L-9"))

    assert refused_with(outcome) == "licence_unknown"
    assert isinstance(outcome, Refused)
    assert outcome.line == 1


def test_a_pool_corrects_its_own_reports_only(book: Book) -> None:
    accepted(book.admit("pool-two", Role.POOL, "812"))
    pool = RegistryPool(pool=ParticipantId("pool-two"), accreditation="P-2", from_us=TimestampUs(0))
    accepted(book.submit("registry_pool", pool, by="ministry"))

    assert refused_with(correct(book, row(1), by="pool-two")) == "row_unreported"


def test_the_licence_is_looked_at_again(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", START_US - 2 * DAY_US)

    assert accepted(correct(book, row(1))).record == {"lots": 1, "unlicensed": [1], "withdrawn": 0}
    assert states(book)["pool-one/1/1/2"] is LotState.UNLICENSED


def test_the_quota_is_restated_from_the_original_period() -> None:
    book = market()
    accepted(report(book, row(1, quantity=BTC // 10)))
    accepted(settle(book))
    before = quota_statement(book.state, MINER, "BTC", as_of=TODAY)
    accepted(correct(book, row(1, quantity=BTC // 50)))

    after = quota_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert (before.produced, before.obligation, before.shortfall) == (BTC // 10, BTC // 20, BTC // 25)
    assert (after.produced, after.obligation, after.counted, after.shortfall) == (BTC // 50, BTC // 100, BTC // 100, 0)
    assert after.inputs != before.inputs


def test_a_correction_has_so_many_rows_at_most(book: Book) -> None:
    rows = tuple(row(number, payout=payout(number)) for number in range(1, ROWS_PER_REPORT_MAX + 2))
    with pytest.raises(NotAdmissible, match="rows"):
        correct(book, *rows)
    with pytest.raises(NotAdmissible, match="withdrawn"):
        correct(book, withdrawn=tuple(range(1, ROWS_PER_REPORT_MAX + 2)))

    accepted(report(book, *(row(number, payout=payout(number + 10)) for number in range(1, 1_001)), sequence=2))
    accepted(correct(book, *(row(number, payout=payout(number + 10)) for number in range(1, 1_001)), report=2))


corrections = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 9)), max_size=3),
        st.lists(st.integers(1, 4), max_size=2),
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(corrections)
def test_what_stands_is_what_was_reported_last_and_no_payout_counts_twice(
    corrections: list[tuple[list[tuple[int, int, int]], list[int]]],
) -> None:
    book = registered_market()
    accepted(report(book, row(1), row(2), row(3)))
    standing = {number: (number, BTC) for number in (1, 2, 3)}
    sequence = 1
    for rows, withdrawn in corrections:
        bodies = [row(number, payout=payout(outpoint), quantity=quantity) for number, outpoint, quantity in rows]
        outcome = correct(book, *bodies, withdrawn=tuple(withdrawn), sequence=sequence)
        numbers = [*(number for number, _, _ in rows), *withdrawn]
        kept = {number: value for number, value in standing.items() if number not in numbers}
        changed = kept | {number: (outpoint, quantity) for number, outpoint, quantity in rows}
        payouts = [outpoint for outpoint, _ in changed.values()]
        is_right = (
            len(numbers) == len(set(numbers)) > 0
            and set(numbers) <= set(standing)
            and len(payouts) == len(set(payouts))
        )
        assert isinstance(outcome, Accepted) == is_right, outcome
        if is_right:
            standing, sequence = changed, sequence + 1

    lots = {key: lot for key, lot in book.state.items(LOTS) if lot.state is LotState.OPEN}
    assert {key: lots[key].quantity for key in lots} == {
        standing_key(book.state, f"pool-one/1/{number}"): quantity for number, (_, quantity) in standing.items()
    }
    for number, (outpoint, _) in standing.items():
        assert book.state.get(PAYOUTS, payout(outpoint)) == standing_key(book.state, f"pool-one/1/{number}")
    statement = production_statement(book.state, MINER, "BTC", as_of=TODAY)
    assert statement.produced == sum(quantity for _, quantity in standing.values())
