"""The ledger's own hashes: SHA-256 with a tag in front, so that no hash made for one purpose fits another.

Hashes that a standard defines (RFC 6962 trees, RFC 7638 thumbprints, note key ids) stand elsewhere.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

DIGEST_BYTES: Final = 32
"""Bytes of a SHA-256 digest."""

SIGNATURE_BYTES: Final = 64
"""Bytes of an Ed25519 signature (RFC 8032, section 5.1.6)."""


def tagged(tag: str, data: bytes) -> bytes:
    """Return SHA-256("dt/v1/" ‖ tag ‖ a zero byte ‖ data); tags are ASCII and hold no zero byte."""
    return hashlib.sha256(b"dt/v1/%b\0%b" % (tag.encode("ascii"), data)).digest()


def transaction_id(payload: bytes) -> bytes:
    """Return the name of a transaction for ever: the digest of its canonical bytes, whoever signed them."""
    return tagged("transaction", payload)


def network_digest(genesis_document: bytes) -> bytes:
    """Return the digest of a genesis document, by which a network is told from every other."""
    return tagged("genesis", genesis_document)


def commitment(salt: bytes, value: bytes) -> bytes:
    """Return what stands in the log for a personal value: it binds to the value and does not show it.

    `salt` is 16 random bytes, kept beside the value and erased with it. Its length is fixed, and the caller's
    types hold it: with salts of many lengths, two pairs could have one digest.
    """
    return tagged("personal", salt + value)


def authorisation(signatures: Iterable[tuple[str, bytes, bytes]]) -> bytes:
    """Return the digest of who signed a transaction, whatever order the signatures came in.

    Each item is the key's `kid`, the protected header as signed (the ASCII bytes of its base64url text), and
    the 64 bytes of the signature. By ascending `kid`, each adds the length of its
    protected header (u32, big-endian) ‖ protected header ‖ signature.
    """
    data = bytearray()
    for _, protected, signature in sorted(signatures):
        assert len(signature) == SIGNATURE_BYTES, "signatures are decoded with an exact length"
        data += len(protected).to_bytes(4, "big") + protected + signature
    return tagged("authorisation", bytes(data))
