"""Setting aside and fails: what is set aside serves one sale, until its deadline."""

import pytest

from ledger.rules.admission import ParticipantSuspend
from ledger.state import State
from ledger.units import BusinessDate, TimestampUs
from settlement.model.instructions import (
    Fail,
    FailCause,
    affordable,
    business_days_since,
)
from settlement.rules import RULEBOOK
from settlement.rules.mandates import mandate_digest
from settlement.rules.tables import MANDATES_USED
from tests.book import Book, refused_with
from tests.settlement.instructed import (
    AMOUNT,
    EXCHANGE,
    HOUR_US,
    MIDNIGHT_US,
    QUANTITY,
    allocate,
    buyer_says,
    cancel,
    complete,
    fail_of,
    instruction,
    match,
    pass_time,
    release,
    reserved,
    seller_says,
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
    buy_mandate,
    market,
    sell_mandate,
    settle,
)


@pytest.fixture
def book() -> Book:
    return market()


# --- setting aside --------------------------------------------------------------------------------------


def test_what_is_set_aside_stays_on_its_owners_account_and_nobody_takes_it(book: Book) -> None:
    match(book)
    outcome = accepted(allocate(book))

    assert outcome.entries == ()
    assert outcome.record == {"quantity": QUANTITY, "amount": AMOUNT}
    assert book.balance(account("AKZT")) == 90_000_000
    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (QUANTITY, AMOUNT)
    assert refused_with(take_out(book, 90_000_000 - AMOUNT + 1)) == "funds_set_aside"
    accepted(take_out(book, 90_000_000 - AMOUNT))
    assert refused_with(withdraw(book, "MBTC", "miner-one", 10 * BTC)) == "funds_set_aside"


def test_a_one_step_sale_does_not_take_what_is_set_aside(book: Book) -> None:
    match(book)
    accepted(allocate(book))

    assert refused_with(settle(book)) == "funds_set_aside"
    accepted(settle(book, quantity=QUANTITY // 2, fee=0))


def test_a_deadline_is_ahead_and_not_after_cut_off_or_mandates(book: Book) -> None:
    agreed = terms(book)
    expires = TimestampUs(book.time_us + HOUR_US)
    accepted(seller_says(book, "T-1", agreed, mandate=sell_mandate(book, expires=expires)))
    accepted(buyer_says(book, "T-1", agreed))
    assert refused_with(allocate(book, deadline_us=TimestampUs(expires + 1))) == "deadline_invalid"
    assert refused_with(allocate(book, deadline_us=TimestampUs(book.time_us + 1_000_000))) == "deadline_invalid"
    accepted(allocate(book, deadline_us=expires))
    assert refused_with(allocate(book, deadline_us=TimestampUs(expires + 1))) == "deadline_invalid"
    accepted(allocate(book, deadline_us=TimestampUs(expires - 1)))


def test_nothing_is_set_aside_after_the_cut_off(book: Book) -> None:
    cut_off = MIDNIGHT_US + 18 * HOUR_US
    book.time_us = cut_off - 10_000_000
    agreed = terms(book)
    consents = [each(book, expires=TimestampUs(cut_off + DAY_US)) for each in (sell_mandate, buy_mandate)]
    accepted(seller_says(book, "T-1", agreed, mandate=consents[0]))
    accepted(buyer_says(book, "T-1", agreed, mandate=consents[1]))

    assert refused_with(allocate(book, deadline_us=TimestampUs(cut_off + 1))) == "deadline_invalid"
    accepted(allocate(book, deadline_us=TimestampUs(cut_off)))


def test_what_is_short_is_named(book: Book) -> None:
    match(book)
    accepted(take_out(book, 90_000_000 - AMOUNT + 1))
    assert refused_with(allocate(book)) == "buyer_not_prefunded"


def test_coins_that_left_since_are_short(book: Book) -> None:
    match(book)
    accepted(withdraw(book, "MBTC", "miner-one", 10 * BTC - QUANTITY + 1))

    assert refused_with(allocate(book)) == "seller_not_prefunded"
    outcome = accepted(allocate(book, is_partial=True))
    assert outcome.record is not None
    assert (outcome.record["quantity"], outcome.record["cause"]) == (QUANTITY - 1, "COIN_SHORT")


def test_what_was_never_instructed_is_not_set_aside(book: Book) -> None:
    assert refused_with(allocate(book)) == "instruction_unknown"


def test_a_part_below_one_tenge_is_not_set_aside(book: Book) -> None:
    match(book)
    accepted(take_out(book, 90_000_000 - 99))
    assert refused_with(allocate(book, is_partial=True)) == "buyer_not_prefunded"


def test_a_consent_is_not_set_aside_for_twice(book: Book) -> None:
    """What is set aside counts as used: else an exchange could tie up more than a client agreed to spend."""
    consent = buy_mandate(book, maximum=AMOUNT // 2 + 1)
    half = terms(book, quantity=QUANTITY // 2)
    for trade in ("T-1", "T-2"):
        accepted(seller_says(book, trade, half))
        accepted(buyer_says(book, trade, half, mandate=consent))
    accepted(allocate(book, "T-1"))

    assert refused_with(allocate(book, "T-2")) == "mandate_exceeded"
    accepted(complete(book, "T-1"))
    assert refused_with(allocate(book, "T-2")) == "mandate_exceeded"
    digest = mandate_digest(consent)
    assert book.state.get(MANDATES_USED, digest) == AMOUNT // 2


def test_what_is_released_may_be_used_again(book: Book) -> None:
    consent = buy_mandate(book, maximum=AMOUNT)
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed))
    accepted(buyer_says(book, "T-1", agreed, mandate=consent))
    accepted(allocate(book))
    assert cancel(book) == "accepted"

    assert book.state.get(MANDATES_USED, mandate_digest(consent)) == 0
    accepted(settle(book, buyer_mandate=consent))


def test_nothing_is_set_aside_twice_for_one_sale(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    accepted(allocate(book, deadline_us=instruction(book).deadline_us))

    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (QUANTITY, AMOUNT)


# --- release and fails ----------------------------------------------------------------------------------


def test_anybody_releases_from_the_deadline_on_and_not_before(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    deadline = instruction(book).deadline_us
    book.time_us = deadline - 1_000_001
    assert refused_with(release(book)) == "deadline_not_passed"
    book.time_us = deadline - 1_000_000
    outcome = accepted(release(book, by="bank-b"))

    assert outcome.record == {"cause": "DEADLINE_PASSED", "was": "allocated"}
    assert (reserved(book, "MBTC"), reserved(book, "AKZT")) == (0, 0)
    assert instruction(book).status == "failed"
    accepted(take_out(book, 90_000_000))
    assert refused_with(release(book)) == "instruction_status_unfit"
    assert refused_with(release(book, "T-9")) == "instruction_unknown"


@pytest.mark.parametrize(("short", "cause"), [("cash", "CASH_SHORT"), ("coin", "COIN_SHORT"), ("", "DEADLINE_PASSED")])
def test_the_cause_of_what_was_never_set_aside_is_read_from_the_accounts(book: Book, short: str, cause: str) -> None:
    match(book)
    if short == "cash":
        accepted(take_out(book, 90_000_000 - AMOUNT + 1))
    if short == "coin":
        accepted(withdraw(book, "MBTC", "miner-one", 10 * BTC - QUANTITY + 1))
    pass_time(book, 4 * DAY_US)
    accepted(release(book))

    assert fail_of(book).cause == cause


def test_a_part_that_nobody_settled_fails_for_what_was_short(book: Book) -> None:
    match(book)
    accepted(take_out(book, 90_000_000 - AMOUNT + 1))
    accepted(allocate(book, is_partial=True))
    pass_time(book, 2 * HOUR_US)
    accepted(release(book))

    assert (fail_of(book).cause, fail_of(book).quantity) == ("CASH_SHORT", QUANTITY)


def test_an_exchange_cannot_keep_what_it_does_not_settle(book: Book) -> None:
    """Suspended as a participant it sends nothing; others release."""
    match(book)
    accepted(allocate(book))
    body = ParticipantSuspend(participant=EXCHANGE, reason="Review")
    accepted(book.submit("participant_suspend", body, by="operator"))
    pass_time(book, 2 * HOUR_US)
    accepted(release(book, by="miner-one"))
    assert reserved(book, "AKZT") == 0


def test_a_fail_ages_in_business_days() -> None:
    fail = Fail(
        cause=FailCause.CASH_SHORT,
        quantity=1,
        settlement_date=BusinessDate("2024-12-27"),
        failed_on=BusinessDate("2024-12-27"),
        failed_us=TimestampUs(0),
    )
    days = {
        date: business_days_since(fail, BusinessDate(date), {BusinessDate("2025-01-01"), BusinessDate("2025-01-02")})
        for date in ("2024-12-20", "2024-12-27", "2024-12-29", "2024-12-30", "2025-01-02", "2025-01-03")
    }
    assert list(days.values()) == [0, 0, 0, 1, 2, 3]
    assert business_days_since(fail, BusinessDate("2025-01-03")) == 5


@pytest.mark.parametrize(("tenge", "price"), [(0, 10**9), (99, 7), (AMOUNT, PRICE), (AMOUNT - 1, PRICE), (10**15, 1)])
def test_what_is_affordable_costs_no_more_and_one_unit_more_does(tenge: int, price: int) -> None:
    quantity = affordable(tenge, price, 8)

    assert quantity * price // BTC <= tenge < (quantity + 1) * price // BTC


def test_what_is_set_aside_survives_a_snapshot(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    loaded = State.load(RULEBOOK.tables, book.state.dump())

    assert loaded.digest() == book.state.digest()
    book.restart()
    accepted(complete(book))
