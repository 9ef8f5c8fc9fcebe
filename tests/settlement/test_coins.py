"""Coins: one scale everywhere, admitted exchange by exchange, never an exchange's own token."""

from typing import Any

import pytest

from ledger.model.accounts import CONTRA
from ledger.model.outcome import Inadmissible, Outcome
from ledger.rules.tables import ACCOUNTS, ASSETS
from ledger.units import AccountId, AssetId
from settlement.rules.coins import CoinAdmit, RegistryCoin
from tests.book import Book, refused_with
from tests.settlement.market import COIN, accepted, account, bare_market, registered_market


@pytest.fixture
def book() -> Book:
    return registered_market()


def admit(book: Book, coin: str = "BTC", contra: AccountId | None = None) -> Outcome:
    body = CoinAdmit(coin=coin, contra=contra or account("CONTRABTC"))
    return book.submit("coin_admit", body, by="aix-one", signers=("aix-one-1", "ministry-1"))


def test_admission_makes_an_asset_that_the_exchange_owes(book: Book) -> None:
    accepted(admit(book))

    asset, contra = book.state.get(ASSETS, COIN), book.state.get(ACCOUNTS, account("CONTRABTC"))
    assert asset is not None
    assert contra is not None
    assert (asset.scale, asset.issuer, asset.contra) == (8, "aix-one", account("CONTRABTC"))
    assert (contra.account_class, contra.owner, contra.asset) == (CONTRA, "aix-one", AssetId("BTC:aix-one"))


def test_admission_needs_the_supervisors_signature(book: Book) -> None:
    outcome = book.submit("coin_admit", CoinAdmit(coin="BTC", contra=account("CONTRABTC")), by="aix-one")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


def test_an_exchange_that_is_not_registered_admits_nothing() -> None:
    assert refused_with(admit(bare_market())) == "venue_licence_invalid"


def test_a_coin_nobody_registered_is_refused(book: Book) -> None:
    assert refused_with(admit(book, coin="LTC")) == "coin_unknown"


def test_a_token_that_an_exchange_issued_is_refused(book: Book) -> None:
    own = RegistryCoin(coin="FTT", scale=8, issued_by="aix-one")
    accepted(book.submit("registry_coin", own, by="ministry"))

    assert refused_with(admit(book, coin="FTT")) == "own_token_not_admitted"


def test_a_coin_is_admitted_once(book: Book) -> None:
    accepted(admit(book))

    assert refused_with(admit(book, contra=account("CONTRA2"))) == "coin_admitted"


@pytest.mark.parametrize(
    ("contra", "code"),
    [
        (account("TAKEN"), "account_exists"),
        (AccountId("KZ00801CONTRABTC0000"), "account_check_digits_wrong"),
        (account("CONTRABTC", "802"), "account_code_foreign"),
    ],
)
def test_a_contra_account_is_new_and_the_exchanges_own(book: Book, contra: AccountId, code: str) -> None:
    accepted(book.open_account("aix-one", account("TAKEN"), account_class="house"))

    assert refused_with(admit(book, contra=contra)) == code


def test_a_contra_account_of_others_tells_nothing_of_them(book: Book) -> None:
    taken, free = account("TAKEN", "802"), account("FREE", "802")
    accepted(book.open_account("aix-two", taken, account_class="house"))

    assert refused_with(admit(book, contra=taken)) == refused_with(admit(book, contra=free)) == "account_code_foreign"


@pytest.mark.parametrize(("coin", "code"), [("KZT", "coin_symbol_reserved"), ("BTC", "coin_registered")])
def test_a_symbol_is_registered_once_and_never_that_of_the_tenge(book: Book, coin: str, code: str) -> None:
    body: Any = RegistryCoin(coin=coin, scale=2)

    assert refused_with(book.submit("registry_coin", body, by="ministry")) == code
