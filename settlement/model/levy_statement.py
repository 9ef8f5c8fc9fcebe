"""The levy statement of one miner and one quarter."""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import DigestField, LabelField, ParticipantField, TextField, TotalField
from settlement.model.energy import KwhTotalField, Sources
from settlement.model.levy_regimes import RateField
from settlement.model.quarters import DueDate, QuarterField
from settlement.model.quota_policies import LegalStatus

UNVERIFIED: Final = "unverified band"
"""Said of every line whose rate no source could be found for."""


class LevyPaid(Record, frozen=True, kw_only=True):
    """What was paid for a quarter so far; keyed ``<miner>/<quarter>``."""

    amount: TotalField
    """Tiyn."""
    payments: Annotated[int, Meta(ge=0)]


class LevyLine(Record, frozen=True, kw_only=True):
    """The levy on the energy of one set of sources."""

    sources: Sources
    is_unmetered: bool = False
    energy_kwh: KwhTotalField
    rate: RateField
    """Tiyn for one kWh: the highest of those that apply."""
    decided_by: LabelField
    """What has this rate: the source, the want of a meter, or the band of the average price."""
    amount: TotalField
    """Tiyn."""
    note: TextField | None = None
    """``unverified band`` where it is."""


class LevyStatement(Record, frozen=True, kw_only=True):
    """What a miner owes for a quarter and what it paid; amounts in tiyn, energy in kWh.

    It rests on the readings the ledger holds now: a reading more, or a correction, makes another statement.
    """

    miner: ParticipantField
    quarter: QuarterField
    energy_kwh: KwhTotalField
    priced_kwh: KwhTotalField
    """The part of it that was bought at a known price."""
    cost: TotalField
    """What that part cost in tiyn, without value added tax; the average price is ``cost`` by ``priced_kwh``."""
    average_price: TotalField | None = None
    """Tiyn for one kWh, rounded down, for reading only; none where nothing was bought."""
    lines: tuple[LevyLine, ...]
    levy: TotalField
    paid: TotalField
    outstanding: TotalField
    overpaid: TotalField
    regime: LabelField | None = None
    """None where there is no levy."""
    declaration: DueDate | None = None
    """None where no declaration is asked for."""
    payment: DueDate | None = None
    legal_source: TextField
    legal_status: LegalStatus | None = None
    has_unverified_rate: bool
    is_basis_assumed: bool
    basis_note: TextField
    inputs: DigestField
    """SHA-256 over regime, energy and payments: equal inputs, equal statement."""
