"""The HTTP side of a client: the same bytes again until there is an answer, and the token that reading needs."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import msgspec

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from wallet_api.client.failures import Problem, UnexpectedAnswer, Unreachable
from wallet_api.client.references import system_time_us

TRY_AGAIN: Final = frozenset({429, 503})
"""Statuses that say "not now": the same bytes may be taken later."""

ASSERTION_LIFE_S: Final = 60
"""Life of a client's proof of who it is, in seconds: the longest the door takes."""

TOKEN_MARGIN_S: Final = 15.0
"""A token is renewed this long before it ends, in seconds."""

TOKEN_PATH: Final = "/v1/token"  # noqa: S105 - an address, not a secret
"""Where tokens are given."""

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, section 2.2."""

SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a client goes on trying."""

    give_up_after_s: float = 60.0
    """Seconds from the first attempt; an answer that comes later is fetched by sending the same bytes again."""
    first_wait_s: float = 0.05
    longest_wait_s: float = 5.0


class Connection:
    """Sends requests to one node and reads its answers. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        *,
        retry: Retry,
        http: httpx2.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http or httpx2.Client(base_url=base_url, timeout=httpx2.Timeout(30.0), trust_env=False)
        self._retry = retry
        self._sleep = sleep
        self._monotonic = monotonic

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Return the node's answer, whatever its status, after waiting out "not now" and broken connections.

        Raises:
            Unreachable: no answer within the time the client is willing to try.
        """
        started = self._monotonic()
        attempt = 0
        while True:
            answer, wait_s, cause = self._attempt(method, path, content, params, headers)
            if answer is not None and answer.status_code not in TRY_AGAIN:
                return answer
            # Full jitter: clients that were turned away together do not come back together.
            backoff_s = min(self._retry.longest_wait_s, self._retry.first_wait_s * 2**attempt)
            wait_s = max(wait_s, random.uniform(0.0, backoff_s))  # noqa: S311 - spreads load, hides nothing
            if self._monotonic() - started + wait_s > self._retry.give_up_after_s:
                if answer is not None:
                    return answer
                raise Unreachable(f"{method} {path}: no answer after {attempt + 1} attempts: {cause}", content)
            attempt += 1
            self._sleep(wait_s)

    def _attempt(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[httpx2.Response | None, float, str]:
        try:
            answer = self._http.request(method, path, content=content, params=params, headers=headers)
        except httpx2.TransportError as error:
            return None, 0.0, f"{type(error).__name__}: {error}"
        return answer, _retry_after_s(answer), f"status {answer.status_code}"


class TokenSource:
    """Gets and keeps a bearer token for reading (RFC 6749 client_credentials with RFC 7523). Safe between threads."""

    def __init__(
        self,
        connection: Connection,
        *,
        audience: str,
        participant: str,
        key: PrivateKey,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._audience = audience
        self._participant = participant
        self._key = key
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        """Return a token that is good for a while yet.

        Raises:
            Problem: the node does not take the proof.
        """
        with self._lock:
            if self._monotonic() >= self._good_until:
                self._renew()
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that the node no longer takes."""
        with self._lock:
            if token == self._token:
                self._good_until = 0.0

    def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        answer = self._connection.send(
            "POST",
            TOKEN_PATH,
            content=str(httpx2.QueryParams(form)).encode(),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        if answer.status_code != httpx2.codes.OK:
            raise problem_of(answer)
        granted = answer.json()
        self._token = granted["access_token"]
        self._good_until = self._monotonic() + granted["expires_in"] - TOKEN_MARGIN_S

    def _assertion(self) -> str:
        # The wall clock's time, in a sandbox too: the proof is about this door, not about ledger time.
        now_s = system_time_us() // SECOND_US
        claims = {
            "aud": self._audience,
            "exp": now_s + ASSERTION_LIFE_S - 1,
            "iat": now_s,
            "iss": self._participant,
            "jti": secrets.token_urlsafe(16),
            "sub": self._participant,
        }
        signed = jws.sign(canonical.encode(claims), [self._key], typ=jws.TYP_CLIENT)
        return jws.serialize_compact(signed)


def problem_of(answer: httpx2.Response) -> Problem | UnexpectedAnswer:
    """Return what a problem document (RFC 9457) says, as an exception to raise."""
    try:
        members = msgspec.json.decode(answer.content, type=dict[str, Any])
        code = members["code"]
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        kind = answer.headers.get("content-type", "no content type")
        return UnexpectedAnswer(f"expected a problem document, got status {answer.status_code} with {kind}")
    return Problem(
        str(code),
        str(members.get("detail", "")),
        status=answer.status_code,
        is_transient=bool(members.get("is_transient", False)),
        members=members,
    )


def _retry_after_s(answer: httpx2.Response) -> float:
    """Return the seconds a node asks to wait; 0 where it does not say, or says it as a date."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0
