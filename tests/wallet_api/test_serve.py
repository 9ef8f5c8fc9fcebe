"""A node in a process of its own, as it runs in the world: sockets, signals, exit codes."""

import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger.config import Settings
from ledger.log.answers import Unavailable
from ledger.rules.invariants import check_conservation
from ledger.rules.tables import BALANCES
from settlement.rules import RULEBOOK
from tests.book import Book, genesis_document, key_of, reference_at
from tests.wallet_api.door import JOSE, WALLET_A, WALLET_B, Door, make_folder
from wallet_api.connections import Places, places
from wallet_api.parts import Parts
from wallet_api.serve import FAILED, serve

PROGRAM = """
import json, sys
from ledger.config import Settings
from wallet_api.serve import serve
def ready(address, parts):
    print(json.dumps({"address": address}), flush=True)
    if "break" in sys.argv:
        from ledger.log.answers import Unavailable
        parts.sequencer.failure = Unavailable("node_broken", "the disk is full", retry_after_s=None)
sys.exit(serve(Settings(node=sys.argv[1], port=int(sys.argv[2])), on_ready=ready))
"""


@contextmanager
def node(
    folder: Path, *more: str, port: int = 0, descriptors: int = 0, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    if not folder.exists():
        make_folder(folder, genesis_document(rulebook=RULEBOOK))
    command = [sys.executable, "-c", PROGRAM, str(folder), str(port), *more]
    if descriptors:
        command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield json.loads(line)["address"] if line else "", process
        finally:
            if process.poll() is None:
                process.kill()


def admission(folder: Path, number: int = 0) -> bytes:
    """A signed transaction that a fresh node accepts."""
    from ledger.rules.admission import ParticipantSuspend

    book = Book(RULEBOOK, document=(folder / "genesis.json").read_bytes())
    reference = reference_at(book.time_us, 1 + number)
    body = ParticipantSuspend(participant="nobody", reason="order-17")  # type: ignore[arg-type]
    transaction = book.transaction("participant_suspend", body, by="operator", reference=reference)
    return book.sign(transaction, [key_of("operator-1"), key_of("operator-2")])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_is_told_to_stop_finishes_and_exits_with_zero(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "node"
    with node(folder) as (address, process):
        answer = httpx2.post(
            f"{address}/v1/transactions",
            content=admission(folder),
            headers={"content-type": "application/jose+json"},
            trust_env=False,
        )
        assert answer.json()["code"] == "participant_not_found"
        assert answer.headers["x-frame-options"] == "DENY"
        os.kill(process.pid, number)
        assert process.wait(30) == 0
    assert "participant_not_found" not in (folder / "checkpoint").read_text()


def test_a_node_that_breaks_ends_by_itself_with_one(tmp_path: Path) -> None:
    with node(tmp_path / "node", "break") as (_, process):
        assert process.wait(30) == 1


def test_a_node_may_run_beside_others_in_a_thread_and_ends_when_it_is_deposed(tmp_path: Path) -> None:
    make_folder(tmp_path / "node", genesis_document(rulebook=RULEBOOK))
    addresses: list[str] = []

    def ready(address: str, parts: Parts) -> None:
        addresses.append(address)
        parts.sequencer.failure = Unavailable("node_deposed", "another took over", retry_after_s=None)

    with ThreadPoolExecutor(1) as pool:
        code = pool.submit(serve, Settings(node=tmp_path / "node", host="::1", port=0), on_ready=ready).result(60)
    assert code == FAILED
    assert addresses[0].startswith("http://[::1]:")


def test_a_node_whose_port_is_taken_does_not_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with node(tmp_path / "node", port=taken.getsockname()[1]) as (address, process):
            assert address == ""
            assert process.wait(30) != 0


def connections(address: str, number: int) -> list[socket.socket]:
    host, port = address.removeprefix("http://").split(":")
    return [socket.create_connection((host, int(port))) for _ in range(number)]


def ended(connection: socket.socket) -> bool:
    """Whether the node closes the connection, waiting for it a while."""
    connection.settimeout(30)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def lives(connection: socket.socket, request: bytes) -> bool:
    """Whether a connection still answers."""
    connection.settimeout(30)
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b'{"status":"alive"}'):
        part = connection.recv(1 << 16)
        if not part:
            return False
        answer += part
    return answer.startswith(b"HTTP/1.1 200 OK")


def test_a_crowd_that_says_nothing_does_not_end_a_node_that_is_granted_few_descriptors(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with node(folder, descriptors=256) as (address, process), ExitStack() as stack:
        crowd = [stack.enter_context(connection) for connection in connections(address, 300)]
        # Those for which there is no place are closed at once.
        assert ended(crowd[-1])
        for connection in crowd:
            connection.close()
        for number in range(3):
            answer = httpx2.post(
                f"{address}/v1/transactions",
                content=admission(folder, number),
                headers={"content-type": "application/jose+json"},
                trust_env=False,
            )
            assert answer.json()["code"] == "participant_not_found"
        assert process.poll() is None


def test_a_connection_that_owes_a_request_is_closed_and_one_that_made_one_is_not(tmp_path: Path) -> None:
    with node(tmp_path / "node", TENGE_HEAD_WITHIN_S="1") as (address, _), ExitStack() as stack:
        silent, slow, next_one, good = (stack.enter_context(each) for each in connections(address, 4))
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        slow.sendall(request[:-2])
        for connection in (next_one, good):
            assert lives(connection, request)
        next_one.sendall(request[:5])
        assert ended(silent)
        assert ended(slow)
        assert ended(next_one)
        assert lives(good, request)


@pytest.mark.parametrize(("limits", "expected"), [((1024, 1024), Places(512, 128)), ((64, 64), Places(32, 16))])
def test_the_places_follow_from_the_descriptors(
    limits: tuple[int, int], expected: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    assert places(4_096) == expected


def test_the_limit_of_descriptors_is_raised_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, 1 << 20))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: raised.append(limits))
    assert places(4_096) == Places(4_096, 2_048)
    assert raised == [(1 << 20, 1 << 20)]

    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert places(4_096) == Places(512, 128)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert places(4_096) == Places(4_096, 2_048)


SENDERS = 64
"""Connections that debit one wallet at once."""

EACH_PAYS = 5
"""Payments of each."""


def test_a_crowd_that_empties_one_wallet_at_once_takes_what_is_there_and_no_more(tmp_path: Path) -> None:
    make_folder(tmp_path / "node", genesis_document(rulebook=RULEBOOK))
    started: queue.Queue[tuple[str, Parts]] = queue.Queue()
    with ThreadPoolExecutor(1) as pool, httpx2.Client(trust_env=False) as client:
        served = pool.submit(
            serve, Settings(node=tmp_path / "node", port=0), on_ready=lambda *ready: started.put(ready)
        )
        address, parts = started.get(timeout=60)
        try:
            door = Door(parts, Dialled(client, address))  # type: ignore[arg-type]
            door.populate()
            there = 100
            assert door.post(door.transfer(there, credit=WALLET_A)).status_code == 201
            raws = [door.transfer(3, debit=WALLET_A, credit=WALLET_B) for _ in range(SENDERS * EACH_PAYS)]
            together = threading.Barrier(SENDERS)

            def send(own: list[bytes]) -> list[str]:
                with httpx2.Client(trust_env=False, timeout=60) as sender:
                    together.wait(60)
                    answers = [sender.post(f"{address}/v1/transactions", content=raw, headers=JOSE) for raw in own]
                return ["" if answer.status_code == 201 else answer.json()["code"] for answer in answers]

            with ThreadPoolExecutor(SENDERS) as senders:
                ends = [
                    code for codes in senders.map(send, (raws[at::SENDERS] for at in range(SENDERS))) for code in codes
                ]
            state = parts.sequencer.state
            paid = ends.count("") * 3
            assert set(ends) == {"", "insufficient_funds"}
            assert paid == 99
            assert state.get(BALANCES, WALLET_A) == there - paid
            assert state.get(BALANCES, WALLET_B) == paid
            check_conservation(state)
        finally:
            parts.sequencer.failure = Unavailable("node_broken", "the test is over", retry_after_s=None)
            served.result(60)


class Dialled:
    """A client of an address, with the two calls that a door makes."""

    def __init__(self, client: httpx2.Client, address: str) -> None:
        self._client = client
        self._address = address

    def post(self, path: str, **options: Any) -> httpx2.Response:
        return self._client.post(self._address + path, **options)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self._client.get(self._address + path, **options)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with node(tmp_path_factory.mktemp("running") / "node") as started:
        yield started


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
        b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"pa',
        b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
    ids=["truncated", "truncated chunk", "two lengths", "TLS", "another version"],
)
def test_a_request_that_breaks_off_or_is_no_http_does_no_harm(
    running: tuple[str, subprocess.Popen[str]], request_bytes: bytes
) -> None:
    address, process = running
    host, port = address.removeprefix("http://").split(":")
    before = httpx2.get(f"{address}/ready", trust_env=False).json()["includes_sequence"]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        answer = connection.recv(1 << 16)
    assert answer == b"" or b" 4" in answer.split(b"\r\n")[0]
    ready = httpx2.get(f"{address}/ready", trust_env=False)
    assert ready.json()["includes_sequence"] == before
    assert process.poll() is None
