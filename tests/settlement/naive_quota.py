"""The quota counted the plain way: every sale walks over every lot, twice. The model of ``settlement.quota``."""

from collections.abc import Mapping
from dataclasses import dataclass

from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import RatePolicy, policy_on
from settlement.model.trades import QuotaClaim
from settlement.quota import obligation

Part = tuple[str, int, bool]
"""Lot, quantity, and whether it fills an obligation."""


@dataclass
class NaiveLot:
    """A lot in scope and what was counted on it."""

    key: str
    lot: ProductionLot
    obligation: int
    counted_obligation: int = 0
    counted_beyond: int = 0


def naive_allocations(
    policies: tuple[RatePolicy, ...], lots: Mapping[str, ProductionLot], claims: Mapping[str, QuotaClaim]
) -> list[tuple[str, list[Part]]]:
    """Return which lots cover each sale, in order of execution."""
    counts = []
    for key, lot in sorted(lots.items(), key=lambda item: (item[1].distributed_us, item[0])):
        policy = policy_on(policies, lot.distributed_on)
        if lot.state is LotState.OPEN and policy is not None and lot.subtype in policy.subtypes:
            counts.append(NaiveLot(key, lot, obligation(lot.quantity, policy)))
    return [
        (key, _match(counts, claim))
        for key, claim in sorted(claims.items(), key=lambda item: (item[1].executed_us, item[0]))
    ]


def _match(counts: list[NaiveLot], claim: QuotaClaim) -> list[Part]:
    eligible = [count for count in counts if count.lot.distributed_on <= claim.executed_on]
    left = claim.quantity
    parts: list[Part] = []
    for count in eligible:
        part = min(left, count.obligation - count.counted_obligation)
        if part > 0:
            count.counted_obligation += part
            left -= part
            parts.append((count.key, part, True))
    for count in eligible:
        part = min(left, count.lot.quantity - count.obligation - count.counted_beyond)
        if part > 0:
            count.counted_beyond += part
            left -= part
            parts.append((count.key, part, False))
    return parts
