"""What is said to a load generator and what it says back, and the requests it sends."""

from typing import Final

import msgspec

from wallet_api.bench.percentiles import Percentiles

HOST: Final = "127.0.0.1"
"""The only address load is sent to."""

SECONDS_MAX: Final = 300
"""Longest run, in seconds; what was not sent by then stays unsent."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    port: int
    requests: str
    """File of whole requests, as frames."""
    connections: int
    rate_per_s: float | None = None
    """Requests a second of an open loop; None for a closed one."""
    gives_up: bool = False
    """Whether an open loop leaves unsent what found no connection by the end of its window."""
    seconds_max: float = SECONDS_MAX


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    started_s: float
    """When the first request was meant to be sent, by the monotonic clock that all processes of a machine share."""
    seconds: float
    """From then to the last answer received."""
    window_s: float
    """The time the load was meant to take; in a closed loop, what it took."""
    sent: int
    statuses: dict[str, int]
    """Number of answers by HTTP status."""
    in_window: dict[str, int]
    """Of them, those whose head came within the window."""
    latencies_ms: Percentiles
    """From the moment each request was meant to be sent to the end of its answer; "not now" (429, 503) left out."""
    cpu_s: float
    """Processor time of the generator itself."""
    failure: str | None = None
    """Why the run broke off."""
    sample: str = ""
    """Start of the first answer that was not a success, to say what went wrong."""


def post(path: str, body: bytes, *, token: str | None = None) -> bytes:
    """Return a whole request that posts a body."""
    return (
        _head("POST", path, token) + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


def get(path: str, *, token: str | None = None) -> bytes:
    """Return a whole request that reads."""
    return _head("GET", path, token) + b"\r\n"


def _head(method: str, path: str, token: str | None) -> bytes:
    bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}".encode()
