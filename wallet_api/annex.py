"""The annex: openings of the commitments in transactions, kept beside the log so that they can be erased (design D13).

The log cannot forget, so it holds commitments only. Whoever erases an opening makes its commitment say nothing for
ever. No block, view, snapshot or export has what stands here: it is a database of its own.

A row is erased by writing zeros over its salt and value, of the same length, and it stays. In SQLite that changes the
bytes where they stand. Deleting rows would not do, not even with ``secure_delete``: it makes SQLite move other rows
between pages, and where they stood their bytes may remain, to be missed when those rows are erased in their turn.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ledger.units import ParticipantId, TimestampUs
from wallet_api.commitments import SALT_BYTES, Opening
from wallet_api.side_database import side_engine

_PRAGMAS: Final = (
    # What SQLite itself frees, a page or the rest of one, it writes zeros over.
    "secure_delete = ON",
    # A write-ahead log would keep what was erased until it is written over; a rollback journal ends with its
    # transaction, and EXTRA makes its end durable, so that a loss of power does not bring back what it holds.
    "journal_mode = DELETE",
    "synchronous = EXTRA",
)

METADATA: Final = MetaData()

OPENINGS: Final = Table(
    "openings",
    METADATA,
    Column("transaction_id", LargeBinary, primary_key=True),
    Column("commitment", String(43), primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    # Bytes of UTF-8: PostgreSQL's text has no U+0000, and what was committed to is these bytes.
    Column("value", LargeBinary, nullable=False),
    Column("participant", String(32), nullable=False),
    Column("added_us", BigInteger, nullable=False),
    Column("is_erased", Boolean, nullable=False),
)
"""One row an opening; ``participant`` is the sender of the transaction, who alone adds and erases."""

_ERASE: Final = (
    update(OPENINGS)
    .where(OPENINGS.c.transaction_id == bindparam("of"), OPENINGS.c.commitment == bindparam("to"))
    .values(salt=bytes(SALT_BYTES), value=bindparam("zeros"), is_erased=True)
)


class Annex:
    """The openings. Each method is one database transaction and may be called from any thread."""

    def __init__(self, url: str) -> None:
        """Open the database at a URL, and make its table if there is none.

        Raises:
            ValueError: the URL names another kind of database than SQLite with a file, or PostgreSQL.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        self._engine = side_engine(url, pragmas=_PRAGMAS)
        METADATA.create_all(self._engine)

    def add(
        self, transaction_id: bytes, openings: Sequence[Opening], *, participant: ParticipantId, added_us: TimestampUs
    ) -> int:
        """Add openings of a transaction's commitments, and return how many it has now. One that is there stays.

        The caller has checked that each commitment stands in the transaction, and that ``participant`` sent it.
        """
        rows = [
            {
                "transaction_id": transaction_id,
                "commitment": opening.commitment(),
                "salt": opening.salt,
                "value": opening.value.encode(),
                "participant": participant,
                "added_us": added_us,
                "is_erased": False,
            }
            for opening in openings
        ]
        insert = (sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert)(OPENINGS)
        # A commitment binds, so what was erased comes back with the length it had, and nothing moves.
        back = insert.on_conflict_do_update(
            index_elements=[OPENINGS.c.transaction_id, OPENINGS.c.commitment],
            set_={"salt": insert.excluded.salt, "value": insert.excluded.value, "is_erased": False},
            where=OPENINGS.c.is_erased,
        )
        with self._engine.begin() as connection:
            if rows:
                connection.execute(back, rows)
            return connection.execute(select(func.count()).where(*_standing(transaction_id))).scalar_one()

    def get(self, transaction_id: bytes) -> list[Opening]:
        """Return the openings of a transaction by ascending commitment; none if none was added, or all were erased."""
        query = (
            select(OPENINGS.c.salt, OPENINGS.c.value).where(*_standing(transaction_id)).order_by(OPENINGS.c.commitment)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [Opening(salt=bytes(salt), value=bytes(value).decode()) for salt, value in rows]

    def erase(self, transaction_id: bytes) -> int:
        """Erase the openings of a transaction for ever, and return how many there were."""
        query = select(OPENINGS.c.commitment, func.length(OPENINGS.c.value)).where(*_standing(transaction_id))
        with self._engine.begin() as connection:
            rows = connection.execute(query.with_for_update()).all()
            if rows:
                erased = [{"of": transaction_id, "to": commitment, "zeros": bytes(size)} for commitment, size in rows]
                connection.execute(_ERASE, erased)
        return len(rows)

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()


def _standing(transaction_id: bytes) -> tuple[ColumnElement[bool], ...]:
    """The condition of the openings of a transaction that are not erased."""
    return OPENINGS.c.transaction_id == transaction_id, ~OPENINGS.c.is_erased
