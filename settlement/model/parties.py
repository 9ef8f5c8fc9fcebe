"""Who belongs with whom: groups, owners, controllers, boards, and politically exposed persons, each with its dates.

A party is written in one of five forms: a participant (``miner-one``), a group (``group:steppe``), a legal entity that
is no participant (``bin:`` and its BIN), a person (the commitment to the IIN, 43 characters, one for each person), or
a client of an exchange (``aix-one/client-a``). So nobody's name or IIN stands in the log.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    LABEL_PATTERN,
    TIMESTAMP_MAX,
    DigestField,
    OrderField,
    ParticipantId,
    TimestampField,
    TimestampUs,
)

RELATIONS_MAX: Final = 64
"""Most relations of one party: some dozen owners and seats, with their history, and a row of the state stays small."""

EXPOSURES_MAX: Final = 16
"""Most terms of office of one party."""

_PARTICIPANT: Final = r"[a-z][a-z0-9-]{0,30}[a-z0-9]"

PartyField = Annotated[
    str,
    Meta(
        pattern=rf"\A({_PARTICIPANT}|group:[a-z0-9-]{{1,32}}|bin:[0-9]{{12}}|[A-Za-z0-9_-]{{43}}"
        rf"|{_PARTICIPANT}/(?![0-9]{{12}}\Z){LABEL_PATTERN})\Z"
    ),
]
"""A participant, a group, a legal entity by BIN, a person by commitment, or a client as ``<exchange>/<holder>``."""


class PartyForm(StrEnum):
    """Which of the five forms a party has."""

    PARTICIPANT = "participant"
    GROUP = "group"
    ENTITY = "entity"
    PERSON = "person"
    CLIENT = "client"


class RelationKind(StrEnum):
    """What another party is to a party, the closest first."""

    GROUP = "group"
    """The group it belongs to."""
    OWNER = "owner"
    """A beneficial owner."""
    CONTROLS = "controls"
    """Controls it otherwise: by contract, by votes, as a relative."""
    BOARD = "board"
    """Sits on its board, or manages it."""


class Relation(Record, frozen=True, kw_only=True):
    """What ``other`` is to the party under whose key this stands: [from, until)."""

    other: PartyField
    kind: RelationKind
    from_us: TimestampField
    until_us: TimestampField | None = None
    """The first moment it no longer holds; None: no end is known."""


class Party(Record, frozen=True, kw_only=True):
    """A group, legal entity or person that is no participant; keyed by the party."""

    name: DigestField
    """Commitment to its name."""


class Exposure(Record, frozen=True, kw_only=True):
    """A term in a public office, and the time after it that is still watched."""

    from_us: TimestampField
    until_us: TimestampField | None = None
    """The first moment out of office; None: no end is known."""
    watched_until_us: TimestampField | None = None
    """The end of the cooling-off period, if there is one; not before ``until_us``."""
    basis: OrderField
    """Number of what it rests on."""


class Exposed(StrEnum):
    """How a party is politically exposed at a moment."""

    IN_OFFICE = "in_office"
    COOLING_OFF = "cooling_off"


def form_of(party: str) -> PartyForm:
    """Return the form of a party that fits ``PartyField``."""
    if "/" in party:
        return PartyForm.CLIENT
    if party.startswith("group:"):
        return PartyForm.GROUP
    if party.startswith("bin:"):
        return PartyForm.ENTITY
    return PartyForm.PERSON if len(party) == 43 else PartyForm.PARTICIPANT


def client_party(exchange: ParticipantId, holder: str) -> str:
    """Return the party that a client of an exchange is."""
    return f"{exchange}/{holder}"


def holds(interval: Relation | Exposure, moment: TimestampUs) -> bool:
    """Whether a moment lies in a relation or term: its start does, its end does not."""
    return interval.from_us <= moment < end_of(interval)


def end_of(interval: Relation | Exposure) -> int:
    """Return the first moment after a relation or term; past every timestamp if none is known."""
    return TIMESTAMP_MAX + 1 if interval.until_us is None else interval.until_us


def exposure_at(exposures: tuple[Exposure, ...], moment: TimestampUs) -> Exposed | None:
    """Return how the terms of a party expose it at a moment; an office counts before a cooling-off period."""
    if any(holds(exposure, moment) for exposure in exposures):
        return Exposed.IN_OFFICE
    if any(end_of(exposure) <= moment < (exposure.watched_until_us or 0) for exposure in exposures):
        return Exposed.COOLING_OFF
    return None
