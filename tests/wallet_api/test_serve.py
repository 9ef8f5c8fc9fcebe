"""A node in a process of its own, as it runs in the world: sockets, signals, exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from ledger.config import Settings
from ledger.log.answers import Unavailable
from settlement.rules import RULEBOOK
from tests.book import Book, genesis_document
from tests.wallet_api.door import make_folder
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
def node(folder: Path, *more: str, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    if not folder.exists():
        make_folder(folder, genesis_document(rulebook=RULEBOOK))
    command = [sys.executable, "-c", PROGRAM, str(folder), str(port), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield json.loads(line)["address"] if line else "", process
        finally:
            if process.poll() is None:
                process.kill()


def admission(folder: Path) -> bytes:
    """A signed transaction that a fresh node accepts."""
    from ledger.rules.admission import ParticipantSuspend

    book = Book(RULEBOOK, document=(folder / "genesis.json").read_bytes())
    body = ParticipantSuspend(participant="nobody", reason="order-17")  # type: ignore[arg-type]
    from tests.book import key_of

    return book.sign(book.transaction("participant_suspend", body, by="operator"), [key_of("operator-1")])


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
