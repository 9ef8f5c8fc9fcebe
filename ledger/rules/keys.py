"""Keys: added, rotated, revoked, recovered (design D9).

A participant's own quorum adds and rotates, the new key signing too. Any key may revoke itself, at any time. A
participant that lost its keys gets a new one from the operator's quorum, after a delay in which the old keys can
revoke it. Keys of the issuer start on the next business day.
"""

import datetime
from collections.abc import Iterable, Sequence

import msgspec

from ledger.crypto.keys import PublicKey
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Key, KeyUse, Role
from ledger.model.record import Record
from ledger.rules.admission import (
    ADMITTABLE_ROLES,
    KEY_ALREADY_KNOWN,
    KEY_USE_NOT_ADMITTABLE,
    PARTICIPANT_NOT_FOUND,
    NewKey,
    refuse_new_keys,
    witnesses,
)
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import KEYS, LEDGER, PARTICIPANTS, THE, ledger_of
from ledger.state import View
from ledger.units import (
    BUSINESS_DATE_MAX,
    BusinessDate,
    KeyField,
    Kid,
    KidField,
    OrderField,
    ParticipantField,
    ParticipantId,
    SignatoryField,
    TimestampUs,
)


class KeyAdd(Record, frozen=True, kw_only=True):
    """Add a key to the sender's own."""

    x: KeyField
    signatory: SignatoryField
    use: KeyUse


class KeyRotate(Record, frozen=True, kw_only=True):
    """Replace one of the sender's keys: the new one takes its signatory and use, the old one is revoked."""

    replaces: KidField
    x: KeyField


class KeyRevoke(Record, frozen=True, kw_only=True):
    """Revoke a key of the sender, by its quorum or by the key itself."""

    kid: KidField
    reason: OrderField


class KeyRecover(Record, frozen=True, kw_only=True):
    """Give a participant that lost its keys a new one, valid after the recovery delay."""

    participant: ParticipantField
    x: KeyField
    signatory: SignatoryField
    use: KeyUse


class LogKeyRotate(Record, frozen=True, kw_only=True):
    """Replace the key that signs checkpoints; old and new key both sign."""

    x: KeyField


KEY_NOT_FOUND = RefusalCode("key_not_found", "The key is no key of the sender.")
KEY_ALREADY_REVOKED = RefusalCode("key_already_revoked", "The key was revoked before.")
KEYS_NOT_RECOVERABLE = RefusalCode(
    "keys_not_recoverable", "Keys of the issuer and of the operator change by their own quorum only."
)
HOLDER_KEY_NOT_YOURS = RefusalCode(
    "holder_key_not_yours", "A holder key is revoked by itself only: nobody locks a holder's money in its name."
)
KEY_NOT_ROTATABLE = RefusalCode("key_not_rotatable", "Only keys of a participant itself are rotated.")


def next_day(date: BusinessDate) -> BusinessDate:
    """Return the earliest date a change "from the next business day" can mean: the next calendar day."""
    return BusinessDate((datetime.date.fromisoformat(date) + datetime.timedelta(days=1)).isoformat())


def is_business_date(date: BusinessDate) -> bool:
    """Whether a well-formed date exists in the calendar and is not after the last one the ledger can count."""
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        return False
    return date <= BUSINESS_DATE_MAX


def _start(view: View, participant: ParticipantId) -> BusinessDate:
    """First business date of a new key: at once, but for the issuer's."""
    admitted = view.get(PARTICIPANTS, participant)
    assert admitted is not None, "the participant was looked up before"
    return next_day(ledger_of(view).business_date) if admitted.role is Role.ISSUER else BusinessDate("0001-01-01")


def _add(view: View, submitted: Submitted) -> Proposal | Refused:
    body: KeyAdd = submitted.signed.body
    if refused := refuse_new_keys(view, (NewKey(x=body.x, signatory=body.signatory, use=body.use),)):
        return refused
    participant = submitted.signed.transaction.participant
    key = Key(
        x=body.x,
        participant=participant,
        signatory=body.signatory,
        use=body.use,
        active_from_date=_start(view, participant),
    )
    return Proposal(changes=((KEYS, PublicKey.from_x(body.x).kid, key),), record={})


def _rotate(view: View, submitted: Submitted) -> Proposal | Refused:
    body: KeyRotate = submitted.signed.body
    participant = submitted.signed.transaction.participant
    replaced = view.get(KEYS, body.replaces)
    if replaced is None or replaced.participant != participant:
        return Refused(KEY_NOT_FOUND, detail=f"key {body.replaces}")
    if replaced.is_revoked:
        return Refused(KEY_ALREADY_REVOKED, detail=f"key {body.replaces}")
    if replaced.use in (KeyUse.HOLDER, KeyUse.LOG):
        return Refused(KEY_NOT_ROTATABLE, detail=f"key {body.replaces} serves {replaced.use}")
    if refused := refuse_new_keys(view, (NewKey(x=body.x, signatory=replaced.signatory, use=replaced.use),)):
        return refused
    # The old key is revoked at once even where the new one starts later: rotation may be an emergency.
    key = Key(
        x=body.x,
        participant=participant,
        signatory=replaced.signatory,
        use=replaced.use,
        active_from_date=_start(view, participant),
    )
    return Proposal(
        changes=(
            (KEYS, body.replaces, msgspec.structs.replace(replaced, is_revoked=True)),
            (KEYS, PublicKey.from_x(body.x).kid, key),
        ),
        record={},
    )


def _revoke(view: View, submitted: Submitted) -> Proposal | Refused:
    body: KeyRevoke = submitted.signed.body
    key = view.get(KEYS, body.kid)
    if key is None or key.participant != submitted.signed.transaction.participant or key.use is KeyUse.LOG:
        return Refused(KEY_NOT_FOUND, detail=f"key {body.kid}")
    if key.is_revoked:
        return Refused(KEY_ALREADY_REVOKED, detail=f"key {body.kid}")
    if key.use is KeyUse.HOLDER and not _revokes_itself(body, submitted.signed.signers):
        return Refused(HOLDER_KEY_NOT_YOURS, detail=f"key {body.kid}")
    return Proposal(changes=((KEYS, body.kid, msgspec.structs.replace(key, is_revoked=True)),), record={})


def _revokes_itself(body: KeyRevoke, signers: Sequence[Kid]) -> bool:
    return tuple(signers) == (body.kid,)


def _recover(view: View, submitted: Submitted) -> Proposal | Refused:
    body: KeyRecover = submitted.signed.body
    participant = view.get(PARTICIPANTS, body.participant)
    if participant is None:
        return Refused(PARTICIPANT_NOT_FOUND, detail=f"participant {body.participant}")
    if participant.role not in ADMITTABLE_ROLES:
        return Refused(KEYS_NOT_RECOVERABLE, detail=f"participant {body.participant} is the {participant.role}")
    if refused := refuse_new_keys(view, (NewKey(x=body.x, signatory=body.signatory, use=body.use),)):
        return refused
    active_from_us = TimestampUs(submitted.time_us + ledger_of(view).recovery_delay_us)
    key = Key(
        x=body.x,
        participant=body.participant,
        signatory=body.signatory,
        use=body.use,
        active_from_us=active_from_us,
    )
    return Proposal(
        changes=((KEYS, PublicKey.from_x(body.x).kid, key),), record={"active_from_us": int(active_from_us)}
    )


def _rotate_log_key(view: View, submitted: Submitted) -> Proposal | Refused:
    body: LogKeyRotate = submitted.signed.body
    kid = Kid(PublicKey.from_x(body.x).kid)
    if view.get(KEYS, kid) is not None:
        return Refused(KEY_ALREADY_KNOWN, detail=f"key {kid}")
    # From here the rotation must succeed. The block that carries it is the last one signed by the old key, so the
    # interval of tree sizes of each key follows from the log.
    ledger = ledger_of(view)
    participant = submitted.signed.transaction.participant
    key = Key(x=body.x, participant=participant, signatory="log", use=KeyUse.LOG)
    return Proposal(
        changes=(
            (KEYS, kid, key),
            (LEDGER, THE, msgspec.structs.replace(ledger, log_key=kid)),
        ),
        record={"replaces": ledger.log_key},
    )


def _recovery_witnesses(view: View, body: KeyRecover) -> Iterable[Cosigner]:
    participant = view.get(PARTICIPANTS, body.participant)
    return () if participant is None else witnesses(view, participant.role)


def _kid_of(_view: View, body: KeyAdd | KeyRotate | KeyRecover) -> Iterable[Kid]:
    return (Kid(PublicKey.from_x(body.x).kid),)


def _old_and_new(view: View, body: LogKeyRotate) -> Iterable[Kid]:
    return (ledger_of(view).log_key, Kid(PublicKey.from_x(body.x).kid))


def _presented(body: KeyAdd | KeyRotate | KeyRecover | LogKeyRotate) -> Iterable[str]:
    return (body.x,)


MODULE = RuleModule(
    name="keys",
    meaning="Keys added, rotated, revoked and recovered; the log key rotated.",
    kinds=(
        Kind(
            name="key_add",
            body=KeyAdd,
            meaning="Add a key of the sender; the new key signs too.",
            refusals=(KEY_ALREADY_KNOWN, KEY_USE_NOT_ADMITTABLE),
            decide=_add,
            required_keys=_kid_of,
            presented_keys=_presented,
        ),
        Kind(
            name="key_rotate",
            body=KeyRotate,
            meaning="Replace a key of the sender; the new key signs too.",
            refusals=(KEY_NOT_FOUND, KEY_ALREADY_REVOKED, KEY_NOT_ROTATABLE, KEY_ALREADY_KNOWN),
            decide=_rotate,
            required_keys=_kid_of,
            presented_keys=_presented,
        ),
        Kind(
            name="key_revoke",
            body=KeyRevoke,
            meaning="Revoke a key of the sender, by quorum or by the key itself.",
            refusals=(KEY_NOT_FOUND, KEY_ALREADY_REVOKED, HOLDER_KEY_NOT_YOURS),
            decide=_revoke,
            waives_quorum=_revokes_itself,
            is_urgent=True,
        ),
        Kind(
            name="key_recover",
            body=KeyRecover,
            meaning="Give a participant that lost its keys a new one, after a delay.",
            refusals=(PARTICIPANT_NOT_FOUND, KEYS_NOT_RECOVERABLE, KEY_ALREADY_KNOWN, KEY_USE_NOT_ADMITTABLE),
            decide=_recover,
            cosigners=_recovery_witnesses,
            required_keys=_kid_of,
            presented_keys=_presented,
        ),
        Kind(
            name="log_key_rotate",
            body=LogKeyRotate,
            meaning="Replace the key that signs checkpoints; old and new key sign too.",
            refusals=(KEY_ALREADY_KNOWN,),
            decide=_rotate_log_key,
            required_keys=_old_and_new,
            presented_keys=_presented,
            ends_block=True,
        ),
    ),
)
