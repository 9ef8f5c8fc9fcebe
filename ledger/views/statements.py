"""Pages of statements: walking an account's lines by their links, never reading more than the page needs.

From the newest line back, each line names the one before it. From the oldest on, the walk starts at an anchor, a
place noted every ``LINES_PER_ANCHOR`` lines, and so reads less than that many lines besides the page's.
"""

from typing import Final

from sqlalchemy import Connection, bindparam, select

from ledger.log.block_reader import AnyRow
from ledger.model.journal import Side
from ledger.units import AccountId
from ledger.views.answers import Statement, StatementLine, UnknownCursor, reference_of
from ledger.views.schema import ACCOUNT_ANCHORS, ACCOUNT_HEADS, BLOCKS, LINES_PER_ANCHOR, STATEMENT_LINES, TRANSACTIONS

LINES_PER_PAGE: Final = 100
"""Lines of a page unless asked otherwise."""

LINES_PER_PAGE_MAX: Final = 1_000
"""Most lines of a page: about 300 KB of JSON."""

_lines: Final = STATEMENT_LINES.c

# The line to start from, and from each line the one before it, down to the number wanted last.
_start = select(STATEMENT_LINES).where(_lines.row == bindparam("start")).cte("walk", recursive=True)
_walk = _start.union_all(
    select(STATEMENT_LINES)
    .join(_start, _lines.row == _start.c.previous)
    .where(_start.c.number > bindparam("last_number"))
)
_SELECT_WALK: Final = (
    select(
        _walk,
        TRANSACTIONS.c.kind,
        TRANSACTIONS.c.participant,
        TRANSACTIONS.c.reference,
        TRANSACTIONS.c.transaction_id,
        BLOCKS.c.height,
        BLOCKS.c.time_us,
        BLOCKS.c.business_date,
    )
    .join(TRANSACTIONS, TRANSACTIONS.c.sequence == _walk.c.transaction_sequence)
    .join(BLOCKS, BLOCKS.c.height == TRANSACTIONS.c.height)
    .where(_walk.c.number <= bindparam("first_number"))
    .order_by(_walk.c.number.desc())
)


def page(
    connection: Connection, account: AccountId, cursor: int | None, limit: int, *, is_oldest_first: bool
) -> Statement:
    """Return one page; ``ViewReader.statement`` says what it takes and raises."""
    if not 1 <= limit <= LINES_PER_PAGE_MAX:
        raise ValueError(f"expected a limit from 1 to {LINES_PER_PAGE_MAX}, got {limit}")
    head = connection.execute(select(ACCOUNT_HEADS).where(ACCOUNT_HEADS.c.account == account)).one_or_none()
    given = None if cursor is None else _line_at(connection, account, cursor)
    if head is None:
        return Statement(account=account, balance=0, line_count=0, lines=())
    if is_oldest_first:
        first = 1 if given is None else given.number + 1
        last = min(first + limit - 1, head.number)
        rows = _walk_back(connection, _start_row(connection, head, last), last, first)[::-1]
        is_last_page = last == head.number
    else:
        start, number = (head.row, head.number) if given is None else (given.previous, given.number - 1)
        first = max(number - limit + 1, 1)
        rows = _walk_back(connection, start, number, first)
        is_last_page = first == 1
    return Statement(
        account=account,
        balance=head.balance,
        line_count=head.number,
        lines=tuple(map(_statement_line, rows)),
        next_cursor=None if is_last_page else rows[-1].row,
    )


def _line_at(connection: Connection, account: AccountId, cursor: int) -> AnyRow:
    line = connection.execute(
        select(STATEMENT_LINES).where(_lines.row == cursor, _lines.account == account)
    ).one_or_none()
    if line is None:
        raise UnknownCursor(f"expected a cursor of account {account}, got {cursor}")
    return line


def _start_row(connection: Connection, head: AnyRow, number: int) -> int:
    """The row of the nearest known line at or after ``number``: an anchor, or the newest line."""
    anchor = -(-number // LINES_PER_ANCHOR) * LINES_PER_ANCHOR
    if anchor >= head.number:
        return int(head.row)
    query = select(ACCOUNT_ANCHORS.c.row).where(
        ACCOUNT_ANCHORS.c.account == head.account, ACCOUNT_ANCHORS.c.number == anchor
    )
    return int(connection.execute(query).scalar_one())


def _walk_back(connection: Connection, start: int, first_number: int, last_number: int) -> list[AnyRow]:
    """The lines from ``first_number`` down to ``last_number``, walking from row ``start``, newest first."""
    if first_number < last_number:
        return []
    parameters = {"start": start, "first_number": first_number, "last_number": last_number}
    return list(connection.execute(_SELECT_WALK, parameters))


def _statement_line(row: AnyRow) -> StatementLine:
    return StatementLine(
        number=row.number,
        side=Side.CREDIT if row.is_credit else Side.DEBIT,
        amount=row.amount,
        balance=row.balance,
        counterparty=row.counterparty,
        label=row.label,
        sequence=row.transaction_sequence + row.line,
        line=row.line,
        height=row.height,
        time_us=row.time_us,
        business_date=row.business_date,
        kind=row.kind,
        participant=row.participant,
        reference=reference_of(row.reference),
        transaction_id=bytes(row.transaction_id),
    )
