"""Where mining happens and what feeds it: data centres and their meters."""

from enum import StrEnum

from ledger.model.record import Record
from ledger.units import LabelField
from settlement.model.intervals import History
from settlement.model.parties import PartyField


class Zone(StrEnum):
    """A zone of the electricity market, each with a session of its own."""

    NORTH_SOUTH = "north_south"
    """The joint zone."""
    WEST = "west"


class EnergySource(StrEnum):
    """Where the electricity of a meter comes from, as far as the levy asks."""

    AUCTION = "auction"
    """Surplus bought in a session of the market."""
    GRID = "grid"
    """Bought from the grid otherwise."""
    IMPORT = "import"
    OWN = "own"
    """Own generation, off the grid."""
    OWN_RENEWABLE = "own_renewable"


class Site(Record, frozen=True, kw_only=True):
    """A mining data centre; keyed by its number."""

    operator: PartyField
    """Who holds it; a mere host need not be a miner."""
    zone: Zone
    history: History


class Meter(Record, frozen=True, kw_only=True):
    """A meter in a data centre; keyed by its number. Who draws through it, the readings say."""

    site: LabelField
    source: EnergySource
    """Where the energy comes from."""
    history: History
