"""The express way of a payment: the answers of the long way, byte for byte, and nothing lost between the two."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from ledger.crypto import canonical, jws
from ledger.log import reception
from ledger.units import Reference
from tests.wallet_api.door import Door, code_of
from wallet_api import connections, express
from wallet_api.app import create_app_from

WAIT_S = 30.0
"""Every answer comes within this, or the test fails."""

INSTANCE = re.compile(rb"urn:uuid:[0-9a-f-]{36}")
"""Names one occurrence of a problem: it differs with each."""

LONG_WAY = b"X-Forwarded-For: 203.0.113.9\r\n"
"""A header that takes a request the long way, and that nobody believes here."""

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

Count = list[str]
"""Which way each submission went."""


def post(body: bytes, *more: bytes, path: bytes = b"/v1/transactions", kind: bytes = b"application/json") -> bytes:
    """A whole request."""
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n" % (path, kind, len(body))
    return head + b"".join(more) + b"\r\n" + body


class Line:
    """A connection to a node."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> bytes:
        """The next whole answer; empty when the node has closed the connection."""
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if end and length is not None and len(rest) >= int(length[1]):
                size = len(head) + len(end) + int(length[1])
                answer, self._received = self._received[:size], self._received[size:]
                return answer
            part = self.socket.recv(1 << 16)
            if not part:
                return b""
            self._received += part

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        return self.answer()

    def close(self) -> None:
        self.socket.close()


@contextmanager
def listening(door: Door, *, silent_s: float = 10.0, keep_alive_s: int = 75) -> Iterator[tuple[int, uvicorn.Server]]:
    """The door's node on a port of its own, in a thread."""
    config = uvicorn.Config(
        create_app_from(door.parts),
        port=0,
        http=express.express(64, door.parts),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=keep_alive_s,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        sweep = asyncio.create_task(connections.close_the_silent(server, silent_s))
        await server.serve()
        sweep.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.005)
        yield server.servers[0].sockets[0].getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@pytest.fixture(scope="module")
def port(door: Door) -> Iterator[int]:
    with listening(door) as (port, _):
        yield port


@pytest.fixture
def line(port: int) -> Iterator[Line]:
    line = Line(port)
    yield line
    line.close()


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Notes each request that is taken in on the express way, and each that is handed on to the long one."""
    ways: Count = []
    for name, way in (("_take_in", "express"), ("_hand_on", "long")):
        original: Callable[..., None] = getattr(express.ExpressProtocol, name)

        def note(*args: Any, original: Callable[..., None] = original, way: str = way) -> None:
            ways.append(way)
            original(*args)

        monkeypatch.setattr(express.ExpressProtocol, name, note)
    return ways


def reference_of(raw: bytes) -> Reference:
    """The reference of a submission."""
    payload = json.loads(jws.parse(raw, typ=jws.TYP_TRANSACTION).payload)
    return Reference(payload["reference"])


def plain(answer: bytes) -> bytes:
    return INSTANCE.sub(b"", answer)


def test_an_accepted_transaction_gets_the_same_bytes_on_either_way(door: Door, line: Line, ways: Count) -> None:
    raw = door.transfer()
    first = line.ask(post(raw))
    assert first.startswith(b"HTTP/1.1 201 Created\r\n")
    assert line.ask(post(raw, LONG_WAY)) == first
    # What was decided before is read back, and travels the express way too.
    assert line.ask(post(raw)) == first
    assert ways == ["express", "express"]


def test_what_is_not_accepted_gets_the_same_document_on_either_way(door: Door, line: Line, ways: Count) -> None:
    refused = door.transfer(10**15)
    forged = bytearray(door.transfer())
    forged[-8] ^= 1
    decided = door.transfer()
    assert line.ask(post(decided)).startswith(b"HTTP/1.1 201 Created\r\n")
    reused = door.transfer(7, reference=reference_of(decided))
    ways.clear()
    bodies = (refused, bytes(forged), reused, b"{}", b"", b"\xff" * 20)
    for body in bodies:
        short = line.ask(post(body))
        assert int(short[9:12]) >= 400
        assert plain(line.ask(post(body, LONG_WAY))) == plain(short)
    assert ways == ["express"] * len(bodies)


def test_a_bearer_hears_the_detail_of_its_refusal_on_either_way(door: Door, line: Line, ways: Count) -> None:
    bearer = b"Authorization: %b\r\n" % door.bearer("bank-a")["authorization"].encode()
    raw = door.transfer(10**15)
    answer = line.ask(post(raw, bearer))
    assert b"short" in answer
    assert b"short" not in line.ask(post(door.transfer(10**15)))
    assert ways == ["express", "express"]


@pytest.mark.parametrize(
    "request_",
    [
        post(b"{}", kind=b"text/plain"),
        post(b"{}", b"Content-Encoding: gzip\r\n"),
        post(b"{}", b"Authorization: Bearer nobody\r\n"),
        post(b"{}", path=b"/v1/transactions?x=1"),
        post(b"{}", b"Expect: 100-continue\r\n", kind=b"text/plain"),
    ],
)
def test_what_is_not_plain_hears_so_on_the_long_way(line: Line, ways: Count, request_: bytes) -> None:
    answer = line.ask(request_)
    assert b"application/problem+json" in answer
    assert "express" not in ways
    # The connection is as good as before.
    assert line.ask(HEALTH).startswith(b"HTTP/1.1 200 OK")


def test_a_body_too_long_ends_the_connection(door: Door, line: Line) -> None:
    answer = line.ask(post(b" " * (door.parts.settings.body_bytes_max + 1)))
    assert b"body_too_large" in answer
    assert line.answer() == b""


def test_a_submission_in_pieces_goes_the_long_way_and_loses_no_byte(door: Door, line: Line, ways: Count) -> None:
    raw = door.transfer()
    request = post(raw)
    at = len(request) - len(raw) // 2
    # The first piece ends in the body: the node has read it by the time it answers another connection.
    line.send(request[:at])
    while not ways:
        threading.Event().wait(0.001)
    line.send(request[at:])
    assert line.answer().startswith(b"HTTP/1.1 201 Created\r\n")
    assert ways == ["long"]


def test_requests_in_one_breath_are_answered_in_their_order(door: Door, line: Line, ways: Count) -> None:
    raws = [door.transfer() for _ in range(5)]
    line.send(post(raws[0]) + HEALTH + post(raws[1]) + post(raws[2]) + HEALTH + post(raws[3]))
    answers = [line.answer() for _ in range(6)]
    assert [answer[9:12] for answer in answers] == [b"201", b"200", b"201", b"201", b"200", b"201"]
    paid = [answers[place] for place in (0, 2, 3, 5)]
    assert [line.ask(post(raw)) for raw in raws[:4]] == paid
    line.send(HEALTH + post(raws[4]))
    assert [line.answer()[9:12] for _ in range(2)] == [b"200", b"201"]
    assert "express" in ways


def test_a_connection_that_is_to_be_closed_is(door: Door, line: Line) -> None:
    answer = line.ask(post(door.transfer(), b"Connection: close\r\n"))
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
    assert line.answer() == b""


def test_who_hangs_up_is_decided_all_the_same(door: Door, port: int, line: Line) -> None:
    gone = Line(port)
    raw, size = door.transfer(), door.size
    gone.send(post(raw))
    gone.close()
    while door.size == size:
        threading.Event().wait(0.001)
    assert line.ask(post(raw)).startswith(b"HTTP/1.1 201 Created\r\n")


def test_a_full_node_says_so_at_once(door: Door, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = door.transfer()
    monkeypatch.setattr(reception, "RECEIVED_ITEMS_MAX", 0)
    answer, another = line.ask(post(raw)), line.ask(post(raw))
    assert len(set(INSTANCE.findall(answer + another))) == 2
    assert plain(answer) == plain(another) == plain(line.ask(post(raw, LONG_WAY)))
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"retry-after: 1\r\n" in answer
    assert b'"code":"queue_full"' in answer
    monkeypatch.undo()
    assert line.ask(post(raw)).startswith(b"HTTP/1.1 201 Created\r\n")


def test_a_failure_nobody_foresaw_is_answered(door: Door, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    raw = door.transfer()
    monkeypatch.setattr(express, "acceptance", fault)
    assert b'"code":"internal_error"' in line.ask(post(raw))
    monkeypatch.undo()
    assert line.ask(post(raw)).startswith(b"HTTP/1.1 201 Created\r\n")


def test_who_waits_too_long_hears_that_the_outcome_is_unknown(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WAIT_MAX_S", 0.0)
    monkeypatch.setattr(reception.Reception, "receive", lambda *_: None)
    with listening(door, silent_s=0.2) as (port, _):
        line = Line(port)
        answer = line.ask(post(canonical.encode({})))
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b'"code":"outcome_unknown"' in answer
        line.close()


def test_a_request_behind_one_that_waits_does_not_keep_it_waiting(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WAIT_MAX_S", 0.0)
    monkeypatch.setattr(reception.Reception, "receive", lambda *_: None)
    with listening(door, silent_s=0.2) as (port, _):
        line = Line(port)
        line.send(post(canonical.encode({})) + HEALTH)
        assert b'"code":"outcome_unknown"' in line.answer()
        assert line.answer().startswith(b"HTTP/1.1 200 OK\r\n")
        line.close()


@pytest.mark.parametrize("stray", [b"\r\n", b"\r\n\r\n", b"P"])
@pytest.mark.parametrize("is_express", [True, False])
def test_bytes_behind_an_answer_that_begin_no_request_keep_no_connection(
    door: Door, stray: bytes, is_express: bool
) -> None:
    with listening(door, silent_s=0.2) as (port, _):
        line = Line(port)
        assert line.ask(post(door.transfer()) if is_express else HEALTH).startswith(b"HTTP/1.1 20")
        line.send(stray)
        assert line.answer() == b""
        line.close()


def test_a_request_answered_before_its_body_came_keeps_no_connection(door: Door) -> None:
    with listening(door, silent_s=0.2) as (port, _):
        line = Line(port)
        line.send(post(bytes(100), kind=b"text/plain")[:-100])
        assert b" 415 " in line.answer().partition(b"\r\n")[0]
        line.send(b"\0")
        assert line.answer() == b""
        line.close()


def test_one_connection_that_cannot_be_looked_after_does_not_end_the_looking(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_self: object) -> None:
        raise LookupError

    monkeypatch.setattr(connections, "ANSWER_WAIT_MAX_S", 0.0)
    monkeypatch.setattr(reception.Reception, "receive", lambda *_: None)
    with listening(door, silent_s=0.2) as (port, _):
        waiting, silent = Line(port), Line(port)
        with monkeypatch.context() as patched:
            patched.setattr(express.ExpressProtocol, "give_up", fault)
            waiting.send(post(canonical.encode({})))
            assert silent.answer() == b""
        assert b'"code":"outcome_unknown"' in waiting.answer()
        waiting.close()
        silent.close()


def test_a_connection_idle_for_long_is_closed(door: Door) -> None:
    with listening(door, silent_s=0.2, keep_alive_s=0) as (port, _):
        line = Line(port)
        assert line.ask(post(door.transfer())).startswith(b"HTTP/1.1 201 Created\r\n")
        assert line.answer() == b""
        line.close()


def test_a_node_that_ends_answers_what_it_has_taken_in_and_closes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Any] = []
    original = reception.Reception.receive
    monkeypatch.setattr(reception.Reception, "receive", lambda _, job: held.append(job))
    with listening(door) as (port, server):
        line = Line(port)
        line.send(post(door.transfer()))
        while not held:
            threading.Event().wait(0.001)
        server.should_exit = True
        while server.servers[0].is_serving():
            threading.Event().wait(0.001)
        original(door.parts.sequencer._reception, held[0])
        answer = line.answer()
        assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"connection: close\r\n" in answer
        assert line.answer() == b""
        line.close()


def test_the_door_of_the_tests_goes_the_long_way_too(door: Door) -> None:
    assert code_of(door.post(b"{}")) == "jws_malformed"
