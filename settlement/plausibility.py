"""Whether what a miner reports fits the energy it drew: a band of coins and a flag, never a refusal.

Mining is hashing; a machine needs so many joules for a terahash. So energy bounds from both sides how many of the
network's hashes a miner can have made, and with them its part of what the network paid out:

    coins = energy / (joules per terahash) / (terahashes of the network) * (coins the network paid out)

The least and the most efficient machines in use give the two ends. They are dated data. Luck of a pool, cooling, and
energy drawn for other things are why the band is wide and why nothing is refused for lying outside.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField, TextField, TotalField
from settlement.model.energy import KwhTotalField
from settlement.model.quota_policies import LegalStatus
from settlement.model.registers import CoinField

MILLIJOULES_PER_KWH: Final = 3_600_000_000
"""A kWh is 3.6 million joules."""

EfficiencyField = Annotated[int, Meta(ge=1, le=10**6)]
"""Millijoules for one terahash: 17,500 for a machine of 17.5 J/TH."""


class Efficiency(Record, frozen=True, kw_only=True):
    """What machines in use need for a terahash, from a date on until just before another."""

    coin: CoinField
    valid_from: DateField
    valid_until: DateField | None = None
    best: EfficiencyField
    worst: EfficiencyField
    source: TextField
    status: LegalStatus
    """How sure the numbers are."""


class Fit(StrEnum):
    """How reported coins stand to the energy."""

    WITHIN = "within"
    BELOW = "below"
    """Fewer coins than even the worst machines would make: production may be unreported."""
    ABOVE = "above"
    """More coins than even the best machines could make: energy may be unreported."""
    UNKNOWN = "unknown"
    """No efficiency is known for the coin and date."""


class NetworkWork(Record, frozen=True, kw_only=True):
    """What a coin's network did in the period; an input, from public data."""

    terahashes: Annotated[int, Meta(ge=1)]
    """Average hashrate in terahashes a second, times the seconds of the period."""
    reward: TotalField
    """What it paid out, subsidies and fees, in the coin's smallest unit."""


class Plausibility(Record, frozen=True, kw_only=True):
    """The band and where the report lies; coins in the smallest unit."""

    coin: CoinField
    energy_kwh: KwhTotalField
    reported: TotalField
    least: Annotated[int, Meta(ge=0)] | None = None
    """What the worst machines would make, rounded down."""
    most: Annotated[int, Meta(ge=0)] | None = None
    """What the best machines could make, rounded up."""
    fit: Fit
    source: TextField | None = None
    status: LegalStatus | None = None


def plausibility(
    efficiencies: Sequence[Efficiency],
    network: NetworkWork,
    *,
    coin: str,
    date: BusinessDate,
    energy_kwh: int,
    reported: int,
) -> Plausibility:
    """Return the band of coins that energy could make and how the reported coins stand to it.

    Args:
        efficiencies: dated, not overlapping for a coin.
        network: what the whole network did in the period.
        coin: symbol.
        date: the local date that picks the efficiency: the first of the period.
        energy_kwh: drawn in the period.
        reported: coins distributed in the period, in the smallest unit.
    """
    efficiency = _on(efficiencies, coin, date)
    if efficiency is None:
        return Plausibility(coin=coin, energy_kwh=energy_kwh, reported=reported, fit=Fit.UNKNOWN)
    numerator = energy_kwh * MILLIJOULES_PER_KWH * network.reward
    least = numerator // (efficiency.worst * network.terahashes)
    most = -(-numerator // (efficiency.best * network.terahashes))
    return Plausibility(
        coin=coin,
        energy_kwh=energy_kwh,
        reported=reported,
        least=least,
        most=most,
        fit=Fit.BELOW if reported < least else Fit.ABOVE if reported > most else Fit.WITHIN,
        source=efficiency.source,
        status=efficiency.status,
    )


def _on(efficiencies: Sequence[Efficiency], coin: str, date: BusinessDate) -> Efficiency | None:
    for efficiency in efficiencies:
        if (
            efficiency.coin == coin
            and efficiency.valid_from <= date
            and (efficiency.valid_until is None or date < efficiency.valid_until)
        ):
            return efficiency
    return None


EFFICIENCIES: Final = (
    Efficiency(
        coin="BTC",
        valid_from=BusinessDate("2022-01-01"),
        valid_until=BusinessDate("2024-01-01"),
        best=21_500,
        worst=100_000,
        source="Makers' data sheets of 2016 to 2022, from memory: 21.5 to about 100 J/TH",
        status=LegalStatus.ASSUMED,
    ),
    Efficiency(
        coin="BTC",
        valid_from=BusinessDate("2024-01-01"),
        best=13_500,
        worst=60_000,
        source="Makers' data sheets of 2018 to 2024, from memory: 13.5 to about 60 J/TH",
        status=LegalStatus.ASSUMED,
    ),
)
"""The ends are machines in wide use; a correction is a row more, not a change of code."""
