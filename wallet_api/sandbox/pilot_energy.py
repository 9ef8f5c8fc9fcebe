"""Energy: surplus offered for the next day and bought in tenge, a meter read, the levy of the quarter paid."""

from typing import Final

from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.transfers import Transfer
from ledger.units import BusinessDate, TimestampUs
from settlement.model.energy import EnergyLine
from settlement.model.sites import EnergySource, Zone
from settlement.rules.energy import MeterReading
from settlement.rules.levy import LevyPay
from settlement.rules.surplus import SurplusBid, SurplusBuy, SurplusPublish
from wallet_api.sandbox.pilot_instructed import MINER
from wallet_api.sandbox.pilot_plan import DATES, TENGE_TIYN, tenge_text
from wallet_api.sandbox.pilot_registers import METER, OPERATOR, STATES_BANK, purchaser, treasury
from wallet_api.sandbox.pilot_stage import Stage, local_time_us, own_account

FLOOR: Final = 1_500
"""Lowest bid, in tiyn for a kWh."""

BID: Final = 1_840
"""What Miner Five bids: 18.40 tenge for a kWh."""

LIMIT_KWH: Final = 2_000
"""Surplus of each hour."""

BOUGHT_KWH: Final = {0: 1_500, 1: 1_500, 2: 2_000}
"""What Miner Five buys, by hour: 5,000 kWh for 92,000 tenge."""

READ_KWH: Final = 100_000
"""What its meter shows for December 2024, all of it bought at 18.40 tenge."""

LEVY_TIYN: Final = READ_KWH * 700
"""By hand: an average price of 18.40 tenge is below 19, and 26 - 19 = 7 tenge a kWh."""

QUARTER: Final = "2024-Q4"
MEANS_TIYN: Final = 5_000_000 * TENGE_TIYN
"""What the miner has on its own account to pay from."""


def play_surplus(stage: Stage, date: str) -> None:
    """The operator offers the next day's surplus; the miner buys, and cannot buy more than there is."""
    stage.show.act(f"{date}: surplus energy for the next day")
    stage.move_to(date, 16, 40)
    own = own_account(stage.member(MINER))
    opening = AccountOpen(accounts=(NewAccount(account=own, asset=TENGE, account_class="own"),))
    stage.do(MINER, "account_open", opening)
    bank = own_account(stage.member(STATES_BANK))
    stage.do(STATES_BANK, "transfer", Transfer(debit=bank, credit=own, asset=TENGE, amount=MEANS_TIYN))
    following = BusinessDate(DATES[DATES.index(date) + 1])
    offer = SurplusPublish(
        zone=Zone.NORTH_SOUTH,
        date=following,
        floor=FLOOR,
        limits=(LIMIT_KWH,) * 24,
        gate_us=local_time_us(date, 18),
        payee=purchaser(stage),
    )
    stage.do(OPERATOR, "surplus_publish", offer)
    bids = tuple(SurplusBid(hour=hour, energy_kwh=kwh, price=BID) for hour, kwh in BOUGHT_KWH.items())
    purchase = SurplusBuy(
        zone=Zone.NORTH_SOUTH, date=following, miner=stage.member(MINER).participant, payer=own, bids=bids
    )
    stage.do(MINER, "surplus_buy", purchase)
    stage.must_be_refused("more surplus than is left of an hour", "surplus_exceeded", MINER, "surplus_buy", purchase)
    cost = sum(BOUGHT_KWH.values()) * BID
    stage.show.step(f"{sum(BOUGHT_KWH.values()):,} kWh bought for {tenge_text(cost)} tenge, paid in the same entry")


def play_levy(stage: Stage, date: str) -> None:
    """A reading that the operator signs too, and the levy on it."""
    stage.show.act(f"{date}: a meter is read, the levy is paid")
    stage.move_to(date, 16, 50)
    miner = stage.member(MINER).participant
    line = EnergyLine(miner=miner, sources=(EnergySource.AUCTION,), energy_kwh=READ_KWH, price=BID)
    reading = MeterReading(
        meter=METER,
        number=1,
        from_us=local_time_us("2024-12-01", 0),
        until_us=TimestampUs(local_time_us("2025-01-01", 0)),
        energy_kwh=READ_KWH,
        lines=(line,),
    )
    stage.must_be_refused(
        "a reading that only the miner signs", "signatures_insufficient", MINER, "meter_reading", reading
    )
    stage.do(MINER, "meter_reading", reading, cosigners=stage.member(OPERATOR).signers(1))
    payment = LevyPay(
        miner=miner,
        quarter=QUARTER,
        payer=own_account(stage.member(MINER)),
        treasury=treasury(stage),
        amount=LEVY_TIYN,
    )
    stage.do(MINER, "levy_pay", payment)
    stage.tally.facts.append((f"levy of {QUARTER}, {READ_KWH:,} kWh", f"{tenge_text(LEVY_TIYN)} tenge paid"))
    stage.show.step(f"{READ_KWH:,} kWh read, {tenge_text(LEVY_TIYN)} tenge of levy paid to the treasury")
