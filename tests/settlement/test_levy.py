"""The digital-mining levy: the worked examples, the bands, the highest rate, sums and digests."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.model.journal import LEAF_BYTES_MAX
from ledger.units import BALANCE_MAX, ParticipantId
from settlement.levy import AveragePrice, average_price, levy_statement, rate_of
from settlement.model.energy import PERIOD_KWH_MAX, EnergyTotal, EnergyTotals
from settlement.model.levy_regimes import (
    LEVY_REGIMES,
    RATE_MAX,
    regime_of,
)
from settlement.model.levy_statement import UNVERIFIED, LevyPaid, LevyStatement
from settlement.model.quota_policies import LegalStatus
from settlement.model.sites import EnergySource
from tests.settlement.power import is_weekday

AUCTION, GRID, OWN, WIND = (
    EnergySource.AUCTION,
    EnergySource.GRID,
    EnergySource.OWN,
    EnergySource.OWN_RENEWABLE,
)
MINER = ParticipantId("miner-one")
KZT = 100
"""Tiyn of one tenge."""


def total(energy_kwh: int, *sources: EnergySource, price: int | None = None, is_unmetered: bool = False) -> EnergyTotal:
    """Energy of some sources; from the auction if none is named."""
    return EnergyTotal(
        sources=sources or (AUCTION,),
        is_unmetered=is_unmetered,
        energy_kwh=energy_kwh,
        priced_kwh=0 if price is None else energy_kwh,
        cost=energy_kwh * (price or 0),
    )


def statement(quarter: str, *totals: EnergyTotal, paid: LevyPaid | None = None) -> LevyStatement:
    """The statement by the table the ledger starts with."""
    return levy_statement(LEVY_REGIMES, is_weekday, totals, paid, miner=MINER, quarter=quarter)


def rate_at(price: int, regime: str = "2023-Q1") -> int:
    """The rate of bought energy whose average price is so many tiyn."""
    found = regime_of(LEVY_REGIMES, regime)
    assert found is not None
    return rate_of(found, (GRID,), AveragePrice(price, 1)).rate


def test_example_1_a_flat_tenge_in_2022_paid_by_20_april_without_declaration() -> None:
    result = statement("2022-Q1", total(12_500_000, GRID, price=900))

    assert result.levy == 12_500_000 * KZT
    assert result.declaration is None
    assert result.payment is not None
    assert (result.payment.nominal, result.payment.shifted) == ("2022-04-20", "2022-04-20")
    assert not result.has_unverified_rate


def test_example_2_dear_energy_in_2023_costs_one_tenge_a_verified_rate() -> None:
    result = statement("2023-Q1", total(10_000_000, price=2_610))

    assert (result.levy, result.average_price) == (10_000_000 * KZT, 2_610)
    assert [(each.decided_by, each.note) for each in result.lines] == [("open_band", None)]


def test_example_3_energy_at_18_40_costs_seven_tenge_of_an_unverified_band() -> None:
    result = statement("2023-Q1", total(10_000_000, price=1_840))

    assert result.levy == 70_000_000 * KZT
    assert result.has_unverified_rate
    assert [(each.rate, each.decided_by, each.note) for each in result.lines] == [(700, "band_below_1900", UNVERIFIED)]


def test_example_6_an_own_gas_plant_costs_ten_tenge() -> None:
    result = statement("2023-Q1", total(2_000_000, OWN))

    assert (result.levy, result.has_unverified_rate) == (20_000_000 * KZT, False)


def test_example_7_own_wind_costs_one_tenge() -> None:
    result = statement("2023-Q1", total(2_000_000, WIND))

    assert (result.levy, result.has_unverified_rate) == (2_000_000 * KZT, False)


def test_example_8_without_a_meter_it_costs_25_tenge() -> None:
    result = statement("2023-Q1", total(1_500_000, is_unmetered=True))

    assert (result.levy, result.has_unverified_rate) == (37_500_000 * KZT, False)
    assert result.lines[0].decided_by == "unmetered"


@pytest.mark.parametrize(
    ("price", "rate"),
    [(80, 25), (99, 25), (100, 24), (500, 20), (1_000, 15), (2_399, 2), (2_400, 1), (10_000, 1)],
)
def test_the_price_steps_of_the_model(price: int, rate: int) -> None:
    assert rate_at(price) == rate * KZT


@pytest.mark.parametrize("tenge", range(1, 25))
def test_each_band_ends_just_below_a_whole_tenge(tenge: int) -> None:
    assert rate_at(100 * tenge - 1) == (26 - tenge) * KZT
    assert rate_at(100 * tenge) == max(1, 25 - tenge) * KZT


def test_an_average_is_not_rounded_before_it_is_compared() -> None:
    # 24.00 tenge for all but one kWh, which cost a tiyn less: the average is below 24.
    result = statement("2023-Q1", total(999_999, AUCTION, price=2_400), total(1, GRID, price=2_399))

    assert result.average_price == 2_399
    assert {each.rate for each in result.lines} == {2 * KZT}


def test_the_average_is_that_of_all_bought_energy_and_of_no_other() -> None:
    result = statement(
        "2023-Q1",
        total(300, price=1_000),
        total(100, GRID, price=3_000),
        total(7_000, WIND),
        total(9, is_unmetered=True),
    )

    assert (result.cost, result.priced_kwh, result.energy_kwh) == (600_000, 400, 7_409)
    assert [each.amount for each in result.lines] == [300 * 10 * KZT, 100 * 10 * KZT, 7_000 * KZT, 9 * 25 * KZT]


def test_where_several_rates_apply_the_highest_does() -> None:
    result = statement(
        "2023-Q1",
        total(1, AUCTION, OWN, price=2_500),
        total(1, OWN, WIND),
        total(1, OWN, is_unmetered=True),
        total(1, GRID, OWN, price=2_500),
    )

    assert [(each.rate, each.decided_by) for each in result.lines] == [
        (1_000, "own"),
        (1_000, "own"),
        (2_500, "unmetered"),
        (1_000, "own"),
    ]


def test_in_2022_the_source_makes_no_difference() -> None:
    result = statement("2022-Q4", total(1, OWN), total(1, WIND), total(1, is_unmetered=True), total(1, price=1))

    assert [each.rate for each in result.lines] == [100, 100, 100, 100]


def test_bought_energy_without_any_known_price_has_the_highest_band() -> None:
    regime = msgspec.structs.replace(LEVY_REGIMES[1], unmetered=None)

    assert rate_of(regime, (GRID,), None, is_unmetered=True).rate == 25 * KZT


def test_of_equal_rates_the_verified_one_decides() -> None:
    rate = rate_of(LEVY_REGIMES[1], (WIND, GRID), AveragePrice(2_400, 1))
    assert (rate.rate, rate.is_verified) == (100, True)

    rate = rate_of(LEVY_REGIMES[1], (GRID,), AveragePrice(50, 1), is_unmetered=True)
    assert (rate.rate, rate.is_verified, rate.decided_by) == (2_500, True, "unmetered")


def test_from_2024_on_every_rate_is_unverified() -> None:
    result = statement("2024-Q1", total(1, price=2_500), total(1, OWN), total(1, WIND), total(1, is_unmetered=True))

    assert [each.note for each in result.lines] == [UNVERIFIED] * 4
    assert "contradict" in result.legal_source


def test_before_2022_there_is_no_levy() -> None:
    result = statement("2021-Q4", total(1_000, price=1))

    assert (result.levy, result.regime, result.legal_status, result.payment) == (0, None, None, None)
    assert (result.lines, result.energy_kwh, result.is_basis_assumed) == ((), 1_000, True)
    assert result.legal_source == result.basis_note == "No levy was in force, as far as is known."


def test_every_statement_names_source_and_status() -> None:
    result = statement("2023-Q1", total(1, price=1))

    assert (result.regime, result.legal_status, result.is_basis_assumed) == ("R23", LegalStatus.ASSUMED, True)
    assert "606-3" in result.legal_source
    assert result.basis_note.startswith("Basis assumed")


def test_a_confirmed_regime_assumes_nothing() -> None:
    confirmed = msgspec.structs.replace(LEVY_REGIMES[1], legal_status=LegalStatus.CONFIRMED)
    result = levy_statement((confirmed,), is_weekday, (), None, miner=MINER, quarter="2023-Q1")

    assert not result.is_basis_assumed
    assert not result.basis_note.startswith("Basis assumed")


@pytest.mark.parametrize(
    ("paid", "outstanding", "overpaid"), [(0, 2_500, 0), (2_499, 1, 0), (2_500, 0, 0), (2_501, 0, 1)]
)
def test_what_is_paid_is_set_against_what_is_owed(paid: int, outstanding: int, overpaid: int) -> None:
    result = statement("2023-Q1", total(1, is_unmetered=True), paid=LevyPaid(amount=paid, payments=1) if paid else None)

    assert (result.levy, result.paid, result.outstanding, result.overpaid) == (2_500, paid, outstanding, overpaid)


def test_equal_inputs_have_equal_digests_and_others_not() -> None:
    first = statement("2023-Q1", total(1, price=1))

    assert first.inputs == statement("2023-Q1", total(1, price=1)).inputs
    assert first.inputs != statement("2023-Q1", total(2, price=1)).inputs
    assert first.inputs != statement("2023-Q1", total(1, price=1), paid=LevyPaid(amount=1, payments=1)).inputs


def test_the_levy_of_any_quarter_is_an_integer_of_canonical_json() -> None:
    assert PERIOD_KWH_MAX * RATE_MAX <= BALANCE_MAX


SOURCES = st.sampled_from([(AUCTION,), (GRID,), (OWN,), (WIND,), (AUCTION, OWN), (OWN, WIND), (GRID, WIND)])


@st.composite
def energies(draw: st.DrawFn) -> EnergyTotals:
    """Energy of a few sets of sources, bought at prices around the bands."""
    chosen = draw(st.lists(st.tuples(SOURCES, st.booleans()), unique=True, max_size=6))
    made = []
    for sources, is_unmetered in sorted(chosen):
        price = draw(st.integers(1, 3_000)) if {AUCTION, GRID} & set(sources) else None
        made.append(total(draw(st.integers(1, 10_000)), *sources, price=price, is_unmetered=is_unmetered))
    return tuple(made)


QUARTERS = st.sampled_from(["2022-Q2", "2023-Q3", "2024-Q4"])


@given(totals=energies(), quarter=QUARTERS)
def test_the_levy_is_the_sum_of_its_lines(totals: EnergyTotals, quarter: str) -> None:
    result = statement(quarter, *totals)

    assert result.levy == sum(each.amount for each in result.lines)
    assert all(each.amount == each.rate * each.energy_kwh for each in result.lines)
    assert sum(each.energy_kwh for each in result.lines) == result.energy_kwh


@given(totals=energies(), quarter=QUARTERS)
def test_the_highest_rate_wins(totals: EnergyTotals, quarter: str) -> None:
    regime = regime_of(LEVY_REGIMES, quarter)
    assert regime is not None
    average = average_price(totals)
    for each in statement(quarter, *totals).lines:
        alone = [rate_of(regime, (source,), average).rate for source in each.sources]
        unmetered = regime.unmetered.rate if each.is_unmetered and regime.unmetered else 0
        assert each.rate == max([*alone, unmetered])


@given(
    price=st.integers(1, 3_000),
    less=st.integers(1, 10**6),
    more=st.integers(0, 10**6),
    sources=SOURCES,
    quarter=QUARTERS,
)
def test_the_levy_grows_with_energy_of_one_price(
    price: int, less: int, more: int, sources: tuple[EnergySource, ...], quarter: str
) -> None:
    smaller = statement(quarter, total(less, *sources, price=price if {AUCTION, GRID} & set(sources) else None))
    larger = statement(quarter, total(less + more, *sources, price=price if {AUCTION, GRID} & set(sources) else None))

    assert larger.levy - smaller.levy == more * smaller.lines[0].rate


def test_dear_energy_can_lower_the_levy() -> None:
    cheap = statement("2023-Q1", total(1_000, AUCTION, price=1_000))
    mixed = statement("2023-Q1", total(1_000, AUCTION, price=1_000), total(1_000, GRID, price=3_900))

    assert (cheap.levy, mixed.levy) == (15_000 * KZT, 2_000 * KZT)


@given(price=st.integers(1, 3_000))
def test_the_scale_never_rises_with_the_price(price: int) -> None:
    assert rate_at(price) >= rate_at(price + 1)
    assert rate_at(price) == max(1, 25 - price // 100) * KZT


def test_the_record_of_a_payment_fits_in_a_leaf() -> None:
    sources = [tuple(sorted(chosen)) for chosen in _subsets(tuple(EnergySource))]
    totals = tuple(
        total(10**9, *each, price=100, is_unmetered=is_unmetered) for each in sources for is_unmetered in (False, True)
    )
    result = levy_statement(LEVY_REGIMES, is_weekday, totals, None, miner=MINER, quarter="2024-Q1")

    assert len(result.lines) == 62
    assert len(canonical.encode(result)) < LEAF_BYTES_MAX // 2


def _subsets(sources: tuple[EnergySource, ...]) -> list[tuple[EnergySource, ...]]:
    return [
        tuple(source for place, source in enumerate(sources) if mask >> place & 1)
        for mask in range(1, 2 ** len(sources))
    ]
