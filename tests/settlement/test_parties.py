"""Who belonged with whom, and who was in office, at a moment."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.opening import NotAdmissible
from ledger.state import Overlay
from ledger.units import ParticipantId, TimestampUs
from settlement.model.parties import (
    EXPOSURES_MAX,
    RELATIONS_MAX,
    Exposed,
    PartyForm,
    Relation,
    RelationKind,
    client_party,
    form_of,
)
from settlement.rules import RULEBOOK
from settlement.rules.parties import DEPTH_MAX, INFLUENCES_MAX, exposed, influences, related
from settlement.rules.register_load import ExposureRow, PartyRow, RelationRow
from settlement.rules.tables import EXPOSURES, RELATED
from tests.book import START_US, Book, refused_with
from tests.settlement.market import BIN, YEAR_US, accepted, commitment, registered_market
from tests.settlement.test_register_load import load

NOW = TimestampUs(START_US)
PERSON = commitment("a person")
OTHER = commitment("another person")
ENTITY = "bin:100000000205"


@pytest.fixture
def book() -> Book:
    book = registered_market()
    parties = [PartyRow(party=party, name=commitment(party)) for party in ("group:steppe", PERSON, OTHER, ENTITY)]
    accepted(load(book, *parties))
    return book


def relation(party: str, other: str, kind: str = "owner", **members: Any) -> RelationRow:
    whole: dict[str, Any] = {"from_us": TimestampUs(START_US - YEAR_US)} | members
    return RelationRow(party=party, other=other, relation=RelationKind(kind), **whole)


def test_a_party_has_one_of_five_forms() -> None:
    assert form_of("miner-one") is PartyForm.PARTICIPANT
    assert form_of("group:steppe") is PartyForm.GROUP
    assert form_of(ENTITY) is PartyForm.ENTITY
    assert form_of(PERSON) is PartyForm.PERSON
    assert form_of(client_party(ParticipantId("aix-one"), "client-a")) is PartyForm.CLIENT


@pytest.mark.parametrize("party", ["900101300017", "aix-one/900101300017", "bin:1", "group:", "Steppe", "", "a\n"])
def test_nobody_is_named_by_a_bare_number_or_a_name(book: Book, party: str) -> None:
    with pytest.raises(NotAdmissible):
        load(book, relation("miner-one", party))


@pytest.mark.parametrize(
    ("party", "code"),
    [
        ("miner-one", "party_not_registrable"),
        ("aix-one/client-a", "party_not_registrable"),
        ("group:steppe", "party_registered"),
        ("bin:123456789012", "bin_check_digit_wrong"),
        (f"bin:{BIN}", "bin_taken"),
    ],
)
def test_a_party_that_cannot_be_registered_is_refused(book: Book, party: str, code: str) -> None:
    assert refused_with(load(book, PartyRow(party=party, name=commitment("x")))) == code


@pytest.mark.parametrize(
    "party", ["nobody", "group:nobody", "bank-a/client-a", "nobody/client-a", commitment("nobody")]
)
def test_a_relation_is_between_known_parties(book: Book, party: str) -> None:
    assert refused_with(load(book, relation("miner-one", party))) == "party_unknown"
    assert refused_with(load(book, relation(party, "miner-one"))) == "party_unknown"
    assert refused_with(load(book, ExposureRow(party=party, from_us=NOW, basis="D-1"))) == "party_unknown"


def test_a_relation_that_cannot_be_is_refused(book: Book) -> None:
    assert refused_with(load(book, relation("miner-one", "miner-one"))) == "relation_to_itself"
    assert refused_with(load(book, relation("miner-one", PERSON, from_us=NOW, until_us=NOW))) == "interval_empty"
    accepted(load(book, relation("miner-one", PERSON, from_us=NOW)))
    assert refused_with(load(book, relation("miner-one", PERSON))) == "relation_overlaps"
    assert refused_with(load(book, relation("miner-one", PERSON, from_us=NOW))) == "relation_overlaps"
    accepted(load(book, relation("miner-one", PERSON, "board", from_us=NOW)))


def test_a_relation_is_ended_later_and_its_end_does_not_belong_to_it(book: Book) -> None:
    accepted(load(book, relation("miner-one", PERSON)))
    accepted(load(book, relation("miner-one", OTHER)))
    accepted(load(book, relation("miner-one", PERSON, until_us=TimestampUs(START_US + 10))))

    moments = [TimestampUs(START_US + after) for after in (9, 10)]
    assert [related(book.state, "miner-one", PERSON, moment) for moment in moments] == ["owner", None]
    again = relation("miner-one", PERSON, until_us=TimestampUs(START_US + 20))
    assert refused_with(load(book, again)) == "relation_overlaps"
    accepted(load(book, relation("miner-one", PERSON, from_us=TimestampUs(START_US + 10))))


def test_a_party_has_so_many_relations_at_most(book: Book) -> None:
    rows = [
        relation("miner-one", PERSON, from_us=TimestampUs(number), until_us=TimestampUs(number + 1))
        for number in range(RELATIONS_MAX)
    ]
    accepted(load(book, *rows))

    assert refused_with(load(book, relation("miner-one", PERSON))) == "relations_too_many"


def test_a_party_is_itself_and_strangers_are_strangers(book: Book) -> None:
    assert related(book.state, "miner-one", "miner-one", NOW) == "same"
    assert related(book.state, "miner-one", "aix-one", NOW) is None


def test_who_owns_both_relates_them_as_at_the_failed_exchange(book: Book) -> None:
    accepted(
        load(
            book,
            relation("aix-one", PERSON),
            relation("aix-one/fund", PERSON),
            relation("miner-one", "group:steppe", "group"),
            relation("group:steppe", PERSON, "board"),
        )
    )

    fund = client_party(ParticipantId("aix-one"), "fund")
    assert related(book.state, "aix-one", fund, NOW) == "owner"
    assert related(book.state, fund, "aix-one", NOW) == "owner"
    assert related(book.state, "miner-one", "aix-one", NOW) == "board", "no closer than the farther side"
    assert related(book.state, "miner-one", PERSON, NOW) == "board", "a chain is as close as its last step"
    assert related(book.state, PERSON, "miner-one", NOW) == "board"
    assert related(book.state, "miner-one", fund, TimestampUs(START_US - YEAR_US - 1)) is None


def test_of_several_relations_the_closest_is_named(book: Book) -> None:
    rows = [
        relation(party, other, kind)
        for party in ("miner-one", "aix-one")
        for other, kind in ((PERSON, "board"), (OTHER, "controls"), (ENTITY, "owner"), ("group:steppe", "group"))
    ]
    for count, kind in ((1, "board"), (2, "controls"), (3, "owner"), (4, "group")):
        accepted(load(book, rows[count - 1], rows[4 + count - 1]))
        assert related(book.state, "miner-one", "aix-one", NOW) == kind


def test_a_circle_of_owners_ends(book: Book) -> None:
    accepted(load(book, relation("miner-one", PERSON), relation(PERSON, OTHER), relation(OTHER, "miner-one")))

    assert influences(book.state, "miner-one", NOW) == {PERSON: "owner", OTHER: "owner"}


def test_what_lies_too_far_behind_is_not_found(book: Book) -> None:
    chain = ["miner-one", *(f"group:g{number}" for number in range(DEPTH_MAX + 1))]
    accepted(load(book, *(PartyRow(party=party, name=commitment(party)) for party in chain[1:])))
    accepted(load(book, *(relation(party, other) for party, other in itertools.pairwise(chain))))

    assert related(book.state, "miner-one", chain[DEPTH_MAX], NOW) == "owner"
    assert related(book.state, "miner-one", chain[DEPTH_MAX + 1], NOW) is None


def test_so_many_are_looked_at_behind_one_the_nearest_first() -> None:
    state = RULEBOOK.empty_state()
    overlay = Overlay(state)
    near = [f"group:near{number}" for number in range(RELATIONS_MAX)]
    for party, others in [("miner-one", near), *((each, [f"{each}-{n}" for n in range(4)]) for each in near)]:
        overlay.put(
            RELATED,
            party,
            tuple(Relation(other=other, kind=RelationKind.OWNER, from_us=TimestampUs(0)) for other in others),
        )

    found = influences(overlay, "miner-one", NOW)
    assert len(found) == INFLUENCES_MAX
    assert set(near) <= set(found)


NAMES = ("a", "b", "c", "d", "e")
edges = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(RelationKind)), max_size=8)


@given(edges)
def test_relations_are_found_as_by_walking_every_path(edges: list[tuple[str, str, RelationKind]]) -> None:
    overlay = Overlay(RULEBOOK.empty_state())
    for name in NAMES:
        others = [Relation(other=b, kind=kind, from_us=TimestampUs(0)) for a, b, kind in edges if a == name]
        overlay.put(RELATED, name, tuple(others))
    behind = {name: {name} for name in NAMES}
    for _ in range(DEPTH_MAX):
        behind = {name: seen | {b for a, b, _ in edges if a in seen} for name, seen in behind.items()}

    for a in NAMES:
        for b in NAMES:
            assert (related(overlay, a, b, NOW) is not None) == bool(behind[a] & behind[b])
            assert related(overlay, a, b, NOW) == related(overlay, b, a, NOW)


def test_an_official_is_watched_for_a_while_after_the_office(book: Book) -> None:
    row = ExposureRow(
        party=PERSON,
        from_us=TimestampUs(START_US),
        until_us=TimestampUs(START_US + 10),
        watched_until_us=TimestampUs(START_US + 20),
        basis="decree-1",
    )
    accepted(load(book, row))

    moments = [TimestampUs(START_US + after) for after in (-1, 0, 9, 10, 19, 20)]
    assert [exposed(book.state, PERSON, moment) for moment in moments] == [
        None,
        Exposed.IN_OFFICE,
        Exposed.IN_OFFICE,
        Exposed.COOLING_OFF,
        Exposed.COOLING_OFF,
        None,
    ]


def test_a_term_that_cannot_be_is_refused(book: Book) -> None:
    def term(**members: Any) -> ExposureRow:
        whole: dict[str, Any] = {"party": PERSON, "from_us": NOW, "basis": "decree-1"} | members
        return ExposureRow(**whole)

    later = TimestampUs(START_US + 10)
    assert refused_with(load(book, term(until_us=NOW))) == "interval_empty"
    assert refused_with(load(book, term(until_us=later, watched_until_us=NOW))) == "interval_empty"
    assert refused_with(load(book, term(watched_until_us=later))) == "interval_empty"
    accepted(load(book, term()))
    assert refused_with(load(book, term(from_us=later))) == "relation_overlaps"
    accepted(load(book, term(until_us=later, watched_until_us=later)))
    rows = [term(from_us=TimestampUs(n), until_us=TimestampUs(n + 1)) for n in range(EXPOSURES_MAX)]
    assert refused_with(load(book, *rows)) == "relations_too_many"
    accepted(load(book, *rows[:-1]))
    standing = book.state.get(EXPOSURES, PERSON)
    assert standing is not None
    assert len(standing) == EXPOSURES_MAX
