"""Writing blocks to a SQL database: the states of a writer, whatever the database.

A writer is *new* until it is opened. An append makes it *uncertain* until the database has
said yes: whatever goes wrong on the way, the block may have been made durable, and only
``reopen()`` tells. *Deposed*, *broken* and *closed* are for ever.
"""

import enum
import errno
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, insert, literal, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger.log.block import LEAF_HASH_BYTES, Block
from ledger.log.block_reader import BLOCK, HEAD, HEAD_COLUMNS, METADATA, SqlBlockReader, head_of
from ledger.log.block_store import (
    NO_DIGEST,
    NO_HEIGHT,
    AppendUncertain,
    Deposed,
    Head,
    HeadBehind,
    StoreBroken,
    StoreInUse,
)
from ledger.log.checkpoint_file import CheckpointFile
from ledger.log.node_lock import NodeLock

LOCK_TRY_EVERY_SECONDS: Final = 1.0
"""After a take-over without the lock: shortest time between two tries to get it."""

_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""The process, or the system, has too many files open; that passes."""

_HOLDER_BYTES: Final = 16
"""A random name for one writer: two never share one."""

MOVE_HEAD: Final = (
    update(HEAD)
    .where(HEAD.c.epoch == bindparam("mine"), HEAD.c.height == bindparam("last"))
    .values(
        height=bindparam("new_height"),
        digest=bindparam("new_digest"),
        size=bindparam("new_size"),
        checkpoint=bindparam("new_checkpoint"),
    )
)
"""Moves the head to a new block, if it still is where this writer left it."""

_FIRST_HEAD: Final = insert(HEAD).from_select(
    ["only", "epoch", "holder", "height", "digest", "size", "checkpoint"],
    select(literal(1), literal(0), literal(b""), literal(NO_HEIGHT), literal(NO_DIGEST), literal(0), literal("")).where(
        ~select(HEAD.c.only).exists()
    ),
)
_TAKE_EPOCH: Final = update(HEAD).values(epoch=HEAD.c.epoch + 1, holder=bindparam("me")).returning(*HEAD_COLUMNS)
_KEEP_EPOCH: Final = (
    update(HEAD).where(HEAD.c.holder == bindparam("me")).values(epoch=HEAD.c.epoch + 1).returning(*HEAD_COLUMNS)
)


logger = logging.getLogger(__name__)


class _Phase(enum.Enum):
    NEW = "new"
    OPEN = "open"
    UNCERTAIN = "uncertain"
    DEPOSED = "deposed"
    BROKEN = "broken"
    CLOSED = "closed"


class SqlBlockStore(ABC):
    """One writer's access to the blocks; ``BlockStore`` says what the methods promise.

    ``open``, ``append``, ``reopen`` and ``close`` belong to one thread at a time; reading is free.
    """

    def __init__(
        self,
        *,
        append_engine: Engine,
        control_engine: Engine,
        reader: SqlBlockReader,
        lock: NodeLock,
        checkpoint_file: CheckpointFile | None,
        monotonic: Callable[[], float],
    ) -> None:
        """Append through one engine, change the epoch through another: their time limits may differ."""
        self.append_engine: Final = append_engine
        """The engine blocks are appended through; to hang listeners on, never to write with."""
        self._control_engine = control_engine
        self._reader = reader
        self._lock = lock
        self._checkpoint_file = checkpoint_file
        self._monotonic = monotonic
        self._lock_try_at = monotonic()
        self._holder = secrets.token_bytes(_HOLDER_BYTES)
        self._phase = _Phase.NEW
        self._head = Head(epoch=0, height=NO_HEIGHT, digest=NO_DIGEST, size=0, checkpoint="")
        self._connection: Connection | None = None

    def open(self, *, take_over: bool = False) -> Head:
        """Take the lock, begin a new epoch, then load the head; a failure leaves the store unopened."""
        assert self._phase is _Phase.NEW, f"a store is opened once; this one is {self._phase.value}"
        try:
            if not self._lock.try_acquire() and not take_over:
                raise StoreInUse("another node holds this ledger's lock; stop it, or take over from it")
            self._head = self._begin_reign()
            self._check_newest_block()
            self._check_checkpoint_file()
        except BaseException:
            self._let_go()
            raise
        self._phase = _Phase.OPEN
        return self._head

    def append(self, block: Block) -> None:
        """Make ``block`` durable behind the head; when this returns, it is.

        Raises ``ValueError`` when the block does not continue the head this store has seen, with
        nothing written; ``Deposed`` when somebody else's epoch stands on the head row, with nothing
        written; ``AppendUncertain`` and ``StoreBroken`` when it may have been written.
        """
        self._refuse_unless_open()
        _require_fit(self._head, block)
        head = Head(
            epoch=self._head.epoch,
            height=block.height,
            digest=block.digest(),
            size=block.size,
            checkpoint=block.checkpoint,
        )
        self._phase = _Phase.UNCERTAIN
        try:
            moved = self._append(self._append_connection(), _append_parameters(block, head))
        except IntegrityError as error:
            self._phase = _Phase.BROKEN
            raise StoreBroken(f"block {block.height} was there above the head: {error.orig}") from error
        except Exception as error:  # The network and the driver have many ways to fail; each leaves doubt.
            raise self._failure(error, f"append of block {block.height}") from error
        if not moved:
            raise self._deposed()
        self._head = head
        self._phase = _Phase.OPEN
        self._after_append()

    def reopen(self) -> Head:
        """After ``AppendUncertain``: begin a new epoch on fresh connections and return the head.

        The new epoch shuts out the doubtful append, should it still be on its way. Raises ``Deposed``
        when somebody else took over, ``AppendUncertain`` when the database does not answer: try again.
        """
        if self._phase is not _Phase.UNCERTAIN:
            self._refuse_unless_open()
        self._phase = _Phase.UNCERTAIN
        self._drop_append_connection()
        try:
            with self._control_engine.connect() as connection, connection.begin():
                row = connection.execute(_KEEP_EPOCH, {"me": self._holder}).one_or_none()
        except Exception as error:  # As for an append: whatever happened, the epoch may have risen or not.
            raise self._failure(error, "new epoch") from error
        if row is None:
            raise self._deposed()
        self._head = head_of(row)
        self._try_lock()
        self._phase = _Phase.OPEN
        return self._head

    def head(self) -> Head:
        """Return the head row as it stands in the database."""
        return self._reader.head()

    def read(self, height: int) -> Block | None:
        """Return the block at ``height``, or None."""
        return self._reader.read(height)

    def read_by_sequence(self, sequence: int) -> Block | None:
        """Return the block that holds the leaf with index ``sequence``, or None."""
        return self._reader.read_by_sequence(sequence)

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        """Yield the blocks from ``first_height`` on, in order, in bounded memory."""
        return self._reader.blocks(first_height)

    def close(self) -> None:
        """Write the newest checkpoint out and give back connections and lock. May be called twice."""
        if self._phase is _Phase.CLOSED:
            return
        try:
            # A head that is in doubt, or somebody else's, is not ours to vouch for.
            if self._phase is _Phase.OPEN and self._checkpoint_file is not None:
                self._checkpoint_file.flush()
        finally:
            self._phase = _Phase.CLOSED
            self._let_go()

    @abstractmethod
    def _append(self, connection: Connection, parameters: dict[str, Any]) -> bool:
        """Move the head and insert the block, durably; False when the head was not ours to move."""

    @abstractmethod
    def _is_damage(self, error: BaseException) -> bool:
        """Whether nothing the database says can be relied on after ``error``."""

    @abstractmethod
    def _is_lock_wait(self, error: BaseException) -> bool:
        """Whether ``error`` says that another writer's transaction did not end in time."""

    @abstractmethod
    def _settle(self) -> None:
        """Make sure that the blocks found on opening are on the disk, and not only in some cache."""

    def _begin_reign(self) -> Head:
        """Raise the epoch before anything is loaded: from here on no other writer adds a block."""
        try:
            METADATA.create_all(self._control_engine)
            with self._control_engine.connect() as connection:
                with connection.begin():
                    connection.execute(_FIRST_HEAD)
                with connection.begin():
                    row = connection.execute(_TAKE_EPOCH, {"me": self._holder}).one()
            self._settle()
        except Exception as error:
            if self._is_damage(error):
                raise StoreBroken(f"the database cannot be opened: {_cause(error)}") from error
            if self._is_lock_wait(error):
                raise StoreInUse(
                    "another process is in the middle of writing to this ledger and does not finish: end it"
                ) from error
            raise
        return head_of(row)

    def _check_newest_block(self) -> None:
        if self._head.height == NO_HEIGHT:
            return
        block = self._reader.read(self._head.height)
        assert block is not None, "the reader reports a missing newest block itself"
        if (block.size, block.checkpoint) != (self._head.size, self._head.checkpoint):
            raise StoreBroken(f"the head row and its block {block.height} disagree on size or checkpoint")

    def _check_checkpoint_file(self) -> None:
        """Refuse a database that lost, or never had, the block of the checkpoint kept outside."""
        kept = None if self._checkpoint_file is None else self._checkpoint_file.read()
        if kept is None:
            return
        size, checkpoint = kept
        if self._head.size < size:
            raise HeadBehind(f"the checkpoint kept outside has {size} leaves, the database {self._head.size}")
        block = self._reader.read_by_sequence(size - 1)
        if block is None or block.checkpoint != checkpoint:
            raise HeadBehind(f"the database has another log: no block carries the kept checkpoint of {size} leaves")

    def _refuse_unless_open(self) -> None:
        match self._phase:
            case _Phase.OPEN:
                return
            case _Phase.UNCERTAIN:
                raise AppendUncertain("an earlier append is in doubt: reopen first")
            case _Phase.DEPOSED:
                raise self._deposed()
            case _Phase.BROKEN:
                raise StoreBroken("the store broke earlier: stop the process")
            case _:
                raise AssertionError(f"the caller opens before use and closes last; it is {self._phase.value}")

    def _failure(self, error: Exception, what: str) -> Exception:
        if self._is_damage(error):
            self._phase = _Phase.BROKEN
            return StoreBroken(f"{what}: {_cause(error)}")
        return AppendUncertain(f"{what} may have happened: {_cause(error)}")

    def _deposed(self) -> Deposed:
        self._phase = _Phase.DEPOSED
        self._lock.release()
        return Deposed(f"epoch {self._head.epoch} has ended: another node took over after it")

    def _append_connection(self) -> Connection:
        if self._connection is None:
            self._connection = self.append_engine.connect()
        return self._connection

    def _drop_append_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _after_append(self) -> None:
        if not self._lock.held and self._monotonic() >= self._lock_try_at:
            self._try_lock()
        if self._checkpoint_file is None:
            return
        try:
            self._checkpoint_file.keep(self._head.checkpoint)
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                # The block is durable, and the disk is sound: the file lags until it can be opened again.
                logger.warning("the checkpoint file is written later: %s", error)
                return
            self._phase = _Phase.BROKEN
            raise StoreBroken(f"the checkpoint cannot be kept outside the database: {error}") from error

    def _try_lock(self) -> None:
        self._lock_try_at = self._monotonic() + LOCK_TRY_EVERY_SECONDS
        # The lock keeps mistakes out, the epoch keeps the ledger right: asking may fail, and is repeated.
        with suppress(DBAPIError, OSError):
            self._lock.try_acquire()

    def _let_go(self) -> None:
        # The writer's connection goes last: on its way out SQLite folds the write-ahead log in.
        self._reader.close()
        self._drop_append_connection()
        self._lock.release()
        self.append_engine.dispose()
        self._control_engine.dispose()


def _cause(error: Exception) -> object:
    """Return what the driver said, without SQLAlchemy's frame around it."""
    return error.orig if isinstance(error, DBAPIError) else error


def _require_fit(head: Head, block: Block) -> None:
    """Raise ``ValueError`` unless ``block`` is the next one after ``head``."""
    expected = (head.height + 1, head.size)
    got = (block.height, block.first_sequence)
    if got != expected:
        raise ValueError(f"expected (height, first sequence) {expected}, got {got}")
    # A block whose append was in doubt is appended again as it stands, under the epoch that reopening began:
    # making it anew would sign a second checkpoint of its size.
    if block.epoch > head.epoch:
        raise ValueError(f"expected an epoch of at most {head.epoch}, got {block.epoch}")
    if not block.leaf_hashes or len(block.leaf_hashes) % LEAF_HASH_BYTES:
        raise ValueError(f"expected one or more leaf hashes of 32 bytes, got {len(block.leaf_hashes)} bytes")


def _append_parameters(block: Block, head: Head) -> dict[str, Any]:
    """Return what ``MOVE_HEAD`` needs, and the block's columns under their own names with ``b_`` before."""
    columns = {f"b_{column.name}": getattr(block, column.name) for column in BLOCK.c if column is not BLOCK.c.digest}
    return columns | {
        "b_digest": head.digest,
        "mine": head.epoch,
        "last": block.height - 1,
        "new_height": head.height,
        "new_digest": head.digest,
        "new_size": head.size,
        "new_checkpoint": head.checkpoint,
    }
