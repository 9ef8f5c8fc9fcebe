"""What a stranger may cost."""

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from tests.wallet_api.door import Door, code_of, open_door
from wallet_api import limits
from wallet_api.limits import Disconnected, FailureLimit, read_body, sender
from wallet_api.problems import Problem


class Time:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_an_address_may_fail_so_often_and_then_waits() -> None:
    time = Time()
    limit = FailureLimit(burst=2, per_s=0.5, monotonic=time)
    limit.note("10.0.0.1")
    limit.check("10.0.0.1")
    limit.note("10.0.0.1")
    with pytest.raises(Problem, match="failures_too_many") as caught:
        limit.check("10.0.0.1")
    assert caught.value.retry_after_s == 2
    limit.check("10.0.0.2")
    time.now_s = 2.0
    limit.check("10.0.0.1")
    time.now_s = 100.0
    limit.check("10.0.0.1")
    assert not limit._buckets


def test_the_table_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES_MAX", 3)
    limit = FailureLimit(burst=1, per_s=1.0, monotonic=Time())
    for number in range(5):
        limit.note(f"10.0.0.{number}")
    assert list(limit._buckets) == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_a_household_is_one_sender() -> None:
    assert sender("2001:db8:1:2::1") == sender("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert sender("2001:db8:1:3::1") != sender("2001:db8:1:2::1")
    assert sender("fe80::1%eth0") == "fe80::/64"
    assert sender("10.0.0.1") == "10.0.0.1"
    assert sender("no:address") == "no:address"


def test_an_address_that_fails_too_often_is_turned_away_and_a_token_lets_through(tmp_path: Path) -> None:
    with open_door(tmp_path / "node", failures_burst=3, failures_per_s=0.001) as door:
        door.populate()
        headers = door.bearer("bank-a")
        for _ in range(3):
            assert code_of(door.post(b"")) == "jws_malformed"
        answer = door.post(door.transfer())
        assert (answer.status_code, code_of(answer)) == (429, "failures_too_many")
        assert int(answer.headers["retry-after"]) > 100
        assert code_of(door.ask_token(door.assertion())) == "failures_too_many"
        assert door.client.get("/health").status_code == 200
        content_type = {"content-type": "application/jose+json"}
        assert door.post(door.transfer(), content_type | headers).status_code == 201
        assert door.client.get("/v1/supply", headers=headers).status_code == 200
        assert code_of(door.client.get("/v1/supply")) == "failures_too_many"


def test_late_and_unfinished_transactions_are_nobodys_failure(tmp_path: Path) -> None:
    with open_door(tmp_path / "node", failures_burst=1, failures_per_s=0.001) as door:
        door.populate()
        late = door.transfer(reference=door.book.reference(1))
        assert [code_of(door.post(late)) for _ in range(3)] == ["reference_expired"] * 3


def _receive(*messages: Message) -> "asyncio.Queue[Message]":
    queue: asyncio.Queue[Message] = asyncio.Queue()
    for message in messages:
        queue.put_nowait(message)
    return queue


def _read(*messages: Message, declared: bytes | None = None) -> bytes:
    async def run() -> bytes:
        return await read_body(_receive(*messages).get, declared=declared, bytes_max=4, within_s=0.05)

    return asyncio.run(run())


PART: Message = {"type": "http.request", "body": b"ab", "more_body": True}
LAST: Message = {"type": "http.request", "body": b"cd", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def test_a_body_is_put_together_from_its_parts() -> None:
    assert _read(LAST) == b"cd"
    assert _read(PART, LAST) == b"abcd"
    assert _read(PART, {"type": "http.request"}) == b"ab"


def test_a_body_that_does_not_arrive_is_not_waited_for_for_ever() -> None:
    for messages in ([PART], []):
        with pytest.raises(Problem, match="body_timeout"):
            _read(*messages)


def test_a_client_that_hangs_up_is_not_answered() -> None:
    for messages in ([GONE], [PART, GONE]):
        with pytest.raises(Disconnected):
            _read(*messages)


@pytest.mark.parametrize("path", ["/v1/transactions", "/v1/token", "/sandbox/v1/clock"])
def test_a_client_that_hangs_up_in_the_middle_leaves_no_trace(door: Door, path: str) -> None:
    size = door.size
    headers = [(b"content-type", b"application/json"), (b"host", b"node")]
    if path == "/v1/token":
        headers[0] = (b"content-type", b"application/x-www-form-urlencoded")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("node", 80),
        "scheme": "http",
        "root_path": "",
    }
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        await door.client.app(scope, _receive(PART, GONE).get, send)

    asyncio.run(run())
    assert all(message.get("status", 400) < 500 for message in sent)
    assert door.size == size


def test_a_part_too_many_ends_the_reading() -> None:
    with pytest.raises(Problem, match="body_too_large"):
        _read(PART, PART, PART)
