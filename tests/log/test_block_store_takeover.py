"""Two nodes on one ledger: one writes, the other waits or takes over; never both."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.log import block_store_postgres, block_store_sqlite
from ledger.log.block_store import AppendUncertain, Deposed, Head, StoreInUse
from ledger.log.stores import open_reader, open_store
from tests.log.chain import extend, head_after, next_block
from tests.log.faults import Point, administrator, paused

HOLD_THE_STORE = """
import sys
from ledger.log.stores import open_store
from tests.log.chain import extend
store = open_store(sys.argv[1])
extend(store, store.open(), 2)
print("holding", flush=True)
sys.stdin.read()
"""


APPEND_FOR_EVER = """
import sys
from ledger.log.stores import open_store
from tests.log.chain import head_after, next_block
store = open_store(sys.argv[1])
head = store.open()
while True:
    block = next_block(head, body=bytes(100_000))
    store.append(block)
    print(block.height, flush=True)
    head = head_after(block)
"""


class InThread:
    """A call made in a thread of its own; ``result()`` waits for it and gives or raises what came of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._value: object = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except Exception as error:
            self._error = error

    def result(self) -> object:
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value


def test_a_second_node_is_refused_while_the_first_lives(store_url: str) -> None:
    first = open_store(store_url)
    head = first.open()
    second = open_store(store_url)
    with pytest.raises(StoreInUse):
        second.open()
    extend(first, head, 1)
    first.close()
    assert second.open().height == 0
    second.close()


def test_a_take_over_deposes_the_first_node_for_ever(store_url: str) -> None:
    first = open_store(store_url)
    head = head_after(extend(first, first.open(), 2)[-1])
    second = open_store(store_url)
    head_of_second = second.open(take_over=True)
    assert (head_of_second.epoch, head_of_second.height) == (2, 1)
    late = next_block(head, mark="late ")
    for _ in range(2):
        with pytest.raises(Deposed):
            first.append(late)
    with pytest.raises(Deposed):
        first.reopen()
    assert second.read(2) is None
    block = next_block(head_of_second)
    second.append(block)
    assert second.read(2) == block
    first.close()
    second.close()


def test_the_lock_is_taken_later_when_the_take_over_could_not_have_it(store_url: str) -> None:
    now = 0.0
    first = open_store(store_url)
    head = first.open()
    second = open_store(store_url, monotonic=lambda: now)
    head_of_second = second.open(take_over=True)
    with pytest.raises(Deposed):
        first.append(next_block(head))
    now = 10.0
    extend(second, head_of_second, 1)
    first.close()
    third = open_store(store_url)
    with pytest.raises(StoreInUse):
        third.open()
    second.close()


def test_a_node_paused_before_its_append_finds_itself_deposed(store_url: str) -> None:
    first = open_store(store_url)
    block = next_block(first.open(), mark="late ")
    second = open_store(store_url)
    with paused(first, Point.BEFORE) as pause:
        append = InThread(lambda: first.append(block))
        pause.wait_until_reached()
        head = second.open(take_over=True)
        second.append(next_block(head))
        pause.release()
        with pytest.raises(Deposed):
            append.result()
    assert [found.checkpoint for found in second.blocks()] == [next_block(head).checkpoint]
    first.close()
    second.close()


def test_a_take_over_waits_for_an_append_that_has_moved_the_head_and_keeps_its_block(store_url: str) -> None:
    first = open_store(store_url)
    block = next_block(first.open())
    second = open_store(store_url)
    with paused(first, Point.BETWEEN) as pause:
        append = InThread(lambda: first.append(block))
        pause.wait_until_reached()
        take_over = InThread(lambda: second.open(take_over=True))
        pause.release()
        append.result()
        head = take_over.result()
    assert isinstance(head, Head)
    assert (head.epoch, head.height, head.digest) == (2, 0, block.digest())
    with pytest.raises(Deposed):
        first.append(next_block(head_after(block)))
    first.close()
    second.close()


def test_postgresql_gives_up_an_append_that_stands_still_so_that_a_take_over_gets_through(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_store_postgres, "APPEND_TIMEOUT_MS", 500)
    first = open_store(postgres_database_url)
    block = next_block(first.open())
    second = open_store(postgres_database_url)
    with paused(first, Point.BETWEEN) as pause:
        append = InThread(lambda: first.append(block))
        pause.wait_until_reached()
        head = second.open(take_over=True)
        with pytest.raises(AppendUncertain):
            append.result()
    assert head.height == -1
    with pytest.raises(Deposed):
        first.reopen()
    first.close()
    second.close()


def test_postgresql_lets_a_take_over_through_when_the_first_nodes_connection_is_lost(
    postgres_database_url: str,
) -> None:
    first = open_store(postgres_database_url)
    block = next_block(first.open())
    second = open_store(postgres_database_url)
    with paused(first, Point.BETWEEN) as pause, administrator(first) as execute:
        append = InThread(lambda: first.append(block))
        pause.wait_until_reached()
        execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ledger-append'")
        with pytest.raises(AppendUncertain):
            append.result()
        assert second.open(take_over=True).height == -1
    with pytest.raises(Deposed):
        first.reopen()
    first.close()
    second.close()


def test_a_taker_refuses_when_another_transaction_does_not_end(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_store_sqlite, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(block_store_postgres, "CONTROL_TIMEOUT_MS", 500)
    first = open_store(store_url)
    block = next_block(first.open())
    second = open_store(store_url)
    with paused(first, Point.BETWEEN) as pause:
        append = InThread(lambda: first.append(block))
        pause.wait_until_reached()
        with pytest.raises(StoreInUse, match="in the middle of writing"):
            second.open(take_over=True)
        pause.release()
        append.result()
    assert first.head().height == 0
    first.close()


def test_the_lock_ends_with_a_killed_process_and_its_blocks_stay(store_url: str) -> None:
    with node(HOLD_THE_STORE, store_url) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holding\n"
        store = open_store(store_url)
        with pytest.raises(StoreInUse):
            store.open()
        holder.kill()
    wait_for_the_server_to_notice(store_url)
    assert store.open().height == 1
    store.close()


def test_every_block_that_was_reported_survives_the_kill_of_an_appending_node(store_url: str) -> None:
    with node(APPEND_FOR_EVER, store_url) as appender:
        assert appender.stdout is not None
        for _ in range(20):
            appender.stdout.readline()
        appender.kill()
        lines = appender.stdout.read().split()
    last_reported = int(lines[-1]) if lines else 19
    wait_for_the_server_to_notice(store_url)
    store = open_store(store_url)
    head = store.open()
    # The append that was on its way may have happened; none after it was begun.
    assert head.height in (last_reported, last_reported + 1)
    assert [block.height for block in store.blocks()] == list(range(head.height + 1))
    store.close()


def test_opening_writes_the_blocks_of_an_unfinished_log_into_the_database_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = open_store(url)
    extend(first, first.open(), 3)
    second = open_store(url)
    second.open(take_over=True)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    reader = open_reader(f"sqlite:///{tmp_path / 'copy.db'}")
    assert [block.height for block in reader.blocks()] == [0, 1, 2]
    for store in (reader, first, second):
        store.close()


def node(program: str, url: str) -> subprocess.Popen[bytes]:
    """Run ``program`` as another process that is given the store's URL."""
    return subprocess.Popen(
        [sys.executable, "-c", program, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def wait_for_the_server_to_notice(url: str) -> None:
    """Wait until PostgreSQL has ended the killed node's sessions; it may take an instant."""
    if not url.startswith("postgresql"):
        return
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ledger-%'"
    )
    with administrator(open_store(url)) as execute:
        while execute(sessions):
            execute("SELECT pg_sleep(0.01)")
