"""Payments: one, an entry of many legs, a bulk."""

import pytest

from ledger.model.assets import TENGE
from ledger.model.journal import Side
from ledger.model.outcome import Accepted, Refused
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.bulk import BulkTransfer, Line
from ledger.units import AMOUNT_MAX, BULK_LINES_MAX, POSTINGS_PER_ENTRY_MAX, AccountId
from tests.book import Book, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import bulk, entry, leg, pay
from tests.rules.escrow import BOUND, CLIENT, UNLUCKY, escrow_book

RICH = own_account("601")
A1, A2 = wallet("601", 1), wallet("601", 2)
B1, B2 = wallet("602", 1), wallet("602", 2)
MISSING = wallet("601", 99)


@pytest.fixture
def rich_book() -> Book:
    """The escrow book: accounts of clients, of holders, and a guard."""
    return escrow_book()


def test_a_payment_takes_from_one_wallet_and_adds_to_another(book: Book) -> None:
    assert book.pay("bank-a", RICH, B1, 100_000_000) == "accepted"
    assert (book.balance(RICH), book.balance(B1)) == (0, 100_000_000)


@answers("transfer", "accounts_must_differ")
def test_nobody_pays_itself(book: Book) -> str:
    return book.pay("bank-a", MISSING, MISSING, 5)


@pytest.mark.parametrize("amount", [0, AMOUNT_MAX + 1])
def test_an_amount_out_of_bounds_is_malformed(book: Book, amount: int) -> None:
    assert book.pay("bank-a", RICH, B1, amount) == "payload_invalid"
    assert book.end("bulk_transfer", bulk((RICH, B1, amount)), by="bank-a") == "payload_invalid"


def test_the_largest_amount_is_a_payment_that_lacks_funds(book: Book) -> None:
    assert book.pay("bank-a", RICH, B1, AMOUNT_MAX) == "insufficient_funds"


# --- holder keys --------------------------------------------------------------------------------------------


def test_a_bound_account_pays_with_its_holders_signature(rich_book: Book) -> None:
    reference = rich_book.reference()
    payment = pay(BOUND, B1, 10)
    assert rich_book.end("transfer", payment, by="bank-a", reference=reference) == "signatures_insufficient"
    signers = ("bank-a-1", "holder")
    assert rich_book.end("transfer", payment, by="bank-a", signers=signers, reference=reference) == "accepted"


def test_a_holder_signs_for_its_own_accounts_only(rich_book: Book) -> None:
    assert rich_book.end("transfer", pay(RICH, B1, 10), by="bank-a", signers=("bank-a-1", "holder")) == "key_use_wrong"


def test_a_holder_alone_pays_nothing(rich_book: Book) -> None:
    assert rich_book.end("transfer", pay(BOUND, B1, 10), by="bank-a", signers=("holder",)) == "signatures_insufficient"


# --- journal entries ----------------------------------------------------------------------------------------


def faulty_entry(book: Book, *faulty: str) -> str:
    debited = CLIENT if "client_account_needs_own_kind" in faulty else RICH
    credited = MISSING if "credit_account_not_found" in faulty else B1
    amount = 6 if "entry_unbalanced" in faulty else 5
    return book.end("journal_entry", entry((Side.DEBIT, debited, 5), (Side.CREDIT, credited, amount)), by="bank-a")


@pytest.mark.parametrize(
    "faulty",
    faults(("entry_unbalanced", "client_account_needs_own_kind", "credit_account_not_found")),
    ids="+".join,
)
def test_of_several_faults_of_an_entry_the_first_in_order_is_answered(rich_book: Book, faulty: tuple[str, ...]) -> None:
    assert faulty_entry(rich_book, *faulty) == faulty[0]


@answers("journal_entry", "entry_unbalanced")
def test_debits_equal_credits(rich_book: Book) -> str:
    return faulty_entry(rich_book, "entry_unbalanced")


@pytest.mark.parametrize("account", [CLIENT, BOUND])
@answers("journal_entry", "client_account_needs_own_kind")
def test_a_general_entry_takes_no_client_money(rich_book: Book, account: AccountId) -> str:
    return rich_book.end("journal_entry", entry((Side.DEBIT, account, 5), (Side.CREDIT, B1, 5)), by="bank-a")


def test_a_general_entry_may_credit_client_money(rich_book: Book) -> None:
    body = entry((Side.DEBIT, RICH, 10), (Side.CREDIT, CLIENT, 5), (Side.CREDIT, BOUND, 5))
    assert rich_book.end("journal_entry", body, by="bank-a") == "accepted"


def test_a_foreign_client_account_answers_as_a_missing_one(rich_book: Book) -> None:
    body = entry((Side.DEBIT, CLIENT, 5), (Side.CREDIT, B1, 5))
    assert rich_book.end("journal_entry", body, by="bank-b") == "debit_account_not_found"


@pytest.mark.parametrize(
    "legs",
    [
        ((Side.DEBIT, RICH, 7), (Side.CREDIT, RICH, 7)),
        ((Side.DEBIT, RICH, 6), (Side.DEBIT, RICH, 5), (Side.CREDIT, B1, 11)),
        ((Side.DEBIT, RICH, 11), (Side.CREDIT, B1, 6), (Side.CREDIT, B1, 5)),
    ],
)
@answers("journal_entry", "posting_account_repeated")
def test_an_account_stands_once_in_an_entry(book: Book, legs: tuple[tuple[Side, AccountId, int], ...]) -> str:
    return book.end("journal_entry", entry(*legs), by="bank-a")


def test_an_entry_takes_postings_up_to_the_limit_and_none_more(book: Book) -> None:
    many = [wallet("601", number) for number in range(1_000, 1_000 + POSTINGS_PER_ENTRY_MAX)]
    new = tuple(NewAccount(account=account, asset=TENGE, account_class="wallet") for account in many)
    assert book.end("account_open", AccountOpen(accounts=new), by="bank-a") == "accepted"

    def legs(count: int) -> str:
        credits = [(Side.CREDIT, account, 1) for account in many[: count - 1]]
        return book.end("journal_entry", entry((Side.DEBIT, RICH, count - 1), *credits), by="bank-a")

    assert legs(POSTINGS_PER_ENTRY_MAX) == "accepted"
    assert legs(POSTINGS_PER_ENTRY_MAX + 1) == "payload_invalid"
    assert book.balance(many[0]) == 1


def test_an_entry_of_one_leg_is_malformed(book: Book) -> None:
    body = type(entry())(postings=(leg(Side.DEBIT, RICH, 1),))
    assert book.end("journal_entry", body, by="bank-a") == "payload_invalid"


# --- bulk ---------------------------------------------------------------------------------------------------


def faulty_bulk(book: Book, *faulty: str, is_atomic: bool = True) -> str:
    lines = [
        (RICH, B1, 5),
        (B1, B1, 5) if "accounts_must_differ" in faulty else (RICH, B2, 5),
        (CLIENT if "client_account_needs_own_kind" in faulty else RICH, B1, 5),
        (MISSING if "debit_account_not_found" in faulty else RICH, B1, 5),
    ]
    body = bulk(*lines, is_atomic=is_atomic)
    if "label_repeated" in faulty:
        first = body.lines[0]
        again = Line(debit=first.debit, credit=first.credit, amount=1, label=first.label)
        body = BulkTransfer(asset=body.asset, is_atomic=is_atomic, lines=(*body.lines, again))
    return book.end("bulk_transfer", body, by="bank-a")


@pytest.mark.parametrize(
    "faulty",
    faults(("label_repeated", "accounts_must_differ", "client_account_needs_own_kind", "debit_account_not_found")),
    ids="+".join,
)
def test_of_several_faults_of_a_bulk_the_first_in_order_is_answered(rich_book: Book, faulty: tuple[str, ...]) -> None:
    assert faulty_bulk(rich_book, *faulty) == faulty[0]


@answers("bulk_transfer", "label_repeated")
def test_labels_of_a_bulk_are_unique(rich_book: Book) -> str:
    return faulty_bulk(rich_book, "label_repeated", is_atomic=False)


@answers("bulk_transfer", "accounts_must_differ")
def test_no_line_of_a_bulk_pays_itself(rich_book: Book) -> str:
    return faulty_bulk(rich_book, "accounts_must_differ", is_atomic=False)


@pytest.mark.parametrize("account", [CLIENT, BOUND])
@answers("bulk_transfer", "client_account_needs_own_kind")
def test_a_bulk_takes_no_client_money(rich_book: Book, account: AccountId) -> str:
    return rich_book.end("bulk_transfer", bulk((RICH, B1, 5), (account, B1, 5), is_atomic=False), by="bank-a")


def decided(book: Book, *lines: tuple[AccountId, AccountId, int], is_atomic: bool) -> Accepted | Refused:
    outcome = book.submit("bulk_transfer", bulk(*lines, is_atomic=is_atomic), by="bank-a")
    assert isinstance(outcome, Accepted | Refused)
    return outcome


ROUND_TRIP = ((RICH, A1, 10), (A1, A2, 10), (A2, A1, 4), (A1, B1, 4))
"""Each line needs the one before it."""


@pytest.mark.parametrize("is_atomic", [True, False])
def test_each_line_sees_the_former(book: Book, is_atomic: bool) -> None:
    outcome = decided(book, *ROUND_TRIP, is_atomic=is_atomic)
    assert isinstance(outcome, Accepted)
    assert outcome.pairs is not None
    assert len(outcome.pairs) == 4
    assert [book.balance(account) for account in (A1, A2, B1)] == [0, 6, 4]


def test_an_atomic_bulk_is_refused_at_its_first_failing_line_and_moves_nothing(book: Book) -> None:
    outcome = decided(book, *ROUND_TRIP, (A1, B1, 1), (MISSING, B1, 1), is_atomic=True)
    assert isinstance(outcome, Refused)
    assert (outcome.code.code, outcome.line) == ("insufficient_funds", 4)
    assert outcome.detail.startswith("line 4: ")
    assert [book.balance(account) for account in (RICH, A1, A2, B1)] == [100_000_000, 0, 0, 0]


def test_in_an_independent_bulk_each_line_stands_alone(rich_book: Book) -> None:
    lines = ((A1, A2, 1), (RICH, A1, 5), (A1, A2, 1), (MISSING, A1, 1), (RICH, B1, UNLUCKY), (A1, B1, 4))
    outcome = decided(rich_book, *lines, is_atomic=False)
    assert isinstance(outcome, Accepted)
    assert {line: code.code for line, code in outcome.refused_lines.items()} == {
        0: "insufficient_funds",
        3: "debit_account_not_found",
        4: "unlucky_number",
    }
    assert [rich_book.balance(account) for account in (A1, A2, B1)] == [0, 1, 4]


@pytest.mark.parametrize("count", [1, 2])
def test_an_independent_bulk_is_accepted_even_if_every_line_is_refused(book: Book, count: int) -> None:
    outcome = decided(book, *[(A1, A2, 1)] * count, is_atomic=False)
    assert isinstance(outcome, Accepted)
    assert list(outcome.refused_lines) == list(range(count))


def test_an_atomic_bulk_of_one_line_is_refused_at_line_zero(book: Book) -> None:
    outcome = decided(book, (A1, A2, 1), is_atomic=True)
    assert isinstance(outcome, Refused)
    assert outcome.line == 0


@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_bulk_takes_lines_up_to_the_limit_and_none_more(book: Book, is_atomic: bool) -> None:
    full = bulk(*[(RICH, B1, 1)] * BULK_LINES_MAX, is_atomic=is_atomic)
    assert book.end("bulk_transfer", full, by="bank-a") == "accepted"
    assert book.balance(B1) == BULK_LINES_MAX
    assert book.rulebook.kinds["bulk_transfer"].weight(full) == BULK_LINES_MAX
    over = bulk(*[(RICH, B1, 1)] * (BULK_LINES_MAX + 1), is_atomic=is_atomic)
    assert book.end("bulk_transfer", over, by="bank-a") == "payload_invalid"
    assert book.end("bulk_transfer", bulk(is_atomic=is_atomic), by="bank-a") == "payload_invalid"


@pytest.mark.parametrize(("kind", "body"), [("transfer", pay(RICH, B1, 3)), ("bulk_transfer", bulk((RICH, B1, 3)))])
def test_entries_follow_from_the_body_where_a_kind_says_so(book: Book, kind: str, body: object) -> None:
    outcome = book.submit(kind, body, by="bank-a")
    entries = book.rulebook.kinds[kind].entries
    assert entries is not None
    assert isinstance(outcome, Accepted)
    assert outcome.all_entries() == entries(body)


def test_the_entry_of_a_journal_entry_is_its_postings(book: Book) -> None:
    body = entry((Side.DEBIT, RICH, 3), (Side.CREDIT, B1, 3))
    outcome = book.submit("journal_entry", body, by="bank-a")
    assert isinstance(outcome, Accepted)
    assert [each.postings for each in outcome.entries] == [body.postings]
