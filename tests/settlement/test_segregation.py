"""Client money stays inside the table of classes and purposes; what FTX did is refused step by step, by name."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.journal import Posting, Side
from ledger.model.outcome import Inadmissible, Outcome
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import AccountId, AssetId, Kid
from settlement.rules import RULEBOOK
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import CustodyDebit
from settlement.rules.mandates import MandateCancel, mandate_digest
from settlement.rules.segregation import ClientReturn
from tests.book import Book, key_of, own_account, refused_with, wallet
from tests.settlement.market import (
    BTC,
    COIN,
    DAY_US,
    accepted,
    account,
    attestation,
    buy_mandate,
    commitment,
    credit_coins,
    fund,
    holder_key,
    market,
    sell_mandate,
    send_attestation,
    settle,
)

TENGE = AssetId("KZT")


@pytest.fixture
def book() -> Book:
    return market()


def pay(
    book: Book, debit: AccountId, credit: AccountId, *, holder: str = "", amount: int = 1, asset: AssetId = TENGE
) -> Outcome:
    """A plain transfer by the exchange; ``holder`` signs too."""
    signers = ("aix-one-1", holder_key(holder)) if holder else ("aix-one-1",)
    body = Transfer(debit=debit, credit=credit, asset=asset, amount=amount)
    return book.submit("transfer", body, by="aix-one", signers=signers)


def give_back(book: Book, signers: tuple[str, ...] = (), **members: Any) -> Outcome:
    """Return 100 tiyn of client-a to its wallet at bank-a."""
    whole: dict[str, Any] = {
        "account": account("AKZT"),
        "credit": wallet("601", 1),
        "holder": "holder-1",
        "amount": 100,
    } | members
    everybody = signers or ("aix-one-1", "bank-a-1", holder_key("client-a"))
    return book.submit("client_return", ClientReturn(**whole), by="aix-one", signers=everybody)


@pytest.mark.parametrize(
    ("credit", "code"),
    [
        (account("HOUSE"), "client_money_to_house"),
        (account("FEE"), "client_money_to_house"),
        (account("FKZT"), "client_money_to_affiliate"),
        (account("BKZT"), "client_money_purpose"),
        (wallet("601", 1), "client_money_purpose"),
    ],
)
@pytest.mark.parametrize(("debit", "holder"), [(account("AKZT"), "client-a"), (account("CKZT"), "")])
def test_a_transfer_of_client_money_is_refused_by_where_it_would_go(
    book: Book, debit: AccountId, holder: str, credit: AccountId, code: str
) -> None:
    assert refused_with(pay(book, debit, credit, holder=holder)) == code


def test_the_exchanges_own_account_is_the_house_too(book: Book) -> None:
    accepted(book.open_account("aix-one", own_account("801"), account_class="own"))

    assert refused_with(pay(book, account("CKZT"), own_account("801"))) == "client_money_to_house"
    assert refused_with(pay(book, account("CKZT"), own_account("601"))) == "client_money_to_house"


def test_client_coins_are_client_money(book: Book) -> None:
    outcome = pay(book, account("MBTC"), account("FBTC"), holder="miner-one", asset=COIN)

    assert refused_with(outcome) == "client_money_to_affiliate"


def test_an_affiliates_money_is_client_money(book: Book) -> None:
    fund(book, "FKZT", 1_000)

    assert refused_with(pay(book, account("FKZT"), account("HOUSE"), holder="affiliate")) == "client_money_to_house"


def test_no_bulk_and_no_journal_entry_debits_client_money(book: Book) -> None:
    line = Line(debit=account("CKZT"), credit=account("HOUSE"), amount=1, label="1")
    bulk = BulkTransfer(asset=TENGE, is_atomic=True, lines=(line,))
    legs = JournalEntry(
        postings=(
            Posting(account=account("CKZT"), asset=TENGE, amount=1, side=Side.DEBIT),
            Posting(account=account("HOUSE"), asset=TENGE, amount=1, side=Side.CREDIT),
        )
    )

    assert refused_with(book.submit("bulk_transfer", bulk, by="aix-one")) == "client_account_needs_own_kind"
    assert refused_with(book.submit("journal_entry", legs, by="aix-one")) == "client_account_needs_own_kind"


def test_the_exchange_may_make_good_what_a_client_lost(book: Book) -> None:
    fund(book, "HOUSE", 1_000)

    accepted(pay(book, account("HOUSE"), account("AKZT"), amount=1_000))


def test_tenge_returns_to_the_same_owner_with_three_signatures(book: Book) -> None:
    accepted(give_back(book))

    assert book.balance(wallet("601", 1)) == 100


@pytest.mark.parametrize(
    "signers",
    [
        ("aix-one-1", "bank-a-1"),
        ("aix-one-1", holder_key("client-a")),
        ("bank-a-1", holder_key("client-a")),
    ],
)
def test_a_return_lacks_no_signature(book: Book, signers: tuple[str, ...]) -> None:
    outcome = give_back(book, signers)

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


@pytest.mark.parametrize(
    ("members", "signers"),
    [
        ({"credit": own_account("601")}, ()),
        ({"credit": account("HOUSE")}, ("aix-one-1", holder_key("client-a"))),
        ({"credit": account("NOBODY")}, ("aix-one-1", holder_key("client-a"))),
        ({"account": account("HOUSE")}, ("aix-one-1", "bank-a-1")),
        ({"account": account("NOBODY")}, ("aix-one-1", "bank-a-1")),
        ({"account": account("ABTC")}, ()),
        ({"account": wallet("601", 2)}, ("aix-one-1", "bank-a-1")),
    ],
)
def test_a_return_goes_from_a_client_to_a_wallet(book: Book, members: dict[str, Any], signers: tuple[str, ...]) -> None:
    assert refused_with(give_back(book, signers, **members)) == "return_account_unfit"


@pytest.mark.parametrize("credit", [wallet("601", 1), wallet("601", 99)])
def test_a_wallet_elsewhere_and_one_that_does_not_exist_answer_alike(book: Book, credit: AccountId) -> None:
    outcome = give_back(book, ("aix-one-1", holder_key("client-a")), credit=credit)

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


def test_a_return_to_a_code_that_nobody_has_is_refused(book: Book) -> None:
    outcome = give_back(book, ("aix-one-1", holder_key("client-a")), credit=wallet("699", 1))

    assert refused_with(outcome) == "return_account_unfit"


def test_a_return_names_the_holder_the_bank_knows(book: Book) -> None:
    assert refused_with(give_back(book, holder="holder-2")) == "return_holder_differs"


def test_a_client_without_a_key_is_not_debited_even_for_a_return(book: Book) -> None:
    outcome = give_back(book, ("aix-one-1", "bank-a-1"), account=account("CKZT"))

    assert refused_with(outcome) == "client_account_unbound"


def test_the_collapse_of_ftx_is_refused_step_by_step(book: Book) -> None:
    """A.1 of the record: client money to founders and data centres, as a loan; own tokens; coins that never were."""
    # Client money to the house, with a key the exchange itself may have made, and without any.
    assert refused_with(pay(book, account("AKZT"), account("HOUSE"), holder="client-a")) == "client_money_to_house"
    assert refused_with(pay(book, account("CKZT"), account("HOUSE"))) == "client_money_to_house"
    # Client money to the affiliate "as a loan".
    assert refused_with(pay(book, account("CKZT"), account("FKZT"))) == "client_money_to_affiliate"
    # The affiliate below zero: there is no account that may.
    consent = buy_mandate(book, "affiliate", account=account("FKZT"))
    bought = settle(book, buyer_tenge=account("FKZT"), buyer_coin=account("FBTC"), buyer_mandate=consent)
    assert refused_with(bought) == "insufficient_funds"
    # The exchange's own token as something to trade.
    token = RegistryCoin(coin="FTT", scale=8, issued_by="aix-one")
    accepted(book.submit("registry_coin", token, by="ministry"))
    admit = CoinAdmit(coin="FTT", contra=account("CONTRAFTT"))
    admitted = book.submit("coin_admit", admit, by="aix-one", signers=("aix-one-1", "ministry-1"))
    assert refused_with(admitted) == "own_token_not_admitted"
    # Coins created from nothing, for the affiliate to sell to clients.
    assert refused_with(credit_coins(book, "FBTC", 1_000 * BTC)) == "reserve_exceeded"
    accepted(book.open_account("aix-one", account("HBTC"), account_class="house", asset=COIN))
    assert refused_with(credit_coins(book, "HBTC", 1)) == "custody_to_house"
    sold = settle(
        book,
        seller_coin=account("FBTC"),
        seller_tenge=account("FKZT"),
        seller_mandate=sell_mandate(book, "affiliate", account=account("FBTC")),
    )
    assert refused_with(sold) == "insufficient_funds"
    # Coins sent away while good news of them was held back.
    held = attestation(book, 15 * BTC)
    debit = CustodyDebit(account=account("BBTC"), amount=5 * BTC, withdrawal="W-1", destination=commitment("wallet"))
    accepted(book.submit("custody_debit", debit, by="aix-one", signers=("aix-one-1", holder_key("client-b"))))
    accepted(send_attestation(book, held))
    assert refused_with(credit_coins(book, "FBTC", 5 * BTC)) == "reserve_exceeded"
    # A trade dated back to better days; one under a mandate the client took back.
    assert refused_with(settle(book, executed_us=book.time_us - 2 * DAY_US)) == "execution_too_old"
    regretted = buy_mandate(book)
    cancel = MandateCancel(mandate=mandate_digest(regretted), kid=Kid(key_of(holder_key("client-a")).public.kid))
    accepted(book.submit("mandate_cancel", cancel, by="aix-one", signers=(holder_key("client-a"),)))
    assert refused_with(settle(book, buyer_mandate=regretted)) == "mandate_cancelled"
    # A trade the client never agreed to, and a fee nobody posted.
    forged = buy_mandate(book, "affiliate")
    assert refused_with(settle(book, buyer_mandate=forged)) == "mandate_key_invalid"
    assert refused_with(settle(book, fee=40_000_000)) == "fee_above_tariff"
    # After all of it nothing has moved.
    assert book.balance(account("HOUSE")) == book.balance(account("FEE")) == book.balance(account("FKZT")) == 0


def test_the_codes_of_the_guard_come_last_and_in_order() -> None:
    codes = [code.code for code in RULEBOOK.refusals(RULEBOOK.kinds["transfer"])]

    guards = [code.code for module in RULEBOOK.modules for code in module.guard_refusals]
    assert codes[-len(guards) :] == guards
    assert guards[:4] == [
        "client_money_to_house",
        "client_money_to_affiliate",
        "client_money_purpose",
        "client_account_unbound",
    ]


NAMES = ("AKZT", "BKZT", "CKZT", "MKZT", "FKZT", "HOUSE", "FEE", "ABTC", "MBTC", "FBTC")
HOLDERS = {"A": "client-a", "B": "client-b", "M": "miner-one", "F": "affiliate"}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("transfer", "bulk", "sale", "credit")),
            st.sampled_from(NAMES),
            st.sampled_from(NAMES),
            st.integers(1, 1_000_000),
        ),
        max_size=25,
    )
)
def test_no_sequence_of_moves_takes_client_money_to_the_house(moves: list[tuple[str, str, str, int]]) -> None:
    """All keys sign whatever is asked: what is left is what the rules alone prevent."""
    book = market()
    fees = 0
    for what, first, second, amount in moves:
        clients = _client_tenge(book)
        if what == "transfer":
            asset = COIN if first.endswith("BTC") else TENGE
            holder = HOLDERS.get(first[0], "") if first not in ("HOUSE", "FEE") else ""
            if first != second:
                pay(book, account(first), account(second), holder=holder, amount=amount, asset=asset)
        elif what == "bulk":
            line = Line(debit=account(first), credit=account(second), amount=amount, label="1")
            body = BulkTransfer(asset=TENGE, is_atomic=True, lines=(line,))
            book.submit("bulk_transfer", body, by="aix-one")
        elif what == "sale":
            outcome = settle(book, quantity=amount, fee=0 if amount % 2 else amount // 20)
            paid = sum(
                posting.amount
                for entry in getattr(outcome, "entries", ())
                for posting in entry.postings
                if posting.account == account("FEE")
            )
            fees += paid
            clients -= paid
        else:
            credit_coins(book, first, amount)
        assert _client_tenge(book) >= clients
    assert book.balance(account("HOUSE")) + book.balance(account("FEE")) <= fees


def _client_tenge(book: Book) -> int:
    return sum(
        book.state.get(BALANCES, account_id) or 0
        for account_id, each in book.state.items(ACCOUNTS)
        if each.owner == "aix-one" and each.asset == TENGE and RULEBOOK.classes[each.account_class].is_client
    )
