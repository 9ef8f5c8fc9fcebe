"""Day close: the operator's signature moves the business date (design D24); rulebook versions change with it (D25)."""

import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ledger.crypto import canonical, digest
from ledger.model.accounts import CONTRA
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import is_business_date, next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, BALANCES, LEDGER, THE, ledger_of
from ledger.state import View
from ledger.units import BusinessDate, DateField

BUSINESS_DATE_STEP_MAX_DAYS: Final = 31
"""Longest step of the business date, in calendar days: a date set far ahead by mistake could never be taken back."""

TRIAL_BALANCE_BYTES_MAX: Final = 32_768
"""Longest trial balance spelled out in a record, in bytes of canonical JSON; a longer one is recorded by its digest."""


class DayClose(Record, frozen=True, kw_only=True):
    """Close the business date and name the next one."""

    closes: DateField
    opens: DateField


class RulebookSet(Record, frozen=True, kw_only=True):
    """Change the version of the rules from the next business day."""

    version: Annotated[int, Meta(ge=1, le=65_535)]


BUSINESS_DATE_DIFFERS = RefusalCode("business_date_differs", "The ledger's business date is another one.")
BUSINESS_DATE_INVALID = RefusalCode(
    "business_date_invalid", "The date does not exist in the calendar, or lies after the last one the ledger can count."
)
BUSINESS_DATE_NOT_LATER = RefusalCode("business_date_not_later", "The next business date must be later.")
BUSINESS_DATE_TOO_FAR = RefusalCode(
    "business_date_too_far", f"The next business date is more than {BUSINESS_DATE_STEP_MAX_DAYS} days ahead."
)
RULEBOOK_NOT_NEWER = RefusalCode("rulebook_not_newer", "The version must be above the one in force.")


def _close(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DayClose = submitted.signed.body
    ledger = ledger_of(view)
    if body.closes != ledger.business_date:
        return Refused(BUSINESS_DATE_DIFFERS, detail=f"the business date is {ledger.business_date}, not {body.closes}")
    if not is_business_date(body.opens):
        return Refused(BUSINESS_DATE_INVALID, detail=f"date {body.opens}")
    if body.opens <= body.closes:
        return Refused(BUSINESS_DATE_NOT_LATER, detail=f"{body.opens} is not after {body.closes}")
    if (days := _days_between(body.closes, body.opens)) > BUSINESS_DATE_STEP_MAX_DAYS:
        return Refused(BUSINESS_DATE_TOO_FAR, detail=f"{body.opens} is {days} days after {body.closes}")
    changed = msgspec.structs.replace(ledger, business_date=body.opens, former_business_date=body.closes)
    if ledger.following_rulebook_from is not None and ledger.following_rulebook_from <= body.opens:
        assert ledger.following_rulebook is not None, "a date without a version is never set"
        changed = msgspec.structs.replace(
            changed,
            rulebook=ledger.following_rulebook,
            following_rulebook=None,
            following_rulebook_from=None,
        )
    return Proposal(
        changes=((LEDGER, THE, changed),),
        record={"closes": str(body.closes), "opens": str(body.opens), **_on_record(trial_balance(view))},
    )


def _days_between(first: BusinessDate, second: BusinessDate) -> int:
    return (datetime.date.fromisoformat(second) - datetime.date.fromisoformat(first)).days


def _on_record(balance: dict[str, Any]) -> dict[str, Any]:
    """The trial balance itself, or its digest where it would not fit in a leaf; whoever replays has it anyway."""
    encoded = canonical.encode(balance)
    if len(encoded) <= TRIAL_BALANCE_BYTES_MAX:
        return {"trial_balance": balance}
    return {"trial_balance_digest": canonical.b64url(digest.tagged("trial-balance", encoded))}


def trial_balance(view: View) -> dict[str, dict[str, dict[str, int]]]:
    """Return for each asset and account class the number of accounts and the sum of balances.

    The contra class stands beside the others: its sum is what is in circulation, and equals theirs together.
    """
    table: dict[str, dict[str, dict[str, int]]] = {}
    for account_id, account in view.items(ACCOUNTS):
        row = table.setdefault(account.asset, {}).setdefault(account.account_class, {"accounts": 0, "sum": 0})
        row["accounts"] += 1
        row["sum"] += view.get(BALANCES, account_id) or 0
    for classes in table.values():
        held = sum(row["sum"] for name, row in classes.items() if name != CONTRA)
        assert held == classes[CONTRA]["sum"], "issued minus redeemed equals what is held"
    return table


def _set_rulebook(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RulebookSet = submitted.signed.body
    ledger = ledger_of(view)
    if body.version <= ledger.rulebook:
        return Refused(RULEBOOK_NOT_NEWER, detail=f"version {ledger.rulebook} is in force")
    changed = msgspec.structs.replace(
        ledger, following_rulebook=body.version, following_rulebook_from=next_day(submitted.business_date)
    )
    return Proposal(changes=((LEDGER, THE, changed),), record={"from": str(changed.following_rulebook_from)})


MODULE = RuleModule(
    name="day_close",
    meaning="The business date and the version of the rules.",
    kinds=(
        Kind(
            name="day_close",
            body=DayClose,
            meaning="Close the business date; trial balance and supply go on record.",
            refusals=(BUSINESS_DATE_DIFFERS, BUSINESS_DATE_INVALID, BUSINESS_DATE_NOT_LATER, BUSINESS_DATE_TOO_FAR),
            decide=_close,
            ends_block=True,
        ),
        Kind(
            name="rulebook_set",
            body=RulebookSet,
            meaning="Change the version of the rules from the next business day.",
            refusals=(RULEBOOK_NOT_NEWER,),
            decide=_set_rulebook,
        ),
    ),
)
