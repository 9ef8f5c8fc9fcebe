"""Reading the views. Each answer names the size of the log it includes, from the same read transaction."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import DBAPIError

from ledger.crypto import merkle
from ledger.log.block_reader import AnyRow
from ledger.model.transactions import reference_time_us
from ledger.rules.admissible import REFERENCE_AGE_MAX_US, REFERENCE_AHEAD_MAX_US
from ledger.seen import Seen
from ledger.units import AccountId, ParticipantId, Reference, TimestampUs
from ledger.views import statements
from ledger.views.answers import (
    AsOf,
    BusinessDay,
    KeyChange,
    ParticipantRow,
    RefusalRow,
    Statement,
    Supply,
    TransactionRow,
    Value,
    ViewsBehind,
    ViewsUnavailable,
    reference_of,
)
from ledger.views.applied import Applied, read_applied
from ledger.views.database import read_engine
from ledger.views.projector import id_key, reference_bytes
from ledger.views.schema import (
    BLOCKS,
    DAY_SUPPLY,
    DAYS,
    KEY_CHANGES,
    PARTICIPANTS,
    REFUSALS,
    SUPPLY,
    TILES,
    TRANSACTIONS,
)
from ledger.views.tiles import TileReader

DAYS_PER_PAGE_MAX: Final = 1_000
"""Most business days of one answer: almost four years of them."""

_SEEN_ID_BYTES: Final = 16

MILLISECOND_US: Final = 1_000
"""Microseconds in a millisecond, the unit of time in a reference."""

_TRANSACTION: Final = select(
    *(column for column in TRANSACTIONS.c if column.name in TransactionRow.__struct_fields__),
    BLOCKS.c.time_us,
    BLOCKS.c.business_date,
).join(BLOCKS, BLOCKS.c.height == TRANSACTIONS.c.height)


class ViewReader:
    """Queries on a views database, from any number of threads, beside its follower.

    Every method raises ``ViewsUnavailable`` when the views are not made yet or cannot be reached, and ``ViewsFault``
    when they are of another version of this program.
    """

    def __init__(self, database_url: str) -> None:
        """Read the views at a URL; nothing is opened yet."""
        self._engine = read_engine(database_url)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def applied(self) -> Applied:
        """Return how far the views are."""
        with self._reading() as (_, applied):
            return applied

    def statement(
        self,
        account: AccountId,
        *,
        cursor: int | None = None,
        limit: int = statements.LINES_PER_PAGE,
        is_oldest_first: bool = False,
    ) -> AsOf[Statement]:
        """Return one page of an account's statement; an empty one for an account without lines.

        Args:
            account: whose; that it exists, and may be read, is for the caller to know.
            cursor: ``next_cursor`` of the page before, in the same direction; None for the first page.
            limit: most lines, from 1 to ``LINES_PER_PAGE_MAX``.
            is_oldest_first: from the first line on, instead of from the newest one back.

        Raises:
            UnknownCursor: the cursor is not of this account.
            ValueError: the limit is out of bounds.
        """
        with self._reading() as (connection, applied):
            return _as_of(applied, statements.page(connection, account, cursor, limit, is_oldest_first=is_oldest_first))

    def transaction_by_reference(self, participant: ParticipantId, reference: Reference) -> AsOf[TransactionRow | None]:
        """Return the transaction a participant sent under a reference, or None."""
        return self._transaction(
            TRANSACTIONS.c.participant == participant, TRANSACTIONS.c.reference == reference_bytes(reference)
        )

    def transaction_by_id(self, transaction_id: bytes) -> AsOf[TransactionRow | None]:
        """Return the transaction with an id of 32 bytes, or None."""
        return self._transaction(
            TRANSACTIONS.c.id_key == id_key(transaction_id), TRANSACTIONS.c.transaction_id == transaction_id
        )

    def transactions_of(
        self,
        participant: ParticipantId,
        *,
        from_us: TimestampUs,
        until_us: TimestampUs,
        kinds: Collection[str] | None = None,
        limit: int,
    ) -> AsOf[tuple[TransactionRow, ...]]:
        """Return what a participant sent and the ledger accepted between two moments, in the order of the log.

        Args:
            participant: the sender.
            from_us: first time of a block.
            until_us: first time that is too late.
            kinds: only these; all of them unless given.
            limit: most rows: the earliest ones.
        """
        # References of one sender ascend with the time in them, which is near that of the block: an index serves.
        first = max(0, from_us - REFERENCE_AGE_MAX_US)
        last = until_us + REFERENCE_AHEAD_MAX_US
        query = _TRANSACTION.where(
            TRANSACTIONS.c.participant == participant,
            TRANSACTIONS.c.reference >= _first_reference(first),
            TRANSACTIONS.c.reference < _first_reference(last + MILLISECOND_US),
            TRANSACTIONS.c.code == "",
            BLOCKS.c.time_us >= from_us,
            BLOCKS.c.time_us < until_us,
        )
        if kinds is not None:
            query = query.where(TRANSACTIONS.c.kind.in_(sorted(kinds)))
        with self._reading() as (connection, applied):
            rows = connection.execute(query.order_by(TRANSACTIONS.c.sequence).limit(limit)).all()
            return _as_of(applied, tuple(map(_transaction_row, rows)))

    def refusals(self, sequence: int) -> AsOf[tuple[RefusalRow, ...]]:
        """Return the refusals among the leaves of one transaction, named by its first leaf, in order of lines.

        There are no more of them than a bulk has lines.
        """
        with self._reading() as (connection, applied):
            leaf_count = connection.execute(
                select(TRANSACTIONS.c.leaf_count).where(TRANSACTIONS.c.sequence == sequence)
            ).scalar_one_or_none()
            query = select(REFUSALS.c.sequence, REFUSALS.c.line, REFUSALS.c.code).where(
                REFUSALS.c.sequence >= sequence, REFUSALS.c.sequence < sequence + (leaf_count or 0)
            )
            rows = connection.execute(query.order_by(REFUSALS.c.sequence)).all()
            return _as_of(applied, _records(rows, RefusalRow))

    def first_outcome(self, participant: ParticipantId, reference: Reference, *, head_height: int) -> Seen | None:
        """Return where the first outcome of a reference stands, or None if there is none (design D5).

        Args:
            participant: the sender.
            reference: its reference.
            head_height: the newest block there is. Views that lag may still answer for an old reference: it could
                only be decided within ``REFERENCE_AGE_MAX_US`` of its own time.

        Raises:
            ViewsBehind: the first outcome may stand in a block that is not applied yet.
        """
        with self._reading() as (connection, applied):
            query = select(TRANSACTIONS.c.transaction_id, TRANSACTIONS.c.height, TRANSACTIONS.c.place).where(
                TRANSACTIONS.c.participant == participant, TRANSACTIONS.c.reference == reference_bytes(reference)
            )
            row = connection.execute(query).one_or_none()
        if row is not None:
            return Seen(bytes(row.transaction_id[:_SEEN_ID_BYTES]), row.height, row.place)
        decidable_until_us = reference_time_us(reference) + REFERENCE_AGE_MAX_US
        if applied.height < head_height and applied.time_us <= decidable_until_us:
            raise ViewsBehind(
                f"expected views at block {head_height}, or after {decidable_until_us} us; "
                f"got block {applied.height}, at {applied.time_us} us"
            )
        return None

    def participants(self) -> AsOf[tuple[ParticipantRow, ...]]:
        """Return every participant, by id."""
        with self._reading() as (connection, applied):
            rows = connection.execute(select(PARTICIPANTS).order_by(PARTICIPANTS.c.participant)).all()
            return _as_of(applied, _records(rows, ParticipantRow))

    def participant(self, participant: ParticipantId) -> AsOf[ParticipantRow | None]:
        """Return one participant, or None."""
        with self._reading() as (connection, applied):
            query = select(PARTICIPANTS).where(PARTICIPANTS.c.participant == participant)
            row = connection.execute(query).one_or_none()
            return _as_of(applied, None if row is None else _records([row], ParticipantRow)[0])

    def key_changes(self, participant: ParticipantId) -> AsOf[tuple[KeyChange, ...]]:
        """Return the history of a participant's own keys, by block: each as it stood after the change."""
        columns = [column for column in KEY_CHANGES.c if column.name != "participant"]
        query = select(*columns).where(KEY_CHANGES.c.participant == participant)
        with self._reading() as (connection, applied):
            rows = connection.execute(query.order_by(KEY_CHANGES.c.height, KEY_CHANGES.c.kid)).all()
            return _as_of(applied, _records(rows, KeyChange))

    def supply(self) -> AsOf[tuple[Supply, ...]]:
        """Return what was issued and redeemed of each asset since genesis."""
        with self._reading() as (connection, applied):
            rows = connection.execute(select(SUPPLY).order_by(SUPPLY.c.asset)).all()
            return _as_of(applied, _records(rows, Supply))

    def days(self, *, before: str | None = None, limit: int = DAYS_PER_PAGE_MAX) -> AsOf[tuple[BusinessDay, ...]]:
        """Return closed business dates, newest first, only those before a date if one is given."""
        query = select(DAYS, BLOCKS.c.time_us).join(BLOCKS, BLOCKS.c.height == DAYS.c.height)
        if before is not None:
            query = query.where(DAYS.c.business_date < before)
        with self._reading() as (connection, applied):
            days = connection.execute(query.order_by(DAYS.c.business_date.desc()).limit(limit)).all()
            return _as_of(applied, tuple(_day(day, _day_supply(connection, day.business_date)) for day in days))

    def inclusion_proof(self, index: int, size: int) -> AsOf[tuple[bytes, ...]]:
        """Return the audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962, 2.1.1).

        Raises:
            ViewsBehind: the tree is larger than what is applied.
            ValueError: there is no such leaf in it.
        """
        with self._reading() as (connection, applied):
            _require_applied(applied, size)
            return _as_of(applied, merkle.inclusion_proof(_tile_reader(connection), index, size))

    def consistency_proof(self, first: int, second: int) -> AsOf[tuple[bytes, ...]]:
        """Return the proof that the tree of ``second`` leaves extends the one of ``first`` (RFC 6962, 2.1.2).

        Raises:
            ViewsBehind: the tree is larger than what is applied.
            ValueError: the sizes are out of order.
        """
        with self._reading() as (connection, applied):
            _require_applied(applied, second)
            return _as_of(applied, merkle.consistency_proof(_tile_reader(connection), first, second))

    def tile(self, level: int, number: int) -> AsOf[bytes | None]:
        """Return the hashes of a tile side by side, 256 of them or, at the edge, fewer; None if there is none yet."""
        with self._reading() as (connection, applied):
            return _as_of(applied, _tile(connection, level, number))

    def _transaction(self, *conditions: ColumnElement[bool]) -> AsOf[TransactionRow | None]:
        with self._reading() as (connection, applied):
            row = connection.execute(_TRANSACTION.where(*conditions)).one_or_none()
            return _as_of(applied, None if row is None else _transaction_row(row))

    @contextmanager
    def _reading(self) -> Iterator[tuple[Connection, Applied]]:
        """A read transaction, which sees one state of the database, and how far that is."""
        try:
            with self._engine.begin() as connection:
                yield connection, read_applied(connection)
        except DBAPIError as error:
            raise ViewsUnavailable(f"the views cannot be read: {error.orig}") from error


def _first_reference(time_us: int) -> bytes:
    """The least reference of a moment: a UUIDv7 begins with its milliseconds, in 48 bits."""
    return min(time_us // MILLISECOND_US, 2**48 - 1).to_bytes(6) + bytes(10)


def _as_of(applied: Applied, value: Value) -> AsOf[Value]:
    return AsOf(applied.size, applied.height, value)


def _records(rows: Iterable[AnyRow], record: type[Value]) -> tuple[Value, ...]:
    """Rows as records whose fields are named like the columns."""
    return tuple(record(**row._mapping) for row in rows)


def _transaction_row(row: AnyRow) -> TransactionRow:
    values = dict(row._mapping)
    values["reference"] = reference_of(row.reference)
    values["transaction_id"] = bytes(row.transaction_id)
    values["code"] = row.code or None
    return TransactionRow(**values)


def _day(row: AnyRow, supply: tuple[Supply, ...]) -> BusinessDay:
    values = dict(row._mapping)
    if row.trial_balance is not None:
        values["trial_balance"] = msgspec.json.decode(row.trial_balance)
    return BusinessDay(**values, supply=supply)


def _day_supply(connection: Connection, business_date: str) -> tuple[Supply, ...]:
    query = select(DAY_SUPPLY.c.asset, DAY_SUPPLY.c.issued, DAY_SUPPLY.c.redeemed).where(
        DAY_SUPPLY.c.business_date == business_date
    )
    return _records(connection.execute(query.order_by(DAY_SUPPLY.c.asset)).all(), Supply)


def _require_applied(applied: Applied, size: int) -> None:
    if size > applied.size:
        raise ViewsBehind(f"expected views of {size} leaves, got {applied.size}")


def _tile_reader(connection: Connection) -> TileReader:
    return TileReader(lambda level, number: _tile(connection, level, number))


def _tile(connection: Connection, level: int, number: int) -> bytes | None:
    query = select(TILES.c.hashes).where(TILES.c.level == level, TILES.c.number == number)
    hashes = connection.execute(query).scalar_one_or_none()
    return None if hashes is None else bytes(hashes)
