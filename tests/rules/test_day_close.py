"""The business date, the trial balance, the version of the rules."""

import pytest

from ledger.model.accounts import CONTRA
from ledger.model.outcome import Accepted
from ledger.rules.day_close import DayClose, RulebookSet
from ledger.rules.tables import ledger_of
from ledger.units import BUSINESS_DATE_MAX, BusinessDate
from tests.book import Book, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay


def close(book: Book, closes: str, opens: str) -> str:
    return book.end("day_close", DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens)), by="operator")


def faulty_close(book: Book, *faulty: str) -> str:
    opens = "2024-12-25"
    if "business_date_not_later" in faulty:
        opens = "2024-12-20"
    if "business_date_invalid" in faulty:
        opens = "2024-11-31"
    return close(book, "2024-12-23" if "business_date_differs" in faulty else "2024-12-24", opens)


@pytest.mark.parametrize(
    "faulty", faults(("business_date_differs", "business_date_invalid", "business_date_not_later")), ids="+".join
)
def test_of_several_faults_of_a_close_the_first_in_order_is_answered(book: Book, faulty: tuple[str, ...]) -> None:
    assert faulty_close(book, *faulty) == faulty[0]


@answers("day_close", "business_date_differs")
def test_only_the_business_date_is_closed(book: Book) -> str:
    return faulty_close(book, "business_date_differs")


@pytest.mark.parametrize("opens", ["2025-02-29", "0000-01-01", "2255-06-06", "9999-12-31"])
@answers("day_close", "business_date_invalid")
def test_a_date_the_ledger_cannot_count_is_not_opened(book: Book, opens: str) -> str:
    return close(book, "2024-12-24", opens)


@pytest.mark.parametrize("opens", ["2024-12-24", "2024-12-23"])
@answers("day_close", "business_date_not_later")
def test_a_business_date_never_repeats(book: Book, opens: str) -> str:
    return close(book, "2024-12-24", opens)


def test_days_may_be_left_out(book: Book) -> None:
    assert close(book, "2024-12-24", "2024-12-28") == "accepted"
    assert ledger_of(book.state).business_date == "2024-12-28"


def test_on_the_last_business_date_changes_still_have_a_next_day(book: Book) -> None:
    assert close(book, "2024-12-24", BUSINESS_DATE_MAX) == "accepted"
    assert book.end("rulebook_set", RulebookSet(version=2), by="central-bank") == "accepted"
    assert ledger_of(book.state).following_rulebook_from == "2255-06-06"


def test_the_trial_balance_goes_on_record(book: Book) -> None:
    book.submit("transfer", pay(own_account("601"), wallet("602", 1), 2_500), by="bank-a")
    outcome = book.close_day("2024-12-25")
    assert isinstance(outcome, Accepted)
    assert outcome.record == {
        "closes": "2024-12-24",
        "opens": "2024-12-25",
        "trial_balance": {
            "KZT": {
                CONTRA: {"accounts": 1, "sum": 100_000_000},
                "own": {"accounts": 2, "sum": 99_997_500},
                "wallet": {"accounts": 4, "sum": 2_500},
            }
        },
    }


@pytest.mark.parametrize("version", [1])
@answers("rulebook_set", "rulebook_not_newer")
def test_the_version_in_force_is_not_set_again(book: Book, version: int) -> str:
    return book.end("rulebook_set", RulebookSet(version=version), by="central-bank")


def test_the_version_of_the_rules_changes_with_the_business_date(book: Book) -> None:
    assert book.end("rulebook_set", RulebookSet(version=2), by="central-bank") == "accepted"
    assert ledger_of(book.state).rulebook == 1
    book.close_day("2024-12-25")
    after = ledger_of(book.state)
    assert (after.rulebook, after.following_rulebook, after.following_rulebook_from) == (2, None, None)


def test_a_day_without_a_change_keeps_the_version(book: Book) -> None:
    book.close_day("2024-12-25")
    assert ledger_of(book.state).rulebook == 1


def test_the_last_version_set_on_a_day_is_the_next_days(book: Book) -> None:
    book.submit("rulebook_set", RulebookSet(version=3), by="central-bank")
    book.submit("rulebook_set", RulebookSet(version=2), by="central-bank")
    book.close_day("2024-12-25")
    assert ledger_of(book.state).rulebook == 2
