"""The quota statement of one miner and one coin."""

from enum import StrEnum

from ledger.model.record import Record
from ledger.units import DateField, DigestField, LabelField, ParticipantField, TextField, TotalField
from settlement.model.quota_policies import LegalStatus
from settlement.model.registers import CoinField


class LotScope(StrEnum):
    """Whether a lot carries an obligation."""

    IN_SCOPE = "in_scope"
    OUT_OF_SCOPE = "out_of_scope"
    """No policy held on the distribution date, or its scope leaves out the licence's subtype."""
    UNLICENSED = "unlicensed"


class ClaimState(StrEnum):
    """How far lots cover a sale."""

    COUNTED = "counted"
    PARTIAL = "partial"
    UNMATCHED = "unmatched"
    """No lot covers it yet; a later report may bring one that is not younger than the sale."""


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
    state: ClaimState
    unmatched: TotalField = 0
    allocations: tuple[Allocation, ...] = ()


class PolicyLine(Record, frozen=True, kw_only=True):
    """A policy that decided something here, and how sure it is."""

    policy: LabelField
    share_numerator: int
    share_denominator: int
    basis: str
    legal_source: TextField
    legal_status: LegalStatus


class QuotaStatement(Record, frozen=True, kw_only=True):
    """Where one miner stands with one coin; quantities in the coin's smallest unit.

    It counts sales settled on this ledger. Sales an exchange attests from elsewhere are another column, never added
    silently; there is none yet.
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
    unmatched: TotalField
    lots: tuple[LotLine, ...]
    claims: tuple[ClaimLine, ...]
    policies: tuple[PolicyLine, ...]
    """Those in force on the distribution date of some lot."""
    is_basis_assumed: bool
    """Whether any policy that could decide something here is not confirmed."""
    basis_note: TextField
    inputs: DigestField
    """SHA-256 over policies, lots and claims: equal inputs, equal statement."""
