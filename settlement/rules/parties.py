"""Parties and what they are to each other: groups, owners, controllers, boards, terms in public office.

What is registered here is read by whoever must tell an affiliate from a stranger: :func:`related`. A relation or term
has a start and, known at once or later, an end; it is never taken out. Nothing here asks whether a relation is good.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Proposal, Submitted
from ledger.rules.tables import PARTICIPANTS
from ledger.state import View
from ledger.units import DigestField, OrderField, TimestampField, TimestampUs
from settlement.model.identifiers import has_valid_check_digit
from settlement.model.parties import (
    EXPOSURES_MAX,
    RELATIONS_MAX,
    Exposed,
    Exposure,
    Party,
    PartyField,
    PartyForm,
    Relation,
    RelationKind,
    end_of,
    exposure_at,
    form_of,
    holds,
)
from settlement.rules.miners import BIN_CHECK_DIGIT_WRONG, BIN_TAKEN
from settlement.rules.registry import INTERVAL_EMPTY
from settlement.rules.tables import BINS, EXPOSURES, PARTIES, RELATED

DEPTH_MAX: Final = 4
"""Farthest relation that is followed: the owner of the owner of the owner of a group. What lies behind is not found."""

INFLUENCES_MAX: Final = 256
"""Most parties that are looked at behind one: the nearest come first, so that a sale costs what it may cost."""

SAME: Final = "same"
"""What a party is to itself."""

_CLOSENESS: Final = tuple(RelationKind)


class RegistryParty(Record, frozen=True, kw_only=True):
    """Register a group, a legal entity or a person."""

    party: PartyField
    name: DigestField
    """Commitment to its name."""


class RegistryRelation(Record, frozen=True, kw_only=True):
    """Register what another party is to a party, or give the end to a relation of this start that has none."""

    party: PartyField
    other: PartyField
    """Its group, owner, controller, or member of its board."""
    relation: RelationKind
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryExposure(Record, frozen=True, kw_only=True):
    """Register a term in a public office, or give the end to a term of this start that has none."""

    party: PartyField
    from_us: TimestampField
    until_us: TimestampField | None = None
    watched_until_us: TimestampField | None = None
    """End of the cooling-off period."""
    basis: OrderField


PARTY_UNKNOWN = RefusalCode(
    "party_unknown", "The party is no participant, no client of an exchange, and was not registered."
)
PARTY_NOT_REGISTRABLE = RefusalCode(
    "party_not_registrable", "A participant or client is known as such and is not registered as a party."
)
PARTY_REGISTERED = RefusalCode("party_registered", "The party is registered.")
RELATION_TO_ITSELF = RefusalCode("relation_to_itself", "A party has no relation to itself.")
RELATION_OVERLAPS = RefusalCode(
    "relation_overlaps", "The relation or term overlaps one of the same parties and kind that stands."
)
RELATIONS_TOO_MANY = RefusalCode("relations_too_many", "The party has no room for another relation or term.")

PARTY_REFUSALS: Final = (PARTY_NOT_REGISTRABLE, PARTY_REGISTERED, BIN_CHECK_DIGIT_WRONG, BIN_TAKEN)
RELATION_REFUSALS: Final = (
    PARTY_UNKNOWN,
    RELATION_TO_ITSELF,
    INTERVAL_EMPTY,
    RELATION_OVERLAPS,
    RELATIONS_TOO_MANY,
)
EXPOSURE_REFUSALS: Final = (PARTY_UNKNOWN, INTERVAL_EMPTY, RELATION_OVERLAPS, RELATIONS_TOO_MANY)


def related(view: View, a: str, b: str, moment: TimestampUs) -> str | None:
    """Return how two parties were related at a moment, or None if the register knows of nothing.

    They are related if one is, directly or through others, the group, owner, controller or board member of the other,
    or if some third party is that of both. The answer is a ``RelationKind``: a chain is as close as its last step, and
    a common third party as close as its farther side; of several, the closest. ``same`` for one party.

    Args:
        view: the state.
        a: a party, see ``PartyField``; of a client, ``client_party(exchange, holder)``.
        b: another party.
        moment: microseconds since 1970-01-01T00:00:00Z.
    """
    if a == b:
        return SAME
    of_a, of_b = influences(view, a, moment), influences(view, b, moment)
    kinds = [found[other] for found, other in ((of_a, b), (of_b, a)) if other in found]
    kinds += [max(of_a[third], of_b[third], key=_CLOSENESS.index) for third in of_a.keys() & of_b.keys()]
    return min(kinds, key=_CLOSENESS.index).value if kinds else None


def influences(view: View, party: str, moment: TimestampUs) -> dict[str, RelationKind]:
    """Return the parties behind a party at a moment, each with what it is to the one before it; nearest first."""
    found: dict[str, RelationKind] = {}
    edge = [party]
    for _ in range(DEPTH_MAX):
        following: list[str] = []
        for each in edge:
            for relation in view.get(RELATED, each) or ():
                if relation.other == party or relation.other in found or not holds(relation, moment):
                    continue
                if len(found) == INFLUENCES_MAX:
                    return found
                found[relation.other] = relation.kind
                following.append(relation.other)
        edge = following
    return found


def exposed(view: View, party: str, moment: TimestampUs) -> Exposed | None:
    """Return how a party was politically exposed at a moment, if it was."""
    return exposure_at(view.get(EXPOSURES, party) or (), moment)


def refuse_party(view: View, party: str) -> Refused | None:
    """Refuse a party that nobody knows."""
    form = form_of(party)
    if form is PartyForm.PARTICIPANT:
        is_known = view.get(PARTICIPANTS, party) is not None
    elif form is PartyForm.CLIENT:
        exchange = view.get(PARTICIPANTS, party.partition("/")[0])
        is_known = exchange is not None and exchange.role is Role.EXCHANGE
    else:
        is_known = view.get(PARTIES, party) is not None
    return None if is_known else Refused(PARTY_UNKNOWN, detail=f"party {party}")


def decide_party(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a group, legal entity or person into the register."""
    body: RegistryParty = submitted.signed.body
    form = form_of(body.party)
    if form in (PartyForm.PARTICIPANT, PartyForm.CLIENT):
        return Refused(PARTY_NOT_REGISTRABLE, detail=f"party {body.party}")
    if view.get(PARTIES, body.party) is not None:
        return Refused(PARTY_REGISTERED, detail=f"party {body.party}")
    if form is PartyForm.ENTITY:
        number = body.party.removeprefix("bin:")
        if not has_valid_check_digit(number):
            return Refused(BIN_CHECK_DIGIT_WRONG, detail=f"BIN {number}")
        if (miner := view.get(BINS, number)) is not None:
            return Refused(BIN_TAKEN, detail=f"BIN {number} belongs to {miner}")
    return Proposal(changes=((PARTIES, body.party, Party(name=body.name)),), record={})


def decide_relation(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a relation into the register, or its end."""
    body: RegistryRelation = submitted.signed.body
    if refused := refuse_party(view, body.party) or refuse_party(view, body.other):
        return refused
    if body.party == body.other:
        return Refused(RELATION_TO_ITSELF, detail=f"party {body.party}")
    relation = Relation(other=body.other, kind=body.relation, from_us=body.from_us, until_us=body.until_us)
    standing = view.get(RELATED, body.party) or ()
    alike = [each for each in standing if (each.other, each.kind) == (relation.other, relation.kind)]
    longer = _with(standing, alike, relation, limit=RELATIONS_MAX)
    return longer if isinstance(longer, Refused) else Proposal(changes=((RELATED, body.party, longer),), record={})


def decide_exposure(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a term in a public office into the register, or its end."""
    body: RegistryExposure = submitted.signed.body
    if refused := refuse_party(view, body.party):
        return refused
    exposure = Exposure(
        from_us=body.from_us, until_us=body.until_us, watched_until_us=body.watched_until_us, basis=body.basis
    )
    if exposure.watched_until_us is not None and exposure.watched_until_us < end_of(exposure):
        return Refused(INTERVAL_EMPTY, detail=f"watched until {exposure.watched_until_us}, before the end of the term")
    standing = view.get(EXPOSURES, body.party) or ()
    longer = _with(standing, standing, exposure, limit=EXPOSURES_MAX)
    return longer if isinstance(longer, Refused) else Proposal(changes=((EXPOSURES, body.party, longer),), record={})


Dated = TypeVar("Dated", bound=Relation | Exposure)


def _with(
    standing: tuple[Dated, ...], alike: Iterable[Dated], added: Dated, *, limit: int
) -> tuple[Dated, ...] | Refused:
    """The row with one more, or with the end of one that had none."""
    if end_of(added) <= added.from_us:
        return Refused(INTERVAL_EMPTY, detail=f"from {added.from_us} until {added.until_us}")
    for other in alike:
        if other.until_us is None and added.until_us is not None and other.from_us == added.from_us:
            return tuple(added if each is other else each for each in standing)
        if added.from_us < end_of(other) and other.from_us < end_of(added):
            return Refused(RELATION_OVERLAPS, detail=f"one stands from {other.from_us} until {other.until_us}")
    if len(standing) == limit:
        return Refused(RELATIONS_TOO_MANY, detail=f"{limit} stand")
    return (*standing, added)
