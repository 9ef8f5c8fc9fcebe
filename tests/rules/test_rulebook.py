"""`decide` as a whole: references, replays, the order of things, and that nothing is answered undeclared."""

import pytest

from ledger.model.outcome import Accepted, Duplicate, Inadmissible, Refused
from ledger.rules.admissible import REFERENCE_AGE_MAX_US
from ledger.rules.core import CORE_MODULES
from ledger.rules.module import RuleModule
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ACCOUNTS
from ledger.state import Overlay, Table
from ledger.units import TimestampUs
from tests.book import CORE_RULEBOOK, Book, key_of, own_account, wallet
from tests.rules.answers import answers
from tests.rules.bodies import bulk, pay
from tests.rules.escrow import ESCROW_RULEBOOK
from tests.rules.test_admission import suspend

RICH = own_account("601")
PAYEE = wallet("602", 1)


def test_a_duplicate_gets_the_place_of_the_first_outcome(book: Book) -> None:
    raw = book.signed("transfer", pay(RICH, PAYEE, 5), by="bank-a")
    assert isinstance(book.decide(raw), Accepted)
    first = book.height
    assert book.decide(raw) == Duplicate(first, 0)
    assert book.decide(raw) == Duplicate(first, 0)
    assert book.balance(PAYEE) == 5


def test_a_refusal_is_final(book: Book) -> None:
    raw = book.signed("transfer", pay(PAYEE, RICH, 5), by="bank-b")
    assert isinstance(book.decide(raw), Refused)
    first = book.height
    book.pay("bank-a", RICH, PAYEE, 5)
    assert book.decide(raw) == Duplicate(first, 0)


def test_a_duplicate_under_other_signatures_gets_the_first_outcome(book: Book) -> None:
    transaction = book.transaction("transfer", pay(RICH, PAYEE, 5), by="bank-a")
    assert book.attempt(book.sign(transaction, [key_of("bank-a-1")])) == "accepted"
    assert book.attempt(book.sign(transaction, [key_of("bank-a-2")])) == "duplicate"
    assert book.attempt(book.sign(transaction, [key_of("bank-a-2"), key_of("bank-a-1")])) == "duplicate"


def test_a_duplicate_is_answered_though_its_key_was_revoked_and_its_sender_suspended(book: Book) -> None:
    raw = book.signed("transfer", pay(RICH, PAYEE, 5), by="bank-a", expires=TimestampUs(book.time_us + 2_000_000))
    assert book.attempt(raw) == "accepted"
    book.revoke("bank-a", "bank-a-1")
    suspend(book, "bank-a")
    book.close_day("2024-12-25")
    assert book.attempt(raw) == "duplicate"


def test_a_duplicate_is_answered_as_long_as_its_reference_is_remembered(book: Book) -> None:
    raw = book.signed("transfer", pay(RICH, PAYEE, 5), by="bank-a")
    assert book.attempt(raw) == "accepted"
    book.time_us += REFERENCE_AGE_MAX_US
    assert book.attempt(raw) == "duplicate"


def test_a_forgotten_reference_is_too_old_to_be_decided_again(book: Book) -> None:
    raw = book.signed("transfer", pay(RICH, PAYEE, 5), by="bank-a")
    assert book.attempt(raw) == "accepted"
    book.time_us += 40 * 3_600_000_000
    assert book.pay("bank-a", RICH, PAYEE, 1) == "accepted"
    assert book.attempt(raw) == "reference_expired"
    assert book.balance(PAYEE) == 6


@answers("transfer", "reference_reused")
def test_one_reference_is_one_payload(book: Book) -> str:
    reference = book.reference()
    assert book.end("transfer", pay(RICH, PAYEE, 5), by="bank-a", reference=reference) == "accepted"
    return book.end("transfer", pay(RICH, PAYEE, 6), by="bank-a", reference=reference)


def test_a_reused_reference_is_a_problem_that_names_it(book: Book) -> None:
    reference = book.reference()
    book.submit("transfer", pay(RICH, PAYEE, 5), by="bank-a", reference=reference)
    outcome = book.submit("transfer", pay(RICH, PAYEE, 5), by="bank-a", reference=reference, expires=TimestampUs(1))
    assert isinstance(outcome, Inadmissible)
    assert reference in outcome.detail


def test_two_participants_may_use_the_same_reference(book: Book) -> None:
    reference = book.reference()
    assert book.end("transfer", pay(RICH, PAYEE, 5), by="bank-a", reference=reference) == "accepted"
    assert book.end("transfer", pay(PAYEE, RICH, 5), by="bank-b", reference=reference) == "accepted"


def test_transactions_of_one_block_see_each_other(book: Book) -> None:
    raws = [
        book.signed("transfer", pay(RICH, PAYEE, 5), by="bank-a"),
        book.signed("transfer", pay(PAYEE, wallet("602", 2), 5), by="bank-b"),
        book.signed("transfer", pay(PAYEE, wallet("602", 2), 1), by="bank-b"),
    ]
    overlay = Overlay(book.state)
    time_us = TimestampUs(book.time_us + 1)
    outcomes = [
        CORE_RULEBOOK.decide(overlay, book.open(raw), time_us, height=9, index=index)
        for index, raw in enumerate([*raws, raws[0]])
    ]
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Refused, Duplicate]
    assert outcomes[3] == Duplicate(9, 0)
    assert book.balance(RICH) == 100_000_000, "nothing moves before the block is taken in"


def test_equal_states_and_transactions_give_equal_answers_and_states(book: Book) -> None:
    raw = book.signed("bulk_transfer", bulk((RICH, PAYEE, 5), (PAYEE, RICH, 1), is_atomic=False), by="bank-a")
    digests = set()
    outcomes = []
    for _ in range(2):
        other = Book(document=book.document)
        other.state = type(book.state).load(CORE_RULEBOOK.tables, book.state.dump())
        other.time_us, other.height = book.time_us, book.height
        outcomes.append(other.decide(raw))
        digests.add(other.state.digest())
    assert outcomes[0] == outcomes[1]
    assert len(digests) == 1


def test_a_rulebook_refuses_two_kinds_of_one_name() -> None:
    with pytest.raises(AssertionError, match="its own name"):
        Rulebook(1, (*CORE_MODULES, CORE_MODULES[0]))


def test_a_rulebook_refuses_two_tables_of_one_name() -> None:
    module = RuleModule(name="other", meaning="Another table of a name.", tables=(Table[int]("accounts", int),))
    with pytest.raises(AssertionError, match="its own name"):
        Rulebook(1, (*CORE_MODULES, module)).empty_state()


def test_codes_of_guards_come_last() -> None:
    codes = [code.code for code in ESCROW_RULEBOOK.refusals(ESCROW_RULEBOOK.kinds["transfer"])]
    assert codes[0] == "accounts_must_differ"
    assert codes[-2:] == ["balance_too_large", "unlucky_number"]


def test_one_code_has_one_meaning() -> None:
    named = [code for kind in ESCROW_RULEBOOK.kinds.values() for code in ESCROW_RULEBOOK.refusals(kind)]
    assert all(ESCROW_RULEBOOK.refusal_codes()[code.code] is code for code in named)


def test_the_state_of_a_rulebook_has_all_tables_and_no_rows() -> None:
    assert CORE_RULEBOOK.empty_state().count(ACCOUNTS) == 0
