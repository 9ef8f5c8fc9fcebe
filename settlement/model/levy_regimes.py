"""The digital-mining levy on electricity as dated data with source and legal status; never a constant in a rule."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import BusinessDate, DateField, LabelField, TextField
from settlement.model.energy import PriceField
from settlement.model.quarters import DueRule, QuarterField, first_date, is_first_date
from settlement.model.quota_policies import LegalStatus
from settlement.model.sites import EnergySource

RATE_MAX: Final = 10**4
"""Highest rate of the levy, in tiyn per kWh: a hundred tenge, four times the highest that was ever in force. With it
the levy of a quarter stays an integer that canonical JSON may carry."""

BANDS_MAX: Final = 64
"""Most bands of one scale."""

REGIMES_MAX: Final = 32
"""Most regimes of the table: decades of changes."""

RateField = Annotated[int, Meta(ge=0, le=RATE_MAX)]
"""Tiyn of levy for one kWh."""


class PriceBand(Record, frozen=True, kw_only=True):
    """The rate of bought energy whose average price is below a limit, and not below the band before."""

    below: PriceField | None = None
    """Tiyn per kWh; none for the last band, which has no upper end."""
    rate: RateField
    is_verified: bool = False
    """Whether an official or professional source names limit and rate."""


class SpecialRate(Record, frozen=True, kw_only=True):
    """The rate of a source, whatever the price."""

    source: EnergySource
    rate: RateField
    is_verified: bool = False


class UnmeteredRate(Record, frozen=True, kw_only=True):
    """The rate of energy without a working meter, whatever source and price."""

    rate: RateField
    is_verified: bool = False


class LevyRegime(Record, frozen=True, kw_only=True):
    """The levy from the first date of one quarter until just before that of another."""

    regime: LabelField
    valid_from: DateField
    valid_until: DateField | None = None
    bands: Annotated[tuple[PriceBand, ...], Meta(min_length=1, max_length=BANDS_MAX)]
    """By ascending limit; the last has none. A flat rate is one band."""
    special: Annotated[tuple[SpecialRate, ...], Meta(max_length=len(EnergySource))] = ()
    unmetered: UnmeteredRate | None = None
    """None where the meter makes no difference."""
    declaration: DueRule | None = None
    """When it is declared; none where no declaration is asked for."""
    payment: DueRule
    legal_source: TextField
    legal_status: LegalStatus


LevyRegimes = Annotated[tuple[LevyRegime, ...], Meta(min_length=1, max_length=REGIMES_MAX)]


def regime_of(regimes: Sequence[LevyRegime], quarter: QuarterField) -> LevyRegime | None:
    """Return the regime of a quarter, or None where there is no levy."""
    date = first_date(quarter)
    for regime in regimes:
        if regime.valid_from <= date and (regime.valid_until is None or date < regime.valid_until):
            return regime
    return None


def unclear(regimes: Sequence[LevyRegime]) -> str | None:
    """Return what is wrong with a table of regimes, or None if it says one thing for every quarter."""
    if len({regime.regime for regime in regimes}) < len(regimes):
        return "a name stands twice"
    for regime in regimes:
        if regime.valid_until is not None and regime.valid_until <= regime.valid_from:
            return f"{regime.regime} ends before it begins"
        if not all(is_first_date(date) for date in (regime.valid_from, regime.valid_until or regime.valid_from)):
            return f"{regime.regime} does not begin and end with a quarter"
        if not _ascends(regime.bands):
            return f"the bands of {regime.regime} do not ascend to one without a limit"
        if len({special.source for special in regime.special}) < len(regime.special):
            return f"{regime.regime} names a source twice"
    for earlier, later in itertools.pairwise(regimes):
        if earlier.valid_until is None or earlier.valid_until > later.valid_from:
            return f"{earlier.regime} does not end before {later.regime}"
    return None


def _ascends(bands: Sequence[PriceBand]) -> bool:
    limits = [band.below for band in bands[:-1]]
    numbers = [limit for limit in limits if limit is not None]
    return bands[-1].below is None and len(numbers) == len(limits) and numbers == sorted(set(numbers))


_SCALE: Final = tuple((100 * price, 100 * (26 - price)) for price in range(1, 25))
"""Limit and rate, one-tenge steps: below a price of 1 tenge 25 tenge, ... below 24 tenge 2 tenge. A model."""


def _scale(*, is_verified: bool) -> tuple[PriceBand, ...]:
    model = tuple(PriceBand(below=below, rate=rate) for below, rate in _SCALE)
    return (*model, PriceBand(rate=100, is_verified=is_verified))


def _special(*, is_verified: bool) -> tuple[SpecialRate, ...]:
    return (
        SpecialRate(source=EnergySource.OWN, rate=1_000, is_verified=is_verified),
        SpecialRate(source=EnergySource.OWN_RENEWABLE, rate=100, is_verified=is_verified),
    )


_DECLARATION: Final = DueRule(month=2, day=15)
_PAYMENT: Final = DueRule(month=2, day=25)

LEVY_REGIMES: Final = (
    LevyRegime(
        regime="R22",
        valid_from=BusinessDate("2022-01-01"),
        valid_until=BusinessDate("2023-01-01"),
        bands=(PriceBand(rate=100, is_verified=True),),
        payment=DueRule(month=1, day=20),
        legal_source="Tax Code as of 1 January 2022, digital-mining fee; rate and date from law-firm notes",
        legal_status=LegalStatus.ASSUMED,
    ),
    LevyRegime(
        regime="R23",
        valid_from=BusinessDate("2023-01-01"),
        valid_until=BusinessDate("2024-01-01"),
        bands=_scale(is_verified=True),
        special=_special(is_verified=True),
        unmetered=UnmeteredRate(rate=2_500, is_verified=True),
        declaration=_DECLARATION,
        payment=_PAYMENT,
        legal_source="Tax Code arts. 606-3 to 606-5, Laws 135-VII, 165-VII; ends and special rates as reported",
        legal_status=LegalStatus.ASSUMED,
    ),
    LevyRegime(
        regime="R24",
        valid_from=BusinessDate("2024-01-01"),
        bands=_scale(is_verified=False),
        special=_special(is_verified=False),
        unmetered=UnmeteredRate(rate=2_500, is_verified=False),
        declaration=_DECLARATION,
        payment=_PAYMENT,
        legal_source="Tax Code art. 606-3 as of 2023 taken to hold on; sources for later years contradict each other",
        legal_status=LegalStatus.ASSUMED,
    ),
)
"""The levy of July 2022 press reports is the one of 2022 here. The middle of the scale of 2023 could not be read."""
