"""Energy of miners: surplus offered by zone and hour, meter readings, and what they come to in a quarter.

Energy is counted in kilowatt-hours (kWh), prices in tiyn per kWh without value added tax; both are integers.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    BALANCE_MAX,
    AccountField,
    DigestField,
    ParticipantField,
    ParticipantId,
    TimestampField,
    TotalField,
)
from settlement.model.intervals import History
from settlement.model.sites import EnergySource, Zone

KWH_MAX: Final = 10**8
"""Most energy of one hour of an offer or one line of a reading, in kWh: a hundred gigawatt-hours. The whole country
draws less than a fifth of it in an hour."""

PRICE_MAX: Final = 10**5
"""Highest price of a kWh, in tiyn: a thousand tenge, dozens of times what energy costs."""

PERIOD_KWH_MAX: Final = 10**11
"""Most energy of one miner in one quarter, in kWh: about what the whole country makes in a year. Times any rate a
posting's limit lets through, it stays an integer that canonical JSON may carry."""

HOURS_MAX: Final = 26
"""Most hours of one local day: 24, and up to two more where clocks are set back."""

LINES_PER_READING_MAX: Final = 256
"""Most lines of one reading: tenants of a data centre, each with its sources."""

KwhField = Annotated[int, Meta(ge=1, le=KWH_MAX)]
"""Energy in kWh, at least one."""

KwhTotalField = Annotated[int, Meta(ge=0, le=PERIOD_KWH_MAX)]
"""A sum of energy, in kWh."""

LimitField = Annotated[int, Meta(ge=0, le=KWH_MAX)]
"""What may be sold of one hour, in kWh; 0 where there is no surplus."""

PriceField = Annotated[int, Meta(ge=1, le=PRICE_MAX)]
"""Tiyn for one kWh, without value added tax."""

HourField = Annotated[int, Meta(ge=0, lt=HOURS_MAX)]
"""An hour of a local day, counted from its first moment, from 0. A day whose clocks are set back has 25 of them."""


class Duty(StrEnum):
    """What an energy undertaking does on this ledger."""

    SYSTEM_OPERATOR = "system_operator"
    """Publishes what surplus there is; signs readings too."""
    GRID = "grid"
    """Signs readings of meters in its zones."""


class Utility(Record, frozen=True, kw_only=True):
    """An energy undertaking; keyed by its participant id."""

    duty: Duty
    zones: tuple[Zone, ...]
    history: History


class PayeePurpose(StrEnum):
    """Why a body of the state is paid."""

    SINGLE_PURCHASER = "single_purchaser"
    """Sells surplus energy to miners."""
    TREASURY = "treasury"
    """Takes in the levy."""


class Payee(Record, frozen=True, kw_only=True):
    """An account of the single purchaser or the treasury; keyed by the account."""

    purpose: PayeePurpose
    is_active: bool = True


class SurplusOffer(Record, frozen=True, kw_only=True):
    """Surplus of one zone and local day; keyed ``<zone>/<date>``."""

    floor: PriceField
    """Lowest bid: the highest cap tariff of the producers in the zone."""
    limits: tuple[LimitField, ...]
    """What may be sold, hour by hour of the day."""
    gate_us: TimestampField
    """The first moment at which no bid is taken."""
    payee: AccountField
    """Account of the single purchaser."""
    publisher: ParticipantField


BOUGHT: Final = frozenset({EnergySource.AUCTION, EnergySource.GRID, EnergySource.IMPORT})
"""Sources whose energy has a price."""

Sources = Annotated[tuple[EnergySource, ...], Meta(min_length=1, max_length=len(EnergySource))]
"""All that holds of the energy, each once, in alphabetical order: one spelling. Where several rates could apply, the
highest does."""


class EnergyLine(Record, frozen=True, kw_only=True):
    """What one miner drew through a meter: its own draught, or a tenant's share of a meter in common."""

    miner: ParticipantField
    sources: Sources
    energy_kwh: KwhField
    price: PriceField | None = None
    """Tiyn for one kWh. Bought energy has one, unless it is estimated; own energy has none."""
    is_unmetered: bool = False
    """There was no meter or it was faulty: the energy is estimated."""


class Reading(Record, frozen=True, kw_only=True):
    """A meter's reading as it stands; keyed ``<meter>/<number>``."""

    from_us: TimestampField
    until_us: TimestampField
    version: Annotated[int, Meta(ge=1)]
    """1, and one more with every correction."""
    lines: tuple[EnergyLine, ...]
    transaction: DigestField
    """The one that made this version."""


class LastReading(Record, frozen=True, kw_only=True):
    """Where the next reading of a meter must begin; keyed by the meter."""

    number: Annotated[int, Meta(ge=1)]
    until_us: TimestampField


class EnergyTotal(Record, frozen=True, kw_only=True):
    """Energy of one miner in one quarter, of one set of sources, with or without a meter."""

    sources: Sources
    is_unmetered: bool = False
    energy_kwh: KwhTotalField
    priced_kwh: KwhTotalField = 0
    """The part of it that has a price."""
    cost: TotalField = 0
    """Tiyn: energy times price, line by line."""


EnergyTotals = tuple[EnergyTotal, ...]
"""Of one miner in one quarter; at most one for each set of sources, with and without a meter."""


def is_bought(sources: Iterable[EnergySource]) -> bool:
    """Whether energy of these sources has a price."""
    return not BOUGHT.isdisjoint(sources)


def lines_by_miner(lines: Iterable[EnergyLine]) -> dict[ParticipantId, list[EnergyLine]]:
    """Return the lines of each miner."""
    miners: dict[ParticipantId, list[EnergyLine]] = {}
    for line in lines:
        miners.setdefault(line.miner, []).append(line)
    return miners


def restated(totals: EnergyTotals, removed: Iterable[EnergyLine], added: Iterable[EnergyLine]) -> EnergyTotals | None:
    """Return the totals without some lines and with others; None if the sums would be too large.

    Args:
        totals: of one miner and quarter.
        removed: lines of that miner that the totals hold.
        added: lines of that miner.
    """
    sums = {(total.sources, total.is_unmetered): (total.energy_kwh, total.priced_kwh, total.cost) for total in totals}
    for sign, lines in ((-1, removed), (1, added)):
        for line in lines:
            key = (line.sources, line.is_unmetered)
            energy_kwh, priced_kwh, cost = sums.get(key, (0, 0, 0))
            sums[key] = (
                energy_kwh + sign * line.energy_kwh,
                priced_kwh + (0 if line.price is None else sign * line.energy_kwh),
                cost + sign * line.energy_kwh * (line.price or 0),
            )
    if sum(energy for energy, _, _ in sums.values()) > PERIOD_KWH_MAX:
        return None
    if sum(cost for _, _, cost in sums.values()) > BALANCE_MAX:
        return None
    return tuple(
        EnergyTotal(sources=sources, is_unmetered=is_unmetered, energy_kwh=energy_kwh, priced_kwh=priced_kwh, cost=cost)
        for (sources, is_unmetered), (energy_kwh, priced_kwh, cost) in sorted(sums.items())
        if energy_kwh
    )
