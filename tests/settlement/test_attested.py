"""Sales paid for outside this ledger: a column of their own, and nothing claimed twice."""

from typing import Any

import pytest

from ledger.crypto import canonical, digest
from ledger.crypto.canonical import b64url
from ledger.model.outcome import Inadmissible, Outcome, Refused
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.claims import Reason, Verdict
from settlement.model.registers import Register
from settlement.model.statement import ClaimState, Column
from settlement.rules.attested import ATTESTED_AGE_MAX_US, SaleAttest
from settlement.rules.coins import CoinAdmit
from settlement.rules.completion import DvpComplete
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.rules.netting import DvpBatch
from settlement.rules.tables import CLAIMS
from settlement.views.statements import quota_statement
from tests.book import Book, key_of, refused_with
from tests.settlement.instructed import QUANTITY, allocate, match, terms
from tests.settlement.market import (
    BTC,
    PRICE,
    accepted,
    account,
    commitment,
    market,
    report,
    row,
    sale,
    settle,
    suspend,
)
from tests.settlement.quota_cases import MINER
from tests.settlement.test_claims import decide, flag


@pytest.fixture
def book() -> Book:
    """Both exchanges have admitted bitcoin; the miner has produced 1 BTC."""
    made = market()
    admit = CoinAdmit(coin="BTC", contra=account("CONTRABTC", "802"))
    accepted(made.submit("coin_admit", admit, by="aix-two", signers=("aix-two-1", "ministry-1")))
    accepted(report(made, row(1)))
    return made


@pytest.fixture
def two_miners(book: Book) -> Book:
    """A second miner with a licence."""
    miner = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("miner-two"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", miner, by="ministry"))
    licence = RegistryLicence(
        licence="L-2", miner=ParticipantId("miner-two"), subtype=1, issued=BusinessDate("2023-06-01")
    )
    accepted(book.submit("registry_licence", licence, by="ministry"))
    return book


def attest(book: Book, *, by: str = "aix-one", signers: tuple[str, ...] = (), **members: Any) -> Outcome:
    """The miner sold 0.25 BTC for tenge at a bank; exchange and miner sign."""
    trade = members.get("trade", "A-771")
    whole: dict[str, Any] = {
        "trade": trade,
        "miner": MINER,
        "coin": "BTC",
        "quantity": BTC // 4,
        "price": PRICE,
        "executed_us": TimestampUs(book.time_us - 60_000_000),
        "cash": f"BANK-{trade}",
        "asset_lock": commitment(f"lock of {trade} at {by}"),
    } | members
    return book.submit("sale_attest", SaleAttest(**whole), by=by, signers=signers or (f"{by}-1", f"{whole['miner']}-1"))


def test_example_20_both_columns_are_shown(book: Book) -> None:
    accepted(settle(book))
    accepted(attest(book))
    result = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-31"))

    assert (result.obligation, result.counted, result.shortfall) == (BTC // 2, BTC // 100, BTC // 2 - BTC // 100)
    assert result.with_attested is not None
    assert (result.with_attested.attested, result.with_attested.counted) == (BTC // 4, BTC // 4 + BTC // 100)
    assert [line.column for line in result.claims] == [Column.SETTLED_ON_LEDGER, Column.ATTESTED_OFF_LEDGER]


def test_example_10_a_payment_stands_behind_one_claim(book: Book) -> None:
    accepted(attest(book, cash="9001"))
    outcome = attest(book, by="aix-two", trade="B-310", cash="9001")

    assert isinstance(outcome, Refused)
    assert (outcome.code.code, outcome.detail) == ("dup_cash_leg", "bank/9001 stands behind aix-one/A-771")


def test_example_10_a_sale_settled_here_is_not_claimed_again_by_its_transaction(book: Book) -> None:
    accepted(settle(book, trade="A-771"))
    settled = book.state.get(CLAIMS, "aix-one/A-771")
    assert settled is not None
    outcome = attest(book, by="aix-two", trade="B-310", cash=None, cash_transaction=settled.transaction)

    assert refused_with(outcome) == "dup_cash_leg"


def test_rule_14_a_transaction_of_this_ledger_and_a_lock_count_once(book: Book) -> None:
    paid = commitment("a transfer")
    accepted(attest(book, cash=None, cash_transaction=paid, asset_lock=commitment("lock")))

    again = attest(book, by="aix-two", trade="B-310", cash=None, cash_transaction=paid)
    assert refused_with(again) == "dup_cash_leg"
    assert refused_with(attest(book, by="aix-two", trade="B-311", asset_lock=commitment("lock"))) == "dup_cash_leg"
    accepted(attest(book, by="aix-two", trade="B-312"))


OTHERS: dict[str, Any] = {"by": "aix-two", "trade": "B-310", "miner": ParticipantId("miner-two")}
"""An exchange and a miner that have nothing to do with the first."""


def freed(book: Book, claim: str = "aix-one/A-771", decisions: int = 0) -> Outcome:
    """The supervisor finds that what the claim names is another's."""
    return decide(book, Verdict.DISQUALIFY, claim=claim, reason=Reason.DUP_CASH_LEG, decisions=decisions)


def test_whoever_named_a_payment_that_is_not_theirs_gives_way_once_disqualified_for_it(two_miners: Book) -> None:
    book = two_miners
    paid, lock = commitment("a transfer"), commitment("lock")
    accepted(attest(book, cash=None, cash_transaction=paid, asset_lock=lock))
    honest = OTHERS | {"cash": None, "cash_transaction": paid, "asset_lock": lock}
    assert refused_with(attest(book, **honest)) == "dup_cash_leg"

    accepted(freed(book))
    accepted(attest(book, **honest))
    assert refused_with(attest(book, **OTHERS | {"trade": "B-311", "asset_lock": lock})) == "dup_cash_leg"
    outcome = decide(book, Verdict.RESTORE, claim="aix-one/A-771", decisions=1)
    assert isinstance(outcome, Refused)
    assert (outcome.code.code, outcome.detail) == ("claim_leg_taken", f"{paid} stands behind aix-two/B-310")


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.DUP_CASH_LEG}))
def test_a_sale_disqualified_for_what_it_is_keeps_its_legs(two_miners: Book, reason: Reason) -> None:
    accepted(attest(two_miners, cash="9001"))
    accepted(decide(two_miners, Verdict.DISQUALIFY, claim="aix-one/A-771", reason=reason))
    assert refused_with(attest(two_miners, **OTHERS | {"cash": "9001"})) == "dup_cash_leg"


@pytest.mark.parametrize("others", [{"by": "aix-one", "trade": "A-772"}, {"by": "aix-two", "miner": MINER}])
def test_what_was_taken_from_a_miner_or_an_exchange_it_does_not_name_again(
    two_miners: Book, others: dict[str, Any]
) -> None:
    lock = commitment("lock")
    accepted(attest(two_miners, cash="9001", asset_lock=lock))
    accepted(freed(two_miners))
    for leg in ({"cash": "9001"}, {"asset_lock": lock}):
        assert refused_with(attest(two_miners, **OTHERS | others | leg)) == "dup_cash_leg"


@pytest.mark.parametrize("taken", ["cash", "lock"])
def test_a_claim_is_restored_once_what_took_its_leg_is_disqualified_too(two_miners: Book, taken: str) -> None:
    book = two_miners
    lock = commitment("lock")
    accepted(attest(book, cash="9001", asset_lock=lock))
    accepted(freed(book))
    own: dict[str, Any] = {"cash": "9001"} if taken == "cash" else {"asset_lock": lock}
    accepted(attest(book, **OTHERS | own))
    assert refused_with(decide(book, Verdict.RESTORE, claim="aix-one/A-771", decisions=1)) == "claim_leg_taken"
    accepted(freed(book, "aix-two/B-310"))
    accepted(decide(book, Verdict.RESTORE, claim="aix-one/A-771", decisions=1))
    # The leg is its own again.
    assert refused_with(decide(book, Verdict.RESTORE, claim="aix-two/B-310", decisions=1)) == "claim_leg_taken"


def test_a_claim_is_restored_while_nobody_else_named_its_legs(two_miners: Book) -> None:
    accepted(attest(two_miners, cash="9001"))
    accepted(freed(two_miners))
    accepted(decide(two_miners, Verdict.RESTORE, claim="aix-one/A-771", decisions=1))
    assert refused_with(attest(two_miners, **OTHERS | {"cash": "9001"})) == "dup_cash_leg"


def test_a_settled_sale_keeps_its_payment_even_where_it_is_disqualified(two_miners: Book) -> None:
    book = two_miners
    accepted(settle(book, trade="A-771"))
    settled = book.state.get(CLAIMS, "aix-one/A-771")
    assert settled is not None
    accepted(freed(book))
    outcome = attest(book, **OTHERS | {"cash": None, "cash_transaction": settled.transaction})
    assert refused_with(outcome) == "dup_cash_leg"
    accepted(decide(book, Verdict.RESTORE, claim="aix-one/A-771", decisions=1))


@pytest.mark.parametrize("kind", ["dvp_settle", "dvp_complete", "dvp_batch"])
def test_a_sale_is_not_settled_by_a_payment_that_was_attested_before_it_was_sent(book: Book, kind: str) -> None:
    for trade in ("T-1", "T-2"):
        match(book, trade, terms(book, quantity=QUANTITY // 10))
    accepted(allocate(book, "T-1"))
    body = {
        "dvp_settle": sale(book),
        "dvp_complete": DvpComplete(trade="T-1"),
        "dvp_batch": DvpBatch(trades=("T-1", "T-2")),
    }[kind]
    transaction = book.transaction(kind, body, by="aix-one")
    payment = b64url(digest.transaction_id(canonical.encode(transaction)))
    accepted(attest(book, cash=None, cash_transaction=payment))

    outcome = book.decide(book.sign(transaction, [key_of("aix-one-1")]))
    assert refused_with(outcome) == "dup_cash_leg"
    accepted(book.submit(kind, body, by="aix-one"))


def test_nobody_attests_a_sale_in_the_name_of_a_miner(book: Book) -> None:
    for signers in (("aix-one-1",), ("aix-one-1", "miner-two-1")):
        outcome = attest(book, signers=signers)
        assert isinstance(outcome, Inadmissible)
        assert outcome.code in ("signatures_insufficient", "signature_unasked")


def test_rule_14_a_number_of_a_trade_stands_in_one_column(book: Book) -> None:
    accepted(attest(book))
    assert refused_with(attest(book, cash="other", asset_lock=commitment("other"))) == "trade_repeated"
    assert refused_with(settle(book, trade="A-771")) == "trade_repeated"
    accepted(settle(book, trade="A-772"))
    assert refused_with(attest(book, trade="A-772")) == "trade_repeated"
    # Another exchange counts its own trades.
    accepted(attest(book, by="aix-two", cash="another"))


def test_a_payment_is_at_a_bank_or_here(book: Book) -> None:
    assert refused_with(attest(book, cash=None)) == "cash_leg_unclear"
    assert refused_with(attest(book, cash_transaction=commitment("a transfer"))) == "cash_leg_unclear"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"coin": "LTC"}, "coin_not_admitted"),
        ({"miner": ParticipantId("miner-two")}, "miner_unknown"),
    ],
)
def test_who_and_what_must_be_known(book: Book, members: dict[str, Any], code: str) -> None:
    assert refused_with(attest(book, **members)) == code


def test_the_time_of_a_sale_is_bounded(book: Book) -> None:
    def at(age_us: int) -> Outcome:
        return attest(book, executed_us=TimestampUs(book.time_us + 1_000_000 - age_us))

    assert refused_with(at(-1)) == "execution_in_future"
    assert refused_with(at(ATTESTED_AGE_MAX_US + 1)) == "attested_too_late"
    accepted(at(ATTESTED_AGE_MAX_US))


def test_exchange_and_miner_need_their_licences(book: Book) -> None:
    suspend(book, Register.LICENCE, "L-1", book.time_us - 120_000_000, until_us=book.time_us - 30_000_000)
    assert refused_with(attest(book)) == "miner_licence_invalid"
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us - 120_000_000)
    assert refused_with(attest(book)) == "venue_licence_invalid"


def test_an_attested_sale_is_flagged_and_decided_as_any_other(book: Book) -> None:
    accepted(attest(book))
    accepted(flag(book, claim="aix-one/A-771", reason=Reason.PRICE_OFF_REFERENCE))

    def state() -> ClaimState:
        (line,) = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-31")).claims
        return line.state

    assert state() is ClaimState.HELD
    accepted(decide(book, Verdict.DISQUALIFY, flags=1, claim="aix-one/A-771"))
    assert state() is ClaimState.DISQUALIFIED
