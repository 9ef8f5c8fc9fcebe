"""Admission: who takes part, and in what role. Sent by the operator (design D9, D18)."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from msgspec import Meta

from ledger.crypto.keys import PublicKey
from ledger.model.accounts import CodeField
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Key, KeyUse, Participant, QuorumField, Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import KEYS, PARTICIPANT_CODES, PARTICIPANTS
from ledger.state import View
from ledger.units import KeyField, Kid, OrderField, ParticipantField, SignatoryField, TextField

KEYS_AT_ADMISSION_MAX: Final = 12
"""Most keys presented with an admission: each signs it, beside the operator's quorum, within 16 signatures."""

ADMITTABLE_ROLES: Final = frozenset(Role) - {Role.OPERATOR, Role.ISSUER}
"""Operator and issuer stand in the genesis document; nobody admits a second one."""


class NewKey(Record, frozen=True, kw_only=True):
    """A public key presented for admission; it signs the transaction too, which proves possession."""

    x: KeyField
    signatory: SignatoryField
    use: KeyUse


class ParticipantAdmit(Record, frozen=True, kw_only=True):
    """Admit an institution with its first keys."""

    participant: ParticipantField
    name: TextField
    role: Role
    code: CodeField
    quorum: QuorumField
    keys: Annotated[tuple[NewKey, ...], Meta(min_length=1, max_length=KEYS_AT_ADMISSION_MAX)]


class ParticipantSuspend(Record, frozen=True, kw_only=True):
    """Stop a participant's own submissions; credits to its accounts still arrive."""

    participant: ParticipantField
    reason: OrderField


class ParticipantReinstate(Record, frozen=True, kw_only=True):
    """Let a suspended participant submit again."""

    participant: ParticipantField
    reason: OrderField


PARTICIPANT_EXISTS = RefusalCode("participant_exists", "A participant of this id was admitted before.")
PARTICIPANT_CODE_TAKEN = RefusalCode("participant_code_taken", "The three-digit code belongs to another participant.")
ROLE_NOT_ADMITTABLE = RefusalCode("role_not_admittable", "Operator and issuer stand in genesis only.")
KEY_ALREADY_KNOWN = RefusalCode(
    "key_already_known", "A key is used once for ever; this one was admitted before, or stands twice."
)
KEY_USE_NOT_ADMITTABLE = RefusalCode(
    "key_use_not_admittable", "A participant's key serves transactions or client authentication."
)
QUORUM_UNREACHABLE = RefusalCode(
    "quorum_unreachable", "Fewer signatories hold transaction keys than the quorum asks for."
)
PARTICIPANT_NOT_FOUND = RefusalCode("participant_not_found", "The participant named in the body does not exist.")
PARTICIPANT_NOT_SUSPENDABLE = RefusalCode(
    "participant_not_suspendable", "The operator cannot suspend itself, nor the issuer."
)
ALREADY_SUSPENDED = RefusalCode("already_suspended", "The participant is suspended.", is_transient=True)
NOT_SUSPENDED = RefusalCode("not_suspended", "The participant is not suspended.", is_transient=True)

WITNESSED_ROLES: Final = frozenset({Role.SUPERVISOR, Role.AUDITOR})
"""Roles that watch over others: the issuer's quorum signs their admission and the recovery of their keys too, or the
operator could appoint its own watchmen."""

PARTICIPANT_KEY_USES: Final = (KeyUse.TRANSACTION, KeyUse.CLIENT_AUTHENTICATION)
"""Uses a participant's own key may have; holder keys come with accounts, the log key with genesis."""


def refuse_new_keys(view: View, keys: Sequence[NewKey]) -> Refused | None:
    """Refuse keys that were admitted before or stand twice, or that serve no participant's purpose."""
    kids: set[str] = set()
    for key in keys:
        kid = PublicKey.from_x(key.x).kid
        if kid in kids or view.get(KEYS, kid) is not None:
            return Refused(KEY_ALREADY_KNOWN, detail=f"key {kid}")
        kids.add(kid)
    for key in keys:
        if key.use not in PARTICIPANT_KEY_USES:
            return Refused(KEY_USE_NOT_ADMITTABLE, detail=f"use {key.use}")
    return None


def witnesses(view: View, role: Role) -> Iterable[Cosigner]:
    """Return who must sign, beside the operator, what gives a participant of this role its keys."""
    if role not in WITNESSED_ROLES:
        return ()
    issuers = (p for _, p in view.items(PARTICIPANTS) if p.role is Role.ISSUER)
    return tuple(Cosigner(role=Role.ISSUER, threshold=issuer.quorum) for issuer in issuers)


def _admit(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ParticipantAdmit = submitted.signed.body
    if view.get(PARTICIPANTS, body.participant) is not None:
        return Refused(PARTICIPANT_EXISTS, detail=f"participant {body.participant}")
    if (holder := view.get(PARTICIPANT_CODES, body.code)) is not None:
        return Refused(PARTICIPANT_CODE_TAKEN, detail=f"code {body.code} belongs to {holder}")
    if body.role not in ADMITTABLE_ROLES:
        return Refused(ROLE_NOT_ADMITTABLE, detail=f"role {body.role}")
    if refused := refuse_new_keys(view, body.keys):
        return refused
    signatories = {key.signatory for key in body.keys if key.use is KeyUse.TRANSACTION}
    if len(signatories) < body.quorum:
        return Refused(QUORUM_UNREACHABLE, detail=f"{len(signatories)} signatories for a quorum of {body.quorum}")
    # From here the admission must succeed.
    participant = Participant(name=body.name, role=body.role, code=body.code, quorum=body.quorum)
    keys = ((KEYS, PublicKey.from_x(key.x).kid, _admitted(key, body.participant)) for key in body.keys)
    return Proposal(
        changes=(
            (PARTICIPANTS, body.participant, participant),
            (PARTICIPANT_CODES, body.code, body.participant),
            *keys,
        ),
        record={},
    )


def _admitted(key: NewKey, participant: ParticipantField) -> Key:
    return Key(x=key.x, participant=participant, signatory=key.signatory, use=key.use)


def _set_suspended(view: View, participant_id: ParticipantField, is_suspended: bool) -> Proposal | Refused:
    participant = view.get(PARTICIPANTS, participant_id)
    if participant is None:
        return Refused(PARTICIPANT_NOT_FOUND, detail=f"participant {participant_id}")
    if participant.role not in ADMITTABLE_ROLES:
        return Refused(PARTICIPANT_NOT_SUSPENDABLE, detail=f"participant {participant_id} is the {participant.role}")
    if participant.is_suspended == is_suspended:
        return Refused(ALREADY_SUSPENDED if is_suspended else NOT_SUSPENDED, detail=f"participant {participant_id}")
    changed = Participant(
        name=participant.name,
        role=participant.role,
        code=participant.code,
        quorum=participant.quorum,
        is_suspended=is_suspended,
    )
    return Proposal(changes=((PARTICIPANTS, participant_id, changed),), record={})


def _suspend(view: View, submitted: Submitted) -> Proposal | Refused:
    return _set_suspended(view, submitted.signed.body.participant, is_suspended=True)


def _reinstate(view: View, submitted: Submitted) -> Proposal | Refused:
    return _set_suspended(view, submitted.signed.body.participant, is_suspended=False)


def _admission_witnesses(view: View, body: ParticipantAdmit) -> Iterable[Cosigner]:
    return witnesses(view, body.role)


def _kids(_view: View, body: ParticipantAdmit) -> Iterable[Kid]:
    return tuple(Kid(PublicKey.from_x(key.x).kid) for key in body.keys)


def _presented(body: ParticipantAdmit) -> Iterable[str]:
    return tuple(key.x for key in body.keys)


MODULE = RuleModule(
    name="admission",
    meaning="Participants, their roles, suspension.",
    kinds=(
        Kind(
            name="participant_admit",
            body=ParticipantAdmit,
            meaning="Admit an institution; each of its keys signs too.",
            refusals=(
                PARTICIPANT_EXISTS,
                PARTICIPANT_CODE_TAKEN,
                ROLE_NOT_ADMITTABLE,
                KEY_ALREADY_KNOWN,
                KEY_USE_NOT_ADMITTABLE,
                QUORUM_UNREACHABLE,
            ),
            decide=_admit,
            cosigners=_admission_witnesses,
            required_keys=_kids,
            presented_keys=_presented,
        ),
        Kind(
            name="participant_suspend",
            body=ParticipantSuspend,
            meaning="Stop a participant's own submissions.",
            refusals=(PARTICIPANT_NOT_FOUND, PARTICIPANT_NOT_SUSPENDABLE, ALREADY_SUSPENDED),
            decide=_suspend,
        ),
        Kind(
            name="participant_reinstate",
            body=ParticipantReinstate,
            meaning="Let a suspended participant submit again.",
            refusals=(PARTICIPANT_NOT_FOUND, PARTICIPANT_NOT_SUSPENDABLE, NOT_SUSPENDED),
            decide=_reinstate,
        ),
    ),
)
