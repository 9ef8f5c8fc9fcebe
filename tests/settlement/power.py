"""A power market in memory, on top of the registers of ``tests.settlement.market``.

``operator-kz`` is the system operator of both zones, ``grid-one`` a grid company of the joint zone. ``miner-one``
(licence of subtype 1) holds data centre ``DC-1`` with the meters ``M-1`` (auction), ``M-gas`` and ``M-wind``;
``miner-two`` is its tenant. ``miner-one`` pays from its own account, ``miner-two`` from a wallet at ``bank-a``.
"""

import datetime
from typing import Any

from ledger.model.outcome import Outcome
from ledger.model.participants import Role
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.units import AccountId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.energy import Duty, EnergyLine, PayeePurpose
from settlement.model.local_time import start_of
from settlement.model.sites import EnergySource, Zone
from settlement.rules.energy import MeterReading
from settlement.rules.miners import RegistryMiner
from settlement.rules.register_load import MeterRow, RegistryLoad, SiteRow
from settlement.rules.surplus import SurplusBid, SurplusBuy, SurplusPublish
from settlement.rules.utilities import RegistryPayee, RegistryUtility
from tests.book import Book, own_account, wallet
from tests.settlement.market import accepted, commitment, registered_market

SINCE = "2021-12-01"
"""The local date from which data centres, meters and utilities are registered."""

DAY = BusinessDate("2024-12-25")
"""The day after the ledger starts, at UTC+5."""

MINER_OWN = own_account("821")
MINER_TWO_WALLET = wallet("601", 7)
PURCHASER = wallet("602", 1)
TREASURY = wallet("602", 2)
HOUR_US = 3_600_000_000


def power_market() -> Book:
    """Everybody who deals in energy is registered; the miners have money; nothing is offered or read."""
    book = registered_market()
    for utility, code in (("operator-kz", "831"), ("grid-one", "832")):
        accepted(book.admit(utility, Role.UTILITY, code))
    since_us = moment(book, SINCE)
    accepted(_utility(book, "operator-kz", Duty.SYSTEM_OPERATOR, (Zone.WEST, Zone.NORTH_SOUTH), since_us))
    accepted(_utility(book, "grid-one", Duty.GRID, (Zone.NORTH_SOUTH,), since_us))
    miner = RegistryMiner(miner=ParticipantId("miner-two"), name=commitment("miner-two"), iin=commitment("salted"))
    accepted(book.submit("registry_miner", miner, by="ministry"))
    accepted(
        load(
            book,
            SiteRow(site="DC-1", operator="miner-one", zone=Zone.NORTH_SOUTH, from_us=since_us),
            MeterRow(meter="M-1", site="DC-1", source=EnergySource.AUCTION, from_us=since_us),
            MeterRow(meter="M-gas", site="DC-1", source=EnergySource.OWN, from_us=since_us),
            MeterRow(meter="M-wind", site="DC-1", source=EnergySource.OWN_RENEWABLE, from_us=since_us),
        )
    )
    for account, purpose in ((PURCHASER, PayeePurpose.SINGLE_PURCHASER), (TREASURY, PayeePurpose.TREASURY)):
        accepted(payee(book, account, purpose))
    accepted(book.open_account("miner-one", MINER_OWN, account_class="own"))
    accepted(book.open_account("bank-a", MINER_TWO_WALLET, holder="m-2", holder_key="holder-key-m-2"))
    accepted(book.issue("bank-a", own_account("601"), 10**12))
    for account in (MINER_OWN, MINER_TWO_WALLET):
        assert book.pay("bank-a", own_account("601"), account, 4 * 10**11) == "accepted"
    return book


def moment(book: Book, date: str) -> TimestampUs:
    """The first moment of a local date."""
    offsets = book.state.get(UTC_OFFSETS, THE)
    assert offsets is not None
    return start_of(offsets, datetime.date.fromisoformat(date))


def load(book: Book, *rows: Any) -> Outcome:
    """The ministry loads rows into the registers."""
    body = RegistryLoad(source=commitment("file"), rows=rows)
    return book.submit("registry_load", body, by="ministry")


def payee(book: Book, account: AccountId, purpose: PayeePurpose, **members: Any) -> Outcome:
    """Two people of the ministry register an account of the state."""
    body = RegistryPayee(account=account, purpose=purpose, **members)
    return book.submit("registry_payee", body, by="ministry", signers=("ministry-1", "ministry-2"))


def _utility(book: Book, name: str, duty: Duty, zones: tuple[Zone, ...], from_us: TimestampUs) -> Outcome:
    body = RegistryUtility(utility=ParticipantId(name), duty=duty, zones=zones, from_us=from_us)
    return book.submit("registry_utility", body, by="ministry")


def publish(book: Book, *, by: str = "operator-kz", **members: Any) -> Outcome:
    """The system operator offers 1,000 kWh in each hour of the day, at 15.00 tenge or more, until 10:00 of this day."""
    whole: dict[str, Any] = {
        "zone": Zone.NORTH_SOUTH,
        "date": DAY,
        "floor": 1_500,
        "limits": (1_000,) * 24,
        "gate_us": TimestampUs(moment(book, "2024-12-24") + 10 * HOUR_US),
        "payee": PURCHASER,
    } | members
    return book.submit("surplus_publish", SurplusPublish(**whole), by=by)


def bid(hour: int = 0, energy_kwh: int = 100, price: int = 1_840) -> SurplusBid:
    """A bid for 100 kWh of the first hour at 18.40 tenge."""
    return SurplusBid(hour=hour, energy_kwh=energy_kwh, price=price)


def purchase(*bids: SurplusBid, **members: Any) -> SurplusBuy:
    """What ``miner-one`` buys."""
    whole: dict[str, Any] = {
        "zone": Zone.NORTH_SOUTH,
        "date": DAY,
        "miner": ParticipantId("miner-one"),
        "payer": MINER_OWN,
        "bids": bids or (bid(),),
    } | members
    return SurplusBuy(**whole)


def buy(book: Book, *bids: SurplusBid, **members: Any) -> Outcome:
    """``miner-one`` buys and pays from its own account."""
    return book.submit("surplus_buy", purchase(*bids, **members), by="miner-one")


def line(
    energy_kwh: int,
    *sources: EnergySource,
    price: int | None = None,
    miner: str = "miner-one",
    is_unmetered: bool = False,
) -> EnergyLine:
    """What a miner drew; from the auction if no source is named."""
    return EnergyLine(
        miner=ParticipantId(miner),
        sources=sources or (EnergySource.AUCTION,),
        energy_kwh=energy_kwh,
        price=price,
        is_unmetered=is_unmetered,
    )


def reading(book: Book, *lines: EnergyLine, **members: Any) -> MeterReading:
    """A reading of ``M-1`` for November 2024."""
    whole: dict[str, Any] = {
        "meter": "M-1",
        "number": 1,
        "from_us": moment(book, "2024-11-01"),
        "until_us": moment(book, "2024-12-01"),
        "energy_kwh": sum(line.energy_kwh for line in lines),
        "lines": lines,
    } | members
    return MeterReading(**whole)


def read(
    book: Book, *lines: EnergyLine, by: str = "miner-one", cosigner: str = "grid-one-1", **members: Any
) -> Outcome:
    """The data centre's owner sends a reading that the grid company signed too."""
    body = reading(book, *lines, **members)
    return book.submit("meter_reading", body, by=by, signers=(f"{by}-1", cosigner))


def is_weekday(date: datetime.date) -> bool:
    """The calendar where no holidays are known."""
    return date.isoweekday() <= 5
