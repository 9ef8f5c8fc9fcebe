"""What each sale may count for before lots are looked at (rules 10 to 14): the standing of claims."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.claims import ClaimDecision, ClaimFacts, ClaimFlag, Reason, Verdict
from settlement.model.quota_policies import FlagPolicy, Treatment, policy_on
from settlement.model.statement import ClaimState, Column
from settlement.model.trades import QuotaClaim

_BY_WEIGHT: Final = (Treatment.COUNT, Treatment.FLAG, Treatment.HOLD, Treatment.EXCLUDE)
_STOPPED: Final = {Treatment.HOLD: ClaimState.HELD, Treatment.EXCLUDE: ClaimState.DISQUALIFIED}


class _Sold(Protocol):
    """What claims, attested and pending sales have in common."""

    @property
    def miner(self) -> ParticipantId: ...
    @property
    def coin(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def executed_us(self) -> TimestampUs: ...
    @property
    def executed_on(self) -> BusinessDate: ...


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale of a miner, less what was undone of it."""

    key: str
    coin: str
    quantity: int
    executed_us: TimestampUs
    executed_on: BusinessDate
    column: Column = Column.SETTLED_ON_LEDGER
    stopped: ClaimState | None = None
    """Why nothing of it counts; None: lots decide."""
    reasons: tuple[Reason, ...] = ()
    reversed: int = 0


def sales_of(
    claims: Mapping[str, QuotaClaim], facts: ClaimFacts, *, miner: ParticipantId, as_of: BusinessDate
) -> list[Sale]:
    """Return a miner's sales of all coins, executed up to a local date, in order of execution."""
    sales = [
        *_of(claims, facts, Column.SETTLED_ON_LEDGER, miner, as_of),
        *_of(facts.attested, facts, Column.ATTESTED_OFF_LEDGER, miner, as_of),
        *(
            Sale(key, sold.coin, sold.quantity, sold.executed_us, sold.executed_on, stopped=ClaimState.PENDING)
            for key, sold in facts.pending.items()
            if sold.miner == miner and sold.executed_on <= as_of
        ),
    ]
    return sorted(sales, key=_age)


def _age(sale: Sale) -> tuple[int, str, str]:
    return sale.executed_us, sale.key, sale.column


def _of(
    sold: Mapping[str, _Sold], facts: ClaimFacts, column: Column, miner: ParticipantId, as_of: BusinessDate
) -> Iterator[Sale]:
    suspended = set(facts.suspended)
    for key, each in sold.items():
        if each.miner != miner or each.executed_on > as_of:
            continue
        undone = facts.reversed.get(key, 0)
        assert undone <= each.quantity, f"no more of {key} is undone than was sold"
        stopped, reasons = _standing(key, each.executed_on, facts, is_suspended=key in suspended)
        if undone == each.quantity:
            stopped = ClaimState.REVERSED
        yield Sale(
            key,
            each.coin,
            each.quantity - undone,
            each.executed_us,
            each.executed_on,
            column=column,
            stopped=stopped,
            reasons=reasons,
            reversed=undone,
        )


def _standing(
    key: str, executed_on: BusinessDate, facts: ClaimFacts, *, is_suspended: bool
) -> tuple[ClaimState | None, tuple[Reason, ...]]:
    """The last decision, and the flags it has not dealt with: the weightiest of them counts, all reasons are named."""
    decisions = facts.decisions.get(key, ())
    flags = facts.flags.get(key, ())
    policy = policy_on(facts.flag_policies, executed_on)
    found = [*_decided(decisions), *_open(flags, decisions, policy)]
    if is_suspended and not decisions:
        found.append((Treatment.HOLD, Reason.VENUE_SUSPENDED_BEFORE_FINALITY))
    weight = max((_BY_WEIGHT.index(treatment) for treatment, _ in found), default=0)
    reasons = tuple(sorted({reason for treatment, reason in found if treatment is not Treatment.COUNT}))
    return _STOPPED.get(_BY_WEIGHT[weight]), reasons


def _decided(decisions: Sequence[ClaimDecision]) -> Iterator[tuple[Treatment, Reason]]:
    if decisions and decisions[-1].verdict is Verdict.DISQUALIFY:
        yield Treatment.EXCLUDE, decisions[-1].reason


def _open(
    flags: Sequence[ClaimFlag], decisions: Sequence[ClaimDecision], policy: FlagPolicy | None
) -> Iterator[tuple[Treatment, Reason]]:
    for flag in flags[decisions[-1].flags if decisions else 0 :]:
        yield _treatment(flag.reason, policy), flag.reason


def _treatment(reason: Reason, policy: FlagPolicy | None) -> Treatment:
    if reason is Reason.SELF_TRADE:
        return Treatment.EXCLUDE
    if reason is Reason.RELATED_PARTY and policy is not None:
        return policy.related
    return Treatment.HOLD
