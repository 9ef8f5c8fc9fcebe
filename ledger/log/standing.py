"""Whether a submission may take a place in its sender's share of the queue, and hear a first answer (design D5, D6).

Nothing here is final: whether a transaction is admissible is decided in sequence. But a place in a queue is taken by
whoever a transaction claims to be from, so at least one signature must be that participant's own: else strangers
could fill its share, and the urgent lane, with what will never be decided.
"""

from ledger.model.outcome import Duplicate
from ledger.model.participants import KeyUse
from ledger.model.transactions import SignedTransaction, reference_time_us
from ledger.rules.admissible import REFERENCE_AGE_MAX_US, seen_key
from ledger.rules.module import Kind
from ledger.rules.opening import NotAdmissible
from ledger.rules.tables import KEYS, PARTICIPANTS
from ledger.state import View
from ledger.units import TimestampUs


def turned_away(
    view: View, kind: Kind, signed: SignedTransaction, time_us: TimestampUs
) -> Duplicate | NotAdmissible | None:
    """Return the answer to a transaction that no key of its sender, good as of now, has signed; None for the others.

    A retry under a key that was revoked since still finds its first outcome.

    Args:
        view: the state as it is now.
        kind: of the transaction.
        signed: a transaction whose signatures hold.
        time_us: time of the last block.
    """
    problem = _without_own_key(view, kind, signed)
    if problem is None or not _is_involved(view, kind, signed):
        return problem
    transaction = signed.transaction
    made_us = reference_time_us(transaction.reference)
    seen = view.seen(seen_key(transaction.participant, transaction.reference), made_us)
    if seen is not None:
        if seen.transaction_id == signed.transaction_id[:16]:
            return Duplicate(seen.height, seen.place)
        return NotAdmissible("reference_reused", f"reference {transaction.reference} was decided with another payload")
    if made_us < time_us - REFERENCE_AGE_MAX_US:
        # Too old for the window: its first outcome may stand in the projections.
        return NotAdmissible("reference_expired", f"the time in reference {transaction.reference} is over 24 hours old")
    return problem


def _without_own_key(view: View, kind: Kind, signed: SignedTransaction) -> NotAdmissible | None:
    """None if an own key that may sign transactions did; a key that revokes itself may be of any use."""
    participant = signed.transaction.participant
    problem = None
    for kid in signed.signers:
        key = view.get(KEYS, kid)
        if key is None or key.participant != participant:
            continue
        if key.is_revoked:
            problem = problem or NotAdmissible("key_revoked", f"key {kid} is revoked")
        elif key.use is KeyUse.TRANSACTION or kind.waives_quorum(signed.body, signed.signers):
            return None
        elif kid not in kind.required_keys(view, signed.body):
            problem = problem or NotAdmissible("key_use_wrong", f"key {kid} serves {key.use}, not transaction")
    if problem is not None:
        return problem
    if view.get(PARTICIPANTS, participant) is None:
        return NotAdmissible("participant_unknown", f"no participant {participant}")
    if kind.waives_quorum(signed.body, signed.signers):
        return NotAdmissible("key_unknown", f"key {signed.signers[0]} is no key of {participant}")
    return NotAdmissible("signatures_insufficient", f"no signatory of {participant} signed")


def _is_involved(view: View, kind: Kind, signed: SignedTransaction) -> bool:
    """Whether a signer is, or once was, a key of the sender, or is one that the transaction itself asks for."""
    required = tuple(kind.required_keys(view, signed.body))
    return any(
        kid in required
        or ((key := view.get(KEYS, kid)) is not None and key.participant == signed.transaction.participant)
        for kid in signed.signers
    )
