"""The business date, the trial balance, the version of the rules."""

import pytest

from ledger.crypto import canonical, digest
from ledger.genesis import GenesisAsset
from ledger.model.accounts import CONTRA, iban
from ledger.model.outcome import Accepted
from ledger.rules.day_close import TRIAL_BALANCE_BYTES_MAX, DayClose, RulebookSet, trial_balance
from ledger.rules.tables import ledger_of
from ledger.units import BUSINESS_DATE_MAX, AssetId, BusinessDate, ParticipantId
from tests.book import Book, genesis_document, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay


def close(book: Book, closes: str, opens: str) -> str:
    return book.end("day_close", DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens)), by="operator")


def faulty_close(book: Book, *faulty: str) -> str:
    opens = "2024-12-25"
    if "business_date_too_far" in faulty:
        opens = "2025-01-25"
    if "business_date_not_later" in faulty:
        opens = "2024-12-20"
    if "business_date_invalid" in faulty:
        opens = "2024-11-31"
    return close(book, "2024-12-23" if "business_date_differs" in faulty else "2024-12-24", opens)


@pytest.mark.parametrize(
    "faulty",
    faults(("business_date_differs", "business_date_invalid", "business_date_not_later", "business_date_too_far")),
    ids="+".join,
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


def test_the_business_date_moves_by_a_month_at_most(book: Book) -> None:
    assert close(book, "2024-12-24", "2025-01-24") == "accepted"


@answers("day_close", "business_date_too_far")
def test_a_business_date_far_ahead_is_not_opened(book: Book) -> str:
    return close(book, "2024-12-24", "2025-01-25")


def test_on_the_last_business_date_changes_still_have_a_next_day() -> None:
    book = Book(document=genesis_document().replace(b"2024-12-24", BUSINESS_DATE_MAX.encode()))
    assert book.end("rulebook_set", RulebookSet(version=2), by="central-bank") == "accepted"
    assert ledger_of(book.state).following_rulebook_from == "2255-06-06"


def test_a_trial_balance_too_long_for_a_leaf_is_recorded_by_its_digest() -> None:
    coins = tuple(
        GenesisAsset(
            asset=AssetId(f"C{number}"),
            scale=8,
            contra=iban("125", f"COIN{number:09d}"),
            issuer=ParticipantId("central-bank"),
            issuance_kinds=("issue",),
            cap_per_day=0,
        )
        for number in range(1_000, 2_000)
    )
    book = Book(document=genesis_document(assets=coins))
    outcome = book.close_day("2024-12-25")
    assert isinstance(outcome, Accepted)
    balance = canonical.encode(trial_balance(book.state))
    assert len(balance) > TRIAL_BALANCE_BYTES_MAX
    assert outcome.record is not None
    assert outcome.record["trial_balance_digest"] == canonical.b64url(digest.tagged("trial-balance", balance))


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
