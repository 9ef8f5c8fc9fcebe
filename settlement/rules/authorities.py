"""The register of authorities: which supervisor is the ministry, the tax authority, AFSA, or the agency for monitoring.

Operator and central bank keep it together, as they admit supervisors together, so that neither can widen an
authority's sight alone. While nobody stands in it, one supervisor stands for all bodies, as in a small pilot. From the
first row on each reads the parts of its own task and no others.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import PARTICIPANTS
from ledger.state import View
from ledger.units import OrderField, ParticipantField, ParticipantId, TimestampUs
from settlement.model.authorities import (
    EVERY_PART,
    TERMS_MAX,
    Authorities,
    Authority,
    AuthorityTerm,
    Part,
    authorities_at,
    parts_of,
)
from settlement.rules.registry import PARTICIPANT_ROLE_DIFFERS
from settlement.rules.tables import AUTHORITIES

AUTHORITY_ROLES: Final = frozenset({Role.SUPERVISOR, Role.ISSUER})
"""Roles whose participants may be authorities."""


class AuthorityRegister(Record, frozen=True, kw_only=True):
    """Say which body of the state a participant is, from now on; an empty list takes it off the register."""

    participant: ParticipantField
    authorities: Authorities
    """All that it is at once, each once, in alphabetical order."""
    order: OrderField


AUTHORITIES_UNSORTED = RefusalCode(
    "authorities_unsorted", "The authorities do not stand each once in alphabetical order."
)
AUTHORITIES_UNCHANGED = RefusalCode("authorities_unchanged", "The participant is registered as just that.")
AUTHORITY_TERMS_TOO_MANY = RefusalCode(
    "authority_terms_too_many", "The history of the authority has no room for another term."
)


def is_register_open(view: View) -> bool:
    """Whether anybody stands, or ever stood, in the register of authorities."""
    return next(iter(view.items(AUTHORITIES)), None) is not None


def readable_parts(view: View, participant: ParticipantId, role: Role, moment: TimestampUs) -> frozenset[Part]:
    """Return the parts that a participant reads of everybody, besides all that is its own.

    An auditor reads every part. An operator reads the quota, for it puts doubts about sales on record. The central
    bank is the National Bank by its role.
    """
    if role is Role.AUDITOR:
        return EVERY_PART
    if role is Role.OPERATOR:
        return frozenset({Part.QUOTA})
    if role not in AUTHORITY_ROLES:
        return frozenset()
    by_role = parts_of((Authority.NATIONAL_BANK,)) if role is Role.ISSUER else frozenset()
    if not is_register_open(view):
        return by_role | {Part.QUOTA} if role is Role.ISSUER else EVERY_PART
    return by_role | parts_of(authorities_at(view.get(AUTHORITIES, participant) or (), moment))


def _register(view: View, submitted: Submitted) -> Proposal | Refused:
    body: AuthorityRegister = submitted.signed.body
    participant = view.get(PARTICIPANTS, body.participant)
    if participant is None or participant.role not in AUTHORITY_ROLES:
        detail = f"expected {body.participant} to be admitted as supervisor or issuer"
        return Refused(PARTICIPANT_ROLE_DIFFERS, detail=detail)
    if list(body.authorities) != sorted(set(body.authorities)):
        return Refused(AUTHORITIES_UNSORTED, detail=", ".join(body.authorities))
    history = view.get(AUTHORITIES, body.participant) or ()
    if body.authorities == authorities_at(history, submitted.time_us):
        detail = f"{body.participant} is {', '.join(body.authorities) or 'no authority'}"
        return Refused(AUTHORITIES_UNCHANGED, detail=detail)
    if len(history) == TERMS_MAX:
        return Refused(AUTHORITY_TERMS_TOO_MANY, detail=f"{body.participant} has {len(history)} terms")
    ended = tuple(
        msgspec.structs.replace(term, until_us=submitted.time_us) if term.until_us is None else term for term in history
    )
    term = AuthorityTerm(authorities=body.authorities, from_us=submitted.time_us, order=body.order)
    return Proposal(changes=((AUTHORITIES, body.participant, (*ended, term)),), record={})


def _witnesses(view: View, _body: AuthorityRegister) -> Iterable[Cosigner]:
    """The central bank's whole quorum signs beside the operator's."""
    issuers = (row for _, row in view.items(PARTICIPANTS) if row.role is Role.ISSUER)
    return tuple(Cosigner(role=Role.ISSUER, threshold=issuer.quorum) for issuer in issuers)


MODULE = RuleModule(
    name="authorities",
    meaning="Which body of the state a supervisor is, and so which parts of the books it reads.",
    tables=(AUTHORITIES,),
    kinds=(
        Kind(
            name="authority_register",
            body=AuthorityRegister,
            meaning="Register which body of the state a participant is.",
            refusals=(
                PARTICIPANT_ROLE_DIFFERS,
                AUTHORITIES_UNSORTED,
                AUTHORITIES_UNCHANGED,
                AUTHORITY_TERMS_TOO_MANY,
            ),
            decide=_register,
            cosigners=_witnesses,
        ),
    ),
)
