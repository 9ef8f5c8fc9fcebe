"""The query log: every question of those that watch others, chained, and nothing is answered that is not in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from settlement.model.authorities import PARTS
from tests.book import Book
from tests.settlement.market import bare_market
from tests.wallet_api.door import Door, code_of
from tests.wallet_api.replayed import register_authorities, replayed_door
from wallet_api.query_log import WHAT_CHARACTERS_MAX, Asked, QueryLog


def registered() -> Book:
    book = bare_market()
    register_authorities(book)
    return book


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("watched") / "node", registered) as opened:
        yield opened


def asked(what: str, participant: str = "ministry") -> Asked:
    return Asked(asked_us=7, participant=participant, kid="k" * 43, method="GET", what=what, sequence=3)


@contextmanager
def log_at(url: str) -> Iterator[QueryLog]:
    with closing(QueryLog(url)) as opened:
        yield opened


def test_what_an_authority_asks_is_on_record_also_if_it_is_refused(watched: Door) -> None:
    watched.get("/v1/participants", by="ministry")
    watched.get("/v1/quota/nobody", by="ministry", coin="BTC")
    watched.get("/v1/participants", by="miner-one")
    newest, before, *_ = watched.get("/v1/queries", by="auditor", participant="ministry").json()["queries"]

    assert (newest["what"], before["what"]) == ("/v1/quota/nobody?coin=BTC", "/v1/participants")
    assert (newest["method"], newest["participant"]) == ("GET", "ministry")
    assert newest["sequence"] == watched.size - 1
    assert newest["asked_us"] > 0
    everybody = watched.get("/v1/queries", by="auditor").json()["queries"]
    assert everybody[0]["what"] == "/v1/queries", "who reads the log is in it"
    assert "miner-one" not in {query["participant"] for query in everybody}


def test_the_log_is_read_page_by_page(watched: Door) -> None:
    for _ in range(3):
        watched.get("/v1/supply", by="afsa")
    first = watched.get("/v1/queries", by="auditor", participant="afsa", limit=2).json()
    second = watched.get("/v1/queries", by="auditor", participant="afsa", limit=2, before=first["next_before"]).json()
    numbers = [query["number"] for page in (first, second) for query in page["queries"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == len(numbers) >= 3


@pytest.mark.parametrize("reader", ["ministry", "afsa", "miner-one", "aix-one"])
def test_nobody_else_reads_the_log(watched: Door, reader: str) -> None:
    assert code_of(watched.get("/v1/queries", by=reader)) == "not_found"


def test_a_query_is_kept_as_text_that_any_terminal_shows_and_not_at_any_length(watched: Door) -> None:
    path = "/v1/participants/%1B%5B2J" + "%D0%B6" * WHAT_CHARACTERS_MAX
    assert code_of(watched.get(path, by="afm")) == "request_invalid"
    (newest, *_) = watched.get("/v1/queries", by="auditor", participant="afm").json()["queries"]
    assert newest["what"].isascii()
    assert newest["what"].isprintable()
    assert len(newest["what"]) <= WHAT_CHARACTERS_MAX


def test_everybody_reads_who_is_which_authority(watched: Door) -> None:
    answer = watched.get("/v1/authorities", by="miner-one").json()
    assert answer["parts"] == {str(name): sorted(parts) for name, parts in PARTS.items()}
    named = {row["participant"]: row["terms"][-1]["authorities"] for row in answer["participants"]}
    assert named["ministry"] == ["ministry"]
    assert "nobody" not in named


def test_what_cannot_be_put_on_record_is_not_answered(watched: Door) -> None:
    path = watched.parts.settings.node / "queries.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE queries RENAME TO elsewhere")
        answers = [watched.get("/v1/supply", by=reader) for reader in ("auditor", "miner-one")]
        connection.execute("ALTER TABLE elsewhere RENAME TO queries")
    assert (answers[0].status_code, code_of(answers[0])) == (503, "query_log_unavailable")
    assert answers[0].headers["retry-after"] == "1"
    assert answers[1].status_code == 200
    assert watched.get("/v1/supply", by="auditor").status_code == 200


def test_a_log_that_cannot_be_read_is_a_problem_that_passes(watched: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise SQLAlchemyError("no")

    monkeypatch.setattr(watched.parts.queries, "page", fails)
    assert code_of(watched.get("/v1/queries", by="auditor")) == "query_log_unavailable"


def test_rows_follow_one_another_and_are_found_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'queries.db'}"
    with log_at(url) as log:
        assert [log.append(asked("/a")), log.append(asked("/b", "afsa"))] == [1, 2]
    with log_at(url) as log:
        assert log.append(asked("/c")) == 3
        assert [row.query.what for row in log.page(before=None, limit=10)] == ["/c", "/b", "/a"]
        assert [row.number for row in log.page(before=3, limit=1)] == [2]
        assert [row.query.what for row in log.page(before=None, limit=10, participant="ministry")] == ["/c", "/a"]
        assert log.first_fault() is None


@pytest.mark.parametrize("change", ["UPDATE queries SET what = '/x' WHERE number = 2", "DELETE FROM queries"])
def test_the_database_itself_refuses_to_change_a_row(tmp_path: Path, change: str) -> None:
    path = tmp_path / "queries.db"
    with log_at(f"sqlite:///{path}") as log:
        log.append(asked("/a"))
        log.append(asked("/b"))
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE queries SET what = '/x' WHERE number = 2", 2),
        ("DELETE FROM queries WHERE number = 2", 2),
        ("DELETE FROM queries WHERE number = 1", 1),
        ("UPDATE queries SET asked_us = 8 WHERE number = 3", 3),
    ],
)
def test_who_gets_around_that_is_found_out(tmp_path: Path, change: str, fault: int) -> None:
    path = tmp_path / "queries.db"
    with log_at(f"sqlite:///{path}") as log:
        for what in ("/a", "/b", "/c"):
            log.append(asked(what))
    with closing(sqlite3.connect(path)) as connection:
        for what in ("update", "delete"):
            connection.execute(f"DROP TRIGGER queries_no_{what}")
        connection.execute(change)
        connection.commit()
    with log_at(f"sqlite:///{path}") as log:
        assert log.first_fault() == fault


def test_the_log_stands_on_postgres_too(postgres_database_url: str) -> None:
    with log_at(postgres_database_url) as log:
        assert [log.append(asked("/a")), log.append(asked("/b"))] == [1, 2]
    with log_at(postgres_database_url) as log:
        assert log.append(asked("/c")) == 3
        assert [row.query.what for row in log.page(before=None, limit=2)] == ["/c", "/b"]
        assert log.first_fault() is None


@pytest.mark.parametrize("url", ["sqlite://", "mysql://there/queries"])
def test_a_log_needs_a_file_or_postgres(url: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        QueryLog(url)
