"""What is said of claims: flags, decisions, and sales that an exchange attests from outside this ledger."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, field

from ledger.model.record import Record
from ledger.units import (
    LABEL_PATTERN,
    AmountField,
    DateField,
    DigestField,
    OrderField,
    ParticipantField,
    TimestampField,
)
from settlement.model.quota_policies import FLAG_POLICIES, FlagPolicy
from settlement.model.registers import CoinField

FLAGS_PER_CLAIM_MAX: Final = 16
"""Most flags of one claim: each reason a few times, and a row of the state stays small."""

DECISIONS_PER_CLAIM_MAX: Final = 16
"""Most decisions on one claim, appeals included."""

EVIDENCE_MAX: Final = 16
"""Most transactions that one flag names."""

ClaimField = Annotated[str, Meta(pattern=rf"\A[a-z][a-z0-9-]{{0,30}}[a-z0-9]/{LABEL_PATTERN}\Z")]
"""Key of a claim: the exchange, a stroke, its number of the trade."""

CountedField = Annotated[int, Meta(ge=0, le=max(FLAGS_PER_CLAIM_MAX, DECISIONS_PER_CLAIM_MAX))]
"""How many flags or decisions there were."""

EvidenceField = Annotated[tuple[DigestField, ...], Meta(min_length=1, max_length=EVIDENCE_MAX)]
"""Transactions of this ledger that show it, the sale's own at least."""


class Reason(StrEnum):
    """Why a claim does not count, or why one might ask."""

    WASH_ROUND_TRIP = "wash_round_trip"
    """The tenge came back to the buyer's group."""
    COINS_RETURNED = "coins_returned"
    """The coins came back to the seller's group."""
    PRICE_OFF_REFERENCE = "price_off_reference"
    RELATED_PARTY = "related_party"
    SELF_TRADE = "self_trade"
    """Seller and buyer are one party, or have one beneficial owner."""
    VENUE_SUSPENDED_BEFORE_FINALITY = "venue_suspended_before_finality"
    DUP_CASH_LEG = "dup_cash_leg"
    """The same payment stands behind two claims."""
    OTHER = "other"
    """What the order says."""


class Verdict(StrEnum):
    """What a decision makes of a claim."""

    RESTORE = "restore"
    DISQUALIFY = "disqualify"


class ClaimFlag(Record, frozen=True, kw_only=True):
    """Something that speaks against a claim, put on record by an authority or the operator."""

    reason: Reason
    evidence: EvidenceField
    by: ParticipantField
    flagged_us: TimestampField


class ClaimDecision(Record, frozen=True, kw_only=True):
    """What two signatories of an authority decided on a claim; a later decision supersedes it."""

    verdict: Verdict
    reason: Reason
    order: OrderField
    """Number of the decision in the authority's own files."""
    flags: CountedField
    """How many flags of the claim it has dealt with; later ones stand open."""
    by: ParticipantField
    decided_us: TimestampField
    transaction: DigestField


class AttestedSale(Record, frozen=True, kw_only=True):
    """A miner's sale whose money moved elsewhere: the exchange says so, nothing here proves it.

    Keyed ``<exchange>/<trade>`` as claims are, so that no trade stands in both columns.
    """

    miner: ParticipantField
    coin: CoinField
    quantity: AmountField
    """What the buyer received, in the coin's smallest unit."""
    executed_us: TimestampField
    executed_on: DateField
    price: AmountField
    """Tiyn for one whole coin."""
    attested_us: TimestampField
    transaction: DigestField
    """That in which the exchange attested it."""


class PublishedStatement(Record, frozen=True, kw_only=True):
    """The last version of a statement that an authority has published; keyed ``<miner>/<coin>/<as of>``."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    statement: DigestField
    """Digest of this version, which the next one names."""
    inputs: DigestField
    published_us: TimestampField


class PendingSale(Record, frozen=True, kw_only=True):
    """A miner's sale that may still settle."""

    miner: ParticipantField
    coin: CoinField
    quantity: AmountField
    executed_us: TimestampField
    executed_on: DateField


class ClaimFacts(Record, frozen=True, kw_only=True):
    """What is known of claims besides the claims themselves; all by the claim's key."""

    flags: Mapping[str, tuple[ClaimFlag, ...]] = field(default_factory=dict)
    """In the order in which they came."""
    decisions: Mapping[str, tuple[ClaimDecision, ...]] = field(default_factory=dict)
    """In the order in which they came."""
    reversed: Mapping[str, int] = field(default_factory=dict)
    """How much of a sale was undone, in the coin's smallest unit; it counts from the beginning."""
    suspended: tuple[str, ...] = ()
    """Claims whose exchange was active at the execution and not when both legs were final; ascending."""
    attested: Mapping[str, AttestedSale] = field(default_factory=dict)
    pending: Mapping[str, PendingSale] = field(default_factory=dict)
    flag_policies: tuple[FlagPolicy, ...] = FLAG_POLICIES
    """Dated, not overlapping."""


NO_FACTS: Final = ClaimFacts()
"""Nothing is known but the claims."""
