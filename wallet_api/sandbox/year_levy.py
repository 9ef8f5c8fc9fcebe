"""The levy of the simulated year: meters read after each quarter, and what miners pay of what they owe."""

import datetime
import random
from dataclasses import dataclass, field
from typing import Final

from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.energy import EnergyLine
from settlement.model.quarters import first_date, quarter_of
from settlement.model.sites import EnergySource
from settlement.rules.energy import MeterReading
from settlement.rules.levy import LevyPay, levy_of
from wallet_api.sandbox.pilot_stage import local_time_us
from wallet_api.sandbox.year_opening import YearTown
from wallet_api.sandbox.year_plan import BTC, UTILITY, YearMiner

KWH_PER_COIN: Final = 800_000
"""Energy that goes into a bitcoin, about."""

PRICES_TIYN: Final = (1_400, 2_600)
"""Least and highest price of a kWh, in tiyn."""

PAYS_PER_CENT: Final = 90
"""Miners that pay all they owe at once; half of the others pay half, the rest nothing."""


@dataclass(slots=True)
class LevyBooks:
    """What was read and paid, as the market counts it."""

    energy_kwh: dict[str, int] = field(default_factory=dict)
    """By quarter."""
    paid_tiyn: dict[str, int] = field(default_factory=dict)
    """By quarter."""


class Levy:
    """Reads meters and pays."""

    def __init__(self, town: YearTown, chance: random.Random) -> None:
        """Work in a town."""
        self.books = LevyBooks()
        self._town = town
        self._chance = chance
        self._number = 0

    def collect(self, quarter: str, until: datetime.date, mined: dict[tuple[str, str], int]) -> None:
        """Read all meters for a quarter, up to a date, and let the miners pay.

        Args:
            quarter: that has ended, or ends for the simulation.
            until: first local date that is not read.
            mined: satoshi by miner and quarter.
        """
        self._number += 1
        for miner in self._town.plan.miners:
            self._read(miner, quarter, until, mined.get((miner.name, quarter), 0))
        self._town.ledger.flush()
        for miner in self._town.plan.miners:
            self._pay(miner, quarter)
        self._town.ledger.flush()

    def _read(self, miner: YearMiner, quarter: str, until: datetime.date, mined: int) -> None:
        energy_kwh = max(1, mined * KWH_PER_COIN // BTC)
        line = EnergyLine(
            miner=ParticipantId(miner.name),
            sources=(EnergySource.AUCTION,),
            energy_kwh=energy_kwh,
            price=self._chance.randrange(*PRICES_TIYN),
        )
        body = MeterReading(
            meter=miner.meter,
            number=self._number,
            from_us=local_time_us(first_date(quarter), 0),
            until_us=TimestampUs(local_time_us(until.isoformat(), 0)),
            energy_kwh=energy_kwh,
            lines=(line,),
        )
        signer = self._town.member(UTILITY.participant).signers(1)
        self._town.ledger.send("meter_reading", body, miner.name, cosigners=signer)
        self.books.energy_kwh[quarter] = self.books.energy_kwh.get(quarter, 0) + energy_kwh

    def _pay(self, miner: YearMiner, quarter: str) -> None:
        due = levy_of(self._town.ledger.state, ParticipantId(miner.name), quarter).levy
        chance = self._chance.randrange(100)
        amount = due if chance < PAYS_PER_CENT else due // 2 if chance % 2 else 0
        if amount == 0:
            return

        def told(code: str) -> None:
            if not code:
                self.books.paid_tiyn[quarter] = self.books.paid_tiyn.get(quarter, 0) + amount

        body = LevyPay(
            miner=ParticipantId(miner.name),
            quarter=quarter,
            payer=self._town.wallet(miner),
            treasury=self._town.treasury(),
            amount=amount,
        )
        signer = self._town.member(miner.name).signers(1)
        self._town.ledger.send("levy_pay", body, miner.bank, cosigners=signer, then=told)


def quarter_before(date: datetime.date) -> str:
    """Return the quarter that ended last before a date."""
    first = datetime.date.fromisoformat(first_date(quarter_of(BusinessDate(date.isoformat()))))
    return quarter_of(BusinessDate((first - datetime.timedelta(days=1)).isoformat()))
