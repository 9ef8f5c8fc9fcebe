"""Tables, the overlay of a block, and the state as bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.tables import ACCOUNTS, BALANCES, CORE_TABLES, KEYS
from ledger.seen import Seen
from ledger.state import Overlay, State, Table
from ledger.units import TimestampUs
from tests.book import CORE_RULEBOOK, Book, own_account, pilot_book, wallet
from tests.rules.bodies import pay

NUMBERS = Table[int]("numbers", int)
WORDS = Table[str]("words", str)
PARITIES = Table[int]("parities", int, group=lambda number: None if number == 0 else ("even", "odd")[number % 2])
"""Numbers by parity; nought belongs to neither."""
HOUR_US = 3_600_000_000
KEY = b"k" * 16
FIRST = Seen(b"t" * 16, 1, 2)

ROWS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9))


def state_of(rows: dict[str, int]) -> State:
    state = State([NUMBERS, WORDS])
    overlay = Overlay(state)
    for key, value in rows.items():
        overlay.put(NUMBERS, key, value)
    state.advance(overlay, TimestampUs(0))
    return state


@given(base=ROWS, lower=ROWS, upper=ROWS)
def test_stacked_overlays_read_as_the_dicts_they_stand_for(
    base: dict[str, int], lower: dict[str, int], upper: dict[str, int]
) -> None:
    state = state_of(base)
    block = Overlay(state)
    bulk = Overlay(block)
    for key, value in lower.items():
        block.put(NUMBERS, key, value)
    for key, value in upper.items():
        bulk.put(NUMBERS, key, value)
    assert dict(bulk.items(NUMBERS)) == base | lower | upper
    assert dict(block.items(NUMBERS)) == base | lower
    assert dict(state.items(NUMBERS)) == base
    assert [bulk.get(NUMBERS, key) for key in "abcdefg"] == [(base | lower | upper).get(key) for key in "abcdefg"]
    block.absorb(bulk)
    state.advance(block, TimestampUs(0))
    assert dict(state.items(NUMBERS)) == base | lower | upper
    assert state.count(NUMBERS) == len(base | lower | upper)
    assert state.digest() == state_of(base | lower | upper).digest()


@given(base=ROWS, lower=ROWS, upper=ROWS)
def test_a_group_has_the_rows_that_belong_to_it_and_no_others(
    base: dict[str, int], lower: dict[str, int], upper: dict[str, int]
) -> None:
    state = State([PARITIES])
    for rows in (base, lower):
        overlay = Overlay(state)
        overlay.put_many(PARITIES, rows)
        state.advance(overlay, TimestampUs(0))
    block = Overlay(state)
    block.put_many(PARITIES, upper)
    for view, rows in ((state, base | lower), (block, base | lower | upper)):
        for name, parity in (("even", 0), ("odd", 1)):
            expected = {key: number for key, number in rows.items() if number and number % 2 == parity}
            assert sorted(view.group(PARITIES, name)) == sorted(expected.items())
        assert not list(view.group(PARITIES, "neither"))
    bulk = Overlay(block)
    bulk.put_many(PARITIES, lower)
    block.absorb(bulk)
    for name, parity in (("even", 0), ("odd", 1)):
        rows = base | lower | upper | lower
        expected = {key: number for key, number in rows.items() if number and number % 2 == parity}
        assert sorted(bulk.group(PARITIES, name)) == sorted(block.group(PARITIES, name)) == sorted(expected.items())
    again = State.load([PARITIES], state.dump())
    for name in ("even", "odd"):
        assert sorted(again.group(PARITIES, name)) == sorted(state.group(PARITIES, name))


def test_a_row_moves_from_group_to_group() -> None:
    state = State([PARITIES])
    seen = []
    for number in (0, 1, 2, 2, 0):
        overlay = Overlay(state)
        overlay.put(PARITIES, "a", number)
        seen.append((list(overlay.group(PARITIES, "odd")), list(overlay.group(PARITIES, "even"))))
        state.advance(overlay, TimestampUs(0))
        assert seen[-1] == (list(state.group(PARITIES, "odd")), list(state.group(PARITIES, "even")))
    assert seen == [([], []), ([("a", 1)], []), ([], [("a", 2)]), ([], [("a", 2)]), ([], [])]


def test_a_row_changed_in_a_block_is_read_once_and_as_changed() -> None:
    block = Overlay(state_of({"a": 1, "b": 2}))
    block.put(NUMBERS, "a", 3)

    assert sorted(block.items(NUMBERS)) == [("a", 3), ("b", 2)]


def test_references_of_a_block_are_seen_in_it_and_after_it() -> None:
    state = state_of({})
    block = Overlay(state)
    bulk = Overlay(block)
    bulk.mark_seen(KEY, TimestampUs(HOUR_US), FIRST)
    assert block.seen(KEY, TimestampUs(HOUR_US)) is None
    block.absorb(bulk)
    assert block.seen(KEY, TimestampUs(HOUR_US)) == FIRST
    assert state.seen(KEY, TimestampUs(HOUR_US)) is None
    state.advance(block, TimestampUs(HOUR_US))
    assert state.seen(KEY, TimestampUs(HOUR_US)) == FIRST
    assert Overlay(state).seen(KEY, TimestampUs(HOUR_US)) == FIRST


def test_advancing_forgets_old_references() -> None:
    state = state_of({})
    block = Overlay(state)
    block.mark_seen(KEY, TimestampUs(HOUR_US), FIRST)
    state.advance(block, TimestampUs(HOUR_US))
    state.advance(Overlay(state), TimestampUs(32 * HOUR_US))
    assert state.seen(KEY, TimestampUs(HOUR_US)) is None


@pytest.fixture
def book() -> Book:
    """A pilot book with some payments, a bound wallet and a frozen one."""
    book = pilot_book()
    book.open_account("bank-a", wallet("601", 7), holder="holder-7", holder_key="holder")
    book.pay("bank-a", own_account("601"), wallet("602", 1), 5)
    book.close_day("2024-12-25")
    book.time_us += HOUR_US
    book.pay("bank-a", own_account("601"), wallet("601", 7), 7)
    return book


def test_a_state_reads_back_from_its_dump(book: Book) -> None:
    read = State.load(CORE_TABLES, book.state.dump())
    tables: tuple[Table[Any], ...] = CORE_TABLES
    for table in tables:
        assert dict(read.items(table)) == dict(book.state.items(table))
    assert read.digest() == book.state.digest()
    assert read.dump() == book.state.dump()


def test_a_state_that_was_read_back_goes_on_as_the_first(book: Book) -> None:
    other = Book(document=book.document)
    other.state, other.time_us, other.height = State.load(CORE_TABLES, book.state.dump()), book.time_us, book.height
    raw = book.signed("transfer", pay(own_account("601"), wallet("602", 2), 9), by="bank-a")
    assert other.decide(raw) == book.decide(raw)
    assert other.decide(raw) == book.decide(raw), "and knows the reference"
    assert other.state.digest() == book.state.digest()


def test_read_accounts_share_their_texts(book: Book) -> None:
    read = State.load(CORE_TABLES, book.state.dump())
    owners = {id(account.owner) for _, account in read.items(ACCOUNTS)}
    assert len(owners) == len({account.owner for _, account in read.items(ACCOUNTS)})


def test_parts_of_other_tables_are_refused(book: Book) -> None:
    with pytest.raises(ValueError, match=r"expected the tables \['numbers', 'words'\], got \['accounts'"):
        State.load([NUMBERS, WORDS], book.state.dump())


@pytest.mark.parametrize("table", [BALANCES, ACCOUNTS, KEYS], ids=lambda table: table.name)
def test_a_changed_row_changes_the_digest(book: Book, table: Table[object]) -> None:
    before = book.state.digest()
    overlay = Overlay(book.state)
    rows = list(book.state.items(table))
    (key, _), (_, other) = rows[0], next(row for row in rows if row[1] != rows[0][1])
    overlay.put(table, key, other)
    book.state.advance(overlay, TimestampUs(book.time_us))
    assert book.state.digest() != before


def test_a_remembered_reference_changes_the_digest(book: Book) -> None:
    before = book.state.digest()
    overlay = Overlay(book.state)
    overlay.mark_seen(KEY, TimestampUs(book.time_us), FIRST)
    book.state.advance(overlay, TimestampUs(book.time_us))
    assert book.state.digest() != before


def test_equal_histories_give_equal_digests() -> None:
    assert pilot_book().state.digest() == pilot_book().state.digest()


def test_rows_do_not_wander_between_tables() -> None:
    state, other = State([NUMBERS, WORDS]), State([NUMBERS, WORDS])
    overlay = Overlay(state)
    overlay.put(WORDS, "a", "b")
    state.advance(overlay, TimestampUs(0))
    assert state.digest() != other.digest()


def test_a_table_shows_its_name() -> None:
    assert repr(NUMBERS) == "Table('numbers')"
    assert len({table.name for table in CORE_RULEBOOK.tables}) == len(CORE_RULEBOOK.tables)
