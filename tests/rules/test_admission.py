"""Who takes part: admission, suspension, reinstatement."""

import pytest

from ledger.crypto.keys import PublicKey
from ledger.model.participants import KeyUse, Role
from ledger.rules.admission import (
    ADMITTABLE_ROLES,
    KEYS_AT_ADMISSION_MAX,
    NewKey,
    ParticipantAdmit,
    ParticipantReinstate,
    ParticipantSuspend,
)
from ledger.rules.tables import KEYS, PARTICIPANTS
from ledger.units import ParticipantId
from tests.book import Book, end_of, key_of, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay


def admission(*faulty: str, participant: str = "bank-c") -> tuple[ParticipantAdmit, tuple[str, ...]]:
    """An admission that breaks the named rules, and who must sign it."""
    names = [f"{participant}-1", f"{participant}-2"]
    keys = [NewKey(x=key_of(name).public.x, signatory=name, use=KeyUse.TRANSACTION) for name in names]
    if "key_already_known" in faulty:
        names.append("bank-a-2")
        keys.append(NewKey(x=key_of("bank-a-2").public.x, signatory="other", use=KeyUse.TRANSACTION))
    if "key_use_not_admittable" in faulty:
        names.append("holder-of-c")
        keys.append(NewKey(x=key_of("holder-of-c").public.x, signatory="other", use=KeyUse.HOLDER))
    body = ParticipantAdmit(
        participant=ParticipantId("bank-a" if "participant_exists" in faulty else participant),
        name="Bank C",
        role=Role.ISSUER if "role_not_admittable" in faulty else Role.INTERMEDIARY,
        code="601" if "participant_code_taken" in faulty else "603",
        quorum=4 if "quorum_unreachable" in faulty else 2,
        keys=tuple(keys),
    )
    return body, ("operator-1", "operator-2", *names)


ADMISSION_ORDER = (
    "participant_exists",
    "participant_code_taken",
    "role_not_admittable",
    "key_already_known",
    "key_use_not_admittable",
    "quorum_unreachable",
)


@pytest.mark.parametrize("faulty", faults(ADMISSION_ORDER), ids="+".join)
def test_of_several_faults_of_an_admission_the_first_in_order_is_answered(book: Book, faulty: tuple[str, ...]) -> None:
    body, signers = admission(*faulty)
    assert book.end("participant_admit", body, by="operator", signers=signers) == faulty[0]
    assert book.state.get(PARTICIPANTS, "bank-c") is None


def admit(book: Book, *faulty: str) -> str:
    body, signers = admission(*faulty)
    return book.end("participant_admit", body, by="operator", signers=signers)


@answers("participant_admit", "participant_exists")
def test_a_participant_is_admitted_once(book: Book) -> str:
    return admit(book, "participant_exists")


@answers("participant_admit", "participant_code_taken")
def test_a_code_is_given_once(book: Book) -> str:
    return admit(book, "participant_code_taken")


@answers("participant_admit", "role_not_admittable")
def test_nobody_admits_a_second_issuer(book: Book) -> str:
    return admit(book, "role_not_admittable")


@answers("participant_admit", "key_already_known")
def test_a_key_is_used_once_for_ever(book: Book) -> str:
    return admit(book, "key_already_known")


@answers("participant_admit", "key_already_known")
def test_one_key_cannot_stand_for_two_signatories(book: Book) -> str:
    x = key_of("bank-c-1").public.x
    body = ParticipantAdmit(
        participant=ParticipantId("bank-c"),
        name="Bank C",
        role=Role.INTERMEDIARY,
        code="603",
        quorum=2,
        keys=tuple(NewKey(x=x, signatory=name, use=KeyUse.TRANSACTION) for name in ("one", "two")),
    )
    return book.end("participant_admit", body, by="operator", signers=("operator-1", "operator-2", "bank-c-1"))


@answers("participant_admit", "key_use_not_admittable")
def test_a_holder_key_comes_with_an_account_only(book: Book) -> str:
    return admit(book, "key_use_not_admittable")


@answers("participant_admit", "quorum_unreachable")
def test_a_quorum_must_be_reachable(book: Book) -> str:
    return admit(book, "quorum_unreachable")


@answers("participant_admit", "quorum_unreachable")
def test_authentication_keys_do_not_count_towards_a_quorum(book: Book) -> str:
    return end_of(book.admit("bank-c", Role.INTERMEDIARY, "603", quorum=2, signatories=1))


@pytest.mark.parametrize("role", sorted(ADMITTABLE_ROLES))
def test_every_role_but_operator_and_issuer_is_admitted(book: Book, role: Role) -> None:
    assert end_of(book.admit("newcomer", role, "700")) == "accepted"


@pytest.mark.parametrize("role", sorted(set(Role) - ADMITTABLE_ROLES))
def test_operator_and_issuer_stand_in_genesis_only(book: Book, role: Role) -> None:
    assert end_of(book.admit("newcomer", role, "700")) == "role_not_admittable"


def test_an_admission_takes_keys_up_to_the_limit(book: Book) -> None:
    assert end_of(book.admit("large", Role.POOL, "700", signatories=KEYS_AT_ADMISSION_MAX - 1)) == "accepted"


def test_an_admission_takes_no_key_more(book: Book) -> None:
    names = [f"large-{number}" for number in range(KEYS_AT_ADMISSION_MAX + 1)]
    body = ParticipantAdmit(
        participant=ParticipantId("large"),
        name="Large",
        role=Role.POOL,
        code="700",
        quorum=1,
        keys=tuple(NewKey(x=key_of(name).public.x, signatory=name, use=KeyUse.TRANSACTION) for name in names),
    )
    assert (
        book.end("participant_admit", body, by="operator", signers=("operator-1", "operator-2", *names))
        == "payload_invalid"
    )


def test_admitted_keys_keep_their_use(book: Book) -> None:
    key = book.state.get(KEYS, PublicKey.from_x(key_of("bank-a-api").public.x).kid)
    assert key is not None
    assert key.use is KeyUse.CLIENT_AUTHENTICATION


def suspend(book: Book, participant: str, by: str = "operator") -> str:
    body = ParticipantSuspend(participant=ParticipantId(participant), reason="order-17")
    return book.end("participant_suspend", body, by=by)


def reinstate(book: Book, participant: str) -> str:
    body = ParticipantReinstate(participant=ParticipantId(participant), reason="order-17")
    return book.end("participant_reinstate", body, by="operator")


@answers("participant_suspend", "participant_not_found")
def test_a_stranger_cannot_be_suspended(book: Book) -> str:
    return suspend(book, "bank-z")


@pytest.mark.parametrize("participant", ["operator", "central-bank"])
@answers("participant_suspend", "participant_not_suspendable")
def test_operator_and_issuer_cannot_be_suspended(book: Book, participant: str) -> str:
    return suspend(book, participant)


@answers("participant_suspend", "already_suspended")
def test_a_participant_is_suspended_once(book: Book) -> str:
    assert suspend(book, "bank-a") == "accepted"
    return suspend(book, "bank-a")


@answers("participant_reinstate", "participant_not_found")
def test_a_stranger_cannot_be_reinstated(book: Book) -> str:
    return reinstate(book, "bank-z")


@answers("participant_reinstate", "participant_not_suspendable")
def test_the_issuer_cannot_be_reinstated(book: Book) -> str:
    return reinstate(book, "central-bank")


@answers("participant_reinstate", "not_suspended")
def test_only_the_suspended_are_reinstated(book: Book) -> str:
    return reinstate(book, "bank-a")


def test_suspension_stops_submissions_and_reinstatement_lets_them_through(book: Book) -> None:
    payment = pay(own_account("601"), wallet("601", 1), 100)
    suspend(book, "bank-a")
    assert book.end("transfer", payment, by="bank-a") == "participant_suspended"
    reinstate(book, "bank-a")
    assert book.end("transfer", payment, by="bank-a") == "accepted"


def test_credits_still_arrive_at_accounts_of_the_suspended(book: Book) -> None:
    suspend(book, "bank-b")
    assert book.end("transfer", pay(own_account("601"), wallet("602", 1), 100), by="bank-a") == "accepted"
    assert book.balance(wallet("602", 1)) == 100
