"""What must always hold: a state that was tampered with is found out."""

import pytest

from ledger.rules.invariants import InvariantBroken, check_balance, check_block, check_conservation
from ledger.rules.tables import ASSETS, BALANCES
from ledger.state import Overlay
from ledger.units import BALANCE_MAX
from tests.book import CONTRA_ACCOUNT, Book, own_account, wallet

RICH = own_account("601")


def test_every_state_of_a_book_conserves_its_money(book: Book) -> None:
    check_conservation(book.state)


@pytest.mark.parametrize("amount", [1, 99_999_999, 100_000_001])
def test_money_that_appears_or_vanishes_is_found(book: Book, amount: int) -> None:
    overlay = Overlay(book.state)
    overlay.put(BALANCES, RICH, amount)
    with pytest.raises(InvariantBroken, match=rf"asset KZT: 100000000 issued .* {amount} held"):
        check_conservation(overlay)
    with pytest.raises(InvariantBroken, match="one block created"):
        check_block(book.state, overlay)


def test_an_asset_without_accounts_holds_nothing(book: Book) -> None:
    overlay = Overlay(book.state)
    tenge = book.state.get(ASSETS, "KZT")
    assert tenge is not None
    overlay.put(ASSETS, "BTC:aix-one", tenge)
    check_conservation(overlay)


def test_a_block_that_only_moves_money_passes(book: Book) -> None:
    overlay = Overlay(book.state)
    overlay.put(BALANCES, RICH, 99_999_990)
    overlay.put(BALANCES, wallet("601", 1), 10)
    check_block(book.state, overlay)


def test_a_block_that_issues_passes(book: Book) -> None:
    overlay = Overlay(book.state)
    overlay.put(BALANCES, RICH, 100_000_010)
    overlay.put(BALANCES, CONTRA_ACCOUNT, 100_000_010)
    check_block(book.state, overlay)


@pytest.mark.parametrize("balance", [-1, BALANCE_MAX + 1])
def test_a_block_that_sets_a_balance_out_of_bounds_is_found(book: Book, balance: int) -> None:
    overlay = Overlay(book.state)
    overlay.put(BALANCES, wallet("601", 1), 5)
    overlay.put(BALANCES, RICH, balance)
    with pytest.raises(InvariantBroken, match=f"{RICH} holds {balance}"):
        check_block(book.state, overlay)


@pytest.mark.parametrize("balance", [-1, BALANCE_MAX + 1])
def test_a_balance_out_of_bounds_is_found(balance: int) -> None:
    with pytest.raises(InvariantBroken, match=f"{RICH} holds {balance}"):
        check_balance(RICH, balance)


@pytest.mark.parametrize("balance", [0, BALANCE_MAX])
def test_a_balance_at_its_bounds_holds(balance: int) -> None:
    check_balance(RICH, balance)
