"""A pool's report in the columns of the official form."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.units import BusinessDate, ParticipantId
from settlement.model.production import ROWS_PER_REPORT_MAX
from settlement.production_file import COLUMNS, Known, Licensee, read_production
from settlement.rows_text import CellFault, TableFaulty, scaled_of
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.rules.production import ProductionReport
from settlement.rules.tables import COINS, LICENCES, LOTS, MINERS
from tests.book import Book
from tests.settlement.market import BIN, BTC, accepted, commitment, payout, registered_market
from wallet_api.openings import Openings

IIN = "900101300017"


def market_with_an_individual() -> Book:
    book = registered_market()
    miner = ParticipantId("miner-two")
    accepted(
        book.submit(
            "registry_miner", RegistryMiner(miner=miner, name=commitment("x"), iin=commitment("i")), by="ministry"
        )
    )
    licence = RegistryLicence(licence="L-2", miner=miner, subtype=2, issued=BusinessDate("2023-06-01"))
    accepted(book.submit("registry_licence", licence, by="ministry"))
    return book


BOOK = market_with_an_individual()


def known(openings: Openings) -> Known:
    def licensee(number: str) -> Licensee | None:
        licence = BOOK.state.get(LICENCES, number)
        miner = None if licence is None else BOOK.state.get(MINERS, licence.miner)
        return None if licence is None or miner is None else Licensee(licence.miner, miner.bin)

    def scale(symbol: str) -> int | None:
        coin = BOOK.state.get(COINS, symbol)
        return None if coin is None else coin.scale

    offsets = BOOK.state.get(UTC_OFFSETS, THE)
    assert offsets is not None
    return Known(licensee=licensee, scale=scale, offsets=offsets, commit=openings.fresh)


CELLS: dict[str, str] = {
    "row": "1",
    "iin_bin": BIN,
    "name": "Дала Майнинг",
    "licence": "L-1",
    "licence_date": "2023-06-01",
    "wallet": "bc1qexample",
    "distributed": "2024-12-23",
    "coin": "BTC",
    "quantity": "0.5",
    "value": "24387680.83",
    "payout": payout(1),
}


def table(*rows: Mapping[str, str], separator: str = ",") -> bytes:
    lines = [COLUMNS, *([row.get(column, "") for column in COLUMNS] for row in rows)]
    return "\n".join(separator.join(line) for line in lines).encode()


def read(*rows: Mapping[str, str], openings: Openings | None = None, separator: str = ",") -> ProductionReport:
    return read_production(table(*rows, separator=separator), 1, known(openings or Openings()))


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_official_columns_make_a_report_that_the_ledger_takes(separator: str) -> None:
    book = market_with_an_individual()
    individual = CELLS | {"row": "2", "iin_bin": IIN, "name": "Айгүл", "licence": "L-2", "payout": payout(2)}
    openings = Openings()
    body = read(CELLS, individual, openings=openings, separator=separator)
    accepted(book.submit("production_report", body, by="pool-one"))

    lot = book.state.get(LOTS, "pool-one/1/1")
    assert lot is not None
    assert (lot.miner, lot.quantity, lot.receipt_value) == ("miner-one", BTC // 2, 2_438_768_083)
    assert lot.distributed_on == "2024-12-23"
    assert IIN not in str(body)
    assert "bc1qexample" not in str(body)
    assert [opening.value for opening in openings.made()] == [
        "Дала Майнинг",
        "bc1qexample",
        IIN,
        "Айгүл",
        "bc1qexample",
    ]
    assert all(opening.commitment() in str(body) for opening in openings.made())


def test_a_date_stands_for_its_first_moment_in_kazakhstan_and_a_moment_for_itself() -> None:
    # 23 December 2024 began at 19:00 in UTC on the 22nd.
    (day,) = read(CELLS).rows
    (moment,) = read(CELLS | {"distributed": "2024-12-23T00:00:00+05:00"}).rows

    assert day.distributed_us == moment.distributed_us == 1_734_894_000_000_000


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("row", "0", "Expected `int` >= 1"),
        ("row", "one", "expected an integer, got one"),
        ("iin_bin", "123456789012", "expected twelve digits, the last the right check digit"),
        ("iin_bin", "1234", "expected twelve digits"),
        ("iin_bin", IIN, f"expected the BIN of the licence's miner, {BIN}"),
        ("name", "", "expected a value"),
        ("licence", "L-9", "expected a licence of the register"),
        ("licence_date", "2023-13-01", "expected a date that exists"),
        ("distributed", "2024-02-30", "expected a date that exists"),
        ("distributed", "2024-12-23T00:00:00", "expected a time with its offset"),
        ("quantity", "0", "Expected `int` >= 1"),
        ("quantity", "0.123456789", "expected at most 8 decimal places"),
        ("quantity", "1e3", "expected a number with a decimal point"),
        ("quantity", "-1", "expected a number with a decimal point"),
        ("value", "1.234", "expected at most 2 decimal places"),
        ("value", "9999999999999999", "Expected `int` <= "),
        ("payout", "ab:1", "Expected `str` matching regex"),
    ],
)
def test_what_is_wrong_is_said_by_row_and_column(column: str, value: str, said: str) -> None:
    with pytest.raises(TableFaulty) as caught:
        read(CELLS, CELLS | {"row": "2", "payout": payout(2)} | {column: value})

    (fault,) = caught.value.faults
    assert (fault.row, fault.column) == (3, column)
    assert fault.reason.startswith(said)


def test_a_number_of_nobody_is_taken_for_an_iin_and_a_coin_of_nobody_has_no_quantity() -> None:
    with pytest.raises(TableFaulty) as caught:
        read(CELLS | {"licence": "L-9", "coin": "XRP"})

    assert [fault.column for fault in caught.value.faults] == ["licence", "quantity"]


def test_a_report_has_so_many_rows_at_most() -> None:
    rows = [CELLS | {"row": str(number), "payout": payout(number)} for number in range(1, ROWS_PER_REPORT_MAX + 2)]
    with pytest.raises(TableFaulty, match="at most 1000 rows"):
        read(*rows)

    assert len(read(*rows[:-1]).rows) == ROWS_PER_REPORT_MAX


def test_a_decimal_comma_is_not_guessed_at() -> None:
    with pytest.raises(TableFaulty, match="column quantity: expected a number with a decimal point, got 0,5"):
        read(CELLS | {"quantity": "0,5"}, separator=";")


@given(st.integers(0, 10**12), st.integers(0, 8))
def test_a_quantity_is_read_exactly(units: int, scale: int) -> None:
    whole, fraction = divmod(units, 10**scale)
    text = f"{whole}.{fraction:0{scale}d}" if scale else str(whole)

    assert scaled_of(text, scale) == units


@given(st.text(max_size=8))
def test_whatever_is_read_as_a_number_is_one(text: str) -> None:
    try:
        units: Any = scaled_of(text, 2)
    except CellFault:
        return
    assert units == round(float(text) * 100)
