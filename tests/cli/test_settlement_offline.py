"""Commands of settlement that need no node: a register file, the tree over what clients are owed, a drill."""

import io
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ledger.crypto import canonical
from ledger.genesis import network_id
from ledger.log.export import write_export
from ledger.log.stores import open_reader
from ledger.model.transactions import Transaction
from ledger.units import Kid, ParticipantId, TimestampUs
from settlement.rules.register_load import RegistryLoad
from tests.book import genesis_document
from tests.cli.test_offline import answer, tenge
from tests.settlement.test_register_file import CSV, IIN
from tests.wallet_api.busy_day import busy_day
from tests.wallet_api.replayed import replayed_door
from wallet_api.query_log import Asked, QueryLog

BOOKS = "client,balance\nclient-a,500\nclient-b,0\nclient-c,1234\n"
SCOPE = ("--exchange", "aix-one", "--asset", "BTC:aix-one", "--date", "2024-12-27")


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.json"
    path.write_bytes(genesis_document())
    return path


def test_a_register_file_becomes_one_payload_and_its_openings_are_kept_apart(tmp_path: Path, genesis: Path) -> None:
    (tmp_path / "register.csv").write_text(CSV, encoding="utf-8")
    files = ("-o", tmp_path / "payload", "--openings", tmp_path / "openings")
    given = ("settle", "register", tmp_path / "register.csv", "--genesis", genesis, "--participant", "ministry")
    made = answer(*given, *files)

    payload = (tmp_path / "payload").read_bytes().removesuffix(b"\n")
    transaction = canonical.decode(payload, Transaction[RegistryLoad])
    assert (transaction.kind, transaction.network) == ("registry_load", network_id(genesis.read_bytes()))
    assert made["rows"] == len(transaction.body.rows)
    assert IIN.encode() not in payload
    openings = json.loads((tmp_path / "openings").read_text())
    assert made["openings"] == len(openings["openings"])
    assert [person["value"] for person in openings["persons"]] == [IIN]
    assert stat.S_IMODE((tmp_path / "openings").stat().st_mode) == 0o600
    again = tenge(*given, "-o", tmp_path / "payload", "--openings", tmp_path / "openings")
    assert again.exit_code == 2, "openings are never written over"


def test_a_person_keeps_its_party_id_in_a_later_file(tmp_path: Path, genesis: Path) -> None:
    (tmp_path / "register.csv").write_text(CSV, encoding="utf-8")
    given = ("settle", "register", tmp_path / "register.csv", "--genesis", genesis, "--participant", "ministry")
    answer(*given, "-o", tmp_path / "one", "--openings", tmp_path / "first")
    answer(*given, "-o", tmp_path / "two", "--openings", tmp_path / "second", "--persons", tmp_path / "first")
    persons = [json.loads((tmp_path / name).read_text())["persons"] for name in ("first", "second")]
    assert persons[0] == persons[1]
    (tmp_path / "broken").write_text('{"persons":[{"salt":"x","value":""}]}')
    done = tenge(*given, "--openings", tmp_path / "third", "--persons", tmp_path / "broken")
    assert (done.exit_code, "expected a file of openings" in done.stderr) == (2, True)


def test_one_wrong_cell_is_named_and_nothing_is_written(tmp_path: Path, genesis: Path) -> None:
    (tmp_path / "register.csv").write_text("row,coin,scale\ncoin,BTC,many\n", encoding="utf-8")
    given = ("--genesis", genesis, "--participant", "ministry", "--openings", tmp_path / "openings")
    done = tenge("settle", "register", tmp_path / "register.csv", *given, "-o", tmp_path / "payload")
    assert done.exit_code == 1
    assert "row 2, column scale" in done.stderr
    assert not (tmp_path / "payload").exists()
    assert not (tmp_path / "openings").exists()


def test_a_tree_is_built_from_the_books_and_each_client_verifies_its_part(tmp_path: Path) -> None:
    (tmp_path / "books.csv").write_text(BOOKS)
    kept = ("--proofs", tmp_path / "proofs", "--salted", tmp_path / "salted.csv")
    root = answer("settle", "liabilities", tmp_path / "books.csv", *SCOPE, *kept)

    assert (root["total"], root["leaves"]) == (1_734, 3)
    (tmp_path / "root.json").write_bytes(msgspec.json.encode({"published": root, "published_us": 1}))
    verify = ("verify", "inclusion", tmp_path / "proofs" / "client-c.json", "--published", tmp_path / "root.json")
    assert answer(*verify, "--client", "client-c", "--balance", 1_234)["root"] == root["root"]
    for client, balance, said in (
        ("client-c", 1_233, "expected a balance of 1233"),
        ("client-a", 500, "expected the leaf of client-a"),
    ):
        done = tenge(*verify, "--client", client, "--balance", balance)
        assert (done.exit_code, said in done.stderr) == (1, True)
    salted = tmp_path / "salted.csv"
    whole = ("verify", "liabilities", salted, "--published", tmp_path / "root.json")
    assert answer(*whole)["root"] == root["root"]
    kept_back = tmp_path / "kept-back.csv"
    kept_back.write_text("".join(salted.read_text().splitlines(keepends=True)[:-1]))
    done = tenge("verify", "liabilities", kept_back, "--published", tmp_path / "root.json")
    assert (done.exit_code, "the leaves make" in done.stderr) == (1, True)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (salted, *(tmp_path / "proofs").iterdir())} == {0o600}
    again = ("--proofs", tmp_path / "again", "--salted", tmp_path / "again.csv")
    assert answer("settle", "liabilities", salted, *SCOPE, *again) == root, "the same salts make the same tree"


@pytest.mark.parametrize(
    ("books", "said"),
    [
        ("client,balance\nclient-a,\n", "row 2, column balance"),
        ("client,balance\n,5\n", "row 2, column client"),
        ("client,balance\nclient a,5\n", "row 2, column client"),
        ("client,balance\nclient-a,-5\n", "row 2, column balance"),
        ("client,balance,salt\nclient-a,5,short\n", "row 2, column salt"),
        ("client,balance\nclient-a,5\nclient-a,6\n", "stands twice"),
        ("client,owed\nclient-a,5\n", "column owed"),
    ],
)
def test_books_that_are_wrong_are_told_and_nothing_is_written(tmp_path: Path, books: str, said: str) -> None:
    (tmp_path / "books.csv").write_text(books)
    kept = ("--proofs", tmp_path / "proofs", "--salted", tmp_path / "salted.csv")
    done = tenge("settle", "liabilities", tmp_path / "books.csv", *SCOPE, *kept)
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "proofs").exists()


@pytest.mark.parametrize(("option", "value"), [("--date", "yesterday"), ("--asset", "btc"), ("--exchange", "A")])
def test_a_tree_of_nothing_that_can_be_published_is_refused(tmp_path: Path, option: str, value: str) -> None:
    (tmp_path / "books.csv").write_text(BOOKS)
    scope = {**dict(zip(SCOPE[::2], SCOPE[1::2], strict=True)), option: value}
    kept = ("--proofs", tmp_path / "proofs", "--salted", tmp_path / "salted.csv")
    given = [each for pair in scope.items() for each in pair]
    assert tenge("settle", "liabilities", tmp_path / "books.csv", *given, *kept).exit_code == 1


def test_an_answer_that_is_no_root_is_refused(tmp_path: Path) -> None:
    for name in ("proof", "root"):
        (tmp_path / name).write_text("{}")
    given = ("--published", tmp_path / "root", "--client", "a", "--balance", 1)
    done = tenge("verify", "inclusion", tmp_path / "proof", *given)
    assert (done.exit_code, "expected the ledger's answer" in done.stderr) == (2, True)


def test_a_query_log_is_verified_row_by_row(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'queries.db'}"
    with closing(QueryLog(url)) as log:
        for sequence in (1, 2):
            log.append(
                Asked(
                    asked_us=TimestampUs(sequence),
                    participant=ParticipantId("afsa"),
                    kid=Kid("k" * 43),
                    method="GET",
                    what="/v1/exchanges/aix-one/statement",
                    sequence=sequence,
                )
            )
    assert answer("verify", "queries", url) == {"url": url}
    with closing(sqlite3.connect(tmp_path / "queries.db")) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute("UPDATE queries SET what = '/v1/supply' WHERE number = 2")
        database.commit()
    done = tenge("verify", "queries", url)
    assert (done.exit_code, "row 2" in done.stderr) == (1, True)
    for nowhere in ("mysql://nowhere", f"sqlite:///{tmp_path / 'none.db'}"):
        assert tenge("verify", "queries", nowhere).exit_code == 2
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(("reported", "fit"), [(0, "below"), (10**12, "above")])
def test_reported_coins_are_held_against_the_energy(reported: int, fit: str) -> None:
    made = answer(
        *("settle", "plausibility", "--energy-kwh", 1_000_000, "--reported", reported, "--date", "2025-01-01"),
        *("--terahashes", 700_000_000 * 86_400 * 90, "--reward", 45_000 * 10**8),
    )
    assert (made["fit"], made["status"]) == (fit, "assumed")
    assert 0 < made["least"] < made["most"]


def test_a_wind_down_is_drilled_on_an_export(tmp_path: Path) -> None:
    export = io.BytesIO()
    with (
        replayed_door(tmp_path / "node", busy_day) as door,
        closing(open_reader(door.parts.settings.block_store_url)) as reader,
    ):
        write_export(reader, door.parts.document, export)
    (tmp_path / "export").write_bytes(export.getvalue())
    kept = ("--distribution", tmp_path / "lines.csv", "-o", tmp_path / "drill.json")
    made = answer("drill", "winddown", tmp_path / "export", "aix-one", *kept)

    assert made["exchange"] == "aix-one"
    assert made["lines"] == len((tmp_path / "lines.csv").read_text().splitlines()) - 1 > 0
    assert json.loads((tmp_path / "drill.json").read_text())["exchange"] == "aix-one"
    assert "nothing was changed" in tenge("drill", "winddown", tmp_path / "export", "aix-one").stdout
    assert tenge("drill", "winddown", tmp_path / "export", "miner-one").exit_code == 2
    (tmp_path / "export").write_bytes(export.getvalue()[:-10])
    assert tenge("drill", "winddown", tmp_path / "export", "aix-one").exit_code == 1
