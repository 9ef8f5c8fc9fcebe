"""Appends that fail, and databases that were altered, lost or damaged."""

import errno
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError

from ledger.log.block_store import (
    AppendUncertain,
    HeadBehind,
    StoreBroken,
    StoreInUse,
)
from ledger.log.block_writer import SqlBlockStore
from ledger.log.checkpoint_file import CheckpointFile
from ledger.log.stores import open_reader, open_store
from tests.log.chain import extend, head_after, next_block
from tests.log.faults import POINTS_WITHOUT_TRACE, Point, administrator, failing


def change(url: str, *statements: str) -> None:
    """Alter the database behind the store's back."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("point", POINTS_WITHOUT_TRACE)
def test_a_failed_append_is_uncertain_and_reopening_does_not_find_its_block(store_url: str, point: Point) -> None:
    store = open_store(store_url)
    first = extend(store, store.open(), 1)[0]
    block = next_block(head_after(first))
    with failing(store, point), pytest.raises(AppendUncertain):
        store.append(block)
    with pytest.raises(AppendUncertain):
        store.append(block)
    head = store.reopen()
    assert (head.epoch, head.height, head.digest) == (2, 0, first.digest())
    extend(store, head, 1)
    assert [found.epoch for found in store.blocks()] == [1, 2]
    store.close()


def test_an_append_that_failed_after_its_commit_is_found_on_reopening(store_url: str) -> None:
    store = open_store(store_url)
    block = next_block(store.open())
    with failing(store, Point.AFTER_COMMIT), pytest.raises(AppendUncertain):
        store.append(block)
    head = store.reopen()
    assert (head.epoch, head.height, head.digest) == (2, 0, block.digest())
    assert store.read(0) == block
    extend(store, head, 1)
    store.close()


def test_reopening_without_need_begins_a_new_epoch(store_url: str) -> None:
    store = open_store(store_url)
    extend(store, store.open(), 1)
    head = store.reopen()
    assert (head.epoch, head.height) == (2, 0)
    extend(store, head, 1)
    store.close()


def test_postgresql_reopens_after_all_its_sessions_were_ended(postgres_database_url: str) -> None:
    store = open_store(postgres_database_url)
    block = next_block(store.open())
    store.append(block)
    with administrator(store) as execute:
        execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'ledger-%' AND datname = current_database()"
        )
    with pytest.raises(AppendUncertain):
        store.append(next_block(head_after(block)))
    head = store.reopen()
    extend(store, head, 1)
    with pytest.raises(StoreInUse):
        open_store(postgres_database_url).open()
    store.close()


def test_postgresql_reopening_is_itself_uncertain_while_the_database_refuses(
    postgres_database_url: str,
) -> None:
    store = open_store(postgres_database_url)
    extend(store, store.open(), 1)
    with administrator(store) as execute:
        execute("ALTER TABLE ledger_head RENAME TO away")
        with pytest.raises(AppendUncertain):
            store.reopen()
        execute("ALTER TABLE away RENAME TO ledger_head")
    assert store.reopen().epoch == 2
    store.close()


def test_a_block_already_above_the_head_breaks_the_store(store_url: str) -> None:
    store = open_store(store_url)
    blocks = extend(store, store.open(), 2)
    change(store_url, "UPDATE ledger_block SET height = 2, first_sequence = 90 WHERE height = 1")
    with pytest.raises(StoreBroken, match="above the head"):
        store.append(next_block(head_after(blocks[-1])))
    for call in (store.reopen, lambda: store.append(blocks[-1])):
        with pytest.raises(StoreBroken):
            call()
    store.close()


def test_a_full_disk_breaks_the_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert isinstance(store, SqlBlockStore)

    @event.listens_for(store.append_engine, "connect")
    def _limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 20")

    head = store.open()
    with pytest.raises(StoreBroken, match="full"):
        store.append(next_block(head, body=bytes(1 << 20)))
    with pytest.raises(StoreBroken):
        store.reopen()
    store.close()


def test_postgresql_input_output_errors_break_the_store(postgres_database_url: str) -> None:
    store = open_store(postgres_database_url)
    head = store.open()
    with administrator(store) as execute:
        execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'could not fsync' USING ERRCODE = '58030'; END$$"
        )
        execute("CREATE TRIGGER fail BEFORE INSERT ON ledger_block FOR EACH ROW EXECUTE FUNCTION fail()")
    with pytest.raises(StoreBroken, match="fsync"):
        store.append(next_block(head))
    store.close()


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE ledger_block SET checkpoint = 'other' WHERE height = 2",
        "UPDATE ledger_block SET time_us = time_us + 1 WHERE height = 2",
        "UPDATE ledger_head SET digest = (SELECT digest FROM ledger_block WHERE height = 0)",
        "UPDATE ledger_head SET size = size + 1",
        "UPDATE ledger_head SET checkpoint = 'other'",
        "UPDATE ledger_head SET height = 1",
        "UPDATE ledger_head SET height = 3",
        "DELETE FROM ledger_block WHERE height = 2",
    ],
)
def test_a_store_whose_newest_block_was_altered_does_not_open(store_url: str, alteration: str) -> None:
    store = open_store(store_url)
    extend(store, store.open(), 3)
    store.close()
    change(store_url, alteration)
    store = open_store(store_url)
    with pytest.raises(StoreBroken):
        store.open()


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE ledger_block SET checkpoint = 'other' WHERE height = 1",
        "DELETE FROM ledger_block WHERE height = 1",
    ],
)
def test_an_altered_older_block_is_found_when_it_is_read(store_url: str, alteration: str) -> None:
    store = open_store(store_url)
    blocks = extend(store, store.open(), 3)
    change(store_url, alteration)
    for read in (
        lambda: store.read(1),
        lambda: store.read_by_sequence(blocks[1].first_sequence),
        lambda: list(store.blocks()),
    ):
        with pytest.raises(StoreBroken):
            read()
    assert store.read(2) == blocks[2]
    store.close()


def test_a_block_above_the_head_is_not_given_out(store_url: str) -> None:
    store = open_store(store_url)
    extend(store, store.open(), 3)
    change(store_url, "UPDATE ledger_head SET height = 1")
    with pytest.raises(StoreBroken, match="above the head"):
        store.read(2)
    store.close()


def test_a_file_that_is_no_database_breaks_store_and_reader(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreBroken):
        open_store(f"sqlite:///{path}").open()
    with pytest.raises(StoreBroken):
        open_reader(f"sqlite:///{path}").head()


def test_a_reader_of_a_file_that_is_not_there_does_not_make_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(DBAPIError):
        open_reader(f"sqlite:///{path}").head()
    assert not path.exists()


def test_a_store_in_a_folder_that_is_not_there_does_not_open(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'no' / 'ledger.db'}", lock_path=tmp_path / "lock")
    with pytest.raises(DBAPIError):
        store.open()


def test_a_database_put_back_from_an_old_copy_is_refused(store_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    store = open_store(store_url, checkpoint_path=kept)
    blocks = extend(store, store.open(), 2)
    store.close()
    assert kept.read_text(encoding="utf-8") == blocks[1].checkpoint
    change(store_url, "DELETE FROM ledger_block", "DELETE FROM ledger_head")
    with pytest.raises(HeadBehind, match="the database 0"):
        open_store(store_url, checkpoint_path=kept).open()


def test_a_database_with_another_log_is_refused_even_when_it_is_longer(store_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    store = open_store(store_url)
    blocks = extend(store, store.open(), 3)
    store.close()
    for other in (
        next_block(head_after(blocks[0]), leaves=2, mark="other ").checkpoint,
        "test.example/log\n2\nroot\n",
        "test.example/log\n0\nroot\n",
    ):
        kept.write_text(other, encoding="utf-8")
        with pytest.raises(HeadBehind, match="another log"):
            open_store(store_url, checkpoint_path=kept).open()
    kept.write_text(blocks[0].checkpoint, encoding="utf-8")
    store = open_store(store_url, checkpoint_path=kept)
    assert store.open().height == 2
    store.close()


@pytest.mark.parametrize("content", [b"\xff", b"one line", b"name\nmany\n", b"name\n" + b"9" * 17 + b"\n"])
def test_a_checkpoint_file_with_something_else_in_it_is_refused(tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_bytes(content)
    with pytest.raises(HeadBehind, match="does not hold a checkpoint"):
        open_store(f"sqlite:///{tmp_path / 'ledger.db'}", checkpoint_path=kept).open()


def test_an_empty_checkpoint_file_counts_as_none(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    kept.touch()
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}", checkpoint_path=kept)
    store.open()
    store.close()
    assert kept.read_bytes() == b""


def test_the_checkpoint_file_is_written_once_a_second_and_on_close(tmp_path: Path) -> None:
    now = 0.0
    kept = tmp_path / "checkpoint"
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}", checkpoint_path=kept, monotonic=lambda: now)
    blocks = extend(store, store.open(), 2)
    assert kept.read_text(encoding="utf-8") == blocks[0].checkpoint
    now = 1.0
    blocks += extend(store, head_after(blocks[-1]), 2)
    assert kept.read_text(encoding="utf-8") == blocks[2].checkpoint
    store.close()
    assert kept.read_text(encoding="utf-8") == blocks[3].checkpoint


def test_a_checkpoint_that_cannot_be_kept_breaks_the_store_but_not_the_block(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store = open_store(url, checkpoint_path=tmp_path / "no" / "checkpoint")
    block = next_block(store.open())
    with pytest.raises(StoreBroken, match="outside the database"):
        store.append(block)
    store.close()
    reader = open_reader(url)
    assert reader.read(0) == block
    reader.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_checkpoint_without_a_descriptor_is_kept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    now = 0.0
    kept = tmp_path / "checkpoint"
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}", checkpoint_path=kept, monotonic=lambda: now)
    first = store.open()

    def fault(*_: object, **__: object) -> None:
        raise OSError(number, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFile, "_write", fault)
        blocks = extend(store, first, 1)
    assert not kept.exists()
    now = 1.0
    blocks += extend(store, head_after(blocks[-1]), 1)
    assert kept.read_text(encoding="utf-8") == blocks[1].checkpoint
    store.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_checkpoint_that_the_disk_does_not_take_breaks_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}", checkpoint_path=tmp_path / "checkpoint")
    first = store.open()

    def fault(*_: object, **__: object) -> None:
        raise OSError(number, "the disk")

    monkeypatch.setattr(CheckpointFile, "_write", fault)
    with pytest.raises(StoreBroken, match="outside the database"):
        extend(store, first, 1)
    store.close()
