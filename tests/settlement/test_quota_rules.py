"""The numbered computation rules, one test each where no other file names the rule. Examples are elsewhere.

Rules 10 (example 7), 13 and 14 are also tested where flags, flows and attested sales are.
"""

import msgspec
import pytest

from ledger.units import BusinessDate, ParticipantId
from settlement.model.claims import ClaimFacts, Reason, Verdict
from settlement.model.production import LotState
from settlement.model.quota_policies import (
    FLAG_POLICIES,
    QUOTA_POLICIES,
    Basis,
    Excess,
    LegalStatus,
    Period,
    Treatment,
    policy_on,
    timeline,
)
from settlement.model.statement import ClaimState, LotScope
from settlement.quota import (
    ASSUMED_NOTE,
    CONFIRMED_NOTE,
    OTHER_BASIS_NOTE,
    obligation,
    quota_statement,
    restated,
    what_if,
)
from settlement.quota.restated import WHAT_IF_NOTE
from tests.settlement.market import BTC
from tests.settlement.quota_cases import (
    MINER,
    attested,
    basis,
    claim,
    coins,
    decision,
    flag,
    line_of,
    lot,
    rate,
    statement,
)


def test_rule_1_large_sums_stay_exact() -> None:
    whole = 2**53 - 1
    result = statement({"a": lot("2025-03-01", 10**15, receipt_value=whole)}, {"s": claim("2025-03-02", 1)})

    assert result.obligation == 750_000_000_000_000
    assert basis(result, "value_at_receipt", "lot_cumulative").counted == -(-whole // 10**15)


def test_rule_2_not_less_than_rounds_up() -> None:
    p24, p25 = QUOTA_POLICIES

    assert [obligation(quantity, p24) for quantity in (1, 2, 3)] == [1, 1, 2]
    assert [obligation(quantity, p25) for quantity in (1, 2, 3, 4, 5)] == [1, 2, 3, 3, 4]


def test_rule_3_the_share_is_that_of_the_date_of_distribution() -> None:
    result = statement({"a": lot("2024-12-31", 4 * BTC)}, {"s": claim("2025-06-01", BTC)})

    assert (result.lots[0].policy, result.obligation) == ("P24", 2 * BTC)


def test_rule_4_an_unlicensed_or_corrected_lot_gives_no_credit() -> None:
    lots = {
        "a": lot("2025-03-01", BTC, state=LotState.UNLICENSED),
        "b": lot("2025-03-01", 2 * BTC, state=LotState.CORRECTED, superseded_by="c"),
        "c": lot("2025-03-01", 3 * BTC, supersedes="b"),
    }
    result = statement(lots, {"s": claim("2025-03-02", 6 * BTC)})

    assert [line.scope for line in result.lots] == [LotScope.UNLICENSED, LotScope.CORRECTED, LotScope.IN_SCOPE]
    assert (result.produced, result.unlicensed, result.corrected) == (3 * BTC, BTC, 2 * BTC)
    assert (result.counted, result.unmatched) == (3 * BTC, 3 * BTC)


def test_rule_5_attested_sales_are_never_added_silently() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {}, facts=ClaimFacts(attested={"x/1": attested("2025-03-02", 1)}))

    assert (result.sold, result.counted, result.bases[0].counted) == (0, 0, 0)
    assert result.with_attested is not None
    assert result.with_attested.counted == 1


def test_rule_6_obligations_first_and_then_the_rest_oldest_first() -> None:
    lots = {"a": lot("2025-03-01", 4), "b": lot("2025-03-02", 4)}
    result = statement(lots, {"s": claim("2025-03-03", 7)})

    parts = [(part.lot, part.quantity, part.is_obligation) for part in result.claims[0].allocations]
    assert parts == [("a", 3, True), ("b", 3, True), ("a", 1, False)]


def test_rule_6_what_goes_beyond_passes_over_a_lot_whose_obligation_is_all_of_it() -> None:
    rates = timeline((rate("whole", "2024-01-01", (1, 1)), rate("part", "2025-03-02")))
    lots = {"a": lot("2025-03-01", 4), "b": lot("2025-03-02", 4)}
    result = statement(lots, {"s": claim("2025-03-03", 8)}, policies=rates)

    parts = [(part.lot, part.quantity, part.is_obligation) for part in result.claims[0].allocations]
    assert parts == [("a", 4, True), ("b", 3, True), ("b", 1, False)]


def test_rule_7_never_more_is_counted_than_was_produced() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-02", 3 * BTC)})

    assert (result.counted, result.unmatched) == (BTC, 2 * BTC)
    assert all(each.counted <= each.produced for each in result.bases)


def test_rule_8_a_sale_before_production_waits_and_younger_lots_do_not_cover_it() -> None:
    claims = {"s": claim("2025-03-05", BTC)}
    assert statement({"a": lot("2025-03-06", BTC)}, claims).claims[0].state is ClaimState.UNMATCHED

    # A later report brings an older lot: the sale is matched again.
    result = statement({"a": lot("2025-03-06", BTC), "b": lot("2025-03-04", BTC)}, claims)
    assert (result.claims[0].state, result.claims[0].allocations[0].lot) == (ClaimState.COUNTED, "b")


def test_rule_9_each_statement_names_the_hash_of_what_it_was_computed_from() -> None:
    lots, claims = {"a": lot("2025-03-01", BTC)}, {"x/1": claim("2025-03-02", BTC)}
    result = statement(lots, claims)

    assert statement(dict(lots), dict(claims)).inputs == result.inputs
    for other in (
        statement(lots | {"b": lot("2025-03-01", 1, coin="LTC")}, claims),
        statement(lots, {}),
        statement(lots, claims, policies=QUOTA_POLICIES[1:]),
        statement(lots, claims, facts=ClaimFacts(flags={"x/1": (flag(Reason.OTHER),)})),
        statement(lots, claims, facts=ClaimFacts(reversed={"x/1": 1})),
        statement(lots, claims, facts=ClaimFacts(suspended=("x/1",))),
    ):
        assert other.inputs != result.inputs
    # What is said of other miners' sales is no input.
    assert statement(lots, claims, facts=ClaimFacts(suspended=("x/9",))).inputs == result.inputs


def test_rule_10_a_decision_ends_the_hold_of_a_suspended_exchange() -> None:
    lots, claims = {"a": lot("2025-03-01", BTC)}, {"x/1": claim("2025-03-02", BTC)}
    facts = ClaimFacts(suspended=("x/1",), decisions={"x/1": (decision(Verdict.RESTORE),)})

    assert statement(lots, claims, facts=ClaimFacts(suspended=("x/1",))).held == BTC
    assert statement(lots, claims, facts=facts).counted == BTC


def test_rule_11_what_is_undone_is_taken_off_in_its_own_period_and_restated() -> None:
    lots = {"a": lot("2024-05-01", 4 * BTC), "b": lot("2025-05-01", 4 * BTC)}
    claims = {"x/1": claim("2024-06-01", 2 * BTC), "x/2": claim("2025-06-01", 3 * BTC)}
    first = restated(None, statement(lots, claims))
    years = basis(first.statement, "quantity_per_coin", "calendar_year").periods
    assert [line.shortfall for line in years] == [0, 0]

    second = restated(first, statement(lots, claims, facts=ClaimFacts(reversed={"x/1": 2 * BTC})))
    years = basis(second.statement, "quantity_per_coin", "calendar_year").periods
    assert [line.shortfall for line in years] == [2 * BTC, 0]
    assert (line_of(second.statement, "x/1").state, line_of(second.statement, "x/1").reversed) == (
        ClaimState.REVERSED,
        2 * BTC,
    )
    assert (second.version, second.previous) == (2, first.digest)

    third = restated(second, statement(lots, claims, facts=ClaimFacts(reversed={"x/1": BTC})))
    assert (line_of(third.statement, "x/1").state, line_of(third.statement, "x/1").quantity) == (
        ClaimState.COUNTED,
        BTC,
    )
    assert (third.version, third.previous) == (3, second.digest)


def test_a_statement_is_restated_for_the_same_miner_coin_and_date_only() -> None:
    first = restated(None, statement({}, {}))

    with pytest.raises(ValueError, match=r"expected a statement of .*BTC.*, got one of .*LTC"):
        restated(first, statement({}, {}, coin="LTC"))


def test_a_statement_of_which_nothing_has_changed_is_no_new_version() -> None:
    first = restated(None, statement({"a": lot("2025-03-01", 4)}, {}))

    assert restated(first, statement({"a": lot("2025-03-01", 4)}, {})) is first


def test_rule_12_a_self_trade_is_disqualified_and_may_be_restored() -> None:
    lots, claims = {"a": lot("2025-03-01", BTC)}, {"x/1": claim("2025-03-02", BTC)}
    flags = {"x/1": (flag(Reason.SELF_TRADE),)}

    result = statement(lots, claims, facts=ClaimFacts(flags=flags))
    assert (result.claims[0].state, result.disqualified) == (ClaimState.DISQUALIFIED, BTC)
    restored = {"x/1": (decision(Verdict.RESTORE, flags=1),)}
    assert statement(lots, claims, facts=ClaimFacts(flags=flags, decisions=restored)).counted == BTC


@pytest.mark.parametrize(
    ("treatment", "state", "reasons"),
    [
        (Treatment.HOLD, ClaimState.HELD, (Reason.RELATED_PARTY,)),
        (Treatment.EXCLUDE, ClaimState.DISQUALIFIED, (Reason.RELATED_PARTY,)),
        (Treatment.FLAG, ClaimState.COUNTED, (Reason.RELATED_PARTY,)),
        (Treatment.COUNT, ClaimState.COUNTED, ()),
    ],
)
def test_rule_12_a_sale_to_a_related_party_is_treated_as_the_policy_says(
    treatment: Treatment, state: ClaimState, reasons: tuple[Reason, ...]
) -> None:
    policies = (msgspec.structs.replace(FLAG_POLICIES[0], related=treatment),)
    facts = ClaimFacts(flags={"x/1": (flag(Reason.RELATED_PARTY),)}, flag_policies=policies)
    (line,) = statement({"a": lot("2025-03-01", BTC)}, {"x/1": claim("2025-03-02", BTC)}, facts=facts).claims

    assert (line.state, line.reasons) == (state, reasons)


def test_a_flag_without_a_policy_of_its_date_holds() -> None:
    facts = ClaimFacts(flags={"x/1": (flag(Reason.RELATED_PARTY),)}, flag_policies=())

    assert statement({}, {"x/1": claim("2025-03-02", BTC)}, facts=facts).held == BTC


def test_a_flag_after_a_decision_stands_open_and_a_later_decision_supersedes() -> None:
    claims = {"x/1": claim("2025-03-02", BTC)}
    flags = (flag(Reason.WASH_ROUND_TRIP), flag(Reason.COINS_RETURNED))

    def state(*decisions: tuple[Verdict, int]) -> tuple[ClaimState, tuple[Reason, ...]]:
        made = tuple(decision(verdict, flags=count, reason=Reason.WASH_ROUND_TRIP) for verdict, count in decisions)
        (line,) = statement({}, claims, facts=ClaimFacts(flags={"x/1": flags}, decisions={"x/1": made})).claims
        return line.state, line.reasons

    assert state() == (ClaimState.HELD, (Reason.COINS_RETURNED, Reason.WASH_ROUND_TRIP))
    assert state((Verdict.RESTORE, 1)) == (ClaimState.HELD, (Reason.COINS_RETURNED,))
    assert state((Verdict.RESTORE, 2)) == (ClaimState.UNMATCHED, ())
    assert state((Verdict.RESTORE, 2), (Verdict.DISQUALIFY, 2)) == (
        ClaimState.DISQUALIFIED,
        (Reason.WASH_ROUND_TRIP,),
    )
    assert state((Verdict.DISQUALIFY, 2), (Verdict.RESTORE, 2)) == (ClaimState.UNMATCHED, ())
    # An open flag does not soften a disqualification.
    assert state((Verdict.DISQUALIFY, 1)) == (
        ClaimState.DISQUALIFIED,
        (Reason.COINS_RETURNED, Reason.WASH_ROUND_TRIP),
    )


def test_rule_17_an_exempted_miner_has_no_obligation_and_its_sales_are_recorded() -> None:
    policy = rate("P25", "2025-01-01", exempt=(MINER,))
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-03-02", BTC)}, policies=(policy,))

    assert (result.obligation, result.shortfall, result.sold) == (0, 0, BTC)
    assert (result.lots[0].scope, result.claims[0].state) == (LotScope.OUT_OF_SCOPE, ClaimState.OUT_OF_SCOPE)
    # A sale older than all of its lots waits as any other.
    result = statement({"a": lot("2025-03-01", BTC)}, {"s": claim("2025-02-02", BTC)}, policies=(policy,))
    assert result.claims[0].state is ClaimState.UNMATCHED


def test_rule_18_the_shortfall_is_the_sum_over_lots() -> None:
    lots = {"a": lot("2025-03-01", 4 * BTC), "b": lot("2025-03-02", 4 * BTC)}
    # Sold between the lots: what is beyond the duty of the first does not lessen that of the second.
    result = statement(lots, {"s": claim("2025-03-01", 4 * BTC)})

    assert (result.counted, result.obligation, result.shortfall) == (4 * BTC, 6 * BTC, 3 * BTC)
    # Over a year it does.
    assert basis(result, "quantity_per_coin", "calendar_year").shortfall == 2 * BTC


def test_what_is_carried_lessens_the_duty_of_later_lots_once() -> None:
    policy = rate("P25", "2025-01-01", excess=Excess.CARRY)
    lots = {"a": lot("2025-03-01", 4 * BTC), "b": lot("2025-03-02", 4 * BTC), "c": lot("2025-03-03", 4 * BTC)}
    result = statement(lots, {"s": claim("2025-03-01", 4 * BTC)}, policies=(policy,))

    assert [line.carried for line in result.lots] == [0, BTC, 0]
    assert [line.shortfall for line in result.lots] == [0, 2 * BTC, 3 * BTC]
    assert result.carried == BTC
    # All of the second lot may still be sold, and what is beyond its lesser duty is carried again.
    claims = {"s": claim("2025-03-01", 4 * BTC), "t": claim("2025-03-02", 4 * BTC)}
    result = statement(lots, claims, policies=(policy,))
    assert [line.carried for line in result.lots] == [0, BTC, 2 * BTC]
    assert (result.counted, result.shortfall) == (8 * BTC, BTC)


@pytest.mark.parametrize(("excess", "shortfall"), [(Excess.NO_CARRY, coins("2.5")), (Excess.CARRY, coins("1.5"))])
def test_what_a_year_sells_beyond_its_duty_is_carried_if_the_policy_says_so(excess: Excess, shortfall: int) -> None:
    policies = (
        rate("P24", "2024-01-01", (1, 2), valid_until=BusinessDate("2025-01-01"), excess=excess),
        rate("P25", "2025-01-01"),
    )
    lots = {"a": lot("2024-05-01", 4 * BTC), "b": lot("2025-05-01", 4 * BTC)}
    claims = {"s": claim("2024-06-01", 3 * BTC), "t": claim("2025-06-01", coins("0.5"))}
    result = basis(statement(lots, claims, policies=policies), "quantity_per_coin", "calendar_year")

    assert [line.shortfall for line in result.periods] == [0, shortfall]
    assert result.carried == coins("2.5") - shortfall


def test_rule_20_every_result_names_its_policies_their_status_and_the_basis() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {})

    assert (result.is_basis_assumed, result.basis_note) == (True, ASSUMED_NOTE)
    assert [(line.policy, line.legal_status) for line in result.policies] == [("P25", LegalStatus.ASSUMED)]
    assert statement({}, {}).is_basis_assumed
    first, *others = result.bases
    assert (first.named_by, first.note[:26]) == (("P25",), "Computation basis assumed:")
    assert all(other.note.startswith("For comparison. Computation basis assumed:") for other in others)
    assert len({(each.basis, each.period, each.order) for each in result.bases}) == 7


def test_a_policy_that_names_another_basis_marks_it() -> None:
    policy = rate("P26", "2025-01-01", basis=Basis.VALUE_AT_RECEIPT, period=Period.QUARTER)
    result = statement({"a": lot("2025-03-01", BTC)}, {}, policies=(policy,))

    assert result.basis_note == OTHER_BASIS_NOTE
    (named,) = (each for each in result.bases if each.named_by)
    assert (named.basis, named.period, named.named_by) == (Basis.VALUE_AT_RECEIPT, Period.QUARTER, ("P26",))
    assert named.note.startswith("Computed by value at receipt, all coins pooled, by quarter")
    # The lot has no value: by value it counts nothing, and the result says so.
    assert (named.unvalued, named.obligation) == (1, 0)


def test_confirmed_policies_leave_nothing_assumed() -> None:
    result = statement({"a": lot("2025-03-01", BTC)}, {}, policies=(rate("P25", "2025-01-01"),))

    assert (result.is_basis_assumed, result.basis_note) == (False, CONFIRMED_NOTE)


def test_what_if_is_no_statement() -> None:
    lots = {"a": lot("2025-03-01", 4 * BTC)}
    half = rate("HALF", "2025-01-01", (1, 2))
    asked = what_if((half,), lots, {}, miner=MINER, coin="BTC", as_of=BusinessDate("2025-12-31"))

    assert asked.note == WHAT_IF_NOTE
    assert (asked.statement.obligation, asked.policies) == (2 * BTC, (half,))
    assert statement(lots, {}).obligation == 3 * BTC


def test_a_policy_set_later_wins_from_its_first_date_on() -> None:
    first = rate("A", "2025-01-01")
    second = rate("B", "2026-01-01", (1, 2), valid_until=BusinessDate("2027-01-01"))
    third = rate("C", "2028-01-01", (1, 4))
    instead = rate("D", "2026-06-01", (0, 1))

    def names(*history: str) -> list[str | None]:
        known = {"A": first, "B": second, "C": third, "D": instead}
        policies = timeline([known[name] for name in history])
        dates = ("2024-12-31", "2025-12-31", "2026-01-01", "2026-06-01", "2027-01-01", "2028-01-01")
        found = [policy_on(policies, BusinessDate(date)) for date in dates]
        return [None if policy is None else policy.policy for policy in found]

    assert names("A") == [None, "A", "A", "A", "A", "A"]
    assert names("A", "B") == [None, "A", "B", "B", None, None]
    assert names("A", "B", "C") == [None, "A", "B", "B", None, "C"]
    assert names("A", "B", "C", "D") == [None, "A", "B", "D", "D", "D"]


def test_pooled_value_takes_in_other_coins_and_no_other_miner() -> None:
    lots = {
        "a": lot("2025-03-01", 2, receipt_value=100),
        "b": lot("2025-03-01", 2, coin="LTC", receipt_value=300),
        "c": lot("2025-03-01", 2, miner=ParticipantId("miner-two"), receipt_value=999),
    }
    claims = {"s": claim("2025-03-02", 2, coin="LTC")}
    result = quota_statement(QUOTA_POLICIES, lots, claims, miner=MINER, coin="BTC", as_of=BusinessDate("2025-12-31"))

    for period in ("lot_cumulative", "calendar_year", "quarter"):
        value = basis(result, "value_at_receipt", period)
        assert (value.produced, value.obligation, value.counted, value.shortfall) == (400, 300, 300, 0)
