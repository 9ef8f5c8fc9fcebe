"""Blocks in an SQLite file: one process writes, any number read beside it.

Write-ahead log with ``synchronous=FULL``: one fsync of the log per block. Each write transaction
begins with ``BEGIN IMMEDIATE``, so two writers never meet half-way: the second waits, then loses.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, bindparam, create_engine, event, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ledger.log.block_reader import BLOCK, SqlBlockReader
from ledger.log.block_writer import MOVE_HEAD, SqlBlockStore
from ledger.log.checkpoint_file import CheckpointFile
from ledger.log.node_lock import FileLock

BUSY_TIMEOUT_MS: Final = 5_000
"""How long to wait for another writer's transaction: far above one append, bearable when starting."""

PAGE_BYTES: Final = 16_384
"""Blocks are large: with pages of 4 KiB a megabyte is a chain of 256 of them."""

WAL_PAGES_MAX: Final = 4_096
"""The write-ahead log is copied into the database when it exceeds this many pages (64 MiB)."""

_PRIMARY_CODE_MASK: Final = 0xFF
"""SQLite's extended result codes carry the primary one in the low byte."""

_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOTADB,
        # A file system that met an error turns itself read-only.
        sqlite3.SQLITE_READONLY,
    }
)

_NAMED: Final = sqlite.dialect(paramstyle="named")

_MOVE_HEAD_SQL: Final = str(MOVE_HEAD.compile(dialect=_NAMED))
"""Written out once: nothing about these statements changes from block to block."""

_INSERT_BLOCK_SQL: Final = str(
    insert(BLOCK)
    .values({column.name: bindparam(f"b_{column.name}", type_=column.type) for column in BLOCK.c})
    .compile(dialect=_NAMED)
)


class SqliteBlockStore(SqlBlockStore):
    """The writer's store in an SQLite file."""

    def __init__(
        self,
        url: URL,
        *,
        lock_path: Path | None,
        checkpoint_file: CheckpointFile | None,
        monotonic: Callable[[], float],
    ) -> None:
        """Keep blocks in the file that ``url`` names; the lock file stands beside it unless given."""
        database = _database_path(url)
        engine = _write_engine(url)
        super().__init__(
            append_engine=engine,
            control_engine=engine,
            reader=sqlite_reader(url),
            lock=FileLock(lock_path or database.with_name(database.name + ".lock")),
            checkpoint_file=checkpoint_file,
            monotonic=monotonic,
        )

    def _append(self, connection: Connection, parameters: dict[str, Any]) -> bool:
        with connection.begin() as transaction:
            if connection.exec_driver_sql(_MOVE_HEAD_SQL, parameters).rowcount != 1:
                transaction.rollback()
                return False
            connection.exec_driver_sql(_INSERT_BLOCK_SQL, parameters)
        return True

    def _is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def _is_lock_wait(self, error: BaseException) -> bool:
        return _primary_code(error) == sqlite3.SQLITE_BUSY

    def _settle(self) -> None:
        """Copy the write-ahead log into the database, durably, as far as no reader stands in the way.

        After a failed fsync the kernel may show blocks that never reached the disk, and call them
        written. The node that met the failure stopped; copying them writes them anew.
        """
        connection = self.append_engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(FULL)")
        finally:
            connection.close()


def sqlite_reader(url: URL) -> SqlBlockReader:
    """Return a reader of the file that ``url`` names; it never makes or changes the file's contents."""
    database = _database_path(url)
    read_only = URL.create(
        url.drivername, database=f"file:{quote(str(database.absolute()))}", query={"mode": "ro", "uri": "true"}
    )
    engine = create_engine(read_only, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    return SqlBlockReader(engine, is_damage, stream_options={})


def is_damage(error: BaseException) -> bool:
    """Whether nothing the file says can be relied on after ``error``: disk, damage, no space."""
    return _primary_code(error) in _DAMAGE


def _write_engine(url: URL) -> Engine:
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Without this, Python's driver would begin transactions itself, and DEFERRED ones.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _database_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise ValueError("expected an SQLite URL with a file, such as sqlite:///ledger.db; got none")
    return Path(url.database)


def _primary_code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY_CODE_MASK
