import asyncio
from pathlib import Path

import pytest

from tests.bench.servers import read_request, saying, serving
from wallet_api.bench import generator, load
from wallet_api.bench.frames import write_frames
from wallet_api.bench.plan import Plan, Result, get, post

CREATED = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"


def run(folder: Path, port: int, requests: list[bytes], **how: object) -> Result:
    """The generator in this process, where its branches are seen."""
    path = folder / "requests"
    write_frames(path, requests)
    connections = how.pop("connections", 2)
    plan = Plan(port=port, requests=str(path), connections=connections, **how)  # type: ignore[arg-type]
    return generator.run(plan)


def test_a_closed_loop_sends_each_request_once_and_counts_every_answer(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received.append(await read_request(reader))
            writer.write(CREATED)

    bodies = [b"%d" % number for number in range(50)]
    with serving(conversation) as port:
        result = run(tmp_path, port, [post("/", body) for body in bodies], connections=4)
    assert sorted(received) == sorted(bodies)
    assert (result.sent, result.statuses, result.in_window) == (50, {"201": 50}, {"201": 50})
    assert 0 < result.latencies_ms.p50 <= result.latencies_ms.p99 <= result.latencies_ms.p999 <= result.latencies_ms.max
    assert result.failure is None


def test_long_requests_and_long_answers_arrive_whole(tmp_path: Path) -> None:
    body = bytes(5_000_000)

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            sent = await read_request(reader)
            assert sent == body
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent)
            await writer.drain()

    with serving(conversation) as port:
        result = run(tmp_path, port, [post("/", body)] * 4)
    assert result.statuses == {"201": 4}


def test_an_answer_may_come_in_pieces(tmp_path: Path) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for piece in (CREATED[:12], CREATED[12:30], CREATED[30:-1], CREATED[-1:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

    with serving(conversation) as port:
        result = run(tmp_path, port, [get("/")] * 3)
    assert result.statuses == {"201": 3}


def test_an_answer_without_a_length_has_no_body(tmp_path: Path) -> None:
    with serving(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        assert run(tmp_path, port, [get("/")] * 3).statuses == {"204": 3}


def test_in_an_open_loop_waiting_for_a_connection_is_latency(tmp_path: Path) -> None:
    """A server that takes 50 ms for each on one connection, asked every 10 ms, makes the tenth wait 410 ms."""
    with serving(saying(CREATED, after_s=0.05)) as port:
        result = run(tmp_path, port, [get("/")] * 10, connections=1, rate_per_s=100.0)
    assert result.statuses == {"201": 10}
    assert result.latencies_ms.max >= 400
    assert result.latencies_ms.p50 >= 200
    assert result.window_s == pytest.approx(0.1)
    assert sum(result.in_window.values()) < 10


def test_an_open_loop_that_gives_up_leaves_unsent_what_found_no_connection(tmp_path: Path) -> None:
    with serving(saying(CREATED, after_s=0.05)) as port:
        result = run(tmp_path, port, [get("/")] * 100, connections=1, rate_per_s=500.0, gives_up=True)
    assert 0 < result.sent < 100
    assert result.statuses == {"201": result.sent}
    assert result.failure is None


def test_answers_that_only_say_not_now_have_no_latency(tmp_path: Path) -> None:
    with serving(saying(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n")) as port:
        result = run(tmp_path, port, [get("/")] * 5)
    assert result.statuses == {"429": 5}
    assert result.latencies_ms.max == 0


def test_time_runs_out_on_a_server_that_says_nothing(tmp_path: Path) -> None:
    with serving(saying(b"")) as port:
        result = run(tmp_path, port, [get("/")], seconds_max=0.1)
    assert result.failure == "time is up"


@pytest.mark.parametrize("extra", [b"HTTP", b"{}" * 10])
def test_an_answer_that_nobody_asked_for_ends_the_run(tmp_path: Path, extra: bytes) -> None:
    with serving(saying(CREATED + extra)) as port:
        result = run(tmp_path, port, [get("/")] * 2, connections=1)
    assert result.failure is not None


def test_a_connection_that_is_reset_ends_the_run(tmp_path: Path) -> None:
    async def conversation(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    with serving(conversation) as port:
        result = run(tmp_path, port, [post("/", bytes(1_000_000))] * 4, connections=1)
    assert result.failure is not None
    assert result.failure.startswith("the server closed a connection")


def test_the_generator_is_a_process_of_its_own(tmp_path: Path) -> None:
    with serving(saying(CREATED)) as port:
        result = load.send([get("/")] * 3, port=port, connections=2, folder=tmp_path)
    load.expect(result, {201: 3, 422: 0})
    assert result.cpu_s > 0
    assert not list(tmp_path.iterdir())


def test_an_answer_with_another_status_fails_the_load(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 4\r\n\r\nno!\n"
    with serving(saying(answer)) as port:
        result = load.send([get("/")] * 3, port=port, connections=2, folder=tmp_path)
    load.expect_only(result, (201, 422))
    with pytest.raises(load.LoadFailed, match="no!"):
        load.expect(result, {201: 3})
    with pytest.raises(load.LoadFailed, match="no!"):
        load.expect_only(result, (201,))


def test_a_closed_connection_fails_the_load(tmp_path: Path) -> None:
    async def conversation(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    with serving(conversation) as port, pytest.raises(load.LoadFailed, match="closed a connection"):
        load.send([get("/")], port=port, connections=1, folder=tmp_path)
