"""Meter readings: signed by two, one after the other, within a quarter; corrections supersede."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.units import BALANCE_MAX, TimestampUs
from settlement.model.energy import (
    KWH_MAX,
    LINES_PER_READING_MAX,
    PERIOD_KWH_MAX,
    PRICE_MAX,
    EnergyLine,
    EnergyTotal,
    restated,
)
from settlement.model.registers import Register
from settlement.model.sites import EnergySource, Zone
from settlement.rules.energy import MeterReading
from settlement.rules.register_load import MeterRow, PartyRow, SiteRow
from settlement.rules.tables import ENERGY, LAST_READINGS, READINGS
from tests.book import Book, refused_with
from tests.settlement.market import accepted, commitment, suspend
from tests.settlement.power import SINCE, line, load, moment, power_market, read, reading

GRID, AUCTION, IMPORT = EnergySource.GRID, EnergySource.AUCTION, EnergySource.IMPORT
OWN, WIND = EnergySource.OWN, EnergySource.OWN_RENEWABLE


@pytest.fixture
def book() -> Book:
    return power_market()


def test_a_reading_counts_what_each_miner_drew(book: Book) -> None:
    outcome = accepted(read(book, line(700, price=1_840), line(300, price=2_000, miner="miner-two")))

    assert outcome.record == {"quarter": "2024-Q4"}
    assert _totals(book, "miner-one/2024-Q4") == [((AUCTION,), False, 700, 700, 1_288_000)]
    assert _totals(book, "miner-two/2024-Q4") == [((AUCTION,), False, 300, 300, 600_000)]
    last = book.state.get(LAST_READINGS, "M-1")
    assert last is not None
    assert (last.number, last.until_us) == (1, moment(book, "2024-12-01"))


def test_energy_of_other_sources_is_counted_apart(book: Book) -> None:
    lines = (
        line(1, IMPORT, price=10),
        line(2, AUCTION, GRID, price=10),
        line(4, price=10),
        line(8, price=20),
        line(16, is_unmetered=True),
        line(32, price=30, is_unmetered=True),
    )
    accepted(read(book, *lines))

    assert _totals(book, "miner-one/2024-Q4") == [
        ((AUCTION,), False, 12, 12, 200),
        ((AUCTION,), True, 48, 32, 960),
        ((AUCTION, GRID), False, 2, 2, 20),
        ((IMPORT,), False, 1, 1, 10),
    ]


def test_readings_follow_each_other_without_a_gap(book: Book) -> None:
    accepted(read(book, line(1, price=1)))
    third: dict[str, Any] = {"number": 2, "from_us": moment(book, "2024-12-01"), "until_us": moment(book, "2024-12-02")}

    gap: dict[str, Any] = third | {"from_us": TimestampUs(moment(book, "2024-12-01") + 1)}
    overlap: dict[str, Any] = third | {"from_us": TimestampUs(moment(book, "2024-12-01") - 1)}
    assert refused_with(read(book, line(1, price=1), **gap)) == "reading_interval_wrong"
    assert refused_with(read(book, line(1, price=1), **overlap)) == "reading_interval_wrong"
    accepted(read(book, line(1, price=1), **third))


def test_a_time_without_draught_is_a_reading_of_nothing(book: Book) -> None:
    accepted(read(book))

    assert book.state.get(ENERGY, "miner-one/2024-Q4") is None
    assert book.state.get(READINGS, "M-1/1") is not None


def test_a_correction_supersedes_a_reading(book: Book) -> None:
    accepted(read(book, line(700, price=1_840), line(300, price=2_000, miner="miner-two")))
    accepted(read(book, line(650, price=1_840), version=2))

    assert _totals(book, "miner-one/2024-Q4") == [((AUCTION,), False, 650, 650, 1_196_000)]
    assert _totals(book, "miner-two/2024-Q4") == []
    standing = book.state.get(READINGS, "M-1/1")
    assert standing is not None
    assert (standing.version, standing.lines) == (2, (line(650, price=1_840),))


def test_an_earlier_reading_is_corrected_after_later_ones(book: Book) -> None:
    accepted(read(book, line(700, price=1)))
    later: dict[str, Any] = {"number": 2, "from_us": moment(book, "2024-12-01"), "until_us": moment(book, "2024-12-02")}
    accepted(read(book, line(10, price=1), **later))
    accepted(read(book, line(600, price=1), version=2))

    assert _totals(book, "miner-one/2024-Q4") == [((AUCTION,), False, 610, 610, 610)]
    last = book.state.get(LAST_READINGS, "M-1")
    assert last is not None
    assert last.number == 2


def test_a_correction_names_the_next_version_of_the_same_interval(book: Book) -> None:
    accepted(read(book, line(1, price=1)))

    assert refused_with(read(book, line(2, price=1))) == "reading_version_wrong"
    assert refused_with(read(book, line(2, price=1), version=3)) == "reading_version_wrong"
    shorter: dict[str, Any] = {"version": 2, "until_us": moment(book, "2024-11-30")}
    assert refused_with(read(book, line(2, price=1), **shorter)) == "reading_interval_wrong"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"meter": "M-9"}, "meter_unknown"),
        ({"by": "miner-two"}, "meter_of_other"),
        ({"number": 2}, "reading_out_of_order"),
        ({"version": 2}, "reading_version_wrong"),
        ({"energy_kwh": 2}, "reading_sum_differs"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(book: Book, members: dict[str, Any], code: str) -> None:
    assert refused_with(read(book, line(1, price=1), **members)) == code


@pytest.mark.parametrize(
    ("from_date", "until_date", "code"),
    [
        ("2021-11-30", "2021-12-02", "meter_not_active"),
        ("2024-11-01", "2024-11-01", "reading_interval_wrong"),
        ("2024-11-02", "2024-11-01", "reading_interval_wrong"),
        ("2024-12-01", "2024-12-25", "reading_interval_wrong"),
        ("2024-09-30", "2024-10-02", "reading_spans_quarters"),
        ("2021-12-01", "2022-01-01", "accepted"),
        ("2024-07-01", "2024-10-01", "accepted"),
    ],
)
def test_an_interval_is_over_and_within_one_quarter(book: Book, from_date: str, until_date: str, code: str) -> None:
    body = reading(book, from_us=moment(book, from_date), until_us=moment(book, until_date))

    assert book.end("meter_reading", body, by="miner-one", signers=("miner-one-1", "grid-one-1")) == code


def test_a_moment_past_the_quarter_is_too_much(book: Book) -> None:
    end_us = moment(book, "2024-10-01")
    members: dict[str, Any] = {"from_us": moment(book, "2024-09-30"), "until_us": TimestampUs(end_us + 1)}

    assert refused_with(read(book, **members)) == "reading_spans_quarters"


@pytest.mark.parametrize("cosigner", ["grid-one-1", "operator-kz-1"])
def test_a_grid_company_or_the_system_operator_signs_too(book: Book, cosigner: str) -> None:
    accepted(read(book, line(1, price=1), cosigner=cosigner))


def test_the_owner_alone_reads_no_meter(book: Book) -> None:
    assert book.end("meter_reading", reading(book), by="miner-one") == "signatures_insufficient"


def test_a_grid_company_of_another_zone_signs_nothing(book: Book) -> None:
    since_us = moment(book, SINCE)
    accepted(
        load(
            book,
            SiteRow(site="DC-W", operator="miner-one", zone=Zone.WEST, from_us=since_us),
            MeterRow(meter="M-W", site="DC-W", source=GRID, from_us=since_us),
        )
    )

    assert refused_with(read(book, line(1, GRID, price=1), meter="M-W")) == "reading_not_cosigned"
    accepted(read(book, line(1, GRID, price=1), meter="M-W", cosigner="operator-kz-1"))


def test_where_the_owner_takes_no_part_a_miner_in_the_reading_signs(book: Book) -> None:
    since_us = moment(book, SINCE)
    accepted(
        load(
            book,
            PartyRow(party="group:hosting", name=commitment("hosting")),
            SiteRow(site="DC-H", operator="group:hosting", zone=Zone.NORTH_SOUTH, from_us=since_us),
            MeterRow(meter="M-H", site="DC-H", source=GRID, from_us=since_us),
        )
    )
    shares = (line(1, GRID, price=1, miner="miner-two"),)

    assert refused_with(read(book, *shares, meter="M-H", by="miner-one")) == "meter_of_other"
    accepted(read(book, *shares, meter="M-H", by="miner-two"))


def test_a_suspended_meter_reads_nothing(book: Book) -> None:
    suspend(book, Register.METER, "M-1", moment(book, "2024-11-01"), until_us=moment(book, "2024-11-02"))

    assert refused_with(read(book, line(1, price=1))) == "meter_not_active"


@pytest.mark.parametrize(
    ("lines", "meter", "code"),
    [
        ((line(1, price=1, miner="nobody"),), "M-1", "miner_unknown"),
        ((line(1, OWN),), "M-1", "reading_sources_wrong"),
        ((line(1, WIND),), "M-gas", "reading_sources_wrong"),
        ((line(1, OWN, AUCTION, price=1),), "M-1", "reading_sources_wrong"),
        ((line(1, AUCTION, AUCTION, price=1),), "M-1", "reading_sources_wrong"),
        ((line(1, price=1), line(1, WIND)), "M-1", "reading_sources_wrong"),
        ((line(1),), "M-1", "reading_price_wrong"),
        ((line(1, OWN, price=1),), "M-gas", "reading_price_wrong"),
        ((line(1, OWN, price=1, is_unmetered=True),), "M-gas", "reading_price_wrong"),
        ((line(1, is_unmetered=True),), "M-1", "accepted"),
        ((line(1, OWN),), "M-gas", "accepted"),
        ((line(1, OWN, WIND),), "M-wind", "accepted"),
        ((line(1, GRID, price=1),), "M-1", "accepted"),
        ((line(1, GRID, WIND, price=1),), "M-wind", "accepted"),
    ],
)
def test_sources_and_prices_fit_the_meter(book: Book, lines: tuple[EnergyLine, ...], meter: str, code: str) -> None:
    body = reading(book, *lines, meter=meter)

    assert book.end("meter_reading", body, by="miner-one", signers=("miner-one-1", "grid-one-1")) == code


def test_a_refusal_names_the_line(book: Book) -> None:
    outcome = read(book, line(1, price=1), line(1, price=1, miner="nobody"))

    assert refused_with(outcome) == "miner_unknown"
    assert getattr(outcome, "line", None) == 1


def test_a_quarter_holds_so_much_energy_and_no_more(book: Book) -> None:
    whole = (line(KWH_MAX, is_unmetered=True),) * 250
    accepted(read(book, *whole, meter="M-1"))
    for number in (2, 3):
        accepted(read(book, *whole, **_day_of_december(book, number)))
    span = _day_of_december(book, 4)

    too_much = (*whole, line(1, is_unmetered=True))
    assert refused_with(read(book, *too_much, **span)) == "energy_too_large"
    accepted(read(book, *whole, **span))
    assert [total[2] for total in _totals(book, "miner-one/2024-Q4")] == [PERIOD_KWH_MAX]


def test_what_a_quarter_costs_stays_an_integer_of_canonical_json() -> None:
    cost = KWH_MAX * PRICE_MAX
    full = (EnergyTotal(sources=(GRID,), energy_kwh=1, priced_kwh=1, cost=BALANCE_MAX - cost),)

    assert restated(full, (), (line(KWH_MAX, GRID, price=PRICE_MAX),)) is not None
    assert restated(full, (), (line(KWH_MAX, GRID, price=PRICE_MAX), line(1, GRID, price=1))) is None


@pytest.mark.parametrize(
    ("energy_kwh", "price", "fits"),
    [(1, 1, True), (KWH_MAX, PRICE_MAX, True), (0, 1, False), (KWH_MAX + 1, 1, False), (1, PRICE_MAX + 1, False)],
)
def test_a_line_has_limits(energy_kwh: int, price: int, *, fits: bool) -> None:
    text = canonical.encode(line(energy_kwh, price=price))

    if fits:
        assert canonical.decode(text, EnergyLine) == line(energy_kwh, price=price)
        return
    with pytest.raises(canonical.NotCanonical):
        canonical.decode(text, EnergyLine)


def test_a_reading_of_more_lines_than_fit_is_not_read(book: Book) -> None:
    lines = (line(1, price=1),) * LINES_PER_READING_MAX
    body = reading(book, *lines)

    assert canonical.decode(canonical.encode(body), MeterReading) == body
    with pytest.raises(canonical.NotCanonical, match="lines"):
        canonical.decode(canonical.encode(reading(book, *lines, lines[0])), MeterReading)


LINES = st.lists(
    st.builds(
        line,
        st.integers(1, 1_000),
        st.sampled_from((GRID, AUCTION)),
        price=st.integers(1, 3_000),
        is_unmetered=st.booleans(),
    ),
    max_size=6,
)


@given(readings=st.lists(LINES, max_size=5), corrected=LINES)
def test_totals_are_those_of_the_lines_that_stand(
    readings: list[list[EnergyLine]], corrected: list[EnergyLine]
) -> None:
    totals: tuple[EnergyTotal, ...] | None = ()
    for lines in readings:
        assert totals is not None
        totals = restated(totals, (), lines)
    standing = readings
    if readings:
        assert totals is not None
        totals = restated(totals, readings[0], corrected)
        standing = [corrected, *readings[1:]]

    energy_kwh: Counter[Any] = Counter()
    cost: Counter[Any] = Counter()
    for each in (each for lines in standing for each in lines):
        energy_kwh[each.sources, each.is_unmetered] += each.energy_kwh
        cost[each.sources, each.is_unmetered] += each.energy_kwh * (each.price or 0)
    assert totals is not None
    assert {(total.sources, total.is_unmetered): total.energy_kwh for total in totals} == energy_kwh
    assert {(total.sources, total.is_unmetered): total.cost for total in totals} == cost
    assert all(total.priced_kwh == total.energy_kwh for total in totals)
    assert list(totals) == sorted(totals, key=lambda total: (total.sources, total.is_unmetered))


def _day_of_december(book: Book, number: int) -> dict[str, Any]:
    """The day after that of the reading before, so that all follow November."""
    from_us, until_us = (moment(book, f"2024-12-{day:02d}") for day in (number - 1, number))
    return {"number": number, "from_us": from_us, "until_us": until_us}


def _totals(book: Book, key: str) -> list[tuple[Any, ...]]:
    return [
        (total.sources, total.is_unmetered, total.energy_kwh, total.priced_kwh, total.cost)
        for total in book.state.get(ENERGY, key) or ()
    ]
