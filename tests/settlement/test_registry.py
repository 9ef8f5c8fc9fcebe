"""Registers: who was what, when; kept by the supervisor."""

from typing import Any

import msgspec
import pytest

from ledger.model.outcome import Inadmissible
from ledger.state import Overlay
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.intervals import INTERVALS_MAX, Interval, Status, was_active
from settlement.model.registers import Register
from settlement.rules.miners import LICENCES_PER_MINER_MAX, MinerAccountConfirm, RegistryLicence, RegistryMiner
from settlement.rules.registry import RegistryExchange, RegistryPool, RegistryStatus
from settlement.rules.tables import EXCHANGES, LICENCES, MINER_ACCOUNTS, MINER_LICENCES, MINERS, POOLS
from tests.book import START_US, Book, refused_with
from tests.settlement.market import (
    BIN,
    YEAR_US,
    accepted,
    account,
    bare_market,
    commitment,
    market,
    registered_market,
)


@pytest.fixture
def book() -> Book:
    return registered_market()


def test_a_grant_is_on_record_with_its_interval() -> None:
    book = bare_market()
    for kind, body in (
        ("registry_exchange", _exchange(from_us=10, until_us=20)),
        ("registry_pool", RegistryPool(pool=ParticipantId("pool-one"), accreditation="P-1", from_us=TimestampUs(10))),
    ):
        accepted(book.submit(kind, body, by="ministry"))

    exchange, pool = book.state.get(EXCHANGES, "aix-one"), book.state.get(POOLS, "pool-one")
    assert exchange is not None
    assert pool is not None
    assert [was_active(exchange.history, TimestampUs(moment)) for moment in (9, 10, 20)] == [False, True, False]
    assert was_active(pool.history, TimestampUs(START_US))


def test_only_a_supervisor_keeps_the_registers(book: Book) -> None:
    outcome = book.submit("registry_exchange", _exchange(from_us=10), by="aix-one")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "kind_not_permitted"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "registry_exchange",
            RegistryExchange(exchange=ParticipantId("bank-a"), licence="X", from_us=TimestampUs(0)),
        ),
        (
            "registry_exchange",
            RegistryExchange(exchange=ParticipantId("nobody"), licence="X", from_us=TimestampUs(0)),
        ),
        ("registry_pool", RegistryPool(pool=ParticipantId("bank-a"), accreditation="X", from_us=TimestampUs(0))),
        ("registry_miner", RegistryMiner(miner=ParticipantId("bank-a"), name=commitment("x"), bin=BIN)),
    ],
)
def test_a_register_takes_participants_of_its_role_only(book: Book, kind: str, body: Any) -> None:
    assert refused_with(book.submit(kind, body, by="ministry")) == "participant_role_differs"


def test_a_second_grant_has_the_facts_of_the_first(book: Book) -> None:
    body = RegistryExchange(exchange=ParticipantId("aix-one"), licence="OTHER", from_us=TimestampUs(10))

    assert refused_with(book.submit("registry_exchange", body, by="ministry")) == "register_facts_differ"


def test_an_empty_interval_is_refused(book: Book) -> None:
    assert refused_with(_grant(book, from_us=20, until_us=20)) == "interval_empty"
    assert refused_with(_change(book, from_us=START_US, until_us=START_US)) == "interval_empty"


def test_intervals_of_one_subject_do_not_overlap(book: Book) -> None:
    first_us = START_US - YEAR_US
    assert refused_with(_grant(book, from_us=10, until_us=first_us + 1)) == "interval_overlaps"
    accepted(_grant(book, from_us=10, until_us=first_us))


def test_a_history_has_an_end(book: Book) -> None:
    for number in range(INTERVALS_MAX - 1):
        accepted(_grant(book, from_us=2 * number, until_us=2 * number + 1))
    from_us = 2 * INTERVALS_MAX
    assert refused_with(_grant(book, from_us=from_us, until_us=from_us + 1)) == "history_too_long"
    assert refused_with(_change(book, from_us=START_US)) == "history_too_long"


def test_a_suspended_exchange_is_active_again_afterwards(book: Book) -> None:
    accepted(_change(book, from_us=START_US + 10, until_us=START_US + 20))

    exchange = book.state.get(EXCHANGES, "aix-one")
    assert exchange is not None
    moments = [START_US + after for after in (9, 10, 19, 20)]
    assert [was_active(exchange.history, TimestampUs(moment)) for moment in moments] == [True, False, False, True]


def test_a_status_of_nobody_is_refused(book: Book) -> None:
    assert refused_with(_change(book, subject="nobody", from_us=START_US)) == "register_subject_unknown"


def test_a_revoked_exchange_is_not_restored(book: Book) -> None:
    accepted(_change(book, status=Status.REVOKED, from_us=START_US))

    outcome = _change(book, status=Status.ACTIVE, from_us=START_US + 10)
    assert refused_with(outcome) == "status_not_changeable"


def test_a_miner_is_registered_once(book: Book) -> None:
    body = RegistryMiner(miner=ParticipantId("miner-one"), name=commitment("x"), bin=BIN)

    assert refused_with(book.submit("registry_miner", body, by="ministry")) == "miner_registered"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "miner_identity_unclear"),
        ({"bin": BIN, "iin": commitment("iin")}, "miner_identity_unclear"),
        ({"bin": "123456789012"}, "bin_check_digit_wrong"),
        ({"bin": BIN}, "bin_taken"),
    ],
)
def test_a_miner_has_one_right_number_of_its_own(book: Book, members: dict[str, Any], code: str) -> None:
    body = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("x"), **members)

    assert refused_with(book.submit("registry_miner", body, by="ministry")) == code


def test_an_individual_is_registered_by_a_committed_iin(book: Book) -> None:
    body = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("x"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", body, by="ministry"))

    miner = book.state.get(MINERS, "miner-two")
    assert miner is not None
    assert miner.iin == commitment("salted")


def test_a_licence_holds_three_years_of_local_days(book: Book) -> None:
    licence = book.state.get(LICENCES, "L-1")

    assert licence is not None
    (interval,) = licence.history
    # 1 June 2023 began at UTC+6, 1 June 2026 begins at UTC+5.
    assert interval.from_us == 1_685_556_000_000_000
    assert interval.until_us == 1_780_254_000_000_000


def test_a_licence_may_end_earlier(book: Book) -> None:
    accepted(_license(book, expires=BusinessDate("2024-12-31")))

    licence = book.state.get(LICENCES, "L-2")
    assert licence is not None
    assert licence.history[0].until_us == 1_735_585_200_000_000


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"miner": ParticipantId("miner-two")}, "miner_unknown"),
        ({"issued": BusinessDate("2023-02-29")}, "licence_date_invalid"),
        ({"issued": BusinessDate("9999-12-31")}, "licence_date_invalid"),
        ({"issued": BusinessDate("1960-01-01")}, "interval_empty"),
        ({"expires": BusinessDate("2024-02-30")}, "licence_date_invalid"),
        ({"expires": BusinessDate("2023-06-01")}, "licence_term_wrong"),
        ({"expires": BusinessDate("2026-06-02")}, "licence_term_wrong"),
        ({"licence": "L-1", "subtype": 2}, "register_facts_differ"),
        ({"licence": "L-1"}, "interval_overlaps"),
    ],
)
def test_a_licence_that_cannot_be_is_refused(book: Book, members: dict[str, Any], code: str) -> None:
    assert refused_with(_license(book, **members)) == code


def test_a_miner_confirms_an_account_as_its_own() -> None:
    book = market()

    assert book.state.get(MINER_ACCOUNTS, account("MBTC")) == "miner-one"
    assert refused_with(_confirm(book, "MBTC")) == "miner_account_confirmed"


@pytest.mark.parametrize("name", ["NOBODY", "BBTC", "HOUSE"])
def test_a_miner_confirms_no_account_of_others(name: str) -> None:
    assert refused_with(_confirm(market(), name)) == "miner_account_unfit"


def test_a_miner_confirms_no_account_that_names_another_miner() -> None:
    book = market()
    body = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("x"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", body, by="ministry"))

    assert refused_with(_confirm(book, "MBTC", by="miner-two")) == "miner_account_unfit"


def test_a_miner_nobody_registered_confirms_nothing() -> None:
    assert refused_with(_confirm(market(), "MBTC", by="miner-two")) == "miner_unknown"


def _exchange(*, from_us: int, until_us: int | None = None) -> RegistryExchange:
    return RegistryExchange(
        exchange=ParticipantId("aix-one"),
        licence="AFSA-aix-one",
        from_us=TimestampUs(from_us),
        until_us=None if until_us is None else TimestampUs(until_us),
    )


def _grant(book: Book, *, from_us: int, until_us: int | None = None) -> Any:
    return book.submit("registry_exchange", _exchange(from_us=from_us, until_us=until_us), by="ministry")


def _change(
    book: Book,
    *,
    subject: str = "aix-one",
    status: Status = Status.SUSPENDED,
    from_us: int,
    until_us: int | None = None,
) -> Any:
    body = RegistryStatus(
        register=Register.EXCHANGE,
        subject=subject,
        status=status,
        from_us=TimestampUs(from_us),
        until_us=None if until_us is None else TimestampUs(until_us),
        reason="order-1",
    )
    return book.submit("registry_status", body, by="ministry")


def _license(book: Book, **members: Any) -> Any:
    whole: dict[str, Any] = {
        "licence": "L-2",
        "miner": ParticipantId("miner-one"),
        "subtype": 1,
        "issued": BusinessDate("2023-06-01"),
    } | members
    return book.submit("registry_licence", RegistryLicence(**whole), by="ministry")


def _confirm(book: Book, name: str, *, by: str = "miner-one") -> Any:
    return book.submit("miner_account_confirm", MinerAccountConfirm(account=account(name)), by=by)


def test_a_miner_has_so_many_licences_at_most(book: Book) -> None:
    for number in range(2, LICENCES_PER_MINER_MAX + 1):
        accepted(_license(book, licence=f"L-{number}"))

    assert refused_with(_license(book, licence="L-more")) == "licences_too_many"
    later = {"issued": BusinessDate("2023-06-01"), "expires": None}
    assert refused_with(_license(book, licence="L-1", **later)) == "interval_overlaps"


def test_a_licence_granted_again_is_listed_once(book: Book) -> None:
    accepted(_license(book, licence="L-9", expires=BusinessDate("2023-07-01")))
    again = Interval(status=Status.ACTIVE, from_us=TimestampUs(10), until_us=TimestampUs(20))
    standing = book.state.get(LICENCES, "L-9")
    assert standing is not None
    overlay = Overlay(book.state)
    overlay.put(LICENCES, "L-9", msgspec.structs.replace(standing, history=(again,)))
    book.state.advance(overlay, TimestampUs(book.time_us))
    accepted(_license(book, licence="L-9"))

    assert book.state.get(MINER_LICENCES, "miner-one") == ("L-1", "L-9")


def test_what_stands_in_the_register_is_told_in_words(book: Book) -> None:
    body = RegistryExchange(exchange=ParticipantId("aix-one"), licence="OTHER", from_us=TimestampUs(10))
    details = [
        book.submit("registry_exchange", body, by="ministry"),
        _grant(book, from_us=START_US, until_us=START_US + 10),
        _change(book, status=Status.ACTIVE, from_us=START_US),
    ]
    first_us = START_US - YEAR_US
    assert [outcome.detail for outcome in details] == [
        "aix-one is registered with licence AFSA-aix-one",
        f"aix-one has an interval that overlaps active from {START_US} until {START_US + 10}",
        f"aix-one was active from {first_us}",
    ]
    accepted(_change(book, from_us=START_US))
    last = _change(book, from_us=START_US + 1)
    assert last.detail == f"aix-one was suspended from {START_US}, after 1 others"
