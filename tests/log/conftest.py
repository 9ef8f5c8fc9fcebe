"""What tests of the log start from: databases, a gate before the store, blocks in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.model.participants import Role
from tests.log.node import A_ONE, A_OWN, populate
from tests.log.receipt_cases import Case, make_cases
from tests.log.scribe import Scribe
from tests.log.stage import Gate


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_database_url")
    return url


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an empty SQLite database, where the kind of database makes no difference."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open when the test ends, so that nobody waits for it."""
    made = Gate()
    yield made
    made.open()


@pytest.fixture(scope="package")
def small() -> Scribe:
    """A bank admitted, its account opened, money issued, a payment refused, a day closed. Not to be changed."""
    scribe = Scribe()
    scribe.admit("bank-a", Role.INTERMEDIARY, "601")
    scribe.open_account("bank-a", A_OWN, account_class="own")
    scribe.issue("bank-a", A_OWN, 1_000)
    assert scribe.pay("bank-a", A_OWN, A_ONE, 1) == "credit_account_not_found"
    scribe.close_day("2024-12-25")
    return scribe


@pytest.fixture
def pilot() -> Scribe:
    """Two banks with accounts and money, in blocks of one transaction each."""
    scribe = Scribe()
    populate(scribe)
    return scribe


@pytest.fixture(scope="package")
def scribe() -> Scribe:
    """The blocks whose receipts are looked at. Not to be changed."""
    made = Scribe()
    populate(made)
    return made


@pytest.fixture(scope="package")
def cases(scribe: Scribe) -> dict[str, Case]:
    """One receipt of each sort."""
    return make_cases(scribe)
