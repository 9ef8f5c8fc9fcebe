"""The books that tests of rules start from."""

import pytest

from ledger.model.participants import Role
from ledger.rules.core import CORE_MODULES
from ledger.rules.module import AccountClass, RuleModule
from ledger.rules.rulebook import Rulebook
from tests.book import Book, pilot_book

VAULT = RuleModule(
    name="vault",
    meaning="A class that only exchanges open.",
    classes=(AccountClass("vault", frozenset({Role.EXCHANGE}), "Money of the clients of an exchange."),),
)


@pytest.fixture
def book() -> Book:
    """Two banks, an own account and two wallets each; bank-a holds 1,000,000.00 tenge."""
    return pilot_book()


@pytest.fixture
def book_with_vault() -> Book:
    """The same, with a class of accounts that banks may not open."""
    return pilot_book(Rulebook(1, (*CORE_MODULES, VAULT)))
