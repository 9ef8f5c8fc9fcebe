"""Ways between client and node that fail, and nodes that lie: real answers, spoiled on the way."""

from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import msgspec

Spoil = Callable[[dict[str, Any]], None]
"""Changes the document of an answer."""


class Watched(httpx2.BaseTransport):
    """Passes everything on and keeps what was sent."""

    def __init__(self) -> None:
        self._real = httpx2.HTTPTransport()
        self.sent: list[tuple[str, bytes]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append((request.url.path, request.read()))
        return self.answer(request)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Ask the node."""
        return self._real.handle_request(request)

    def close(self) -> None:
        self._real.close()


class Failing(Watched):
    """Fails as told, once each, before it lets a request through."""

    def __init__(self, failures: Iterable[Exception | httpx2.Response], *, after_the_node: bool = False) -> None:
        super().__init__()
        self._failures = list(failures)
        self._after_the_node = after_the_node

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if not self._failures:
            return super().answer(request)
        failure = self._failures.pop(0)
        if self._after_the_node:
            super().answer(request).read()
        if isinstance(failure, Exception):
            raise failure
        return failure


class Lying(Watched):
    """Changes the documents of answers to requests for a path."""

    def __init__(self, path: str, spoil: Spoil) -> None:
        super().__init__()
        self._path = path
        self._spoil = spoil

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        true = super().answer(request)
        if request.url.path != self._path:
            return true
        document = msgspec.json.decode(true.read(), type=dict[str, Any])
        self._spoil(document)
        return httpx2.Response(
            document.pop("_status", true.status_code),
            headers={"content-type": true.headers["content-type"]},
            content=msgspec.json.encode(document),
        )


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    """A problem document, as a node answers it."""
    return httpx2.Response(
        status,
        headers={"content-type": "application/problem+json", **headers},
        content=msgspec.json.encode({"code": code, "detail": "told by the test", "is_transient": True}),
    )
