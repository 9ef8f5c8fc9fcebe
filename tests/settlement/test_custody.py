"""Custody: coins come from a reserve an auditor has seen, and go to clients and miners only."""

import pytest

from ledger.model.outcome import Inadmissible, Outcome
from ledger.units import AssetId
from settlement.model.registers import Register
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import CustodyCredit, CustodyDebit, ReserveAttest
from settlement.rules.tables import ATTESTATIONS
from tests.book import Book, refused_with, wallet
from tests.settlement.market import (
    BTC,
    COIN,
    accepted,
    account,
    attest,
    commitment,
    credit_coins,
    holder_key,
    market,
    suspend,
)


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

    assert outcome.record == {"circulating": 15 * BTC}
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
    body = ReserveAttest(asset=COIN, quantity=1, evidence=commitment("x"))
    outcome = book.submit("reserve_attest", body, by="aix-one")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


@pytest.mark.parametrize("asset", ["KZT", "LTC:aix-one", "BTC:aix-two"])
def test_an_exchange_attests_coins_that_it_owes_itself(book: Book, asset: str) -> None:
    assert refused_with(attest(book, 1, AssetId(asset))) == "coin_not_admitted"


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
