"""The simulated year as data: who takes part, how much is played, what chance decides. Everything follows a seed."""

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.model.participants import Role
from settlement.model.identifiers import has_valid_check_digit
from wallet_api.sandbox.network import MemberPlan

FIRST_DAY: Final = datetime.date(2025, 1, 1)
"""The year that is played; its first day is the first business date."""

DAY_BEFORE: Final = FIRST_DAY - datetime.timedelta(days=1)
"""When everyone is admitted and everything is opened."""

BTC: Final = 100_000_000
"""Satoshi in a bitcoin."""

FEE_PPM: Final = 2_000
"""Fee of every exchange, in parts per million."""

FIRST_PRICE_TIYN: Final = 4_900_000_000
"""Price of a bitcoin on the first day."""

PRICE_STEP_PPM: Final = 20_000
"""Farthest move of the price from one working day to the next."""

POOL_COUNT: Final = 4
BANK_COUNT: Final = 3
BUYERS_PER_EXCHANGE: Final = 8

UNMET_PER_CENT: Final = 30
"""Share of miners that sell less than the quota asks of them."""

WASH_PER_SALES: Final = 2_000
"""One sale in so many is a sham, two at the least."""

REVERSED_PER_SALES: Final = 500
"""One sale in so many is moved back, two at the least."""

INSTRUCTED_PER_CENT: Final = 12
"""Sales that are instructed by both sides and set aside; half of them settle net with others."""

CORRECTED_PER_CENT: Final = 2
"""Reports that are corrected on the day after."""

QUARTER_DAY: Final = 10
"""Day of a quarter's first month on which the meters of the last one are read and the levy is paid."""

SUPERVISOR: Final = MemberPlan("supervisor", "Supervisor", Role.SUPERVISOR, "301")
AUDITOR: Final = MemberPlan("auditor", "Auditor", Role.AUDITOR, "302")
UTILITY: Final = MemberPlan("system-operator", "System Operator", Role.UTILITY, "501")


@dataclass(frozen=True, slots=True)
class YearScale:
    """How much is played."""

    sales: int = 100_000
    """How many sales are tried."""
    seed: int = 1
    miners: int = 50
    exchanges: int = 5
    days: int = 365
    """From the first of January on."""

    def dates(self) -> Iterator[datetime.date]:
        """Yield the days that are played."""
        return (FIRST_DAY + datetime.timedelta(days=number) for number in range(self.days))

    @property
    def sham_every(self) -> int:
        """One sale in so many is a sham."""
        return self.sales // max(2, self.sales // WASH_PER_SALES)

    @property
    def reversed_every(self) -> int:
        """One sale in so many is moved back."""
        return self.sales // max(2, self.sales // REVERSED_PER_SALES)

    @property
    def last_day(self) -> datetime.date:
        """The last day on which anything is mined or sold."""
        return FIRST_DAY + datetime.timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True)
class YearMiner:
    """A miner of the year."""

    name: str
    bin: str
    licence: str
    subtype: int
    pool: str
    exchange: str
    bank: str
    mined_a_day: int
    """Satoshi, on an average day."""
    sold_per_cent: int
    """How much of what it mines it means to sell."""

    @property
    def site(self) -> str:
        """Its data centre."""
        return f"DC-{self.licence}"

    @property
    def meter(self) -> str:
        """Its meter."""
        return f"M-{self.licence}"


@dataclass(frozen=True, slots=True)
class YearPlan:
    """Who takes part."""

    scale: YearScale
    banks: tuple[MemberPlan, ...]
    exchanges: tuple[MemberPlan, ...]
    pools: tuple[MemberPlan, ...]
    miners: tuple[YearMiner, ...]
    members: tuple[MemberPlan, ...]
    """Everyone but the founders."""

    def buyers(self, exchange: str) -> tuple[str, ...]:
        """The buyers of an exchange."""
        return tuple(f"{exchange}-buyer-{number}" for number in range(BUYERS_PER_EXCHANGE))


def make_plan(scale: YearScale) -> YearPlan:
    """Draw everyone from the seed."""
    chance = random.Random(scale.seed)  # noqa: S311 - a simulation that can be repeated, no secret
    banks = _members("bank", "Bank", Role.INTERMEDIARY, 600, BANK_COUNT)
    exchanges = _members("exchange", "Exchange", Role.EXCHANGE, 700, scale.exchanges)
    pools = _members("pool", "Pool", Role.POOL, 800, POOL_COUNT)
    miner_members = _members("miner", "Miner", Role.MINER, 900, scale.miners)
    miners = tuple(
        YearMiner(
            name=member.participant,
            bin=_bin(number),
            licence=f"L-{number + 1:04}",
            subtype=1 if number % 3 else 2,
            pool=pools[number % len(pools)].participant,
            exchange=exchanges[number % len(exchanges)].participant,
            bank=banks[number % len(banks)].participant,
            mined_a_day=chance.randrange(BTC // 20, BTC // 2),
            sold_per_cent=chance.randrange(40, 75)
            if chance.randrange(100) < UNMET_PER_CENT
            else chance.randrange(78, 98),
        )
        for number, member in enumerate(miner_members)
    )
    members = (*banks, *exchanges, *pools, *miner_members, SUPERVISOR, AUDITOR, UTILITY)
    return YearPlan(scale, banks, exchanges, pools, miners, members)


def price_path(scale: YearScale) -> dict[str, int]:
    """Return a price in tiyn for every day; on days without work it is that of the last working day."""
    chance = random.Random(f"prices {scale.seed}")  # noqa: S311 - a simulation that can be repeated, no secret
    price = FIRST_PRICE_TIYN
    path = {}
    for date in scale.dates():
        if date.weekday() < 5:
            price += price * chance.randrange(-PRICE_STEP_PPM, PRICE_STEP_PPM + 1) // 1_000_000
        path[date.isoformat()] = price
    return path


def _members(name: str, title: str, role: Role, code: int, count: int) -> tuple[MemberPlan, ...]:
    return tuple(
        MemberPlan(f"{name}-{number}", f"{title} {number}", role, str(code + number)) for number in range(1, count + 1)
    )


def _bin(number: int) -> str:
    """A number of the right form with a right check digit; a stem without one is passed over."""
    stem = 23_014_000_000 + number * 10
    while True:
        for digit in range(10):
            if has_valid_check_digit(f"{stem}{digit}"):
                return f"{stem}{digit}"
        stem += 1
