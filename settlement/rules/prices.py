"""Published prices of coins: taken on working days, carried over the others, final, corrected with their history.

The rule is that of the tax side (order of 25 September 2025, No. 531): the value of a coin is the published price of
the date of receipt; on a day without work, that of the last working day before. A working day without a price has
none: it is never made up, and never 0.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import AmountField, BusinessDate, DateField, OrderField, TextField, TimestampUs
from settlement.model.intervals import was_active
from settlement.model.local_time import calendar_date, local_date, start_of
from settlement.model.prices import (
    PRICE_CORRECTIONS_MAX,
    PRICES_PER_DAY_MAX,
    PriceReference,
    SupersededPrice,
)
from settlement.model.registers import CoinField
from settlement.rules.coins import COIN_UNKNOWN
from settlement.rules.tables import COINS, PRICE_HISTORY, PRICE_LIST, PRICED_DATES, PRICES
from settlement.rules.working_days import is_working_day, last_working_day


class CoinPrice(Record, frozen=True, kw_only=True):
    """The price of one coin."""

    coin: CoinField
    price: AmountField
    """Tiyn for one whole coin."""


class PricePublish(Record, frozen=True, kw_only=True):
    """Publish prices of a working day. They are final: a correction is another transaction."""

    date: DateField
    """The local date whose weighted average they are."""
    source: TextField
    """Who took them from where."""
    prices: Annotated[tuple[CoinPrice, ...], Meta(min_length=1, max_length=PRICES_PER_DAY_MAX)]


class PriceCorrect(Record, frozen=True, kw_only=True):
    """Correct a published price; the one before stays on record."""

    coin: CoinField
    date: DateField
    price: AmountField
    """Tiyn for one whole coin."""
    source: TextField
    reason: OrderField


PRICE_DATE_INVALID = RefusalCode("price_date_invalid", "The date does not exist, or has not begun in Kazakhstan.")
PRICE_DAY_NOT_WORKED = RefusalCode(
    "price_day_not_worked", "No price is taken on that day; the one of the last working day holds."
)
PRICE_REPEATED = RefusalCode("price_repeated", "The coin stands twice.")
COIN_NOT_PRICE_LISTED = RefusalCode("coin_not_price_listed", "The coin was not on the price list on that day.")
PRICE_FINAL = RefusalCode("price_final", "The price of the coin was published for that day; it can only be corrected.")
PRICE_UNPUBLISHED = RefusalCode("price_unpublished", "No price of the coin was published for that day.")
PRICE_UNCHANGED = RefusalCode("price_unchanged", "The correction says what stands.")
PRICE_CORRECTIONS_TOO_MANY = RefusalCode("price_corrections_too_many", "The price was corrected as often as it may be.")
PRICE_MISSING = RefusalCode(
    "price_missing", "The coin is on the price list, and no price is published for the date.", is_transient=True
)
REFERENCE_PRICE_DIFFERS = RefusalCode(
    "reference_price_differs", "The reference price is not the one published for its date."
)

REFERENCE_PRICE_REFUSALS = (PRICE_MISSING, REFERENCE_PRICE_DIFFERS)
"""What `refuse_reference_price` answers, in order."""


def price_on(view: View, coin: str, date: BusinessDate) -> PriceReference | None:
    """Return the published price of a coin that holds on a local date, or None if there is none.

    On a day without work it is that of the last working day, and says so in ``carried_from``. A working day for which
    nothing was published has no price, though earlier days have one.

    Args:
        view: the state.
        coin: symbol.
        date: local date; one that does not exist has no price.
    """
    asked = calendar_date(date)
    worked = None if asked is None else last_working_day(view, asked)
    found = None if worked is None else view.get(PRICES, f"{coin}/{worked.isoformat()}")
    if found is None or worked == asked:
        return found
    assert worked is not None, "a price was found on it"
    return msgspec.structs.replace(found, carried_from=BusinessDate(worked.isoformat()))


def was_listed(view: View, coin: str, moment: TimestampUs) -> bool:
    """Whether a coin was on the price list at a moment."""
    listed = view.get(PRICE_LIST, coin)
    return listed is not None and was_active(listed.history, moment)


def refuse_reference_price(
    view: View, coin: str, *, price: int, date: BusinessDate, executed_us: TimestampUs
) -> Refused | None:
    """Refuse a reference price that is not the published one, where the coin was on the price list at execution.

    A coin off the list has no published price, so there is nothing to compare with.
    """
    if not was_listed(view, coin, executed_us):
        return None
    found = price_on(view, coin, date)
    if found is None:
        return Refused(PRICE_MISSING, detail=f"coin {coin}, date {date}")
    if found.price != price:
        return Refused(REFERENCE_PRICE_DIFFERS, detail=f"expected {found.price} for {date}, got {price}")
    return None


def _publish(view: View, submitted: Submitted) -> Proposal | Refused:
    body: PricePublish = submitted.signed.body
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    date = calendar_date(body.date)
    if date is None or body.date > local_date(offsets, submitted.time_us):
        return Refused(
            PRICE_DATE_INVALID, detail=f"date {body.date}, today is {local_date(offsets, submitted.time_us)}"
        )
    if not is_working_day(view, date):
        return Refused(PRICE_DAY_NOT_WORKED, detail=f"date {body.date}")
    if refused := _refuse_prices(view, body.date, body.prices, start_of(offsets, date)):
        return refused
    references = [(f"{each.coin}/{body.date}", each.price) for each in body.prices]
    return Proposal(
        changes=(
            *(
                (PRICES, key, PriceReference(price=price, source=body.source, published_us=submitted.time_us))
                for key, price in references
            ),
            (PRICED_DATES, body.date, (view.get(PRICED_DATES, body.date) or 0) + len(references)),
        ),
        record={},
    )


def _refuse_prices(
    view: View, date: BusinessDate, prices: Sequence[CoinPrice], start_us: TimestampUs
) -> Refused | None:
    coins: set[str] = set()
    for line, each in enumerate(prices):
        if each.coin in coins:
            return Refused(PRICE_REPEATED, line, f"coin {each.coin}")
        coins.add(each.coin)
        if view.get(COINS, each.coin) is None:
            return Refused(COIN_UNKNOWN, line, f"coin {each.coin}")
        if not was_listed(view, each.coin, start_us):
            return Refused(COIN_NOT_PRICE_LISTED, line, f"coin {each.coin} on {date}")
        standing = view.get(PRICES, f"{each.coin}/{date}")
        if standing is not None:
            return Refused(PRICE_FINAL, line, f"coin {each.coin}: {standing.price} stands for {date}")
    return None


def _correct(view: View, submitted: Submitted) -> Proposal | Refused:
    body: PriceCorrect = submitted.signed.body
    key = f"{body.coin}/{body.date}"
    standing = view.get(PRICES, key)
    if standing is None:
        return Refused(PRICE_UNPUBLISHED, detail=f"coin {body.coin}, date {body.date}")
    if standing.price == body.price:
        return Refused(PRICE_UNCHANGED, detail=f"{standing.price} stands")
    history = view.get(PRICE_HISTORY, key) or ()
    if len(history) == PRICE_CORRECTIONS_MAX:
        return Refused(PRICE_CORRECTIONS_TOO_MANY, detail=f"{len(history)} corrections of {key}")
    superseded = SupersededPrice(reference=standing, superseded_us=submitted.time_us, reason=body.reason)
    corrected = PriceReference(
        price=body.price, source=body.source, published_us=submitted.time_us, version=standing.version + 1
    )
    return Proposal(
        changes=((PRICES, key, corrected), (PRICE_HISTORY, key, (*history, superseded))),
        record={"superseded": standing.price, "version": corrected.version},
    )


MODULE = RuleModule(
    name="prices",
    meaning="Published prices of coins, by local date.",
    tables=(PRICES, PRICE_HISTORY, PRICED_DATES),
    kinds=(
        Kind(
            name="price_publish",
            body=PricePublish,
            meaning="Publish the prices of a working day.",
            refusals=(
                PRICE_DATE_INVALID,
                PRICE_DAY_NOT_WORKED,
                PRICE_REPEATED,
                COIN_UNKNOWN,
                COIN_NOT_PRICE_LISTED,
                PRICE_FINAL,
            ),
            decide=_publish,
        ),
        Kind(
            name="price_correct",
            body=PriceCorrect,
            meaning="Correct a published price, with its history.",
            refusals=(PRICE_UNPUBLISHED, PRICE_UNCHANGED, PRICE_CORRECTIONS_TOO_MANY),
            decide=_correct,
        ),
    ),
)
