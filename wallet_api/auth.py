"""Who reads: bearer tokens for clients that prove themselves with a signed assertion (design D26; RFC 7523, RFC 6750).

A token is opaque, random, short-lived, and dies with the key that asked for it. A suspended participant still reads:
its accounts are still credited, and it must be able to see that (design D18).
"""

import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from ledger.crypto import jws
from ledger.crypto.keys import InvalidSignature, PublicKey
from ledger.model.participants import Key, KeyUse, Role
from ledger.rules.tables import KEYS, PARTICIPANTS, ledger_of
from ledger.state import View
from ledger.units import Kid, ParticipantId, TimestampUs
from settlement.model.authorities import EVERY_PART, Part
from settlement.rules.authorities import readable_parts
from wallet_api.problems import Problem

TOKEN_BYTES: Final = 32
"""Random bytes of a token."""

ASSERTION_LIFETIME_MAX_S: Final = 60
"""Longest life of a client assertion, from ``iat`` to ``exp``, in seconds."""

CLOCK_SKEW_MAX_S: Final = 5
"""How far a client's clock may be ahead, in seconds."""

TOKENS_PER_KEY_MAX: Final = 256
"""Live tokens of one key; a further one ends the oldest."""

ASSERTIONS_PER_KEY_MAX: Final = 1_024
"""Assertions of one key that are remembered, so that each is used once; more in a minute are refused."""

ASSERTION_CHARACTERS_MAX: Final = 4_096
"""Longest client assertion."""

TOKEN_REQUEST_BYTES_MAX: Final = 8_192
"""Longest token request, in bytes."""

FORM_FIELDS_MAX: Final = 8
"""Most fields of a token request; three are known."""

GRANT_TYPE: Final = "client_credentials"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Grant:
    """Who is reading."""

    participant: ParticipantId
    role: Role
    kid: Kid
    parts: frozenset[Part] = frozenset()
    """What it reads of everybody, besides all that is its own."""

    @property
    def reads_everything(self) -> bool:
        """Whether every account and transaction is open to it."""
        return Part.CASES in self.parts

    def reads_of(self, owner: str) -> frozenset[Part]:
        """Return the parts that it reads of a miner or an exchange: every one of its own."""
        return EVERY_PART if owner == self.participant else self.parts


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token (RFC 6749, section 5.1)."""

    access_token: str
    """Opaque; sent as ``Authorization: Bearer ...``."""
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a secret
    expires_in: int
    """Seconds it is good for, unless its key is revoked before."""


NumericDate = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims of a client assertion."""

    iss: str
    sub: str
    aud: str
    iat: NumericDate
    exp: NumericDate
    jti: Annotated[str, Meta(min_length=16, max_length=64)]
    nbf: NumericDate | None = None


class Tokens:
    """The tokens that are good now, and the assertions that were used. In memory: a restart ends all of them."""

    def __init__(
        self,
        *,
        view: Callable[[], View],
        ledger_time_us: Callable[[], TimestampUs],
        audience: str,
        lifetime_s: int,
        now_s: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        """Give and check tokens.

        Args:
            view: the ledger's state as it is now: keys and participants.
            ledger_time_us: the ledger's time, by which keys become valid.
            audience: what ``aud`` must be.
            lifetime_s: of a token.
            now_s: wall clock; assertions are about this door, not about ledger time.
            randomness: a cryptographic generator of text, given a number of bytes.
        """
        self._view = view
        self._ledger_time_us = ledger_time_us
        self._audience = audience
        self._lifetime_s = lifetime_s
        self._now_s = now_s
        self._randomness = randomness
        # Kept by digest: a look-up by secret would take a time that depends on the secret.
        self._grants: OrderedDict[bytes, tuple[Kid, float]] = OrderedDict()
        self._of_key: dict[Kid, OrderedDict[bytes, None]] = {}
        self._used: dict[Kid, dict[str, float]] = {}

    def grant(self, authorization: str | None) -> Grant:
        """Return who an ``Authorization`` header speaks for.

        Raises:
            Problem: ``token_missing`` or ``token_invalid``.
        """
        if authorization is None:
            raise Problem("token_missing", "expected the header Authorization: Bearer and a token from /v1/token")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem("token_invalid", "expected the header Authorization: Bearer and a token from /v1/token")
        kid, expires_s = self._grants.get(_digest(token), (None, 0.0))
        if kid is None or expires_s <= self._now_s():
            raise Problem("token_invalid", "the token is unknown or expired; ask for another at /v1/token")
        key = self._view().get(KEYS, kid)
        if key is None or key.is_revoked:
            raise Problem("token_invalid", "the key that asked for the token was revoked")
        return self._granted(kid, key)

    def issue(self, form: bytes) -> TokenAnswer:
        """Return a token for a token request, ``application/x-www-form-urlencoded``.

        Raises:
            Problem: ``request_invalid``, ``grant_type_unsupported``, ``client_authentication_invalid``,
                ``tokens_too_many``.
        """
        assertion = _assertion(form)
        kid, claims = self._prove(assertion)
        self._use_once(kid, claims)
        token = self._randomness(TOKEN_BYTES)
        self._keep(kid, _digest(token))
        return TokenAnswer(access_token=token, expires_in=self._lifetime_s)

    def _prove(self, assertion: str) -> tuple[Kid, Claims]:
        """(1) Structure; (2) signature; (3) claims; (4) the key, as it is now."""
        try:
            envelope = jws.parse_compact(assertion, typ=jws.TYP_CLIENT)
            (signature,) = envelope.signatures
            kid = Kid(signature.kid)
            key = self._view().get(KEYS, kid)
            if key is None:
                raise _refused(f"key {kid} is not admitted")
            jws.verify_signature(envelope, signature, PublicKey.trusted(key.x))
        except (jws.InvalidJws, InvalidSignature) as error:
            raise _refused(f"the assertion does not hold: {error}") from error
        claims = _claims(envelope.payload)
        self._check_claims(claims, key)
        if key.use is not KeyUse.CLIENT_AUTHENTICATION:
            raise _refused(f"key {kid} serves {key.use}, not client_authentication")
        is_early = (
            key.active_from_us > self._ledger_time_us() or key.active_from_date > ledger_of(self._view()).business_date
        )
        if key.is_revoked or is_early:
            raise _refused(f"key {kid} is revoked, or not valid yet")
        return kid, claims

    def _check_claims(self, claims: Claims, key: Key) -> None:
        now_s = self._now_s()
        if claims.iss != claims.sub or claims.sub != key.participant:
            raise _refused(f"iss and sub: expected the key's participant, {key.participant}")
        if claims.aud != self._audience:
            raise _refused(f"aud: expected {self._audience}")
        if not 0 < claims.exp - claims.iat <= ASSERTION_LIFETIME_MAX_S:
            raise _refused(f"exp: expected at most {ASSERTION_LIFETIME_MAX_S} seconds after iat")
        if max(claims.iat, claims.nbf or 0) > now_s + CLOCK_SKEW_MAX_S:
            raise _refused("iat, nbf: expected a time that has come")
        if claims.exp <= now_s:
            raise _refused("exp: the assertion has expired")

    def _use_once(self, kid: Kid, claims: Claims) -> None:
        now_s = self._now_s()
        used = self._used.setdefault(kid, {})
        for jti in [jti for jti, expires_s in used.items() if expires_s <= now_s]:
            del used[jti]
        if claims.jti in used:
            raise _refused("jti: the assertion was used before")
        if len(used) >= ASSERTIONS_PER_KEY_MAX:
            raise Problem(
                "tokens_too_many",
                f"expected at most {ASSERTIONS_PER_KEY_MAX} assertions of one key in a minute; a token may be reused",
                retry_after_s=ASSERTION_LIFETIME_MAX_S,
            )
        used[claims.jti] = claims.exp

    def _keep(self, kid: Kid, digest: bytes) -> None:
        now_s = self._now_s()
        # Tokens live equally long, so the oldest expire first.
        while self._grants and next(iter(self._grants.values()))[1] <= now_s:
            self._forget(next(iter(self._grants)))
        own = self._of_key.setdefault(kid, OrderedDict())
        if len(own) >= TOKENS_PER_KEY_MAX:
            self._forget(next(iter(own)))
            own = self._of_key.setdefault(kid, OrderedDict())
        own[digest] = None
        self._grants[digest] = (kid, now_s + self._lifetime_s)

    def _forget(self, digest: bytes) -> None:
        kid, _ = self._grants.pop(digest)
        own = self._of_key[kid]
        del own[digest]
        if not own:
            del self._of_key[kid]

    def _granted(self, kid: Kid, key: Key) -> Grant:
        participant = self._view().get(PARTICIPANTS, key.participant)
        assert participant is not None, "a key belongs to a participant"
        parts = readable_parts(self._view(), key.participant, participant.role, self._ledger_time_us())
        return Grant(key.participant, participant.role, kid, parts)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _assertion(form: bytes) -> str:
    """Return the assertion in a token request whose other fields are as they must be."""
    try:
        fields = parse_qsl(
            form.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise Problem("request_invalid", f"expected a form, application/x-www-form-urlencoded: {error}") from error
    members = dict(fields)
    if len(members) < len(fields):
        raise Problem("request_invalid", "expected each field of the form once")
    if "grant_type" not in members:
        raise Problem("request_invalid", f"grant_type: expected {GRANT_TYPE}")
    if members.pop("grant_type") != GRANT_TYPE:
        raise Problem(
            "grant_type_unsupported",
            f"grant_type: expected {GRANT_TYPE}",
            members={"error": "unsupported_grant_type"},
        )
    if members.pop("client_assertion_type", None) != ASSERTION_TYPE:
        raise Problem("request_invalid", f"client_assertion_type: expected {ASSERTION_TYPE}")
    assertion = members.pop("client_assertion", "")
    if not 1 <= len(assertion) <= ASSERTION_CHARACTERS_MAX:
        raise Problem(
            "request_invalid", f"client_assertion: expected a JWT of at most {ASSERTION_CHARACTERS_MAX} characters"
        )
    # Scopes are not used here, and RFC 7521 lets a client repeat its name; nothing else is known.
    if unknown := sorted(set(members) - {"client_id"}):
        raise Problem("request_invalid", f"expected no further fields in the form, got {', '.join(unknown)}")
    return assertion


def _claims(payload: bytes) -> Claims:
    try:
        members = json.loads(payload, object_pairs_hook=_once, parse_float=_no_number, parse_constant=_no_number)
        return msgspec.convert(members, Claims, strict=True)
    except (ValueError, RecursionError) as error:
        raise _refused(f"the claims do not hold: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that stands twice."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("expected each claim once")
    return members


def _no_number(text: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"expected integers, got {text[:20]}")


def _refused(detail: str) -> Problem:
    return Problem("client_authentication_invalid", detail, members={"error": "invalid_client"})
