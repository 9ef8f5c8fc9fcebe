"""The days of the simulated year: prices, reports and corrections, deposits, sales, money, suspensions, books."""

import datetime
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import msgspec

from ledger.model.assets import TENGE
from ledger.rules.issuance import Issue
from ledger.rules.transfers import Transfer
from ledger.units import AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.intervals import Status
from settlement.model.production import ProductionRow
from settlement.model.quarters import quarter_of
from settlement.model.reconciliation import AssetBooks, Result, coverage
from settlement.model.registers import Register
from settlement.model.trades import tenge_amount
from settlement.rules.corrections import ProductionCorrect
from settlement.rules.custody import CustodyCredit, CustodyDebit
from settlement.rules.prices import CoinPrice, PricePublish
from settlement.rules.production import ProductionReport
from settlement.rules.reconciliation import ReconcileDay, ReconciliationCut
from settlement.rules.reconciliation_order import asset_key
from settlement.rules.registry import RegistryStatus
from settlement.rules.tables import RECONCILIATIONS
from wallet_api.sandbox.network import CENTRAL_BANK
from wallet_api.sandbox.pilot_opening import COIN, commit
from wallet_api.sandbox.pilot_stage import UnexpectedEnd, local_time_us, own_account
from wallet_api.sandbox.year_opening import LICENSED_FROM, YearTown, attest
from wallet_api.sandbox.year_plan import CORRECTED_PER_CENT, SUPERVISOR, YearMiner
from wallet_api.sandbox.year_sales import SCALE, Trading, take_home

ISSUED_TIYN: Final = 10_000_000_000
"""What a bank draws at once, when its own account would not do: a hundred million tenge."""

FUNDED_PER_CENT: Final = 140
"""What a buyer fills its account up to each week, against its share of what is likely to be sold there."""

LEFT_AT_VENUE_TIYN: Final = 100_000_000
"""What a miner leaves at its exchange when it takes money home: a million tenge."""

LEAST_SOLD: Final = 1_000
"""Least quantity of a sale, in satoshi."""

SUSPENSIONS: Final = 3
"""Licences that are suspended in a whole year, each for two weeks; and one exchange, for three days."""


@dataclass(slots=True)
class YearCounts:
    """What the days came to, counted as they were played."""

    produced: dict[str, int] = field(default_factory=dict)
    """Satoshi that stand by miner, with a licence or without, what was corrected left out."""
    by_quarter: dict[tuple[str, str], int] = field(default_factory=dict)
    """The same by miner and quarter."""
    corrections: int = 0
    reports: int = 0
    coverage: dict[str, Fraction] = field(default_factory=dict)
    """The least by exchange and asset."""
    reconciled: int = 0
    suspended: list[tuple[str, str, str]] = field(default_factory=list)
    """Register, subject, first day."""


class Days:
    """Plays one day after the other."""

    def __init__(self, town: YearTown, chance: random.Random, prices: dict[str, int], trading: Trading) -> None:
        """Play in a town."""
        self.counts = YearCounts()
        self._town = town
        self._chance = chance
        self._prices = prices
        self._trading = trading
        self._reports: dict[str, int] = {}
        self._corrections: dict[str, int] = {}
        self._wrong: list[tuple[str, int, ProductionRow]] = []
        """Pool, report and the right row, to be corrected on the next day."""
        self._deposits: dict[str, int] = {}
        """Satoshi mined and not yet brought to the exchange, by miner."""
        self._to_sell: dict[str, int] = {}
        """Satoshi a miner still means to sell of what it brought."""
        self._own: dict[str, int] = {}
        """Tenge on the own accounts of banks."""
        self._issued = 0
        """Requests to the central bank so far."""
        self._ends: dict[str, list[Callable[[], None]]] = {}
        """What is to be done on a date: suspensions that begin and end."""
        self._plan_suspensions()

    def play(self, date: datetime.date) -> None:
        """Play one day, but for its close."""
        town, day = self._town, date.isoformat()
        town.ledger.move_to(day, 9)
        for act in self._ends.pop(day, ()):
            act()
        if date.weekday() < 5:
            self._publish(day)
        self._correct()
        self._report(day)
        if date.weekday() == 0 or date == next(iter(town.plan.scale.dates())):
            self._week(day)
        town.ledger.move_to(day, 10)
        self._trade(day)
        town.ledger.move_to(day, 19)
        self.reconcile(day)

    # --- registers and prices -------------------------------------------------------------------------------

    def _plan_suspensions(self) -> None:
        scale = self._town.plan.scale
        whole = max(1, SUSPENSIONS * scale.days // 365)
        for miner in self._chance.sample(self._town.plan.miners, min(whole, len(self._town.plan.miners))):
            self._suspend(Register.LICENCE, miner.licence, days=14)
        self._suspend(Register.EXCHANGE, self._town.plan.exchanges[-1].participant, days=3)

    def _suspend(self, register: Register, subject: str, *, days: int) -> None:
        first = self._chance.choice(list(self._town.plan.scale.dates())[1:-1])
        last = first + datetime.timedelta(days=days)

        def send(status: Status, date: datetime.date) -> None:
            body = RegistryStatus(
                register=register,
                subject=subject,
                status=status,
                from_us=local_time_us(date.isoformat(), 9),
                reason="order-2025",
            )
            self._town.ledger.send("registry_status", body, SUPERVISOR.participant)

        self.counts.suspended.append((register.value, subject, first.isoformat()))
        self._ends.setdefault(first.isoformat(), []).append(lambda: send(Status.SUSPENDED, first))
        self._ends.setdefault(last.isoformat(), []).append(lambda: send(Status.ACTIVE, last))

    def _publish(self, day: str) -> None:
        price = CoinPrice(coin=COIN, price=self._prices[day])
        body = PricePublish(date=BusinessDate(day), source="the simulated year", prices=(price,))
        self._town.ledger.send("price_publish", body, SUPERVISOR.participant)

    # --- production -----------------------------------------------------------------------------------------

    def _report(self, day: str) -> None:
        for pool in self._town.plan.pools:
            name = pool.participant
            miners = [miner for miner in self._town.plan.miners if miner.pool == name]
            if not miners:
                continue
            rows = [self._row(day, number, miner) for number, miner in enumerate(miners, 1)]
            number = self._reports.get(name, 0) + 1
            self._reports[name] = number
            self.counts.reports += 1
            for miner, row in zip(miners, rows, strict=True):
                self.counts.produced[miner.name] = self.counts.produced.get(miner.name, 0) + row.quantity
                self._deposits[miner.name] = self._deposits.get(miner.name, 0) + row.quantity
                key = (miner.name, quarter_of(BusinessDate(day)))
                self.counts.by_quarter[key] = self.counts.by_quarter.get(key, 0) + row.quantity
            if self._chance.randrange(100) < CORRECTED_PER_CENT:
                self._wrong.append((name, number, rows[0]))
                rows[0] = msgspec.structs.replace(rows[0], quantity=rows[0].quantity + 1_000)
            body = ProductionReport(sequence=number, rows=tuple(rows))
            self._town.ledger.send("production_report", body, name)

    def _row(self, day: str, number: int, miner: YearMiner) -> ProductionRow:
        quantity = miner.mined_a_day * self._chance.randrange(50, 150) // 100
        return ProductionRow(
            row=number,
            miner=ParticipantId(miner.name),
            bin=miner.bin,
            name=commit(miner.name),
            licence=miner.licence,
            licence_date=BusinessDate(LICENSED_FROM),
            wallet=commit(f"wallet {miner.name}"),
            distributed_us=TimestampUs(self._town.ledger.now_us - 3_600_000_000),
            coin=COIN,
            quantity=quantity,
            receipt_value=tenge_amount(quantity, self._prices[day], SCALE),
            payout=f"{hashlib.sha256(f'{day} {miner.pool}'.encode()).hexdigest()}:{number}",
        )

    def _correct(self) -> None:
        for pool, report, row in self._wrong:
            number = self._corrections.get(pool, 0) + 1
            self._corrections[pool] = number
            self.counts.corrections += 1
            body = ProductionCorrect(sequence=number, report=report, rows=(row,), reason="case-1")
            self._town.ledger.send("production_correct", body, pool)
        self._wrong = []

    # --- money and coins ------------------------------------------------------------------------------------

    def _week(self, day: str) -> None:
        """Once a week: auditors look, miners bring what they mined, take home what they got; buyers pay in."""
        town = self._town
        for exchange in town.plan.exchanges:
            attest(town, exchange.participant)
        for miner in town.plan.miners:
            self._bring(miner, day)
            proceeds = town.books.get(town.miners[miner.name].tenge, 0) - LEFT_AT_VENUE_TIYN
            if proceeds > 0:
                take_home(town, miner, proceeds)
                self._hand_on(miner, proceeds // 2)
        for exchange in town.plan.exchanges:
            kept = self._kept_tiyn(exchange.participant, day)
            for number, buyer in enumerate(town.buyers[exchange.participant]):
                bank = town.plan.banks[number % len(town.plan.banks)].participant
                missing = kept - town.books.get(buyer.tenge, 0)
                if missing > 0:
                    self._fund(bank, missing, day)
                    self._pay(bank, buyer.tenge, missing)
                    town.add(buyer.tenge, missing)
                coins = town.books.get(buyer.coin, 0) // 2
                if coins:
                    self._withdraw(exchange.participant, number, coins, day)
        town.ledger.flush()

    def _kept_tiyn(self, exchange: str, day: str) -> int:
        """What each buyer of an exchange wants to have at the beginning of a week."""
        mined = sum(7 * miner.mined_a_day for miner in self._town.plan.miners if miner.exchange == exchange)
        value = tenge_amount(max(1, mined), self._prices[day], SCALE)
        return value * FUNDED_PER_CENT // 100 // len(self._town.buyers[exchange])

    def _bring(self, miner: YearMiner, day: str) -> None:
        town, quantity = self._town, self._deposits.pop(miner.name, 0)
        if not quantity:
            return
        holder = town.miners[miner.name]

        def told(code: str) -> None:
            if code:
                # The exchange is suspended: the coins wait.
                self._deposits[miner.name] = self._deposits.get(miner.name, 0) + quantity
                return
            town.add(holder.coin, quantity)
            wanted = quantity * miner.sold_per_cent // 100
            self._to_sell[miner.name] = self._to_sell.get(miner.name, 0) + wanted

        body = CustodyCredit(account=holder.coin, amount=quantity, deposit=f"{miner.name}-{day}")
        town.ledger.send("custody_credit", body, miner.exchange, then=told)
        town.ledger.flush()

    def _fund(self, bank: str, amount: int, day: str) -> None:
        """The bank draws tenge from the central bank where its own would not do."""
        issuers = self._town.member(CENTRAL_BANK.participant).signers()
        while self._own.get(bank, 0) < amount:
            self._issued += 1
            self._own[bank] = self._own.get(bank, 0) + ISSUED_TIYN
            body = Issue(
                account=own_account(self._town.member(bank)),
                amount=ISSUED_TIYN,
                reserve_payment=f"RTGS-{day}-{self._issued}",
            )
            self._town.ledger.send("issue", body, bank, cosigners=issuers)

    def _pay(self, bank: str, account: str, amount: int) -> None:
        self._own[bank] -= amount
        own = own_account(self._town.member(bank))
        body = Transfer(debit=own, credit=type(own)(account), asset=TENGE, amount=amount)
        self._town.ledger.send("transfer", body, bank)

    def _hand_on(self, miner: YearMiner, amount: int) -> None:
        """Half of what a miner takes home goes to its bank, for loans and bills; the rest stays for the levy."""
        own = own_account(self._town.member(miner.bank))
        body = Transfer(debit=self._town.wallet(miner), credit=own, asset=TENGE, amount=amount)
        self._town.ledger.send("transfer", body, miner.bank)
        self._own[miner.bank] = self._own.get(miner.bank, 0) + amount

    def _withdraw(self, exchange: str, number: int, coins: int, day: str) -> None:
        town = self._town
        buyer = town.buyers[exchange][number]
        body = CustodyDebit(
            account=buyer.coin, amount=coins, withdrawal=f"W-{number}-{day}", destination=commit("wallet")
        )
        town.ledger.send("custody_debit", body, exchange, cosigners=(buyer.key,))
        town.add(buyer.coin, -coins)
        town.withdrawn[exchange] = town.withdrawn.get(exchange, 0) + coins

    # --- sales and books ------------------------------------------------------------------------------------

    def _trade(self, day: str) -> None:
        """A share of the year's sales, so that all are tried by the last day."""
        scale = self._town.plan.scale
        days_left = (scale.last_day - datetime.date.fromisoformat(day)).days + 1
        count = -(-(scale.sales - self._trading.deals.tried) // days_left)
        sellers = [miner for miner in self._town.plan.miners if self._to_sell.get(miner.name, 0) >= LEAST_SOLD]
        self._chance.shuffle(sellers)
        # What a miner brought on Monday is sold by Sunday, in parts alike.
        week_left = 7 - datetime.date.fromisoformat(day).weekday()
        for place, miner in enumerate(sellers):
            parts = count // len(sellers) + (place < count % len(sellers))
            left = self._to_sell[miner.name] // week_left
            for part in range(parts, 0, -1):
                quantity = max(LEAST_SOLD, left // part)
                if self._to_sell[miner.name] < quantity:
                    break
                left = max(0, left - quantity)
                self._to_sell[miner.name] -= quantity
                self._trading.sell(miner, day, quantity)
        self._trading.finish_day()

    def reconcile(self, day: str) -> None:
        """Every exchange compares its books with the ledger and what auditors saw."""
        town = self._town
        for plan in town.plan.exchanges:
            exchange = plan.participant
            assets: tuple[AssetId, ...] = (TENGE, town.asset(exchange))
            town.ledger.send("reconciliation_cut", ReconciliationCut(assets=assets), exchange)
            books = tuple(
                AssetBooks(asset=asset, books=town.owed(exchange, in_coins=asset != TENGE)) for asset in assets
            )
            body = ReconcileDay(date=BusinessDate(day), assets=books)
            town.ledger.send("reconcile_day", body, exchange, signers=2)
        town.ledger.flush()
        for plan in town.plan.exchanges:
            for asset in (TENGE, town.asset(plan.participant)):
                self._cover(plan.participant, asset, day)

    def _cover(self, exchange: str, asset: AssetId, day: str) -> None:
        key = asset_key(ParticipantId(exchange), asset)
        row = self._town.ledger.state.get(RECONCILIATIONS, key)
        if row is None or row.result is not Result.BALANCED:
            raise UnexpectedEnd(f"{day}: expected balanced books of {key}, got {row}")
        self.counts.reconciled += 1
        covered = coverage(row.backing, row.owed)
        if covered is not None:
            self.counts.coverage[key] = min(covered, self.counts.coverage.get(key, covered))
