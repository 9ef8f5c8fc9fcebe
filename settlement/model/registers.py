"""What the registers hold: exchanges and their permissions, miners, licences, pools, coins and the price list."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from ledger.model.assets import SCALE_MAX
from ledger.model.record import Record
from ledger.units import DateField, DigestField, LabelField, ParticipantField
from settlement.model.identifiers import BinField
from settlement.model.intervals import History

CoinField = Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9]{1,11}\Z")]
"""Symbol of a coin: ``BTC``."""

ScaleField = Annotated[int, Meta(ge=0, le=SCALE_MAX)]
"""Decimal places of one whole coin."""

Subtype = Literal[1, 2]
"""Subtype of a mining licence: 1 with a data centre of one's own, 2 with hardware in another's."""


class Register(StrEnum):
    """The registers whose subjects have a history."""

    EXCHANGE = "exchange"
    POOL = "pool"
    LICENCE = "licence"
    SITE = "site"
    METER = "meter"
    PERMISSION = "permission"
    PRICE_LIST = "price_list"
    UTILITY = "utility"


class Activity(StrEnum):
    """What AFSA permits an exchange to do; each permission is granted by itself."""

    TRADING_FACILITY = "trading_facility"
    """Operating a digital asset trading facility: matching orders."""
    CUSTODY = "custody"
    BROKERAGE = "brokerage"
    """Dealing as agent, over the counter included."""
    PRINCIPAL = "principal"
    """Dealing as principal."""
    MONEY_SERVICES = "money_services"


class Exchange(Record, frozen=True, kw_only=True):
    """An exchange registered with the AIFC; keyed by its participant id."""

    licence: LabelField
    """Number of its AFSA licence."""
    history: History


class Pool(Record, frozen=True, kw_only=True):
    """An accredited digital mining pool; keyed by its participant id."""

    accreditation: LabelField
    history: History


class Miner(Record, frozen=True, kw_only=True):
    """A digital miner; keyed by its participant id. It has a BIN or, as an individual, a committed IIN."""

    name: DigestField
    """Commitment to its name."""
    bin: BinField | None = None
    iin: DigestField | None = None
    """Commitment to its IIN."""


class Licence(Record, frozen=True, kw_only=True):
    """A mining licence; keyed by its number."""

    miner: ParticipantField
    subtype: Subtype
    issued: DateField
    history: History


class Coin(Record, frozen=True, kw_only=True):
    """A coin as all exchanges count it; keyed by its symbol."""

    scale: ScaleField
    issued_by: LabelField | None = None
    """For a token that an exchange, or a firm of its group, issued itself: who. It is never admitted."""


class Permission(Record, frozen=True, kw_only=True):
    """A permission that AFSA granted an exchange; keyed by its number."""

    exchange: ParticipantField
    activity: Activity
    history: History


class ListedCoin(Record, frozen=True, kw_only=True):
    """A coin whose value the tax authority publishes, a closed list; keyed by its symbol."""

    history: History
