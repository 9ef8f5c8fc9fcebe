"""The posted fee: an exchange takes at most what its tariff says, and a change starts on the next business day."""

from ledger.model.outcome import Refused
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import BusinessDate, ParticipantId
from settlement.model.custody import FeeField, Tariff
from settlement.rules.coins import VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.tables import TARIFFS


class TariffSet(Record, frozen=True, kw_only=True):
    """Post the highest fee of a trade, from the next business day."""

    fee_ppm: FeeField


def fee_ppm_on(view: View, exchange: ParticipantId, business_date: BusinessDate) -> int:
    """Return the posted fee in parts per million; 0 where none is posted."""
    tariff = view.get(TARIFFS, exchange)
    return 0 if tariff is None else tariff.on(business_date)


def _set(view: View, submitted: Submitted) -> Proposal | Refused:
    body: TariffSet = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    if refused := refuse_venue(view, exchange, submitted.time_us):
        return refused
    changed = Tariff(
        fee_ppm=fee_ppm_on(view, exchange, submitted.business_date),
        following_ppm=body.fee_ppm,
        following_from=next_day(submitted.business_date),
    )
    return Proposal(changes=((TARIFFS, exchange, changed),), record={"from": str(changed.following_from)})


MODULE = RuleModule(
    name="tariff",
    meaning="The fee an exchange has posted.",
    tables=(TARIFFS,),
    kinds=(
        Kind(
            name="tariff_set",
            body=TariffSet,
            meaning="Post the highest fee of a trade, from the next business day.",
            refusals=(VENUE_LICENCE_INVALID,),
            decide=_set,
        ),
    ),
)
