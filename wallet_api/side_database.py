"""Databases that stand beside the ledger, each for a purpose of its own: the annex, the query log."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from ledger.views.database import is_sqlite, sqlite_path

BUSY_TIMEOUT_MS: Final = 5_000
"""How long SQLite waits for another's transaction: far above one of ours."""


def side_engine(url: str, *, pragmas: Sequence[str]) -> Engine:
    """Return the engine of a database, an SQLite file or PostgreSQL, whose transactions exclude each other.

    Args:
        url: as in the settings.
        pragmas: what SQLite is told when a connection is opened, without the word ``PRAGMA``.
    """
    parsed = make_url(url)
    if not is_sqlite(parsed):
        return create_engine(parsed.set(drivername="postgresql+psycopg"), poolclass=NullPool, hide_parameters=True)
    sqlite_path(parsed)
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Without this, Python's driver would begin transactions itself, and DEFERRED ones.
        connection.isolation_level = None
        for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
