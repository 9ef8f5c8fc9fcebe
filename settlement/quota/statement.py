"""The statement of one miner and one coin, from what the ledger knows."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from ledger.crypto.canonical import b64url, encode
from ledger.crypto.digest import tagged
from ledger.units import BusinessDate, ParticipantId
from settlement.model.claims import NO_FACTS, ClaimFacts
from settlement.model.production import ProductionLot
from settlement.model.quota_policies import Basis, LegalStatus, Period, RatePolicy
from settlement.model.statement import (
    Allocation,
    ClaimLine,
    ClaimState,
    Column,
    LotScope,
    PolicyLine,
    QuotaStatement,
    Totals,
)
from settlement.model.trades import QuotaClaim
from settlement.quota.bases import basis_results
from settlement.quota.lots import LotCount, count_lots, in_scope
from settlement.quota.matching import ObligationFirst
from settlement.quota.sales import Sale, sales_of

ASSUMED_NOTE: Final = "Computation basis assumed: quantity per coin, lot by lot, obligation first, oldest first."
CONFIRMED_NOTE: Final = "Computed by quantity per coin, lot by lot, obligation first, oldest first."
OTHER_BASIS_NOTE: Final = f"{ASSUMED_NOTE} A policy in force names another basis: see bases."

RowT = TypeVar("RowT")


def quota_statement(
    policies: Sequence[RatePolicy],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    *,
    miner: ParticipantId,
    coin: str,
    as_of: BusinessDate,
    facts: ClaimFacts = NO_FACTS,
) -> QuotaStatement:
    """Return the statement of one miner and coin. Other miners are passed over, other coins show in the pooled bases.

    Args:
        policies: dated, not overlapping.
        lots: by key.
        claims: by key.
        miner: participant id.
        coin: symbol.
        as_of: the last local date that counts, of distribution and of execution.
        facts: what is said of claims, and sales that are no claims.
    """
    mined = {key: lot for key, lot in lots.items() if lot.miner == miner and lot.distributed_on <= as_of}
    ours = {key: lot for key, lot in mined.items() if lot.coin == coin}
    sales = sales_of(claims, facts, miner=miner, as_of=as_of)
    of_coin = [sale for sale in sales if sale.coin == coin]
    settled = _matched(policies, ours, [sale for sale in of_coin if sale.column is Column.SETTLED_ON_LEDGER])
    union = _matched(policies, ours, of_coin)
    counts, lines = settled.counts, settled.lines
    used = {count.policy.policy: count.policy for count in counts if count.policy is not None}
    is_assumed = any(policy.legal_status is not LegalStatus.CONFIRMED for policy in policies)
    return QuotaStatement(
        miner=miner,
        coin=coin,
        as_of=as_of,
        produced=settled.produced(LotScope.IN_SCOPE),
        unlicensed=settled.produced(LotScope.UNLICENSED),
        out_of_scope=settled.produced(LotScope.OUT_OF_SCOPE),
        corrected=settled.produced(LotScope.CORRECTED),
        obligation=sum(count.obligation for count in counts),
        counted_obligation=sum(count.counted_obligation for count in counts),
        counted=sum(count.counted for count in counts),
        carried=sum(count.carried for count in counts),
        shortfall=sum(count.unmet for count in counts),
        sold=sum(line.quantity for line in lines if line.state is not ClaimState.PENDING),
        unmatched=sum(line.unmatched for line in lines),
        held=_quantity(lines, ClaimState.HELD),
        disqualified=_quantity(lines, ClaimState.DISQUALIFIED),
        pending=_quantity(lines, ClaimState.PENDING),
        lots=tuple(count.line() for count in counts),
        claims=(*lines, *(line for line in union.lines if line.column is Column.ATTESTED_OFF_LEDGER)),
        policies=tuple(_policy_line(policy) for _, policy in sorted(used.items())),
        is_basis_assumed=is_assumed,
        basis_note=_note(list(used.values()), is_assumed=is_assumed),
        inputs=_inputs(policies, mined, claims, facts, sales),
        with_attested=_totals(union),
        bases=basis_results(policies, mined, [sale for sale in sales if _counts_here(sale)], coin=coin),
    )


def _counts_here(sale: Sale) -> bool:
    return sale.stopped is None and sale.column is Column.SETTLED_ON_LEDGER


@dataclass(frozen=True, slots=True)
class _Matched:
    """Lots with sales counted on them, and the sales with the lots that cover them."""

    counts: list[LotCount]
    lines: list[ClaimLine]

    def produced(self, scope: LotScope) -> int:
        return sum(count.lot.quantity for count in self.counts if count.scope is scope)


def _matched(policies: Sequence[RatePolicy], lots: Mapping[str, ProductionLot], sales: Sequence[Sale]) -> _Matched:
    counts = count_lots(policies, lots)
    matching = ObligationFirst(in_scope(counts))
    free_since = min(
        (count.lot.distributed_on for count in counts if count.scope is LotScope.OUT_OF_SCOPE), default=None
    )
    lines = [
        _line(sale, () if sale.stopped is not None else matching.match(sale), free_since=free_since) for sale in sales
    ]
    matching.finish()
    return _Matched(counts, lines)


def _line(sale: Sale, allocations: tuple[Allocation, ...], *, free_since: BusinessDate | None) -> ClaimLine:
    left = sale.quantity - sum(part.quantity for part in allocations)
    return ClaimLine(
        claim=sale.key,
        executed_on=sale.executed_on,
        quantity=sale.quantity,
        state=_state(sale, left, free_since),
        unmatched=0 if sale.stopped is not None else left,
        allocations=allocations,
        column=sale.column,
        reasons=sale.reasons,
        reversed=sale.reversed,
    )


def _state(sale: Sale, left: int, free_since: BusinessDate | None) -> ClaimState:
    if sale.stopped is not None:
        return sale.stopped
    if left == 0:
        return ClaimState.COUNTED
    if left < sale.quantity:
        return ClaimState.PARTIAL
    is_free = free_since is not None and free_since <= sale.executed_on
    return ClaimState.OUT_OF_SCOPE if is_free else ClaimState.UNMATCHED


def _quantity(lines: Sequence[ClaimLine], state: ClaimState) -> int:
    return sum(line.quantity for line in lines if line.state is state)


def _totals(union: _Matched) -> Totals | None:
    attested = [line for line in union.lines if line.column is Column.ATTESTED_OFF_LEDGER]
    if not attested:
        return None
    return Totals(
        attested=sum(line.quantity for line in attested),
        counted=sum(count.counted for count in union.counts),
        counted_obligation=sum(count.counted_obligation for count in union.counts),
        shortfall=sum(count.unmet for count in union.counts),
        unmatched=sum(line.unmatched for line in union.lines),
    )


def _policy_line(policy: RatePolicy) -> PolicyLine:
    return PolicyLine(
        policy=policy.policy,
        share_numerator=policy.share_numerator,
        share_denominator=policy.share_denominator,
        basis=policy.basis,
        period=policy.period,
        excess=policy.excess,
        legal_source=policy.legal_source,
        legal_status=policy.legal_status,
    )


def _note(used: Sequence[RatePolicy], *, is_assumed: bool) -> str:
    readings = {(policy.basis, policy.period) for policy in used}
    if readings - {(Basis.QUANTITY_PER_COIN, Period.LOT_CUMULATIVE)}:
        return OTHER_BASIS_NOTE
    return ASSUMED_NOTE if is_assumed else CONFIRMED_NOTE


def _inputs(
    policies: Sequence[RatePolicy],
    lots: Mapping[str, ProductionLot],
    claims: Mapping[str, QuotaClaim],
    facts: ClaimFacts,
    sales: Sequence[Sale],
) -> str:
    """The digest of all that the statement was computed from, and of nothing else."""
    keys = {sale.key for sale in sales}
    ordered = sorted(policies, key=lambda policy: policy.valid_from)
    said = msgspec.structs.replace(
        facts,
        flags=_only(facts.flags, keys),
        decisions=_only(facts.decisions, keys),
        reversed=_only(facts.reversed, keys),
        suspended=tuple(sorted(keys.intersection(facts.suspended))),
        attested=_only(facts.attested, keys),
        pending=_only(facts.pending, keys),
    )
    return b64url(tagged("quota-inputs", encode([ordered, dict(lots), _only(claims, keys), said])))


def _only(rows: Mapping[str, RowT], keys: Set[str]) -> dict[str, RowT]:
    return {key: row for key, row in rows.items() if key in keys}
