"""The levy on the ledger: paid to the treasury, computed from the readings, with rates as data."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ledger.crypto import canonical
from ledger.model.outcome import Outcome
from ledger.model.participants import Role
from ledger.state import Overlay
from ledger.units import AMOUNT_MAX, BALANCE_MAX, BusinessDate, ParticipantId, TimestampUs
from settlement.levy import ASSUMED_NOTE
from settlement.model.energy import PayeePurpose
from settlement.model.levy_regimes import (
    BANDS_MAX,
    LEVY_REGIMES,
    REGIMES_MAX,
    LevyRegime,
    PriceBand,
    SpecialRate,
    regime_of,
    unclear,
)
from settlement.model.levy_statement import LevyPaid
from settlement.model.quarters import DueRule
from settlement.model.quota_policies import LegalStatus
from settlement.model.sites import EnergySource
from settlement.rules.levy import LevyPay, LevyRegimesSet, levy_of, regimes
from settlement.rules.tables import LEVY_PAID
from settlement.rules.working_days import DaySet, WorkingDaysSet
from tests.book import Book, own_account, refused_with
from tests.settlement.market import accepted
from tests.settlement.power import (
    MINER_OWN,
    MINER_TWO_WALLET,
    TREASURY,
    line,
    moment,
    payee,
    power_market,
    read,
)

OWN = EnergySource.OWN
MINER = ParticipantId("miner-one")
KZT = 100
"""Tiyn of one tenge."""


def test_example_14_a_host_owes_nothing_and_its_tenant_pays_on_its_share() -> None:
    book = power_market()
    accepted(read(book, line(600, price=1_000, miner="miner-two"), **_span(book, "2023-01-01", "2023-04-01")))

    assert levy_of(book.state, MINER, "2023-Q1").levy == 0
    assert levy_of(book.state, ParticipantId("miner-two"), "2023-Q1").levy == 600 * 15 * KZT


def test_a_quarter_is_paid_from_the_miner_s_own_account() -> None:
    book = power_market()
    accepted(read(book, line(10_000_000, price=1_840), **_span(book, "2023-01-01", "2023-04-01")))
    before = book.balance(MINER_OWN)
    outcome = accepted(pay(book, 70_000_000 * KZT))

    assert before - book.balance(MINER_OWN) == book.balance(TREASURY) == 70_000_000 * KZT
    assert outcome.record == {
        "quarter": "2023-Q1",
        "energy_kwh": 10_000_000,
        "lines": [
            {
                "sources": ["auction"],
                "is_unmetered": False,
                "energy_kwh": 10_000_000,
                "rate": 700,
                "amount": 7_000_000_000,
                "note": "unverified band",
            }
        ],
        "levy": 7_000_000_000,
        "paid": 7_000_000_000,
        "outstanding": 0,
        "overpaid": 0,
        "regime": "R23",
        "legal_source": LEVY_REGIMES[1].legal_source,
        "legal_status": "assumed",
        "basis_note": ASSUMED_NOTE,
        "has_unverified_rate": True,
    }


def test_a_quarter_is_paid_in_parts_and_a_correction_restates_it() -> None:
    book = power_market()
    span = _span(book, "2023-01-01", "2023-04-01")
    accepted(read(book, line(1_000, price=2_500), **span))

    first = accepted(pay(book, 40_000)).record
    second = accepted(pay(book, 70_000)).record
    assert first is not None
    assert second is not None
    assert (first["outstanding"], first["overpaid"]) == (60_000, 0)
    assert (second["outstanding"], second["overpaid"]) == (0, 10_000)
    assert "note" not in second["lines"][0]

    accepted(read(book, line(1_200, price=2_500), version=2, **span))
    restated = levy_of(book.state, MINER, "2023-Q1")
    assert (restated.levy, restated.paid, restated.outstanding) == (120_000, 110_000, 10_000)
    assert book.state.get(LEVY_PAID, "miner-one/2023-Q1") == LevyPaid(amount=110_000, payments=2)


def test_a_bank_pays_from_the_miner_s_wallet_with_the_miner_s_signature() -> None:
    book = power_market()
    before = book.balance(MINER_TWO_WALLET)
    body = payment(1_000, miner=ParticipantId("miner-two"), payer=MINER_TWO_WALLET)

    assert book.end("levy_pay", body, by="bank-a", signers=("bank-a-1", "holder-key-m-2")) == "signatures_insufficient"
    signers = ("bank-a-1", "holder-key-m-2", "miner-two-1")
    assert book.end("levy_pay", body, by="bank-a", signers=signers) == "accepted"
    assert before - book.balance(MINER_TWO_WALLET) == 1_000
    assert levy_of(book.state, ParticipantId("miner-two"), "2023-Q1").overpaid == 1_000


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"quarter": "2025-Q1"}, "levy_quarter_ahead"),
        ({"quarter": "2021-Q4"}, "levy_not_in_force"),
        ({"treasury": MINER_OWN}, "treasury_account_unfit"),
        ({"payer": TREASURY}, "accounts_must_differ"),
        ({"payer": own_account("601")}, "debit_account_not_found"),
        ({"amount": AMOUNT_MAX}, "insufficient_funds"),
        ({"quarter": "2024-Q4"}, "accepted"),
    ],
)
def test_a_payment_that_cannot_be_is_refused(members: dict[str, Any], code: str) -> None:
    body = payment(**members)

    assert power_market().end("levy_pay", body, by="miner-one") == code


def test_no_levy_is_paid_for_a_miner_that_is_not_registered() -> None:
    book = power_market()
    accepted(book.admit("miner-new", Role.MINER, "829"))
    body = payment(1, miner=ParticipantId("miner-new"))

    assert book.end("levy_pay", body, by="miner-one", signers=("miner-one-1", "miner-new-1")) == "miner_unknown"


def test_the_day_on_which_a_quarter_begins_is_local() -> None:
    book = power_market()
    start_us = moment(book, "2025-01-01")
    book.time_us = start_us - 1_000_001
    assert refused_with(pay(book, 1, quarter="2025-Q1")) == "levy_quarter_ahead"
    book.time_us = start_us - 1_000_000
    accepted(pay(book, 1, quarter="2025-Q1"))


def test_a_treasury_account_that_is_off_the_register_is_not_paid() -> None:
    book = power_market()
    accepted(payee(book, TREASURY, PayeePurpose.TREASURY, is_active=False))

    assert refused_with(pay(book, 1)) == "treasury_account_unfit"


def test_what_was_paid_stays_an_integer_of_canonical_json() -> None:
    book = power_market()
    overlay = Overlay(book.state)
    overlay.put(LEVY_PAID, "miner-one/2023-Q1", LevyPaid(amount=BALANCE_MAX - 1, payments=1))
    book.state.advance(overlay, TimestampUs(book.time_us))

    assert refused_with(pay(book, 2)) == "balance_too_large"
    accepted(pay(book, 1))


def test_due_dates_shift_over_the_ledger_s_own_holidays() -> None:
    book = power_market()
    body = WorkingDaysSet(basis="order-7", days=(DaySet(date=BusinessDate("2023-05-25"), is_working=False),))
    accepted(book.submit("working_days_set", body, by="ministry"))

    due = levy_of(book.state, MINER, "2023-Q1").payment
    assert due is not None
    assert (due.nominal, due.shifted) == ("2023-05-25", "2023-05-26")


def test_two_people_of_the_ministry_replace_the_table_of_rates() -> None:
    book = power_market()
    accepted(read(book, line(1_000, price=2_500), **_span(book, "2024-01-01", "2024-04-01")))
    assert regimes(book.state) is LEVY_REGIMES
    assert levy_of(book.state, MINER, "2024-Q1").levy == 1_000 * KZT

    two = msgspec.structs.replace(LEVY_REGIMES[2], bands=(PriceBand(rate=200, is_verified=True),))
    table = (*LEVY_REGIMES[:2], two)
    assert book.end("levy_regimes_set", LevyRegimesSet(regimes=table), by="ministry") == "signatures_insufficient"
    accepted(set_regimes(book, table))
    result = levy_of(book.state, MINER, "2024-Q1")
    assert (result.levy, result.has_unverified_rate) == (2_000 * KZT, False)
    book.restart()
    assert regimes(book.state) == table


R22, R23, R24 = LEVY_REGIMES
_FLAT = (PriceBand(rate=1),)


def _with(changed: LevyRegime, **members: Any) -> LevyRegime:
    return msgspec.structs.replace(changed, **members)


@pytest.mark.parametrize(
    "table",
    [
        (R22, _with(R23, regime="R22")),
        (_with(R22, valid_until=BusinessDate("2022-01-01")),),
        (_with(R22, valid_from=BusinessDate("2022-01-02")),),
        (_with(R22, valid_until=BusinessDate("2022-12-31")),),
        (_with(R22, valid_from=BusinessDate("2022-02-30")),),
        (_with(R22, valid_until=BusinessDate("2023-02-30")),),
        (R24, R22),
        (R22, _with(R23, valid_from=BusinessDate("2022-10-01"))),
        (_with(R22, bands=(PriceBand(below=1, rate=1),)),),
        (_with(R22, bands=(PriceBand(rate=1), PriceBand(rate=1))),),
        (_with(R22, bands=(PriceBand(below=2, rate=1), PriceBand(below=1, rate=1), PriceBand(rate=1))),),
        (_with(R22, bands=(PriceBand(below=2, rate=1), PriceBand(below=2, rate=1), PriceBand(rate=1))),),
        (_with(R23, special=(SpecialRate(source=OWN, rate=1), SpecialRate(source=OWN, rate=2))),),
    ],
)
def test_a_table_that_does_not_say_one_thing_is_refused(table: tuple[LevyRegime, ...]) -> None:
    assert refused_with(set_regimes(power_market(), table)) == "levy_regimes_unclear"


def test_the_table_to_start_with_is_clear_and_a_gap_is_allowed() -> None:
    assert unclear(LEVY_REGIMES) is None
    assert unclear((R22, R24)) is None
    assert regime_of((R22, R24), "2023-Q2") is None


@pytest.mark.parametrize(("regime_count", "band_count"), [(REGIMES_MAX, 1), (1, BANDS_MAX)])
def test_a_table_has_limits(regime_count: int, band_count: int) -> None:
    def table(regime_number: int, band_number: int) -> bytes:
        bands = (*(PriceBand(below=number, rate=1) for number in range(1, band_number)), PriceBand(rate=1))
        rows = tuple(
            LevyRegime(
                regime=f"R{number}",
                valid_from=BusinessDate(f"{2000 + number}-01-01"),
                valid_until=BusinessDate(f"{2001 + number}-01-01"),
                bands=bands,
                payment=DueRule(month=1, day=1),
                legal_source="none",
                legal_status=LegalStatus.ASSUMED,
            )
            for number in range(regime_number)
        )
        assert unclear(rows) is None
        return canonical.encode(LevyRegimesSet(regimes=rows))

    canonical.decode(table(regime_count, band_count), LevyRegimesSet)
    with pytest.raises(canonical.NotCanonical, match="regimes"):
        canonical.decode(table(regime_count + (regime_count > 1), band_count + (band_count > 1)), LevyRegimesSet)


def payment(amount: int = 1, **members: Any) -> LevyPay:
    """What ``miner-one`` pays for the first quarter of 2023."""
    whole: dict[str, Any] = {
        "miner": MINER,
        "quarter": "2023-Q1",
        "payer": MINER_OWN,
        "treasury": TREASURY,
        "amount": amount,
    } | members
    return LevyPay(**whole)


def pay(book: Book, amount: int, **members: Any) -> Outcome:
    """``miner-one`` pays from its own account."""
    return book.submit("levy_pay", payment(amount, **members), by="miner-one")


def set_regimes(book: Book, table: Sequence[LevyRegime]) -> Outcome:
    """Two people of the ministry replace the table."""
    body = LevyRegimesSet(regimes=tuple(table))
    return book.submit("levy_regimes_set", body, by="ministry", signers=("ministry-1", "ministry-2"))


def _span(book: Book, first: str, last: str) -> dict[str, Any]:
    return {"from_us": moment(book, first), "until_us": moment(book, last)}
