"""The tax pack of a miner and a quarter: values at receipt, lines of the levy, what was paid, and the calendar."""

import datetime
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.model.record import Record
from ledger.state import View
from ledger.units import BusinessDate, DateField, DigestField, LabelField, ParticipantField, ParticipantId, TextField
from settlement.model.authorities import Part
from settlement.model.levy_statement import LevyStatement
from settlement.model.quarters import DueDate, QuarterField, first_date
from settlement.rules.levy import levy_of
from settlement.views.miner_statement import CoinOfMiner, HeldLicence, miner_statement

VALUE_NOTE = (
    "Value at receipt: the published price of the local date of distribution; days without work carry one over."
)

SumField = Annotated[int, Meta(ge=0)]
"""A sum over many rows, which no single bound holds for."""


class CalendarLine(Record, frozen=True, kw_only=True):
    """Something that is due for the quarter."""

    what: LabelField
    due: DueDate


class TaxPack(Record, frozen=True, kw_only=True):
    """What a miner declares and pays for a quarter, as far as this ledger knows it; amounts in tiyn."""

    miner: ParticipantField
    quarter: QuarterField
    from_date: DateField
    until_date: DateField
    """Last date of the quarter."""
    licences: tuple[HeldLicence, ...]
    coins: tuple[CoinOfMiner, ...]
    """Lots and sales of the quarter with their values, coin by coin."""
    value_published: SumField
    """Of all coins, by published prices; never read it without ``unvalued``."""
    value_reported: SumField
    unvalued: SumField
    """How many lots have no published price."""
    sold_for: SumField
    levy: LevyStatement
    calendar: tuple[CalendarLine, ...]
    notes: tuple[TextField, ...]
    """Each rule that is assumed, in words."""
    inputs: DigestField
    """SHA-256 over the inputs of its parts: equal inputs, equal pack."""


def tax_pack(view: View, miner: ParticipantId, quarter: QuarterField) -> TaxPack:
    """Return the tax pack of a registered miner for a quarter."""
    first, last = first_date(quarter), last_date(quarter)
    statement = miner_statement(view, miner, from_date=first, until_date=last, parts=(Part.VALUE,))
    levy = levy_of(view, miner, quarter)
    values = [coin.value for coin in statement.coins if coin.value is not None]
    return TaxPack(
        miner=miner,
        quarter=quarter,
        from_date=first,
        until_date=last,
        licences=statement.licences,
        coins=statement.coins,
        value_published=sum(value.published for value in values),
        value_reported=sum(value.reported for value in values),
        unvalued=sum(value.unvalued for value in values),
        sold_for=sum(value.sold_for for value in values),
        levy=levy,
        calendar=tuple(_calendar(levy)),
        notes=(VALUE_NOTE, levy.basis_note) if levy.is_basis_assumed else (VALUE_NOTE,),
        inputs=b64url(tagged("tax-pack", encode([statement.inputs, levy.inputs]))),
    )


def last_date(quarter: QuarterField) -> BusinessDate:
    """Return the last date of a quarter."""
    year, number = int(quarter[:4]), int(quarter[6])
    following = datetime.date(year + number // 4, 3 * (number % 4) + 1, 1)
    return BusinessDate((following - datetime.timedelta(days=1)).isoformat())


def _calendar(levy: LevyStatement) -> Iterator[CalendarLine]:
    for what, due in (("levy-declaration", levy.declaration), ("levy-payment", levy.payment)):
        if due is not None:
            yield CalendarLine(what=what, due=due)
