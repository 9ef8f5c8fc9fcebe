"""Rates and flag policies as data of the ledger: dated, append-only, never in hindsight."""

from typing import Any

import pytest

from ledger.crypto import canonical
from ledger.model.outcome import Outcome
from ledger.rules.tables import THE
from ledger.units import BusinessDate
from settlement.model.quota_policies import (
    EXEMPT_MAX,
    FLAG_POLICIES,
    POLICIES_MAX,
    QUOTA_POLICIES,
    FlagPolicy,
    LegalStatus,
    RatePolicy,
    Treatment,
    policy_on,
)
from settlement.rules.quota_policies import FlagPolicySet, QuotaPolicySet, flag_policies, rate_policies
from settlement.rules.tables import FLAG_POLICY_HISTORY, RATE_POLICY_HISTORY
from settlement.views.statements import quota_statement, quota_what_if
from tests.book import Book, refused_with
from tests.settlement.market import BTC, accepted, market, report, row
from tests.settlement.quota_cases import MINER, rate

SIGNERS = ("ministry-1", "issuer-1")


@pytest.fixture
def book() -> Book:
    """The business date is 27 December 2024."""
    return market()


def set_rate(book: Book, policy: RatePolicy, *, supersedes: str = "P25", signers: tuple[str, ...] = SIGNERS) -> Outcome:
    body = QuotaPolicySet(policy=policy, supersedes=supersedes)
    return book.submit("quota_policy_set", body, by="ministry", signers=signers)


def flags(name: str = "F25", valid_from: str = "2025-01-01", **members: Any) -> FlagPolicy:
    whole: dict[str, Any] = {
        "policy": name,
        "valid_from": BusinessDate(valid_from),
        "window_us": 3_600_000_000,
        "hops": 1,
        "returned_ppm": 500_000,
        "price_off_ppm": 10_000,
        "related": Treatment.EXCLUDE,
        "legal_source": "an example",
        "legal_status": LegalStatus.CONFIRMED,
    } | members
    return FlagPolicy(**whole)


def set_flags(book: Book, policy: FlagPolicy, *, supersedes: str = "F24") -> Outcome:
    body = FlagPolicySet(policy=policy, supersedes=supersedes)
    return book.submit("flag_policy_set", body, by="ministry", signers=("ministry-1", "ministry-2"))


def test_where_none_is_on_the_ledger_those_of_the_package_hold(book: Book) -> None:
    assert rate_policies(book.state) == QUOTA_POLICIES
    assert flag_policies(book.state) == FLAG_POLICIES


def test_a_rate_holds_from_its_date_on_and_the_history_is_kept(book: Book) -> None:
    accepted(set_rate(book, rate("P26", "2026-01-01", (1, 4))))
    accepted(set_rate(book, rate("P25B", "2025-07-01", (1, 2)), supersedes="P26"))

    history = book.state.get(RATE_POLICY_HISTORY, THE)
    assert history is not None
    assert [policy.policy for policy in history] == ["P24", "P25", "P26", "P25B"]
    dates = ("2024-12-31", "2025-06-30", "2025-07-01", "2026-01-01")
    found = [policy_on(rate_policies(book.state), BusinessDate(date)) for date in dates]
    assert [policy.policy for policy in found if policy is not None] == ["P24", "P25", "P25B", "P25B"]


def test_a_statement_follows_the_rates_of_the_ledger(book: Book) -> None:
    accepted(report(book, row(1)))
    as_of = BusinessDate("2024-12-31")
    half = quota_statement(book.state, MINER, "BTC", as_of=as_of)
    assert half.obligation == BTC // 2
    asked = quota_what_if(book.state, MINER, "BTC", as_of=as_of, policies=[rate("ALL", "2024-01-01", (1, 1))])
    assert (asked.statement.obligation, asked.note[:15]) == (BTC, "Not a statement")


def test_two_must_sign_a_rate(book: Book) -> None:
    policy = rate("P26", "2026-01-01")
    body = QuotaPolicySet(policy=policy, supersedes="P25")

    assert book.end("quota_policy_set", body, by="ministry", signers=("ministry-1",)) == "signatures_insufficient"
    assert book.end("quota_policy_set", body, by="aix-one") == "kind_not_permitted"


@pytest.mark.parametrize(
    ("valid_from", "valid_until"),
    [("2025-02-30", None), ("2025-02-01", "2025-02-30"), ("2025-02-02", "2025-02-02"), ("2025-02-02", "2025-02-01")],
)
def test_dates_must_exist_and_be_in_order(book: Book, valid_from: str, valid_until: str | None) -> None:
    until = None if valid_until is None else BusinessDate(valid_until)

    assert refused_with(set_rate(book, rate("P", valid_from, valid_until=until))) == "quota_policy_date_invalid"
    outcome = set_flags(book, flags("F", valid_from, valid_until=until))
    assert refused_with(outcome) == "quota_policy_date_invalid"


def test_no_policy_begins_before_the_next_business_day(book: Book) -> None:
    assert refused_with(set_rate(book, rate("P", "2024-12-27"))) == "quota_policy_too_early"
    assert refused_with(set_flags(book, flags("F", "2024-12-27"))) == "quota_policy_too_early"
    accepted(set_rate(book, rate("P", "2024-12-28")))
    accepted(set_flags(book, flags("F", "2024-12-28")))


def test_a_share_is_at_most_the_whole(book: Book) -> None:
    assert refused_with(set_rate(book, rate("P", "2025-01-01", (5, 4)))) == "quota_share_above_one"
    accepted(set_rate(book, rate("P", "2025-01-01", (4, 4))))


def test_a_name_is_taken_once(book: Book) -> None:
    assert refused_with(set_rate(book, rate("P24", "2025-01-01"))) == "quota_policy_name_taken"
    assert refused_with(set_flags(book, flags("F24"))) == "quota_policy_name_taken"


def test_a_policy_supersedes_the_one_set_last(book: Book) -> None:
    outcome = set_rate(book, rate("P", "2025-01-01"), supersedes="P24")
    assert refused_with(outcome) == "quota_policy_supersedes_differs"
    accepted(set_flags(book, flags()))
    assert refused_with(set_flags(book, flags("F26", "2026-01-01"))) == "quota_policy_supersedes_differs"


def test_there_is_room_for_so_many(book: Book) -> None:
    last = "P25"
    for number in range(POLICIES_MAX - len(QUOTA_POLICIES)):
        accepted(set_rate(book, rate(f"N{number}", "2025-01-01"), supersedes=last))
        last = f"N{number}"
    assert refused_with(set_rate(book, rate("Z", "2025-01-01"), supersedes=last)) == "quota_policies_too_many"


def test_flag_policies_hold_from_their_date_on(book: Book) -> None:
    accepted(set_flags(book, flags()))

    before, after = (policy_on(flag_policies(book.state), BusinessDate(date)) for date in ("2024-12-31", "2025-01-01"))
    assert before is not None
    assert after is not None
    assert (before.policy, before.hops, after.policy, after.hops) == ("F24", 3, "F25", 1)
    assert book.state.get(FLAG_POLICY_HISTORY, THE) == (*FLAG_POLICIES, flags())


def test_a_policy_exempts_so_many_miners_by_name() -> None:
    def decoded(count: int) -> RatePolicy:
        policy = rate("P", "2025-01-01", exempt=tuple(f"miner-{number}" for number in range(count)))
        return canonical.decode(canonical.encode(policy), RatePolicy)

    assert len(decoded(EXEMPT_MAX).exempt) == EXEMPT_MAX
    with pytest.raises(canonical.NotCanonical, match="exempt"):
        decoded(EXEMPT_MAX + 1)


@pytest.mark.parametrize(
    "members",
    [{"hops": 4}, {"hops": 0}, {"returned_ppm": 0}, {"returned_ppm": 1_000_001}, {"window_us": 0}],
)
def test_a_flag_policy_stays_within_what_can_be_searched(members: dict[str, Any]) -> None:
    with pytest.raises(canonical.NotCanonical, match="|".join(members)):
        canonical.decode(canonical.encode(flags(**members)), FlagPolicy)
