"""The load generator: a process of its own that sends prepared requests and counts the answers.

Closed loop: each connection sends its next request when it has the answer to the last. Plain HTTP/1.1 on kept
connections, with only so much of an answer read as tells its status and its end, so that the generator is not what is
measured. It talks to 127.0.0.1 only, sends each request once, and stops by itself when time is up.

As a program it reads a :class:`Plan` as JSON from standard input and writes a :class:`Result` to standard output.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from wallet_api.bench.frames import read_frames, write_frames

HOST: Final = "127.0.0.1"
"""The only address load is sent to."""

SECONDS_MAX: Final = 120
"""Longest run, in seconds; what was not sent by then stays unsent."""

GRACE_SECONDS: Final = 30
"""How long after the end of its time a generator is waited for before it is killed."""

_HEADERS_END: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = b"content-length:"
_STATUS: Final = slice(9, 12)


class LoadFailed(Exception):
    """The load did not run as planned, or an answer was not the one expected."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    port: int
    requests: str
    """File of whole requests, as frames."""
    connections: int
    seconds_max: float = SECONDS_MAX


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    started_s: float
    """When the first request was sent, by the monotonic clock that all processes of a machine share."""
    seconds: float
    """From then to the last answer received."""
    statuses: dict[str, int]
    """Number of answers by HTTP status."""
    latencies_ms: list[float]
    """Of each request, in the order of the answers."""
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


def send(requests: Sequence[bytes], *, port: int, connections: int, folder: Path, status: int) -> Result:
    """Send prepared requests from a process of its own; returns when the last is answered.

    Raises:
        LoadFailed: the run broke off, or an answer had another status than the one given.
    """
    path = folder / "requests"
    write_frames(path, requests)
    plan = Plan(port=port, requests=str(path), connections=connections)
    done = subprocess.run(
        [sys.executable, "-m", "wallet_api.bench.load"],
        input=msgspec.json.encode(plan),
        stdout=subprocess.PIPE,
        timeout=plan.seconds_max + GRACE_SECONDS,
        check=True,
    )
    path.unlink()
    result = msgspec.json.decode(done.stdout, type=Result)
    if result.failure is not None or result.statuses != {str(status): len(requests)}:
        raise LoadFailed(
            f"expected {len(requests)} answers with status {status}, got {result.statuses}; "
            f"{result.failure or ''} {result.sample}".rstrip()
        )
    return result


class _Loop:
    """The whole run: what is left to send, and what came back."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self.requests = requests
        self.deadline = deadline
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []
        self.open_connections = 0
        self.failure: str | None = None
        self.sample = ""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self, now: float) -> bytes | None:
        """The next request; None when there is none, or no time for it."""
        if now > self.deadline:
            self.failure = "time is up"
            return None
        return next(self.requests, None)

    def close(self) -> None:
        """One connection less."""
        self.open_connections -= 1
        if not self.open_connections and not self.done.done():
            self.done.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection of the closed loop."""

    def __init__(self, loop: _Loop) -> None:
        self._loop = loop
        self._received = bytearray()
        self._missing = 0
        """Bytes of the answer still to come; 0 while its headers are not complete."""
        self._sent_at = 0.0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, they only act like them.
        self._transport = cast(asyncio.Transport, transport)
        self._loop.open_connections += 1

    def start(self) -> None:
        """Send the next request, or end the connection."""
        now = time.monotonic()
        request = self._loop.next(now)
        self._waits = request is not None
        if request is None:
            self._transport.close()
            return
        self._sent_at = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._received += data
            end = self._received.find(_HEADERS_END)
            if end < 0:
                return
            self._read_head(end)
        if self._missing <= 0:
            self._loop.latencies.append(time.monotonic() - self._sent_at)
            self._received.clear()
            self._missing = 0
            self.start()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._loop.failure = f"the server closed a connection: {exc}"
        self._loop.close()

    def _read_head(self, end: int) -> None:
        head = bytes(self._received[:end])
        status = head[_STATUS].decode("latin-1")
        self._loop.statuses[status] = self._loop.statuses.get(status, 0) + 1
        if not status.startswith("2") and not self._loop.sample:
            self._loop.sample = bytes(self._received[:1_500]).decode("latin-1")
        at = head.lower().find(_CONTENT_LENGTH)
        length = 0 if at < 0 else int(head[at + len(_CONTENT_LENGTH) :].split(b"\r\n", 1)[0])
        self._missing = end + len(_HEADERS_END) + length - len(self._received)


def main() -> None:
    """Run the plan on standard input."""
    import uvloop

    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    result = uvloop.run(_run(plan))
    sys.stdout.buffer.write(msgspec.json.encode(result))


async def _run(plan: Plan) -> Result:
    requests = list(read_frames(Path(plan.requests)))
    run = _Loop(iter(requests), time.monotonic() + plan.seconds_max)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(run), HOST, plan.port) for _ in range(plan.connections)]
    started = time.monotonic()
    for _transport, connection in made:
        connection.start()
    await asyncio.wait_for(run.done, plan.seconds_max + GRACE_SECONDS / 2)
    return Result(
        started_s=started,
        seconds=time.monotonic() - started,
        statuses=run.statuses,
        latencies_ms=[1_000 * latency for latency in run.latencies],
        failure=run.failure,
        sample=run.sample,
    )


def _head(method: str, path: str, token: str | None) -> bytes:
    bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}".encode()


if __name__ == "__main__":
    main()
