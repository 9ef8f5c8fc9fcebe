"""Keys: added, rotated, revoked, recovered; the log key."""

import pytest

from ledger.crypto.keys import PublicKey
from ledger.model.participants import KeyUse, Role
from ledger.rules.keys import KeyAdd, KeyRecover, KeyRevoke, KeyRotate, LogKeyRotate
from ledger.rules.tables import KEYS, ledger_of
from ledger.units import Kid, ParticipantId
from tests.book import Book, end_of, key_of, own_account, wallet
from tests.rules.answers import answers, faults
from tests.rules.bodies import pay
from tests.rules.test_admission import suspend

HOUR_US = 3_600_000_000


def x_of(name: str) -> str:
    return key_of(name).public.x


def kid_of(name: str) -> Kid:
    return Kid(key_of(name).public.kid)


def add(book: Book, new: str, *, by: str = "bank-a", use: KeyUse = KeyUse.TRANSACTION, signers: tuple[str, ...]) -> str:
    return book.end("key_add", KeyAdd(x=x_of(new), signatory=new, use=use), by=by, signers=signers)


def rotate(book: Book, old: str, new: str, *, by: str = "bank-a", signers: tuple[str, ...]) -> str:
    return book.end("key_rotate", KeyRotate(replaces=kid_of(old), x=x_of(new)), by=by, signers=signers)


def revoke(book: Book, key: str, *, by: str = "bank-a", signers: tuple[str, ...] = ("bank-a-1",)) -> str:
    return book.end("key_revoke", KeyRevoke(kid=kid_of(key), reason="order-17"), by=by, signers=signers)


def recover(
    book: Book, participant: str, new: str, *, use: KeyUse = KeyUse.TRANSACTION, signers: tuple[str, ...] = ()
) -> str:
    body = KeyRecover(participant=ParticipantId(participant), x=x_of(new), signatory=new, use=use)
    return book.end("key_recover", body, by="operator", signers=signers or ("operator-1", "operator-2", new))


def pays(book: Book, *signers: str) -> str:
    return book.end("transfer", pay(own_account("601"), wallet("601", 1), 1), by="bank-a", signers=signers)


def test_an_added_key_signs_from_then_on(book: Book) -> None:
    assert add(book, "fresh", signers=("bank-a-1", "fresh")) == "accepted"
    assert pays(book, "fresh") == "accepted"


def test_a_new_key_must_sign_its_own_admission(book: Book) -> None:
    assert add(book, "fresh", signers=("bank-a-1",)) == "signatures_insufficient"


def test_a_new_key_alone_admits_nothing(book: Book) -> None:
    assert add(book, "fresh", signers=("fresh",)) == "signatures_insufficient"


@answers("key_add", "key_already_known")
def test_a_known_key_is_not_added_again(book: Book) -> str:
    return add(book, "bank-a-2", signers=("bank-a-1", "bank-a-2"))


@answers("key_add", "key_already_known")
def test_a_revoked_and_replaced_key_never_comes_back_under_another_participant(book: Book) -> str:
    return add(book, "bank-b-1", signers=("bank-a-1", "bank-b-1"))


@answers("key_add", "key_use_not_admittable")
def test_no_participant_adds_a_log_key(book: Book) -> str:
    return add(book, "fresh", use=KeyUse.LOG, signers=("bank-a-1", "fresh"))


def test_a_known_key_is_named_before_its_use(book: Book) -> None:
    assert add(book, "bank-a-2", use=KeyUse.HOLDER, signers=("bank-a-1", "bank-a-2")) == "key_already_known"


def test_a_rotated_key_takes_over_signatory_and_use(book: Book) -> None:
    assert rotate(book, "bank-a-1", "fresh", signers=("bank-a-1", "fresh")) == "accepted"
    key = book.state.get(KEYS, kid_of("fresh"))
    assert key is not None
    assert (key.signatory, key.use) == ("bank-a-1", KeyUse.TRANSACTION)
    assert pays(book, "bank-a-1") == "key_revoked"
    assert pays(book, "fresh") == "accepted"


@answers("key_rotate", "key_not_found")
def test_a_foreign_key_is_not_rotated(book: Book) -> str:
    return rotate(book, "bank-b-1", "fresh", signers=("bank-a-1", "fresh"))


@answers("key_rotate", "key_not_found")
def test_an_unknown_key_is_not_rotated(book: Book) -> str:
    return rotate(book, "nobody", "fresh", signers=("bank-a-1", "fresh"))


@answers("key_rotate", "key_already_revoked")
def test_a_revoked_key_is_not_rotated(book: Book) -> str:
    revoke(book, "bank-a-2")
    return rotate(book, "bank-a-2", "fresh", signers=("bank-a-1", "fresh"))


@answers("key_rotate", "key_not_rotatable")
def test_a_holder_key_is_not_rotated_by_the_bank(book: Book) -> str:
    book.open_account("bank-a", wallet("601", 7), holder_key="holder")
    return rotate(book, "holder", "fresh", signers=("bank-a-1", "fresh"))


@answers("key_rotate", "key_not_rotatable")
def test_the_log_key_is_rotated_by_its_own_kind_only(book: Book) -> str:
    return rotate(book, "log", "fresh", by="operator", signers=("operator-1", "operator-2", "fresh"))


@answers("key_rotate", "key_already_known")
def test_a_key_is_not_rotated_to_a_known_one(book: Book) -> str:
    return rotate(book, "bank-a-1", "bank-b-2", signers=("bank-a-1", "bank-b-2"))


@pytest.mark.parametrize(
    ("replaces", "code"),
    [("bank-b-1", "key_not_found"), ("bank-a-2", "key_already_revoked"), ("holder", "key_not_rotatable")],
)
def test_the_key_to_replace_is_looked_at_before_the_new_one(book: Book, replaces: str, code: str) -> None:
    book.open_account("bank-a", wallet("601", 7), holder_key="holder")
    revoke(book, "bank-a-2")
    assert rotate(book, replaces, "bank-b-2", signers=("bank-a-1", "bank-b-2")) == code


@answers("key_revoke", "key_not_found")
def test_a_foreign_key_is_not_revoked(book: Book) -> str:
    return revoke(book, "bank-b-1")


@answers("key_revoke", "key_not_found")
def test_the_log_key_is_never_revoked(book: Book) -> str:
    return revoke(book, "log", by="operator", signers=("operator-1", "operator-2"))


@answers("key_revoke", "key_not_found")
def test_the_log_key_does_not_revoke_itself(book: Book) -> str:
    return revoke(book, "log", by="operator", signers=("log",))


@answers("key_revoke", "key_already_revoked")
def test_a_key_is_revoked_once(book: Book) -> str:
    revoke(book, "bank-a-2")
    return revoke(book, "bank-a-2")


@pytest.mark.parametrize("key", ["bank-a-1", "bank-a-api"])
def test_any_key_revokes_itself(book: Book, key: str) -> None:
    assert revoke(book, key, signers=(key,)) == "accepted"
    assert revoke(book, key, signers=(key,)) == "key_revoked"


def test_a_holder_key_revokes_itself_in_the_name_of_its_bank(book: Book) -> None:
    book.open_account("bank-a", wallet("601", 7), holder_key="holder")
    assert revoke(book, "holder", signers=("holder",)) == "accepted"
    payment = pay(wallet("601", 7), wallet("601", 1), 1)
    assert book.end("transfer", payment, by="bank-a", signers=("bank-a-1", "holder")) == "key_revoked"


def test_a_key_of_a_suspended_participant_still_revokes_itself(book: Book) -> None:
    suspend(book, "bank-a")
    assert revoke(book, "bank-a-1", signers=("bank-a-2",)) == "participant_suspended"
    assert revoke(book, "bank-a-1", signers=("bank-a-1",)) == "accepted"


def test_a_key_that_does_not_sign_alone_needs_the_quorum(book: Book) -> None:
    suspend(book, "bank-a")
    assert revoke(book, "bank-a-1", signers=("bank-a-1", "bank-a-2")) == "participant_suspended"


def test_a_key_does_not_revoke_itself_in_the_name_of_another(book: Book) -> None:
    assert revoke(book, "bank-b-1", by="bank-a", signers=("bank-b-1",)) == "key_unknown"


def test_a_recovered_key_waits_out_the_delay(book: Book) -> None:
    assert recover(book, "bank-a", "found") == "accepted"
    recovered_us = book.time_us
    book.time_us = recovered_us + HOUR_US - 1_000_001
    assert pays(book, "found") == "key_not_active"
    assert book.time_us == recovered_us + HOUR_US - 1
    book.time_us = recovered_us + HOUR_US - 1_000_000
    assert pays(book, "found") == "accepted"


def test_in_the_delay_the_old_keys_revoke_a_recovered_one(book: Book) -> None:
    recover(book, "bank-a", "thief")
    assert revoke(book, "thief") == "accepted"
    book.time_us += HOUR_US
    assert pays(book, "thief") == "key_revoked"


def test_recovery_needs_the_operators_quorum(book: Book) -> None:
    assert recover(book, "bank-a", "found", signers=("operator-1", "found")) == "signatures_insufficient"


@pytest.mark.parametrize("participant", ["central-bank", "operator"])
@answers("key_recover", "keys_not_recoverable")
def test_the_operator_gives_itself_no_keys_of_the_issuer(book: Book, participant: str) -> str:
    return recover(book, participant, "found")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SUPERVISOR])
def test_the_central_bank_signs_too_what_gives_keys_to_who_watches(book: Book, role: Role) -> None:
    assert end_of(book.admit("watchman", role, "900")) == "accepted"
    assert recover(book, "watchman", "found") == "signatures_insufficient"
    signers = ("operator-1", "operator-2", "issuer-1", "issuer-3", "found")
    assert recover(book, "watchman", "found", signers=signers) == "accepted"


@answers("key_revoke", "holder_key_not_yours")
def test_nobody_locks_a_holders_money_in_its_name(book: Book) -> str:
    book.open_account("bank-a", wallet("601", 8), holder_key="holder")
    return revoke(book, "holder")


def test_a_holder_key_revokes_itself(book: Book) -> None:
    book.open_account("bank-a", wallet("601", 8), holder_key="holder")
    assert revoke(book, "holder", signers=("holder",)) == "accepted"


RECOVERY_ORDER = ("participant_not_found", "keys_not_recoverable", "key_already_known", "key_use_not_admittable")


@pytest.mark.parametrize(
    "faulty",
    faults(RECOVERY_ORDER, apart=(frozenset({"participant_not_found", "keys_not_recoverable"}),)),
    ids="+".join,
)
def test_of_several_faults_of_a_recovery_the_first_in_order_is_answered(book: Book, faulty: tuple[str, ...]) -> None:
    assert faulty_recovery(book, *faulty) == faulty[0]


def faulty_recovery(book: Book, *faulty: str) -> str:
    return recover(
        book,
        "bank-z" if "participant_not_found" in faulty else "operator" if "keys_not_recoverable" in faulty else "bank-a",
        "bank-b-1" if "key_already_known" in faulty else "found",
        use=KeyUse.HOLDER if "key_use_not_admittable" in faulty else KeyUse.TRANSACTION,
    )


@answers("key_recover", "participant_not_found")
def test_a_stranger_recovers_nothing(book: Book) -> str:
    return faulty_recovery(book, "participant_not_found")


@answers("key_recover", "key_already_known")
def test_a_known_key_recovers_nothing(book: Book) -> str:
    return faulty_recovery(book, "key_already_known")


@answers("key_recover", "key_use_not_admittable")
def test_no_holder_key_is_recovered(book: Book) -> str:
    return faulty_recovery(book, "key_use_not_admittable")


def test_a_key_of_the_issuer_starts_on_the_next_business_day(book: Book) -> None:
    assert add(book, "issuer-4", by="central-bank", signers=("issuer-1", "issuer-2", "issuer-4")) == "accepted"
    revocation = {"by": "central-bank", "signers": ("issuer-1", "issuer-4")}
    assert revoke(book, "issuer-3", **revocation) == "key_not_active"  # type: ignore[arg-type]
    book.close_day("2024-12-25")
    assert revoke(book, "issuer-3", **revocation) == "accepted"  # type: ignore[arg-type]


def test_a_rotated_key_of_the_issuer_stops_at_once(book: Book) -> None:
    signers = ("issuer-1", "issuer-2", "issuer-4")
    assert rotate(book, "issuer-3", "issuer-4", by="central-bank", signers=signers) == "accepted"
    assert revoke(book, "issuer-2", by="central-bank", signers=("issuer-1", "issuer-3")) == "key_revoked"
    assert revoke(book, "issuer-2", by="central-bank", signers=("issuer-1", "issuer-4")) == "key_not_active"


def rotate_log_key(book: Book, new: str, *signers: str) -> str:
    return book.end("log_key_rotate", LogKeyRotate(x=x_of(new)), by="operator", signers=signers)


def test_the_log_key_rotates_when_old_and_new_key_sign(book: Book) -> None:
    assert rotate_log_key(book, "log-2", "operator-1", "operator-2", "log", "log-2") == "accepted"
    assert ledger_of(book.state).log_key == kid_of("log-2")
    assert rotate_log_key(book, "log-3", "operator-1", "operator-2", "log", "log-3") == "key_use_wrong"
    assert rotate_log_key(book, "log-3", "operator-1", "operator-2", "log-2", "log-3") == "accepted"


@pytest.mark.parametrize("absent", ["operator-2", "log", "log-2"])
def test_the_log_key_does_not_rotate_without(book: Book, absent: str) -> None:
    signers = [name for name in ("operator-1", "operator-2", "log", "log-2") if name != absent]
    assert rotate_log_key(book, "log-2", *signers) == "signatures_insufficient"


@answers("log_key_rotate", "key_already_known")
def test_the_log_key_is_not_replaced_by_itself(book: Book) -> str:
    return rotate_log_key(book, "log", "operator-1", "operator-2", "log")


def test_a_quorum_counts_people_not_keys(book: Book) -> None:
    assert end_of(book.admit("bank-q", Role.INTERMEDIARY, "609", quorum=2)) == "accepted"
    body = KeyAdd(x=x_of("second-phone"), signatory="bank-q-1", use=KeyUse.TRANSACTION)
    signers = ("bank-q-1", "bank-q-2", "second-phone")
    assert book.end("key_add", body, by="bank-q", signers=signers) == "accepted"
    one_person = ("bank-q-1", "second-phone")
    assert revoke(book, "bank-q-api", by="bank-q", signers=one_person) == "signatures_insufficient"
    assert revoke(book, "bank-q-api", by="bank-q", signers=("bank-q-2", "second-phone")) == "accepted"


def test_a_mixed_order_key_is_never_presented(book: Book) -> None:
    # The identity: every signature "by" it would hold for every message.
    identity = PublicKey.trusted("AQ" + "A" * 41).x
    body = KeyAdd(x=identity, signatory="nobody", use=KeyUse.TRANSACTION)
    assert book.end("key_add", body, by="bank-a", signers=("bank-a-1",)) == "public_key_invalid"
