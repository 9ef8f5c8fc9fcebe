"""Commands of settlement against a running node: statements, a pool's report, an inspection verified offline."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.crypto import canonical
from ledger.model.transactions import Transaction
from settlement.rules.production import ProductionReport
from tests.book import key_of
from tests.cli.test_offline import answer, tenge
from tests.settlement.market import BIN, BTC, payout
from tests.wallet_api.busy_day import busy_day
from tests.wallet_api.replayed import replayed_door
from wallet_api.client import write_key
from wallet_api.sandbox.node_process import NodeProcess


@dataclass(frozen=True)
class Venue:
    """A node that went through a busy day."""

    folder: Path
    address: str
    network: str

    def at(self, participant: str) -> tuple[object, ...]:
        """How a participant reads."""
        path = self.folder.parent / f"{participant}.jwk"
        if not path.exists():
            write_key(path, key_of(f"{participant}-api"))
        genesis = self.folder / "genesis.json"
        return ("--participant", participant, "--key", path, "--genesis", genesis, "--url", self.address)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    folder = tmp_path_factory.mktemp("venue") / "node"
    with replayed_door(folder, busy_day) as door:
        network = door.network
    with NodeProcess(folder) as node:
        yield Venue(folder, node.address, network)
        assert node.stop() == 0, node.log


def test_statements_are_written_in_every_form(venue: Venue, tmp_path: Path) -> None:
    for form, begins in (("json", b'{"includes_sequence"'), ("csv", b"statement,name"), ("html", b"<!doctype html>")):
        for command in ("miner miner-one", "exchange aix-one", "tax-pack miner-one 2024-Q4"):
            out = tmp_path / f"{command.replace(' ', '-')}.{form}"
            done = tenge("settle", *command.split(), *venue.at("auditor"), "--format", form, "-o", out)
            assert done.exit_code == 0, done.output
            assert out.read_bytes().startswith(begins)


def test_dates_and_parts_are_those_of_the_asker(venue: Venue) -> None:
    done = tenge("settle", "exchange", "aix-one", *venue.at("afm"), "--until", "2024-12-30")
    statement = json.loads(done.stdout)["statement"]
    assert (statement["parts"], statement["until_date"]) == (["cases"], "2024-12-30")
    assert tenge("settle", "miner", "miner-one", *venue.at("afsa")).exit_code == 1


def test_an_inspection_is_exported_and_verified_offline(venue: Venue, tmp_path: Path) -> None:
    out = tmp_path / "inspection.jsonl"
    asked = ("settle", "inspection", "miner-one", "--coin", "BTC", *venue.at("ministry"))
    assert tenge(*asked, "-o", out).exit_code == 0
    found = answer("verify", "inspection", out, "--network", venue.network, "--log-key", key_of("other").public.x)
    assert (found["miner"], found["claims"], found["is_network_pinned"]) == ("miner-one", 2, True)
    assert "flags" in found["on_the_node_s_word"]
    assert tenge(*asked, "--as-of", "2020-01-01").stdout.count("\n") == out.read_text().count("\n")

    unpinned = tenge("verify", "inspection", out)
    assert (unpinned.exit_code, "self-consistent only" in " ".join(unpinned.stderr.split())) == (1, True)
    out.write_bytes(out.read_bytes().replace(b'"shortfall":', b'"shortfall": ', 1))
    assert tenge("verify", "inspection", out, "--network", venue.network).exit_code == 1


ROW = {
    "row": "1",
    "iin_bin": BIN,
    "name": "A mine",
    "licence": "L-1",
    "licence_date": "2023-06-01",
    "wallet": "bc1-wallet",
    "distributed": "2024-12-24",
    "coin": "BTC",
    "quantity": "0.5",
    "value": "24387680.83",
    "payout": payout(7),
}


def _report(path: Path, **changes: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(ROW))
        writer.writeheader()
        writer.writerow(ROW | changes)
    return path


def test_a_pool_s_file_becomes_a_payload_with_what_the_registers_say(venue: Venue, tmp_path: Path) -> None:
    file = _report(tmp_path / "report.csv")
    made = answer(
        *("settle", "production", file, *venue.at("pool-one"), "--sequence", 2),
        *("-o", tmp_path / "payload", "--openings", tmp_path / "openings"),
    )
    payload = (tmp_path / "payload").read_bytes().removesuffix(b"\n")
    transaction = canonical.decode(payload, Transaction[ProductionReport])
    (row,) = transaction.body.rows
    assert (row.miner, row.quantity, transaction.body.sequence) == ("miner-one", BTC // 2, 2)
    assert b"bc1-wallet" not in payload
    assert (made["rows"], made["openings"]) == (1, 2)


@pytest.mark.parametrize(("column", "value"), [("licence", "L-9"), ("coin", "DOGE"), ("iin_bin", "123")])
def test_a_wrong_cell_of_a_report_is_named(venue: Venue, tmp_path: Path, column: str, value: str) -> None:
    file = _report(tmp_path / "report.csv", **{column: value})
    done = tenge(
        *("settle", "production", file, *venue.at("pool-one"), "--sequence", 2),
        *("--openings", tmp_path / "openings"),
    )
    assert (done.exit_code, "row 2" in done.stderr) == (1, True), done.stderr
