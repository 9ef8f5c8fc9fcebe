import os
import subprocess
import sys
import time
from pathlib import Path

from wallet_api.bench import usage
from wallet_api.bench.place import Place, stored_bytes
from wallet_api.bench.usage import Usage, Watched, descendants, is_running_module, resident_bytes, usage_of

NOBODY = 2**22 + 1
"""More than the largest process id of Linux."""


def test_what_this_process_takes_is_counted() -> None:
    watched = Watched({"tests": (os.getpid(), NOBODY)})
    before = watched.look()["tests"]
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    taken = watched.look()["tests"] - before
    assert taken.cpu_s >= 0.05
    assert taken.written_bytes >= 0


def test_a_process_that_has_ended_takes_nothing() -> None:
    assert usage_of(NOBODY) == Usage()
    assert not is_running_module(NOBODY, "anything")


def test_what_was_taken_adds_up() -> None:
    assert Usage(1.0, 10) + Usage(0.5, 5) - Usage(1.0, 1) == Usage(0.5, 14)


def test_the_processes_that_a_process_started_are_found() -> None:
    with subprocess.Popen([sys.executable, "-m", "this"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as none:
        none.communicate()
    command = [sys.executable, "-m", "code"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"print(1)\n")
        child.stdin.flush()
        # Only when it has said something is it the program it was started as.
        child.stdout.read(1)
        assert child.pid in descendants(os.getpid())
        assert is_running_module(child.pid, "code")
        assert not is_running_module(child.pid, "wallet_api.follow")
        child.stdin.close()
    assert child.pid not in descendants(os.getpid())


def test_memory_is_more_than_nothing() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000


def test_there_is_a_table_of_processes() -> None:
    assert usage.PROC.is_dir()


def test_what_a_place_stores_is_told_by_database(tmp_path: Path) -> None:
    (tmp_path / "blocks.db").write_bytes(bytes(10))
    (tmp_path / "checkpoint").write_bytes(bytes(5))
    assert stored_bytes(Place(tmp_path, {})) == {"blocks": 10}


def test_a_place_is_a_folder_or_a_folder_and_databases() -> None:
    sqlite = Place(Path("node"), {})
    assert (sqlite.store, sqlite.environment) == ("sqlite", {})
    assert sqlite.settings.block_store_url.startswith("sqlite:///")
    urls = {"blocks": "postgresql+psycopg:///b", "views": "postgresql+psycopg:///v", "annex": "postgresql+psycopg:///a"}
    postgresql = Place(Path("node"), urls)
    assert postgresql.store == "postgresql"
    assert postgresql.environment["TENGE_VIEWS_URL"] == postgresql.settings.view_store_url == urls["views"]
    assert set(postgresql.environment) == {"TENGE_BLOCKS_URL", "TENGE_VIEWS_URL", "TENGE_ANNEX_URL"}
