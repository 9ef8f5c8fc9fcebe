"""The rates of the quota, and what makes a sale suspect: dated data that the competent ministry sets, append-only.

Each policy names the one it supersedes and wins from its first date on, which is never before the next business day:
what was distributed or sold until then is judged as it was. Where none is on the ledger, those of the package hold.
"""

from collections.abc import Sequence
from typing import Any

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import is_business_date, next_day
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE
from ledger.state import Table, View
from ledger.units import LabelField
from settlement.model.quota_policies import (
    FLAG_POLICIES,
    POLICIES_MAX,
    QUOTA_POLICIES,
    FlagPolicy,
    PolicyT,
    RatePolicy,
    timeline,
)
from settlement.rules.tables import FLAG_POLICY_HISTORY, RATE_POLICY_HISTORY


class QuotaPolicySet(Record, frozen=True, kw_only=True):
    """Set a rate for lots distributed from a local date on."""

    policy: RatePolicy
    supersedes: LabelField
    """The policy that was set last."""


class FlagPolicySet(Record, frozen=True, kw_only=True):
    """Set what makes a sale suspect, for sales executed from a local date on."""

    policy: FlagPolicy
    supersedes: LabelField
    """The policy that was set last."""


QUOTA_POLICY_DATE_INVALID = RefusalCode(
    "quota_policy_date_invalid", "The dates of the policy do not exist, or it ends before it begins."
)
QUOTA_POLICY_TOO_EARLY = RefusalCode(
    "quota_policy_too_early", "A policy begins on the next business day at the earliest."
)
QUOTA_SHARE_ABOVE_ONE = RefusalCode("quota_share_above_one", "The share is more than the whole.")
QUOTA_POLICY_NAME_TAKEN = RefusalCode("quota_policy_name_taken", "A policy of this name was set before.")
QUOTA_POLICY_SUPERSEDES_DIFFERS = RefusalCode(
    "quota_policy_supersedes_differs", "The policy does not supersede the one that was set last."
)
QUOTA_POLICIES_TOO_MANY = RefusalCode("quota_policies_too_many", "There is no room for another policy.")

_HISTORY_REFUSALS = (QUOTA_POLICY_NAME_TAKEN, QUOTA_POLICY_SUPERSEDES_DIFFERS, QUOTA_POLICIES_TOO_MANY)


def rate_policies(view: View) -> tuple[RatePolicy, ...]:
    """Return the rates as they hold, not overlapping."""
    history = view.get(RATE_POLICY_HISTORY, THE)
    return timeline(QUOTA_POLICIES if history is None else history)


def flag_policies(view: View) -> tuple[FlagPolicy, ...]:
    """Return what makes a sale suspect, not overlapping."""
    history = view.get(FLAG_POLICY_HISTORY, THE)
    return timeline(FLAG_POLICIES if history is None else history)


def _set_rate(view: View, submitted: Submitted) -> Proposal | Refused:
    body: QuotaPolicySet = submitted.signed.body
    if refused := _refuse_dates(submitted, body.policy):
        return refused
    if body.policy.share_numerator > body.policy.share_denominator:
        share = f"{body.policy.share_numerator}/{body.policy.share_denominator}"
        return Refused(QUOTA_SHARE_ABOVE_ONE, detail=f"share {share}")
    history = view.get(RATE_POLICY_HISTORY, THE) or QUOTA_POLICIES
    return _appended(RATE_POLICY_HISTORY, history, body.policy, body.supersedes)


def _set_flags(view: View, submitted: Submitted) -> Proposal | Refused:
    body: FlagPolicySet = submitted.signed.body
    if refused := _refuse_dates(submitted, body.policy):
        return refused
    history = view.get(FLAG_POLICY_HISTORY, THE) or FLAG_POLICIES
    return _appended(FLAG_POLICY_HISTORY, history, body.policy, body.supersedes)


def _refuse_dates(submitted: Submitted, policy: RatePolicy | FlagPolicy) -> Refused | None:
    dates = [policy.valid_from] if policy.valid_until is None else [policy.valid_from, policy.valid_until]
    if not all(map(is_business_date, dates)) or dates != sorted(set(dates)):
        return Refused(QUOTA_POLICY_DATE_INVALID, detail=f"from {policy.valid_from} until {policy.valid_until}")
    earliest = next_day(submitted.business_date)
    if policy.valid_from < earliest:
        return Refused(QUOTA_POLICY_TOO_EARLY, detail=f"expected {earliest} or later, got {policy.valid_from}")
    return None


def _appended(table: Table[Any], history: Sequence[PolicyT], policy: PolicyT, supersedes: str) -> Proposal | Refused:
    """The history with one more. The first keeps those of the package, so that a later package changes nothing."""
    if any(each.policy == policy.policy for each in history):
        return Refused(QUOTA_POLICY_NAME_TAKEN, detail=f"policy {policy.policy}")
    if supersedes != history[-1].policy:
        return Refused(QUOTA_POLICY_SUPERSEDES_DIFFERS, detail=f"expected {history[-1].policy}, got {supersedes}")
    if len(history) == POLICIES_MAX:
        return Refused(QUOTA_POLICIES_TOO_MANY, detail=f"{len(history)} stand")
    return Proposal(changes=((table, THE, (*history, policy)),), record={})


MODULE = RuleModule(
    name="quota_policies",
    meaning="The rates of the quota, and what makes a sale suspect.",
    tables=(RATE_POLICY_HISTORY, FLAG_POLICY_HISTORY),
    kinds=(
        Kind(
            name="quota_policy_set",
            body=QuotaPolicySet,
            meaning="Set the share of mined coins to be sold, from a later date on.",
            refusals=(
                QUOTA_POLICY_DATE_INVALID,
                QUOTA_POLICY_TOO_EARLY,
                QUOTA_SHARE_ABOVE_ONE,
                *_HISTORY_REFUSALS,
            ),
            decide=_set_rate,
        ),
        Kind(
            name="flag_policy_set",
            body=FlagPolicySet,
            meaning="Set what makes a sale suspect, from a later date on.",
            refusals=(QUOTA_POLICY_DATE_INVALID, QUOTA_POLICY_TOO_EARLY, *_HISTORY_REFUSALS),
            decide=_set_flags,
        ),
    ),
)
