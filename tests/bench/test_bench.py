import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from wallet_api.bench import load, server
from wallet_api.bench.figures import Report
from wallet_api.bench.main import MEASUREMENTS, run
from wallet_api.bench.scale import FULL, QUICK, scale_of

NAMES = {
    "single": {"single_http_per_s", "textbook_http_per_s", "single_http_vs_textbook", "single_hot_vs_uniform"},
    "bulk": {"bulk_http_lines_per_s", "hot_vs_uniform"},
    "read": {"balance_read_p50_ms"},
    "verify": {"verify_entries_per_s", "verify_single_vs_signature_speed"},
    "restart": {"restart_s_1m"},
    "memory": {"bytes_per_account", "bytes_per_account_computed"},
}
"""Figures that the documentation counts on, by measurement."""


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server on a free port that says the same to everyone; gives the port."""
    loop = asyncio.new_event_loop()

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(answer)
            if not answer:
                break
        writer.close()

    listening = loop.run_until_complete(asyncio.start_server(answer_one, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_runs_and_reports_its_figures(name: str, tmp_path: Path) -> None:
    path = tmp_path / "reports" / "latest.json"
    assert run(json_path=path, only=[name], quick=True, runs=None) == 0
    report = msgspec.json.decode(path.read_bytes(), type=Report)
    assert NAMES[name] <= {figure.name for figure in report.figures}
    assert all(0 < figure.min <= figure.median <= figure.max for figure in report.figures)
    assert report.machine["cores"]


def test_what_there_is_not_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(json_path=None, only=["luck"], quick=True, runs=None) == 2
    assert "luck" in capsys.readouterr().err


def test_the_number_of_runs_can_be_given() -> None:
    assert scale_of(quick=False, runs=None) == FULL
    assert scale_of(quick=True, runs=7).runs == 7
    assert scale_of(quick=True, runs=None) == QUICK


def test_an_answer_with_another_status_fails_the_load(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 4\r\n\r\nno!\n"
    with answering(answer) as port, pytest.raises(load.LoadFailed, match="no!"):
        load.send([load.get("/")] * 3, port=port, connections=2, folder=tmp_path, status=201)


def test_a_closed_connection_fails_the_load(tmp_path: Path) -> None:
    with answering(b"") as port, pytest.raises(load.LoadFailed, match="closed a connection"):
        load.send([load.get("/")], port=port, connections=1, folder=tmp_path, status=200)


def test_a_server_that_ends_at_once_is_told_by_name() -> None:
    with pytest.raises(server.DidNotStart, match="ended before it said its port"):
        server.Server("wallet_api.bench.scale", b"{}")
