"""Commitments made while a file is read, and their openings."""

from wallet_api.openings import Openings


def test_two_commitments_to_one_value_look_unrelated_and_each_is_opened() -> None:
    openings = Openings()
    made = [openings.fresh("a name"), openings.fresh("a name")]

    assert made[0] != made[1]
    assert [opening.commitment() for opening in openings.made()] == made


def test_a_person_has_one_commitment_wherever_it_stands() -> None:
    openings = Openings()
    person = openings.person("900101300017")

    assert openings.person("900101300017") == person
    assert len(openings.made()) == len(openings.persons()) == 1
    later = Openings(openings.persons())
    assert later.made() == ()
    assert later.person("900101300017") == person
    assert later.person("other") != person
    assert len(later.made()) == len(later.persons()) == 2
