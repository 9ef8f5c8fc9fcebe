"""Custody: coins come from a reserve an auditor has seen, and go to clients and miners only."""

import pytest

from ledger.model.outcome import Inadmissible, Outcome
from ledger.state import Overlay
from ledger.units import AssetId, TimestampUs
from settlement.model.registers import Register
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import (
    ATTESTATION_AGE_MAX_US,
    WITHDRAWN_MODULUS,
    CustodyCredit,
    CustodyDebit,
)
from settlement.rules.tables import ATTESTATIONS, WITHDRAWN
from tests.book import Book, refused_with, wallet
from tests.settlement.market import (
    BTC,
    COIN,
    accepted,
    account,
    attest,
    attestation,
    commitment,
    credit_coins,
    holder_key,
    market,
    send_attestation,
    suspend,
)
from tests.settlement.test_winddown import relate


@pytest.fixture
def book() -> Book:
    return market()


def withdraw(
    book: Book, amount: int, *, name: str = "MBTC", holder: str = "miner-one", withdrawal: str = "W-1"
) -> Outcome:
    body = CustodyDebit(account=account(name), amount=amount, withdrawal=withdrawal, destination=commitment("wallet"))
    signers = ("aix-one-1", holder_key(holder)) if holder else ("aix-one-1",)
    return book.submit("custody_debit", body, by="aix-one", signers=signers)


def test_a_deposit_is_credited_against_the_contra_account(book: Book) -> None:
    accepted(credit_coins(book, "MBTC", BTC))

    assert book.balance(account("MBTC")) == 11 * BTC
    assert book.balance(account("CONTRABTC")) == 16 * BTC


def test_no_more_is_owed_than_an_auditor_has_seen(book: Book) -> None:
    assert refused_with(credit_coins(book, "MBTC", 85 * BTC + 1)) == "reserve_exceeded"
    accepted(credit_coins(book, "MBTC", 85 * BTC))
    assert refused_with(credit_coins(book, "BBTC", 1)) == "reserve_exceeded"


def test_nothing_is_owed_before_the_first_attestation(book: Book) -> None:
    accepted(book.submit("registry_coin", RegistryCoin(coin="LTC", scale=8), by="ministry"))
    admit = CoinAdmit(coin="LTC", contra=account("CONTRALTC"))
    accepted(book.submit("coin_admit", admit, by="aix-one", signers=("aix-one-1", "ministry-1")))
    opened = book.open_account(
        "aix-one",
        account("MLTC"),
        account_class="miner_proceeds",
        asset=AssetId("LTC:aix-one"),
        holder="miner-one",
        holder_key=holder_key("miner-one"),
    )
    accepted(opened)

    assert refused_with(credit_coins(book, "MLTC", 1)) == "reserve_exceeded"
    assert refused_with(withdraw(book, 1, name="MLTC")) == "insufficient_funds"


def test_a_lower_reserve_is_put_on_record_and_stops_credits(book: Book) -> None:
    outcome = accepted(attest(book, 3 * BTC))

    assert outcome.record == {"circulating": 15 * BTC, "quantity": 3 * BTC, "withdrawn": 0}
    assert refused_with(credit_coins(book, "MBTC", 1)) == "reserve_exceeded"


def test_coins_that_left_are_not_credited_once_more(book: Book) -> None:
    accepted(attest(book, 15 * BTC))
    accepted(withdraw(book, 4 * BTC))

    assert refused_with(credit_coins(book, "BBTC", 4 * BTC)) == "reserve_exceeded"
    attestation = book.state.get(ATTESTATIONS, COIN)
    assert attestation is not None
    assert attestation.quantity == 11 * BTC


def test_a_reserve_that_was_short_does_not_go_below_nothing(book: Book) -> None:
    accepted(attest(book, BTC))
    accepted(withdraw(book, 4 * BTC))

    attestation = book.state.get(ATTESTATIONS, COIN)
    assert attestation is not None
    assert attestation.quantity == 0


def test_an_attestation_needs_the_auditors_signature(book: Book) -> None:
    outcome = book.submit("reserve_attest", attestation(book, 1), by="aix-one")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


@pytest.mark.parametrize("asset", ["KZT", "LTC:aix-one", "BTC:aix-two"])
def test_an_exchange_attests_coins_that_it_owes_itself(book: Book, asset: str) -> None:
    assert refused_with(attest(book, 1, asset=AssetId(asset))) == "coin_not_admitted"


def test_a_deposit_is_credited_once(book: Book) -> None:
    accepted(credit_coins(book, "MBTC", 1, "D-1"))

    assert refused_with(credit_coins(book, "BBTC", 1, "D-1")) == "deposit_reused"


def test_a_suspended_exchange_takes_no_deposits_and_still_pays_out(book: Book) -> None:
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us)

    assert refused_with(credit_coins(book, "MBTC", 1)) == "venue_licence_invalid"
    accepted(withdraw(book, BTC))


def test_tenge_is_not_kept_in_custody(book: Book) -> None:
    assert refused_with(credit_coins(book, "AKZT", 1)) == "coin_not_admitted"
    assert refused_with(withdraw(book, 1, name="AKZT", holder="client-a")) == "coin_not_admitted"


def test_an_account_of_others_is_not_told_from_one_that_does_not_exist(book: Book) -> None:
    for unknown in (account("NOBODY"), wallet("601", 1)):
        body = CustodyCredit(account=unknown, amount=1, deposit="D-1")
        assert refused_with(book.submit("custody_credit", body, by="aix-one")) == "custody_account_unknown"
    assert refused_with(withdraw(book, 1, name="NOBODY", holder="")) == "custody_account_unknown"


def test_coins_are_never_credited_to_the_house_or_withdrawn_from_it(book: Book) -> None:
    accepted(book.open_account("aix-one", account("HBTC"), account_class="house", asset=COIN))

    assert refused_with(credit_coins(book, "HBTC", 1)) == "custody_to_house"
    assert refused_with(withdraw(book, 1, name="HBTC", holder="")) == "custody_from_house"
    assert refused_with(credit_coins(book, "CONTRABTC", 1)) == "custody_to_house"


def test_a_withdrawal_needs_the_holders_signature(book: Book) -> None:
    outcome = withdraw(book, BTC, holder="")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


def test_a_withdrawal_happens_once(book: Book) -> None:
    accepted(withdraw(book, 1))

    assert refused_with(withdraw(book, 1)) == "withdrawal_reused"


def test_a_client_without_a_key_withdraws_nothing(book: Book) -> None:
    opened = book.open_account(
        "aix-one", account("CBTC"), account_class="client_segregated", asset=COIN, holder="client-c"
    )
    accepted(opened)
    accepted(credit_coins(book, "CBTC", 1))

    assert refused_with(withdraw(book, 1, name="CBTC", holder="")) == "client_account_unbound"


def reserve(book: Book) -> int:
    """What may be owed by the attestation that stands."""
    standing = book.state.get(ATTESTATIONS, COIN)
    assert standing is not None
    return standing.quantity


def test_coins_withdrawn_while_an_attestation_was_held_back_are_not_credited_from_nothing(book: Book) -> None:
    held = attestation(book, 15 * BTC)
    accepted(withdraw(book, 5 * BTC))
    accepted(send_attestation(book, held))

    assert reserve(book) == 10 * BTC
    assert refused_with(credit_coins(book, "BBTC", 1)) == "reserve_exceeded"


def test_withdrawals_before_the_look_are_not_taken_off_again(book: Book) -> None:
    accepted(withdraw(book, 5 * BTC))
    outcome = accepted(attest(book, 12 * BTC))

    assert outcome.record == {"circulating": 10 * BTC, "quantity": 12 * BTC, "withdrawn": 5 * BTC}
    accepted(credit_coins(book, "BBTC", 2 * BTC))
    assert refused_with(credit_coins(book, "BBTC", 1)) == "reserve_exceeded"


def test_good_news_held_back_does_not_follow_bad_news(book: Book) -> None:
    held = attestation(book, 100 * BTC)
    book.time_us += 1
    accepted(book.submit("reserve_attest", attestation(book, BTC), by="auditor"))

    assert refused_with(send_attestation(book, held)) == "attestation_stale"
    assert reserve(book) == BTC


def test_a_look_is_later_than_the_one_on_record(book: Book) -> None:
    observed_us = TimestampUs(book.time_us)
    accepted(attest(book, BTC, observed_us=observed_us))

    assert refused_with(attest(book, BTC, observed_us=observed_us)) == "attestation_stale"
    accepted(attest(book, BTC, observed_us=TimestampUs(observed_us + 1)))


def test_a_look_is_on_record_within_a_day(book: Book) -> None:
    book.time_us += 2 * ATTESTATION_AGE_MAX_US
    oldest_us = book.time_us + 1_000_000 - ATTESTATION_AGE_MAX_US

    assert refused_with(attest(book, BTC, observed_us=TimestampUs(oldest_us - 1))) == "attestation_stale"
    accepted(attest(book, BTC, observed_us=TimestampUs(oldest_us + 1_000_000)))


def test_a_look_lies_not_ahead_of_the_ledger(book: Book) -> None:
    now_us = book.time_us + 1_000_000

    assert refused_with(attest(book, BTC, observed_us=TimestampUs(now_us + 1))) == "attestation_ahead"
    assert refused_with(attest(book, BTC, withdrawn=1)) == "attestation_ahead"
    accepted(attest(book, BTC, observed_us=TimestampUs(book.time_us + 1_000_000)))


def test_the_count_of_withdrawals_wraps_around(book: Book) -> None:
    """Nobody withdraws that much within the life of a test: the count is put there."""
    overlay = Overlay(book.state)
    overlay.put(WITHDRAWN, COIN, WITHDRAWN_MODULUS - 1)
    book.state.advance(overlay, TimestampUs(book.time_us))
    held = attestation(book, 15 * BTC)
    accepted(withdraw(book, 3))
    accepted(send_attestation(book, held))

    assert book.state.get(WITHDRAWN, COIN) == 2
    assert reserve(book) == 15 * BTC - 3


def test_an_auditor_puts_bad_news_on_record_without_the_exchange(book: Book) -> None:
    accepted(book.submit("reserve_attest", attestation(book, 3 * BTC), by="auditor"))

    assert refused_with(credit_coins(book, "MBTC", 1)) == "reserve_exceeded"


@pytest.mark.parametrize("asset", ["KZT", "LTC:aix-one"])
def test_an_auditor_attests_coins_that_some_exchange_owes(book: Book, asset: str) -> None:
    body = attestation(book, 1, asset=AssetId(asset))

    assert refused_with(book.submit("reserve_attest", body, by="auditor")) == "coin_not_admitted"


@pytest.mark.parametrize("by", ["aix-one", "auditor"])
def test_an_auditor_of_the_exchanges_group_attests_nothing(book: Book, by: str) -> None:
    accepted(attest(book, 90 * BTC))
    relate(book, "auditor")
    signers = ("auditor-1",) if by == "auditor" else ("aix-one-1", "auditor-1")

    outcome = book.submit("reserve_attest", attestation(book, BTC), by=by, signers=signers)
    assert refused_with(outcome) == "auditor_related"
