"""Whether a transaction may be decided at all (design D5, D6, D18): sender, policy, keys, signatures, time.

A no here is a problem, not a refusal: nothing is recorded and the reference stays unspent.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from ledger.crypto.keys import thumbprint
from ledger.model.outcome import Inadmissible
from ledger.model.participants import Cosigner, Key, KeyUse, Participant, Policy
from ledger.model.transactions import SignedTransaction
from ledger.rules.module import Kind
from ledger.rules.tables import KEYS, PARTICIPANTS, POLICIES, ledger_of
from ledger.seen import SEEN_KEY_BYTES
from ledger.state import View
from ledger.units import BusinessDate, Kid, ParticipantId, Reference, TimestampUs

REFERENCE_AGE_MAX_US: Final = 24 * 3_600_000_000
"""Oldest admissible reference, in microseconds before the ledger's time."""

REFERENCE_AHEAD_MAX_US: Final = 5 * 60_000_000
"""Newest admissible reference, in microseconds after the ledger's time."""


def seen_key(participant: ParticipantId, reference: Reference) -> bytes:
    """Return the key of a reference in the window: each participant's references are its own."""
    return hashlib.sha256(f"dt/v1/reference\0{participant}\0{reference}".encode()).digest()[:SEEN_KEY_BYTES]


def inadmissible(
    view: View, kind: Kind, signed: SignedTransaction, made_us: TimestampUs, time_us: TimestampUs
) -> Inadmissible | None:
    """Return why a transaction that was never seen may not be decided, or None if it may.

    ``made_us`` is the time in its reference.
    """
    return _age(signed, made_us, time_us) or _authority(view, kind, signed, time_us)


def _age(signed: SignedTransaction, made_us: TimestampUs, time_us: TimestampUs) -> Inadmissible | None:
    transaction = signed.transaction
    if made_us < time_us - REFERENCE_AGE_MAX_US:
        return Inadmissible("reference_expired", f"the time in reference {transaction.reference} is over 24 hours old")
    if made_us > time_us + REFERENCE_AHEAD_MAX_US:
        return Inadmissible(
            "reference_too_new",
            f"the time in reference {transaction.reference} is over 5 minutes ahead of the ledger",
        )
    if transaction.expires is not None and transaction.expires <= time_us:
        return Inadmissible("transaction_expired", f"expired at {transaction.expires}, ledger time is {time_us}")
    return None


def _authority(view: View, kind: Kind, signed: SignedTransaction, time_us: TimestampUs) -> Inadmissible | None:
    transaction = signed.transaction
    sender = view.get(PARTICIPANTS, transaction.participant)
    if sender is None:
        return Inadmissible("participant_unknown", f"no participant {transaction.participant}")
    if kind.waives_quorum(signed.body, signed.signers):
        return _own_key_only(view, signed)
    if sender.is_suspended:
        return Inadmissible("participant_suspended", f"participant {transaction.participant} is suspended")
    business_date = ledger_of(view).business_date
    dated = view.get(POLICIES, transaction.kind)
    policy = None if dated is None else dated.on(business_date)
    if policy is None or sender.role not in policy.roles:
        return Inadmissible(
            "kind_not_permitted", f"a participant of role {sender.role} may not send {transaction.kind}"
        )
    return _signatures(view, kind, signed, sender, policy, time_us, business_date)


def _own_key_only(view: View, signed: SignedTransaction) -> Inadmissible | None:
    for kid in signed.signers:
        key = view.get(KEYS, kid)
        if key is None or key.participant != signed.transaction.participant:
            return Inadmissible("key_unknown", f"key {kid} is no key of {signed.transaction.participant}")
        if key.is_revoked:
            return Inadmissible("key_revoked", f"key {kid} is revoked")
    return None


def _signatures(
    view: View,
    kind: Kind,
    signed: SignedTransaction,
    sender: Participant,
    policy: Policy,
    time_us: TimestampUs,
    business_date: BusinessDate,
) -> Inadmissible | None:
    """Sort each signature to those who were asked; then count people, not keys."""
    participant = signed.transaction.participant
    required = _required(view, kind, signed)
    cosigners = (*policy.cosigners, *kind.cosigners(view, signed.body))
    own: set[str] = set()
    others: list[set[tuple[str, str]]] = [set() for _ in cosigners]
    for kid in signed.signers:
        key = view.get(KEYS, kid)
        if kid in required:
            if key is not None and (problem := _unusable(kid, key, time_us, business_date)):
                return problem
            continue
        if key is None:
            return Inadmissible("key_unknown", f"key {kid} is not admitted")
        if problem := _unusable(kid, key, time_us, business_date):
            return problem
        if key.use is not KeyUse.TRANSACTION:
            return Inadmissible("key_use_wrong", f"key {kid} serves {key.use}, not transaction")
        if not _sort(view, key, participant, own, cosigners, others):
            return Inadmissible("signature_unasked", f"nobody asked for a signature by key {kid} of {key.participant}")
    return _short(signed, sender, policy, required, own, cosigners, others)


def _required(view: View, kind: Kind, signed: SignedTransaction) -> frozenset[Kid]:
    """The keys that must sign whatever the policy says.

    An admitted key of another participant is asked for only if the body itself presents it. Else the missing
    signature would tell a stranger that an account exists, which the posting rules tell nobody (design D26).
    """
    keys = tuple(kind.required_keys(view, signed.body))
    if not keys:
        return frozenset()
    presented = {thumbprint(x) for x in kind.presented_keys(signed.body)}
    return frozenset(
        kid
        for kid in keys
        if kid in presented or (key := view.get(KEYS, kid)) is None or key.participant == signed.transaction.participant
    )


def _unusable(kid: Kid, key: Key, time_us: TimestampUs, business_date: BusinessDate) -> Inadmissible | None:
    if key.is_revoked:
        return Inadmissible("key_revoked", f"key {kid} is revoked")
    if key.active_from_us > time_us or key.active_from_date > business_date:
        return Inadmissible("key_not_active", f"key {kid} is not valid yet")
    return None


def _sort(
    view: View,
    key: Key,
    participant: ParticipantId,
    own: set[str],
    cosigners: tuple[Cosigner, ...],
    others: list[set[tuple[str, str]]],
) -> bool:
    """Note the signatory with everyone who asked for it; whether anyone did."""
    is_asked = key.participant == participant
    if is_asked:
        own.add(key.signatory)
    if not cosigners:
        return is_asked
    signer = view.get(PARTICIPANTS, key.participant)
    assert signer is not None, "a key belongs to a participant"
    for cosigner, signatories in zip(cosigners, others, strict=True):
        if signer.is_suspended:
            continue
        if key.participant == cosigner.participant or (cosigner.participant is None and signer.role is cosigner.role):
            signatories.add((key.participant, key.signatory))
            is_asked = True
    return is_asked


def _short(
    signed: SignedTransaction,
    sender: Participant,
    policy: Policy,
    required: Iterable[Kid],
    own: set[str],
    cosigners: tuple[Cosigner, ...],
    others: list[set[tuple[str, str]]],
) -> Inadmissible | None:
    own_threshold = policy.own or sender.quorum
    if len(own) < own_threshold:
        return Inadmissible(
            "signatures_insufficient",
            f"{len(own)} of {own_threshold} signatories of {signed.transaction.participant} signed",
        )
    for cosigner, signatories in zip(cosigners, others, strict=True):
        if len(signatories) < cosigner.threshold:
            who = cosigner.participant or cosigner.role
            return Inadmissible(
                "signatures_insufficient",
                f"{len(signatories)} of {cosigner.threshold} signatories of {who} signed",
            )
    for kid in required:
        if kid not in signed.signers:
            return Inadmissible("signatures_insufficient", f"the signature of key {kid} is missing")
    return None
