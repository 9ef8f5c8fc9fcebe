"""The quota counted the plain way: every sale walks over every lot, twice. The model of ``settlement.quota``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from settlement.model.claims import ClaimFacts, Reason, Verdict
from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import Excess, RatePolicy, Treatment
from settlement.model.statement import ClaimState
from settlement.model.trades import QuotaClaim

Part = tuple[str, int, bool]
"""Lot, quantity, and whether it fills an obligation."""


@dataclass
class NaiveLot:
    """A lot in scope and what was counted on it."""

    key: str
    lot: ProductionLot
    policy: RatePolicy
    obligation: int
    counted_obligation: int = 0
    counted_beyond: int = 0
    carried: int | None = None
    """None: it has not come into being."""

    @property
    def counted(self) -> int:
        return self.counted_obligation + self.counted_beyond


@dataclass
class NaiveMatch:
    """Which lots cover each sale, in order of execution."""

    parts: list[tuple[str, list[Part]]] = field(default_factory=list)
    carried: dict[str, int] = field(default_factory=dict)
    counts: list[NaiveLot] = field(default_factory=list)


def duty(quantity: int, policy: RatePolicy) -> int:
    """The share, rounded up."""
    whole, rest = divmod(quantity * policy.share_numerator, policy.share_denominator)
    return whole + bool(rest)


def naive_state(claim: QuotaClaim, key: str, facts: ClaimFacts) -> ClaimState | None:
    """What keeps a sale from being counted."""
    if facts.reversed.get(key) == claim.quantity:
        return ClaimState.REVERSED
    decisions = facts.decisions.get(key, ())
    dealt_with = decisions[-1].flags if decisions else 0
    states = set()
    if decisions and decisions[-1].verdict is Verdict.DISQUALIFY:
        states.add(ClaimState.DISQUALIFIED)
    for each in facts.flags.get(key, ())[dealt_with:]:
        related = next(
            (policy.related for policy in facts.flag_policies if policy.valid_from <= claim.executed_on),
            Treatment.HOLD,
        )
        treatment = related if each.reason is Reason.RELATED_PARTY else Treatment.HOLD
        if each.reason is Reason.SELF_TRADE or treatment is Treatment.EXCLUDE:
            states.add(ClaimState.DISQUALIFIED)
        elif treatment is Treatment.HOLD:
            states.add(ClaimState.HELD)
    if key in facts.suspended and not decisions:
        states.add(ClaimState.HELD)
    return next((state for state in (ClaimState.DISQUALIFIED, ClaimState.HELD) if state in states), None)


def naive_lots(policies: tuple[RatePolicy, ...], lots: Mapping[str, ProductionLot], coin: str) -> list[NaiveLot]:
    """Lots in scope, oldest first."""
    counts = []
    for key, lot in sorted(lots.items(), key=lambda item: (item[1].distributed_us, item[0])):
        for policy in policies:
            holds = policy.valid_from <= lot.distributed_on < (policy.valid_until or "9999-12-31")
            reached = lot.subtype in policy.subtypes and lot.miner not in policy.exempt
            if lot.coin == coin and lot.state is LotState.OPEN and holds and reached:
                counts.append(NaiveLot(key, lot, policy, duty(lot.quantity, policy)))
    return counts


def naive_sales(claims: Mapping[str, QuotaClaim], facts: ClaimFacts, coin: str) -> list[tuple[str, QuotaClaim, int]]:
    """Sales that count, with what is left of them, in order of execution."""
    return [
        (key, claim, claim.quantity - facts.reversed.get(key, 0))
        for key, claim in sorted(claims.items(), key=lambda item: (item[1].executed_us, item[0]))
        if claim.coin == coin and naive_state(claim, key, facts) is None
    ]


def naive_allocations(
    policies: tuple[RatePolicy, ...],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    facts: ClaimFacts,
    *,
    coin: str,
    within: Callable[[str, str], bool] = lambda _lot, _sale: True,
    carries: bool = True,
) -> NaiveMatch:
    """Match obligation first; ``within`` says whether a sale of a date may cover a lot of a date at all."""
    match = NaiveMatch(counts=naive_lots(policies, lots, coin))
    excess = 0
    for key, claim, left in naive_sales(claims, facts, coin):
        born = [count for count in match.counts if count.lot.distributed_on <= claim.executed_on]
        excess = _carry(born, excess)
        eligible = [count for count in born if within(count.lot.distributed_on, claim.executed_on)]
        parts: list[Part] = []
        for count in eligible:
            part = min(left, count.obligation - (count.carried or 0) - count.counted_obligation)
            if part > 0:
                count.counted_obligation += part
                left -= part
                parts.append((count.key, part, True))
        for count in eligible:
            room = count.lot.quantity - (count.obligation - (count.carried or 0)) - count.counted_beyond
            part = min(left, room)
            if part > 0:
                count.counted_beyond += part
                left -= part
                excess += part if carries and count.policy.excess is Excess.CARRY else 0
                parts.append((count.key, part, False))
        match.parts.append((key, parts))
    _carry(match.counts, excess)
    match.carried = {count.key: count.carried or 0 for count in match.counts}
    return match


def _carry(born: list[NaiveLot], excess: int) -> int:
    for count in born:
        if count.carried is None:
            count.carried = min(excess, count.obligation)
            excess -= count.carried
    return excess


def naive_periods(
    policies: tuple[RatePolicy, ...],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    facts: ClaimFacts,
    *,
    months: int,
) -> list[tuple[str, int, int, int, int]]:
    """Name, obligation, counted, carried and shortfall of each period of so many months with a lot in scope."""

    def name_of(date: str) -> str:
        return date[:4] if months == 12 else f"{date[:4]}-Q{-(-int(date[5:7]) // 3)}"

    match = naive_allocations(
        policies, lots, claims, facts, coin="BTC", within=lambda a, b: name_of(a) == name_of(b), carries=False
    )
    excess, lines = 0, []
    for name in sorted({name_of(count.lot.distributed_on) for count in match.counts}):
        of_period = [count for count in match.counts if name_of(count.lot.distributed_on) == name]
        owed, counted = sum(each.obligation for each in of_period), sum(each.counted for each in of_period)
        carried = min(excess, max(0, owed - counted))
        excess -= carried
        if all(each.policy.excess is Excess.CARRY for each in of_period):
            excess += max(0, counted - owed)
        lines.append((name, owed, counted, carried, max(0, owed - counted) - carried))
    return lines


def naive_oldest_first(
    policies: tuple[RatePolicy, ...],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    facts: ClaimFacts,
) -> tuple[int, int]:
    """Counted and shortfall where each lot is filled as a whole before the next."""
    counts = naive_lots(policies, lots, "BTC")
    for _, claim, quantity in naive_sales(claims, facts, "BTC"):
        left = quantity
        for count in counts:
            if count.lot.distributed_on <= claim.executed_on:
                part = min(left, count.lot.quantity - count.counted)
                count.counted_beyond += part
                left -= part
    shortfall = sum(max(0, count.obligation - count.counted) for count in counts)
    return sum(count.counted for count in counts), shortfall


def naive_value_met(
    policies: tuple[RatePolicy, ...],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    facts: ClaimFacts,
) -> tuple[int, int]:
    """Obligation and counted value of all coins, each quantity at the value of its lot, rounded up."""
    owed = counted = 0
    for coin in ("BTC", "LTC"):
        for count in naive_allocations(policies, lots, claims, facts, coin=coin).counts:
            owed += duty(count.lot.receipt_value, count.policy)
            whole, rest = divmod(count.lot.receipt_value * count.counted, count.lot.quantity)
            counted += whole + bool(rest)
    return owed, counted
