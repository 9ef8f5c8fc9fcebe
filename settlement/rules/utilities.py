"""Who may publish surplus and sign readings, and which accounts of the state are paid. Kept by the supervisor.

The single purchaser and the treasury need not take part themselves: the register names an account of theirs, wherever
it is kept. Naming one takes two signatories, for it says where money goes.
"""

from typing import Annotated

from msgspec import Meta

from ledger.model.assets import TENGE
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, KEYS
from ledger.state import View
from ledger.units import AccountField, AccountId, ParticipantField, ParticipantId, TimestampField, TimestampUs
from settlement.model.energy import Duty, Payee, PayeePurpose, Utility
from settlement.model.intervals import Interval, Status, was_active
from settlement.model.sites import Zone
from settlement.rules.registry import GRANT_REFUSALS, PARTICIPANT_ROLE_DIFFERS, grant, refuse_role
from settlement.rules.tables import PAYEES, UTILITIES


class RegistryUtility(Record, frozen=True, kw_only=True):
    """Register an energy undertaking for an interval."""

    utility: ParticipantField
    duty: Duty
    zones: Annotated[tuple[Zone, ...], Meta(min_length=1, max_length=len(Zone))]
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryPayee(Record, frozen=True, kw_only=True):
    """Register an account of the single purchaser or the treasury, or take it off the register."""

    account: AccountField
    purpose: PayeePurpose
    is_active: bool = True


PAYEE_ACCOUNT_UNFIT = RefusalCode(
    "payee_account_unfit", "A payee's account exists, holds tenge and is no client's.", iso="AG01"
)
PAYEE_PURPOSE_DIFFERS = RefusalCode("payee_purpose_differs", "The account is registered for another purpose.")


def is_payee(view: View, account: AccountId, purpose: PayeePurpose) -> bool:
    """Whether an account is registered for a purpose, and still is."""
    payee = view.get(PAYEES, account)
    return payee is not None and payee.is_active and payee.purpose is purpose


def has_duty(view: View, utility: ParticipantId, zone: Zone, moment: TimestampUs, *duties: Duty) -> bool:
    """Whether an undertaking had one of some duties in a zone at a moment."""
    registered = view.get(UTILITIES, utility)
    return (
        registered is not None
        and registered.duty in duties
        and zone in registered.zones
        and was_active(registered.history, moment)
    )


def is_signed_by_utility(view: View, submitted: Submitted, zone: Zone) -> bool:
    """Whether a grid company or system operator of the zone, registered now, signed too."""
    keys = (view.get(KEYS, kid) for kid in submitted.signed.signers)
    return any(
        key is not None and has_duty(view, key.participant, zone, submitted.time_us, Duty.GRID, Duty.SYSTEM_OPERATOR)
        for key in keys
    )


def _utility(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryUtility = submitted.signed.body
    if refused := refuse_role(view, body.utility, Role.UTILITY):
        return refused
    history = (Interval(status=Status.ACTIVE, from_us=body.from_us, until_us=body.until_us),)
    zones = tuple(sorted(set(body.zones)))
    return grant(view, UTILITIES, body.utility, Utility(duty=body.duty, zones=zones, history=history))


def _payee(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryPayee = submitted.signed.body
    account = view.get(ACCOUNTS, body.account)
    account_class = None if account is None else submitted.classes.get(account.account_class)
    if account is None or account.asset != TENGE or account_class is None or account_class.is_client:
        return Refused(PAYEE_ACCOUNT_UNFIT, detail=f"account {body.account}")
    standing = view.get(PAYEES, body.account)
    if standing is not None and standing.purpose is not body.purpose:
        return Refused(PAYEE_PURPOSE_DIFFERS, detail=f"account {body.account} is for {standing.purpose}")
    payee = Payee(purpose=body.purpose, is_active=body.is_active)
    return Proposal(changes=((PAYEES, body.account, payee),), record={})


MODULE = RuleModule(
    name="utilities",
    meaning="Energy undertakings, and accounts of the single purchaser and the treasury.",
    tables=(UTILITIES, PAYEES),
    kinds=(
        Kind(
            name="registry_utility",
            body=RegistryUtility,
            meaning="Register the system operator or a grid company for an interval.",
            refusals=(PARTICIPANT_ROLE_DIFFERS, *GRANT_REFUSALS),
            decide=_utility,
        ),
        Kind(
            name="registry_payee",
            body=RegistryPayee,
            meaning="Register an account of the single purchaser or the treasury.",
            refusals=(PAYEE_ACCOUNT_UNFIT, PAYEE_PURPOSE_DIFFERS),
            decide=_payee,
        ),
    ),
)
