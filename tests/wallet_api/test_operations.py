"""Health, readiness, pages, the sandbox's clock, and what a node in trouble answers."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from ledger.config import Settings
from ledger.log.answers import Unavailable
from ledger.log.block_store import StoreInUse
from ledger.log.startup import LogKeyMissing
from ledger.units import TIMESTAMP_MAX
from ledger.views.answers import AsOf, ViewsBehind
from ledger.views.queries import ViewReader
from settlement.rules import RULEBOOK
from tests.book import START_US, genesis_document, reference_at
from tests.wallet_api.door import BANK_A, Door, code_of, make_folder, open_door
from wallet_api.app import create_app, create_app_from, running_node
from wallet_api.problems import PROBLEMS, Problem

JSON = {"content-type": "application/json"}


@pytest.fixture
def own_door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path / "node") as opened:
        opened.populate()
        yield opened


def test_a_node_that_runs_is_healthy_and_ready(door: Door) -> None:
    assert door.get("/health").json() == {"status": "alive"}
    ready = door.get("/ready").json()
    assert (ready["status"], ready["network"]) == ("ready", door.network)
    assert ready["includes_sequence"] == door.size - 1
    assert ready["time_us"] >= START_US
    assert "views_fault" not in ready


@pytest.mark.parametrize("code", ["node_deposed", "node_broken", "clock_jumped"])
def test_a_node_that_failed_is_alive_and_not_ready_and_accepts_nothing(own_door: Door, code: str) -> None:
    raw = own_door.transfer()
    own_door.parts.sequencer.failure = Unavailable(code, "it failed", retry_after_s=None)
    assert own_door.get("/health").status_code == 200
    answer = own_door.get("/ready")
    assert (answer.status_code, code_of(answer)) == (503, code)
    refused = own_door.post(raw)
    assert (refused.status_code, code_of(refused)) == (503, code)
    assert own_door.parts.is_fatal


@pytest.mark.parametrize(
    "code", ["queue_full", "outcome_unknown", "store_unavailable", "node_stopping", "views_unavailable"]
)
def test_what_passes_says_when_to_try_again(own_door: Door, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    async def fails(_raw: bytes) -> None:
        raise Unavailable(code, "not now")

    monkeypatch.setattr(own_door.parts.sequencer, "answer", fails)
    answer = own_door.post(b"anything")
    assert code_of(answer) == code
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["is_transient"]


def test_what_nobody_foresaw_is_a_problem_that_gives_nothing_away(
    own_door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_raw: bytes) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(own_door.parts.sequencer, "answer", fails)
    answer = own_door.post(b"anything")
    assert (answer.status_code, code_of(answer)) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert answer.json()["instance"] in caplog.text
    assert "hunter2" in caplog.text
    monkeypatch.setattr(own_door.parts.tokens, "grant", lambda _header: 1 / 0)
    answer = own_door.client.get("/v1/supply")
    assert (answer.status_code, code_of(answer)) == (500, "internal_error")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_node_that_is_told_to_stop_says_so(own_door: Door) -> None:
    raw = own_door.transfer()
    own_door.parts.sequencer.stop()
    answer = own_door.post(raw)
    assert (answer.status_code, code_of(answer)) == (503, "node_stopping")


def test_views_that_cannot_be_read_stop_reading_but_not_paying(own_door: Door, tmp_path: Path) -> None:
    headers = own_door.bearer("bank-a")
    own_door.parts.projections._reader = ViewReader(f"sqlite:///{tmp_path / 'nothing.db'}")
    answer = own_door.client.get("/v1/supply", headers=headers)
    assert (answer.status_code, code_of(answer)) == (503, "views_unavailable")
    assert own_door.post(own_door.transfer()).status_code == 201
    # Whether an old reference was decided cannot be told now, so nothing is said.
    old = own_door.post(own_door.transfer(reference=reference_at(1, 1)))
    assert (old.status_code, code_of(old)) == (503, "views_unavailable")


def test_views_that_are_behind_cannot_tell_of_an_old_reference(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_outcome(*_: object, **__: object) -> None:
        raise ViewsBehind("expected views at block 9, got block 3")

    monkeypatch.setattr(own_door.parts.projections._reader, "first_outcome", first_outcome)
    old = own_door.post(own_door.transfer(reference=reference_at(1, 1)))
    assert (old.status_code, code_of(old)) == (503, "views_behind")


def test_views_that_are_being_rebuilt_are_behind_whatever_was_reported(own_door: Door) -> None:
    projections = own_door.parts.projections
    with pytest.raises(Problem, match="views_behind"):
        asyncio.run(projections.read(lambda _reader: AsOf(0, -1, None), min_sequence=0))


def test_a_receipt_that_cannot_be_read_back_is_asked_for_again(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = own_door.post(own_door.transfer()).json()

    def first_answer(*_: object) -> None:
        raise Unavailable("store_unavailable", "block 3 cannot be read now")

    monkeypatch.setattr(own_door.parts.sequencer, "first_answer", first_answer)
    path = f"/v1/transactions/{receipt['transaction_id']}"
    answer = own_door.get(path, by="bank-a", min_sequence=receipt["sequence"])
    assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")


def test_an_old_reference_is_looked_up_in_the_projections(own_door: Door) -> None:
    raw = own_door.transfer()
    first = own_door.post(raw)
    assert own_door.client.post("/sandbox/v1/clock", json={"set_us": START_US + 400_000_000_000}).status_code == 200
    # Another block at the new time, so that the window forgets what is over thirty hours old.
    late = own_door.transfer(reference=reference_at(START_US + 400_000_000_000, 1))
    sequence = own_door.post(late).json()["sequence"]
    own_door.get(f"/v1/accounts/{BANK_A}/statement", by="bank-a", min_sequence=sequence)
    assert own_door.post(raw).json() == first.json()
    reused = own_door.transfer(99, reference=first.json()["reference"])
    assert code_of(own_door.post(reused)) == "reference_reused"
    assert code_of(own_door.post(own_door.transfer())) == "reference_expired"


# --- the sandbox ---------------------------------------------------------------------------------------------------


def test_a_sandbox_sets_its_clock_ahead_and_never_back(own_door: Door) -> None:
    answer = own_door.client.post("/sandbox/v1/clock", json={"set_us": START_US + 86_400_000_000})
    assert answer.json()["time_us"] >= START_US + 86_400_000_000
    assert own_door.get("/ready").json()["time_us"] >= START_US + 86_400_000_000
    back = own_door.client.post("/sandbox/v1/clock", json={"set_us": START_US})
    assert (back.status_code, code_of(back)) == (409, "clock_backwards")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"set_us":-1}', b'{"set_us":"1"}', b'{"set_us":1.5}', b'{"set_us":1,"by":2}', b"\xff"],
)
def test_a_clock_setting_that_is_none_is_told_so(door: Door, content: bytes) -> None:
    assert code_of(door.client.post("/sandbox/v1/clock", content=content, headers=JSON)) == "request_invalid"


def test_a_clock_setting_is_short(door: Door) -> None:
    assert code_of(door.client.post("/sandbox/v1/clock", content=b" " * 300, headers=JSON)) == "body_too_large"


def test_a_clock_is_set_at_most_ten_years_ahead(own_door: Door) -> None:
    now_us = own_door.get("/ready").json()["time_us"]
    for set_us in (now_us + 11 * 366 * 86_400_000_000, TIMESTAMP_MAX):
        answer = own_door.client.post("/sandbox/v1/clock", json={"set_us": set_us})
        assert (answer.status_code, code_of(answer)) == (409, "clock_too_far")
    assert (
        own_door.client.post("/sandbox/v1/clock", json={"set_us": now_us + 3_000 * 86_400_000_000}).status_code == 200
    )


def test_a_page_of_another_site_cannot_set_the_clock(own_door: Door) -> None:
    content = b'{"set_us":%d}' % (START_US + 10_000_000)

    def set_clock(**headers: str) -> httpx2.Response:
        return own_door.client.post("/sandbox/v1/clock", content=content, headers=headers)

    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert code_of(set_clock(**{"content-type": content_type})) == "content_type_unsupported"
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        assert code_of(set_clock(**JSON, origin=origin)) == "origin_foreign"
    assert set_clock(**JSON, origin="http://testserver").status_code == 200


def test_a_network_on_system_time_has_no_clock_to_set(tmp_path: Path) -> None:
    with open_door(tmp_path / "node", clock="system") as opened:
        answer = opened.client.post("/sandbox/v1/clock", json={"set_us": START_US})
        assert (answer.status_code, code_of(answer)) == (404, "route_unknown")
        assert not [path for path in opened.get("/openapi.json").json()["paths"] if path.startswith("/sandbox")]
        assert opened.get("/ready").json()["time_us"] > START_US


# --- pages ---------------------------------------------------------------------------------------------------------


def test_every_problem_code_has_a_page(door: Door) -> None:
    for code, problem in PROBLEMS.items():
        page = door.get(f"/problems/{code}").json()
        assert (page["code"], page["status"], page["title"]) == (code, problem.status, problem.title)
    assert code_of(door.get("/problems/no_such_code")) == "not_found"
    assert code_of(door.get("/problems/NO")) == "request_invalid"


def test_the_description_is_shown_without_anything_from_elsewhere(door: Door) -> None:
    page = door.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text
    for path in ("docs.js", "vendor/swagger-ui/swagger-ui-bundle.js", "vendor/swagger-ui/swagger-ui.css"):
        assert f"/static/{path}" in page.text
        assert door.get(f"/static/{path}").status_code == 200


def test_the_vendored_files_are_those_that_were_checked(door: Door) -> None:
    import hashlib

    from wallet_api.routes.pages import STATIC

    folder = STATIC / "vendor" / "swagger-ui"
    lines = (folder / "VERSION").read_text().splitlines()[2:]
    named = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert named.keys() == {file.name for file in folder.iterdir()} - {"VERSION"}
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


# --- starting ------------------------------------------------------------------------------------------------------


def test_a_node_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with open_door(tmp_path / "node") as first:
        first.populate()
        raw = first.transfer()
        answer = first.post(raw).json()
        size = first.size
    with open_door(tmp_path / "node") as second:
        assert second.size == size
        assert second.post(raw).json() == answer
        assert second.get(f"/v1/accounts/{BANK_A}", by="bank-a").json()["balance"] == 100_000_000 - 1


def test_a_second_node_refuses_to_start(door: Door) -> None:
    with pytest.raises(StoreInUse), running_node(Settings(node=door.parts.settings.node)):
        pass


def test_a_node_without_the_log_key_refuses_to_start(tmp_path: Path) -> None:
    make_folder(tmp_path / "node", genesis_document(rulebook=RULEBOOK))
    (tmp_path / "node" / "keys" / "log" / "log.jwk").unlink()
    with pytest.raises(LogKeyMissing), running_node(Settings(node=tmp_path / "node")):
        pass


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"kty": "RSA"})])
def test_a_key_file_that_is_none_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    from ledger.crypto.keys import InvalidKey

    make_folder(tmp_path / "node", genesis_document(rulebook=RULEBOOK))
    (tmp_path / "node" / "keys" / "log" / "broken.jwk").write_text(content)
    with pytest.raises(InvalidKey, match=r"broken\.jwk"), running_node(Settings(node=tmp_path / "node")):
        pass


def test_an_application_that_opens_its_own_node_follows_in_a_process_of_its_own(tmp_path: Path) -> None:
    make_folder(tmp_path / "node", genesis_document(rulebook=RULEBOOK))
    with TestClient(create_app(Settings(node=tmp_path / "node"))) as client:
        door = Door(client.app.state.parts, client)  # type: ignore[attr-defined]
        door.populate()
        answer = door.get(f"/v1/accounts/{BANK_A}/statement", by="bank-a", min_sequence=door.size - 1).json()
        assert answer["balance"] == 100_000_000


def test_a_failure_for_good_is_told_once(own_door: Door) -> None:
    told: list[Callable[[], None] | None] = []
    app = create_app_from(own_door.parts, on_fatal=lambda: told.append(None))
    own_door.parts.sequencer.failure = Unavailable("node_broken", "the disk is full", retry_after_s=None)
    with TestClient(app) as client:
        while not told:
            client.get("/health")
    assert told == [None]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENGE_PORT", "9000")
    monkeypatch.setenv("TENGE_NODE", "elsewhere")
    settings = Settings()
    assert (settings.port, settings.block_store_url) == (9000, "sqlite:///elsewhere/blocks.db")
    descriptions: list[Any] = [field.description for field in Settings.model_fields.values()]
    assert all(descriptions)
