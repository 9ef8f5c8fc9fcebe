"""The registers that come as a file: Miner Five with its licence and data centre, a group, permissions, the price list.

Beside them: the system operator, the state's own accounts, and the days on which nobody works.
"""

from typing import Final

from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.units import AccountId, BusinessDate
from settlement.model.energy import Duty, PayeePurpose
from settlement.model.sites import Zone
from settlement.register_file import read_register
from settlement.rows_text import TableFaulty
from settlement.rules.prices import CoinPrice, PricePublish
from settlement.rules.utilities import RegistryPayee, RegistryUtility
from settlement.rules.working_days import DaySet, WorkingDaysSet
from settlement.views.reference_prices import reference_prices
from wallet_api.openings import Openings
from wallet_api.sandbox.pilot_opening import COIN, REGISTERED_FROM
from wallet_api.sandbox.pilot_plan import DATES, MINER_FIVE, tenge_text
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd, account_of, local_time_us

SITE: Final = "DC-0005"
"""Miner Five's data centre."""

METER: Final = "M-0005"
"""Its meter."""

OPERATOR: Final = "system-operator"
"""Publishes surplus and signs readings."""

STATES_BANK: Final = "bank-a"
"""Where the treasury and the single purchaser have their accounts in the pilot."""

HOLIDAYS: Final = ("2025-01-01", "2025-01-02")
"""New Year: no price is taken, the last one before holds."""

PRICED: Final = ("2024-12-27", *(date for date in (DATES[2], DATES[3], DATES[6])))
"""Working days of the pilot, the Friday before it first."""

PRICE_SOURCE: Final = "settlement/data/README.md"
"""Where the pilot's prices are from."""

REGISTER: Final = f"""\
row,miner,name,bin,licence,subtype,issued,site,operator,zone,meter,source,party,other,relation,permission,exchange,activity,coin,from
miner,miner-five,Miner Five,{MINER_FIVE.bin},,,,,,,,,,,,,,,,
licence,miner-five,,,{MINER_FIVE.licence},{MINER_FIVE.subtype},{MINER_FIVE.issued},,,,,,,,,,,,,
site,,,,,,,{SITE},miner-five,north_south,,,,,,,,,,2023-08-14T00:00+06:00
meter,,,,,,,{SITE},,,{METER},auction,,,,,,,,2023-08-14T00:00+06:00
party,,Steppe Group,,,,,,,,,,group:steppe,,,,,,,
relation,,,,,,,,,,,,miner-four,group:steppe,group,,,,,2023-08-14T00:00+06:00
permission,,,,,,,,,,,,,,,AFSA-T-0001,exchange-one,trading_facility,,2023-08-14T00:00+06:00
permission,,,,,,,,,,,,,,,AFSA-C-0001,exchange-one,custody,,2023-08-14T00:00+06:00
price_list,,,,,,,,,,,,,,,,,,BTC,2024-12-01T00:00+05:00
"""
"""The file. Names are read into commitments; nothing personal reaches the log."""


def play_registers(stage: Stage) -> None:
    """Load the register file, register who deals in energy, and set the days without work."""
    stage.show.act("Registers from a file, energy, working days")
    stage.move_to(DATES[0], 9, 30)
    _load(stage)
    _energy(stage)
    days = tuple(DaySet(date=BusinessDate(date), is_working=False) for date in HOLIDAYS)
    stage.do("supervisor", "working_days_set", WorkingDaysSet(basis="labour-code-84", days=days))
    publish_price(stage, PRICED[0])


def publish_price(stage: Stage, date: str) -> None:
    """The tax authority's price of a working day, taken in by the supervisor."""
    price = reference_prices()[BusinessDate(date)]
    body = PricePublish(date=BusinessDate(date), source=PRICE_SOURCE, prices=(CoinPrice(coin=COIN, price=price),))
    stage.do("supervisor", "price_publish", body)
    stage.show.step(f"price of {date}: {tenge_text(price)} tenge a bitcoin")


def published_price(date: str) -> int:
    """Return the price that the ledger holds for a date: that of the last working day."""
    worked = max(priced for priced in PRICED if priced <= date)
    return reference_prices()[BusinessDate(worked)]


def purchaser(stage: Stage) -> AccountId:
    """Return the account of the single purchaser of surplus energy."""
    return account_of(stage.member(STATES_BANK), "purchaser")


def treasury(stage: Stage) -> AccountId:
    """Return the account of the treasury."""
    return account_of(stage.member(STATES_BANK), "treasury")


def _load(stage: Stage) -> None:
    wrong = REGISTER.replace("2023-08-14,,", "2023-02-30,,")
    try:
        read_register(wrong.encode(), Openings())
    except TableFaulty as error:
        stage.show.refused("a register file with a date that does not exist", str(error.faults[0]))
    else:
        raise UnexpectedEnd("a register file with a date that does not exist: expected a fault, got none")
    file = read_register(REGISTER.encode(), Openings())
    stage.do("supervisor", "registry_load", file.body)
    stage.show.step(f"{len(file.numbers)} rows of the register file taken in by one signed transaction")


def _energy(stage: Stage) -> None:
    operator = RegistryUtility(
        utility=stage.member(OPERATOR).participant,
        duty=Duty.SYSTEM_OPERATOR,
        zones=(Zone.NORTH_SOUTH,),
        from_us=local_time_us(REGISTERED_FROM, 0),
    )
    stage.do("supervisor", "registry_utility", operator)
    accounts = ((purchaser(stage), PayeePurpose.SINGLE_PURCHASER), (treasury(stage), PayeePurpose.TREASURY))
    new = tuple(
        NewAccount(account=account, asset=TENGE, account_class="wallet", holder=purpose.value)
        for account, purpose in accounts
    )
    stage.do(STATES_BANK, "account_open", AccountOpen(accounts=new))
    second = stage.member("supervisor").signers(2)[1:]
    for account, purpose in accounts:
        stage.do("supervisor", "registry_payee", RegistryPayee(account=account, purpose=purpose), cosigners=second)
    stage.show.step("the system operator, the single purchaser's account and the treasury's")
