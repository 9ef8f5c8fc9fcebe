"""Blocks in PostgreSQL, through psycopg 3.

An append is **one statement**: it moves the head and, from the row it moved, inserts the block.
The statement is its own transaction, so an append is one round trip, and a client that stops
half-way cannot leave a transaction open that keeps its successor waiting.
"""

from collections.abc import Callable
from typing import Any, Final

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    bindparam,
    create_engine,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ledger.log.block_reader import BLOCK, HEAD, SqlBlockReader
from ledger.log.block_writer import MOVE_HEAD, SqlBlockStore
from ledger.log.checkpoint_file import CheckpointFile

APPEND_TIMEOUT_MS: Final = 5_000
"""The server gives up an append after this long (``statement_timeout``); then it is uncertain."""

CONTROL_TIMEOUT_MS: Final = 15_000
"""The same for raising the epoch, which may have to wait until the old node's last append gave up."""

CONNECT_TIMEOUT_SECONDS: Final = 5
"""How long to wait for a connection."""

NETWORK_TIMEOUT_MS: Final = 10_000
"""A peer that acknowledges nothing for this long ends the connection (``tcp_user_timeout``)."""

KEEPALIVE_AFTER_SECONDS: Final = 5
"""While we wait for an answer in silence, ask the peer's machine after this long whether it lives."""

KEEPALIVE_PROBES: Final = 5
"""So many probes, a second apart, without an answer end the connection: ten seconds in all."""

NODE_LOCK_SEED: Final = 0x6474_2F6E_6F64_65
"""Sets the node lock's key apart from other advisory locks in the same database."""

NODE_LOCK_KEY: Final = func.hashtextextended(
    func.current_database() + literal(".") + func.current_schema(), NODE_LOCK_SEED
)
"""The node lock's key: one for each database and schema."""

_TRY_LOCK: Final = select(func.pg_try_advisory_lock(NODE_LOCK_KEY))

_PING: Final = select(literal(1))

_MOVED: Final = MOVE_HEAD.returning(HEAD.c.height).cte("moved")
_APPEND: Final = (
    insert(BLOCK)
    .from_select(
        [column.name for column in BLOCK.c],
        select(*(bindparam(f"b_{column.name}", type_=column.type) for column in BLOCK.c)).select_from(_MOVED),
    )
    .add_cte(_MOVED)
    .execution_options(preserve_rowcount=True)
)

_DAMAGE_CLASS: Final = "58"
"""System errors, such as 58030 io_error (PostgreSQL, appendix A)."""

_DAMAGE_CODES: Final = frozenset({"53100", "XX001", "XX002"})
"""disk_full, data_corrupted, index_corrupted."""

_LOCK_WAIT_CODES: Final = frozenset({"55P03", "57014"})
"""lock_not_available; query_canceled, which is how a statement's time limit ends it."""


class PostgresBlockStore(SqlBlockStore):
    """The writer's store in a PostgreSQL database."""

    def __init__(self, url: URL, *, checkpoint_file: CheckpointFile | None, monotonic: Callable[[], float]) -> None:
        """Keep blocks in the database that ``url`` names, in its connections' current schema."""
        control_engine = _engine(url, "control", CONTROL_TIMEOUT_MS)
        super().__init__(
            append_engine=_engine(url, "append", APPEND_TIMEOUT_MS),
            control_engine=control_engine,
            reader=postgres_reader(url),
            lock=AdvisoryLock(control_engine),
            checkpoint_file=checkpoint_file,
            monotonic=monotonic,
        )

    def _append(self, connection: Connection, parameters: dict[str, Any]) -> bool:
        with connection.begin():  # In name only: the engine commits each statement by itself.
            return connection.execute(_APPEND, parameters).rowcount == 1

    def _is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def _is_lock_wait(self, error: BaseException) -> bool:
        return _sqlstate(error) in _LOCK_WAIT_CODES

    def _settle(self) -> None:
        """Nothing to do: a server whose fsync fails stops itself, and recovers only what is on the disk."""


class AdvisoryLock:
    """A session-level advisory lock; the server releases it when the session ends.

    It needs a session of its own from node to server: a pooler in transaction mode breaks it.
    """

    def __init__(self, engine: Engine) -> None:
        """Take the lock on a connection of ``engine`` that is kept as long as the lock."""
        self._engine = engine
        self._session: Connection | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock, as far as it knows."""
        return self._session is not None

    def try_acquire(self) -> bool:
        """Take the lock without waiting, on a new session when the one that held it has died.

        Raises ``sqlalchemy.exc.DBAPIError`` when the database does not answer.
        """
        if self._session is not None and _is_alive(self._session):
            return True
        self.release()
        session = self._engine.connect()
        if not session.execute(_TRY_LOCK).scalar_one():
            session.close()
            return False
        self._session = session
        return True

    def release(self) -> None:
        """End the session, and the lock with it; nothing happens when it is not held."""
        if self._session is not None:
            self._session.close()
            self._session = None


def postgres_reader(url: URL) -> SqlBlockReader:
    """Return a reader of the database that ``url`` names; the server refuses to write for it."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=_connect_args(url, "read", ["default_transaction_read_only=on"]),
    )
    # A cursor on the server lives inside a transaction.
    return SqlBlockReader(engine, is_damage, stream_options={"isolation_level": "REPEATABLE READ"})


def is_damage(error: BaseException) -> bool:
    """Whether nothing the server says can be relied on after ``error``: disk, damage, no space."""
    state = _sqlstate(error)
    return state is not None and (state.startswith(_DAMAGE_CLASS) or state in _DAMAGE_CODES)


def _engine(url: URL, purpose: str, timeout_ms: int) -> Engine:
    settings = [
        f"statement_timeout={timeout_ms}",
        "synchronous_commit=on",
        # The head's WHERE clause is checked again after waiting for its row: READ COMMITTED does that.
        "default_transaction_isolation=read\\ committed",
    ]
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=_connect_args(url, purpose, settings),
    )


def _connect_args(url: URL, purpose: str, settings: list[str]) -> dict[str, Any]:
    given = url.query.get("options", "")
    assert isinstance(given, str), "libpq knows one options parameter"
    return {
        "options": " ".join([given, *(f"-c {setting}" for setting in settings)]).strip(),
        "application_name": f"ledger-{purpose}",
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": NETWORK_TIMEOUT_MS,
        "keepalives_idle": KEEPALIVE_AFTER_SECONDS,
        "keepalives_interval": 1,
        "keepalives_count": KEEPALIVE_PROBES,
        # Prepare at first use: the writer's statements are few and run for ever.
        "prepare_threshold": 0,
    }


def _is_alive(session: Connection) -> bool:
    try:
        session.execute(_PING)
    except DBAPIError:
        return False
    return True


def _sqlstate(error: BaseException) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
