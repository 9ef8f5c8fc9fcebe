"""Mandates: a sale lies within what both holders signed, and uses it up."""

from typing import Any

import pytest

from ledger.model.outcome import Outcome
from ledger.model.transactions import EmbeddedJws
from ledger.rules.admission import ParticipantSuspend
from ledger.rules.keys import KeyRevoke
from ledger.units import AssetId, Kid, ParticipantId, TimestampUs
from settlement.rules import RULEBOOK
from settlement.rules.mandates import MandateCancel, mandate_digest
from tests.book import Book, end_of, key_of, refused_with
from tests.settlement.market import (
    BTC,
    COIN,
    PRICE,
    accepted,
    account,
    buy_mandate,
    holder_key,
    market,
    sell_mandate,
    settle,
)

TENGE = AssetId("KZT")


@pytest.fixture
def book() -> Book:
    return market()


def test_a_mandate_by_another_key_is_refused(book: Book) -> None:
    consent = sell_mandate(book, "client-b")

    assert refused_with(settle(book, seller_mandate=consent)) == "mandate_key_invalid"


def test_an_account_without_a_holder_key_has_no_mandate(book: Book) -> None:
    opened = book.open_account(
        "aix-one", account("CBTC"), account_class="client_segregated", asset=COIN, holder="client-c"
    )
    accepted(opened)
    consent = buy_mandate(book, account=account("CKZT"))

    outcome = settle(book, buyer_tenge=account("CKZT"), buyer_coin=account("CBTC"), buyer_mandate=consent)
    assert refused_with(outcome) == "mandate_key_invalid"


def test_a_mandate_by_a_revoked_key_is_refused(book: Book) -> None:
    kid = Kid(key_of(holder_key("miner-one")).public.kid)
    body = KeyRevoke(kid=kid, reason="lost")
    accepted(book.submit("key_revoke", body, by="aix-one", signers=(holder_key("miner-one"),)))

    assert refused_with(settle(book)) == "mandate_key_invalid"


@pytest.mark.parametrize(
    "members",
    [
        {"account": account("BBTC")},
        {"asset": TENGE},
        {"purpose": "payment"},
        {"coin": "LTC"},
        {"coin": None},
        {"side": "buy"},
        {"limit_price": None},
    ],
)
def test_a_mandate_for_something_else_is_refused(book: Book, members: dict[str, Any]) -> None:
    consent = sell_mandate(book, **members)

    assert refused_with(settle(book, seller_mandate=consent)) == "mandate_scope_differs"


def test_a_mandate_that_names_another_payee_is_refused(book: Book) -> None:
    consent = buy_mandate(book, payee=account("BKZT"))

    assert refused_with(settle(book, buyer_mandate=consent)) == "mandate_payee_differs"


def test_a_mandate_that_names_the_counterparty_is_honoured(book: Book) -> None:
    accepted(settle(book, seller_mandate=sell_mandate(book, payee=account("ABTC"))))


def test_a_mandate_is_not_honoured_at_the_moment_it_expires(book: Book) -> None:
    consent = sell_mandate(book, expires=TimestampUs(book.time_us + 1_000_000))
    assert refused_with(settle(book, seller_mandate=consent)) == "mandate_expired"

    consent = sell_mandate(book, expires=TimestampUs(book.time_us + 1_000_001))
    accepted(settle(book, seller_mandate=consent))


@pytest.mark.parametrize(
    ("sell_limit", "buy_limit", "code"),
    [
        # What the seller is paid for 0.01 BTC, in whole tiyn, comes to 66 tiyn less for one.
        (PRICE - 65, PRICE, "mandate_price_outside"),
        (PRICE - 66, PRICE - 1, "mandate_price_outside"),
        (PRICE - 66, PRICE, None),
    ],
)
def test_the_price_lies_within_both_limits(book: Book, sell_limit: int, buy_limit: int, code: str | None) -> None:
    outcome = settle(
        book,
        seller_mandate=sell_mandate(book, limit_price=sell_limit),
        buyer_mandate=buy_mandate(book, limit_price=buy_limit),
    )
    if code is None:
        accepted(outcome)
    else:
        assert refused_with(outcome) == code


def test_a_mandate_is_used_up_over_several_sales(book: Book) -> None:
    consent = sell_mandate(book, maximum=BTC // 100 + 5)
    accepted(settle(book, seller_mandate=consent))

    assert refused_with(settle(book, quantity=6, fee=0, seller_mandate=consent)) == "mandate_exceeded"
    accepted(settle(book, quantity=5, fee=0, seller_mandate=consent))


def test_a_refused_sale_uses_nothing_of_a_mandate(book: Book) -> None:
    consent = sell_mandate(book, maximum=BTC // 100)
    assert refused_with(settle(book, fee=97_551, seller_mandate=consent)) == "fee_above_tariff"

    accepted(settle(book, seller_mandate=consent))


def test_a_buyers_mandate_counts_tenge(book: Book) -> None:
    consent = buy_mandate(book, maximum=48_775_360)

    assert refused_with(settle(book, buyer_mandate=consent)) == "mandate_exceeded"


def cancel(
    book: Book, consent: EmbeddedJws, *signers: str, key: str = holder_key("miner-one"), by: str = "aix-one"
) -> Outcome:
    """Take a mandate back as signed by a key; by default that key alone signs."""
    body = MandateCancel(mandate=mandate_digest(consent), kid=Kid(key_of(key).public.kid))
    return book.submit("mandate_cancel", body, by=by, signers=signers or (key,))


def test_a_mandate_taken_back_by_its_holder_alone_is_not_honoured(book: Book) -> None:
    consent = sell_mandate(book)
    accepted(settle(book, seller_mandate=consent))
    accepted(cancel(book, consent))

    assert refused_with(settle(book, seller_mandate=consent)) == "mandate_cancelled"
    accepted(settle(book, quantity=BTC // 1_000, fee=0, seller_mandate=sell_mandate(book, nonce="B" * 22)))


def test_a_buyer_takes_a_mandate_back_too(book: Book) -> None:
    consent = buy_mandate(book)
    accepted(cancel(book, consent, key=holder_key("client-a")))

    assert refused_with(settle(book, buyer_mandate=consent)) == "mandate_cancelled"


def test_a_mandate_is_taken_back_while_the_exchange_is_suspended(book: Book) -> None:
    body = ParticipantSuspend(participant=ParticipantId("aix-one"), reason="Review")
    accepted(book.submit("participant_suspend", body, by="operator"))

    accepted(cancel(book, sell_mandate(book)))


def test_nobody_takes_back_what_another_key_signed(book: Book) -> None:
    consent = sell_mandate(book)
    accepted(cancel(book, consent, key=holder_key("client-b")))

    accepted(settle(book, seller_mandate=consent))


def test_the_exchange_does_not_take_a_mandate_back_without_its_holder(book: Book) -> None:
    consent = sell_mandate(book)

    assert end_of(cancel(book, consent, "aix-one-1")) == "signatures_insufficient"
    assert end_of(cancel(book, consent, "aix-one-1", holder_key("miner-one"))) == "accepted"


def test_a_mandate_is_taken_back_once(book: Book) -> None:
    consent = sell_mandate(book)
    accepted(cancel(book, consent))

    assert refused_with(cancel(book, consent)) == "mandate_cancelled"


def test_only_a_holder_key_of_the_sender_takes_a_mandate_back(book: Book) -> None:
    consent = sell_mandate(book)

    assert refused_with(cancel(book, consent, "aix-two-1", by="aix-two")) == "mandate_key_foreign"
    assert refused_with(cancel(book, consent, "aix-two-1", by="aix-two", key="nobody")) == "mandate_key_foreign"
    assert refused_with(cancel(book, consent, key="aix-one-1")) == "mandate_key_foreign"
    assert end_of(cancel(book, consent, by="aix-two")) == "key_unknown"


def test_a_mandate_may_be_taken_back_past_a_full_queue() -> None:
    assert RULEBOOK.kinds["mandate_cancel"].is_urgent
