"""Published statements: a chain of versions, which anybody can compute again."""

from typing import Any

import pytest

from ledger.model.outcome import Outcome
from ledger.units import BusinessDate, ParticipantId
from settlement.model.claims import Verdict
from settlement.quota import StatementVersion, restated
from settlement.rules.quota_statements import QuotaStatementPublish, statement_key
from settlement.rules.tables import PUBLISHED_STATEMENTS
from settlement.views.statements import quota_statement
from tests.book import Book, refused_with
from tests.settlement.market import BTC, accepted, commitment, market, report, row, settle
from tests.settlement.quota_cases import MINER
from tests.settlement.test_claims import decide

AS_OF = BusinessDate("2024-12-27")


@pytest.fixture
def book() -> Book:
    made = market()
    accepted(report(made, row(1)))
    accepted(settle(made, trade="T-1"))
    return made


def publish(book: Book, made: StatementVersion, **members: Any) -> Outcome:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "as_of": AS_OF,
        "version": made.version,
        "statement": made.digest,
        "inputs": made.statement.inputs,
        "previous": made.previous,
    } | members
    return book.submit("quota_statement_publish", QuotaStatementPublish(**whole), by="ministry")


def computed(book: Book, previous: StatementVersion | None = None) -> StatementVersion:
    return restated(previous, quota_statement(book.state, MINER, "BTC", as_of=AS_OF))


def test_a_restated_statement_is_published_as_the_next_version(book: Book) -> None:
    first = computed(book)
    accepted(publish(book, first))
    accepted(decide(book, Verdict.DISQUALIFY))
    second = computed(book, first)
    assert (second.version, second.previous) == (2, first.digest)
    assert second.statement.counted == first.statement.counted - BTC // 100
    accepted(publish(book, second))

    published = book.state.get(PUBLISHED_STATEMENTS, statement_key(MINER, "BTC", AS_OF))
    assert published is not None
    assert (published.version, published.statement, published.inputs) == (2, second.digest, second.statement.inputs)


def test_no_version_is_left_out_or_put_in_between(book: Book) -> None:
    first = computed(book)
    assert refused_with(publish(book, first, version=2)) == "statement_out_of_order"
    assert refused_with(publish(book, first, previous=commitment("none"))) == "statement_out_of_order"
    accepted(publish(book, first))
    assert refused_with(publish(book, first)) == "statement_out_of_order"
    assert refused_with(publish(book, first, version=2)) == "statement_out_of_order"
    assert refused_with(publish(book, first, version=2, previous=commitment("other"))) == "statement_out_of_order"
    accepted(publish(book, first, version=2, previous=first.digest))


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"miner": ParticipantId("miner-two")}, "miner_unknown"),
        ({"coin": "LTC"}, "coin_unknown"),
        ({"as_of": BusinessDate("2024-02-30")}, "statement_date_invalid"),
        ({"as_of": BusinessDate("2024-12-28")}, "statement_date_invalid"),
    ],
)
def test_a_statement_is_of_a_known_miner_and_coin_and_of_no_later_day(
    book: Book, members: dict[str, Any], code: str
) -> None:
    assert refused_with(publish(book, computed(book), **members)) == code
