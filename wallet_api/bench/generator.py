"""The load generator: a process of its own that sends prepared requests and counts the answers.

Plain HTTP/1.1 on kept connections, in a closed loop or in an open one (see :mod:`wallet_api.bench.schedule`). It
shares the processor with what is measured, so it does as little as it can: sockets and ``epoll`` without a framework,
requests sent from a mapped file, and of an answer only so much looked at as tells its status and its end. It talks to
127.0.0.1 only, sends each request once, and stops by itself when time is up.

As a program it reads a :class:`Plan` as JSON from standard input and writes a :class:`Result` to standard output.
"""

import gc
import select
import socket
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from wallet_api.bench.frames import mapped_frames
from wallet_api.bench.percentiles import percentiles_ms
from wallet_api.bench.plan import HOST, Plan, Result
from wallet_api.bench.schedule import Closed, Open, Schedule

RECEIVE_BYTES: Final = 256 * 1024
"""Most bytes of an answer taken at once; receipts of single transfers fit many times."""

STEP_S: Final = 0.001
"""Requests of an open loop go out in steps no finer than this, in seconds: a finer one would only cost processor time.
What it delays a request by counts as latency."""

LEAD_S: Final = 0.05
"""From the moment everything is ready to the first request of an open loop, in seconds."""

_EVENTS_MAX: Final = 1_024
_HEADERS_END: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = b"content-length:"
_STATUS: Final = slice(9, 12)
_NOT_NOW: Final = frozenset({b"429", b"503"})
"""Statuses that are no decision: their latencies would make an overloaded ledger look fast."""
_SAMPLE_BYTES: Final = 1_500


class _Broken(Exception):
    """The run cannot go on; says why."""


class _Connection:
    """One connection, and the request it has under way."""

    __slots__ = ("head", "intended_s", "is_busy", "is_decided", "is_writing", "missing", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.is_busy = False
        self.is_decided = False
        """Whether the answer is more than "not now"."""
        self.is_writing = False
        """Whether it waits for room to send the rest in."""
        self.unsent: memoryview | None = None
        self.intended_s = 0.0
        self.missing = 0
        """Bytes of the answer still to come; 0 while its headers are not complete."""
        self.head = b""
        """Start of an answer whose headers are not complete."""


class _Run:
    """A whole run: what is to be sent, and what came back."""

    def __init__(self, plan: Plan, requests: Sequence[memoryview]) -> None:
        self._requests = requests
        self._buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._epoll = select.epoll()
        connections = [_Connection(plan.port) for _ in range(plan.connections)]
        self._by_descriptor = {connection.socket.fileno(): connection for connection in connections}
        for descriptor in self._by_descriptor:
            self._epoll.register(descriptor, select.EPOLLIN)
        self._idle = connections[::-1]
        count = len(requests)
        now_s = time.monotonic()
        self.started_s = now_s if plan.rate_per_s is None else now_s + LEAD_S
        self._schedule: Schedule = (
            Closed(count) if plan.rate_per_s is None else Open(count, plan.rate_per_s, self.started_s)
        )
        # An open loop's window ends with its last interval, a closed loop's with its last answer.
        self.window_ends_s = self._schedule.ends_s if isinstance(self._schedule, Open) else float("inf")
        self._stops_sending_s = self.window_ends_s if plan.gives_up else float("inf")
        self._deadline_s = now_s + plan.seconds_max
        self.sent = 0
        self.answered = 0
        self.ended_s = self.started_s
        self.statuses: dict[bytes, int] = {}
        self.in_window: dict[bytes, int] = {}
        self.latencies_s = array("d")
        self.sample = b""

    def go(self) -> None:
        """Send and receive until everything sent is answered.

        Raises:
            _Broken: time is up, or the server closed a connection.
        """
        try:
            while True:
                now_s = time.monotonic()
                while self._idle and self._is_due(now_s):
                    self._send_next(self._idle.pop(), now_s)
                if self.answered == self.sent and (self.sent == len(self._requests) or now_s >= self._stops_sending_s):
                    return
                if now_s > self._deadline_s:
                    raise _Broken("time is up")
                for descriptor, events in self._wait(now_s):
                    self._on_events(self._by_descriptor[descriptor], events)
        finally:
            for connection in self._by_descriptor.values():
                connection.socket.close()
                # The file it is a view of is closed next.
                connection.unsent = None
            self._epoll.close()

    def _is_due(self, now_s: float) -> bool:
        return self.sent < self._schedule.due(now_s) and now_s < self._stops_sending_s

    def _wait(self, now_s: float) -> list[tuple[int, int]]:
        """Wait for answers, or until the next request is due where a connection is free for it."""
        until_s = min(self._deadline_s, self._stops_sending_s) if now_s < self._stops_sending_s else self._deadline_s
        if self._idle and self.sent < len(self._requests) and now_s < self._stops_sending_s:
            until_s = max(self._schedule.intended_s(self.sent, now_s), now_s + STEP_S)
        # The timeout of epoll is in whole milliseconds; that of select is finer.
        select.select([self._epoll], (), (), max(until_s - now_s, 0.0))
        return self._epoll.poll(0, _EVENTS_MAX)

    def _on_events(self, connection: _Connection, events: int) -> None:
        if connection.is_writing and events & select.EPOLLOUT:
            self._flush(connection)
        if events & ~select.EPOLLOUT:
            self._receive(connection)

    def _send_next(self, connection: _Connection, now_s: float) -> None:
        connection.intended_s = self._schedule.intended_s(self.sent, now_s)
        connection.unsent = self._requests[self.sent]
        connection.is_busy = True
        self.sent += 1
        self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        """Send as much as there is room for; what is left goes when there is more."""
        unsent = connection.unsent
        assert unsent is not None, "only what has something to send is flushed"
        try:
            count = connection.socket.send(unsent)
        except BlockingIOError:
            count = 0
        except OSError as error:
            raise _Broken(f"the server closed a connection: {error}") from error
        is_writing = count < len(unsent)
        connection.unsent = unsent[count:] if is_writing else None
        if is_writing is not connection.is_writing:
            connection.is_writing = is_writing
            events = select.EPOLLIN | select.EPOLLOUT if is_writing else select.EPOLLIN
            self._epoll.modify(connection.socket.fileno(), events)

    def _receive(self, connection: _Connection) -> None:
        try:
            count = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            raise _Broken(f"the server closed a connection: {error}") from error
        if not count or not connection.is_busy:
            raise _Broken(f"the server closed a connection{': nothing was asked of it' if count else ''}")
        if connection.missing:
            connection.missing -= count
        elif not self._read_head(connection, count):
            return
        if not connection.missing:
            self._answered(connection)

    def _read_head(self, connection: _Connection, count: int) -> bool:
        """Look at an answer's head; False while it is not complete."""
        answer: bytes | bytearray = self._buffer
        if connection.head:
            answer = connection.head + self._view[:count]
            count = len(answer)
        end = answer.find(_HEADERS_END, 0, count)
        if end < 0:
            connection.head = bytes(answer[:count])
            return False
        connection.head = b""
        status = bytes(answer[_STATUS])
        connection.is_decided = status not in _NOT_NOW
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if not self.sample and not status.startswith(b"2"):
            self.sample = bytes(answer[: min(count, _SAMPLE_BYTES)])
        connection.missing = end + len(_HEADERS_END) + _length(answer, end) - count
        if connection.missing < 0:
            raise _Broken("an answer is longer than it says")
        if time.monotonic() <= self.window_ends_s:
            self.in_window[status] = self.in_window.get(status, 0) + 1
        return True

    def _answered(self, connection: _Connection) -> None:
        now_s = self.ended_s = time.monotonic()
        if connection.is_decided:
            self.latencies_s.append(now_s - connection.intended_s)
        self.answered += 1
        connection.is_busy = False
        if self._is_due(now_s):
            self._send_next(connection, now_s)
        else:
            self._idle.append(connection)


def run(plan: Plan) -> Result:
    """Carry out a plan in this process."""
    with mapped_frames(Path(plan.requests)) as requests:
        run = _Run(plan, requests)
        failure = None
        # Nothing here is ever part of a cycle.
        gc.disable()
        spent_s = time.process_time()
        try:
            run.go()
        except _Broken as broken:
            failure = str(broken)
        spent_s = time.process_time() - spent_s
        gc.enable()
    window_s = min(run.window_ends_s, run.ended_s) - run.started_s
    return Result(
        started_s=run.started_s,
        seconds=run.ended_s - run.started_s,
        window_s=window_s if plan.rate_per_s is None else run.window_ends_s - run.started_s,
        sent=run.sent,
        statuses=_named(run.statuses),
        in_window=_named(run.in_window),
        latencies_ms=percentiles_ms(run.latencies_s),
        cpu_s=spent_s,
        failure=failure,
        sample=run.sample.decode("latin-1"),
    )


def main() -> None:
    """Run the plan on standard input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(run(plan)))


def _length(answer: bytes | bytearray, end: int) -> int:
    """Return the length of an answer's body."""
    at = answer.find(_CONTENT_LENGTH, 0, end)
    head: bytes | bytearray = answer
    if at < 0:
        # The servers measured here write header names in small letters; others may not.
        head = answer[:end].lower()
        at = head.find(_CONTENT_LENGTH)
    if at < 0:
        return 0
    at += len(_CONTENT_LENGTH)
    to = head.find(b"\r", at, end)
    return int(head[at : to if to >= 0 else end])


def _named(counts: dict[bytes, int]) -> dict[str, int]:
    return {status.decode("latin-1"): count for status, count in counts.items()}


if __name__ == "__main__":
    main()
