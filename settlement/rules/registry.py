"""Registers with a history: exchanges, pools, and the status of what was granted. Kept by the supervisor.

A grant adds an interval in which the subject is active; a status change splits it. Intervals of one subject never
overlap. A change may lie in the past, for an order may name yesterday; what was decided before it stands.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import PARTICIPANTS
from ledger.state import Table, View
from ledger.units import LabelField, OrderField, ParticipantField, ParticipantId, TimestampField
from settlement.model.energy import Utility
from settlement.model.intervals import (
    INTERVALS_MAX,
    History,
    Interval,
    Status,
    is_empty,
    readable,
    with_grant,
    with_status,
)
from settlement.model.registers import Exchange, Licence, ListedCoin, Permission, Pool, Register
from settlement.model.sites import Meter, Site
from settlement.rules.tables import EXCHANGES, LICENCES, METERS, PERMISSIONS, POOLS, PRICE_LIST, SITES, UTILITIES


class RegistryExchange(Record, frozen=True, kw_only=True):
    """Register an exchange with the AIFC for an interval."""

    exchange: ParticipantField
    licence: LabelField
    """Number of its AFSA licence."""
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryPool(Record, frozen=True, kw_only=True):
    """Accredit a mining pool for an interval."""

    pool: ParticipantField
    accreditation: LabelField
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryStatus(Record, frozen=True, kw_only=True):
    """Suspend, revoke or restore a subject for an interval inside one that stands."""

    register: Register
    subject: LabelField
    """Participant id of an exchange or pool, symbol of a listed coin, else the number."""
    status: Status
    from_us: TimestampField
    until_us: TimestampField | None = None
    reason: OrderField


PARTICIPANT_ROLE_DIFFERS = RefusalCode(
    "participant_role_differs", "No participant of this id was admitted in the role that the register asks for."
)
REGISTER_FACTS_DIFFER = RefusalCode(
    "register_facts_differ", "The subject stands in the register with other facts than these."
)
REGISTER_SUBJECT_UNKNOWN = RefusalCode("register_subject_unknown", "The register has no such subject.")
INTERVAL_EMPTY = RefusalCode("interval_empty", "The interval ends before it begins.")
INTERVAL_OVERLAPS = RefusalCode("interval_overlaps", "The interval overlaps one that stands for the same subject.")
STATUS_NOT_CHANGEABLE = RefusalCode(
    "status_not_changeable",
    "The interval does not lie inside one of another status, or that status is for good.",
)
HISTORY_TOO_LONG = RefusalCode("history_too_long", "The history of the subject has no room for another interval.")

GRANT_REFUSALS: Final = (REGISTER_FACTS_DIFFER, INTERVAL_EMPTY, INTERVAL_OVERLAPS, HISTORY_TOO_LONG)
"""What may refuse a grant, in order."""

Subject = Exchange | Pool | Licence | Site | Meter | Permission | ListedCoin | Utility

REGISTERS: Final[Mapping[Register, Table[Any]]] = {
    Register.EXCHANGE: EXCHANGES,
    Register.POOL: POOLS,
    Register.LICENCE: LICENCES,
    Register.SITE: SITES,
    Register.METER: METERS,
    Register.PERMISSION: PERMISSIONS,
    Register.PRICE_LIST: PRICE_LIST,
    Register.UTILITY: UTILITIES,
}
"""The registers whose subjects have a history, each with its table."""


def refuse_role(view: View, participant_id: ParticipantId, role: Role) -> Refused | None:
    """Refuse to register who was not admitted in the role."""
    participant = view.get(PARTICIPANTS, participant_id)
    if participant is not None and participant.role is role:
        return None
    return Refused(PARTICIPANT_ROLE_DIFFERS, detail=f"expected {participant_id} to be admitted as {role}")


def grant(view: View, table: Table[Any], key: str, subject: Subject) -> Proposal | Refused:
    """Propose a subject with its first interval, or that interval added to the subject that stands."""
    (interval,) = subject.history
    standing = view.get(table, key)
    history = () if standing is None else standing.history
    if standing is not None and msgspec.structs.replace(standing, history=subject.history) != subject:
        return Refused(REGISTER_FACTS_DIFFER, detail=f"{key} is registered with {_facts(standing)}")
    if is_empty(interval):
        return Refused(INTERVAL_EMPTY, detail=f"from {interval.from_us} until {interval.until_us}")
    longer = with_grant(history, interval)
    if longer is None:
        return Refused(INTERVAL_OVERLAPS, detail=f"{key} has an interval that overlaps {readable(interval)}")
    if len(longer) > INTERVALS_MAX:
        return Refused(HISTORY_TOO_LONG, detail=f"{key} has {len(history)} of {INTERVALS_MAX} intervals")
    return Proposal(changes=((table, key, msgspec.structs.replace(subject, history=longer)),), record={})


def _facts(subject: Subject) -> str:
    facts = msgspec.structs.asdict(subject)
    return ", ".join(f"{name} {value}" for name, value in facts.items() if name != "history")


def _history(history: History) -> str:
    """The last interval says most; all of them could be dozens."""
    return readable(history[-1]) if len(history) == 1 else f"{readable(history[-1])}, after {len(history) - 1} others"


def _exchange(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryExchange = submitted.signed.body
    if refused := refuse_role(view, body.exchange, Role.EXCHANGE):
        return refused
    history = (Interval(status=Status.ACTIVE, from_us=body.from_us, until_us=body.until_us),)
    return grant(view, EXCHANGES, body.exchange, Exchange(licence=body.licence, history=history))


def _pool(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryPool = submitted.signed.body
    if refused := refuse_role(view, body.pool, Role.POOL):
        return refused
    history = (Interval(status=Status.ACTIVE, from_us=body.from_us, until_us=body.until_us),)
    return grant(view, POOLS, body.pool, Pool(accreditation=body.accreditation, history=history))


def _status(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryStatus = submitted.signed.body
    table = REGISTERS[body.register]
    subject = view.get(table, body.subject)
    if subject is None:
        return Refused(REGISTER_SUBJECT_UNKNOWN, detail=f"{body.register} {body.subject}")
    change = Interval(status=body.status, from_us=body.from_us, until_us=body.until_us)
    if is_empty(change):
        return Refused(INTERVAL_EMPTY, detail=f"from {change.from_us} until {change.until_us}")
    history = with_status(subject.history, change)
    if history is None:
        return Refused(STATUS_NOT_CHANGEABLE, detail=f"{body.subject} was {_history(subject.history)}")
    if len(history) > INTERVALS_MAX:
        return Refused(HISTORY_TOO_LONG, detail=f"{body.subject} has {len(subject.history)} intervals")
    return Proposal(changes=((table, body.subject, msgspec.structs.replace(subject, history=history)),), record={})


def _kind(name: str, body: type, meaning: str, decide: Callable[[View, Submitted], Proposal | Refused]) -> Kind:
    return Kind(
        name=name, body=body, meaning=meaning, refusals=(PARTICIPANT_ROLE_DIFFERS, *GRANT_REFUSALS), decide=decide
    )


MODULE = RuleModule(
    name="registry",
    meaning="Exchanges and pools, and the status of what was granted.",
    tables=(EXCHANGES, POOLS),
    kinds=(
        _kind("registry_exchange", RegistryExchange, "Register an exchange for an interval.", _exchange),
        _kind("registry_pool", RegistryPool, "Accredit a mining pool for an interval.", _pool),
        Kind(
            name="registry_status",
            body=RegistryStatus,
            meaning="Suspend, revoke or restore what a register granted, for an interval.",
            refusals=(REGISTER_SUBJECT_UNKNOWN, INTERVAL_EMPTY, STATUS_NOT_CHANGEABLE, HISTORY_TOO_LONG),
            decide=_status,
        ),
    ),
)
