"""Answers as bytes: JSON by msgspec, problems by their table, and the headers every answer carries."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Send

from wallet_api import problems
from wallet_api.problems import Problem

logger = logging.getLogger(__name__)

JSON: Final = "application/json"

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"content-security-policy", b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"),
)
"""Nothing is loaded from elsewhere and nothing is framed. ``data:`` images are those inside the vendored style."""

NO_STORE: Final = (b"cache-control", b"no-store")
"""Answers are about money and change; no cache keeps one, unless the route says otherwise."""


def with_security_headers(send: Send) -> Send:
    """Return a ``send`` that adds the headers every answer carries; nothing is buffered."""

    async def decorated(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [*message["headers"]]
            # What a route says itself holds: a page with a style of its own names that style and nothing else.
            given = {name for name, _ in own}
            own += [header for header in (*SECURITY_HEADERS, NO_STORE) if header[0] not in given]
            message["headers"] = own
        await send(message)

    return decorated


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, dict(headers or {}), JSON)


def problem_answer(problem: Problem) -> Response:
    """Return a problem as its document."""
    return Response(
        problems.document(problem), problem.type.status, problems.headers(problem), media_type=problems.MEDIA_TYPE
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, without a response object: the submission route's way."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """In the order they are sent."""
    content: bytes

    async def send(self, send: Send) -> None:
        """Send it through the server."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.content})

    def to_bytes(self, *, keeps_alive: bool) -> bytes:
        """Return it as HTTP/1.1, the same bytes that the server would write."""
        lines = [b"HTTP/1.1 %d %b" % (self.status, HTTPStatus(self.status).phrase.encode())]
        lines += [b"%b: %b" % header for header in self.headers]
        if not keeps_alive:
            lines.append(b"connection: close")
        return b"\r\n".join((*lines, b"", self.content))


def reply(status: int, media_type: bytes, content: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a whole answer with the headers every answer carries."""
    own = ((name.encode(), value.encode()) for name, value in (headers or {}).items())
    return Reply(
        status,
        (
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(content)),
            NO_STORE,
            *own,
            *SECURITY_HEADERS,
        ),
        content,
    )


def problem_reply(problem: Problem) -> Reply:
    """Return a problem as a whole answer."""
    return reply(
        problem.type.status, problems.MEDIA_TYPE.encode(), problems.document(problem), problems.headers(problem)
    )


async def on_problem(_request: Request, error: Exception) -> Response:
    """Turn a route's ``Problem`` into its document."""
    assert isinstance(error, Problem), "registered for this class"
    return problem_answer(error)


async def on_internal_error(_request: Request, error: Exception) -> Response:
    """Turn what nobody foresaw into a document that gives nothing away."""
    return problem_answer(internal_error(error))


def internal_error(error: Exception) -> Problem:
    """Return the problem for what nobody foresaw; the node's log has the error under the same name."""
    problem = Problem("internal_error", f"the node failed to answer ({type(error).__name__})")
    logger.error("%s", problem.instance, exc_info=error)
    return problem
