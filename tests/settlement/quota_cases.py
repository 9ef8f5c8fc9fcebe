"""Lots, sales and statements for the tests of the quota: each test names what it is about."""

import datetime
from collections.abc import Mapping
from typing import Any

from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.claims import NO_FACTS, AttestedSale, ClaimDecision, ClaimFacts, ClaimFlag, Reason, Verdict
from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import QUOTA_POLICIES, LegalStatus, RatePolicy
from settlement.model.statement import BasisResult, ClaimLine, QuotaStatement
from settlement.model.trades import QuotaClaim
from settlement.quota import quota_statement
from tests.settlement.market import BTC, commitment

MINER = ParticipantId("miner-one")


def noon_us(date: str) -> TimestampUs:
    """Noon in UTC of a date."""
    noon = datetime.datetime.fromisoformat(f"{date}T12:00:00+00:00")
    return TimestampUs(int(noon.timestamp()) * 1_000_000)


def lot(date: str, quantity: int, **members: Any) -> ProductionLot:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "quantity": quantity,
        "distributed_us": noon_us(date),
        "distributed_on": BusinessDate(date),
        "licence": "L-1",
        "subtype": 1,
        "receipt_value": 0,
        "state": LotState.OPEN,
    } | members
    return ProductionLot(**whole)


def claim(date: str, quantity: int, **members: Any) -> QuotaClaim:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "quantity": quantity,
        "executed_us": noon_us(date),
        "executed_on": BusinessDate(date),
        "settled_us": noon_us(date),
        "price": 1,
        "amount": 1,
        "fee": 0,
        "reference_price": 1,
        "reference_date": BusinessDate(date),
        "transaction": commitment(date),
    } | members
    return QuotaClaim(**whole)


def rate(name: str, valid_from: str, share: tuple[int, int] = (3, 4), **members: Any) -> RatePolicy:
    """A confirmed rate from a date on."""
    whole: dict[str, Any] = {
        "policy": name,
        "valid_from": BusinessDate(valid_from),
        "share_numerator": share[0],
        "share_denominator": share[1],
        "legal_source": "an example",
        "legal_status": LegalStatus.CONFIRMED,
    } | members
    return RatePolicy(**whole)


def attested(date: str, quantity: int, **members: Any) -> AttestedSale:
    whole: dict[str, Any] = {
        "miner": MINER,
        "coin": "BTC",
        "quantity": quantity,
        "executed_us": noon_us(date),
        "executed_on": BusinessDate(date),
        "price": 1,
        "attested_us": noon_us(date),
        "transaction": commitment(date),
    } | members
    return AttestedSale(**whole)


def flag(reason: Reason) -> ClaimFlag:
    return ClaimFlag(
        reason=reason, evidence=(commitment("sale"),), by=ParticipantId("ministry"), flagged_us=TimestampUs(1)
    )


def decision(verdict: Verdict, *, flags: int = 0, reason: Reason = Reason.OTHER) -> ClaimDecision:
    return ClaimDecision(
        verdict=verdict,
        reason=reason,
        order="order-1",
        flags=flags,
        by=ParticipantId("ministry"),
        decided_us=TimestampUs(2),
        transaction=commitment("decision"),
    )


def line_of(result: QuotaStatement, key: str) -> ClaimLine:
    (line,) = (line for line in result.claims if line.claim == key)
    return line


def coins(text: str) -> int:
    """Whole coins in smallest units: ``coins("2.5")``."""
    whole, _, part = text.partition(".")
    return int(whole) * BTC + int(part.ljust(8, "0") or 0)


def basis(result: QuotaStatement, name: str, period: str, order: str = "obligation_first") -> BasisResult:
    """The result on one basis."""
    (found,) = (each for each in result.bases if (each.basis, each.period, each.order) == (name, period, order))
    return found


def statement(
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    *,
    policies: tuple[RatePolicy, ...] = QUOTA_POLICIES,
    coin: str = "BTC",
    as_of: str = "2026-12-31",
    facts: ClaimFacts = NO_FACTS,
) -> QuotaStatement:
    return quota_statement(policies, lots, claims, miner=MINER, coin=coin, as_of=BusinessDate(as_of), facts=facts)
