"""The query log: who of those that watch others asked what, when, and of which ledger. Append-only.

It is a database of its own, beside the annex, and written before a query is answered: what is not on record is not
answered. Each row holds the digest of itself and of the row before, so that a row that is changed, left out or put in
between shows; and SQLite refuses to change or delete one. It is no part of the ledger: questions are not money.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

from ledger.crypto.canonical import encode
from ledger.crypto.digest import DIGEST_BYTES, tagged
from ledger.log.block_reader import AnyRow
from ledger.model.participants import Role
from ledger.model.record import Record
from wallet_api.side_database import side_engine

_PRAGMAS: Final = ("synchronous = FULL",)

WHAT_CHARACTERS_MAX: Final = 2_000
"""Characters of a query that are kept: every query that a route knows is far shorter, and nobody fills the disk."""

WATCHERS: Final = frozenset({Role.SUPERVISOR, Role.AUDITOR, Role.OPERATOR, Role.ISSUER})
"""Roles that may read what is not their own, and whose queries are put on record: each of them, refused ones too."""

METADATA: Final = MetaData()

_ROW: Final = BigInteger().with_variant(Integer, "sqlite")

QUERIES: Final = Table(
    "queries",
    METADATA,
    Column("number", _ROW, primary_key=True, autoincrement=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("participant", String(32), nullable=False),
    Column("kid", String(43), nullable=False),
    Column("method", String(8), nullable=False),
    Column("what", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
"""One row a query, numbered from 1 without a gap."""

_APPEND_ONLY: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS queries_no_{what.lower()} BEFORE {what} ON queries "
    "BEGIN SELECT RAISE(ABORT, 'the query log is append-only'); END"
    for what in ("UPDATE", "DELETE")
)

_FIRST: Final = bytes(DIGEST_BYTES)
"""What stands for the row before the first."""


class Asked(Record, frozen=True, kw_only=True):
    """A query that was put on record."""

    asked_us: int
    """Ledger time, in microseconds since 1970."""
    participant: str
    """Who asked."""
    kid: str
    """The key that its token was given to."""
    method: str
    what: str
    """Path and query, as asked."""
    sequence: int
    """The newest leaf of the ledger at that moment."""


class LoggedQuery(Record, frozen=True, kw_only=True):
    """A query and its place in the log."""

    number: int
    """From 1, without a gap."""
    query: Asked
    digest: bytes
    """SHA-256 over the row before and this one."""


class QueryLog:
    """The log. Each method is one database transaction and may be called from any thread."""

    def __init__(self, url: str) -> None:
        """Open the database at a URL, and make its table if there is none.

        Raises:
            ValueError: the URL names another kind of database than SQLite with a file, or PostgreSQL.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._engine = side_engine(url, pragmas=_PRAGMAS)
        METADATA.create_all(self._engine)
        if self._engine.dialect.name == "sqlite":
            with self._engine.begin() as connection:
                for statement in _APPEND_ONLY:
                    connection.exec_driver_sql(statement)
        # One node writes to it (the block store's lock sees to that), from many threads.
        self._lock = threading.Lock()

    def append(self, query: Asked) -> int:
        """Put a query on record, durably; returns its number."""
        with self._lock, self._engine.begin() as connection:
            last = connection.execute(
                select(QUERIES.c.number, QUERIES.c.digest).order_by(QUERIES.c.number.desc()).limit(1)
            ).one_or_none()
            number, before = (1, _FIRST) if last is None else (last.number + 1, bytes(last.digest))
            digest = chained(before, number, query)
            connection.execute(insert(QUERIES).values(number=number, digest=digest, **_columns(query)))
        return int(number)

    def page(self, *, before: int | None, limit: int, participant: str | None = None) -> tuple[LoggedQuery, ...]:
        """Return queries, newest first: those below a number if one is given, those of a participant if one is."""
        query = select(QUERIES).order_by(QUERIES.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(QUERIES.c.number < before)
        if participant is not None:
            query = query.where(QUERIES.c.participant == participant)
        with self._engine.begin() as connection:
            return tuple(map(_logged, connection.execute(query).all()))

    def first_fault(self) -> int | None:
        """Return the number of the first row that does not follow from the one before it; None: all do."""
        expected, before = 1, _FIRST
        with self._engine.begin() as connection:
            for row in map(_logged, connection.execute(select(QUERIES).order_by(QUERIES.c.number))):
                if row.number != expected or row.digest != chained(before, row.number, row.query):
                    return expected
                expected, before = expected + 1, row.digest
        return None

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()


def chained(before: bytes, number: int, query: Asked) -> bytes:
    """Return the digest of a row behind another."""
    return tagged("query", before + encode([number, query]))


def _columns(query: Asked) -> Mapping[str, Any]:
    return {name: getattr(query, name) for name in Asked.__struct_fields__}


def _logged(row: AnyRow) -> LoggedQuery:
    query = Asked(**{name: getattr(row, name) for name in Asked.__struct_fields__})
    return LoggedQuery(number=row.number, query=query, digest=bytes(row.digest))
