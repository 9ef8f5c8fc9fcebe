"""Signed bytes in transit: JSON Web Signatures (RFC 7515) with Ed25519, read as strictly as they can be.

A protected header has exactly the members `alg`, `kid` and `typ`. `typ` says what the bytes were signed for,
so nothing signed for one purpose serves another. There is no unprotected header. Members stand once, in any
order; white space between them is allowed, for a JWS is an envelope and only what is inside it is hashed.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from ledger.crypto import canonical
from ledger.crypto.canonical import NotCanonical, b64url_bytes, b64url_decode
from ledger.crypto.digest import DIGEST_BYTES, SIGNATURE_BYTES
from ledger.crypto.keys import InvalidSignature, PrivateKey, PublicKey

SIGNATURES_MAX: Final = 16
"""Signatures of one JWS: the largest quorum, the holder and the operator fit with room to spare."""

PROTECTED_CHARACTERS_MAX: Final = 512
"""Base64url characters of a protected header. The longest needs about 150; the cache keeps nothing larger."""

HEADERS_CACHED: Final = 16_384
"""Protected headers kept in parsed form: one for each key and purpose in daily use."""

Algorithm = Literal["Ed25519", "EdDSA"]

ALGORITHMS: Final = ("Ed25519", "EdDSA")
"""The name of RFC 9864 and the older one of RFC 8037; both mean Ed25519 here."""

TYP_TRANSACTION: Final = "dt-transaction+json"
"""A transaction, for the ledger to decide."""
TYP_MANDATE: Final = "dt-mandate+json"
"""A holder's leave to debit an account, embedded in transactions."""
TYP_CLIENT: Final = "client-authentication+jwt"
"""A client's proof of who it is, to get an access token (RFC 7523)."""


class InvalidJws(ValueError):
    """The bytes are not a JWS this ledger accepts."""

    code: str
    """Stable name of what is wrong: `jws_malformed`, `jws_header_invalid`, `jws_algorithm_invalid`,
    `jws_type_invalid`, `jws_signature_count` or `jws_duplicate_key`."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code, and a message that says what was expected and got."""
        message = message[: canonical.MESSAGE_CHARACTERS_MAX]
        super().__init__(message if message.isprintable() else ascii(message))
        self.code = code


class Signature(msgspec.Struct, frozen=True):
    """One signature and the header it covers."""

    kid: str
    """Thumbprint of the key that is said to have signed."""
    protected: bytes
    """The protected header as signed: the ASCII bytes of its base64url text."""
    signature: bytes
    """64 bytes."""


class Jws(msgspec.Struct, frozen=True):
    """A payload and the signatures over it, in the order they came; nothing is verified yet."""

    payload: bytes
    """The signed bytes."""
    signatures: tuple[Signature, ...]
    """One to `SIGNATURES_MAX`, each with another `kid`."""
    payload_b64: bytes = b""
    """The payload's base64url text, kept so that a large payload is encoded once; this module fills it in."""

    def __post_init__(self) -> None:
        """Encode the payload, unless that was done before."""
        if not self.payload_b64:
            msgspec.structs.force_setattr(self, "payload_b64", b64url_bytes(self.payload))


class _SignatureMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    protected: str
    signature: str


class _GeneralMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    signatures: list[_SignatureMembers]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


_GENERAL_DECODER: Final = msgspec.json.Decoder(_GeneralMembers)
_HEADER_DECODER: Final = msgspec.json.Decoder(_Header)

_GENERAL_QUOTES: Final = 6
"""Quotation marks of the outer object: two around each of `payload`, its text, and `signatures`."""
_SIGNATURE_QUOTES: Final = 8
"""Quotation marks of one signature: two around each of two names and two texts."""
_HEADER_QUOTES: Final = 12
"""Quotation marks of a header: two around each of three names and three texts."""


def parse(raw: bytes, *, typ: str) -> Jws:
    """Return the JWS in general JSON serialization (RFC 7515, section 7.2.1), every signature made for `typ`.

    Raises:
        InvalidJws: by its `code`.
    """
    try:
        members = _GENERAL_DECODER.decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidJws("jws_malformed", f"expected a JWS in general JSON serialization: {error}") from error
    count = len(members.signatures)
    if not 1 <= count <= SIGNATURES_MAX:
        raise InvalidJws("jws_signature_count", f"expected 1 to {SIGNATURES_MAX} signatures, got {count}")
    _check_quotes(raw, _GENERAL_QUOTES + _SIGNATURE_QUOTES * count, "jws_malformed")
    signatures = tuple([_signature(each.protected, each.signature, typ) for each in members.signatures])
    if count > 1 and len({signature.kid for signature in signatures}) != count:
        raise InvalidJws("jws_duplicate_key", "expected each key to sign once")
    return _jws(members.payload, signatures)


def parse_flattened(payload: str, protected: str, signature: str, *, typ: str) -> Jws:
    """Return the JWS of the three base64url texts that the flattened and compact forms consist of.

    Raises:
        InvalidJws: by its `code`.
    """
    return _jws(payload, (_signature(protected, signature, typ),))


def parse_object(members: Mapping[str, object], *, typ: str) -> Jws:
    """Return the JWS of an object in flattened JSON serialization (RFC 7515, section 7.2.2), as mandates are.

    Raises:
        InvalidJws: by its `code`.
    """
    match dict(members):
        case {
            "payload": str(payload),
            "protected": str(protected),
            "signature": str(signature),
            **others,
        } if not others:
            return parse_flattened(payload, protected, signature, typ=typ)
        case _:
            raise InvalidJws("jws_malformed", "expected exactly the texts payload, protected and signature")


def parse_compact(text: str, *, typ: str) -> Jws:
    """Return the JWS in compact serialization (RFC 7515, section 7.1), as client authentication is.

    Raises:
        InvalidJws: by its `code`.
    """
    match text.split(".", maxsplit=3):
        case [protected, payload, signature]:
            return parse_flattened(payload, protected, signature, typ=typ)
        case _:
            raise InvalidJws("jws_malformed", "expected three base64url texts with two dots between them")


def serialize(jws: Jws) -> bytes:
    """Return the general JSON serialization in canonical form, the signatures in their order."""
    signatures = b",".join(
        [
            b'{"protected":"%b","signature":"%b"}' % (each.protected, b64url_bytes(each.signature))
            for each in jws.signatures
        ]
    )
    return b'{"payload":"%b","signatures":[%b]}' % (jws.payload_b64, signatures)


def serialize_object(jws: Jws) -> dict[str, str]:
    """Return the flattened JSON serialization of a JWS with one signature."""
    protected, payload, signature = serialize_compact(jws).split(".")
    return {"payload": payload, "protected": protected, "signature": signature}


def serialize_compact(jws: Jws) -> str:
    """Return the compact serialization of a JWS with one signature."""
    (only,) = jws.signatures
    return b".".join((only.protected, jws.payload_b64, b64url_bytes(only.signature))).decode("ascii")


def signing_input(protected: bytes, payload: bytes) -> bytes:
    """Return the bytes that are signed: the protected header, a dot, and the payload as base64url."""
    return b"%b.%b" % (protected, b64url_bytes(payload))


def sign(payload: bytes, keys: Sequence[PrivateKey], *, typ: str, algorithm: Algorithm = "Ed25519") -> Jws:
    """Return `payload` signed for `typ` by each of the keys.

    Raises:
        InvalidJws: there are no keys or too many, or one stands twice.
    """
    if not keys:
        raise InvalidJws("jws_signature_count", f"expected 1 to {SIGNATURES_MAX} signatures, got 0")
    jws = Jws(payload, ())
    for key in keys:
        jws = add_signature(jws, key, typ=typ, algorithm=algorithm)
    return jws


def add_signature(jws: Jws, key: PrivateKey, *, typ: str, algorithm: Algorithm = "Ed25519") -> Jws:
    """Return the JWS with one more signature at the end.

    Raises:
        InvalidJws: there is no room for another signature, or the key has signed before.
    """
    kid = key.public.kid
    if len(jws.signatures) == SIGNATURES_MAX:
        raise InvalidJws("jws_signature_count", f"expected at most {SIGNATURES_MAX} signatures")
    if any(signature.kid == kid for signature in jws.signatures):
        raise InvalidJws("jws_duplicate_key", f"expected each key to sign once, got {kid} again")
    protected = b64url_bytes(canonical.encode({"alg": algorithm, "kid": kid, "typ": typ}))
    signature = Signature(kid, protected, key.sign(b"%b.%b" % (protected, jws.payload_b64)))
    return Jws(jws.payload, (*jws.signatures, signature), jws.payload_b64)


def verify_signature(jws: Jws, signature: Signature, key: PublicKey) -> None:
    """Check that `key` is the one the signature names and made it over this payload and its own header.

    Raises:
        InvalidSignature: it is not, or did not.
    """
    if key.kid != signature.kid:
        raise InvalidSignature(f"expected a signature by key {key.kid}, got one by {signature.kid}")
    key.verify(signature.signature, b"%b.%b" % (signature.protected, jws.payload_b64))


def _jws(payload: str, signatures: tuple[Signature, ...]) -> Jws:
    """Return the JWS of a payload's base64url text."""
    try:
        return Jws(b64url_decode(payload), signatures, payload.encode("ascii"))
    except NotCanonical as error:
        raise InvalidJws("jws_malformed", f"payload: {error}") from error


def _signature(protected: str, signature: str, typ: str) -> Signature:
    """Return one signature from its base64url texts, made for `typ`."""
    header = _header(protected)
    if header.typ != typ:
        raise InvalidJws("jws_type_invalid", f"expected typ {typ}, got {header.typ!r}")
    try:
        return Signature(header.kid, protected.encode("ascii"), b64url_decode(signature, length=SIGNATURE_BYTES))
    except NotCanonical as error:
        raise InvalidJws("jws_malformed", f"signature: {error}") from error


@lru_cache(maxsize=HEADERS_CACHED)
def _header(protected: str) -> _Header:
    """Return the protected header of a base64url text, its algorithm and the form of its `kid` checked."""
    if len(protected) > PROTECTED_CHARACTERS_MAX:
        raise InvalidJws("jws_header_invalid", f"expected a header of at most {PROTECTED_CHARACTERS_MAX} characters")
    try:
        raw = b64url_decode(protected)
        header = _HEADER_DECODER.decode(raw)
        b64url_decode(header.kid, length=DIGEST_BYTES)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidJws("jws_header_invalid", f"protected header: {error}") from error
    if header.alg not in ALGORITHMS:
        raise InvalidJws("jws_algorithm_invalid", f"expected alg {' or '.join(ALGORITHMS)}, got {header.alg!r}")
    _check_quotes(raw, _HEADER_QUOTES, "jws_header_invalid")
    return header


def _check_quotes(raw: bytes, count: int, code: str) -> None:
    """Refuse duplicate members and escapes, which the decoder lets through.

    Every name and text that is allowed here is free of quotation marks, and a further member brings further
    ones, so their number tells whether each member stood once; without a backslash they all delimit.
    """
    if raw.count(b'"') != count or b"\\" in raw:
        raise InvalidJws(code, "expected each member once and no escapes")
