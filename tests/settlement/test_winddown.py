"""Wind-down: who opens it, what stops, how the queue ends, and how clients get their money without the exchange."""

from typing import Any

import pytest

from ledger.model.outcome import Inadmissible
from ledger.model.participants import Role
from ledger.rules.admission import ParticipantSuspend
from ledger.units import ParticipantId, TimestampUs
from settlement.model.instructions import Fail, FailCause, InstructionStatus
from settlement.model.intervals import Status
from settlement.model.registers import Register
from settlement.model.winddown import UNWOUND_MAX, WindDown
from settlement.rules.register_load import PartyRow
from settlement.rules.registry import RegistryStatus
from settlement.rules.segregation import ClientReturn
from settlement.rules.settlement_settings import VenueRunOff
from settlement.rules.tables import RESERVED, WIND_DOWNS, WINDDOWN_PAID
from settlement.rules.tariff import TariffSet
from settlement.rules.winddown import WinddownUnwind
from tests.book import Book, own_account, refused_with, wallet
from tests.settlement.instructed import (
    EXCHANGE,
    HOUR_US,
    allocate,
    complete,
    fail_of,
    freeze,
    instruction,
    match,
    nonce,
    open_escrow,
    reserved,
    seller_says,
    take_out,
    terms,
    withdraw,
)
from tests.settlement.market import (
    BTC,
    accepted,
    account,
    commitment,
    credit_coins,
    fund,
    holder_key,
    market,
    sell_mandate,
    settle,
)
from tests.settlement.test_parties import relation
from tests.settlement.test_register_load import load
from tests.settlement.winding import (
    close_winddown,
    lose_licence,
    open_winddown,
    pay_out,
    unwind,
    wound_down,
)


@pytest.fixture
def book() -> Book:
    return market()


# --- opening and closing --------------------------------------------------------------------------------


def test_a_wind_down_is_opened_once_the_exchange_is_not_active(book: Book) -> None:
    assert refused_with(open_winddown(book)) == "winddown_venue_active"
    lose_licence(book)
    accepted(open_winddown(book))

    assert book.state.get(WIND_DOWNS, "aix-one") == WindDown(
        administrator=ParticipantId("auditor"), order="AFSA-9", opened_us=TimestampUs(book.time_us)
    )
    assert refused_with(open_winddown(book)) == "winddown_stands"


def test_it_is_of_an_exchange_that_stands_in_the_register(book: Book) -> None:
    assert refused_with(open_winddown(book, exchange="bank-a")) == "register_subject_unknown"


@pytest.mark.parametrize("administrator", ["bank-a", "aix-two", "operator", "miner-one", "nobody"])
def test_no_bank_and_no_exchange_is_the_administrator(book: Book, administrator: str) -> None:
    lose_licence(book)

    assert refused_with(open_winddown(book, administrator)) == "winddown_administrator_unfit"


def relate(book: Book, other: str) -> None:
    """The register shows that another and the exchange are of one group."""
    accepted(load(book, PartyRow(party="group:steppe", name=commitment("steppe"))))
    accepted(load(book, relation("aix-one", "group:steppe", "group"), relation(other, "group:steppe")))


def test_nobody_of_the_exchanges_is_the_administrator(book: Book) -> None:
    relate(book, "auditor")
    lose_licence(book)

    assert refused_with(open_winddown(book)) == "winddown_administrator_unfit"
    accepted(open_winddown(book, "ministry"))


def test_it_is_closed_once_and_can_be_opened_again_for_another(book: Book) -> None:
    wound_down(book)
    accepted(close_winddown(book))

    assert refused_with(close_winddown(book)) == "winddown_not_open"
    assert pay_out(book) == "winddown_not_open"
    assert refused_with(unwind(book, "T-1")) == "winddown_not_open"
    accepted(open_winddown(book, "ministry"))
    assert pay_out(book) == "winddown_sender_unfit"
    assert pay_out(book, by="ministry") == "accepted"


# --- nothing new ----------------------------------------------------------------------------------------


def restore(book: Book) -> None:
    """The licence comes back."""
    body = RegistryStatus(
        register=Register.EXCHANGE,
        subject="aix-one",
        status=Status.ACTIVE,
        from_us=TimestampUs(book.time_us),
        reason="order-2",
    )
    accepted(book.submit("registry_status", body, by="ministry"))


def test_while_it_is_open_nothing_new_is_traded_even_if_the_licence_came_back(book: Book) -> None:
    wound_down(book)
    restore(book)

    assert refused_with(settle(book)) == "venue_licence_invalid"
    assert refused_with(seller_says(book, "T-1", terms(book))) == "venue_licence_invalid"
    assert refused_with(credit_coins(book, "BBTC", 1)) == "venue_licence_invalid"
    assert refused_with(book.submit("tariff_set", TariffSet(fee_ppm=1), by="aix-one")) == "venue_licence_invalid"
    accepted(close_winddown(book))
    book.time_us += HOUR_US
    accepted(settle(book))


def test_what_was_executed_during_a_wind_down_does_not_settle_after_it(book: Book) -> None:
    wound_down(book)
    restore(book)
    executed = TimestampUs(book.time_us)
    accepted(close_winddown(book))

    assert refused_with(settle(book, executed_us=executed)) == "venue_licence_invalid"
    accepted(settle(book, executed_us=TimestampUs(book.time_us)))


def test_the_ways_out_by_the_exchange_stay_open(book: Book) -> None:
    wound_down(book)

    accepted(take_out(book, 100))
    accepted(withdraw(book, "BBTC", "client-b", BTC))


# --- the queue ------------------------------------------------------------------------------------------


def test_the_queue_runs_off_under_an_order(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    wound_down(book)
    assert refused_with(complete(book)) == "venue_licence_invalid"
    body = VenueRunOff(exchange=EXCHANGE, until_us=TimestampUs(book.time_us + HOUR_US), order="AFSA-11")
    accepted(book.submit("venue_run_off", body, by="ministry"))

    accepted(complete(book))


@pytest.mark.parametrize("by", ["auditor", "ministry"])
def test_the_queue_is_unwound_and_what_was_set_aside_is_free(book: Book, by: str) -> None:
    match(book)
    accepted(allocate(book))
    agreed = terms(book, quantity=BTC // 1_000)
    accepted(seller_says(book, "T-2", agreed, mandate=sell_mandate(book, nonce=nonce("T-2", "s"))))
    assert reserved(book, "AKZT") > 0
    wound_down(book)

    outcome = accepted(unwind(book, "T-1", "T-2", by=by))

    assert outcome.record == {"unwound": 2}
    assert [amount for _, amount in book.state.items(RESERVED) if amount] == []
    for trade in ("T-1", "T-2"):
        assert instruction(book, trade).status is InstructionStatus.FAILED
        assert instruction(book, trade).set_aside is None
    assert fail_of(book) == Fail(
        cause=FailCause.VENUE_SUSPENDED,
        quantity=BTC // 100,
        settlement_date=agreed.settlement_date,
        failed_on=agreed.settlement_date,
        failed_us=TimestampUs(book.time_us),
    )
    assert fail_of(book, "T-2").cause is FailCause.VENUE_SUSPENDED
    assert pay_out(book, amount=book.balance(account("AKZT"))) == "accepted"


def test_all_named_sales_are_unwound_or_none(book: Book) -> None:
    match(book)
    wound_down(book)

    assert refused_with(unwind(book, "T-1", "T-9")) == "instruction_unknown"
    assert refused_with(unwind(book, "T-1", "T-1")) == "instruction_status_unfit"
    assert instruction(book).status is InstructionStatus.MATCHED


def test_only_administrator_and_supervisor_unwind(book: Book) -> None:
    match(book)
    accepted(book.admit("auditor-two", Role.AUDITOR, "703"))
    wound_down(book)

    assert refused_with(unwind(book, "T-1", by="auditor-two")) == "winddown_sender_unfit"
    body = WinddownUnwind(exchange=EXCHANGE, trades=("T-1",), order="x")
    assert book.end("winddown_unwind", body, by="aix-one") == "kind_not_permitted"


def test_an_order_unwinds_a_limited_number_of_sales(book: Book) -> None:
    wound_down(book)
    names = [f"T-{number}" for number in range(UNWOUND_MAX + 1)]

    assert refused_with(unwind(book, *names[:-1])) == "instruction_unknown"
    body = WinddownUnwind(exchange=EXCHANGE, trades=tuple(names), order="x")
    end = book.end("winddown_unwind", body, by="auditor", signers=("auditor-1", "auditor-2"))
    assert end == "payload_invalid"
    assert book.rulebook.kinds["winddown_unwind"].weight(body) == UNWOUND_MAX + 1


# --- paying out -----------------------------------------------------------------------------------------


def test_the_gap_a_client_of_a_suspended_participant_cannot_leave_and_a_wind_down_lets_it(book: Book) -> None:
    suspension = ParticipantSuspend(participant=EXCHANGE, reason="order-3")
    accepted(book.submit("participant_suspend", suspension, by="operator"))
    lose_licence(book)
    body = ClientReturn(account=account("AKZT"), credit=wallet("601", 1), holder="holder-1", amount=100)
    everybody = ("aix-one-1", holder_key("client-a"), "bank-a-1")
    outcome = book.submit("client_return", body, by="aix-one", signers=everybody)
    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "participant_suspended"

    accepted(open_winddown(book))

    assert pay_out(book) == "accepted"
    assert pay_out(book, amount=50) == "accepted"
    assert book.balance(wallet("601", 1)) == 150
    assert book.state.get(WINDDOWN_PAID, account("AKZT")) == 150


@pytest.mark.parametrize(
    "signers",
    [
        ("auditor-1", "auditor-2", "bank-a-1"),
        ("auditor-1", "auditor-2", holder_key("client-a")),
        ("auditor-1", "bank-a-1", holder_key("client-a")),
    ],
)
def test_no_signature_may_be_missing(book: Book, signers: tuple[str, ...]) -> None:
    wound_down(book)

    assert pay_out(book, signers=signers) == "signatures_insufficient"


def test_only_the_administrator_pays(book: Book) -> None:
    wound_down(book)

    assert pay_out(book, by="ministry") == "winddown_sender_unfit"
    assert pay_out(book, by="aix-one") == "kind_not_permitted"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"account": account("HOUSE")}, "return_account_unfit"),
        ({"account": account("FEE")}, "return_account_unfit"),
        ({"account": account("ABTC")}, "return_account_unfit"),
        ({"account": account("NOBODY")}, "return_account_unfit"),
        ({"account": wallet("602", 1)}, "return_account_unfit"),
        ({"credit": own_account("601")}, "return_account_unfit"),
        ({"credit": wallet("601", 7)}, "return_account_unfit"),
        ({"holder": "holder-2"}, "return_holder_differs"),
        ({"amount": 90_000_001}, "insufficient_funds"),
    ],
)
def test_it_pays_a_clients_tenge_to_a_wallet_of_the_same_owner(book: Book, members: dict[str, Any], code: str) -> None:
    wound_down(book)

    assert pay_out(book, **members) == code


def test_another_exchanges_clients_are_not_paid_out(book: Book) -> None:
    other = account("AKZT", "802")
    accepted(book.open_account("aix-two", other, account_class="client_segregated", holder="client-a"))
    wound_down(book)

    assert pay_out(book, account=other, order="AFSA-12") == "return_account_unfit"


def test_a_wallet_of_a_code_that_nobody_has_is_refused(book: Book) -> None:
    wound_down(book)
    signers = ("auditor-1", "auditor-2", holder_key("client-a"))

    assert pay_out(book, credit=wallet("699", 1), signers=signers) == "return_account_unfit"


def test_another_holder_cannot_consent(book: Book) -> None:
    wound_down(book)

    assert pay_out(book, signed_by="client-b") == "winddown_consent_missing"
    assert pay_out(book, signed_by=None) == "winddown_consent_missing"


@pytest.mark.parametrize(("name", "order"), [("CKZT", None), ("CKZT", "AFSA-12"), ("AKZT", "AFSA-12")])
def test_an_order_stands_in_for_the_holder(book: Book, name: str, order: str | None) -> None:
    wound_down(book)

    end = pay_out(book, signed_by=None, account=account(name), order=order)

    assert end == ("winddown_consent_missing" if order is None else "accepted")


def test_an_order_needs_the_supervisor(book: Book) -> None:
    wound_down(book)
    signers = ("auditor-1", "auditor-2", "bank-a-1")

    assert pay_out(book, signed_by=None, order="AFSA-12", signers=signers) == "signatures_insufficient"


def test_an_administrator_gives_no_order_to_itself(book: Book) -> None:
    accepted(book.admit("afsa", Role.SUPERVISOR, "703"))
    lose_licence(book)
    accepted(open_winddown(book, "ministry"))
    own = ("ministry-1", "ministry-2", "bank-a-1")
    members: dict[str, Any] = {"by": "ministry", "signed_by": None, "account": account("CKZT"), "order": "AFSA-12"}

    assert pay_out(book, signers=own, **members) == "winddown_consent_missing"
    assert pay_out(book, signers=(*own, "afsa-1"), **members) == "accepted"
    assert pay_out(book, by="ministry") == "accepted"


def test_an_affiliate_is_paid_by_order_only(book: Book) -> None:
    fund(book, "FKZT", 1_000)
    wound_down(book)

    assert pay_out(book, account=account("FKZT"), signed_by="affiliate") == "winddown_consent_missing"
    assert pay_out(book, account=account("FKZT"), signed_by="affiliate", order="AFSA-12") == "accepted"


def test_tax_in_escrow_goes_to_its_owner(book: Book) -> None:
    open_escrow(book)
    fund(book, "TAX", 1_000)
    wound_down(book)

    assert pay_out(book, account=account("TAX"), signed_by=None, order="AFSA-12") == "accepted"


def test_what_is_frozen_or_set_aside_is_not_paid_out(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    wound_down(book)
    assert pay_out(book, amount=book.balance(account("AKZT"))) == "funds_set_aside"
    freeze(book, "AKZT")
    assert pay_out(book) == "debit_account_frozen"
    assert pay_out(book, order="AFSA-12") == "debit_account_frozen"


def test_a_revoked_key_consents_to_nothing(book: Book) -> None:
    wound_down(book)
    accepted(book.revoke("aix-one", holder_key("client-a"), holder_key("client-a")))

    assert pay_out(book) == "key_revoked"
    assert pay_out(book, signed_by=None, order="AFSA-12") == "accepted"


def test_a_wind_down_survives_a_restart(book: Book) -> None:
    wound_down(book)
    book.restart()

    assert pay_out(book) == "accepted"
