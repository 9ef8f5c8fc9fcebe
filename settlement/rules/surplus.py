"""Surplus energy: offered by zone and hour before the day begins, bought by licensed miners and paid for at once.

First come, first served: every buyer pays its own bid, which is not below the published floor, and nobody is sold
more than what is left of an hour. The tenge moves in the entry that records the purchase, so nothing is owed after it.
Who pays from where is told in ``settlement.rules.paying``.
"""

import datetime
from typing import Annotated

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.rules.transfers import ACCOUNTS_MUST_DIFFER
from ledger.state import View
from ledger.units import (
    AccountField,
    DateField,
    ParticipantField,
    ParticipantId,
    TimestampField,
    TimestampUs,
)
from settlement.model.energy import (
    HOURS_MAX,
    Duty,
    HourField,
    KwhField,
    LimitField,
    PayeePurpose,
    PriceField,
    SurplusOffer,
)
from settlement.model.intervals import was_active
from settlement.model.local_time import MINUTE_US, calendar_date, start_of
from settlement.model.quarters import quarter_of
from settlement.model.sites import Zone
from settlement.rules.paying import holder_of_payer, miner_signs, tenge_entry
from settlement.rules.tables import LICENCES, MINER_LICENCES, SURPLUS, SURPLUS_BOUGHT, SURPLUS_SOLD
from settlement.rules.utilities import has_duty, is_payee

_HOUR_US = 60 * MINUTE_US


class SurplusPublish(Record, frozen=True, kw_only=True):
    """Offer the surplus of one zone and local day, once, before that day begins."""

    zone: Zone
    date: DateField
    floor: PriceField
    """Lowest bid."""
    limits: Annotated[tuple[LimitField, ...], Meta(min_length=1, max_length=HOURS_MAX)]
    """What may be sold, one number for every hour the local day has, from its first."""
    gate_us: TimestampField
    """Bids are taken until just before; not later than the start of the day."""
    payee: AccountField
    """Account of the single purchaser."""


class SurplusBid(Record, frozen=True, kw_only=True):
    """Energy of one hour and what is paid for it."""

    hour: HourField
    energy_kwh: KwhField
    price: PriceField


class SurplusBuy(Record, frozen=True, kw_only=True):
    """Buy surplus of some hours of a day, all of it or nothing, and pay for it at once."""

    zone: Zone
    date: DateField
    miner: ParticipantField
    payer: AccountField
    """The miner's own account, or a wallet at its bank, which then sends this."""
    bids: Annotated[tuple[SurplusBid, ...], Meta(min_length=1, max_length=HOURS_MAX)]
    """By ascending hour."""


SURPLUS_PUBLISHER_UNFIT = RefusalCode(
    "surplus_publisher_unfit", "The sender is not registered as system operator of the zone."
)
SURPLUS_DATE_INVALID = RefusalCode("surplus_date_invalid", "The date does not exist in the calendar.")
SURPLUS_PUBLISHED = RefusalCode("surplus_published", "The surplus of the zone and day was published before.")
SURPLUS_TOO_LATE = RefusalCode("surplus_too_late", "Surplus is published before its day begins in local time.")
SURPLUS_HOURS_WRONG = RefusalCode(
    "surplus_hours_wrong", "There is one limit for every hour that the local day has, and no other."
)
SURPLUS_GATE_WRONG = RefusalCode("surplus_gate_wrong", "The gate closes later than now and before the day begins.")
SURPLUS_PAYEE_UNFIT = RefusalCode(
    "surplus_payee_unfit", "The account is not registered as the single purchaser's, or no longer.", iso="AG01"
)
SURPLUS_UNKNOWN = RefusalCode("surplus_unknown", "No surplus of this zone and day was published.", is_transient=True)
SURPLUS_GATE_CLOSED = RefusalCode("surplus_gate_closed", "The gate of the day has closed.")
SURPLUS_HOUR_UNKNOWN = RefusalCode(
    "surplus_hour_unknown", "The day has no such hour, or the hours do not ascend, each once."
)
SURPLUS_BELOW_FLOOR = RefusalCode("surplus_below_floor", "The bid is below the published floor.")
SURPLUS_LICENCE_INVALID = RefusalCode(
    "surplus_licence_invalid",
    "Only a miner with an active licence of subtype 1, now and in the hour, buys surplus.",
    iso="AG01",
)
SURPLUS_EXCEEDED = RefusalCode("surplus_exceeded", "The bid is for more than what is left of the hour.")


def has_data_centre_licence(view: View, miner: str, moment: TimestampUs) -> bool:
    """Whether a miner had an active licence of subtype 1 at a moment."""
    licences = (view.get(LICENCES, number) for number in view.get(MINER_LICENCES, miner) or ())
    return any(
        licence is not None and licence.subtype == 1 and was_active(licence.history, moment) for licence in licences
    )


def _publish(view: View, submitted: Submitted) -> Proposal | Refused:
    body: SurplusPublish = submitted.signed.body
    operator = submitted.signed.transaction.participant
    now_us = submitted.time_us
    if not has_duty(view, operator, body.zone, now_us, Duty.SYSTEM_OPERATOR):
        return Refused(SURPLUS_PUBLISHER_UNFIT, detail=f"{operator} in {body.zone}")
    date = calendar_date(body.date)
    if date is None:
        return Refused(SURPLUS_DATE_INVALID, detail=f"date {body.date}")
    key = f"{body.zone}/{body.date}"
    if view.get(SURPLUS, key) is not None:
        return Refused(SURPLUS_PUBLISHED, detail=key)
    start_us = _start(view, date)
    if now_us >= start_us:
        return Refused(SURPLUS_TOO_LATE, detail=f"{body.date} began at {start_us}, now {now_us}")
    hours = (_start(view, date + datetime.timedelta(days=1)) - start_us) // _HOUR_US
    if len(body.limits) != hours:
        return Refused(SURPLUS_HOURS_WRONG, detail=f"expected {hours} limits, got {len(body.limits)}")
    if not now_us < body.gate_us <= start_us:
        return Refused(SURPLUS_GATE_WRONG, detail=f"expected later than {now_us} and at most {start_us}")
    if not is_payee(view, body.payee, PayeePurpose.SINGLE_PURCHASER):
        return Refused(SURPLUS_PAYEE_UNFIT, detail=f"account {body.payee}")
    offer = SurplusOffer(
        floor=body.floor, limits=body.limits, gate_us=body.gate_us, payee=body.payee, publisher=operator
    )
    return Proposal(changes=((SURPLUS, key, offer),), record={"energy_kwh": sum(body.limits)})


def _buy(view: View, submitted: Submitted) -> Proposal | Refused:
    body: SurplusBuy = submitted.signed.body
    key = f"{body.zone}/{body.date}"
    offer = view.get(SURPLUS, key)
    if offer is None:
        return Refused(SURPLUS_UNKNOWN, detail=key)
    refused = _refuse_purchase(view, submitted, body, offer) or _refuse_bids(view, submitted, body, offer)
    if refused is not None:
        return refused
    # From here the miner gets the energy, if it has the money.
    energy_kwh = sum(bid.energy_kwh for bid in body.bids)
    amount = sum(bid.energy_kwh * bid.price for bid in body.bids)
    bought_key = f"{body.miner}/{quarter_of(body.date)}"
    sold = [(f"{key}/{bid.hour}", bid.energy_kwh) for bid in body.bids]
    return Proposal(
        entries=(tenge_entry(body.payer, offer.payee, amount),),
        changes=(
            *((SURPLUS_SOLD, hour, (view.get(SURPLUS_SOLD, hour) or 0) + kwh) for hour, kwh in sold),
            (SURPLUS_BOUGHT, bought_key, (view.get(SURPLUS_BOUGHT, bought_key) or 0) + energy_kwh),
        ),
        record={"energy_kwh": energy_kwh, "amount": amount, "floor": offer.floor},
    )


def _refuse_purchase(view: View, submitted: Submitted, body: SurplusBuy, offer: SurplusOffer) -> Refused | None:
    if submitted.time_us >= offer.gate_us:
        return Refused(SURPLUS_GATE_CLOSED, detail=f"closed at {offer.gate_us}, now {submitted.time_us}")
    if not is_payee(view, offer.payee, PayeePurpose.SINGLE_PURCHASER):
        return Refused(SURPLUS_PAYEE_UNFIT, detail=f"account {offer.payee}")
    if body.payer == offer.payee:
        return Refused(ACCOUNTS_MUST_DIFFER, detail=f"account {body.payer}")
    return None


def _refuse_bids(view: View, submitted: Submitted, body: SurplusBuy, offer: SurplusOffer) -> Refused | None:
    hours = [bid.hour for bid in body.bids]
    if hours != sorted(set(hours)) or hours[-1] >= len(offer.limits):
        return Refused(SURPLUS_HOUR_UNKNOWN, detail=f"expected ascending hours below {len(offer.limits)}")
    for line, bid in enumerate(body.bids):
        if bid.price < offer.floor:
            return Refused(SURPLUS_BELOW_FLOOR, line, f"hour {bid.hour}: floor {offer.floor}, bid {bid.price}")
    if refused := _refuse_licence(view, body.miner, submitted.time_us):
        return refused
    date = calendar_date(body.date)
    assert date is not None, "the offer's date was checked"
    start_us = _start(view, date)
    for line, bid in enumerate(body.bids):
        if refused := _refuse_licence(view, body.miner, TimestampUs(start_us + bid.hour * _HOUR_US), line):
            return refused
    for line, bid in enumerate(body.bids):
        left = offer.limits[bid.hour] - (view.get(SURPLUS_SOLD, f"{body.zone}/{body.date}/{bid.hour}") or 0)
        if bid.energy_kwh > left:
            return Refused(SURPLUS_EXCEEDED, line, f"hour {bid.hour}: {left} kWh left, {bid.energy_kwh} asked")
    return None


def _refuse_licence(view: View, miner: ParticipantId, moment: TimestampUs, line: int = 0) -> Refused | None:
    if has_data_centre_licence(view, miner, moment):
        return None
    return Refused(SURPLUS_LICENCE_INVALID, line, f"miner {miner} at {moment}")


def _start(view: View, date: datetime.date) -> TimestampUs:
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    return start_of(offsets, date)


MODULE = RuleModule(
    name="surplus",
    meaning="Surplus energy, offered by zone and hour and bought by licensed miners.",
    tables=(SURPLUS, SURPLUS_SOLD, SURPLUS_BOUGHT),
    kinds=(
        Kind(
            name="surplus_publish",
            body=SurplusPublish,
            meaning="Offer the surplus energy of a zone and day.",
            refusals=(
                SURPLUS_PUBLISHER_UNFIT,
                SURPLUS_DATE_INVALID,
                SURPLUS_PUBLISHED,
                SURPLUS_TOO_LATE,
                SURPLUS_HOURS_WRONG,
                SURPLUS_GATE_WRONG,
                SURPLUS_PAYEE_UNFIT,
            ),
            decide=_publish,
        ),
        Kind(
            name="surplus_buy",
            body=SurplusBuy,
            meaning="Buy surplus energy and pay for it at once.",
            refusals=(
                SURPLUS_UNKNOWN,
                SURPLUS_GATE_CLOSED,
                SURPLUS_PAYEE_UNFIT,
                ACCOUNTS_MUST_DIFFER,
                SURPLUS_HOUR_UNKNOWN,
                SURPLUS_BELOW_FLOOR,
                SURPLUS_LICENCE_INVALID,
                SURPLUS_EXCEEDED,
            ),
            decide=_buy,
            required_keys=holder_of_payer,
            cosigners=miner_signs,
        ),
    ),
)
