"""Commitments made while a file is read, and their openings for the annex of the transaction (design D13)."""

from collections.abc import Iterable

from ledger.units import DigestField
from wallet_api.commitments import Opening, commitment


class Openings:
    """Makes commitments and keeps their openings, in the order they were made."""

    def __init__(self, persons: Iterable[Opening] = ()) -> None:
        """Begin with the persons who have a party id already: the opening of each, its value the IIN."""
        self._persons = {opening.value: opening for opening in persons}
        self._made: dict[Opening, None] = {}

    def fresh(self, value: str) -> DigestField:
        """Return a commitment of its own to a value: two to one value look unrelated."""
        made, opening = commitment(value)
        self._made[opening] = None
        return made

    def person(self, iin: str) -> DigestField:
        """Return the one commitment that is a person's party id, the same whenever the IIN is the same."""
        opening = self._persons.get(iin)
        if opening is None:
            _, opening = commitment(iin)
            self._persons[iin] = opening
        self._made[opening] = None
        return opening.commitment()

    def made(self) -> tuple[Opening, ...]:
        """Return the openings of all that was asked for: those of the annex."""
        return tuple(self._made)

    def persons(self) -> tuple[Opening, ...]:
        """Return the openings of all persons, to begin with the next time; they are kept as secret as the IINs are."""
        return tuple(self._persons.values())
