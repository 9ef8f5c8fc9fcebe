"""Issuance and redemption: reserve payments, caps, the contra account."""

import pytest

from ledger.model.outcome import Accepted
from ledger.model.participants import KeyUse, Role
from ledger.rules.issuance import CapSet, Issue, Redeem
from ledger.rules.keys import KeyAdd
from ledger.rules.tables import DAYS, RESERVE_PAYMENTS
from ledger.units import AMOUNT_MAX, BALANCE_MAX, AccountId
from tests.book import CONTRA_ACCOUNT, Book, end_of, genesis_document, key_of, own_account, pilot_book, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay

OWN = own_account("601")
SIGNERS = ("bank-a-1", "issuer-1", "issuer-2")
CAP = 1_000_000_000
"""Tiyn a day, of which the pilot book has issued a tenth."""


@pytest.fixture
def book() -> Book:
    """The pilot book under a cap of ten million tenge a day."""
    return pilot_book(document=genesis_document(cap_per_day=CAP))


def issue(book: Book, amount: int, account: AccountId = OWN, payment: str = "RTGS-new") -> str:
    body = Issue(account=account, amount=amount, reserve_payment=payment)
    return book.end("issue", body, by="bank-a", signers=SIGNERS)


def redeem(book: Book, amount: int, account: AccountId = OWN, payment: str = "RTGS-new") -> str:
    body = Redeem(account=account, amount=amount, reserve_payment=payment)
    return book.end("redeem", body, by="bank-a", signers=SIGNERS)


ORDER = ("reserve_payment_used", "issuance_account_unfit", "cap_exceeded", "posting")
"""The last stands for the posting rules, which come after the kind's own."""


def sent(book: Book, kind: str, *faulty: str) -> str:
    if "posting" in faulty and kind == "issue":
        book.close_account("bank-a", OWN)
    account = wallet("601", 1) if "issuance_account_unfit" in faulty else OWN
    amount = CAP + 1 if "cap_exceeded" in faulty else 200_000_000
    payment = "RTGS-used" if "reserve_payment_used" in faulty else "RTGS-new"
    return (issue if kind == "issue" else redeem)(book, amount, account, payment)


@pytest.mark.parametrize("kind", ["issue", "redeem"])
@pytest.mark.parametrize("faulty", faults(ORDER), ids="+".join)
def test_of_several_faults_the_first_in_order_is_answered(book: Book, kind: str, faulty: tuple[str, ...]) -> None:
    assert issue(book, 5, payment="RTGS-used") == "accepted"
    assert redeem(book, 100_000_005, payment="RTGS-emptied") == "accepted"
    names = {
        "cap_exceeded": {"issue": "issuance_cap_exceeded", "redeem": "redemption_cap_exceeded"}[kind],
        "posting": {"issue": "credit_account_closed", "redeem": "insufficient_funds"}[kind],
    }
    assert sent(book, kind, *faulty) == names.get(faulty[0], faulty[0])


@answers("issue", "reserve_payment_used")
def test_a_reserve_payment_backs_one_issuance(book: Book) -> str:
    assert issue(book, 5) == "accepted"
    return issue(book, 5)


@answers("redeem", "reserve_payment_used")
def test_a_reserve_payment_of_an_issuance_backs_no_redemption(book: Book) -> str:
    assert issue(book, 5) == "accepted"
    return redeem(book, 5)


@pytest.mark.parametrize("account", [wallet("601", 1), own_account("602"), wallet("601", 9), CONTRA_ACCOUNT], ids=str)
@answers("issue", "issuance_account_unfit")
def test_tenge_is_issued_to_the_senders_own_account_only(book: Book, account: AccountId) -> str:
    return issue(book, 5, account)


@pytest.mark.parametrize("account", [wallet("601", 1), own_account("602"), wallet("601", 9), CONTRA_ACCOUNT], ids=str)
@answers("redeem", "issuance_account_unfit")
def test_tenge_is_redeemed_from_the_senders_own_account_only(book: Book, account: AccountId) -> str:
    return redeem(book, 5, account)


@answers("issue", "issuance_cap_exceeded")
def test_a_day_issues_no_tiyn_above_its_cap(book: Book) -> str:
    assert issue(book, CAP - 100_000_000, payment="RTGS-rest") == "accepted"
    return issue(book, 1)


@answers("issue", "issuance_cap_exceeded")
def test_redemption_does_not_restore_the_cap(book: Book) -> str:
    assert issue(book, CAP - 100_000_000, payment="RTGS-rest") == "accepted"
    assert redeem(book, CAP, payment="RTGS-back") == "accepted"
    return issue(book, 1)


@answers("redeem", "redemption_cap_exceeded")
def test_a_day_redeems_no_tiyn_above_its_cap(book: Book) -> str:
    assert issue(book, CAP - 100_000_000, payment="RTGS-rest") == "accepted"
    assert redeem(book, CAP - 1, payment="RTGS-one") == "accepted"
    assert redeem(book, 1, payment="RTGS-two") == "accepted"
    return redeem(book, 1)


def test_a_new_business_date_starts_from_zero(book: Book) -> None:
    issue(book, CAP - 100_000_000, payment="RTGS-rest")
    book.close_day("2024-12-25")
    assert issue(book, CAP) == "accepted"


def test_a_cap_binds_from_the_next_business_day(book: Book) -> None:
    assert book.end("cap_set", CapSet(per_day=10), by="central-bank") == "accepted"
    assert issue(book, 11, payment="RTGS-today") == "accepted"
    book.close_day("2024-12-25")
    assert issue(book, 11) == "issuance_cap_exceeded"
    assert issue(book, 10) == "accepted"


def test_a_cap_of_zero_stops_issuance(book: Book) -> None:
    book.submit("cap_set", CapSet(per_day=0), by="central-bank")
    book.close_day("2024-12-25")
    assert issue(book, 1) == "issuance_cap_exceeded"


def test_a_cap_in_force_holds_until_the_day_after_its_change(book: Book) -> None:
    book.submit("cap_set", CapSet(per_day=10), by="central-bank")
    book.close_day("2024-12-25")
    book.submit("cap_set", CapSet(per_day=20), by="central-bank")
    assert issue(book, 11) == "issuance_cap_exceeded"


def test_a_refused_issuance_spends_neither_payment_nor_cap(book: Book) -> None:
    before = book.state.get(DAYS, "KZT")
    book.close_account("bank-b", own_account("602"))
    body = Issue(account=own_account("602"), amount=5, reserve_payment="RTGS-new")
    signers = ("bank-b-1", "issuer-1", "issuer-2")
    assert book.end("issue", body, by="bank-b", signers=signers) == "credit_account_closed"
    assert book.state.get(DAYS, "KZT") == before
    assert book.state.get(RESERVE_PAYMENTS, "RTGS-new") is None


def test_a_reserve_payment_remembers_its_transaction(book: Book) -> None:
    raw = book.signed("issue", Issue(account=OWN, amount=5, reserve_payment="RTGS-new"), by="bank-a", signers=SIGNERS)
    assert isinstance(book.decide(raw), Accepted)
    assert book.state.get(RESERVE_PAYMENTS, "RTGS-new") == book.open(raw).transaction_id.hex()


@pytest.mark.parametrize(
    "signers",
    [("bank-a-1",), ("bank-a-1", "issuer-1"), ("issuer-1", "issuer-2"), ("bank-a-1", "bank-a-2")],
    ids="+".join,
)
def test_issuance_needs_the_bank_and_two_of_three_issuers(book: Book, signers: tuple[str, ...]) -> None:
    body = Issue(account=OWN, amount=5, reserve_payment="RTGS-new")
    reference = book.reference()
    assert book.end("issue", body, by="bank-a", signers=signers, reference=reference) == "signatures_insufficient"
    complete = ("bank-a-1", "issuer-2", "issuer-3")
    assert book.end("issue", body, by="bank-a", signers=complete, reference=reference) == "accepted"


@answers("issue", "balance_too_large")
def test_circulation_reaches_its_limit_and_no_tiyn_more() -> str:
    book = pilot_book(document=genesis_document(cap_per_day=BALANCE_MAX))
    left = BALANCE_MAX - 100_000_000
    while left:
        amount = min(AMOUNT_MAX, left)
        assert issue(book, amount, payment=f"RTGS-{left}") == "accepted"
        left -= amount
    assert book.balance(OWN) == book.balance(CONTRA_ACCOUNT) == BALANCE_MAX
    book.submit("transfer", pay(OWN, wallet("601", 1), 5), by="bank-a")
    book.close_day("2024-12-25")
    return issue(book, 1)


@pytest.mark.parametrize("amount", [0, AMOUNT_MAX + 1])
def test_an_amount_out_of_bounds_is_malformed(book: Book, amount: int) -> None:
    assert issue(book, amount) == "payload_invalid"


def test_a_cap_out_of_bounds_is_malformed(book: Book) -> None:
    assert book.end("cap_set", CapSet(per_day=BALANCE_MAX), by="central-bank") == "accepted"
    assert book.end("cap_set", CapSet(per_day=BALANCE_MAX + 1), by="central-bank") == "payload_invalid"


def test_only_banks_ask_for_issuance(book: Book) -> None:
    book.admit("aix-one", Role.EXCHANGE, "701")
    assert end_of(book.issue("aix-one", own_account("701"), 5)) == "kind_not_permitted"


def test_two_keys_of_one_issuer_are_one_signatory(book: Book) -> None:
    second = KeyAdd(x=key_of("second-phone").public.x, signatory="issuer-1", use=KeyUse.TRANSACTION)
    assert (
        book.end("key_add", second, by="central-bank", signers=("issuer-1", "issuer-2", "second-phone")) == "accepted"
    )
    book.close_day("2024-12-25")
    body = Issue(account=OWN, amount=5, reserve_payment="RTGS-new")
    one_person = ("bank-a-1", "issuer-1", "second-phone")
    assert book.end("issue", body, by="bank-a", signers=one_person) == "signatures_insufficient"
    two_people = ("bank-a-1", "issuer-2", "second-phone")
    assert book.end("issue", body, by="bank-a", signers=two_people) == "accepted"
