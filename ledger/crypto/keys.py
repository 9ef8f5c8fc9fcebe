"""Ed25519 keys (RFC 8032), named by their RFC 7638 thumbprint and written as RFC 8037 JSON Web Keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from ledger.crypto.canonical import NotCanonical, b64url, b64url_decode
from ledger.crypto.digest import SIGNATURE_BYTES

KEY_BYTES: Final = 32
"""Bytes of a public key, and of the seed of a private key (RFC 8032, section 5.1.5)."""

KEYS_CACHED: Final = 65_536
"""Public keys kept ready in memory, about 500 bytes each: many more than there are signatories."""


class InvalidKey(ValueError):
    """The text or bytes are not a key this ledger admits; says why."""


class InvalidSignature(Exception):
    """The key did not make this signature over this message."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; two keys are equal when their bytes are.

    Make one with `from_raw` or `from_x`, which check the point, or with `trusted`, which does not.
    """

    raw: bytes = field(repr=False)
    """The 32 bytes of the encoded point."""
    x: str = field(init=False, repr=False, compare=False)
    """The same bytes as base64url text, as in a JSON Web Key."""
    kid: str = field(init=False, compare=False)
    """The RFC 7638 thumbprint, as base64url text."""

    def __post_init__(self) -> None:
        """Work out the other forms of the key."""
        x = b64url(self.raw)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "kid", thumbprint(x))

    @classmethod
    def from_raw(cls, raw: bytes) -> Self:
        """Return the key of 32 bytes, after checking the point they encode.

        The encoding must be canonical and the point of prime order, which leaves out the identity: under a
        point of small order one signature fits every message, under one of mixed order verifiers disagree.

        Raises:
            InvalidKey: the length is wrong or the point is not admitted.
        """
        if len(raw) != KEY_BYTES:
            raise InvalidKey(f"expected a public key of {KEY_BYTES} bytes, got {len(raw)}")
        if not crypto_core_ed25519_is_valid_point(raw):
            raise InvalidKey("expected a canonical Ed25519 point of prime order")
        return cls(raw)

    @staticmethod
    def from_x(x: str) -> "PublicKey":
        """Return the key of base64url text, checked as by `from_raw`; repeated calls cost a look-up.

        Raises:
            InvalidKey: the text is not base64url of 32 bytes, or the point is not admitted.
        """
        return _checked(x)

    @staticmethod
    def trusted(x: str) -> "PublicKey":
        """Return the key of base64url text that was checked when it was admitted, without a second check.

        Raises:
            InvalidKey: the text is not base64url of 32 bytes.
        """
        return _unchecked(x)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check that this key signed `message` (RFC 8032, section 5.1.7), strictly.

        S is below the group order, R is not of small order, and the equation is the cofactorless one, compared as
        bytes. The interpreter's lock is free meanwhile.

        Raises:
            InvalidSignature: it did not.
        """
        try:
            # The library takes both in one; a signature of another length would end inside the message.
            if len(signature) == SIGNATURE_BYTES:
                crypto_sign_open(signature + message, self.raw)
                return
        except BadSignatureError:
            pass
        raise InvalidSignature(f"key {self.kid} did not sign this message")


class PrivateKey:
    """A private key. Its secret leaves only through `to_jwk`; it is never shown or compared."""

    __slots__ = ("_signer", "public")

    public: PublicKey

    def __init__(self, signer: Ed25519PrivateKey) -> None:
        """Wrap a key of the signing library; see `generate`, `from_seed` and `from_jwk`."""
        self._signer = signer
        self.public = PublicKey(signer.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a 32-byte seed, the RFC 8032 private key.

        Raises:
            InvalidKey: the seed has another length.
        """
        if len(seed) != KEY_BYTES:
            raise InvalidKey(f"expected a seed of {KEY_BYTES} bytes, got {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """Return the key of an RFC 8037 private JSON Web Key; members it does not know are passed over.

        Raises:
            InvalidKey: `kty`, `crv`, `d` or `x` is missing or wrong, `x` or `kid` does not belong to `d`.
        """
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
            raise InvalidKey("expected a JSON Web Key with kty OKP and crv Ed25519")
        secret = jwk.get("d")
        if not isinstance(secret, str):
            raise InvalidKey("expected a private JSON Web Key, with the member d")
        key = cls.from_seed(_key_bytes(secret))
        if jwk.get("x") != key.public.x:
            raise InvalidKey("expected x to be the public key of d")
        if jwk.get("kid", key.public.kid) != key.public.kid:
            raise InvalidKey("expected kid to be the RFC 7638 thumbprint of the key")
        return key

    def to_jwk(self) -> dict[str, str]:
        """Return the RFC 8037 private JSON Web Key. It holds the secret: keep it as such."""
        seed = self._signer.private_bytes_raw()
        return {"crv": "Ed25519", "d": b64url(seed), "kid": self.public.kid, "kty": "OKP", "x": self.public.x}

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`."""
        return self._signer.sign(message)

    def __repr__(self) -> str:
        """Show the public key's thumbprint, never the secret."""
        return f"PrivateKey(kid={self.public.kid!r})"


def thumbprint(x: str) -> str:
    """Return the RFC 7638 thumbprint of the Ed25519 key with this `x`, as base64url text."""
    return b64url(sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


@lru_cache(maxsize=KEYS_CACHED)
def _checked(x: str) -> PublicKey:
    return PublicKey.from_raw(_key_bytes(x))


@lru_cache(maxsize=KEYS_CACHED)
def _unchecked(x: str) -> PublicKey:
    return PublicKey(_key_bytes(x))


def _key_bytes(text: str) -> bytes:
    """Return the 32 bytes of base64url text, without repeating the text in an error: it may be a secret."""
    try:
        return b64url_decode(text, length=KEY_BYTES)
    except NotCanonical as error:
        raise InvalidKey(f"expected base64url text of {KEY_BYTES} bytes without padding") from error
