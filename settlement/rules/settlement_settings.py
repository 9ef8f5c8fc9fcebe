"""What is set for the settlement of instructed sales: cut-offs, run-off under an order, accounts for taxes."""

from ledger.model.assets import TENGE
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import (
    AccountField,
    BusinessDate,
    OrderField,
    ParticipantField,
    ParticipantId,
    TimestampField,
    TimestampUs,
)
from settlement.model.instructions import (
    CUT_OFF_MINUTES_DEFAULT,
    RUN_OFF_DAYS_MAX,
    CutOff,
    MinutesField,
    RunOff,
)
from settlement.model.intervals import was_active
from settlement.model.local_time import MINUTE_US, calendar_date, start_of
from settlement.rules.classes import TAX_ESCROW
from settlement.rules.coins import VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.registry import REGISTER_SUBJECT_UNKNOWN
from settlement.rules.tables import CUT_OFFS, EXCHANGES, RUN_OFFS, TAX_ACCOUNTS

RUN_OFF_MAX_US = RUN_OFF_DAYS_MAX * 24 * 60 * MINUTE_US


class CutOffSet(Record, frozen=True, kw_only=True):
    """Set the time of day after which nothing settles for that day, from the next business day."""

    minutes: MinutesField


class VenueRunOff(Record, frozen=True, kw_only=True):
    """Order that a suspended exchange settles what was executed before; an earlier end stops it."""

    exchange: ParticipantField
    until_us: TimestampField
    """First moment at which it no longer does."""
    order: OrderField


class TaxAccountConfirm(Record, frozen=True, kw_only=True):
    """The tax authority confirms that an account at an exchange is its own, and the key it is bound to as well."""

    account: AccountField


RUN_OFF_UNFIT = RefusalCode(
    "run_off_unfit", f"A run-off ends at most {RUN_OFF_DAYS_MAX} days ahead, and not before the ledger's time."
)
TAX_ACCOUNT_UNFIT = RefusalCode(
    "tax_account_unfit",
    "A tax goes to a confirmed account of class tax_escrow of this exchange, or to a registered one of the treasury.",
    iso="AG01",
)
TAX_ACCOUNT_CONFIRMED = RefusalCode("tax_account_confirmed", "The account was confirmed before.")


def cut_off_us(view: View, exchange: ParticipantId, date: BusinessDate) -> TimestampUs:
    """Return the first moment at which nothing settles any more for a settlement date that exists."""
    offsets, day = view.get(UTC_OFFSETS, THE), calendar_date(date)
    assert offsets is not None, "genesis writes the offsets"
    assert day is not None, "the date was looked at"
    setting = view.get(CUT_OFFS, exchange)
    minutes = CUT_OFF_MINUTES_DEFAULT if setting is None else setting.on(date)
    return TimestampUs(start_of(offsets, day) + minutes * MINUTE_US)


def refuse_venue_now(
    view: View, exchange: ParticipantId, executed_us: TimestampUs, time_us: TimestampUs
) -> Refused | None:
    """Refuse unless the exchange was active at the execution, and is now or runs off under an order."""
    run_off = view.get(RUN_OFFS, exchange)
    if run_off is not None and run_off.from_us <= time_us < run_off.until_us:
        return refuse_venue(view, exchange, executed_us)
    return refuse_venue(view, exchange, executed_us, time_us)


def _cut_off(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CutOffSet = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    if refused := refuse_venue(view, exchange, submitted.time_us):
        return refused
    setting = view.get(CUT_OFFS, exchange)
    changed = CutOff(
        minutes=CUT_OFF_MINUTES_DEFAULT if setting is None else setting.on(submitted.business_date),
        following_minutes=body.minutes,
        following_from=next_day(submitted.business_date),
    )
    return Proposal(changes=((CUT_OFFS, exchange, changed),), record={"from": str(changed.following_from)})


def _run_off(view: View, submitted: Submitted) -> Proposal | Refused:
    body: VenueRunOff = submitted.signed.body
    exchange = view.get(EXCHANGES, body.exchange)
    if exchange is None:
        return Refused(REGISTER_SUBJECT_UNKNOWN, detail=f"exchange {body.exchange}")
    if not submitted.time_us <= body.until_us <= submitted.time_us + RUN_OFF_MAX_US:
        return Refused(RUN_OFF_UNFIT, detail=f"until {body.until_us}, now {submitted.time_us}")
    run_off = RunOff(from_us=submitted.time_us, until_us=body.until_us, order=body.order)
    return Proposal(
        changes=((RUN_OFFS, body.exchange, run_off),),
        record={"was_active": was_active(exchange.history, submitted.time_us)},
    )


def _confirm(view: View, submitted: Submitted) -> Proposal | Refused:
    body: TaxAccountConfirm = submitted.signed.body
    account = view.get(ACCOUNTS, body.account)
    if (
        account is None
        or account.account_class != TAX_ESCROW.name
        or account.asset != TENGE
        or account.holder_key is None
    ):
        return Refused(TAX_ACCOUNT_UNFIT, detail=f"account {body.account}")
    if view.get(TAX_ACCOUNTS, body.account) is not None:
        return Refused(TAX_ACCOUNT_CONFIRMED, detail=f"account {body.account}")
    by = submitted.signed.transaction.participant
    return Proposal(changes=((TAX_ACCOUNTS, body.account, str(by)),), record={})


MODULE = RuleModule(
    name="settlement_settings",
    meaning="Cut-offs, run-off under an order, and accounts for taxes kept out of sales.",
    tables=(CUT_OFFS, RUN_OFFS, TAX_ACCOUNTS),
    kinds=(
        Kind(
            name="cut_off_set",
            body=CutOffSet,
            meaning="Set the time of day after which nothing settles, from the next business day.",
            refusals=(VENUE_LICENCE_INVALID,),
            decide=_cut_off,
        ),
        Kind(
            name="venue_run_off",
            body=VenueRunOff,
            meaning="Order that a suspended exchange settles what was executed before.",
            refusals=(REGISTER_SUBJECT_UNKNOWN, RUN_OFF_UNFIT),
            decide=_run_off,
        ),
        Kind(
            name="tax_account_confirm",
            body=TaxAccountConfirm,
            meaning="The tax authority confirms an account at an exchange as its own.",
            refusals=(TAX_ACCOUNT_UNFIT, TAX_ACCOUNT_CONFIRMED),
            decide=_confirm,
        ),
    ),
)
