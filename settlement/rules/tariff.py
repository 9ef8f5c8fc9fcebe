"""The posted fee: an exchange takes at most what its tariff says, and raises it only after notice.

A lower fee starts on the next business day. A higher one starts after the notice that a supervisor has set, counted in
calendar days from the business date on which it was posted, so that clients can leave before it binds; where none is
set, on the next day as well. To post another fee replaces the one that was to come.
"""

import datetime

from ledger.model.outcome import Refused
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE
from ledger.state import View
from ledger.units import BusinessDate, OrderField, ParticipantId
from settlement.model.custody import NOTICE_DAYS_DEFAULT, FeeField, NoticeDaysField, Tariff, TariffNotice
from settlement.rules.coins import VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.tables import TARIFF_NOTICE, TARIFFS


class TariffSet(Record, frozen=True, kw_only=True):
    """Post the highest fee of a trade, from the next business day; a higher one than today's, after notice."""

    fee_ppm: FeeField


class TariffNoticeSet(Record, frozen=True, kw_only=True):
    """Set how long before it starts a higher fee must be posted, from the next business day."""

    days: NoticeDaysField
    order: OrderField
    """Number of the rule or order that it rests on."""


def fee_ppm_on(view: View, exchange: ParticipantId, business_date: BusinessDate) -> int:
    """Return the posted fee in parts per million; 0 where none is posted."""
    tariff = view.get(TARIFFS, exchange)
    return 0 if tariff is None else tariff.on(business_date)


def notice_days_on(view: View, business_date: BusinessDate) -> int:
    """Return the notice that a higher fee posted on a business date takes, in calendar days."""
    notice = view.get(TARIFF_NOTICE, THE)
    return NOTICE_DAYS_DEFAULT if notice is None else notice.on(business_date)


def _set(view: View, submitted: Submitted) -> Proposal | Refused:
    body: TariffSet = submitted.signed.body
    exchange, today = submitted.signed.transaction.participant, submitted.business_date
    if refused := refuse_venue(view, exchange, submitted.time_us):
        return refused
    in_force = fee_ppm_on(view, exchange, today)
    is_raised = body.fee_ppm > in_force
    changed = Tariff(
        fee_ppm=in_force,
        following_ppm=body.fee_ppm,
        following_from=_later(today, notice_days_on(view, today)) if is_raised else next_day(today),
    )
    return Proposal(changes=((TARIFFS, exchange, changed),), record={"from": str(changed.following_from)})


def _set_notice(view: View, submitted: Submitted) -> Proposal | Refused:
    body: TariffNoticeSet = submitted.signed.body
    changed = TariffNotice(
        days=notice_days_on(view, submitted.business_date),
        following_days=body.days,
        following_from=next_day(submitted.business_date),
        order=body.order,
    )
    return Proposal(changes=((TARIFF_NOTICE, THE, changed),), record={"from": str(changed.following_from)})


def _later(date: BusinessDate, days: int) -> BusinessDate:
    return BusinessDate((datetime.date.fromisoformat(date) + datetime.timedelta(days=days)).isoformat())


MODULE = RuleModule(
    name="tariff",
    meaning="The fee an exchange has posted.",
    tables=(TARIFFS, TARIFF_NOTICE),
    kinds=(
        Kind(
            name="tariff_set",
            body=TariffSet,
            meaning="Post the highest fee of a trade, from the next business day or, if higher, after notice.",
            refusals=(VENUE_LICENCE_INVALID,),
            decide=_set,
        ),
        Kind(
            name="tariff_notice_set",
            body=TariffNoticeSet,
            meaning="Set how long before it starts a higher fee must be posted.",
            refusals=(),
            decide=_set_notice,
        ),
    ),
)
