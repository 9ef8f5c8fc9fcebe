"""The annex: who adds, reads and erases openings; and that they are nowhere else, and gone when erased."""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto.canonical import b64url
from ledger.log.export import write_export
from ledger.log.stores import open_reader
from ledger.model.assets import TENGE
from ledger.rules.transfers import Transfer
from ledger.units import ParticipantId, TimestampUs
from tests.wallet_api.door import BANK_A, BANK_B, Door, code_of, open_door
from wallet_api.annex import Annex
from wallet_api.commitments import Opening, commitment
from wallet_api.routes.annex import OPENINGS_MAX, VALUE_BYTES_MAX

SENDER = ParticipantId("bank-a")
NOW_US = TimestampUs(1)
UNKNOWN = "A" * 43


def paid(door: Door, value: str = "Rent, November") -> tuple[str, Opening, int]:
    """A transfer with a commitment: its id, the opening, and the leaf a reader must wait for."""
    details, opening = commitment(value)
    body = Transfer(debit=BANK_A, credit=BANK_B, asset=TENGE, amount=1, details=details)
    receipt = door.post(door.signed("transfer", body, by="bank-a")).json()
    door.get(f"/v1/transactions/{receipt['transaction_id']}", by="bank-a", min_sequence=receipt["sequence"])
    return receipt["transaction_id"], opening, receipt["sequence"]


def add(door: Door, transaction_id: str, *openings: Opening, by: str = "bank-a", **more: Any) -> httpx2.Response:
    content = more or {"json": {"openings": [opening.to_json() for opening in openings]}}
    return door.client.post(annex_of(transaction_id), headers=door.bearer(by) | content.pop("headers", {}), **content)


def read(door: Door, transaction_id: str, *, by: str = "bank-a") -> httpx2.Response:
    return door.get(annex_of(transaction_id), by=by)


def erase(door: Door, transaction_id: str, *, by: str = "bank-a") -> httpx2.Response:
    return door.client.delete(annex_of(transaction_id), headers=door.bearer(by))


def annex_of(transaction_id: str) -> str:
    return f"/v1/transactions/{transaction_id}/annex"


def shown(opening: Opening) -> dict[str, str]:
    return {"commitment": opening.commitment(), **opening.to_json()}


@pytest.mark.parametrize("value", ["Rent, November", "Әлия Сәрсенқызы, 990101400123", "", "\x00", "\U0001f4b8"])
def test_an_opening_is_added_read_and_erased(door: Door, value: str) -> None:
    transaction_id, opening, _ = paid(door, value)
    assert read(door, transaction_id).json() == {"openings": []}
    assert (answer := add(door, transaction_id, opening)).status_code == 200, answer.text
    assert answer.json() == {"count": 1}
    for reader in ("bank-a", "supervisor"):
        assert read(door, transaction_id, by=reader).json() == {"openings": [shown(opening)]}
    assert (answer := erase(door, transaction_id)).status_code == 200
    assert answer.json() == {"count": 1}
    assert read(door, transaction_id).json() == {"openings": []}
    assert erase(door, transaction_id).json() == {"count": 0}
    assert add(door, transaction_id, opening).json() == {"count": 1}
    assert read(door, transaction_id).json() == {"openings": [shown(opening)]}


def test_adding_again_changes_nothing(door: Door) -> None:
    transaction_id, opening, _ = paid(door)
    for openings in ((opening,), (opening,), (opening, opening)):
        assert add(door, transaction_id, *openings).json() == {"count": 1}


def test_the_leaf_a_sender_knows_of_may_be_waited_for(door: Door) -> None:
    transaction_id, _, sequence = paid(door)
    assert door.get(annex_of(transaction_id), by="bank-a", min_sequence=sequence).status_code == 200
    assert code_of(door.get(annex_of(transaction_id), by="bank-a", min_sequence=10**9)) == "leaf_unknown"


def test_an_opening_of_no_commitment_is_named_and_none_is_added(door: Door) -> None:
    transaction_id, opening, _ = paid(door)
    _, foreign, _ = paid(door)
    others = (
        Opening(salt=opening.salt, value=opening.value + "."),
        Opening(salt=bytes(16), value=opening.value),
        foreign,
    )
    for other in others:
        answer = add(door, transaction_id, opening, other)
        assert (answer.status_code, code_of(answer)) == (400, "opening_unfit")
        assert "openings[1]" in answer.json()["detail"]
        assert other.value not in answer.text
    assert read(door, transaction_id).json() == {"openings": []}


def test_what_is_somebody_elses_is_not_there(door: Door) -> None:
    transaction_id, opening, _ = paid(door)
    add(door, transaction_id, opening)
    expected = read(door, UNKNOWN).json() | {"instance": ""}
    answers = [
        add(door, transaction_id, opening, by="bank-b"),
        read(door, transaction_id, by="bank-b"),
        erase(door, transaction_id, by="bank-b"),
        add(door, transaction_id, opening, by="supervisor"),
        erase(door, transaction_id, by="supervisor"),
        add(door, UNKNOWN, opening),
        erase(door, UNKNOWN),
        read(door, UNKNOWN, by="supervisor"),
    ]
    for answer in answers:
        assert (answer.status_code, code_of(answer)) == (404, "not_found")
        assert answer.json() | {"instance": ""} == expected
    assert read(door, transaction_id).json() == {"openings": [shown(opening)]}


def test_nothing_goes_without_a_token(door: Door) -> None:
    path = annex_of(paid(door)[0])
    for answer in (door.client.post(path), door.client.get(path), door.client.delete(path)):
        assert (answer.status_code, code_of(answer)) == (401, "token_missing")


def test_a_value_may_have_the_longest_length_and_no_byte_more(door: Door) -> None:
    for filler in ("x", "ж", "\U0001f4b8"):
        longest = filler * (VALUE_BYTES_MAX // len(filler.encode()))
        transaction_id, opening, _ = paid(door, longest)
        assert add(door, transaction_id, opening).json() == {"count": 1}
        transaction_id, opening, _ = paid(door, longest + "x")
        answer = add(door, transaction_id, opening)
        assert (answer.status_code, code_of(answer)) == (400, "request_invalid")


def test_a_request_may_have_the_most_openings_and_not_one_more(door: Door) -> None:
    transaction_id, opening, _ = paid(door, "ж" * (VALUE_BYTES_MAX // 2))
    assert add(door, transaction_id, *[opening] * OPENINGS_MAX).json() == {"count": 1}
    assert code_of(add(door, transaction_id, *[opening] * (OPENINGS_MAX + 1))) == "request_invalid"
    assert code_of(add(door, transaction_id)) == "request_invalid"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0ODw"}]}',
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0ODx","value":""}]}',
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0ODw==","value":""}]}',
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0O","value":""}]}',
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0ODw","value":"\\ud800"}]}',
        b'{"openings":[{"salt":"AAECAwQFBgcICQoLDA0ODw","value":"","name":""}]}',
    ],
)
def test_a_body_of_another_form_is_refused(door: Door, content: bytes) -> None:
    answer = add(door, UNKNOWN, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, code_of(answer)) == (400, "request_invalid")


def test_a_body_of_another_type_or_encoding_or_of_too_many_bytes_is_refused(door: Door) -> None:
    json_type = {"content-type": "application/json"}
    assert code_of(add(door, UNKNOWN, content=b"{}")) == "content_type_unsupported"
    encoded = add(door, UNKNOWN, content=b"{}", headers=json_type | {"content-encoding": "gzip"})
    assert code_of(encoded) == "content_encoding_refused"
    too_long = b" " * (door.parts.settings.body_bytes_max_with_token + 1)
    assert code_of(add(door, UNKNOWN, content=too_long, headers=json_type)) == "body_too_large"


def test_an_annex_that_does_not_answer_is_a_problem_that_passes(door: Door) -> None:
    transaction_id, opening, _ = paid(door)
    path = door.parts.settings.node / "annex.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE openings RENAME TO elsewhere")
        answers = [add(door, transaction_id, opening), read(door, transaction_id), erase(door, transaction_id)]
        connection.execute("ALTER TABLE elsewhere RENAME TO openings")
    for answer in answers:
        assert (answer.status_code, code_of(answer)) == (503, "annex_unavailable")
        assert answer.headers["retry-after"] == "1"
    assert add(door, transaction_id, opening).json() == {"count": 1}


def test_a_value_is_in_the_annex_alone_and_gone_from_its_bytes_when_erased(tmp_path: Path) -> None:
    value = "Әлия Сәрсенқызы, 990101400123"
    folder = tmp_path / "node"
    with open_door(folder) as door:
        door.populate()
        transaction_id, opening, _ = paid(door, value)
        add(door, transaction_id, opening)
        assert holding(tmp_path, value.encode()) == {"annex.db"}
        export = io.BytesIO()
        with closing(open_reader(door.parts.settings.block_store_url)) as reader:
            write_export(reader, door.parts.document, export)
        assert value.encode() not in export.getvalue()
        assert b64url(opening.salt).encode() not in export.getvalue()
        erase(door, transaction_id)
        assert holding(tmp_path, value.encode()) == set()
    for secret in (value.encode(), opening.salt):
        assert holding(tmp_path, secret) == set()


def holding(folder: Path, secret: bytes) -> set[str]:
    """The files that hold some bytes."""
    return {file.name for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()}


@contextmanager
def annex_at(url: str) -> Iterator[Annex]:
    with closing(Annex(url)) as opened:
        yield opened


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40))
def test_what_is_erased_is_gone_from_the_file_whatever_stays(
    seed: int, steps: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = Random(seed)
    path = tmp_path_factory.mktemp("annex") / "annex.db"
    kept: dict[bytes, list[Opening]] = {}
    erased: dict[bytes, list[Opening]] = {}
    with annex_at(f"sqlite:///{path}") as annex:
        for step in range(steps):
            if kept and random.random() < 0.4:
                transaction_id = random.choice(list(kept))
                erased[transaction_id] = kept.pop(transaction_id)
                assert annex.erase(transaction_id) == len(erased[transaction_id])
            else:
                is_back = bool(erased) and random.random() < 0.3
                transaction_id = random.choice(list(erased)) if is_back else random.randbytes(32)
                openings = erased.pop(transaction_id, None) or secrets_of(random, step)
                kept[transaction_id] = openings
                assert annex.add(transaction_id, openings, participant=SENDER, added_us=NOW_US) == len(openings)
            content = path.read_bytes()
            for opening in (opening for openings in erased.values() for opening in openings):
                assert opening.value[:17].encode() not in content
                assert opening.salt not in content
        for transaction_id, openings in (kept | {gone: [] for gone in erased}).items():
            assert annex.get(transaction_id) == sorted(openings, key=Opening.commitment)
    assert {file.name for file in path.parent.iterdir()} == {"annex.db"}


def secrets_of(random: Random, number: int) -> list[Opening]:
    """Openings of values that are told apart by their first 17 characters, of any length."""
    values = [f"secret-{number:04d}-{line:04d}!" for line in range(random.randint(1, 60))]
    return [commitment(value + "x" * random.randint(0, VALUE_BYTES_MAX - 17))[1] for value in values]


def test_the_annex_stands_on_postgres_too(postgres_database_url: str) -> None:
    opening, other = commitment("\x00 Rent")[1], commitment("Rent")[1]
    with annex_at(postgres_database_url) as annex:
        assert annex.add(b"t", [opening, opening], participant=SENDER, added_us=NOW_US) == 1
        assert annex.add(b"u", [other], participant=SENDER, added_us=NOW_US) == 1
        assert annex.add(b"v", [], participant=SENDER, added_us=NOW_US) == 0
    with annex_at(postgres_database_url) as annex:
        assert annex.get(b"t") == [opening]
        assert annex.erase(b"t") == 1
        assert (annex.get(b"t"), annex.get(b"u")) == ([], [other])
        assert annex.add(b"t", [opening], participant=SENDER, added_us=NOW_US) == 1
        assert annex.get(b"t") == [opening]


@pytest.mark.parametrize("url", ["sqlite://", "mysql://there/annex"])
def test_an_annex_needs_a_file_or_postgres(url: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Annex(url)
