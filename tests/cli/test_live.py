"""Commands against a running node, started by `tenge node` itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.cli.test_offline import answer, tenge
from tests.client.town import OWN_A, OWN_B, Town, new_folder, run, settle
from wallet_api.client import prepare


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("cli") / "node"
    node, town = run(folder, new_folder(folder, seed="cli"))
    with node:
        settle(town)
        yield town
        assert node.stop() == 0, node.log


def _signed(town: Town, folder: Path, amount: int) -> Path:
    """A payment from bank-a to bank-b, signed by the command line."""
    payload = folder / f"payment-{amount}.json"
    body = {"debit": OWN_A, "credit": OWN_B, "asset": "KZT", "amount": amount}
    payload.write_bytes(prepare("transfer", body, network=town.network.id, participant="bank-a"))
    key = town.folder / "keys" / "bank-a" / "bank-a-1.jwk"
    answer("sign", payload, "--key", key, "-o", folder / f"payment-{amount}.jws")
    return folder / f"payment-{amount}.jws"


def _subprocess(*arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "wallet_api.cli", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def _at(town: Town) -> tuple[object, ...]:
    return ("--genesis", town.folder / "genesis.json", "--url", town.address)


def _as_bank_a(town: Town) -> tuple[object, ...]:
    return ("--participant", "bank-a", "--key", town.folder / "keys" / "bank-a" / "api.jwk", *_at(town))


def test_a_payment_is_submitted_and_its_receipt_verified_by_another_process(town: Town, tmp_path: Path) -> None:
    signed = _signed(town, tmp_path, 21)
    kept = (tmp_path / "receipt", tmp_path / "checkpoint")
    done = _subprocess("submit", signed, *_at(town), "--receipt", kept[0], "--checkpoint", kept[1], "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert receipt == msgspec.json.decode(kept[0].read_bytes())
    assert kept[1].read_text().startswith(f"digital-tenge/{town.network.id}\n")

    verified = answer("verify", "receipt", kept[0], "--genesis", town.folder / "genesis.json", "--submission", signed)
    assert (verified["outcome"], verified["is_bound_to_submission"]) == ("accepted", True)
    alone = answer("verify", "receipt", kept[0], "--genesis", town.folder / "genesis.json")
    assert not alone["is_bound_to_submission"]
    # For people, and again with the first checkpoint in hand.
    shown = tenge("submit", signed, *_at(town), "--checkpoint", kept[1])
    assert "accepted" in shown.stdout


def test_a_changed_receipt_does_not_verify(town: Town, tmp_path: Path) -> None:
    receipt = answer("submit", _signed(town, tmp_path, 22), *_at(town))
    receipt["leaves"][0]["leaf"] = receipt["leaves"][0]["leaf"].replace('"amount":22', '"amount":23')
    (tmp_path / "changed").write_text(json.dumps(receipt), encoding="utf-8")
    assert tenge("verify", "receipt", tmp_path / "changed", "--genesis", town.folder / "genesis.json").exit_code == 1


def test_a_refusal_ends_with_one_and_its_code(town: Town, tmp_path: Path) -> None:
    done = tenge("submit", _signed(town, tmp_path, 10**14), *_at(town), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stderr)["error"] == "insufficient_funds"


def test_an_account_and_its_statement_are_shown(town: Town, tmp_path: Path) -> None:
    receipt = answer("submit", _signed(town, tmp_path, 24), *_at(town))
    account = answer("account", OWN_A, *_as_bank_a(town))
    assert (account["account"], account["owner"]) == (OWN_A, "bank-a")
    assert str(account["balance"]) in tenge("account", OWN_A, *_as_bank_a(town)).stdout.replace("\n", "")
    asked = ("statement", OWN_A, *_as_bank_a(town), "--lines", 1, "--min-sequence", receipt["sequence"])
    (newest,) = answer(*asked)["lines"]
    assert (newest["amount"], newest["side"]) == (24, "debit")
    assert "debit" in tenge(*asked).stdout


def test_somebody_elses_account_ends_with_one(town: Town) -> None:
    done = tenge("account", OWN_B, *_as_bank_a(town), "--json")
    assert (done.exit_code, json.loads(done.stderr)["error"]) == (1, "not_found")


def test_the_log_is_exported_from_a_running_node_and_verified(town: Town, tmp_path: Path) -> None:
    answer("submit", _signed(town, tmp_path, 25), *_at(town), "--checkpoint", tmp_path / "seen")
    exported = answer("export", town.folder, "-o", tmp_path / "export")
    assert exported["bytes"] == (tmp_path / "export").stat().st_size
    pinned = ("--network", town.network.id, "--at-least", tmp_path / "seen")
    report = answer("verify", "ledger", tmp_path / "export", *pinned)
    assert (report["network"], report["is_network_pinned"]) == (town.network.id, True)
    assert "The ledger holds" in tenge("verify", "ledger", tmp_path / "export", *pinned).stdout


def test_without_a_network_from_outside_an_export_is_self_consistent_only(town: Town, tmp_path: Path) -> None:
    answer("export", town.folder, "-o", tmp_path / "export")
    done = tenge("verify", "ledger", tmp_path / "export")
    assert done.exit_code == 1
    assert "self-consistent only" in done.stderr
    other = tenge("verify", "ledger", tmp_path / "export", "--network", "town:" + "A" * 43)
    assert other.exit_code == 1


def test_an_export_whose_tail_was_dropped_is_found_out(town: Town, tmp_path: Path) -> None:
    answer("export", town.folder, "-o", tmp_path / "early")
    answer("submit", _signed(town, tmp_path, 26), *_at(town), "--checkpoint", tmp_path / "seen")
    done = tenge(
        "verify", "ledger", tmp_path / "early", "--network", town.network.id, "--at-least", tmp_path / "seen", "--json"
    )
    assert done.exit_code == 1
    assert "tail" in json.loads(done.stderr)["detail"]


def test_a_second_node_on_the_same_folder_does_not_start(town: Town) -> None:
    done = _subprocess("node", town.folder, "--port", "0")
    assert done.returncode == 3
    assert "StoreInUse" in done.stderr


def test_projections_are_rebuilt_while_no_node_runs(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    node, town = run(folder, new_folder(folder, seed="rebuilt"))
    with node:
        settle(town)
    rebuilt = answer("rebuild-views", folder)
    assert rebuilt["leaves"] > 5
    node, town = run(folder, town.network)
    with node, town.client("bank-a") as client:
        assert [line.kind for line in client.statement(OWN_A, min_sequence=rebuilt["leaves"] - 1)] == ["issue"]


def test_settings_that_do_not_fit_are_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENGE_SNAPSHOT_EVERY", "none")
    done = tenge("export", town.folder, "-o", town.folder / "x")
    assert done.exit_code == 2
    assert "snapshot_every" in done.stderr


def test_a_node_for_people_says_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    new_folder(folder, seed="people")
    argv = [sys.executable, "-m", "wallet_api.cli", "node", str(folder), "--port", "0"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        while not any("address" in line for line in said):
            said.append(process.stderr.readline())
            assert said[-1], "".join(said)
        process.terminate()
        process.stderr.read()
    assert process.returncode == 0
