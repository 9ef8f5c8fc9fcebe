"""Statements are what anyone would fold from the journal, page by page."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, event

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.model.outcome import Accepted
from ledger.rules import transfers
from ledger.rules.tables import BALANCES
from ledger.units import AccountId, ParticipantId
from ledger.views.answers import (
    Statement,
    StatementLine,
    UnknownCursor,
)
from ledger.views.database import write_engine
from ledger.views.follower import Follower
from ledger.views.queries import ViewReader
from ledger.views.schema import ACCOUNT_LINKS, BLOCKS, ENTRY_RUNS, LINES_PER_ANCHOR, LINES_PER_LINK, TRANSACTIONS
from tests.book import CONTRA_ACCOUNT
from tests.views.chain import BANK_OWN, WALLET_1, WALLET_2, Chain, random_blocks

NewFollower = Callable[..., Follower]

BANK = ParticipantId("bank-a")


@dataclass
class Naive:
    """One line of a statement, as anyone would fold it from the journal."""

    account: AccountId
    side: Side
    amount: int
    balance: int
    sequence: int
    counterparty: AccountId | None


def fold(chain: Chain) -> dict[AccountId, list[Naive]]:
    lines: dict[AccountId, list[Naive]] = {}
    for recorded in (recorded for block in chain.recorded for recorded in block):
        if not isinstance(recorded.outcome, Accepted):
            continue
        for number, entry in enumerate(recorded.outcome.all_entries()):
            if number in recorded.outcome.refused_lines:
                continue
            for posting in entry.postings:
                own = lines.setdefault(posting.account, [])
                adds = Side.DEBIT if posting.account == CONTRA_ACCOUNT else Side.CREDIT
                change = posting.amount if posting.side is adds else -posting.amount
                others = [other.account for other in entry.postings if other is not posting]
                own.append(
                    Naive(
                        posting.account,
                        posting.side,
                        posting.amount,
                        (own[-1].balance if own else 0) + change,
                        recorded.first_sequence + number,
                        others[0] if len(others) == 1 else None,
                    )
                )
    return lines


def all_pages(views: ViewReader, account: AccountId, *, limit: int, is_oldest_first: bool) -> list[StatementLine]:
    lines: list[StatementLine] = []
    cursor = None
    while True:
        page: Statement = views.statement(account, cursor=cursor, limit=limit, is_oldest_first=is_oldest_first).value
        assert len(page.lines) <= limit
        lines += page.lines
        cursor = page.next_cursor
        if cursor is None:
            return lines


def as_naive(account: AccountId, line: StatementLine) -> Naive:
    return Naive(account, line.side, line.amount, line.balance, line.sequence, line.counterparty)


def test_statements_equal_a_naive_fold_in_both_directions(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    random_blocks(chain, 45)
    new_follower().catch_up()
    expected = fold(chain)
    assert max(map(len, expected.values())) > 2 * LINES_PER_ANCHOR, "more lines than two anchors"
    for account in (BANK_OWN, WALLET_1, WALLET_2, CONTRA_ACCOUNT):
        for limit in (1, 7, LINES_PER_ANCHOR, 1_000):
            if limit == 1 and len(expected[account]) > 50:
                continue
            oldest_first = all_pages(views, account, limit=limit, is_oldest_first=True)
            assert [as_naive(account, line) for line in oldest_first] == expected[account]
            assert [line.number for line in oldest_first] == list(range(1, len(oldest_first) + 1))
            assert all_pages(views, account, limit=limit, is_oldest_first=False) == oldest_first[::-1]
        page = views.statement(account).value
        assert page.balance == chain.book.state.get(BALANCES, account)
        assert page.line_count == len(expected[account])


def test_a_statement_line_tells_its_transaction(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    block = chain.block(chain.bulk([(BANK_OWN, WALLET_1, 5), (BANK_OWN, WALLET_2, 7)]))
    new_follower().catch_up()
    (line,) = views.statement(WALLET_2).value.lines
    signed = chain.recorded[-1][0].signed
    assert line == StatementLine(
        number=1,
        side=Side.CREDIT,
        amount=7,
        balance=7,
        counterparty=BANK_OWN,
        label="L1",
        sequence=block.first_sequence + 1,
        line=1,
        height=block.height,
        time_us=line.time_us,
        business_date=line.business_date,
        kind="bulk_transfer",
        participant=BANK,
        reference=signed.transaction.reference,
        transaction_id=signed.transaction_id,
    )
    assert (line.time_us, line.business_date) == (block.time_us, "2024-12-24")


def test_an_entry_of_many_legs_has_no_counterparty(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    legs = ((BANK_OWN, 9, Side.DEBIT), (WALLET_1, 4, Side.CREDIT), (WALLET_2, 5, Side.CREDIT))
    postings = tuple(Posting(account=account, asset=TENGE, amount=amount, side=side) for account, amount, side in legs)
    chain.block(chain.signed("journal_entry", transfers.JournalEntry(postings=postings), by="bank-a"))
    new_follower().catch_up()
    (line,) = views.statement(WALLET_1).value.lines
    assert (line.amount, line.counterparty, line.label) == (4, None, None)


def test_an_account_without_lines_has_an_empty_statement(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    new_follower().catch_up()
    for is_oldest_first in (False, True):
        page = views.statement(WALLET_1, is_oldest_first=is_oldest_first).value
        assert page == Statement(account=WALLET_1, balance=0, line_count=0, lines=())


def test_the_page_after_the_last_line_is_empty(
    chain: Chain, new_follower: NewFollower, views: ViewReader, views_url: str
) -> None:
    chain.pilot()
    new_follower().catch_up()
    for account in (CONTRA_ACCOUNT, BANK_OWN):
        for is_oldest_first in (False, True):
            page = views.statement(account, cursor=1, is_oldest_first=is_oldest_first).value
            assert (page.lines, page.next_cursor) == ((), None)


def test_a_cursor_beyond_the_lines_of_an_account_is_refused(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    new_follower().catch_up()
    for account, cursor in ((WALLET_1, 1), (BANK_OWN, 0), (BANK_OWN, 2), (BANK_OWN, 99)):
        with pytest.raises(UnknownCursor, match=f"expected a cursor of account {account}, got {cursor}"):
            views.statement(account, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_limit_out_of_bounds_is_refused(
    chain: Chain, new_follower: NewFollower, views: ViewReader, limit: int
) -> None:
    new_follower().catch_up()
    with pytest.raises(ValueError, match="expected a limit from 1 to 1000"):
        views.statement(BANK_OWN, limit=limit)


def test_a_page_reads_only_its_own_lines(
    chain: Chain, new_follower: NewFollower, views: ViewReader, views_url: str
) -> None:
    chain.pilot()
    blocks = [chain.block(chain.bulk([(BANK_OWN, WALLET_1, 1)] * 300)) for _ in range(3)]
    new_follower().catch_up()
    newest = views.statement(WALLET_1, limit=10)
    middle = views.statement(WALLET_1, cursor=newest.value.next_cursor, limit=10)
    tenth = views.statement(WALLET_1, limit=10, is_oldest_first=True)
    oldest = views.statement(WALLET_1, cursor=tenth.value.next_cursor, limit=10, is_oldest_first=True)
    # All else can be gone: nothing but the page, the rest of its links, and the way from the next anchor is read.
    engine = write_engine(views_url)
    number, first = ACCOUNT_LINKS.c.number, ENTRY_RUNS.c.sequence
    page_or_anchor = number.between(11, LINES_PER_ANCHOR + LINES_PER_LINK) | (number > 880)
    run_of_page = first.between(blocks[0].first_sequence, blocks[0].first_sequence + 20) | (
        first > blocks[2].first_sequence + 240
    )
    with engine.begin() as connection:
        connection.execute(delete(ACCOUNT_LINKS).where(~page_or_anchor))
        connection.execute(delete(ENTRY_RUNS).where(~run_of_page))
        for table in (TRANSACTIONS, BLOCKS):
            connection.execute(delete(table).where(table.c.height.not_in((blocks[0].height, blocks[2].height))))
    engine.dispose()
    assert views.statement(WALLET_1, limit=10) == newest
    assert views.statement(WALLET_1, cursor=newest.value.next_cursor, limit=10) == middle
    cursor = tenth.value.next_cursor
    assert views.statement(WALLET_1, cursor=cursor, limit=10, is_oldest_first=True) == oldest
    assert [line.number for line in oldest.value.lines] == list(range(11, 21))


def test_a_page_costs_the_same_however_long_the_statement(
    chain: Chain, new_follower: NewFollower, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'counted.db'}"
    follower = Follower(chain.reader(), chain.replay(), database_url=url, snapshots=tmp_path / "no-snapshots")
    views = ViewReader(url)
    chain.pilot()

    def costs() -> list[int]:
        """Steps of SQLite's virtual machine for a page at the end, before it, in the middle, at the start."""
        line_count = views.statement(WALLET_1, limit=1).value.line_count
        pages = [(None, False), (line_count - 20, False), (line_count // 2, False), (line_count // 2, True), (1, True)]
        steps = []
        for cursor, is_oldest_first in pages:
            counter.steps = 0
            views.statement(WALLET_1, cursor=cursor, limit=40, is_oldest_first=is_oldest_first)
            steps.append(counter.steps)
        return steps

    counter = StepCounter(views)
    growing = []
    for payments in (320, 2 * LINES_PER_ANCHOR, 10 * LINES_PER_ANCHOR):
        chain.block(chain.bulk([(BANK_OWN, WALLET_1, 1), (BANK_OWN, WALLET_2, 1)] * payments))
        follower.catch_up()
        growing.append(costs())
    assert min(growing[0]) > 40
    # The way from an anchor differs by its links, at most fifteen of them.
    for short, long in zip(growing[0], growing[2], strict=True):
        assert long < 1.5 * short, growing
    views.close()
    follower.close()


class StepCounter:
    """Counts the steps of SQLite's virtual machine on every connection of a reader."""

    def __init__(self, views: ViewReader) -> None:
        self.steps = 0

        @event.listens_for(views._engine, "connect")
        def _count(connection: sqlite3.Connection, _record: object) -> None:
            connection.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self.steps += 1
        return 0


def test_entries_of_every_form_stand_in_one_statement(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    """More lines than a link, of payments, bulks with refused lines, and entries of many legs."""
    chain.pilot()
    for _ in range(7):
        legs = ((BANK_OWN, 9, Side.DEBIT), (WALLET_1, 4, Side.CREDIT), (WALLET_2, 5, Side.CREDIT))
        entry = transfers.JournalEntry(
            postings=tuple(
                Posting(account=account, asset=TENGE, amount=amount, side=side) for account, amount, side in legs
            )
        )
        lines = [(WALLET_1, WALLET_2, 1), (WALLET_1, BANK_OWN, 10**9), (WALLET_2, WALLET_1, 2)]
        chain.block(
            chain.pay(BANK_OWN, WALLET_1, 3),
            chain.signed("journal_entry", entry, by="bank-a"),
            chain.bulk(lines),
            chain.pay(WALLET_1, BANK_OWN, 10**9),
        )
    new_follower().catch_up()
    expected = fold(chain)
    for account in (BANK_OWN, WALLET_1, WALLET_2):
        assert [
            as_naive(account, line) for line in all_pages(views, account, limit=5, is_oldest_first=True)
        ] == expected[account]
    labels = [line.label for line in all_pages(views, WALLET_1, limit=100, is_oldest_first=True)]
    assert labels == [None, None, "L0", "L2"] * 7
