"""Production reports: whole or not at all, in order, one payout once."""

from typing import Any

import pytest

from ledger.crypto import canonical
from ledger.model.journal import LEAF_BYTES_MAX
from ledger.rules.opening import NotAdmissible
from ledger.units import BusinessDate, ParticipantId
from settlement.model.production import ROWS_PER_REPORT_MAX, LotState
from settlement.model.registers import Register
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.rules.production import ProductionReport
from settlement.rules.tables import LOTS, PAYOUTS, REPORTS
from tests.book import START_US, Book, refused_with
from tests.settlement.market import (
    BTC,
    DAY_US,
    YEAR_US,
    accepted,
    bare_market,
    commitment,
    payout,
    registered_market,
    report,
    row,
    suspend,
)


@pytest.fixture
def book() -> Book:
    return registered_market()


def test_each_row_becomes_a_lot(book: Book) -> None:
    outcome = accepted(report(book, row(1), row(2, quantity=7)))

    assert outcome.record == {"lots": 2, "unlicensed": []}
    lot = book.state.get(LOTS, "pool-one/1/1")
    assert lot is not None
    assert (lot.miner, lot.coin, lot.quantity, lot.state) == ("miner-one", "BTC", BTC, LotState.OPEN)
    assert (lot.distributed_on, lot.subtype) == ("2024-12-23", 1)
    assert book.state.get(PAYOUTS, payout(2)) == "pool-one/1/2"
    assert book.state.get(REPORTS, "pool-one") == 1


def test_the_date_of_a_lot_is_the_one_on_the_wall_in_kazakhstan(book: Book) -> None:
    # 19:00 in UTC is midnight at UTC+5.
    midnight_us = 1_734_980_400_000_000
    accepted(report(book, row(1, distributed_us=midnight_us - 1), row(2, distributed_us=midnight_us)))

    dates = [lot.distributed_on for _, lot in sorted(book.state.items(LOTS))]
    assert dates == ["2024-12-23", "2024-12-24"]


def test_a_distribution_without_an_active_licence_is_taken_and_unlicensed(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", START_US - 2 * DAY_US)

    outcome = accepted(report(book, row(1, distributed_us=START_US - 3 * DAY_US), row(2)))
    assert outcome.record == {"lots": 2, "unlicensed": [2]}
    states = [lot.state for _, lot in sorted(book.state.items(LOTS))]
    assert states == [LotState.OPEN, LotState.UNLICENSED]


def test_reports_come_in_order(book: Book) -> None:
    assert refused_with(report(book, row(1), sequence=2)) == "report_out_of_order"
    accepted(report(book, row(1), sequence=1))
    assert refused_with(report(book, row(2), sequence=1)) == "report_out_of_order"
    accepted(report(book, row(2), sequence=2))


def test_a_row_number_stands_once_in_a_report(book: Book) -> None:
    assert refused_with(report(book, row(1), row(1, payout=payout(2)))) == "row_repeated"


def test_a_payout_is_reported_once(book: Book) -> None:
    assert refused_with(report(book, row(1), row(2, payout=payout(1)))) == "payout_repeated"
    accepted(report(book, row(1)))
    assert refused_with(report(book, row(1), sequence=2)) == "payout_repeated"


@pytest.mark.parametrize(
    "spelling", [f"{'AB' * 32}:1", f"{'ab' * 32}:01", f"{'ab' * 31}:1", "ab" * 32, commitment("x")]
)
def test_a_payout_is_an_output_on_the_chain_in_its_one_spelling(book: Book, spelling: str) -> None:
    with pytest.raises(NotAdmissible, match="payout"):
        report(book, row(1, payout=spelling))


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"distributed_us": START_US + DAY_US}, "distribution_in_future"),
        ({"distributed_us": START_US - 2 * YEAR_US}, "pool_not_accredited"),
        ({"miner": ParticipantId("miner-two")}, "miner_unknown"),
        ({"bin": "100000000205"}, "miner_identity_differs"),
        ({"bin": None, "iin": commitment("iin")}, "miner_identity_differs"),
        ({"iin": commitment("iin")}, "miner_identity_differs"),
        ({"coin": "LTC"}, "coin_unknown"),
        ({"licence": "L-9"}, "licence_unknown"),
        ({"licence_date": BusinessDate("2023-06-02")}, "licence_date_differs"),
    ],
)
def test_a_row_at_fault_refuses_the_report_and_is_named(book: Book, members: dict[str, Any], code: str) -> None:
    outcome: Any = report(book, row(1), row(2, **members))

    assert refused_with(outcome) == code
    assert outcome.line == 1
    assert list(book.state.items(LOTS)) == []


def test_a_licence_of_another_miner_is_refused(book: Book) -> None:
    miner = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("x"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", miner, by="ministry"))
    licence = RegistryLicence(
        licence="L-2", miner=ParticipantId("miner-two"), subtype=2, issued=BusinessDate("2023-06-01")
    )
    accepted(book.submit("registry_licence", licence, by="ministry"))

    assert refused_with(report(book, row(1, licence="L-2"))) == "licence_of_other_miner"
    # An individual's IIN is committed with another salt each time; that there is one is all that can be compared.
    theirs = row(1, miner=ParticipantId("miner-two"), bin=None, iin=commitment("other salt"), licence="L-2")
    accepted(report(book, theirs))


def test_a_pool_nobody_accredited_reports_nothing() -> None:
    assert refused_with(report(bare_market(), row(1))) == "pool_not_accredited"


def test_the_first_reason_in_the_documented_order_is_the_one_named(book: Book) -> None:
    wrong: dict[str, Any] = {
        "distributed_us": START_US + DAY_US,
        "miner": ParticipantId("miner-two"),
        "coin": "LTC",
        "licence": "L-9",
    }
    for member, code in (
        ("distributed_us", "distribution_in_future"),
        ("miner", "miner_unknown"),
        ("coin", "coin_unknown"),
        ("licence", "licence_unknown"),
    ):
        assert refused_with(report(book, row(1, **wrong))) == code
        del wrong[member]
    accepted(report(book, row(1, **wrong)))


def test_the_longest_report_fits_and_a_longer_one_does_not(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", START_US - 2 * DAY_US)
    rows = tuple(row(2**31 - number) for number in range(1, ROWS_PER_REPORT_MAX + 2))
    with pytest.raises(NotAdmissible, match="rows"):
        report(book, *rows)

    outcome = accepted(report(book, *rows[:-1]))
    body = ProductionReport(sequence=1, rows=rows[:-1])
    assert book.rulebook.kinds["production_report"].weight(body) == ROWS_PER_REPORT_MAX
    assert outcome.record is not None
    assert len(outcome.record["unlicensed"]) == ROWS_PER_REPORT_MAX
    assert len(canonical.encode(outcome.record)) < LEAF_BYTES_MAX // 2
