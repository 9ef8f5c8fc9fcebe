"""From received bytes to a signed transaction: structure, signatures, canonical form, schema; in this order.

Everything here is stateless but for one question, "which public key has this kid", whose answer never changes: a kid
is the hash of its key. Whether the key is still good is decided in sequence.
"""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Final

import msgspec

from ledger.crypto import canonical, digest, jws
from ledger.crypto.keys import InvalidKey, InvalidSignature, PublicKey, thumbprint
from ledger.model.transactions import (
    EmbeddedJws,
    Header,
    Mandate,
    SignedTransaction,
    Transaction,
    VerifiedMandate,
)
from ledger.rules.module import Kind, nothing
from ledger.rules.rulebook import Rulebook
from ledger.units import Kid

# Several threads open submissions; the bodies are prepared by the rulebook.
_HEADER_DECODER: Final = msgspec.json.Decoder(Header)
canonical.prepare(Mandate)

PRESENTED_KEYS_MAX: Final = jws.SIGNATURES_MAX - 1
"""Most keys one transaction may bring along: each of them signs, and so does the sender."""

KeyLookup = Callable[[Kid], str | None]
"""Returns the public key (``x``) that was admitted under a kid, or None."""


class NotAdmissible(Exception):
    """The bytes are no transaction that could be decided.

    ``code`` is a problem code, ``detail`` says what was expected and what came.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def open_transaction(
    raw: bytes, *, rulebook: Rulebook, network: str, key_of: KeyLookup, checks_signatures: bool = True
) -> SignedTransaction:
    """Open and verify a submission (design section 4, step 3).

    Args:
        raw: a JWS in JSON general serialization.
        rulebook: knows the kinds and their bodies.
        network: id of this network; a transaction signed for another is not ours.
        key_of: finds the admitted public key of a kid.
        checks_signatures: False only where a signed checkpoint already vouches that they were checked.

    Raises:
        NotAdmissible: with the code of the first check that failed.
    """
    try:
        envelope = jws.parse(raw, typ=jws.TYP_TRANSACTION)
    except jws.InvalidJws as error:
        raise NotAdmissible(error.code, str(error)) from error
    kind = _kind(envelope.payload, rulebook)
    known = {signature.kid: key_of(Kid(signature.kid)) for signature in envelope.signatures}
    if not checks_signatures:
        transaction = _decode(envelope.payload, kind)
    elif None not in known.values():
        # The usual case: signature mathematics first, then the body (design D28).
        _verify(envelope, {kid: PublicKey.trusted(x) for kid, x in known.items() if x is not None})
        transaction = _decode(envelope.payload, kind)
    else:
        transaction = _decode(envelope.payload, kind)
        _verify(envelope, _with_presented(known, kind, transaction))
    for x in _few_presented(kind, transaction):
        _presented(x)
    if transaction.network != network:
        raise NotAdmissible("wrong_network", f"expected network {network}, got {transaction.network}")
    return SignedTransaction(
        transaction=transaction,
        payload=envelope.payload,
        transaction_id=digest.transaction_id(envelope.payload),
        authorised_by=digest.authorisation(
            [(signature.kid, signature.protected, signature.signature) for signature in envelope.signatures]
        ),
        signers=tuple([Kid(signature.kid) for signature in envelope.signatures]),
        submission=jws.serialize(envelope),
        mandates=()
        if kind.mandates is nothing
        else tuple([_mandate(embedded, network, key_of) for embedded in kind.mandates(transaction.body)]),
    )


def read_opened(payload: bytes, kind: Kind) -> Transaction[object]:
    """Read a payload that ``open_transaction`` has read before, without asking again whether it is canonical."""
    if kind.read_again is not None:
        return kind.read_again(payload)
    return _reader(kind.body).decode_again(payload)  # type: ignore[arg-type]


def _kind(payload: bytes, rulebook: Rulebook) -> Kind:
    try:
        name = _HEADER_DECODER.decode(payload).kind
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise NotAdmissible("payload_invalid", f"the payload is no transaction: {error}") from error
    kind = rulebook.kinds.get(name)
    if kind is None:
        raise NotAdmissible("kind_unknown", f"no kind {name!r}; known are {', '.join(sorted(rulebook.kinds))}")
    return kind


def _decode(payload: bytes, kind: Kind) -> Transaction[object]:
    try:
        return kind.read(payload) or _reader(kind.body).decode(payload)  # type: ignore[arg-type]
    except canonical.NotCanonical as error:
        raise NotAdmissible("payload_invalid", str(error)) from error


@cache
def _reader(body: Hashable) -> canonical.Reader[Transaction[object]]:
    """Return the reader of the transactions with a body, which the rulebook has prepared."""
    return canonical.reader_of(Transaction[body])  # type: ignore[valid-type]


def _with_presented(known: dict[str, str | None], kind: Kind, transaction: Transaction[object]) -> dict[str, PublicKey]:
    """Add the keys that the body itself brings along: they sign as proof of possession."""
    presented = {thumbprint(x): x for x in _few_presented(kind, transaction)}
    keys: dict[str, PublicKey] = {}
    for kid, admitted in known.items():
        if admitted is not None:
            keys[kid] = PublicKey.trusted(admitted)
        elif kid in presented:
            keys[kid] = _presented(presented[kid])
        else:
            raise NotAdmissible("key_unknown", f"key {kid} is not admitted")
    return keys


def _few_presented(kind: Kind, transaction: Transaction[object]) -> tuple[str, ...]:
    """Return the keys that the body brings along, each once. More of them than can sign beside the sender are refused
    before a curve point is looked at: a body has room for thousands.
    """
    if kind.presented_keys is nothing:
        return ()
    keys = tuple(dict.fromkeys(kind.presented_keys(transaction.body)))
    if len(keys) > PRESENTED_KEYS_MAX:
        raise NotAdmissible(
            "signatures_insufficient",
            f"expected at most {PRESENTED_KEYS_MAX} keys, each of which signs beside the sender, got {len(keys)}",
        )
    return keys


def _presented(x: str) -> PublicKey:
    try:
        return PublicKey.from_x(x)
    except InvalidKey as error:
        raise NotAdmissible("public_key_invalid", f"public key {x}: {error}") from error


def _verify(envelope: jws.Jws, keys: dict[str, PublicKey]) -> None:
    for signature in envelope.signatures:
        try:
            jws.verify_signature(envelope, signature, keys[signature.kid])
        except InvalidSignature as error:
            raise NotAdmissible("signature_invalid", f"the signature by key {signature.kid} does not hold") from error


def _mandate(embedded: EmbeddedJws, network: str, key_of: KeyLookup) -> VerifiedMandate:
    try:
        envelope = jws.parse_object(msgspec.structs.asdict(embedded), typ=jws.TYP_MANDATE)
        (signature,) = envelope.signatures
        x = key_of(Kid(signature.kid))
        if x is None:
            raise NotAdmissible("mandate_invalid", f"key {signature.kid} of a mandate is not admitted")
        jws.verify_signature(envelope, signature, PublicKey.trusted(x))
        mandate = canonical.decode(envelope.payload, Mandate)
    except (jws.InvalidJws, InvalidSignature, canonical.NotCanonical) as error:
        raise NotAdmissible("mandate_invalid", f"a mandate does not hold: {error}") from error
    if mandate.network != network:
        raise NotAdmissible("mandate_invalid", f"expected a mandate for {network}, got {mandate.network}")
    return VerifiedMandate(mandate, Kid(signature.kid), canonical.b64url(digest.tagged("mandate", envelope.payload)))
