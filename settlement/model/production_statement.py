"""What a miner produced of a coin, lot by lot, valued at the published price of the date of receipt."""

from enum import StrEnum

from ledger.model.record import Record
from ledger.units import AmountField, DateField, LabelField, ParticipantField, TimestampField, TotalField
from settlement.model.prices import PriceReference
from settlement.model.production import LotState
from settlement.model.registers import CoinField

ROUNDING_TIYN = 1
"""Largest difference that is no difference: a pool may round to the nearest tiyn, the ledger rounds down."""


class ValueState(StrEnum):
    """What the published price says of the value a pool reported."""

    AGREES = "agrees"
    DIFFERS = "differs"
    """More than a tiyn apart: flagged for a person, never refused."""
    PRICE_MISSING = "price_missing"
    """The coin is on the price list and no price holds on the date: there is no value, which is not a value of 0."""
    NOT_LISTED = "not_listed"
    """The coin has no published price; what the pool reported is all there is."""


class LotValue(Record, frozen=True, kw_only=True):
    """The value of a lot: as the pool reported it, and by the published price of the date of receipt."""

    state: ValueState
    reported: TotalField
    """Tiyn."""
    published: TotalField | None = None
    """Tiyn, rounded down; absent where no price holds."""
    price: PriceReference | None = None


class ProducedLot(Record, frozen=True, kw_only=True):
    """One lot of a statement."""

    lot: str
    state: LotState
    distributed_us: TimestampField
    distributed_on: DateField
    quantity: AmountField
    """In the coin's smallest unit."""
    licence: LabelField
    value: LotValue
    supersedes: str | None = None
    superseded_by: str | None = None


class ProductionStatement(Record, frozen=True, kw_only=True):
    """What pools reported of one miner and coin; sums leave out corrected lots, which are listed all the same."""

    miner: ParticipantField
    coin: CoinField
    as_of: DateField
    """Lots distributed up to this local date."""
    produced: TotalField
    """Of lots under an active licence."""
    unlicensed: TotalField
    corrected: TotalField
    """Of lots that were taken back: in no other sum."""
    value_reported: TotalField
    """Tiyn, of all lots that stand."""
    value_published: TotalField
    """Tiyn, of those standing lots that have a published price; never read it without ``unvalued``."""
    unvalued: TotalField
    """How many standing lots have no published price."""
    differing: TotalField
    """How many standing lots have a reported value that differs from the published one."""
    lots: tuple[ProducedLot, ...]
    """By date of distribution."""
