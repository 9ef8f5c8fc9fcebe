"""Was it valid at that moment, and what did the registers say then?"""

import pytest

from ledger.units import TimestampUs
from settlement.model.intervals import Status
from settlement.model.registers import Register
from settlement.rules.register_load import ExposureRow, PartyRow
from settlement.rules.register_snapshot import register_snapshot
from settlement.rules.validity import status_at, was_valid
from tests.book import START_US, Book
from tests.settlement.market import BIN, DAY_US, YEAR_US, accepted, bare_market, commitment, registered_market, suspend
from tests.settlement.test_parties import relation
from tests.settlement.test_register_load import a_whole_register, load

NOW = TimestampUs(START_US)
PERSON = commitment("a person")


@pytest.fixture
def book() -> Book:
    book = bare_market()
    accepted(load(book, *a_whole_register()))
    return book


@pytest.mark.parametrize(
    ("register", "subject"),
    [
        (Register.EXCHANGE, "aix-one"),
        (Register.POOL, "pool-one"),
        (Register.LICENCE, "L-1"),
        (Register.SITE, "DC-1"),
        (Register.PERMISSION, "AFSA-1-T"),
        (Register.PRICE_LIST, "BTC"),
    ],
)
def test_every_register_answers_for_a_moment(book: Book, register: Register, subject: str) -> None:
    suspend(book, register, subject, START_US + 10, until_us=START_US + 20)

    statuses = [status_at(book.state, register, subject, TimestampUs(START_US + after)) for after in (9, 10, 19, 20)]
    assert statuses == [Status.ACTIVE, Status.SUSPENDED, Status.SUSPENDED, Status.ACTIVE]
    assert status_at(book.state, register, subject, TimestampUs(0)) is None
    assert not was_valid(book.state, register, "nobody", NOW)


def test_a_snapshot_holds_what_was_in_force_at_its_moment(book: Book) -> None:
    accepted(
        load(
            book,
            PartyRow(party=PERSON, name=commitment("x")),
            relation("miner-one", PERSON, until_us=NOW),
            ExposureRow(party=PERSON, from_us=TimestampUs(START_US - YEAR_US), until_us=NOW, basis="decree-1"),
        )
    )

    before = register_snapshot(book.state, TimestampUs(START_US - 1))
    after = register_snapshot(book.state, NOW)
    rows = {(row.register, row.subject): row.status for row in before.rows}
    assert rows[("meter", "M-1")] is Status.ACTIVE
    assert {(row.register, row.subject): row.status for row in after.rows}[("meter", "M-1")] is Status.SUSPENDED
    assert [row.register for row in before.rows] == sorted(row.register for row in before.rows)
    assert ("relation", "miner-one") in rows
    assert ("exposure", PERSON) in rows
    assert not {"relation", "exposure"} & {row.register for row in after.rows}
    assert ("miner", "miner-one") in rows
    assert before.digest != after.digest
    assert register_snapshot(book.state, TimestampUs(0)).rows == tuple(
        row for row in before.rows if row.register in ("coin", "miner", "party")
    )


def test_what_is_registered_for_later_does_not_change_a_snapshot(book: Book) -> None:
    before = register_snapshot(book.state, NOW)
    suspend(book, Register.EXCHANGE, "aix-one", START_US + DAY_US)

    assert register_snapshot(book.state, NOW) == before
    suspend(book, Register.POOL, "pool-one", START_US - DAY_US)
    assert register_snapshot(book.state, NOW).digest != before.digest


def test_a_row_of_another_moment_or_fact_has_another_digest(book: Book) -> None:
    other = registered_market()
    row = {each.subject: each for each in register_snapshot(book.state, NOW).rows}
    same = {each.subject: each for each in register_snapshot(other.state, NOW).rows}

    assert row["L-1"] == same["L-1"]
    assert row["aix-one"].digest != same["aix-one"].digest, "its licence has another number"
    assert BIN not in str(row)
