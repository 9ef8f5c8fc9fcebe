"""What holds for every set of lots, sales and what is said of them; and that the naive model counts the same."""

import datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.units import ParticipantId
from settlement.model.claims import ClaimFacts, Reason, Verdict
from settlement.model.production import LotState, ProductionLot
from settlement.model.quota_policies import FLAG_POLICIES, QUOTA_POLICIES, Excess, RatePolicy, Treatment
from settlement.model.statement import ClaimState, Column, LotScope
from settlement.model.trades import QuotaClaim
from settlement.quota import restated
from tests.settlement.naive_quota import (
    naive_allocations,
    naive_oldest_first,
    naive_periods,
    naive_state,
    naive_value_met,
)
from tests.settlement.quota_cases import MINER, attested, basis, claim, decision, flag, lot, statement

QUARTERS = {"calendar_year": 12, "quarter": 3}
dates = st.dates(datetime.date(2023, 11, 1), datetime.date(2025, 3, 1)).map(datetime.date.isoformat)
crowded = st.dates(datetime.date(2024, 12, 25), datetime.date(2025, 1, 8)).map(datetime.date.isoformat)
keys = st.text("abc", min_size=1, max_size=3)


def lots_on(days: st.SearchStrategy[str], *, max_size: int) -> st.SearchStrategy[dict[str, ProductionLot]]:
    """Lots in two coins, in each state and subtype."""
    return st.dictionaries(
        st.text("abcdef", min_size=1, max_size=3),
        st.builds(
            lot,
            days,
            st.integers(1, 50),
            state=st.sampled_from([LotState.OPEN, *LotState]),
            subtype=st.sampled_from((1, 1, 2)),
            coin=st.sampled_from(("BTC", "BTC", "LTC")),
            receipt_value=st.integers(0, 1_000),
        ),
        max_size=max_size,
    )


def claims_on(days: st.SearchStrategy[str], *, max_size: int) -> st.SearchStrategy[dict[str, QuotaClaim]]:
    """Sales in two coins."""
    return st.dictionaries(
        keys,
        st.builds(claim, days, st.integers(1, 80), coin=st.sampled_from(("BTC", "BTC", "LTC"))),
        max_size=max_size,
    )


@st.composite
def facts_on(draw: st.DrawFn, claims: dict[str, QuotaClaim], days: st.SearchStrategy[str]) -> ClaimFacts:
    """Flags, decisions, reversals, suspensions and attested sales of some claims."""
    some = st.sampled_from(sorted(claims)) if claims else st.nothing()
    flags = draw(st.dictionaries(some, st.lists(st.builds(flag, st.sampled_from(Reason)), min_size=1, max_size=3)))
    decided = draw(st.dictionaries(some, st.lists(st.sampled_from(Verdict), min_size=1, max_size=2)))
    return ClaimFacts(
        flags={key: tuple(each) for key, each in flags.items()},
        decisions={
            key: tuple(decision(verdict, flags=draw(st.integers(0, len(flags.get(key, ()))))) for verdict in verdicts)
            for key, verdicts in decided.items()
        },
        reversed={key: draw(st.integers(1, claims[key].quantity)) for key in draw(st.sets(some))},
        suspended=tuple(sorted(draw(st.sets(some)))),
        attested=draw(st.dictionaries(keys.map("x/{}".format), st.builds(attested, days, st.integers(1, 50)))),
        flag_policies=tuple(
            msgspec.structs.replace(policy, related=draw(st.sampled_from(Treatment))) for policy in FLAG_POLICIES
        ),
    )


@st.composite
def situations(
    draw: st.DrawFn, days: st.SearchStrategy[str] = dates, *, max_size: int = 8
) -> tuple[dict[str, ProductionLot], dict[str, QuotaClaim], ClaimFacts]:
    """Lots, sales, and what is said of the sales."""
    lots = draw(lots_on(days, max_size=max_size))
    claims = draw(claims_on(days, max_size=max_size))
    return lots, claims, draw(facts_on(claims, days))


def changed(**members: Any) -> tuple[RatePolicy, ...]:
    """The policies of the package, changed."""
    return tuple(msgspec.structs.replace(policy, **members) for policy in QUOTA_POLICIES)


policies = st.sampled_from(
    [
        QUOTA_POLICIES,
        changed(subtypes=(1,)),
        changed(excess=Excess.CARRY),
        (QUOTA_POLICIES[0], msgspec.structs.replace(QUOTA_POLICIES[1], excess=Excess.CARRY)),
        (msgspec.structs.replace(QUOTA_POLICIES[0], excess=Excess.CARRY), QUOTA_POLICIES[1]),
        (QUOTA_POLICIES[0], msgspec.structs.replace(QUOTA_POLICIES[1], exempt=(MINER,))),
    ]
)
Situation = tuple[dict[str, ProductionLot], dict[str, QuotaClaim], ClaimFacts]


@given(situations(), policies)
def test_never_more_is_counted_than_was_produced_or_sold(situation: Situation, rates: tuple[RatePolicy, ...]) -> None:
    lots, claims, facts = situation
    result = statement(lots, claims, policies=rates, facts=facts)

    for line in result.lots:
        assert line.counted_obligation + line.counted_beyond <= line.quantity
        assert line.counted_obligation + line.carried <= line.obligation <= line.quantity
        assert line.shortfall == line.obligation - line.counted_obligation - line.carried
    for sale in result.claims:
        stopped = sale.state in {ClaimState.HELD, ClaimState.DISQUALIFIED, ClaimState.REVERSED}
        counted = sum(part.quantity for part in sale.allocations)
        assert counted + sale.unmatched == (0 if stopped else sale.quantity)
        assert all(lots[part.lot].distributed_on <= sale.executed_on for part in sale.allocations)
        assert all(lots[part.lot].state is LotState.OPEN for part in sale.allocations)
    assert result.counted == result.sold - result.unmatched - result.held - result.disqualified
    whole = result.produced + result.unlicensed + result.out_of_scope + result.corrected
    assert whole == sum(each.quantity for each in lots.values() if each.coin == "BTC")
    for each in result.bases:
        assert each.counted <= each.produced
        assert each.shortfall + each.carried <= each.obligation <= each.produced
        assert each.shortfall + each.carried + each.counted >= each.obligation


@given(situations(), policies, st.randoms(use_true_random=False))
def test_the_order_in_which_things_arrived_does_not_matter(
    situation: Situation, rates: tuple[RatePolicy, ...], random: Any
) -> None:
    lots, claims, facts = situation

    def shuffled(rows: dict[str, Any]) -> dict[str, Any]:
        items = list(rows.items())
        random.shuffle(items)
        return dict(items)

    mixed = msgspec.structs.replace(
        facts,
        **{name: shuffled(getattr(facts, name)) for name in ("flags", "decisions", "reversed", "attested")},
        suspended=tuple(random.sample(facts.suspended, len(facts.suspended))),
    )
    backwards = tuple(reversed(rates))
    result = statement(shuffled(lots), shuffled(claims), policies=backwards, facts=mixed)
    assert result == statement(lots, claims, policies=rates, facts=facts)


@given(situations())
def test_one_lot_more_never_hurts_what_was_counted(situation: Situation) -> None:
    lots, claims, facts = situation
    before = statement(lots, claims, facts=facts)
    after = statement(lots | {"z": lot("2024-06-01", 10)}, claims, facts=facts)

    assert after.counted >= before.counted
    assert after.inputs != before.inputs


@given(situations())
def test_no_obligation_is_left_open_while_a_sale_that_may_fill_it_is_unmatched(situation: Situation) -> None:
    lots, claims, facts = situation
    result = statement(lots, claims, facts=facts)

    for sale in result.claims:
        for line in result.lots:
            if sale.column is Column.SETTLED_ON_LEDGER and sale.unmatched and line.distributed_on <= sale.executed_on:
                assert line.shortfall == 0


@given(situations(crowded, max_size=25), policies)
def test_pointers_that_move_on_count_what_the_plain_way_counts(
    situation: Situation, rates: tuple[RatePolicy, ...]
) -> None:
    lots, claims, facts = situation
    result = statement(lots, claims, policies=rates, facts=facts)
    settled = [sale for sale in result.claims if sale.column is Column.SETTLED_ON_LEDGER]

    for sale in settled:
        stopped = naive_state(claims[sale.claim], sale.claim, facts)
        assert stopped is None or sale.state is stopped
        assert stopped is not None or sale.state not in {ClaimState.HELD, ClaimState.DISQUALIFIED}
    counted = [
        (sale.claim, [(part.lot, part.quantity, part.is_obligation) for part in sale.allocations])
        for sale in settled
        if naive_state(claims[sale.claim], sale.claim, facts) is None
    ]
    assert counted == naive_allocations(rates, lots, claims, facts, coin="BTC").parts
    carried = {line.lot: line.carried for line in result.lots if line.scope is LotScope.IN_SCOPE}
    assert carried == naive_allocations(rates, lots, claims, facts, coin="BTC").carried


@given(situations(), policies, st.sampled_from(["calendar_year", "quarter"]))
def test_periods_come_to_what_the_plain_way_comes_to(
    situation: Situation, rates: tuple[RatePolicy, ...], period: str
) -> None:
    lots, claims, facts = situation
    result = basis(statement(lots, claims, policies=rates, facts=facts), "quantity_per_coin", period)

    lines = [(line.period, line.obligation, line.counted, line.carried, line.shortfall) for line in result.periods]
    assert lines == naive_periods(rates, lots, claims, facts, months=QUARTERS[period])


@given(situations(), policies)
def test_oldest_first_comes_to_what_the_plain_way_comes_to(situation: Situation, rates: tuple[RatePolicy, ...]) -> None:
    lots, claims, facts = situation
    result = basis(
        statement(lots, claims, policies=rates, facts=facts), "quantity_per_coin", "lot_cumulative", "oldest_first"
    )

    assert (result.counted, result.shortfall) == naive_oldest_first(rates, lots, claims, facts)


@given(situations(), policies)
def test_the_first_basis_is_the_statement_itself(situation: Situation, rates: tuple[RatePolicy, ...]) -> None:
    lots, claims, facts = situation
    result = statement(lots, claims, policies=rates, facts=facts)
    first = result.bases[0]

    assert (first.produced, first.obligation, first.counted) == (result.produced, result.obligation, result.counted)
    assert (first.shortfall, first.carried) == (result.shortfall, result.carried)


@given(situations(), policies)
def test_value_pools_all_coins_at_the_value_of_their_lots(situation: Situation, rates: tuple[RatePolicy, ...]) -> None:
    lots, claims, facts = situation
    result = basis(statement(lots, claims, policies=rates, facts=facts), "value_at_receipt", "lot_cumulative")

    assert (result.obligation, result.counted) == naive_value_met(rates, lots, claims, facts)
    assert result.shortfall == max(0, result.obligation - result.counted)


@given(situations())
def test_who_meets_every_obligation_by_quantity_meets_the_value(situation: Situation) -> None:
    lots, claims, facts = situation
    results = [statement(lots, claims, facts=facts, coin=coin) for coin in ("BTC", "LTC")]

    if all(result.shortfall == 0 for result in results):
        assert basis(results[0], "value_at_receipt", "lot_cumulative").shortfall == 0


@given(situations(), situations())
def test_a_restated_statement_is_the_recomputed_one(before: Situation, after: Situation) -> None:
    first = restated(None, statement(*before[:2], facts=before[2]))
    recomputed = statement(*after[:2], facts=after[2])
    second = restated(first, recomputed)

    assert second.statement == recomputed
    if recomputed == first.statement:
        assert second is first
    else:
        assert (second.version, second.previous) == (2, first.digest)
    assert restated(second, recomputed) is second


@given(situations())
def test_other_miners_change_nothing(situation: Situation) -> None:
    lots, claims, facts = situation
    others = {f"o-{key}": msgspec.structs.replace(each, miner=ParticipantId("other")) for key, each in lots.items()}
    foreign = {f"o-{key}": msgspec.structs.replace(each, miner=ParticipantId("other")) for key, each in claims.items()}

    assert statement(lots | others, claims | foreign, facts=facts) == statement(lots, claims, facts=facts)
