"""What client money and coins may move for: one row of a table for each purpose, and what the rows add up to.

A table that is right row by row may still be wrong as a whole: two harmless steps make a path. So :func:`reachable`
walks all rows from an owner's account and tells where its money can come to be, whose it is there, and for which
purposes it changed hands on the way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ledger.model.record import Record
from ledger.units import AmountField, ParticipantField, TotalField

Stuff = Literal["tenge", "coins"]
"""What moves. The two never turn into each other: a sale moves both, in opposite directions."""


class Purpose(StrEnum):
    """What client money or coins move for."""

    FUND_IN = "FUND_IN"
    """Somebody pays in from a bank."""
    MAKE_GOOD = "MAKE_GOOD"
    """The exchange pays what a client lost."""
    COIN_IN = "COIN_IN"
    """Coins that arrived at the exchange."""
    DVP_BUY = "DVP_BUY"
    """A buyer's tenge goes to the seller."""
    DVP_SELL = "DVP_SELL"
    """A seller's coins go to the buyer."""
    FEE = "FEE"
    """The exchange's posted fee."""
    TAX = "TAX"
    """Tax kept out of a sale."""
    REVERSAL = "REVERSAL"
    """A busted sale goes back."""
    FUND_OUT_SAME_OWNER = "FUND_OUT_SAME_OWNER"
    """Tenge returns to the same owner's wallet at a bank."""
    COIN_OUT = "COIN_OUT"
    """Coins go to the holder's own wallet on their chain."""
    COURT_ORDER = "COURT_ORDER"
    """A court, or who enforces its orders, takes it."""
    WINDDOWN_DISTRIBUTION = "WINDDOWN_DISTRIBUTION"
    """The administrator of a failed exchange returns tenge to the same owner's wallet at a bank."""


class Whose(StrEnum):
    """To whom something belongs after a move, as seen from who owned it before."""

    SAME = "same owner"
    COUNTERPARTY = "other side of the sale"
    EXCHANGE = "exchange"
    STATE = "state"
    NAMED = "whom payer or order names"


@dataclass(frozen=True, slots=True)
class Move:
    """One row: from which classes to which, for what, carried by which kinds, bounded by what."""

    purpose: Purpose
    stuff: tuple[Stuff, ...]
    from_classes: tuple[str, ...]
    to_classes: tuple[str, ...]
    kinds: tuple[str, ...]
    whose: Whose
    bound: str
    """What keeps it within its purpose, in words; the kinds' own rules enforce it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, and whose it is there as seen from the owner one started at."""

    account_class: str
    whose: Whose
    stuff: Stuff


class CourtOrder(Record, frozen=True, kw_only=True):
    """What an order takes from one account, in parts or at once; keyed ``<account>/<order>``."""

    supervisor: ParticipantField
    """Who carries it out."""
    ordered: AmountField
    """All that it takes, in the asset's smallest unit."""
    taken: TotalField
    """What was taken so far."""


def destinations(table: Iterable[Move], classes: Iterable[str]) -> Mapping[tuple[str, str, Stuff], frozenset[str]]:
    """Return where a kind may take something from an account of some classes: kind, class and stuff to classes."""
    found: dict[tuple[str, str, Stuff], frozenset[str]] = {}
    wanted = frozenset(classes)
    for move in table:
        for from_class in wanted.intersection(move.from_classes):
            for kind in move.kinds:
                for stuff in move.stuff:
                    key = (kind, from_class, stuff)
                    found[key] = found.get(key, frozenset()) | frozenset(move.to_classes)
    return found


def reachable(
    table: Iterable[Move], starts: Iterable[str], within: Iterable[str]
) -> Mapping[Place, frozenset[Purpose]]:
    """Return every place that something can come to by moves of the table, in any number.

    Args:
        table: the moves.
        starts: classes of the accounts where it is at first, of its owner.
        within: classes out of which the table alone leads; anywhere else its new owner disposes of it.

    Returns:
        Each place, those of the start too, with all purposes for which it may have changed hands on the way there.
    """
    moves, inside = tuple(table), frozenset(within)
    kinds_of_stuff: tuple[Stuff, ...] = ("tenge", "coins")
    found: dict[Place, frozenset[Purpose]] = {
        Place(start, Whose.SAME, stuff): frozenset() for start in starts for stuff in kinds_of_stuff
    }
    edge = list(found)
    while edge:
        place = edge.pop()
        if place.account_class not in inside:
            continue
        for move in moves:
            if place.account_class not in move.from_classes or place.stuff not in move.stuff:
                continue
            is_handed_on = move.whose is not Whose.SAME
            ways = found[place] | ({move.purpose} if is_handed_on else frozenset())
            for to_class in move.to_classes:
                following = Place(to_class, move.whose if is_handed_on else place.whose, place.stuff)
                known = found.get(following)
                if known is None or not ways <= known:
                    found[following] = ways | (known or frozenset())
                    edge.append(following)
    return found


def as_markdown(table: Iterable[Move]) -> str:
    """Return the table as a page shows it."""
    rows = [
        "| purpose | what | from | to | carried by | whose afterwards | bounded by |",
        "|---|---|---|---|---|---|---|",
    ]
    for move in table:
        names = [_names(each) for each in (move.from_classes, move.to_classes, move.kinds)]
        cells = (f"`{move.purpose}`", " and ".join(move.stuff), *names, str(move.whose), move.bound)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
