"""Wallets stay ordinary: a guard that watched them would send every line of every bulk the slow way."""

from settlement.rules import RULEBOOK


def test_no_guard_of_settlement_watches_the_accounts_of_banks() -> None:
    assert {"wallet", "own"} <= RULEBOOK.ordinary_classes


def test_accounts_of_clients_are_never_ordinary() -> None:
    clients = {each.name for each in RULEBOOK.classes.values() if each.is_client}
    assert clients
    assert not clients & RULEBOOK.ordinary_classes
