"""Production: what pools report in the columns of the official form, and the lots that follow from it."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    AmountField,
    DateField,
    DigestField,
    LabelField,
    ParticipantField,
    TimestampField,
    TotalField,
)
from settlement.model.identifiers import BinField
from settlement.model.registers import CoinField, Subtype

ROWS_PER_REPORT_MAX: Final = 1_000
"""Most rows of one report: about half a mebibyte, and its record still fits in one leaf."""

NumberField = Annotated[int, Meta(ge=1, le=2**31 - 1)]
"""A number that counts from 1: of a report, of a row."""


OutpointField = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}:(0|[1-9][0-9]{0,9})\Z")]
"""Output of a transaction on a chain: transaction id, colon, index without leading zeros, so that it has one spelling.
"""


class ProductionRow(Record, frozen=True, kw_only=True):
    """One distribution of coins from a pool to a miner, in the columns of the official form of 20 February 2026.

    The first eight columns are the form's; those from ``coin`` on could not be read and are assumed.
    """

    row: NumberField
    miner: ParticipantField
    bin: BinField | None = None
    iin: DigestField | None = None
    """Commitment to the IIN of an individual miner."""
    name: DigestField
    """Commitment to the miner's name."""
    licence: LabelField
    licence_date: DateField
    wallet: DigestField
    """Commitment to the wallet the coins went to."""
    distributed_us: TimestampField
    coin: CoinField
    quantity: AmountField
    """In the coin's smallest unit."""
    receipt_value: TotalField
    """Value in tiyn on the day of receipt, as the pool states it."""
    payout: OutpointField
    """The payout on the coin's chain, public there; one payout is reported once, by whichever pool."""


class LotState(StrEnum):
    """Whether a lot takes part in the quota."""

    OPEN = "open"
    UNLICENSED = "unlicensed"
    """The licence was not active in the moment of distribution: on record, no credit."""
    CORRECTED = "corrected"
    """The pool took the row back; what stands in its place, if anything, is another lot."""


class ProductionLot(Record, frozen=True, kw_only=True):
    """Coins that one row of a report brought into being; keyed ``<pool>/<report>/<row>``.

    A correction makes a lot of its own: its key has a version from 2 on, ``<pool>/<report>/<row>/<version>``.
    """

    miner: ParticipantField
    coin: CoinField
    quantity: AmountField
    distributed_us: TimestampField
    distributed_on: DateField
    """The local date in Kazakhstan, which fixes the share of the quota."""
    licence: LabelField
    subtype: Subtype
    receipt_value: TotalField
    state: LotState
    supersedes: str | None = None
    """For a lot that a correction brought: the key of the one it stands for."""
    superseded_by: str | None = None
    """For a corrected lot: the key of the one in its place; None where the row was withdrawn."""
