"""Limits on the price of a sale, set by a supervisor coin by coin, from the next business day.

Where none is set, a one-step sale has no limit, and an instructed one takes a reference price of at most
`REFERENCE_AGE_DAYS_DEFAULT` days. Where either has a limit and the ledger holds the published price of the day, the
reference price is that one: else an exchange would move the band with it.
"""

from typing import Final

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import BusinessDate
from settlement.model.price_limits import (
    AgeField,
    BandField,
    DatedPriceLimit,
    PriceLimit,
    age_days,
    is_inside,
)
from settlement.model.registers import CoinField
from settlement.rules.coins import COIN_UNKNOWN
from settlement.rules.prices import REFERENCE_PRICE_REFUSALS, refuse_reference_price
from settlement.rules.sales import Terms
from settlement.rules.tables import COINS, PRICE_LIMITS


class PriceBandSet(Record, frozen=True, kw_only=True):
    """Limit the prices at which a coin is sold, from the next business day."""

    coin: CoinField
    age_days_max: AgeField
    """Oldest reference price, in calendar days before the execution."""
    band_ppm: BandField | None = None
    """Farthest from the reference price, in parts per million of it; absent: no band."""


PRICE_STALE = RefusalCode("price_stale", "The reference price is older than is permitted.")
PRICE_OUTSIDE_BAND = RefusalCode(
    "price_outside_band", "The price lies farther from the reference price than the supervisor permits."
)

PRICE_REFUSALS: Final = (PRICE_STALE, *REFERENCE_PRICE_REFUSALS, PRICE_OUTSIDE_BAND)
"""In order of precedence."""


def refuse_price(
    view: View,
    terms: Terms,
    executed_on: BusinessDate,
    business_date: BusinessDate,
    *,
    age_days_default: int | None = None,
) -> Refused | None:
    """Refuse a sale whose price or reference price is beyond the limits.

    Args:
        view: the state.
        terms: what is agreed; its reference date exists and is not after the execution.
        executed_on: local date of the execution.
        business_date: the day whose limits hold.
        age_days_default: oldest reference price where no limit is set; None: of any age.
    """
    dated = view.get(PRICE_LIMITS, terms.coin)
    limit = None if dated is None else dated.on(business_date)
    oldest = age_days_default if limit is None else limit.age_days_max
    if oldest is None:
        return None
    if (age := age_days(terms.reference_date, executed_on)) > oldest:
        return Refused(PRICE_STALE, detail=f"expected at most {oldest} days, got {age}")
    if refused := refuse_reference_price(
        view, terms.coin, price=terms.reference_price, date=terms.reference_date, executed_us=terms.executed_us
    ):
        return refused
    if limit is None or limit.band_ppm is None or is_inside(terms.price, terms.reference_price, limit.band_ppm):
        return None
    return Refused(
        PRICE_OUTSIDE_BAND, detail=f"expected {terms.reference_price} within {limit.band_ppm} ppm, got {terms.price}"
    )


def _set(view: View, submitted: Submitted) -> Proposal | Refused:
    body: PriceBandSet = submitted.signed.body
    if view.get(COINS, body.coin) is None:
        return Refused(COIN_UNKNOWN, detail=f"coin {body.coin}")
    dated = view.get(PRICE_LIMITS, body.coin)
    changed = DatedPriceLimit(
        current=None if dated is None else dated.on(submitted.business_date),
        following=PriceLimit(age_days_max=body.age_days_max, band_ppm=body.band_ppm),
        following_from=next_day(submitted.business_date),
    )
    return Proposal(changes=((PRICE_LIMITS, body.coin, changed),), record={"from": str(changed.following_from)})


MODULE = RuleModule(
    name="price_limits",
    meaning="How old a reference price may be, and how far from it a sale may lie.",
    tables=(PRICE_LIMITS,),
    kinds=(
        Kind(
            name="price_band_set",
            body=PriceBandSet,
            meaning="Limit the prices at which a coin is sold, from the next business day.",
            refusals=(COIN_UNKNOWN,),
            decide=_set,
        ),
    ),
)
