"""Completion: what is set aside settles as one entry, in part if a part is there, and not once its consent is gone."""

from typing import Any

import pytest

from ledger.rules.keys import KeyRevoke
from ledger.rules.transfers import Transfer
from ledger.units import AssetId, BusinessDate, Kid, ParticipantId, TimestampUs
from settlement.model.instructions import (
    RUN_OFF_DAYS_MAX,
    Charges,
)
from settlement.model.registers import Register
from settlement.rules.mandates import MandateCancel, mandate_digest
from settlement.rules.segregation import ClientReturn
from settlement.rules.settlement_settings import VenueRunOff
from settlement.rules.tables import CLAIMS
from tests.book import Book, key_of, refused_with, wallet
from tests.settlement.instructed import (
    AMOUNT,
    FEE,
    HOUR_US,
    QUANTITY,
    allocate,
    buyer_says,
    complete,
    fail_of,
    freeze,
    instruction,
    match,
    open_escrow,
    pass_time,
    post_tariff,
    release,
    reserved,
    seller_says,
    settled,
    take_out,
    terms,
    withdraw,
)
from tests.settlement.market import (
    BTC,
    DAY_US,
    PRICE,
    accepted,
    account,
    close_day,
    holder_key,
    market,
    sell_mandate,
    settle,
    suspend,
)


@pytest.fixture
def book() -> Book:
    return market()


# --- completion -----------------------------------------------------------------------------------------


def test_a_sale_settles_as_one_entry_and_names_its_finality(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    outcome = accepted(complete(book))

    assert len(outcome.entries) == 1
    assert outcome.record == {
        "trade": "T-1",
        "model": "bis_1_gross",
        "finality": "final with the block that carries it",
        "final_us": book.time_us,
        "quantity": QUANTITY,
        "amount": AMOUNT,
        "fee": FEE,
        "tax": 0,
    }
    assert book.balance(account("ABTC")) == QUANTITY
    assert book.balance(account("AKZT")) == 90_000_000 - AMOUNT
    assert book.balance(account("MKZT")) == AMOUNT - FEE
    assert book.balance(account("FEE")) == FEE
    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (0, 0)


def test_the_claim_is_the_one_a_one_step_sale_makes(book: Book) -> None:
    settled(book)
    accepted(settle(book, trade="T-2", quantity=QUANTITY // 2, fee=FEE // 2))

    one, other = (book.state.get(CLAIMS, f"aix-one/{trade}") for trade in ("T-1", "T-2"))
    assert one is not None
    assert other is not None
    assert (one.miner, one.quantity, one.amount, one.fee) == ("miner-one", QUANTITY, AMOUNT, FEE)
    assert (one.executed_on, one.price, one.reference_date) == (other.executed_on, other.price, other.reference_date)


def test_a_tax_is_escrowed_and_taken_out_by_the_authority_alone(book: Book) -> None:
    open_escrow(book)
    settled(book, charges=Charges(fee=FEE, fee_account=account("FEE"), tax=1_000, tax_account=account("TAX")))

    assert book.balance(account("MKZT")) == AMOUNT - FEE - 1_000
    assert book.balance(account("TAX")) == 1_000
    body = ClientReturn(account=account("TAX"), credit=wallet("602", 1), holder="holder-1", amount=1_000)
    signers = ("aix-one-1", "bank-b-1")
    assert book.end("client_return", body, by="aix-one", signers=signers) == "signatures_insufficient"
    assert book.end("client_return", body, by="aix-one", signers=(*signers, "treasury")) == "accepted"
    assert book.pay("aix-one", account("TAX"), account("HOUSE"), 1) == "signatures_insufficient"


def test_three_sold_and_two_paid_counts_two(book: Book) -> None:
    """Worked example 15: the buyer's tenge covers two thirds before the cut-off."""
    agreed = terms(book, quantity=3 * BTC // 1_000)
    match(book, "T-1", agreed)
    two = 2 * BTC // 1_000 * PRICE // BTC
    accepted(take_out(book, 90_000_000 - two))
    outcome = accepted(allocate(book, is_partial=True))
    assert outcome.record == {"quantity": 2 * BTC // 1_000, "amount": two, "cause": "CASH_SHORT"}
    outcome = accepted(complete(book))

    assert outcome.record is not None
    assert (outcome.record["failed"], outcome.record["cause"]) == (BTC // 1_000, "CASH_SHORT")
    claim = book.state.get(CLAIMS, "aix-one/T-1")
    assert claim is not None
    assert claim.quantity == 2 * BTC // 1_000
    assert (fail_of(book).cause, fail_of(book).quantity) == ("CASH_SHORT", BTC // 1_000)
    assert instruction(book).status == "partly_settled"
    assert book.balance(account("AKZT")) == 0


def test_a_part_may_grow_until_all_is_there(book: Book) -> None:
    match(book)
    accepted(take_out(book, 90_000_000 - AMOUNT // 2))
    accepted(allocate(book, is_partial=True))
    first = reserved(book, "MBTC")
    accepted(allocate(book, is_partial=True, deadline_us=TimestampUs(book.time_us + HOUR_US // 2)))
    assert reserved(book, "MBTC") == first < QUANTITY
    pay_in = Transfer(debit=wallet("601", 1), credit=account("AKZT"), asset=AssetId("KZT"), amount=AMOUNT)
    accepted(book.submit("transfer", pay_in, by="bank-a"))
    outcome = accepted(allocate(book, deadline_us=TimestampUs(book.time_us + HOUR_US // 3)))
    assert outcome.record == {"quantity": QUANTITY, "amount": AMOUNT}
    accepted(complete(book))
    assert instruction(book).status == "settled"


def test_only_what_is_set_aside_is_completed(book: Book) -> None:
    assert refused_with(complete(book)) == "instruction_unknown"
    match(book)
    assert refused_with(complete(book)) == "instruction_status_unfit"
    accepted(allocate(book))
    accepted(complete(book))
    assert refused_with(complete(book)) == "instruction_status_unfit"
    assert refused_with(release(book)) == "instruction_status_unfit"


def test_a_sale_does_not_settle_before_its_date(book: Book) -> None:
    match(book, "T-1", terms(book, settlement_date=BusinessDate("2024-12-28")))
    accepted(allocate(book))
    assert refused_with(complete(book)) == "settlement_date_ahead"
    close_day(book, "2024-12-27", "2024-12-28")
    accepted(complete(book))


def test_a_sale_settles_until_just_before_its_deadline(book: Book) -> None:
    agreed = terms(book, quantity=QUANTITY // 10)
    for trade in ("T-1", "T-2"):
        match(book, trade, agreed)
        accepted(allocate(book, trade))
    first, second = (instruction(book, trade).deadline_us for trade in ("T-1", "T-2"))
    book.time_us = first - 1_000_001
    accepted(complete(book, "T-1"))
    book.time_us = second - 1_000_000
    assert refused_with(complete(book, "T-2")) == "settlement_deadline_passed"


def test_a_mandate_taken_back_stops_the_sale(book: Book) -> None:
    consent = sell_mandate(book)
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed, mandate=consent))
    accepted(buyer_says(book, "T-1", agreed))
    accepted(allocate(book))
    key = holder_key("miner-one")
    body = MandateCancel(mandate=mandate_digest(consent), kid=Kid(key_of(key).public.kid))
    accepted(book.submit("mandate_cancel", body, by="aix-one", signers=(key,)))

    assert refused_with(complete(book)) == "mandate_cancelled"
    pass_time(book, 2 * HOUR_US)
    accepted(release(book))
    assert fail_of(book).cause == "DEADLINE_PASSED"


def test_a_revoked_key_of_the_buyer_stops_the_sale(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    key = holder_key("client-a")
    accepted(
        book.submit(
            "key_revoke", KeyRevoke(kid=Kid(key_of(key).public.kid), reason="lost"), by="aix-one", signers=(key,)
        )
    )

    assert refused_with(complete(book)) == "mandate_key_invalid"
    outcome = accepted(release(book))
    assert outcome.record == {"cause": "CONSENT_WITHDRAWN", "was": "allocated"}
    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (0, 0)


@pytest.mark.parametrize("is_matched", [True, False])
def test_who_takes_its_consent_back_disposes_of_its_coins_at_once(book: Book, is_matched: bool) -> None:
    consent = sell_mandate(book)
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed, mandate=consent))
    if is_matched:
        accepted(buyer_says(book, "T-1", agreed))
        accepted(allocate(book))
    assert refused_with(release(book)) == "deadline_not_passed"
    key = holder_key("miner-one")
    body = MandateCancel(mandate=mandate_digest(consent), kid=Kid(key_of(key).public.kid))
    accepted(book.submit("mandate_cancel", body, by="aix-one", signers=(key,)))

    if not is_matched:
        # The side may still be said anew, with another consent.
        assert refused_with(release(book)) == "deadline_not_passed"
        return
    accepted(release(book))
    assert fail_of(book).cause == "CONSENT_WITHDRAWN"
    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (0, 0)
    accepted(withdraw(book, "MBTC", "miner-one", 10 * BTC))


def test_a_freeze_by_order_stops_what_is_set_aside_too(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    freeze(book, "AKZT")

    assert refused_with(complete(book)) == "debit_account_frozen"


def test_a_tariff_that_fell_lowers_the_fee(book: Book) -> None:
    agreed = terms(book, settlement_date=BusinessDate("2024-12-28"))
    match(book, "T-1", agreed)
    accepted(allocate(book))
    post_tariff(book, 1_000)
    close_day(book, "2024-12-27", "2024-12-28")
    accepted(complete(book))

    assert book.balance(account("FEE")) == AMOUNT // 1_000


# --- venue and licence: worked example 7 ----------------------------------------------------------------


def test_a_venue_suspended_before_settlement_settles_only_in_a_run_off(book: Book) -> None:
    """(a) final before: counts; (b) executed before: settles under an order only; (c) executed after: never."""
    agreed = terms(book, quantity=QUANTITY // 10)
    settled(book, "T-1", agreed)
    match(book, "T-2", agreed)
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)
    assert refused_with(allocate(book, "T-2")) == "venue_licence_invalid"
    run_off(book, HOUR_US)
    accepted(allocate(book, "T-2"))
    late = terms(book, executed_us=TimestampUs(book.time_us))
    assert refused_with(seller_says(book, "T-3", late)) == "venue_licence_invalid"
    run_off(book, 0)
    assert refused_with(complete(book, "T-2")) == "venue_licence_invalid"
    run_off(book, HOUR_US)
    accepted(complete(book, "T-2"))
    claim = book.state.get(CLAIMS, "aix-one/T-2")
    assert claim is not None
    assert claim.executed_us < claim.settled_us


def run_off(book: Book, lasts_us: int, exchange: str = "aix-one") -> None:
    accepted(submit_run_off(book, lasts_us, exchange))


def submit_run_off(book: Book, lasts_us: int, exchange: str = "aix-one") -> Any:
    until_us = TimestampUs(book.time_us + 1_000_000 + lasts_us)
    body = VenueRunOff(exchange=ParticipantId(exchange), until_us=until_us, order="order-9")
    return book.submit("venue_run_off", body, by="ministry")


def test_a_run_off_does_not_settle_what_was_executed_while_suspended(book: Book) -> None:
    match(book, "T-1", terms(book, executed_us=TimestampUs(book.time_us)))
    accepted(allocate(book))
    suspend(book, Register.EXCHANGE, "aix-one", instruction(book).history[0].from_us - HOUR_US)
    run_off(book, HOUR_US)

    assert refused_with(complete(book)) == "venue_licence_invalid"


def test_a_run_off_is_of_a_known_exchange_and_a_quarter_at_most(book: Book) -> None:
    assert refused_with(submit_run_off(book, 0, "nobody")) == "register_subject_unknown"
    quarter = RUN_OFF_DAYS_MAX * DAY_US
    assert refused_with(submit_run_off(book, quarter + 1)) == "run_off_unfit"
    assert refused_with(submit_run_off(book, -1)) == "run_off_unfit"
    run_off(book, quarter)


def test_a_lapsed_licence_stops_the_sale_and_is_its_cause(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    suspend(book, Register.LICENCE, "L-1", book.time_us)
    assert refused_with(complete(book)) == "miner_licence_invalid"
    pass_time(book, 2 * HOUR_US)
    accepted(release(book))

    assert fail_of(book).cause == "LICENCE_LAPSED"


def test_a_suspended_venue_is_the_cause_of_its_fails(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)
    pass_time(book, 2 * HOUR_US)
    accepted(release(book))

    assert fail_of(book).cause == "VENUE_SUSPENDED"
