"""Policies and caps that change at a date."""

import pytest

from ledger.model.participants import Cosigner, DatedPolicy, Policy, Role
from ledger.rules.tables import Cap
from ledger.units import BusinessDate, ParticipantId

NOW = Policy(roles=(Role.MINER,), own=1)
THEN = Policy(roles=(Role.POOL,), own=2)


@pytest.mark.parametrize(("date", "policy"), [("2024-12-31", NOW), ("2025-01-01", THEN), ("2025-01-02", THEN)])
def test_a_policy_is_followed_from_its_date(date: str, policy: Policy) -> None:
    dated = DatedPolicy(kind="transfer", current=NOW, following=THEN, following_from=BusinessDate("2025-01-01"))
    assert dated.on(BusinessDate(date)) == policy


def test_a_policy_without_a_successor_stays() -> None:
    assert DatedPolicy(kind="transfer", current=NOW).on(BusinessDate("9999-12-31")) == NOW


@pytest.mark.parametrize(("date", "cap"), [("2024-12-31", 5), ("2025-01-01", 7)])
def test_a_cap_is_followed_from_its_date(date: str, cap: int) -> None:
    assert Cap(per_day=5, following=7, following_from=BusinessDate("2025-01-01")).on(BusinessDate(date)) == cap


def test_a_cap_without_a_successor_stays() -> None:
    assert Cap(per_day=5).on(BusinessDate("9999-12-31")) == 5


def test_a_cosigner_names_one_of_two() -> None:
    bank = ParticipantId("bank-a")
    assert Cosigner(threshold=1, role=Role.POOL).is_clear
    assert Cosigner(threshold=1, participant=bank).is_clear
    assert not Cosigner(threshold=1).is_clear
    assert not Cosigner(threshold=1, role=Role.POOL, participant=bank).is_clear
