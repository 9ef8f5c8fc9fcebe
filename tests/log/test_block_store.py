"""What both stores promise while nothing fails."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from ledger.log import block_reader
from ledger.log.block_store import NO_DIGEST, Head
from ledger.log.block_writer import SqlBlockStore
from ledger.log.stores import open_reader, open_store
from tests.log.chain import extend, head_after, next_block


def test_a_new_store_has_no_block_and_its_first_epoch(store_url: str) -> None:
    store = open_store(store_url)
    head = store.open()
    assert head == Head(epoch=1, height=-1, digest=NO_DIGEST, size=0, checkpoint="")
    assert store.read(0) is None
    assert store.read_by_sequence(0) is None
    assert list(store.blocks()) == []
    store.close()


def test_an_appended_block_is_the_head_and_is_read_back_as_it_was(store_url: str) -> None:
    store = open_store(store_url)
    block = next_block(store.open(), body=bytes(range(256)) * 4096)
    store.append(block)
    assert store.head() == head_after(block)
    assert store.read(0) == block
    assert store.read(1) is None
    assert store.read(-1) is None
    store.close()


def test_every_leaf_leads_to_its_block(store_url: str) -> None:
    store = open_store(store_url)
    blocks = extend(store, store.open(), 5)
    found = [store.read_by_sequence(sequence) for sequence in range(blocks[-1].size)]
    assert found == [block for block in blocks for _ in range(block.leaf_count)]
    assert store.read_by_sequence(blocks[-1].size) is None
    assert store.read_by_sequence(-1) is None
    store.close()


def test_blocks_stream_in_order_across_queries(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_reader, "BLOCKS_IN_MEMORY", 2)
    monkeypatch.setattr(block_reader, "BLOCKS_PER_QUERY", 3)
    store = open_store(store_url)
    blocks = extend(store, store.open(), 7)
    assert list(store.blocks()) == blocks
    assert list(store.blocks(3)) == blocks[3:]
    assert list(store.blocks(4)) == blocks[4:]
    assert list(store.blocks(7)) == []
    store.close()


def test_an_abandoned_stream_does_not_keep_the_writer_waiting(store_url: str) -> None:
    store = open_store(store_url)
    blocks = extend(store, store.open(), 3)
    stream = store.blocks()
    assert next(stream) == blocks[0]
    extend(store, head_after(blocks[-1]), 2)
    del stream
    assert len(list(store.blocks())) == 5
    store.close()


def test_a_reader_follows_a_running_node_and_reads_on_after_it_stopped(store_url: str) -> None:
    store = open_store(store_url)
    blocks = extend(store, store.open(), 2)
    reader = open_reader(store_url)
    assert reader.head() == head_after(blocks[-1])
    blocks += extend(store, head_after(blocks[-1]), 1)
    assert reader.read(2) == blocks[2]
    assert reader.read_by_sequence(0) == blocks[0]
    reader.close()
    store.close()
    reader = open_reader(store_url)
    assert list(reader.blocks()) == blocks
    reader.close()
    reader.close()


def test_each_opening_begins_a_new_epoch_on_the_same_blocks(store_url: str) -> None:
    first = open_store(store_url)
    blocks = extend(first, first.open(), 2)
    first.close()
    first.close()
    second = open_store(store_url)
    head = second.open()
    assert head.epoch == 2
    assert (head.height, head.digest) == (1, blocks[1].digest())
    extend(second, head, 1)
    second.close()


@pytest.mark.parametrize(
    ("epoch", "height", "first_sequence", "leaf_hashes"),
    [(2, 0, 0, bytes(32)), (1, 1, 0, bytes(32)), (1, 0, 1, bytes(32)), (1, 0, 0, b""), (1, 0, 0, bytes(33))],
)
def test_a_block_that_does_not_continue_the_head_is_a_callers_mistake(
    store_url: str, epoch: int, height: int, first_sequence: int, leaf_hashes: bytes
) -> None:
    store = open_store(store_url)
    block = next_block(store.open())
    wrong = replace(block, epoch=epoch, height=height, first_sequence=first_sequence, leaf_hashes=leaf_hashes)
    with pytest.raises(ValueError, match="expected"):
        store.append(wrong)
    store.append(block)
    store.close()


def test_using_a_store_before_opening_or_after_closing_is_a_callers_mistake(store_url: str) -> None:
    store = open_store(store_url)
    block = next_block(Head(epoch=1, height=-1, digest=NO_DIGEST, size=0, checkpoint=""))
    with pytest.raises(AssertionError):
        store.append(block)
    store.open()
    with pytest.raises(AssertionError):
        store.open()
    store.close()
    with pytest.raises(AssertionError):
        store.reopen()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql+asyncpg://host/db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        open_store(url)
    with pytest.raises(ValueError, match="expected"):
        open_reader(url)


def test_a_lock_file_for_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lock file"):
        open_store("postgresql://host/db", lock_path=tmp_path / "lock")


def test_a_path_with_characters_that_mean_something_in_a_url_is_only_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1"
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    store = open_store(url)
    blocks = extend(store, store.open(), 1)
    assert store.read(0) == blocks[0]
    store.close()


def test_a_commit_means_the_disk_in_the_settings_of_the_appending_session(store_url: str) -> None:
    store = open_store(store_url)
    assert isinstance(store, SqlBlockStore)
    with store.append_engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
        else:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
            assert connection.scalar(text("SHOW default_transaction_isolation")) == "read committed"
    store.close()
