"""The register of authorities: who is which body of the state, and what each of them reads."""

import pytest

from ledger.model.outcome import Outcome
from ledger.model.participants import Role
from ledger.units import ParticipantId, TimestampUs
from settlement.model.authorities import EVERY_PART, PARTS, TERMS_MAX, Authority, Part, authorities_at, parts_of
from settlement.rules.authorities import AuthorityRegister, readable_parts
from settlement.rules.tables import AUTHORITIES
from tests.book import Book, refused_with
from tests.settlement.market import accepted, bare_market

BOTH = ("operator-1", "operator-2", "issuer-1", "issuer-2")


@pytest.fixture
def book() -> Book:
    return bare_market()


def register(
    book: Book, *authorities: Authority, participant: str = "ministry", signers: tuple[str, ...] = BOTH
) -> Outcome:
    body = AuthorityRegister(participant=ParticipantId(participant), authorities=authorities, order="decree-1")
    return book.submit("authority_register", body, by="operator", signers=signers)


def reads(book: Book, participant: str, role: Role) -> frozenset[Part]:
    return readable_parts(book.state, ParticipantId(participant), role, TimestampUs(book.time_us))


def test_every_authority_has_parts_and_no_two_read_the_same() -> None:
    assert set(PARTS) == set(Authority)
    parts = [part for own in PARTS.values() for part in own]
    assert len(parts) == len(set(parts))
    assert parts_of(Authority) == EVERY_PART


def test_one_supervisor_stands_for_all_while_nobody_is_registered(book: Book) -> None:
    assert reads(book, "ministry", Role.SUPERVISOR) == EVERY_PART
    assert reads(book, "central-bank", Role.ISSUER) == {Part.TENGE, Part.QUOTA}


def test_from_the_first_row_on_each_reads_its_own_part(book: Book) -> None:
    accepted(book.admit("afsa", Role.SUPERVISOR, "703"))
    accepted(register(book, Authority.MINISTRY))

    assert reads(book, "ministry", Role.SUPERVISOR) == {Part.QUOTA}
    assert reads(book, "afsa", Role.SUPERVISOR) == frozenset()
    assert reads(book, "central-bank", Role.ISSUER) == {Part.TENGE}
    assert reads(book, "auditor", Role.AUDITOR) == EVERY_PART
    assert reads(book, "operator", Role.OPERATOR) == {Part.QUOTA}
    assert reads(book, "miner-one", Role.MINER) == frozenset()


def test_one_participant_may_be_several_bodies_and_the_central_bank_more_than_its_own(book: Book) -> None:
    accepted(register(book, Authority.MINISTRY, Authority.TAX_AUTHORITY))
    accepted(register(book, Authority.AFM, participant="central-bank"))

    assert reads(book, "ministry", Role.SUPERVISOR) == {Part.QUOTA, Part.VALUE, Part.LEVY}
    assert reads(book, "central-bank", Role.ISSUER) == {Part.TENGE, Part.CASES}


def test_terms_follow_one_another_and_an_empty_list_ends_the_last(book: Book) -> None:
    accepted(register(book, Authority.MINISTRY))
    first_us = TimestampUs(book.time_us)
    accepted(register(book))

    history = book.state.get(AUTHORITIES, "ministry")
    assert history is not None
    assert authorities_at(history, TimestampUs(first_us - 1)) == ()
    assert authorities_at(history, first_us) == (Authority.MINISTRY,)
    assert authorities_at(history, TimestampUs(book.time_us)) == ()
    assert [(term.from_us, term.until_us) for term in history] == [(first_us, book.time_us), (book.time_us, None)]
    assert reads(book, "ministry", Role.SUPERVISOR) == frozenset(), "the register stays open"


@pytest.mark.parametrize(
    ("participant", "authorities", "code"),
    [
        ("aix-one", (Authority.AFSA,), "participant_role_differs"),
        ("nobody", (Authority.AFSA,), "participant_role_differs"),
        ("ministry", (Authority.MINISTRY, Authority.AFM), "authorities_unsorted"),
        ("ministry", (Authority.AFM, Authority.AFM), "authorities_unsorted"),
        ("ministry", (), "authorities_unchanged"),
    ],
)
def test_what_cannot_be_is_refused(book: Book, participant: str, authorities: tuple[Authority, ...], code: str) -> None:
    assert refused_with(register(book, *authorities, participant=participant)) == code


def test_what_stands_is_not_registered_again(book: Book) -> None:
    accepted(register(book, Authority.MINISTRY))
    assert refused_with(register(book, Authority.MINISTRY)) == "authorities_unchanged"


@pytest.mark.parametrize("signers", [BOTH[:2], BOTH[:3], BOTH[1:]])
def test_neither_operator_nor_central_bank_registers_alone(book: Book, signers: tuple[str, ...]) -> None:
    body = AuthorityRegister(participant=ParticipantId("ministry"), authorities=(Authority.AFM,), order="decree-1")
    assert book.end("authority_register", body, by="operator", signers=signers) == "signatures_insufficient"


def test_a_history_has_room_for_so_many_terms_and_not_one_more(book: Book) -> None:
    for number in range(TERMS_MAX):
        accepted(register(book, *((Authority.AFM,) if number % 2 == 0 else ())))
    assert refused_with(register(book, Authority.AFM)) == "authority_terms_too_many"
