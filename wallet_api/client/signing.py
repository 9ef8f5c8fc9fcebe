"""Transactions made and signed without a connection: what is signed is bytes, and who else must sign adds to them."""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from ledger.model.transactions import EmbeddedJws, Mandate, Transaction
from ledger.units import ParticipantId, Reference, TimestampUs
from wallet_api.client.references import TimeUs, new_reference, system_time_us

NONCE_BYTES = 16
"""Random bytes of a mandate's nonce."""


def prepare(
    kind: str,
    body: object,
    *,
    network: str,
    participant: str,
    reference: Reference | None = None,
    expires_us: TimestampUs | None = None,
    time_us: TimeUs = system_time_us,
) -> bytes:
    """Return the payload of a transaction: canonical JSON, ready to be signed.

    Args:
        kind: name of the transaction kind.
        body: the kind's body, as its record or as plain data.
        network: network id.
        participant: the sender.
        reference: the sender's own id; a fresh one if none is given.
        expires_us: not decided at or after this ledger time.
        time_us: the time a fresh reference carries.
    """
    transaction = Transaction[Any](
        network=network,
        participant=ParticipantId(participant),
        kind=kind,
        reference=new_reference(time_us()) if reference is None else reference,
        body=body,
        expires=expires_us,
    )
    return canonical.encode(transaction)


def sign(payload: bytes, signers: Sequence[PrivateKey]) -> bytes:
    """Return a submission: the payload with a signature by each of the signers.

    Raises:
        InvalidJws: there are no signers or too many, or one stands twice.
    """
    return jws.serialize(jws.sign(payload, signers, typ=jws.TYP_TRANSACTION))


def add_signatures(submission: bytes, signers: Sequence[PrivateKey]) -> bytes:
    """Return a submission with further signatures at its end.

    Raises:
        InvalidJws: it is no submission, there is no room, or a signer has signed before.
    """
    envelope = jws.parse(submission, typ=jws.TYP_TRANSACTION)
    for signer in signers:
        envelope = jws.add_signature(envelope, signer, typ=jws.TYP_TRANSACTION)
    return jws.serialize(envelope)


def sign_mandate(mandate: Mandate, holder: PrivateKey) -> EmbeddedJws:
    """Return a holder's signed consent, to be embedded in a body."""
    signed = jws.sign(canonical.encode(mandate), [holder], typ=jws.TYP_MANDATE)
    return msgspec.convert(jws.serialize_object(signed), EmbeddedJws)


def new_nonce() -> str:
    """Return sixteen fresh random bytes, base64url: two equal consents are two mandates."""
    return canonical.b64url(secrets.token_bytes(NONCE_BYTES))
