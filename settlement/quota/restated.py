"""Statements in versions (rules 9 and 11), and what another policy would come to."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.model.record import Record
from ledger.units import BusinessDate, DigestField, ParticipantId, TextField
from settlement.model.claims import NO_FACTS, ClaimFacts
from settlement.model.production import ProductionLot
from settlement.model.quota_policies import RatePolicy
from settlement.model.statement import QuotaStatement
from settlement.model.trades import QuotaClaim
from settlement.quota.statement import quota_statement

WHAT_IF_NOTE: Final = "Not a statement: what the same lots and sales would come to under other policies."


class StatementVersion(Record, frozen=True, kw_only=True):
    """A statement and its place in the chain of those for the same miner, coin and date."""

    version: Annotated[int, Meta(ge=1)]
    previous: DigestField | None = None
    """Digest of the version before it; None for the first."""
    statement: QuotaStatement

    @property
    def digest(self) -> DigestField:
        """The digest of this version, which the next one names; so that none is left out or put in between."""
        return b64url(tagged("quota-statement", encode(self)))


class WhatIf(Record, frozen=True, kw_only=True):
    """A statement under policies that are not in force."""

    note: TextField = WHAT_IF_NOTE
    policies: tuple[RatePolicy, ...]
    statement: QuotaStatement


def restated(previous: StatementVersion | None, statement: QuotaStatement) -> StatementVersion:
    """Return a statement as the next version; the previous one itself where nothing of it has changed.

    Raises:
        ValueError: the two are of different miners, coins or dates.
    """
    if previous is None:
        return StatementVersion(version=1, statement=statement)
    expected, got = _subject(previous.statement), _subject(statement)
    if expected != got:
        raise ValueError(f"expected a statement of {expected}, got one of {got}")
    if statement == previous.statement:
        return previous
    return StatementVersion(version=previous.version + 1, previous=previous.digest, statement=statement)


def what_if(
    policies: Sequence[RatePolicy],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    *,
    miner: ParticipantId,
    coin: str,
    as_of: BusinessDate,
    facts: ClaimFacts = NO_FACTS,
) -> WhatIf:
    """Return what a statement would say under other policies; see `quota_statement`."""
    statement = quota_statement(policies, lots, claims, miner=miner, coin=coin, as_of=as_of, facts=facts)
    return WhatIf(policies=tuple(policies), statement=statement)


def _subject(statement: QuotaStatement) -> tuple[str, str, str]:
    return statement.miner, statement.coin, statement.as_of
