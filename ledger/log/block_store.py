"""Where blocks are kept: the contract, its failures, and the choice of database by URL."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import URL, make_url

from ledger.log.block import DIGEST_BYTES, Block

NO_HEIGHT: Final = -1
"""The height of a head before the genesis block."""

NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""The digest of a head before the genesis block."""


@dataclass(frozen=True, slots=True)
class Head:
    """The one row that says which block is the newest, and whose reign it is."""

    epoch: int
    """The reign; each opening and reopening raises it."""
    height: int
    """Height of the newest block; -1 when there is none."""
    digest: bytes
    """``Block.digest()`` of the newest block; 32 zero bytes when there is none."""
    size: int
    """Leaves in the log; 0 when there is no block."""
    checkpoint: str
    """The newest block's signed checkpoint; empty when there is no block."""


class StoreInUse(Exception):
    """Another node holds the lock, and a take-over was not asked for."""


class Deposed(Exception):
    """The head row no longer carries our epoch and height: somebody took over. Never write again."""


class AppendUncertain(Exception):
    """The append failed, or seemed to: it may have happened. ``reopen()`` tells."""


class StoreBroken(Exception):
    """The disk or the database is damaged or full: nothing it says can be relied on. Stop the process."""


class HeadBehind(Exception):
    """The checkpoint kept outside the database is newer than the head: blocks were lost."""


class BlockReader(Protocol):
    """What a follower, an export or a restart needs: reading, while the node may be running."""

    def head(self) -> Head:
        """Return the head row as it stands now."""

    def read(self, height: int) -> Block | None:
        """Return the block at ``height``, or None."""

    def read_by_sequence(self, sequence: int) -> Block | None:
        """Return the block that holds the leaf with index ``sequence``, or None."""

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        """Yield the blocks from ``first_height`` on, in order, in bounded memory."""

    def close(self) -> None:
        """Give back connections and locks. May be called twice."""


class BlockStore(BlockReader, Protocol):
    """One writer's access to the blocks."""

    def open(self, *, take_over: bool = False) -> Head:
        """Take the lock, begin a new epoch, and return the head. Once, before anything else."""

    def append(self, block: Block) -> None:
        """Make ``block`` durable behind the head, in one transaction."""

    def reopen(self) -> Head:
        """After ``AppendUncertain``: begin a new epoch on fresh connections and return the head."""


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
    # Imported here, because these modules build on the contract above; and a node on SQLite never loads psycopg.
    from ledger.log.checkpoint_file import CheckpointFile

    parsed = make_url(url)
    checkpoint_file = None if checkpoint_path is None else CheckpointFile(checkpoint_path, monotonic)
    if _is_sqlite(parsed):
        from ledger.log.block_store_sqlite import SqliteBlockStore

        return SqliteBlockStore(parsed, lock_path=lock_path, checkpoint_file=checkpoint_file, monotonic=monotonic)
    if lock_path is not None:
        raise ValueError("expected no lock file for PostgreSQL, which locks in the database; got one")
    from ledger.log.block_store_postgres import PostgresBlockStore

    return PostgresBlockStore(parsed, checkpoint_file=checkpoint_file, monotonic=monotonic)


def open_reader(url: str) -> BlockReader:
    """Return a reader of the blocks at ``url``: no lock, no epoch, nothing written.

    Raises ``ValueError`` when the URL names another kind of database.
    """
    parsed = make_url(url)
    if _is_sqlite(parsed):
        from ledger.log.block_store_sqlite import sqlite_reader

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
