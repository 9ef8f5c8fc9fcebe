"""Plausibility of production against energy: a band and a flag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import BusinessDate
from settlement.model.quota_policies import LegalStatus
from settlement.plausibility import EFFICIENCIES, Efficiency, Fit, NetworkWork, Plausibility, plausibility

MACHINES = (
    Efficiency(
        coin="BTC",
        valid_from=BusinessDate("2024-01-01"),
        valid_until=BusinessDate("2025-01-01"),
        best=20_000,
        worst=60_000,
        source="a test",
        status=LegalStatus.ASSUMED,
    ),
)

NETWORK = NetworkWork(terahashes=600_000_000 * 86_400, reward=450 * 10**8)
"""A day at 600 EH/s that paid out 450 BTC."""


def judged(reported: int, *, coin: str = "BTC", date: str = "2024-05-01", energy_kwh: int = 1_000_000) -> Plausibility:
    """The judgement on a day's report."""
    return plausibility(MACHINES, NETWORK, coin=coin, date=BusinessDate(date), energy_kwh=energy_kwh, reported=reported)


def test_a_gigawatt_hour_makes_so_many_coins() -> None:
    result = judged(100_000_000)

    # 1 GWh is 3.6e12 J: 1.8e11 TH at 20 J/TH, 0.00347 of the network's 5.184e13 TH, so 1.5625 of 450 BTC.
    assert (result.least, result.most) == (52_083_333, 156_250_000)
    assert (result.fit, result.source, result.status) == (Fit.WITHIN, "a test", LegalStatus.ASSUMED)


@pytest.mark.parametrize(
    ("reported", "fit"),
    [
        (0, Fit.BELOW),
        (52_083_332, Fit.BELOW),
        (52_083_333, Fit.WITHIN),
        (156_250_000, Fit.WITHIN),
        (156_250_001, Fit.ABOVE),
    ],
)
def test_the_ends_of_the_band_belong_to_it(reported: int, fit: Fit) -> None:
    assert judged(reported).fit is fit


@pytest.mark.parametrize(("coin", "date"), [("ETH", "2024-05-01"), ("BTC", "2023-12-31"), ("BTC", "2025-01-01")])
def test_without_known_machines_nothing_is_said(coin: str, date: str) -> None:
    result = judged(1, coin=coin, date=date)

    assert (result.fit, result.least, result.most, result.source) == (Fit.UNKNOWN, None, None, None)


def test_without_energy_any_coin_is_too_much() -> None:
    assert (judged(0, energy_kwh=0).fit, judged(1, energy_kwh=0).fit) == (Fit.WITHIN, Fit.ABOVE)


def test_the_machines_that_come_with_the_package_are_dated_and_assumed() -> None:
    for date in ("2022-01-01", "2023-12-31", "2024-01-01", "2030-01-01"):
        result = plausibility(
            EFFICIENCIES, NETWORK, coin="BTC", date=BusinessDate(date), energy_kwh=1_000_000, reported=100_000_000
        )
        assert (result.fit, result.status) == (Fit.WITHIN, LegalStatus.ASSUMED)


@given(energy_kwh=st.integers(0, 10**9), more=st.integers(0, 10**9), reported=st.integers(0, 10**12))
def test_more_energy_never_narrows_what_is_possible(energy_kwh: int, more: int, reported: int) -> None:
    less, larger = judged(reported, energy_kwh=energy_kwh), judged(reported, energy_kwh=energy_kwh + more)

    assert less.least is not None
    assert less.most is not None
    assert larger.least is not None
    assert larger.most is not None
    assert less.least <= less.most
    assert (less.least, less.most) <= (larger.least, larger.most)
    assert (less.fit is Fit.BELOW) <= (larger.fit is Fit.BELOW)
