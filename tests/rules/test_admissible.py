"""Whether a transaction may be decided at all: its age, its sender, its signatures; nothing here leaves a trace."""

from collections.abc import Callable

import pytest

from ledger.model.outcome import Inadmissible
from ledger.model.participants import Cosigner, KeyUse, Policy, Role
from ledger.rules.admissible import REFERENCE_AGE_MAX_US, REFERENCE_AHEAD_MAX_US, seen_key
from ledger.rules.keys import KeyAdd
from ledger.rules.policy import PolicySet
from ledger.state import Overlay
from ledger.units import ParticipantId, TimestampUs
from tests.book import (
    Book,
    end_of,
    genesis_document,
    key_of,
    own_account,
    pilot_book,
    reference_at,
    wallet,
)
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay
from tests.rules.escrow import EscrowPay, escrow_book
from tests.rules.test_admission import suspend

SECOND_US = 1_000_000
PAYMENT = pay(own_account("601"), wallet("602", 1), 5)


def sent(book: Book, *, made_us: int | None = None, by: str = "bank-a", **members: object) -> str:
    """Send a payment whose reference was made so long after the time at which it is decided."""
    decided_us = book.time_us + SECOND_US
    reference = reference_at(decided_us + (made_us or 0), 77)
    signers = members.pop("signers", ("bank-a-1",))
    assert isinstance(signers, tuple)
    return book.end("transfer", PAYMENT, by=by, signers=signers, reference=reference, **members)


# --- age ----------------------------------------------------------------------------------------------------


def test_a_reference_of_exactly_a_day_is_admissible(book: Book) -> None:
    assert sent(book, made_us=-REFERENCE_AGE_MAX_US) == "accepted"


@answers("transfer", "reference_expired")
def test_a_reference_a_millisecond_older_is_not(book: Book) -> str:
    return sent(book, made_us=-REFERENCE_AGE_MAX_US - 1_000)


def test_a_reference_exactly_five_minutes_ahead_is_admissible(book: Book) -> None:
    assert sent(book, made_us=REFERENCE_AHEAD_MAX_US) == "accepted"


@answers("transfer", "reference_too_new")
def test_a_reference_a_millisecond_further_ahead_is_not(book: Book) -> str:
    return sent(book, made_us=REFERENCE_AHEAD_MAX_US + 1_000)


def test_a_reference_that_was_too_new_is_admissible_later(book: Book) -> None:
    raw = book.signed("transfer", PAYMENT, by="bank-a", reference=book.reference(book.time_us + 10 * 60 * SECOND_US))
    assert book.attempt(raw) == "reference_too_new"
    book.time_us += 6 * 60 * SECOND_US
    assert book.attempt(raw) == "accepted"


def test_a_transaction_is_decided_before_it_expires(book: Book) -> None:
    assert sent(book, expires=TimestampUs(book.time_us + SECOND_US + 1)) == "accepted"


@answers("transfer", "transaction_expired")
def test_a_transaction_is_not_decided_at_the_time_it_expires(book: Book) -> str:
    return sent(book, expires=TimestampUs(book.time_us + SECOND_US))


# --- authority, in its order --------------------------------------------------------------------------------


ORDER = (
    "reference_expired",
    "transaction_expired",
    "participant_unknown",
    "participant_suspended",
    "kind_not_permitted",
    "signature_unasked",
)


@pytest.mark.parametrize(
    "faulty",
    faults(
        ORDER,
        apart=[
            frozenset({"participant_unknown", "participant_suspended"}),
            frozenset({"participant_unknown", "kind_not_permitted"}),
        ],
    ),
    ids="+".join,
)
def test_of_several_problems_the_first_in_order_is_answered(book: Book, faulty: tuple[str, ...]) -> None:
    if "kind_not_permitted" in faulty:
        book.submit("policy_set", PolicySet(kind="transfer", roles=(Role.MINER,), own=1), by="central-bank")
        book.close_day("2024-12-25")
    if "participant_suspended" in faulty:
        suspend(book, "bank-a")
    problem = sent(
        book,
        made_us=-2 * REFERENCE_AGE_MAX_US if "reference_expired" in faulty else 0,
        expires=TimestampUs(1) if "transaction_expired" in faulty else None,
        by="bank-z" if "participant_unknown" in faulty else "bank-a",
        signers=("bank-a-1", "issuer-1") if "signature_unasked" in faulty else ("bank-a-1",),
    )
    assert problem == faulty[0]


@answers("transfer", "participant_unknown")
def test_a_stranger_sends_nothing(book: Book) -> str:
    return sent(book, by="bank-z")


@answers("transfer", "participant_suspended")
def test_the_suspended_send_nothing(book: Book) -> str:
    suspend(book, "bank-a")
    return sent(book)


@answers("transfer", "kind_not_permitted")
def test_a_kind_is_for_its_roles(book: Book) -> str:
    return sent(book, by="operator", signers=("operator-1",))


@answers("transfer", "kind_not_permitted")
def test_a_kind_without_a_policy_is_for_nobody() -> str:
    book = escrow_book()
    document = genesis_document(rulebook=book.rulebook)
    other = pilot_book(book.rulebook, document=document)
    body = EscrowPay(debit=own_account("601"), credit=wallet("601", 1), amount=5)
    return other.end("escrow_pay", body, by="bank-a")


# --- signatures ---------------------------------------------------------------------------------------------


@answers("transfer", "key_revoked")
def test_a_revoked_key_signs_nothing(book: Book) -> str:
    book.revoke("bank-a", "bank-a-1")
    return sent(book)


@answers("transfer", "key_use_wrong")
def test_an_authentication_key_signs_no_transactions(book: Book) -> str:
    return sent(book, signers=("bank-a-1", "bank-a-api"))


@answers("transfer", "signature_unasked")
def test_a_signature_nobody_asked_for_is_a_problem(book: Book) -> str:
    return sent(book, signers=("bank-a-1", "bank-b-1"))


@answers("transfer", "signatures_insufficient")
def test_another_participants_signature_alone_is_not_the_senders(book: Book) -> str:
    body = PolicySet(
        kind="transfer", roles=(Role.INTERMEDIARY,), own=1, cosigners=(Cosigner(role=Role.INTERMEDIARY, threshold=1),)
    )
    book.submit("policy_set", body, by="central-bank")
    book.close_day("2024-12-25")
    return sent(book, signers=("bank-b-1",))


@answers("key_add", "key_not_active")
def test_an_issuer_key_that_starts_tomorrow_signs_nothing_today(book: Book) -> str:
    body = KeyAdd(x=key_of("issuer-4").public.x, signatory="issuer-4", use=KeyUse.TRANSACTION)
    signers = ("issuer-1", "issuer-2", "issuer-4")
    assert book.end("key_add", body, by="central-bank", signers=signers) == "accepted"
    again = KeyAdd(x=key_of("issuer-5").public.x, signatory="issuer-5", use=KeyUse.TRANSACTION)
    return book.end("key_add", again, by="central-bank", signers=("issuer-1", "issuer-4", "issuer-5"))


def test_an_unknown_key_is_found_in_sequence_where_signatures_are_not_checked_again(book: Book) -> None:
    raw = book.signed("transfer", PAYMENT, by="bank-a", signers=("bank-a-1", "nobody"))
    signed = book.open(raw, checks_signatures=False)
    overlay = Overlay(book.state)
    outcome = book.rulebook.decide(overlay, signed, TimestampUs(book.time_us + 1), height=1, index=0)
    assert end_of(outcome) == "key_unknown"


def test_signatures_are_looked_at_in_the_order_they_stand(book: Book) -> None:
    book.revoke("bank-a", "bank-a-2")
    assert sent(book, signers=("bank-a-2", "bank-b-1")) == "key_revoked"
    assert sent(book, signers=("bank-b-1", "bank-a-2")) == "signature_unasked"


def test_a_further_signature_of_the_sender_is_welcome(book: Book) -> None:
    assert sent(book, signers=("bank-a-1", "bank-a-2")) == "accepted"


def test_a_suspended_cosigner_is_not_asked(book: Book) -> None:
    cosigner = Cosigner(participant=ParticipantId("bank-b"), threshold=1)
    body = PolicySet(kind="transfer", roles=(Role.INTERMEDIARY,), own=1, cosigners=(cosigner,))
    book.submit("policy_set", body, by="central-bank")
    book.close_day("2024-12-25")
    assert sent(book, signers=("bank-a-1", "bank-b-1")) == "accepted"
    suspend(book, "bank-b")
    assert sent(book, signers=("bank-a-1", "bank-b-1")) == "signature_unasked"


def test_a_body_may_ask_for_a_cosigner_of_its_own() -> None:
    book = escrow_book()
    large = EscrowPay(debit=own_account("601"), credit=wallet("601", 1), amount=1_000)
    small = EscrowPay(debit=own_account("601"), credit=wallet("601", 1), amount=999)
    assert book.end("escrow_pay", large, by="bank-a") == "signatures_insufficient"
    assert book.end("escrow_pay", large, by="bank-a", signers=("bank-a-1", "auditor-1")) == "accepted"
    assert book.end("escrow_pay", small, by="bank-a", signers=("bank-a-1", "auditor-1")) == "signature_unasked"


def test_a_policy_may_ask_for_the_senders_own_quorum() -> None:
    policies = {"transfer": Policy(roles=(Role.INTERMEDIARY,), own=0)}
    book = pilot_book(document=genesis_document(policies=policies))
    assert end_of(book.admit("bank-q", Role.INTERMEDIARY, "609", quorum=2)) == "accepted"
    payment = pay(own_account("609"), wallet("602", 1), 5)
    assert book.end("transfer", payment, by="bank-q") == "signatures_insufficient"
    assert book.end("transfer", payment, by="bank-q", signers=("bank-q-1", "bank-q-2")) == "debit_account_not_found"


# --- what an inadmissible transaction leaves behind ---------------------------------------------------------


@pytest.mark.parametrize(
    "problem",
    [
        lambda book: sent(book, signers=("bank-a-1", "bank-b-1")),
        lambda book: sent(book, made_us=-2 * REFERENCE_AGE_MAX_US),
        lambda book: sent(book, by="operator", signers=("operator-1",)),
    ],
)
def test_an_inadmissible_transaction_changes_nothing(book: Book, problem: Callable[[Book], str]) -> None:
    before = book.state.digest()
    problem(book)
    assert book.state.digest() == before


def test_a_missing_signature_is_added_under_the_same_reference(book: Book) -> None:
    body = KeyAdd(x=key_of("fresh").public.x, signatory="fresh", use=KeyUse.TRANSACTION)
    reference = book.reference()
    transaction = book.transaction("key_add", body, by="bank-a", reference=reference)
    for signers, end in (
        (["fresh"], "signatures_insufficient"),
        (["bank-a-1"], "signatures_insufficient"),
        (["bank-a-1", "fresh"], "accepted"),
        (["fresh"], "duplicate"),
    ):
        assert book.attempt(book.sign(transaction, [key_of(name) for name in signers])) == end


def test_a_problem_says_what_was_expected_and_what_came(book: Book) -> None:
    outcome = book.submit(
        "key_add",
        KeyAdd(x=key_of("fresh").public.x, signatory="fresh", use=KeyUse.TRANSACTION),
        by="bank-a",
        signers=("fresh",),
    )
    assert outcome == Inadmissible("signatures_insufficient", "0 of 1 signatories of bank-a signed")


def test_references_of_two_participants_do_not_meet() -> None:
    reference = reference_at(1_000, 1)
    assert seen_key(ParticipantId("bank-a"), reference) != seen_key(ParticipantId("bank-b"), reference)
    assert len(seen_key(ParticipantId("bank-a"), reference)) == 16
