"""Statements are what anyone would fold from the journal, page by page."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import delete

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
from ledger.views.schema import LINES_PER_ANCHOR, STATEMENT_LINES
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
    # Lines 1 of the contra account and of the bank's own are rows 1 and 2, in the order of the postings.
    for account, row in ((CONTRA_ACCOUNT, 1), (BANK_OWN, 2)):
        for is_oldest_first in (False, True):
            page = views.statement(account, cursor=row, is_oldest_first=is_oldest_first).value
            assert (page.lines, page.next_cursor) == ((), None)


def test_a_cursor_of_another_account_is_refused(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    new_follower().catch_up()
    for account, cursor in ((WALLET_1, 1), (BANK_OWN, 1), (BANK_OWN, 99)):
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
    for _ in range(3):
        chain.block(chain.bulk([(BANK_OWN, WALLET_1, 1)] * 300))
    new_follower().catch_up()
    newest = views.statement(WALLET_1, limit=10)
    middle = views.statement(WALLET_1, cursor=newest.value.next_cursor, limit=10)
    tenth = views.statement(WALLET_1, limit=10, is_oldest_first=True)
    oldest = views.statement(WALLET_1, cursor=tenth.value.next_cursor, limit=10, is_oldest_first=True)
    # All other lines can be gone: nothing but the page, its cursor, and the way from the next anchor is read.
    engine = write_engine(views_url)
    line = STATEMENT_LINES.c
    with engine.begin() as connection:
        connection.execute(delete(STATEMENT_LINES).where(line.account != WALLET_1))
        connection.execute(delete(STATEMENT_LINES).where(line.number > LINES_PER_ANCHOR, line.number < 881))
        connection.execute(delete(STATEMENT_LINES).where(line.number < 10))
    engine.dispose()
    assert views.statement(WALLET_1, limit=10) == newest
    assert views.statement(WALLET_1, cursor=newest.value.next_cursor, limit=10) == middle
    cursor = tenth.value.next_cursor
    assert views.statement(WALLET_1, cursor=cursor, limit=10, is_oldest_first=True) == oldest
    assert [line.number for line in oldest.value.lines] == list(range(11, 21))
