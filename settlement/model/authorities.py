"""Which body of the state an authority is, and which parts of the books each may read: no more than its task needs."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import OrderField, TimestampField, TimestampUs

TERMS_MAX: Final = 64
"""Most terms of one participant: decades of reorganisations, and a row of the state stays small."""


class Authority(StrEnum):
    """A body of the state with a task of its own."""

    MINISTRY = "ministry"
    """The ministry that licenses miners and watches the quota."""
    TAX_AUTHORITY = "tax_authority"
    AFSA = "afsa"
    """The regulator of the financial centre: exchanges and their clients' property."""
    NATIONAL_BANK = "national_bank"
    AFM = "afm"
    """The agency for financial monitoring: cases of money laundering."""


class Part(StrEnum):
    """A part of what the ledger knows."""

    QUOTA = "quota"
    """Lots and sales of a miner by quantity, what they count for, and why."""
    VALUE = "value"
    """What lots were worth at receipt and what sales brought, in tenge."""
    LEVY = "levy"
    """Energy, the levy on it, and its payment."""
    VENUE = "venue"
    """An exchange's trades, fails and fees."""
    CLIENT_ASSETS = "client_assets"
    """Accounts at exchanges, and what goes between a house and its affiliates."""
    RECONCILIATION = "reconciliation"
    """Reconciliations, coverage, published liabilities."""
    TENGE = "tenge"
    """Sums of digital tenge at an exchange, day by day."""
    CASES = "cases"
    """Every account and transaction, and what speaks against sales."""


EVERY_PART: Final = frozenset(Part)
"""What an auditor reads; and a miner or exchange of itself."""

PARTS: Final[Mapping[Authority, frozenset[Part]]] = {
    Authority.MINISTRY: frozenset({Part.QUOTA}),
    Authority.TAX_AUTHORITY: frozenset({Part.VALUE, Part.LEVY}),
    Authority.AFSA: frozenset({Part.VENUE, Part.CLIENT_ASSETS, Part.RECONCILIATION}),
    Authority.NATIONAL_BANK: frozenset({Part.TENGE}),
    Authority.AFM: frozenset({Part.CASES}),
}
"""The one table of who reads what. The article asks for it; no act that sets it out was found, so it is assumed."""

Authorities = Annotated[tuple[Authority, ...], Meta(max_length=len(Authority))]
"""What a participant is at once, each once, in alphabetical order; none: no longer an authority."""


class AuthorityTerm(Record, frozen=True, kw_only=True):
    """What a participant is from a moment on, until just before another: [from, until)."""

    authorities: Authorities
    from_us: TimestampField
    until_us: TimestampField | None = None
    order: OrderField
    """Number of the act or order that says so."""


AuthorityHistory = tuple[AuthorityTerm, ...]
"""Oldest first, without a gap: the last one stands."""


def authorities_at(history: AuthorityHistory, moment: TimestampUs) -> tuple[Authority, ...]:
    """Return what a participant was at a moment; nothing before its first term."""
    return next((term.authorities for term in reversed(history) if term.from_us <= moment), ())


def parts_of(authorities: Iterable[Authority]) -> frozenset[Part]:
    """Return all that some authorities read together."""
    return frozenset(part for authority in authorities for part in PARTS[authority])
