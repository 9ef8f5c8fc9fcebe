"""Connections to the views database, and writing many rows at a time.

SQLAlchemy Core makes the tables and the queries. Rows in bulk go past it, as tuples to the driver: for each of them
Core would build a dictionary and process it, which takes several times as long as storing it.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Column, Connection, Engine, Table, create_engine, event, make_url

from ledger.log.block_reader import AnyRow

BUSY_TIMEOUT_MS: Final = 5_000
"""How long SQLite waits for another writer's transaction; there is only one follower, but a rebuild may overlap."""

PAGE_BYTES: Final = 4_096
"""What a payment changes at random places, the heads of its accounts and the index of ids, is written by whole pages;
smaller ones make more work of what is appended than they save here."""

CACHE_KIB: Final = 65_536
"""The follower's page cache: the heads of a million accounts stay in it."""

WAL_PAGES_MAX: Final = 16_384
"""The write-ahead log is copied into the database when it exceeds this many pages (64 MiB), about ten batches."""

Rows = Sequence[tuple[Any, ...]]
"""Rows as tuples, in the order of the table's columns."""


def write_engine(url: str) -> Engine:
    """Return the follower's engine; it makes an SQLite file that does not exist.

    It keeps its one connection: the page cache stays, and the last connection that closes would copy the whole
    write-ahead log into the database.

    SQLite runs with ``synchronous=NORMAL``: a loss of power may undo the last batches, never tear one. That is right
    for views, which are made again from the blocks; it would not be for blocks.
    """
    parsed = make_url(url)
    if not is_sqlite(parsed):
        return create_engine(_postgres(parsed), pool_size=1, max_overflow=0, hide_parameters=True)
    engine = create_engine(parsed, pool_size=1, max_overflow=0, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Without this, Python's driver would begin transactions itself, and DEFERRED ones.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def read_engine(url: str) -> Engine:
    """Return an engine whose transactions read one state of the database, and write nothing."""
    parsed = make_url(url)
    if not is_sqlite(parsed):
        return create_engine(
            _postgres(parsed),
            isolation_level="REPEATABLE READ",
            hide_parameters=True,
            execution_options={"postgresql_readonly": True},
        )
    database = sqlite_path(parsed)
    read_only = URL.create(
        parsed.drivername, database=f"file:{quote(str(database.absolute()))}", query={"mode": "ro", "uri": "true"}
    )
    engine = create_engine(read_only, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # In a transaction, SQLite shows the state its first statement saw.
        connection.exec_driver_sql("BEGIN")

    return engine


def append_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert new rows, whose tuples hold every column in order."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert(table), list(rows))
        return
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(f"COPY {table.name} ({_names(table.c)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    finally:
        cursor.close()


def upsert_rows(connection: Connection, table: Table, rows: Rows, *, is_sum: bool = False) -> None:
    """Insert rows, or update those whose key is there; no key stands twice among them.

    Args:
        connection: in a transaction.
        table: where.
        rows: tuples of every column in order.
        is_sum: add the values to those that are there, instead of taking their place.
    """
    if not rows:
        return
    values = [column for column in table.c if not column.primary_key]
    update = ", ".join(
        f'"{column.name}" = ' + (f'{table.name}."{column.name}" + ' if is_sum else "") + f'excluded."{column.name}"'
        for column in values
    )
    on_conflict = f"ON CONFLICT ({_names(table.primary_key.columns)}) DO UPDATE SET {update}"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{_insert(table)} {on_conflict}", list(rows))
        return
    arrays = ", ".join(f"%s::{column.type.compile(connection.dialect)}[]" for column in table.c)
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({_names(table.c)}) SELECT * FROM unnest({arrays}) {on_conflict}",  # noqa: S608
        tuple(list(column) for column in zip(*rows, strict=True)),
    )


def rows_by_key(connection: Connection, table: Table, key: Column[str], keys: Sequence[str]) -> Rows:
    """Return the rows with any of many text keys."""
    if not keys:
        return []
    statement = f'SELECT {_names(table.c)} FROM {table.name} WHERE "{key.name}" '  # noqa: S608
    if connection.dialect.name == "sqlite":
        # One parameter, whatever the number of keys: SQLite limits how many there may be.
        condition, parameter = "IN (SELECT value FROM json_each(?))", json.dumps(list(keys))
        return [tuple(row) for row in connection.exec_driver_sql(f"{statement} {condition}", (parameter,))]
    return [tuple(row) for row in connection.exec_driver_sql(f"{statement} = ANY(%s)", (list(keys),))]


def rows_for_numbers(connection: Connection, query: str, numbers: Sequence[int]) -> Sequence[AnyRow]:
    """Return what a query gives for many numbers: in it, ``{numbers}`` stands for a table of them, ``number``."""
    if connection.dialect.name == "sqlite":
        table, parameter = "(SELECT value AS number FROM json_each(?))", json.dumps(list(numbers))
        return connection.exec_driver_sql(query.format(numbers=table), (parameter,)).all()
    table = "(SELECT unnest(%s::bigint[]) AS number)"
    return connection.exec_driver_sql(query.format(numbers=table), (list(numbers),)).all()


def is_sqlite(url: URL) -> bool:
    """Whether a URL names an SQLite file.

    Raises:
        ValueError: it names neither SQLite nor PostgreSQL.
    """
    match url.get_backend_name():
        case "sqlite":
            return True
        case "postgresql":
            return False
        case other:
            raise ValueError(f"expected a URL of sqlite or postgresql+psycopg, got {other}")


def sqlite_path(url: URL) -> Path:
    """Return the file of an SQLite URL.

    Raises:
        ValueError: it names none.
    """
    if not url.database or url.database == ":memory:":
        raise ValueError("expected an SQLite URL with a file, such as sqlite:///views.db; got none")
    return Path(url.database)


def _postgres(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def _insert(table: Table) -> str:
    marks = ", ".join("?" for _ in table.c)
    return f"INSERT INTO {table.name} ({_names(table.c)}) VALUES ({marks})"  # noqa: S608


def _names(columns: Iterable[Column[Any]]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)
