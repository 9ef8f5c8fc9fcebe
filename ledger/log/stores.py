"""The choice of database for the blocks, by URL."""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, make_url

from ledger.log.block_store import BlockReader, BlockStore
from ledger.log.block_store_sqlite import SqliteBlockStore, sqlite_reader
from ledger.log.checkpoint_file import CheckpointFile


def open_store(
    url: str,
    *,
    lock_path: Path | None = None,
    checkpoint_path: Path | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> BlockStore:
    """Return the store that ``url`` names, not yet opened: call ``open()``.

    Args:
        url: ``sqlite:///path/ledger.db`` or ``postgresql+psycopg://user@host/database``.
        lock_path: The lock file of an SQLite store; beside the database unless given.
        checkpoint_path: Where the newest checkpoint is kept outside the database, best on another
            disk; not kept unless given.
        monotonic: Seconds that never go back; they pace what is done about once a second.

    Raises:
        ValueError: The URL names another kind of database, or ``lock_path`` does not fit it.
    """
    parsed = make_url(url)
    checkpoint_file = None if checkpoint_path is None else CheckpointFile(checkpoint_path, monotonic)
    if _is_sqlite(parsed):
        return SqliteBlockStore(parsed, lock_path=lock_path, checkpoint_file=checkpoint_file, monotonic=monotonic)
    if lock_path is not None:
        raise ValueError("expected no lock file for PostgreSQL, which locks in the database; got one")
    # Imported when asked for: a node on SQLite never loads psycopg.
    from ledger.log.block_store_postgres import PostgresBlockStore

    return PostgresBlockStore(parsed, checkpoint_file=checkpoint_file, monotonic=monotonic)


def open_reader(url: str) -> BlockReader:
    """Return a reader of the blocks at ``url``: no lock, no epoch, nothing written.

    Raises ``ValueError`` when the URL names another kind of database.
    """
    parsed = make_url(url)
    if _is_sqlite(parsed):
        return sqlite_reader(parsed)
    from ledger.log.block_store_postgres import postgres_reader

    return postgres_reader(parsed)


def _is_sqlite(url: URL) -> bool:
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return True
        case "postgresql" | "postgresql+psycopg":
            return False
        case other:
            raise ValueError(f"expected a URL of sqlite or postgresql+psycopg, got {other}")
