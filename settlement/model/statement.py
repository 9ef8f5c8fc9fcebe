"""The quota statement of one miner and one coin."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import DateField, DigestField, LabelField, ParticipantField, TextField, TotalField
from settlement.model.claims import Reason
from settlement.model.quota_policies import Basis, Excess, LegalStatus, Period
from settlement.model.registers import CoinField


class LotScope(StrEnum):
    """Whether a lot carries an obligation."""

    IN_SCOPE = "in_scope"
    OUT_OF_SCOPE = "out_of_scope"
    """No policy held on the distribution date, or its scope leaves out the licence's subtype or the miner."""
    UNLICENSED = "unlicensed"
    CORRECTED = "corrected"
    """The pool took the row back."""


class Column(StrEnum):
    """Where a sale settled; the two are never added without saying so."""

    SETTLED_ON_LEDGER = "settled_on_ledger"
    """Proved here."""
    ATTESTED_OFF_LEDGER = "attested_off_ledger"
    """Signed by the exchange, not proved."""


class ClaimState(StrEnum):
    """What a sale counts for."""

    PENDING = "pending"
    """Not final: nothing is counted."""
    COUNTED = "counted"
    PARTIAL = "partial"
    UNMATCHED = "unmatched"
    """No lot covers it yet; a later report may bring one that is not younger than the sale."""
    OUT_OF_SCOPE = "out_of_scope"
    """The miner's lots that could cover it carry no duty."""
    HELD = "held"
    """Not counted until a person decides."""
    DISQUALIFIED = "disqualified"
    REVERSED = "reversed"
    """Undone as a whole."""


class LotLine(Record, frozen=True, kw_only=True):
    """One lot and what was counted on it, in the coin's smallest unit."""

    lot: str
    distributed_on: DateField
    quantity: TotalField
    scope: LotScope
    policy: LabelField | None = None
    obligation: TotalField = 0
    counted_obligation: TotalField = 0
    counted_beyond: TotalField = 0
    """Counted on the part the miner need not sell."""
    carried: TotalField = 0
    """Duty met by earlier sales beyond the duty of their time, where a policy carries them."""
    shortfall: TotalField = 0


class Allocation(Record, frozen=True, kw_only=True):
    """A part of a sale, counted on a lot."""

    lot: str
    quantity: TotalField
    is_obligation: bool


class ClaimLine(Record, frozen=True, kw_only=True):
    """One sale and the lots that cover it."""

    claim: str
    executed_on: DateField
    quantity: TotalField
    """Less what was undone."""
    state: ClaimState
    unmatched: TotalField = 0
    allocations: tuple[Allocation, ...] = ()
    column: Column = Column.SETTLED_ON_LEDGER
    reasons: tuple[Reason, ...] = ()
    """Why it is held or disqualified, or why one might ask."""
    reversed: TotalField = 0
    """What was undone of it."""


class PolicyLine(Record, frozen=True, kw_only=True):
    """A policy that decided something here, and how sure it is."""

    policy: LabelField
    share_numerator: int
    share_denominator: int
    basis: Basis
    period: Period = Period.LOT_CUMULATIVE
    excess: Excess = Excess.NO_CARRY
    legal_source: TextField
    legal_status: LegalStatus


class Order(StrEnum):
    """In which order sales fill lots."""

    OBLIGATION_FIRST = "obligation_first"
    """The duty of each lot, oldest first; then the rest, oldest first."""
    OLDEST_FIRST = "oldest_first"
    """Each lot as a whole before the next: for comparison, no policy names it."""


MeasureField = Annotated[int, Meta(ge=0)]
"""A sum in the coin's smallest unit or in tiyn; the sum of all coins' values has no other bound."""


class PeriodLine(Record, frozen=True, kw_only=True):
    """One year or quarter on one basis."""

    period: str
    """``2025`` or ``2025-Q1``."""
    produced: MeasureField
    obligation: MeasureField
    counted: MeasureField
    carried: MeasureField = 0
    """Duty met by what earlier periods sold beyond theirs."""
    shortfall: MeasureField


class BasisResult(Record, frozen=True, kw_only=True):
    """What lots and sales come to on one basis: in the coin's smallest unit, or by value in tiyn."""

    basis: Basis
    period: Period
    order: Order = Order.OBLIGATION_FIRST
    coin: CoinField | None = None
    """None: all coins pooled."""
    produced: MeasureField
    """Of lots in scope."""
    obligation: MeasureField
    counted: MeasureField
    """The ratio is ``counted`` to ``produced``; never read it without the shortfall."""
    carried: MeasureField = 0
    shortfall: MeasureField
    periods: tuple[PeriodLine, ...] = ()
    unvalued: int = 0
    """Lots in scope whose value at receipt is not known; by value they count nothing."""
    named_by: tuple[LabelField, ...] = ()
    """Policies used here that name this basis and period; empty: for comparison only."""
    note: TextField


class Totals(Record, frozen=True, kw_only=True):
    """Sums over settled and attested sales together; what the shortfall proved here is stands in the statement."""

    attested: TotalField
    """Sold off this ledger, as the exchanges attest."""
    counted: TotalField
    counted_obligation: TotalField
    shortfall: TotalField
    unmatched: TotalField


class QuotaStatement(Record, frozen=True, kw_only=True):
    """Where one miner stands with one coin; quantities in the coin's smallest unit.

    Its sums count sales settled on this ledger, quantity per coin, lot by lot. Sales an exchange attests from elsewhere
    are another column, never added silently; other readings of the law stand side by side in ``bases``.
    """

    miner: ParticipantField
    coin: CoinField
    as_of: DateField
    """Lots distributed and sales executed up to this local date."""
    produced: TotalField
    """Of lots in scope."""
    unlicensed: TotalField
    """Of lots without an active licence: no credit."""
    out_of_scope: TotalField
    obligation: TotalField
    counted_obligation: TotalField
    counted: TotalField
    """Of lots in scope, sold: the ratio is ``counted`` to ``produced``; never read it without the shortfall."""
    shortfall: TotalField
    sold: TotalField
    """Less what was undone; what is held or disqualified included."""
    unmatched: TotalField
    lots: tuple[LotLine, ...]
    claims: tuple[ClaimLine, ...]
    policies: tuple[PolicyLine, ...]
    """Those in force on the distribution date of some lot."""
    is_basis_assumed: bool
    """Whether any policy that could decide something here is not confirmed."""
    basis_note: TextField
    inputs: DigestField
    """SHA-256 over policies, lots, claims and what is said of them: equal inputs, equal statement."""
    corrected: TotalField = 0
    """Of lots that the pools took back."""
    carried: TotalField = 0
    held: TotalField = 0
    """Sold, and not counted until a person decides."""
    disqualified: TotalField = 0
    pending: TotalField = 0
    """Not sold yet."""
    with_attested: Totals | None = None
    """The same with the attested sales; None: there are none."""
    bases: tuple[BasisResult, ...] = ()
