"""Pages of statements: an account's chain says which leaves, tables ordered by leaf say the rest.

The chain is read from its end, or from an anchor, a link noted every ``LINES_PER_ANCHOR`` lines: so a page of a
statement reads its own lines and a bounded number of others, however many the account has.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from ledger.log.block_reader import AnyRow
from ledger.model.journal import Side
from ledger.units import AccountId
from ledger.views.account_lines import Lines, decode_lines
from ledger.views.answers import Statement, StatementLine, UnknownCursor, reference_of
from ledger.views.database import rows_for_numbers
from ledger.views.schema import (
    ACCOUNT_ANCHORS,
    ACCOUNT_HEADS,
    ACCOUNT_LINKS,
    LINES_PER_ANCHOR,
    LINES_PER_LINK,
)

LINES_PER_PAGE: Final = 100
"""Lines of a statement's page unless asked otherwise."""

LINES_PER_PAGE_MAX: Final = 1_000
"""Most lines of a statement's page: about 300 KB of JSON."""

_links: Final = ACCOUNT_LINKS.c

# The link to start from, and from each link the one before it, down to the one with the lowest line wanted.
_of_account = _links.account == bindparam("account")
_start = select(ACCOUNT_LINKS).where(_links.leaf == bindparam("start"), _of_account).cte("walk", recursive=True)
_walk = _start.union_all(
    select(ACCOUNT_LINKS)
    .join(_start, _links.leaf == _start.c.previous)
    .where(_of_account, _start.c.number - LINES_PER_LINK >= bindparam("lowest"))
)
_SELECT_WALK: Final = (
    select(_walk.c.number, _walk.c.balance, _walk.c.lines)
    .where(_walk.c.number - LINES_PER_LINK < bindparam("highest"))
    .order_by(_walk.c.number.desc())
)

_SELECT_HEAD: Final = select(ACCOUNT_HEADS).where(ACCOUNT_HEADS.c.account == bindparam("account"))

_SELECT_ANCHOR: Final = select(ACCOUNT_ANCHORS.c.leaf).where(
    ACCOUNT_ANCHORS.c.account == bindparam("account"), ACCOUNT_ANCHORS.c.number == bindparam("number")
)

# The last transaction, and of its runs of entries the last one, that do not start after a leaf.
_SELECT_ENTRIES: Final = """
    SELECT wanted.number, entry.sequence, entry.participant, entry.reference, entry.transaction_id, entry.kind,
        entry.height, block.time_us, block.business_date,
        entry.debit, entry.credit, run.sequence, run.debits, run.credits, run.labels
    FROM {numbers} AS wanted
    JOIN view_transactions AS entry
        ON entry.sequence = (SELECT max(sequence) FROM view_transactions WHERE sequence <= wanted.number)
    JOIN view_blocks AS block ON block.height = entry.height
    LEFT JOIN view_entry_runs AS run
        ON run.sequence = (
            SELECT max(sequence) FROM view_entry_runs WHERE sequence BETWEEN entry.sequence AND wanted.number
        )
"""


class _Moved(NamedTuple):
    """One line of an account's chain."""

    number: int
    balance: int
    leaf: int
    credited: int


def page(
    connection: Connection, account: AccountId, cursor: int | None, limit: int, *, is_oldest_first: bool
) -> Statement:
    """Return one page; see ``ledger.views.queries.ViewReader.statement``."""
    if not 1 <= limit <= LINES_PER_PAGE_MAX:
        raise ValueError(f"expected a limit from 1 to {LINES_PER_PAGE_MAX}, got {limit}")
    head = connection.execute(_SELECT_HEAD, {"account": account}).one_or_none()
    line_count = 0 if head is None else head.line_count
    if cursor is not None and not 1 <= cursor <= line_count:
        raise UnknownCursor(f"expected a cursor of account {account}, got {cursor}")
    if head is None:
        return Statement(account=account, balance=0, line_count=0, lines=())
    if is_oldest_first:
        lowest = 1 if cursor is None else cursor + 1
        highest = min(lowest + limit - 1, line_count)
        last = highest
        is_last_page = highest == line_count
    else:
        highest = line_count if cursor is None else cursor - 1
        lowest = last = max(highest - limit + 1, 1)
        is_last_page = lowest == 1
    moved = list(_moved(connection, head, lowest, highest))
    return Statement(
        account=account,
        balance=head.balance,
        line_count=line_count,
        lines=tuple(_statement_lines(connection, moved[::-1] if is_oldest_first else moved)),
        next_cursor=None if is_last_page else last,
    )


def _moved(connection: Connection, head: AnyRow, lowest: int, highest: int) -> Iterator[_Moved]:
    """The lines of an account from number ``highest`` down to ``lowest``."""
    if highest < lowest:
        return
    tail = decode_lines(head.tail)
    linked = head.line_count - len(tail) // 2
    runs: list[tuple[int, int, Lines]] = []
    if highest > linked:
        runs.append((head.line_count, head.balance, tail))
    if lowest <= linked:
        start = _start_link(connection, head, linked, min(highest, linked))
        parameters = {"account": head.account, "start": start, "lowest": lowest, "highest": highest}
        walked = connection.execute(_SELECT_WALK, parameters)
        runs += [(number, balance, decode_lines(lines)) for number, balance, lines in walked]
    for last, balance_after, lines in runs:
        number, balance = last, balance_after
        for leaf, credited in zip(lines[-2::-2], lines[::-2], strict=True):
            if lowest <= number <= highest:
                yield _Moved(number, balance, leaf, credited)
            number -= 1
            balance -= head.credit_sign * credited


def _start_link(connection: Connection, head: AnyRow, linked: int, number: int) -> int:
    """The nearest known link at or after line ``number``: an anchor, or the newest of ``linked`` lines."""
    anchor = -(-number // LINES_PER_ANCHOR) * LINES_PER_ANCHOR
    if anchor >= linked:
        return int(head.link)
    return int(connection.execute(_SELECT_ANCHOR, {"account": head.account, "number": anchor}).scalar_one())


def _statement_lines(connection: Connection, moved: list[_Moved]) -> Iterator[StatementLine]:
    rows = rows_for_numbers(connection, _SELECT_ENTRIES, [line.leaf for line in moved])
    entries = {row[0]: row for row in rows}
    for number, balance, leaf, credited in moved:
        _, sequence, participant, reference, transaction_id, kind, height, time_us, business_date, *pair = entries[leaf]
        debit, credit, label = _pair(leaf, *pair)
        yield StatementLine(
            number=number,
            side=Side.CREDIT if credited > 0 else Side.DEBIT,
            amount=abs(credited),
            balance=balance,
            counterparty=(debit if credited > 0 else credit) or None,
            label=label or None,
            sequence=leaf,
            line=leaf - sequence,
            height=height,
            time_us=time_us,
            business_date=business_date,
            kind=kind,
            participant=participant,
            reference=reference_of(reference),
            transaction_id=bytes(transaction_id),
        )


def _pair(
    leaf: int,
    debit: AccountId,
    credit: AccountId,
    run_sequence: int | None,
    debits: str,
    credits: str,
    labels: str,
) -> tuple[AccountId, AccountId, str]:
    """Debit account, credit account and label of an entry: its transaction's, or from a run; empty if it has none."""
    if run_sequence is None:
        return debit, credit, ""
    place = leaf - run_sequence
    debit, credit = (AccountId(accounts.split("\n")[place]) for accounts in (debits, credits))
    return debit, credit, labels.split("\n")[place] if labels else ""
