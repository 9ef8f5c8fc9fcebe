"""Issuance and redemption of the digital tenge against central bank reserves (design D15)."""

from typing import Final

from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, CAPS, DAYS, RESERVE_PAYMENTS, Cap, Day
from ledger.state import View
from ledger.units import AccountField, AccountId, AmountField, LabelField, TotalField

ISSUING_CLASSES: Final = frozenset({"own"})
"""Tenge enters and leaves through an institution's own account, never a wallet."""


class Issue(Record, frozen=True, kw_only=True):
    """Issue tenge to the sender's own account against a payment in reserves."""

    account: AccountField
    amount: AmountField
    reserve_payment: LabelField
    """Reference of the payment in central bank reserves; unique for ever."""


class Redeem(Record, frozen=True, kw_only=True):
    """Take tenge out of circulation, from the sender's own account, against a payment in reserves."""

    account: AccountField
    amount: AmountField
    reserve_payment: LabelField


class CapSet(Record, frozen=True, kw_only=True):
    """Set what one business day may issue, and may redeem, from the next business day."""

    per_day: TotalField


RESERVE_PAYMENT_USED = RefusalCode(
    "reserve_payment_used", "The reserve payment backs another issuance or redemption.", iso="AM05"
)
ISSUANCE_ACCOUNT_UNFIT = RefusalCode(
    "issuance_account_unfit",
    "Tenge is issued to and redeemed from the sender's own account only.",
    iso="AG01",
)
ISSUANCE_CAP_EXCEEDED = RefusalCode(
    "issuance_cap_exceeded",
    "The issuances of this business date would exceed the cap; redemption does not restore it.",
    iso="AM14",
    is_transient=True,
)
REDEMPTION_CAP_EXCEEDED = RefusalCode(
    "redemption_cap_exceeded",
    "The redemptions of this business date would exceed the cap.",
    iso="AM14",
    is_transient=True,
)


def _issue(view: View, submitted: Submitted) -> Proposal | Refused:
    body: Issue = submitted.signed.body
    if refused := _refuse(view, submitted, body):
        return refused
    day = _today(view, submitted)
    if day.issued + body.amount > _cap(view, submitted):
        return Refused(
            ISSUANCE_CAP_EXCEEDED, detail=f"issued {day.issued} of {_cap(view, submitted)} tiyn on {day.date}"
        )
    counted = Day(date=day.date, issued=day.issued + body.amount, redeemed=day.redeemed)
    return _proposal(submitted, body, _entry(debit=_contra(view), credit=body.account, amount=body.amount), counted)


def _redeem(view: View, submitted: Submitted) -> Proposal | Refused:
    body: Redeem = submitted.signed.body
    if refused := _refuse(view, submitted, body):
        return refused
    day = _today(view, submitted)
    if day.redeemed + body.amount > _cap(view, submitted):
        return Refused(
            REDEMPTION_CAP_EXCEEDED,
            detail=f"redeemed {day.redeemed} of {_cap(view, submitted)} tiyn on {day.date}",
        )
    counted = Day(date=day.date, issued=day.issued, redeemed=day.redeemed + body.amount)
    return _proposal(submitted, body, _entry(debit=body.account, credit=_contra(view), amount=body.amount), counted)


def _refuse(view: View, submitted: Submitted, body: Issue | Redeem) -> Refused | None:
    if view.get(RESERVE_PAYMENTS, body.reserve_payment) is not None:
        return Refused(RESERVE_PAYMENT_USED, detail=f"reserve payment {body.reserve_payment}")
    account = view.get(ACCOUNTS, body.account)
    sender = submitted.signed.transaction.participant
    if account is None or account.owner != sender or account.account_class not in ISSUING_CLASSES:
        return Refused(ISSUANCE_ACCOUNT_UNFIT, detail=f"account {body.account} is no own account of {sender}")
    return None


def _proposal(submitted: Submitted, body: Issue | Redeem, entry: Entry, counted: Day) -> Proposal:
    transaction_id = submitted.signed.transaction_id.hex()
    return Proposal(
        entries=(entry,),
        changes=((DAYS, TENGE, counted), (RESERVE_PAYMENTS, body.reserve_payment, transaction_id)),
    )


def _entry(*, debit: AccountId, credit: AccountId, amount: int) -> Entry:
    return Entry(
        (
            Posting(account=debit, asset=TENGE, amount=amount, side=Side.DEBIT),
            Posting(account=credit, asset=TENGE, amount=amount, side=Side.CREDIT),
        )
    )


def _contra(view: View) -> AccountId:
    tenge = view.get(ASSETS, TENGE)
    assert tenge is not None, "genesis makes the tenge"
    return tenge.contra


def _today(view: View, submitted: Submitted) -> Day:
    day = view.get(DAYS, TENGE)
    if day is None or day.date != submitted.business_date:
        return Day(date=submitted.business_date)
    return day


def _cap(view: View, submitted: Submitted) -> int:
    cap = view.get(CAPS, TENGE)
    assert cap is not None, "genesis sets the cap"
    return cap.on(submitted.business_date)


def _set_cap(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CapSet = submitted.signed.body
    changed = Cap(
        per_day=_cap(view, submitted),
        following=body.per_day,
        following_from=next_day(submitted.business_date),
    )
    return Proposal(changes=((CAPS, TENGE, changed),), record={"from": str(changed.following_from)})


MODULE = RuleModule(
    name="issuance",
    meaning="Tenge enters and leaves circulation.",
    kinds=(
        Kind(
            name="issue",
            body=Issue,
            meaning="Issue tenge to the sender's own account.",
            refusals=(RESERVE_PAYMENT_USED, ISSUANCE_ACCOUNT_UNFIT, ISSUANCE_CAP_EXCEEDED),
            decide=_issue,
        ),
        Kind(
            name="redeem",
            body=Redeem,
            meaning="Redeem tenge from the sender's own account.",
            refusals=(RESERVE_PAYMENT_USED, ISSUANCE_ACCOUNT_UNFIT, REDEMPTION_CAP_EXCEEDED),
            decide=_redeem,
        ),
        Kind(
            name="cap_set",
            body=CapSet,
            meaning="Set the daily cap from the next business day.",
            refusals=(),
            decide=_set_cap,
        ),
    ),
)
