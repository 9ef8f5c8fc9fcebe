"""Appends that fail, or stand still, at a chosen point of their transaction.

SQLite is interrupted between the statements the store sends. PostgreSQL gets an append as one
statement, so there the interruption sits in the server: triggers that fail, or wait for a lock
that the test holds.
"""

import enum
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import psycopg
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from ledger.log.block_store import BlockStore
from ledger.log.block_writer import SqlBlockStore

GATE: Final = 4711
"""The advisory lock that a paused append waits for; not the node's own lock."""


class Point(enum.Enum):
    """Where in an append something happens."""

    BEFORE = "before anything is sent"
    BETWEEN = "after the head has moved, before the block is inserted"
    BEFORE_COMMIT = "at the commit, before it happens"
    AFTER_COMMIT = "after the commit has really happened"


POINTS_WITHOUT_TRACE: Final = (Point.BEFORE, Point.BETWEEN, Point.BEFORE_COMMIT)
"""Where a failure leaves nothing in the database."""


class Pause(Protocol):
    """An append that stands still until it is released."""

    def wait_until_reached(self) -> None:
        """Return when the append stands still."""

    def release(self) -> None:
        """Let the append go on."""


class _PauseHere:
    """The appending thread stands still in this process."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def hold(self) -> None:
        """Stand still; called by the appending thread."""
        self._reached.set()
        assert self._released.wait(timeout=60), "the test releases what it paused"

    def wait_until_reached(self) -> None:
        """Return when the append stands still."""
        assert self._reached.wait(timeout=60), "the append comes to the point where it is paused"

    def release(self) -> None:
        """Let the append go on."""
        self._released.set()


class _PauseOnServer:
    """The server's transaction waits for a lock that ``execute``'s session holds."""

    def __init__(self, execute: Callable[[str], Any]) -> None:
        self._execute = execute
        execute(f"SELECT pg_advisory_lock({GATE})")

    def wait_until_reached(self) -> None:
        """Return when the append stands still."""
        waiting = f"SELECT count(*) FROM pg_locks WHERE objid = {GATE} AND NOT granted"
        while not self._execute(waiting):
            self._execute("SELECT pg_sleep(0.01)")

    def release(self) -> None:
        """Let the append go on."""
        self._execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def failing(store: BlockStore, point: Point) -> Iterator[None]:
    """Make the next append of ``store`` fail at ``point``."""
    if point in (Point.BETWEEN, Point.BEFORE_COMMIT) and _is_postgres(store):
        with _trigger(store, point, "RAISE EXCEPTION 'injected fault'"):
            yield
        return
    with _intercepted(store, point, _raise_injected(store)):
        yield


@contextmanager
def paused(store: BlockStore, point: Point) -> Iterator[Pause]:
    """Make the next append of ``store`` stand still at ``point`` until it is released, at the latest here."""
    if point is Point.BETWEEN and _is_postgres(store):
        with (
            _trigger(store, point, f"PERFORM pg_advisory_xact_lock({GATE})"),
            administrator(store) as execute,
        ):
            on_server = _PauseOnServer(execute)
            try:
                yield on_server
            finally:
                on_server.release()
        return
    here = _PauseHere()
    with _intercepted(store, point, here.hold):
        try:
            yield here
        finally:
            here.release()


@contextmanager
def _intercepted(store: BlockStore, point: Point, action: Callable[[], None]) -> Iterator[None]:
    """Run ``action``, once, when an append comes to ``point`` on its way to or from the driver."""
    engine = _sql(store).append_engine
    todo = [action]

    def act() -> None:
        if todo:
            todo.pop()()

    def before_execute(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(_starts_with(store, point)):
            act()

    def after_execute(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if point is Point.AFTER_COMMIT and _is_postgres(store) and statement.startswith("WITH moved"):
            act()

    def commit(connection: Connection) -> None:
        if _is_postgres(store) or point not in (Point.BEFORE_COMMIT, Point.AFTER_COMMIT):
            return
        if point is Point.AFTER_COMMIT:
            connection.connection.commit()
        act()

    listeners: list[tuple[str, Callable[..., None]]] = [
        ("before_cursor_execute", before_execute),
        ("after_cursor_execute", after_execute),
        ("commit", commit),
    ]
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


def _starts_with(store: BlockStore, point: Point) -> tuple[str, ...]:
    match point:
        case Point.BEFORE:
            return ("WITH moved",) if _is_postgres(store) else ("BEGIN",)
        case Point.BETWEEN:
            return ("INSERT INTO ledger_block",)
        case Point.BEFORE_COMMIT | Point.AFTER_COMMIT:
            return ()


def _raise_injected(store: BlockStore) -> Callable[[], None]:
    cause: Exception = (
        psycopg.OperationalError("injected fault")
        if _is_postgres(store)
        else sqlite3.OperationalError("injected fault")
    )

    def action() -> None:
        raise OperationalError("append", None, cause)

    return action


@contextmanager
def _trigger(store: BlockStore, point: Point, body: str) -> Iterator[None]:
    """Have the server run ``body`` in the transaction of each append."""
    kind = (
        "TRIGGER fault BEFORE INSERT ON ledger_block"
        if point is Point.BETWEEN
        else "CONSTRAINT TRIGGER fault AFTER INSERT ON ledger_block DEFERRABLE INITIALLY DEFERRED"
    )
    with administrator(store) as execute:
        execute(f"CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NEW; END$$")
        execute(f"CREATE {kind} FOR EACH ROW EXECUTE FUNCTION fault()")
        try:
            yield
        finally:
            execute("DROP TRIGGER fault ON ledger_block")
            execute("DROP FUNCTION fault")


@contextmanager
def administrator(store: BlockStore) -> Iterator[Callable[[str], Any]]:
    """Give a function that runs SQL in ``store``'s PostgreSQL database on a connection of its own."""
    engine = create_engine(_sql(store).append_engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def execute(statement: str) -> Any:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None

        yield execute


def _is_postgres(store: BlockStore) -> bool:
    return _sql(store).append_engine.dialect.name == "postgresql"


def _sql(store: BlockStore) -> SqlBlockStore:
    assert isinstance(store, SqlBlockStore), "both stores are SQL stores"
    return store
