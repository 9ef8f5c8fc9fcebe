"""The quota of one miner and one coin: a pure function of policies, lots and claims.

The rules are those of the project's reading of article 8(4), in this order:

1. Integers only; shares are fractions.
2. The obligation of a lot is its quantity times the share, rounded up: "not less than".
3. The share is that of the local date of distribution, not of the sale.
4. A lot without an active licence is reported and gives no credit.
5. Claims are sales settled on this ledger; both legs of each are final.
6. Obligation first, oldest first: a sale fills the unmet obligations of the lots it may cover, oldest first, then
   their rest, oldest first. What is left is unmatched.
7. Never more is counted than was produced.
8. A lot younger than a sale does not cover it.

The shortfall is the sum over lots of the obligation that no sale filled.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.units import BusinessDate, ParticipantId
from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import LegalStatus, RatePolicy, policy_on
from settlement.model.statement import (
    Allocation,
    ClaimLine,
    ClaimState,
    LotLine,
    LotScope,
    PolicyLine,
    QuotaStatement,
)
from settlement.model.trades import QuotaClaim

ASSUMED_NOTE: Final = "Computation basis assumed: quantity per coin, lot by lot, obligation first, oldest first."
CONFIRMED_NOTE: Final = "Computed by quantity per coin, lot by lot, obligation first, oldest first."


def quota_statement(
    policies: Sequence[RatePolicy],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    *,
    miner: ParticipantId,
    coin: str,
    as_of: BusinessDate,
) -> QuotaStatement:
    """Return the statement of one miner and coin; other miners' and coins' lots and claims are passed over.

    Args:
        policies: dated, not overlapping.
        lots: by key.
        claims: by key.
        miner: participant id.
        coin: symbol.
        as_of: the last local date that counts, of distribution and of execution.
    """
    ours = {
        key: lot for key, lot in lots.items() if lot.miner == miner and lot.coin == coin and lot.distributed_on <= as_of
    }
    sales = {
        key: claim
        for key, claim in claims.items()
        if claim.miner == miner and claim.coin == coin and claim.executed_on <= as_of
    }
    counts = [_count(tuple(policies), key, lot) for key, lot in sorted(ours.items(), key=_age_of_lot)]
    in_scope = [count for count in counts if count.scope is LotScope.IN_SCOPE]
    matching = _Matching(in_scope)
    matched = [matching.match(key, claim) for key, claim in sorted(sales.items(), key=_age_of_claim)]
    used = sorted({count.policy.policy: count.policy for count in counts if count.policy is not None}.items())
    is_assumed = any(policy.legal_status is not LegalStatus.CONFIRMED for policy in policies)
    return QuotaStatement(
        miner=miner,
        coin=coin,
        as_of=as_of,
        produced=sum(count.lot.quantity for count in in_scope),
        unlicensed=sum(count.lot.quantity for count in counts if count.scope is LotScope.UNLICENSED),
        out_of_scope=sum(count.lot.quantity for count in counts if count.scope is LotScope.OUT_OF_SCOPE),
        obligation=sum(count.obligation for count in counts),
        counted_obligation=sum(count.counted_obligation for count in counts),
        counted=sum(count.counted for count in counts),
        shortfall=sum(count.obligation - count.counted_obligation for count in counts),
        sold=sum(line.quantity for line in matched),
        unmatched=sum(line.unmatched for line in matched),
        lots=tuple(count.line() for count in counts),
        claims=tuple(matched),
        policies=tuple(_policy_line(policy) for _, policy in used),
        is_basis_assumed=is_assumed,
        basis_note=ASSUMED_NOTE if is_assumed else CONFIRMED_NOTE,
        inputs=_inputs(policies, ours, sales),
    )


def obligation(quantity: int, policy: RatePolicy) -> int:
    """Return what must be sold of a quantity: the share, rounded up."""
    return -(-quantity * policy.share_numerator // policy.share_denominator)


def _age_of_lot(item: tuple[str, ProductionLot]) -> tuple[str, int, str]:
    """Oldest local date first, for it decides which sales a lot may cover; then the moment."""
    key, lot = item
    return lot.distributed_on, lot.distributed_us, key


def _age_of_claim(item: tuple[str, QuotaClaim]) -> tuple[int, str]:
    key, claim = item
    return claim.executed_us, key


@dataclass(slots=True)
class _Count:
    """A lot while sales are counted on it."""

    key: str
    lot: ProductionLot
    scope: LotScope
    policy: RatePolicy | None
    obligation: int
    counted_obligation: int = field(default=0)
    counted_beyond: int = field(default=0)

    @property
    def counted(self) -> int:
        return self.counted_obligation + self.counted_beyond

    def line(self) -> LotLine:
        return LotLine(
            lot=self.key,
            distributed_on=self.lot.distributed_on,
            quantity=self.lot.quantity,
            scope=self.scope,
            policy=None if self.policy is None else self.policy.policy,
            obligation=self.obligation,
            counted_obligation=self.counted_obligation,
            counted_beyond=self.counted_beyond,
            shortfall=self.obligation - self.counted_obligation,
        )


def _count(policies: tuple[RatePolicy, ...], key: str, lot: ProductionLot) -> _Count:
    policy = policy_on(policies, lot.distributed_on)
    if lot.state is LotState.UNLICENSED:
        return _Count(key, lot, LotScope.UNLICENSED, policy, 0)
    if policy is None or lot.subtype not in policy.subtypes:
        return _Count(key, lot, LotScope.OUT_OF_SCOPE, policy, 0)
    return _Count(key, lot, LotScope.IN_SCOPE, policy, obligation(lot.quantity, policy))


class _Matching:
    """Lots in scope, oldest first, while sales are counted on them.

    The lots a sale may cover are the first ones, up to its date. Both passes fill from the oldest lot with room on, so
    in each a lot that is full stays behind for good: two pointers move on, and the whole takes time in proportion to
    lots and sales, after sorting.
    """

    def __init__(self, counts: Sequence[_Count]) -> None:
        self._counts = counts
        self._dates = [count.lot.distributed_on for count in counts]
        self._obliged = 0
        """The first lot that may have an unmet obligation."""
        self._beyond = 0
        """The first lot that may have room beyond its obligation."""

    def match(self, key: str, claim: QuotaClaim) -> ClaimLine:
        """Count one sale; sales come in order of execution."""
        end = bisect.bisect_right(self._dates, claim.executed_on)
        allocations: list[Allocation] = []
        left = self._fill_obligations(claim.quantity, end, allocations)
        left = self._fill_beyond(left, end, allocations)
        return ClaimLine(
            claim=key,
            executed_on=claim.executed_on,
            quantity=claim.quantity,
            state=_state(claim.quantity, left),
            unmatched=left,
            allocations=tuple(allocations),
        )

    def _fill_obligations(self, left: int, end: int, allocations: list[Allocation]) -> int:
        while left and self._obliged < end:
            count = self._counts[self._obliged]
            part = min(left, count.obligation - count.counted_obligation)
            if part:
                count.counted_obligation += part
                left -= part
                allocations.append(Allocation(lot=count.key, quantity=part, is_obligation=True))
            if count.counted_obligation == count.obligation:
                self._obliged += 1
        return left

    def _fill_beyond(self, left: int, end: int, allocations: list[Allocation]) -> int:
        while left and self._beyond < end:
            count = self._counts[self._beyond]
            room = count.lot.quantity - count.obligation
            part = min(left, room - count.counted_beyond)
            if part:
                count.counted_beyond += part
                left -= part
                allocations.append(Allocation(lot=count.key, quantity=part, is_obligation=False))
            if count.counted_beyond == room:
                self._beyond += 1
        return left


def _state(quantity: int, left: int) -> ClaimState:
    if left == 0:
        return ClaimState.COUNTED
    return ClaimState.UNMATCHED if left == quantity else ClaimState.PARTIAL


def _policy_line(policy: RatePolicy) -> PolicyLine:
    return PolicyLine(
        policy=policy.policy,
        share_numerator=policy.share_numerator,
        share_denominator=policy.share_denominator,
        basis=policy.basis,
        legal_source=policy.legal_source,
        legal_status=policy.legal_status,
    )


def _inputs(policies: Sequence[RatePolicy], lots: Mapping[str, ProductionLot], claims: Mapping[str, QuotaClaim]) -> str:
    ordered = sorted(policies, key=lambda policy: policy.valid_from)
    return b64url(tagged("quota-inputs", encode([ordered, dict(lots), dict(claims)])))
