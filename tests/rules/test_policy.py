"""Who may send what: changed by the issuer, from the next business day."""

import pytest

from ledger.model.participants import Cosigner, Role
from ledger.rules.policy import GOVERNING_KINDS, PolicySet
from ledger.units import ParticipantId
from tests.book import Book, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay

UNCLEAR = (Cosigner(threshold=1), Cosigner(threshold=1, role=Role.ISSUER, participant=ParticipantId("bank-a")))


def set_policy(book: Book, body: PolicySet) -> str:
    return book.end("policy_set", body, by="central-bank")


def faulty_policy(book: Book, *faulty: str) -> str:
    kind = "transfer"
    if "policy_fixed" in faulty:
        kind = "cap_set"
    if "policy_kind_unknown" in faulty:
        kind = "no_such_kind"
    cosigners = UNCLEAR[:1] if "policy_cosigner_unclear" in faulty else ()
    return set_policy(book, PolicySet(kind=kind, roles=(Role.POOL,), own=1, cosigners=cosigners))


@pytest.mark.parametrize(
    "faulty",
    faults(
        ("policy_kind_unknown", "policy_fixed", "policy_cosigner_unclear"),
        apart=[frozenset({"policy_kind_unknown", "policy_fixed"})],
    ),
    ids="+".join,
)
def test_of_several_faults_of_a_policy_the_first_in_order_is_answered(book: Book, faulty: tuple[str, ...]) -> None:
    assert faulty_policy(book, *faulty) == faulty[0]


@answers("policy_set", "policy_kind_unknown")
def test_a_kind_without_a_policy_gets_none(book: Book) -> str:
    return faulty_policy(book, "policy_kind_unknown")


@pytest.mark.parametrize("kind", sorted(GOVERNING_KINDS))
@answers("policy_set", "policy_fixed")
def test_the_governing_kinds_keep_their_policy(book: Book, kind: str) -> str:
    return set_policy(book, PolicySet(kind=kind, roles=(Role.OPERATOR,), own=1))


@pytest.mark.parametrize("cosigner", UNCLEAR)
@answers("policy_set", "policy_cosigner_unclear")
def test_a_cosigner_is_a_role_or_a_participant(book: Book, cosigner: Cosigner) -> str:
    return set_policy(book, PolicySet(kind="transfer", roles=(Role.POOL,), own=1, cosigners=(cosigner,)))


def transfer(book: Book, *signers: str) -> str:
    return book.end("transfer", pay(own_account("601"), wallet("601", 1), 1), by="bank-a", signers=signers)


def test_a_policy_binds_from_the_next_business_day(book: Book) -> None:
    assert set_policy(book, PolicySet(kind="transfer", roles=(Role.INTERMEDIARY,), own=2)) == "accepted"
    assert transfer(book, "bank-a-1") == "accepted"
    book.close_day("2024-12-25")
    assert transfer(book, "bank-a-1") == "signatures_insufficient"
    assert transfer(book, "bank-a-1", "bank-a-2") == "accepted"


def test_the_last_policy_of_a_day_is_the_next_days(book: Book) -> None:
    set_policy(book, PolicySet(kind="transfer", roles=(), own=1))
    set_policy(book, PolicySet(kind="transfer", roles=(Role.INTERMEDIARY,), own=2))
    assert transfer(book, "bank-a-1") == "accepted"
    book.close_day("2024-12-25")
    assert transfer(book, "bank-a-1", "bank-a-2") == "accepted"


def test_a_policy_in_force_holds_until_the_day_after_its_change(book: Book) -> None:
    set_policy(book, PolicySet(kind="transfer", roles=(Role.INTERMEDIARY,), own=2))
    book.close_day("2024-12-25")
    set_policy(book, PolicySet(kind="transfer", roles=(Role.INTERMEDIARY,), own=1))
    assert transfer(book, "bank-a-1") == "signatures_insufficient"
    book.close_day("2024-12-26")
    assert transfer(book, "bank-a-1") == "accepted"


def test_no_roles_switch_a_kind_off(book: Book) -> None:
    set_policy(book, PolicySet(kind="transfer", roles=(), own=1))
    book.close_day("2024-12-25")
    assert transfer(book, "bank-a-1") == "kind_not_permitted"


@pytest.mark.parametrize(
    "cosigner",
    [Cosigner(threshold=1, role=Role.INTERMEDIARY), Cosigner(threshold=1, participant=ParticipantId("bank-b"))],
)
def test_a_policy_may_ask_another_to_cosign(book: Book, cosigner: Cosigner) -> None:
    body = PolicySet(kind="account_close", roles=(Role.INTERMEDIARY,), own=1, cosigners=(cosigner,))
    set_policy(book, body)
    book.close_day("2024-12-25")
    assert book.close_account("bank-a", wallet("601", 1), "bank-a-1", "bank-b-1") == "accepted"


def test_one_signature_counts_for_the_sender_and_as_a_cosigner_of_its_role(book: Book) -> None:
    cosigner = Cosigner(threshold=2, role=Role.INTERMEDIARY)
    set_policy(book, PolicySet(kind="account_close", roles=(Role.INTERMEDIARY,), own=1, cosigners=(cosigner,)))
    book.close_day("2024-12-25")
    assert book.close_account("bank-a", wallet("601", 1), "bank-a-1") == "signatures_insufficient"
    assert book.close_account("bank-a", wallet("601", 1), "bank-a-1", "bank-b-1") == "accepted"
