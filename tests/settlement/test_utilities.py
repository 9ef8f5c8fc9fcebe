"""The register of energy undertakings, and of accounts of the single purchaser and the treasury."""

import pytest

from ledger.model.outcome import Outcome
from ledger.units import AccountId, ParticipantId, TimestampUs
from settlement.model.energy import Duty, PayeePurpose
from settlement.model.registers import Register
from settlement.model.sites import Zone
from settlement.rules.tables import PAYEES, UTILITIES
from settlement.rules.utilities import RegistryPayee, RegistryUtility, has_duty, is_payee
from tests.book import Book, own_account, refused_with, wallet
from tests.settlement.market import accepted, account, market, suspend
from tests.settlement.power import PURCHASER, TREASURY, line, moment, payee, power_market, publish, read


@pytest.fixture
def book() -> Book:
    return power_market()


def test_an_undertaking_is_registered_for_zones_and_an_interval(book: Book) -> None:
    registered = book.state.get(UTILITIES, "operator-kz")

    assert registered is not None
    assert (registered.duty, registered.zones) == (Duty.SYSTEM_OPERATOR, (Zone.NORTH_SOUTH, Zone.WEST))


@pytest.mark.parametrize(
    ("utility", "from_us", "duty", "code"),
    [
        ("miner-one", 0, Duty.GRID, "participant_role_differs"),
        ("nobody", 0, Duty.GRID, "participant_role_differs"),
        ("grid-one", 0, Duty.SYSTEM_OPERATOR, "register_facts_differ"),
        ("grid-one", 0, Duty.GRID, "interval_overlaps"),
    ],
)
def test_an_undertaking_that_cannot_be_is_refused(
    book: Book, utility: str, from_us: int, duty: Duty, code: str
) -> None:
    body = RegistryUtility(
        utility=ParticipantId(utility), duty=duty, zones=(Zone.NORTH_SOUTH,), from_us=TimestampUs(from_us)
    )

    assert refused_with(book.submit("registry_utility", body, by="ministry")) == code


@pytest.mark.parametrize(
    ("utility", "zone", "date", "expected"),
    [
        ("operator-kz", Zone.WEST, "2021-12-01", True),
        ("operator-kz", Zone.WEST, "2021-11-30", False),
        ("grid-one", Zone.NORTH_SOUTH, "2021-12-01", False),
        ("nobody", Zone.WEST, "2021-12-01", False),
    ],
)
def test_a_duty_is_held_in_a_zone_at_a_moment(book: Book, utility: str, zone: Zone, date: str, expected: bool) -> None:
    moment_us = moment(book, date)

    assert has_duty(book.state, ParticipantId(utility), zone, moment_us, Duty.SYSTEM_OPERATOR) is expected


def test_a_grid_company_signs_in_its_own_zones_only(book: Book) -> None:
    moment_us = moment(book, "2024-01-01")

    assert has_duty(book.state, ParticipantId("grid-one"), Zone.NORTH_SOUTH, moment_us, Duty.GRID)
    assert not has_duty(book.state, ParticipantId("grid-one"), Zone.WEST, moment_us, Duty.GRID)


def test_a_suspended_undertaking_neither_publishes_nor_signs(book: Book) -> None:
    suspend(book, Register.UTILITY, "operator-kz", book.time_us)

    assert refused_with(publish(book)) == "surplus_publisher_unfit"
    assert refused_with(read(book, line(1, price=1), cosigner="operator-kz-1")) == "reading_not_cosigned"


def test_a_payee_is_paid_for_its_purpose_while_it_stands(book: Book) -> None:
    assert is_payee(book.state, TREASURY, PayeePurpose.TREASURY)
    assert not is_payee(book.state, TREASURY, PayeePurpose.SINGLE_PURCHASER)
    assert not is_payee(book.state, own_account("601"), PayeePurpose.TREASURY)

    accepted(payee(book, TREASURY, PayeePurpose.TREASURY, is_active=False))
    assert not is_payee(book.state, TREASURY, PayeePurpose.TREASURY)
    accepted(payee(book, TREASURY, PayeePurpose.TREASURY))
    assert is_payee(book.state, TREASURY, PayeePurpose.TREASURY)


def test_a_payee_has_one_purpose_for_ever(book: Book) -> None:
    accepted(payee(book, PURCHASER, PayeePurpose.SINGLE_PURCHASER, is_active=False))

    assert refused_with(payee(book, PURCHASER, PayeePurpose.TREASURY)) == "payee_purpose_differs"


def test_one_person_alone_names_no_payee(book: Book) -> None:
    body = RegistryPayee(account=wallet("601", 1), purpose=PayeePurpose.TREASURY)

    assert book.end("registry_payee", body, by="ministry") == "signatures_insufficient"


@pytest.mark.parametrize("unfit", [account("NOBODY"), account("ABTC"), account("AKZT"), account("MKZT")])
def test_a_payee_s_account_exists_holds_tenge_and_is_no_client_s(unfit: AccountId) -> None:
    assert refused_with(_payee(market(), unfit)) == "payee_account_unfit"


def test_an_account_of_no_client_class_may_be_a_payee_s() -> None:
    book = market()
    accepted(_payee(book, own_account("601")))

    assert book.state.get(PAYEES, own_account("601")) is not None


def _payee(book: Book, account_id: AccountId) -> Outcome:
    return payee(book, account_id, PayeePurpose.TREASURY)
