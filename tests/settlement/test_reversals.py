"""Reversals: a busted trade is moved back by an entry of its own, never more than it moved."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url
from ledger.rules.transfers import Transfer
from ledger.units import AssetId, ParticipantId, TimestampUs
from settlement.model.energy import PayeePurpose
from settlement.model.instructions import Charges
from settlement.rules.attested import SaleAttest
from settlement.rules.reversals import ORIGINAL_LENGTH_MAX, DvpReverse, _back, _Sale
from settlement.rules.sales import Moved
from settlement.rules.tables import CLAIMS, REVERSALS
from settlement.rules.utilities import RegistryPayee
from tests.book import Book, key_of, wallet
from tests.settlement.instructed import (
    AMOUNT,
    EXCHANGE,
    FEE,
    QUANTITY,
    allocate,
    buyer_says,
    complete,
    enrich,
    instruction,
    match,
    open_escrow,
    reverse,
    seller_says,
    settled,
    take_out,
    terms,
    withdraw,
)
from tests.settlement.market import (
    BTC,
    PRICE,
    accepted,
    account,
    commitment,
    holder_key,
    market,
    sale,
    sell_mandate,
    settle,
)
from tests.settlement.test_netting import match_back

BOTH = ("aix-one-1", holder_key("miner-one"), holder_key("client-a"))
ORDERED = ("aix-one-1", "ministry-1", "ministry-2")


@pytest.fixture
def book() -> Book:
    return market()


def test_a_reversal_moves_coins_tenge_and_fee_back(book: Book) -> None:
    settled(book)
    claim = book.state.get(CLAIMS, "aix-one/T-1")

    assert reverse(book) == "accepted"
    for name, balance in (("MBTC", 10 * BTC), ("ABTC", 0), ("AKZT", 90_000_000), ("MKZT", 0), ("FEE", 0)):
        assert book.balance(account(name)) == balance
    reversal = book.state.get(REVERSALS, "aix-one/T-1")
    assert reversal is not None
    assert (reversal.quantity, reversal.amount, reversal.fee, reversal.reason) == (QUANTITY, AMOUNT, FEE, "case-7")
    assert reversal.reversed_us == book.time_us
    assert book.state.get(CLAIMS, "aix-one/T-1") == claim, "the claim stands; what was reversed stands beside it"
    assert instruction(book).status == "reversed"


def test_the_record_names_the_period_it_is_effective_in(book: Book) -> None:
    settled(book)
    body = DvpReverse(exchange=EXCHANGE, trade="T-1", quantity=QUANTITY, reason="case-7")
    outcome = accepted(book.submit("dvp_reverse", body, by="aix-one", signers=BOTH))

    assert outcome.record == {
        "trade": "T-1",
        "reversed": QUANTITY,
        "amount": AMOUNT,
        "effective_on": "2024-12-24",
        "finality": "final with the block that carries it",
        "final_us": book.time_us,
    }


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_an_order_the_exchange_and_both_holders_sign(book: Book, missing: int) -> None:
    settled(book)
    signers = tuple(name for place, name in enumerate(BOTH) if place != missing)

    assert reverse(book, "T-1", *signers) == "signatures_insufficient"


def test_an_order_needs_two_people_of_the_supervisor_and_no_holder(book: Book) -> None:
    settled(book)
    assert reverse(book, "T-1", "aix-one-1", "ministry-1", order="order-5") == "signatures_insufficient"

    assert reverse(book, "T-1", "aix-one-1", order="order-5") == "signatures_insufficient"
    assert reverse(book, "T-1", "aix-one-1", "auditor-1", order="order-5") == "signature_unasked"
    assert reverse(book, "T-1", *ORDERED, order="order-5") == "accepted"


def test_a_reversal_in_parts_comes_to_the_whole(book: Book) -> None:
    settled(book)
    for part in (QUANTITY // 3, QUANTITY // 7, 1_000):
        assert reverse(book, quantity=part) == "accepted"
        assert instruction(book).status == "settled"
    reversal = book.state.get(REVERSALS, "aix-one/T-1")
    assert reversal is not None
    left = QUANTITY - reversal.quantity
    assert reverse(book, quantity=left + 1) == "reversal_exceeded"
    assert reverse(book, quantity=left) == "accepted"

    assert book.balance(account("AKZT")) == 90_000_000
    assert book.balance(account("MKZT")) == book.balance(account("FEE")) == 0
    assert reverse(book, quantity=1) == "reversal_exceeded"


def test_a_part_without_value_is_refused(book: Book) -> None:
    """A satoshi costs 48 tiyn here; of a cheap sale it costs none."""
    agreed = terms(book, quantity=BTC, price=200)

    consent = sell_mandate(book, limit_price=1)
    accepted(seller_says(book, "T-1", agreed, mandate=consent, charges=Charges()))
    accepted(buyer_says(book, "T-1", agreed))
    accepted(allocate(book))

    accepted(complete(book))

    assert reverse(book, quantity=1) == "reversal_without_value"
    assert reverse(book, quantity=BTC) == "accepted"


@given(
    shares=st.tuples(st.integers(1, 10**6), st.integers(0, 10**4), st.integers(0, 10**4)),
    parts=st.lists(st.integers(1, 10**5), min_size=1, max_size=8),
    is_escrowed=st.booleans(),
)
def test_parts_of_any_size_give_each_side_what_it_gave(
    shares: tuple[int, int, int], parts: list[int], is_escrowed: bool
) -> None:
    net, fee, tax = shares
    whole = sum(parts)
    sold = _Sale(
        terms=sale(market_once()),
        moved=Moved(whole, net + fee + tax, fee, tax),
        fee_account=account("FEE"),
        escrow=account("TAX") if is_escrowed else None,
    )
    back, before = [], 0
    for part in parts:
        back.append(_back(sold, part, before))
        before += part
    assert min(min(each.by_seller, each.fee, each.tax) for each in back) >= 0
    assert sum(each.amount for each in back) == net + fee + tax
    assert sum(each.fee for each in back) == fee
    assert sum(each.tax for each in back) == (tax if is_escrowed else 0)
    assert back[-1].total.amount == net + fee + tax


_MARKET: list[Book] = []


def market_once() -> Book:
    if not _MARKET:
        _MARKET.append(market())
    return _MARKET[0]


def test_what_did_not_settle_is_not_reversed(book: Book) -> None:
    assert reverse(book, "T-9", "aix-one-1") == "settlement_unknown"
    match(book)
    assert reverse(book, "T-1", "aix-one-1") == "settlement_unknown"


def test_no_other_exchange_reverses_it(book: Book) -> None:
    settled(book)
    body = DvpReverse(exchange=EXCHANGE, trade="T-1", quantity=QUANTITY, reason="case-7")

    assert book.end("dvp_reverse", body, by="aix-two") == "settlement_unknown"


def test_coins_that_are_gone_are_not_moved_back(book: Book) -> None:

    settled(book)
    accepted(withdraw(book, "ABTC", "client-a", 1))

    assert reverse(book) == "insufficient_funds"


def test_coins_set_aside_for_another_sale_are_not_moved_back(book: Book) -> None:

    enrich(book, "BKZT", AMOUNT)
    settled(book)
    match_back(book, "T-2", QUANTITY)
    accepted(allocate(book, "T-2"))

    assert reverse(book) == "funds_set_aside"


# --- taxes ----------------------------------------------------------------------------------------------


def test_a_tax_in_escrow_goes_back_with_its_owners_signature(book: Book) -> None:
    open_escrow(book)
    settled(book, charges=Charges(tax=1_000, tax_account=account("TAX")))

    assert reverse(book) == "signatures_insufficient"
    assert reverse(book, "T-1", *ORDERED, order="order-5") == "signatures_insufficient"
    assert reverse(book, "T-1", *BOTH, "treasury", quantity=QUANTITY // 2) == "accepted"
    assert book.balance(account("TAX")) == 500
    assert reverse(book, "T-1", *ORDERED, "treasury", order="order-5", quantity=QUANTITY // 2) == "accepted"
    assert book.balance(account("TAX")) == book.balance(account("MKZT")) == 0


def test_a_tax_that_the_treasury_has_is_the_sellers_to_claim_there(book: Book) -> None:
    payee = RegistryPayee(account=wallet("602", 1), purpose=PayeePurpose.TREASURY)
    accepted(book.submit("registry_payee", payee, by="ministry", signers=("ministry-1", "ministry-2")))
    settled(book, charges=Charges(tax=1_000, tax_account=wallet("602", 1)))
    assert reverse(book) == "insufficient_funds"

    body = Transfer(debit=wallet("601", 1), credit=account("MKZT"), asset=AssetId("KZT"), amount=1_000)

    accepted(take_out(book, 1_000))
    accepted(book.submit("transfer", body, by="bank-a"))
    assert reverse(book) == "accepted"
    assert book.balance(wallet("602", 1)) == 1_000
    assert book.balance(account("AKZT")) == 90_000_000 - 1_000


# --- sales settled in one step --------------------------------------------------------------------------


def one_step(book: Book, **members: Any) -> str:
    """Settle in one step; the payload, as a reversal shows it."""
    transaction = book.transaction("dvp_settle", sale(book, trade="T-1", **members), by="aix-one")
    accepted(book.decide(book.sign(transaction, [key_of("aix-one-1")])))
    return b64url(canonical.encode(transaction))


def test_a_one_step_sale_is_reversed_by_showing_its_payload(book: Book) -> None:
    original = one_step(book)
    assert reverse(book, original=original, quantity=QUANTITY // 2) == "accepted"
    assert reverse(book, "T-1", "aix-one-1", original=original, quantity=1) == "signatures_insufficient"
    assert reverse(book, original=original, quantity=QUANTITY // 2) == "accepted"

    assert book.balance(account("AKZT")) == 90_000_000
    assert book.balance(account("FEE")) == book.balance(account("ABTC")) == 0
    reversal = book.state.get(REVERSALS, "aix-one/T-1")
    assert reversal is not None
    assert (reversal.quantity, reversal.amount) == (QUANTITY, AMOUNT)


def test_a_one_step_sale_without_a_fee_is_reversed(book: Book) -> None:
    original = one_step(book, fee=0, fee_account=None)

    assert reverse(book, original=original) == "accepted"
    assert book.balance(account("MKZT")) == 0


def test_another_payload_proves_nothing(book: Book) -> None:
    original = one_step(book)
    other = b64url(canonical.encode(book.transaction("dvp_settle", sale(book, trade="T-1"), by="aix-one")))
    for shown in (None, other, original + "A", "!"):
        assert reverse(book, "T-1", "aix-one-1", original=shown) == "settlement_unknown"


def test_the_payload_of_an_attested_sale_is_no_settlement(book: Book) -> None:
    body = SaleAttest(
        trade="A-1",
        miner=ParticipantId("miner-one"),
        coin="BTC",
        quantity=QUANTITY,
        price=PRICE,
        executed_us=TimestampUs(book.time_us - 1),
        cash="BANK-1",
        asset_lock=commitment("lock"),
    )
    transaction = book.transaction("sale_attest", body, by="aix-one")
    accepted(book.decide(book.sign(transaction, [key_of("aix-one-1"), key_of("miner-one-1")])))
    shown = b64url(canonical.encode(transaction))

    assert reverse(book, "A-1", "aix-one-1", original=shown) == "settlement_unknown"


def test_the_payload_of_a_sale_fits() -> None:

    book = market()
    assert len(one_step(book)) < ORIGINAL_LENGTH_MAX // 4


def test_a_clients_sale_is_reversed_like_a_miners(book: Book) -> None:

    consent = sell_mandate(book, "client-b", account=account("BBTC"))
    accepted(
        settle(book, trade="T-2", seller_coin=account("BBTC"), seller_tenge=account("BKZT"), seller_mandate=consent)
    )
    assert reverse(book, "T-2", "aix-one-1") == "settlement_unknown"
