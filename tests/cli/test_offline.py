"""Commands that need no node: keys, signatures, verification, and how each of them ends."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledger.crypto import jws
from ledger.genesis import network_id
from wallet_api.cli import app, main
from wallet_api.client import prepare

RUN = CliRunner(env={"COLUMNS": "1000"})
"""So wide that no message is broken in two, however long the paths in it are on this machine."""


def tenge(*arguments: object, given: str | None = None) -> Result:
    """Run a command in this process."""
    return RUN.invoke(app, [str(argument) for argument in arguments], input=given)


def answer(*arguments: object) -> Any:
    """Run a command that must succeed; its JSON."""
    done = tenge(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert tenge("init", tmp_path / "node", "--name", "town").exit_code == 0
    return tmp_path / "node"


def test_init_makes_a_genesis_document_and_keys_for_their_owner_only(tmp_path: Path) -> None:
    made = answer("init", tmp_path / "node", "--name", "town", "--clock", "scripted", "--date", "2024-12-28")
    document = (tmp_path / "node" / "genesis.json").read_bytes()
    assert made["network"] == network_id(document)
    assert b'"business_date":"2024-12-28"' in document
    keys = sorted(path.relative_to(tmp_path / "node" / "keys").as_posix() for path in tmp_path.rglob("*.jwk"))
    assert keys == [
        *(f"central-bank/{name}.jwk" for name in ("api", "central-bank-1", "central-bank-2", "central-bank-3")),
        "log/log.jwk",
        *(f"operator/{name}.jwk" for name in ("api", "operator-1", "operator-2", "operator-3")),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.jwk")} == {0o600}


def test_init_does_not_touch_a_folder_in_use(folder: Path) -> None:
    done = tenge("init", folder)
    assert done.exit_code == 2
    assert "not empty" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--date", "2024-12-28"), ("--clock", "scripted", "--date", "2024-02-30"), ("--clock", "sundial")]
)
def test_init_refuses_times_that_do_not_fit(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert tenge("init", tmp_path / "node", *arguments).exit_code == 2
    assert not (tmp_path / "node").exists()


def test_a_key_is_made_once(tmp_path: Path) -> None:
    made = answer("keygen", tmp_path / "key.jwk")
    assert len(made["kid"]) == 43
    assert "d" not in made
    again = tenge("keygen", tmp_path / "key.jwk")
    assert (again.exit_code, "never overwritten" in again.stderr) == (2, True)


def test_signatures_are_added_one_after_the_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        answer("keygen", tmp_path / name)
    payload = tmp_path / "payload"
    payload.write_bytes(prepare("day_close", {"closes": "a", "opens": "b"}, network="n", participant="operator"))
    once = answer("sign", payload, "--key", tmp_path / "one", "-o", tmp_path / "once")
    twice = answer("sign", tmp_path / "once", "--key", tmp_path / "two", "-o", tmp_path / "twice")
    assert twice["signed_by"][:1] == once["signed_by"]
    both = tenge("sign", payload, "--key", tmp_path / "one", "--key", tmp_path / "two")
    assert both.stdout.encode().strip() == (tmp_path / "twice").read_bytes()
    envelope = jws.parse((tmp_path / "twice").read_bytes(), typ=jws.TYP_TRANSACTION)
    assert envelope.payload == payload.read_bytes()
    same = tenge("sign", tmp_path / "once", "--key", tmp_path / "one")
    assert (same.exit_code, "sign once" in same.stderr) == (2, True)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    answer("keygen", tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    payload = tmp_path / "payload"
    payload.write_bytes(b"{}")
    done = tenge("sign", payload, "--key", tmp_path / "key")
    assert done.exit_code == 2
    assert "0644" in done.stderr


@pytest.mark.parametrize("content", [b"", b"[]", b'{"kty":"OKP"}', b"\xff", b"x" * 20_000])
def test_what_is_no_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    payload = tmp_path / "payload"
    payload.write_bytes(b"{}")
    done = tenge("sign", payload, "--key", path, "--json")
    assert done.exit_code == 2
    assert json.loads(done.stderr)["error"] == "UnusableKeyFile"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = tenge("sign", tmp_path / "nothing", "--key", tmp_path / "nobody")
    assert done.exit_code == 2
    assert "nothing" in done.stderr


def test_an_export_of_an_empty_store_and_a_foreign_file_do_not_verify(tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(b"not an export\n")
    done = tenge("verify", "ledger", tmp_path / "export", "--json")
    assert done.exit_code == 1
    assert "line 1" in json.loads(done.stderr)["detail"]


def test_what_is_no_receipt_does_not_hold(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "receipt").write_bytes(b"{}")
    done = tenge("verify", "receipt", tmp_path / "receipt", "--genesis", folder / "genesis.json")
    assert done.exit_code == 1
    assert "no receipt" in done.stderr


def test_a_folder_without_a_network_is_no_node(tmp_path: Path) -> None:
    done = tenge("node", tmp_path)
    assert done.exit_code == 2
    assert "tenge init" in done.stderr
    assert tenge("export", tmp_path, "-o", tmp_path / "x").exit_code == 2
    assert tenge("rebuild-views", tmp_path).exit_code == 2


def test_a_damaged_genesis_document_is_named(folder: Path) -> None:
    (folder / "genesis.json").write_bytes(b"{}")
    done = tenge("node", folder)
    assert done.exit_code == 2
    assert "genesis" in done.stderr


def test_nobody_answers_at_an_empty_address(folder: Path, tmp_path: Path) -> None:
    signer = folder / "keys" / "operator" / "operator-1.jwk"
    payload = tmp_path / "payload"
    network = network_id((folder / "genesis.json").read_bytes())
    payload.write_bytes(prepare("day_close", {"closes": "a", "opens": "b"}, network=network, participant="operator"))
    signed = tmp_path / "signed"
    answer("sign", payload, "--key", signer, "-o", signed)
    done = tenge(
        "submit", signed, "--genesis", folder / "genesis.json", "--url", "http://127.0.0.1:9", "--give-up-after", "0"
    )
    assert done.exit_code == 3


def test_only_a_transaction_is_submitted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"{}")
    done = tenge("submit", tmp_path / "x", "--genesis", folder / "genesis.json")
    assert (done.exit_code, "JWS" in done.stderr) == (2, True)
    answer("keygen", tmp_path / "key")
    answer("sign", tmp_path / "x", "--key", tmp_path / "key", "-o", tmp_path / "y")
    assert tenge("submit", tmp_path / "y", "--genesis", folder / "genesis.json").exit_code == 2


def test_contradicting_options_are_refused(tmp_path: Path) -> None:
    assert tenge("pilot", tmp_path / "p", "--fresh", "--continue").exit_code == 2


def test_the_command_does_not_run_without_assertions() -> None:
    argv = [sys.executable, "-O", "-m", "wallet_api.cli", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, "-O" in done.stderr) == (2, True)


def test_an_interrupt_ends_a_command_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wallet_api.cli.app", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3


def test_colours_are_off_where_they_are_not_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = tenge("init", folder)
    assert "\x1b[3" not in done.stderr


def test_what_cannot_be_measured_is_refused() -> None:
    for more in ((), ("--json",)):
        done = tenge("bench", "--only", "happiness", *more)
        assert (done.exit_code, "happiness" in done.stderr) == (2, True)


def test_a_payload_is_made_offline(folder: Path, tmp_path: Path) -> None:
    genesis = folder / "genesis.json"
    body = '{"opens": "2025-01-02", "closes": "2025-01-01"}'
    made = answer(
        "prepare", "day_close", body, "--genesis", genesis, "--participant", "operator", "-o", tmp_path / "payload"
    )
    payload = (tmp_path / "payload").read_bytes()
    assert made["reference"].encode() in payload
    assert b'"body":{"closes":"2025-01-01","opens":"2025-01-02"}' in payload
    assert tenge("prepare", "day_close", "[]", "--genesis", genesis, "--participant", "operator").exit_code == 2
