"""Many rows in one signed transaction: all of them, or none."""

from collections.abc import Sequence
from typing import Any

import pytest

from ledger.model.outcome import Inadmissible, Outcome, Refused
from ledger.rules.opening import NotAdmissible
from ledger.state import Table
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.intervals import INTERVALS_MAX, Status
from settlement.model.registers import Activity, Register
from settlement.model.sites import EnergySource, Zone
from settlement.rules.register_load import (
    ROWS_PER_LOAD_MAX,
    CoinRow,
    ExchangeRow,
    LicenceRow,
    MeterRow,
    MinerRow,
    PartyRow,
    PermissionRow,
    PoolRow,
    PriceListRow,
    RegistryLoad,
    SiteRow,
    StatusRow,
)
from settlement.rules.sites import PERMISSIONS_MAX
from settlement.rules.tables import COINS, EXCHANGE_PERMISSIONS, LICENCES, METERS, MINERS, PARTIES, SITES
from settlement.rules.validity import was_valid
from tests.book import START_US, Book, refused_with
from tests.settlement.market import BIN, YEAR_US, accepted, bare_market, commitment, registered_market

LONG_AGO = TimestampUs(START_US - YEAR_US)
NOW = TimestampUs(START_US)


def load(book: Book, *rows: Any, by: str = "ministry") -> Outcome:
    """Load rows."""
    return book.submit("registry_load", RegistryLoad(source=commitment("file"), rows=rows), by=by)


def a_whole_register() -> Sequence[Any]:
    return (
        ExchangeRow(exchange=ParticipantId("aix-one"), licence="AFSA-1", from_us=LONG_AGO),
        PermissionRow(
            permission="AFSA-1-T",
            exchange=ParticipantId("aix-one"),
            activity=Activity.TRADING_FACILITY,
            from_us=LONG_AGO,
        ),
        PoolRow(pool=ParticipantId("pool-one"), accreditation="P-1", from_us=LONG_AGO),
        MinerRow(miner=ParticipantId("miner-one"), name=commitment("m"), bin=BIN),
        LicenceRow(licence="L-1", miner=ParticipantId("miner-one"), subtype=1, issued=BusinessDate("2023-06-01")),
        CoinRow(coin="BTC", scale=8),
        PriceListRow(coin="BTC", from_us=LONG_AGO),
        PartyRow(party="group:steppe", name=commitment("steppe")),
        SiteRow(site="DC-1", operator="miner-one", zone=Zone.WEST, from_us=LONG_AGO),
        MeterRow(meter="M-1", site="DC-1", source=EnergySource.AUCTION, from_us=LONG_AGO),
        StatusRow(
            register=Register.METER,
            subject="M-1",
            status=Status.SUSPENDED,
            from_us=NOW,
            until_us=None,
            reason="order-1",
        ),
    )


def test_rows_are_taken_each_after_the_one_it_rests_on() -> None:
    book = bare_market()

    outcome = accepted(load(book, *a_whole_register()))
    assert outcome.record is not None
    assert outcome.record["rows"]["exchange"] == 1
    assert sum(outcome.record["rows"].values()) == len(a_whole_register())
    loaded: Sequence[tuple[Table[Any], str]] = (
        (MINERS, "miner-one"),
        (LICENCES, "L-1"),
        (COINS, "BTC"),
        (SITES, "DC-1"),
        (METERS, "M-1"),
    )
    for table, key in loaded:
        assert book.state.get(table, key) is not None, key
    assert book.state.get(PARTIES, "group:steppe") is not None
    assert [was_valid(book.state, Register.METER, "M-1", TimestampUs(START_US + after)) for after in (-1, 0)] == [
        True,
        False,
    ]


def test_one_row_at_fault_loads_nothing_and_is_named() -> None:
    book = bare_market()
    before = book.state.digest()
    rows = (*a_whole_register(), CoinRow(coin="KZT", scale=2))

    outcome = load(book, *rows)
    assert refused_with(outcome) == "coin_symbol_reserved"
    assert isinstance(outcome, Refused)
    assert (outcome.line, outcome.detail) == (11, "row 12, coin: symbol KZT")
    assert list(book.state.items(MINERS)) == []
    assert book.state.digest() != before, "only that the reference was seen"


def test_a_licence_that_overlaps_itself_is_refused() -> None:
    first = LicenceRow(licence="L-9", miner=ParticipantId("miner-one"), subtype=1, issued=BusinessDate("2023-06-01"))

    assert refused_with(load(registered_market(), first, first)) == "interval_overlaps"


def test_only_a_supervisor_loads_a_register() -> None:
    outcome = load(bare_market(), CoinRow(coin="BTC", scale=8), by="aix-one")

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "kind_not_permitted"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (SiteRow(site="DC-1", operator="nobody", zone=Zone.WEST, from_us=LONG_AGO), "party_unknown"),
        (MeterRow(meter="M-1", site="DC-9", source=EnergySource.OWN, from_us=LONG_AGO), "site_unknown"),
        (
            PermissionRow(
                permission="X", exchange=ParticipantId("bank-a"), activity=Activity.CUSTODY, from_us=LONG_AGO
            ),
            "participant_role_differs",
        ),
        (PriceListRow(coin="LTC", from_us=LONG_AGO), "coin_unknown"),
        (PriceListRow(coin="BTC", from_us=NOW, until_us=NOW), "interval_empty"),
    ],
)
def test_a_row_that_cannot_be_is_refused(row: Any, code: str) -> None:
    assert refused_with(load(registered_market(), row)) == code


def test_a_register_of_the_new_ones_keeps_a_history_with_an_end() -> None:
    book = registered_market()
    rows = [
        PriceListRow(coin="BTC", from_us=TimestampUs(2 * number), until_us=TimestampUs(2 * number + 1))
        for number in range(INTERVALS_MAX)
    ]
    accepted(load(book, *rows))

    assert refused_with(load(book, PriceListRow(coin="BTC", from_us=LONG_AGO))) == "history_too_long"


def test_an_exchange_has_so_many_permissions_at_most() -> None:
    book = registered_market()

    def permission(number: int, **members: Any) -> PermissionRow:
        whole: dict[str, Any] = {
            "permission": f"P-{number}",
            "exchange": ParticipantId("aix-one"),
            "activity": Activity.CUSTODY,
            "from_us": LONG_AGO,
        } | members
        return PermissionRow(**whole)

    accepted(load(book, *(permission(number, until_us=NOW) for number in range(PERMISSIONS_MAX))))
    assert refused_with(load(book, permission(PERMISSIONS_MAX))) == "permissions_too_many"
    assert refused_with(load(book, permission(0, activity=Activity.BROKERAGE))) == "register_facts_differ"
    accepted(load(book, permission(0, from_us=NOW)))
    numbers = book.state.get(EXCHANGE_PERMISSIONS, "aix-one")
    assert numbers is not None
    assert len(numbers) == len(set(numbers)) == PERMISSIONS_MAX


def test_the_longest_load_fits_and_a_longer_one_does_not() -> None:
    book = bare_market()
    rows = [PartyRow(party=f"group:g{number}", name=commitment("g")) for number in range(ROWS_PER_LOAD_MAX + 1)]
    with pytest.raises(NotAdmissible, match="rows"):
        load(book, *rows)

    accepted(load(book, *rows[:-1]))
    assert len(list(book.state.items(PARTIES))) == ROWS_PER_LOAD_MAX


def test_a_load_counts_for_as_many_lines_as_it_has_rows() -> None:
    book = bare_market()
    body = RegistryLoad(source=commitment("file"), rows=tuple(a_whole_register()))

    assert book.rulebook.kinds["registry_load"].weight(body) == len(a_whole_register())


def test_a_state_with_registers_is_read_back_from_its_dump() -> None:
    book = bare_market()
    accepted(load(book, *a_whole_register()))

    book.restart()
