"""Lots and their obligations (rules 2 to 4, 17 and 19), and what is counted on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import Excess, RatePolicy, policy_on
from settlement.model.statement import LotLine, LotScope

_NO_CREDIT = {LotState.UNLICENSED: LotScope.UNLICENSED, LotState.CORRECTED: LotScope.CORRECTED}


def obligation(quantity: int, policy: RatePolicy) -> int:
    """Return what must be sold of a quantity or a value: the share, rounded up."""
    return -(-quantity * policy.share_numerator // policy.share_denominator)


@dataclass(slots=True)
class LotCount:
    """A lot while sales are counted on it."""

    key: str
    lot: ProductionLot
    scope: LotScope
    policy: RatePolicy | None
    obligation: int
    counted_obligation: int = field(default=0)
    counted_beyond: int = field(default=0)
    carried: int = field(default=0)

    @property
    def counted(self) -> int:
        """What was sold of it."""
        return self.counted_obligation + self.counted_beyond

    @property
    def unmet(self) -> int:
        """The obligation that nothing has met yet."""
        return self.obligation - self.carried - self.counted_obligation

    @property
    def room(self) -> int:
        """What may still be counted beyond the obligation."""
        return self.lot.quantity - self.obligation + self.carried - self.counted_beyond

    @property
    def carries(self) -> bool:
        """Whether what is sold beyond its obligation lessens later ones."""
        return self.policy is not None and self.policy.excess is Excess.CARRY

    def line(self) -> LotLine:
        """Return it as the statement prints it."""
        return LotLine(
            lot=self.key,
            distributed_on=self.lot.distributed_on,
            quantity=self.lot.quantity,
            scope=self.scope,
            policy=None if self.policy is None else self.policy.policy,
            obligation=self.obligation,
            counted_obligation=self.counted_obligation,
            counted_beyond=self.counted_beyond,
            carried=self.carried,
            shortfall=self.unmet,
        )


def count_lots(policies: Sequence[RatePolicy], lots: Mapping[str, ProductionLot]) -> list[LotCount]:
    """Return lots with nothing counted yet, oldest local date first; the date decides which sales a lot may cover."""
    return [_count(policies, key, lot) for key, lot in sorted(lots.items(), key=_age)]


def in_scope(counts: Iterable[LotCount]) -> list[LotCount]:
    """Return those that carry an obligation, if only of nothing."""
    return [count for count in counts if count.scope is LotScope.IN_SCOPE]


def _age(item: tuple[str, ProductionLot]) -> tuple[str, int, str]:
    key, lot = item
    return lot.distributed_on, lot.distributed_us, key


def _count(policies: Sequence[RatePolicy], key: str, lot: ProductionLot) -> LotCount:
    policy = policy_on(policies, lot.distributed_on)
    if (scope := _NO_CREDIT.get(lot.state)) is not None:
        return LotCount(key, lot, scope, policy, 0)
    if policy is None or lot.subtype not in policy.subtypes or lot.miner in policy.exempt:
        return LotCount(key, lot, LotScope.OUT_OF_SCOPE, policy, 0)
    return LotCount(key, lot, LotScope.IN_SCOPE, policy, obligation(lot.quantity, policy))
