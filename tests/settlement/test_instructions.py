"""Instructions: both sides say what a sale is to be, and match, or name what differs."""

from typing import Any

import msgspec
import pytest

from ledger.model.participants import Role
from ledger.units import AMOUNT_MAX, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.instructions import (
    SETTLEMENT_DAYS_MAX,
    InstructionStatus,
    Terms,
    differing,
    status_at,
)
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.coins import RegistryCoin
from settlement.rules.instructions import DvpCancel
from settlement.rules.policies import SETTLEMENT_POLICIES
from settlement.rules.sales import EXECUTION_AGE_MAX_US
from settlement.rules.tables import FAILS, TRADES
from tests.book import Book, refused_with
from tests.settlement.instructed import (
    AMOUNT,
    EXCHANGE,
    QUANTITY,
    allocate,
    buyer_says,
    cancel,
    instruction,
    match,
    pass_time,
    release,
    seller_says,
    settled,
    take_out,
    terms,
)
from tests.settlement.market import (
    BTC,
    DAY_US,
    PRICE,
    accepted,
    account,
    buy_mandate,
    holder_key,
    market,
    sell_mandate,
    settle,
    suspend,
)


@pytest.fixture
def book() -> Book:
    return market()


def statuses(book: Book, trade: str = "T-1") -> list[str]:
    return [str(interval.status) for interval in instruction(book, trade).history]


# --- matching -------------------------------------------------------------------------------------------


def test_one_side_alone_is_pending_and_moves_nothing(book: Book) -> None:
    outcome = accepted(seller_says(book, "T-1", terms(book)))

    assert outcome.entries == ()
    assert outcome.record == {"status": "pending", "differs": []}
    assert instruction(book).buyer is None


def test_both_sides_that_say_the_same_match_whoever_spoke_first(book: Book) -> None:
    agreed = terms(book)
    accepted(buyer_says(book, "T-1", agreed))
    outcome = accepted(seller_says(book, "T-1", agreed))

    assert outcome.record == {"status": "matched", "differs": []}
    assert statuses(book) == ["pending", "matched"]


DIFFERENT: dict[str, Any] = {
    "quantity": QUANTITY - 1,
    "price": PRICE - 1,
    "seller_coin": account("BBTC"),
    "seller_tenge": account("BKZT"),
    "settlement_date": BusinessDate("2024-12-28"),
    "reference_price": PRICE - 1,
    "reference_date": BusinessDate("2024-12-22"),
    "executed_us": TimestampUs(1_735_000_000_000_001),
}


def test_each_term_is_compared_and_named(book: Book) -> None:
    agreed = terms(book)
    other = Terms(
        coin="LTC",
        buyer_tenge=account("BKZT"),
        buyer_coin=account("BBTC"),
        **DIFFERENT,
    )
    assert differing(agreed, agreed) == ()
    assert differing(agreed, other) == Terms.__struct_fields__
    for name in Terms.__struct_fields__:
        assert differing(agreed, msgspec.structs.replace(agreed, **{name: getattr(other, name)})) == (name,)


def test_sides_that_differ_name_the_terms_and_may_say_it_anew(book: Book) -> None:
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed))
    wrong = msgspec.structs.replace(agreed, quantity=QUANTITY - 1, price=PRICE + 1)
    outcome = accepted(buyer_says(book, "T-1", wrong))
    assert outcome.record == {"status": "unmatched", "differs": ["quantity", "price"]}
    assert refused_with(allocate(book)) == "instruction_status_unfit"

    outcome = accepted(buyer_says(book, "T-1", msgspec.structs.replace(agreed, price=PRICE + 1)))
    assert outcome.record == {"status": "unmatched", "differs": ["price"]}
    outcome = accepted(buyer_says(book, "T-1", agreed))
    assert outcome.record == {"status": "matched", "differs": []}
    assert statuses(book) == ["pending", "unmatched", "matched"]


def test_the_history_is_half_open_intervals_without_a_gap(book: Book) -> None:
    settled(book)

    history = instruction(book).history
    assert [str(interval.status) for interval in history] == ["pending", "matched", "allocated", "settled"]
    assert [one.until_us for one in history[:-1]] == [other.from_us for other in history[1:]]
    assert history[-1].until_us is None
    found = instruction(book)
    assert status_at(found, TimestampUs(history[0].from_us - 1)) is None
    assert status_at(found, history[1].from_us) is InstructionStatus.MATCHED
    assert status_at(found, TimestampUs(history[1].from_us - 1)) is InstructionStatus.PENDING
    assert status_at(found, TimestampUs(book.time_us)) is InstructionStatus.SETTLED


def test_a_matched_sale_is_not_said_anew(book: Book) -> None:
    agreed = match(book)

    assert refused_with(seller_says(book, "T-1", agreed)) == "instruction_matched"


def test_a_number_serves_one_sale_whichever_way_it_settles(book: Book) -> None:
    accepted(settle(book, trade="T-1"))
    assert refused_with(seller_says(book, "T-1", terms(book))) == "trade_repeated"
    match(book, "T-2", terms(book, quantity=QUANTITY // 10))
    assert refused_with(settle(book, trade="T-2")) == "trade_repeated"
    assert book.state.get(TRADES, "aix-one/T-2") is not None


def test_two_exchanges_may_use_one_number(book: Book) -> None:
    match(book)

    outcome = book.end("dvp_cancel", DvpCancel(exchange=ParticipantId("aix-two"), trade="T-1"), by="aix-two")
    assert outcome == "instruction_unknown"


# --- who may not ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"executed_us": 1}, "execution_in_future"),
        ({"executed_us": -EXECUTION_AGE_MAX_US}, "execution_too_old"),
        ({"coin": "LTC"}, "coin_not_admitted"),
        ({"settlement_date": "2024-12-26"}, "settlement_date_invalid"),
        ({"settlement_date": "2025-02-30"}, "settlement_date_invalid"),
        ({"settlement_date": "2025-01-28"}, "settlement_date_invalid"),
        ({"seller_tenge": "HOUSE"}, "dvp_account_unfit"),
        ({"buyer_tenge": "MKZT"}, "dvp_account_unfit"),
        ({"seller_tenge": "BKZT"}, "dvp_holder_differs"),
        ({"seller_coin": "ABTC", "seller_tenge": "AKZT"}, "self_trade"),
        ({"quantity": 1, "price": 1}, "trade_amount_out_of_range"),
        ({"quantity": AMOUNT_MAX, "price": AMOUNT_MAX}, "trade_amount_out_of_range"),
        ({"seller_coin": "BBTC", "seller_tenge": "BKZT"}, "mandate_key_invalid"),
        ({"price": 3_999_999_999}, "mandate_price_outside"),
        ({"quantity": 10 * BTC + 1}, "mandate_exceeded"),
        ({"reference_date": "2024-12-25"}, "reference_date_invalid"),
        ({"reference_date": "2024-12-09"}, "price_stale"),
    ],
)
def test_a_sale_that_could_not_settle_is_not_instructed(book: Book, members: dict[str, Any], code: str) -> None:
    for name, value in members.items():
        if name == "executed_us":
            members = members | {name: TimestampUs(book.time_us + value + 1_000_000 - (value < 0))}
            if value > 0:
                members[name] = TimestampUs(book.time_us + 1_000_001)
        elif name.split("_")[-1] in ("coin", "tenge") and name != "coin":
            members = members | {name: account(value)}
    assert refused_with(seller_says(book, "T-1", terms(book, **members))) == code


def test_the_last_settlement_date_is_a_month_ahead(book: Book) -> None:
    assert SETTLEMENT_DAYS_MAX == 31
    accepted(seller_says(book, "T-1", terms(book, settlement_date=BusinessDate("2025-01-27"))))


def test_a_suspended_venue_instructs_nothing(book: Book) -> None:
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)

    assert refused_with(seller_says(book, "T-1", terms(book))) == "venue_licence_invalid"


def test_a_token_of_the_exchanges_own_group_is_refused_by_name(book: Book) -> None:
    accepted(book.submit("registry_coin", RegistryCoin(coin="AIX", scale=8, issued_by="aix-one"), by="ministry"))

    assert refused_with(seller_says(book, "T-1", terms(book, coin="AIX"))) == "own_token_not_admitted"


def test_a_mandate_by_another_key_or_for_the_other_side_is_refused(book: Book) -> None:
    agreed = terms(book)
    assert refused_with(seller_says(book, "T-1", agreed, mandate=buy_mandate(book))) == "mandate_key_invalid"
    assert refused_with(buyer_says(book, "T-1", agreed, mandate=sell_mandate(book))) == "mandate_key_invalid"
    expired = buy_mandate(book, expires=TimestampUs(book.time_us + 1_000_000))
    assert refused_with(buyer_says(book, "T-1", agreed, mandate=expired)) == "mandate_expired"


def test_a_miner_without_a_licence_instructs_nothing(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", book.time_us)

    assert refused_with(seller_says(book, "T-1", terms(book))) == "miner_licence_invalid"


def test_an_account_the_miner_never_confirmed_instructs_nothing(book: Book) -> None:
    for name, asset in (("NBTC", AssetId("BTC:aix-one")), ("NKZT", AssetId("KZT"))):
        opened = book.open_account(
            "aix-one",
            account(name),
            account_class="miner_proceeds",
            asset=asset,
            holder="miner-two",
            holder_key=holder_key("miner-two"),
        )
        accepted(opened)
    agreed = terms(book, seller_coin=account("NBTC"), seller_tenge=account("NKZT"))
    consent = sell_mandate(book, "miner-two", account=account("NBTC"))

    assert refused_with(seller_says(book, "T-1", agreed, mandate=consent)) == "miner_account_unconfirmed"


def test_a_buyer_who_holds_too_little_is_not_instructed(book: Book) -> None:
    accepted(take_out(book, 90_000_000 - AMOUNT + 1))
    assert refused_with(buyer_says(book, "T-1", terms(book))) == "buyer_not_prefunded"


def test_a_buyer_who_holds_just_enough_is_instructed(book: Book) -> None:
    accepted(take_out(book, 90_000_000 - AMOUNT))
    accepted(buyer_says(book, "T-1", terms(book)))


def test_tenge_set_aside_for_one_sale_does_not_fund_another(book: Book) -> None:
    match(book)
    accepted(allocate(book))

    assert refused_with(buyer_says(book, "T-2", terms(book))) == "buyer_not_prefunded"


def test_a_seller_who_holds_too_few_coins_is_not_instructed(book: Book) -> None:
    agreed = terms(book, quantity=5 * BTC + 1, seller_coin=account("BBTC"), seller_tenge=account("BKZT"))
    consent = sell_mandate(book, "client-b", account=account("BBTC"))

    assert refused_with(seller_says(book, "T-1", agreed, mandate=consent)) == "seller_not_prefunded"


# --- cancelling -----------------------------------------------------------------------------------------


def test_the_exchange_takes_back_what_has_not_matched(book: Book) -> None:
    accepted(seller_says(book, "T-1", terms(book)))

    assert cancel(book, "T-1", "aix-one-1") == "accepted"
    assert statuses(book) == ["pending", "cancelled"]
    assert book.state.get(FAILS, "aix-one/T-1") is None
    assert refused_with(buyer_says(book, "T-1", terms(book))) == "instruction_matched"


def test_a_matched_sale_is_cancelled_by_both_holders_and_by_no_one_less(book: Book) -> None:
    match(book)
    accepted(allocate(book))
    for signers in (
        ("aix-one-1",),
        ("aix-one-1", holder_key("miner-one")),
        ("aix-one-1", holder_key("client-a")),
    ):
        assert cancel(book, "T-1", *signers) == "signatures_insufficient"

    assert cancel(book) == "accepted"
    fail = book.state.get(FAILS, "aix-one/T-1")
    assert fail is not None
    assert (fail.cause, fail.quantity, fail.failed_on) == ("CANCELLED_BY_BOTH", QUANTITY, "2024-12-27")
    assert cancel(book) == "instruction_status_unfit"
    accepted(take_out(book, 90_000_000))


def test_what_was_never_instructed_is_not_cancelled(book: Book) -> None:
    assert cancel(book, "T-9", "aix-one-1") == "instruction_unknown"
    match(book)
    body = DvpCancel(exchange=EXCHANGE, trade="T-1")
    assert book.end("dvp_cancel", body, by="aix-two") == "instruction_unknown"


def test_an_unmatched_sale_fails_after_its_cut_off(book: Book) -> None:
    agreed = terms(book)
    accepted(seller_says(book, "T-1", agreed))
    accepted(buyer_says(book, "T-1", msgspec.structs.replace(agreed, price=PRICE + 1)))
    assert refused_with(release(book)) == "deadline_not_passed"
    pass_time(book, 4 * DAY_US)
    accepted(release(book))

    fail = book.state.get(FAILS, "aix-one/T-1")
    assert fail is not None
    assert fail.cause == "DEADLINE_PASSED"


@pytest.mark.parametrize("role", list(Role))
def test_anybody_releases(role: Role) -> None:
    assert role in SETTLEMENT_POLICIES["dvp_release"].roles


def test_the_codes_of_an_instruction_stand_in_the_order_they_are_looked_at(book: Book) -> None:
    """Everything is wrong at once; what is mended first is what was named."""
    wrong: dict[str, Any] = {
        "executed_us": TimestampUs(book.time_us + DAY_US),
        "settlement_date": BusinessDate("2024-12-26"),
        "coin": "LTC",
        "seller_tenge": account("HOUSE"),
        "price": 1,
    }
    for member, code in (
        ("executed_us", "execution_in_future"),
        ("settlement_date", "settlement_date_invalid"),
        ("coin", "coin_not_admitted"),
        ("seller_tenge", "dvp_account_unfit"),
        ("price", "trade_amount_out_of_range"),
    ):
        assert refused_with(seller_says(book, "T-1", terms(book, **wrong))) == code
        del wrong[member]
    accepted(seller_says(book, "T-1", terms(book)))
    codes = [code.code for code in RULEBOOK.kinds["dvp_instruct"].refusals]
    assert (
        codes.index("settlement_date_invalid") < codes.index("coin_not_admitted") < codes.index("buyer_not_prefunded")
    )
