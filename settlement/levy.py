"""The digital-mining levy of one miner and one quarter: a pure function of regimes, energy and payments.

1. Integers only: kWh times a whole number of tiyn.
2. The regime is that of the quarter in which the energy was drawn.
3. The band is that of the average price of all energy the miner bought in the quarter, at all its meters, without
   value added tax. The average is a fraction and is never rounded before it is compared.
4. Own generation and energy without a working meter have rates of their own, whatever the price.
5. Where several rates could apply to the same energy, the highest does.
6. A miner pays for its own lines of a reading. A data centre that only hosts has none, and pays nothing.

The levy grows with energy of the same price. Dear energy can lower it: it raises the average, and the scale falls.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.units import ParticipantId
from settlement.model.energy import BOUGHT, EnergyTotal, EnergyTotals
from settlement.model.levy_regimes import LevyRegime, PriceBand, regime_of
from settlement.model.levy_statement import UNVERIFIED, LevyLine, LevyPaid, LevyStatement
from settlement.model.quarters import DueDate, DueRule, QuarterField, due_date
from settlement.model.quota_policies import LegalStatus
from settlement.model.sites import EnergySource

ASSUMED_NOTE: Final = (
    "Basis assumed: average price of all bought energy of the quarter, without VAT; highest rate applies."
)
CONFIRMED_NOTE: Final = "Average price of all bought energy of the quarter, without VAT; highest rate applies."
NO_LEVY_NOTE: Final = "No levy was in force, as far as is known."


@dataclass(frozen=True, slots=True)
class AveragePrice:
    """A price as a fraction: tiyn by kWh."""

    cost: int
    energy_kwh: int
    """At least one."""

    def is_below(self, limit: int) -> bool:
        """Whether it is below a price in tiyn per kWh."""
        return self.cost < limit * self.energy_kwh


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """A rate that could apply; of equal rates the verified one is the higher."""

    rate: int
    """Tiyn for one kWh."""
    is_verified: bool
    decided_by: str


def levy_statement(
    regimes: Sequence[LevyRegime],
    is_working: Callable[[datetime.date], bool],
    totals: EnergyTotals,
    paid: LevyPaid | None,
    *,
    miner: ParticipantId,
    quarter: QuarterField,
) -> LevyStatement:
    """Return what a miner owes for a quarter and what it paid.

    Args:
        regimes: dated, not overlapping.
        is_working: whether a local date is worked; due dates shift over those that are not.
        totals: the miner's energy of that quarter, by sources.
        paid: what was paid so far, if anything.
        miner: participant id.
        quarter: of the energy, not of the payment.
    """
    regime = regime_of(regimes, quarter)
    average = average_price(totals)
    lines = () if regime is None else tuple(_line(regime, total, average) for total in totals)
    levy = sum(line.amount for line in lines)
    amount_paid = 0 if paid is None else paid.amount
    return LevyStatement(
        miner=miner,
        quarter=quarter,
        energy_kwh=sum(total.energy_kwh for total in totals),
        priced_kwh=0 if average is None else average.energy_kwh,
        cost=0 if average is None else average.cost,
        average_price=None if average is None else average.cost // average.energy_kwh,
        lines=lines,
        levy=levy,
        paid=amount_paid,
        outstanding=max(0, levy - amount_paid),
        overpaid=max(0, amount_paid - levy),
        regime=None if regime is None else regime.regime,
        declaration=None if regime is None else _due(quarter, regime.declaration, is_working),
        payment=None if regime is None else _due(quarter, regime.payment, is_working),
        legal_source=NO_LEVY_NOTE if regime is None else regime.legal_source,
        legal_status=None if regime is None else regime.legal_status,
        has_unverified_rate=any(line.note is not None for line in lines),
        is_basis_assumed=regime is None or regime.legal_status is not LegalStatus.CONFIRMED,
        basis_note=_note(regime),
        inputs=b64url(tagged("levy-inputs", encode((regime, totals, paid)))),
    )


def average_price(totals: EnergyTotals) -> AveragePrice | None:
    """Return the average price of what was bought at a known price, or None if nothing was."""
    energy_kwh = sum(total.priced_kwh for total in totals)
    return AveragePrice(sum(total.cost for total in totals), energy_kwh) if energy_kwh else None


def rate_of(
    regime: LevyRegime, sources: Sequence[EnergySource], average: AveragePrice | None, *, is_unmetered: bool = False
) -> Rate:
    """Return the rate for energy of these sources: the highest of those that apply.

    Args:
        regime: the scale and the special rates.
        sources: all that holds of the energy; at least one.
        average: of all bought energy; None if nothing was bought at a known price.
        is_unmetered: whether there was no working meter.
    """
    special = {rate.source: rate for rate in regime.special}
    rates = [
        Rate(rate.rate, rate.is_verified, source.value)
        if (rate := special.get(source)) is not None
        else _banded(regime.bands, average if source in BOUGHT else None)
        for source in sources
    ]
    if is_unmetered and regime.unmetered is not None:
        rates.append(Rate(regime.unmetered.rate, regime.unmetered.is_verified, "unmetered"))
    return max(rates)


def _banded(bands: Sequence[PriceBand], average: AveragePrice | None) -> Rate:
    """The band of the average price; without a price the highest, for nothing speaks for a lower one."""
    if average is None:
        return max(_of_band(band) for band in bands)
    return next(_of_band(band) for band in bands if band.below is None or average.is_below(band.below))


def _of_band(band: PriceBand) -> Rate:
    name = "open_band" if band.below is None else f"band_below_{band.below}"
    return Rate(band.rate, band.is_verified, name)


def _line(regime: LevyRegime, total: EnergyTotal, average: AveragePrice | None) -> LevyLine:
    rate = rate_of(regime, total.sources, average, is_unmetered=total.is_unmetered)
    return LevyLine(
        sources=total.sources,
        is_unmetered=total.is_unmetered,
        energy_kwh=total.energy_kwh,
        rate=rate.rate,
        decided_by=rate.decided_by,
        amount=total.energy_kwh * rate.rate,
        note=None if rate.is_verified else UNVERIFIED,
    )


def _due(quarter: QuarterField, rule: DueRule | None, is_working: Callable[[datetime.date], bool]) -> DueDate | None:
    return None if rule is None else due_date(quarter, rule, is_working)


def _note(regime: LevyRegime | None) -> str:
    if regime is None:
        return NO_LEVY_NOTE
    return CONFIRMED_NOTE if regime.legal_status is LegalStatus.CONFIRMED else ASSUMED_NOTE
