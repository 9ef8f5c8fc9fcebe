"""Sales of the simulated year: in one step, by instruction, net in a batch; reversals, and shams."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ledger.crypto.canonical import b64url
from ledger.model.assets import TENGE
from ledger.model.transactions import EmbeddedJws, Mandate
from ledger.rules.transfers import Transfer
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.custody import fee_limit
from settlement.model.instructions import Charges, Terms
from settlement.model.trades import tenge_amount
from settlement.rules.completion import DvpComplete
from settlement.rules.dvp import DvpSettle
from settlement.rules.instructions import DvpInstruct
from settlement.rules.mandates import PURPOSE
from settlement.rules.netting import DvpBatch
from settlement.rules.reversals import DvpReverse
from settlement.rules.segregation import ClientReturn
from settlement.rules.set_aside import DvpAllocate
from wallet_api.client.signing import sign_mandate
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.year_opening import Holder, YearTown
from wallet_api.sandbox.year_plan import (
    FEE_PPM,
    INSTRUCTED_PER_CENT,
    YearMiner,
)

SCALE: Final = 8
"""Decimal places of the coin."""

HOUR_US: Final = 3_600_000_000
"""Microseconds in an hour."""

WEEK_US: Final = 7 * 24 * HOUR_US
"""How long a mandate holds, in microseconds."""

EXECUTED_BEFORE_US: Final = 60_000_000
"""A trade reaches the ledger a minute after buyer and seller met."""

NONCE_BYTES: Final = 16
"""Random bytes of a mandate's nonce."""

MOST: Final = 10**15
"""Maximum of a mandate, in the smallest unit: the limit price is what binds here."""

SLACK_PER_CENT: Final = 10
"""How far from the price of its day a holder's limit lies."""

NET_OF: Final = 4
"""Sales that settle in one batch."""


@dataclass(slots=True)
class Deals:
    """What came of the sales, as the market itself counts it."""

    tried: int = 0
    settled: int = 0
    settled_tiyn: int = 0
    fees_tiyn: int = 0
    sold: dict[str, int] = field(default_factory=dict)
    """Settled satoshi by miner, reversals taken off."""
    reversed: int = 0
    shams: dict[str, str] = field(default_factory=dict)
    """Claim to the date of its execution, where the tenge went round."""


@dataclass(slots=True)
class _Deal:
    trade: str
    miner: YearMiner
    seller: Holder
    buyer: Holder
    quantity: int
    amount: int
    fee: int


class Trading:
    """Makes sales, in the order in which they come."""

    def __init__(self, town: YearTown, chance: random.Random, prices: dict[str, int]) -> None:
        """Trade in a town, at the prices of each day."""
        self.deals = Deals()
        self._town = town
        self._chance = chance
        self._prices = prices
        self._mandates: dict[tuple[str, str], tuple[EmbeddedJws, int, int]] = {}
        """Exchange and holder, with side, to a mandate, its expiry and limit."""
        self._batch: list[_Deal] = []
        self._settled: set[str] = set()
        """Numbers of the trades that are final."""

    def sell(self, miner: YearMiner, date: str, quantity: int) -> None:
        """Try one sale of a miner's coins to one of the buyers of its exchange."""
        deals = self.deals
        deals.tried += 1
        seller = self._town.miners[miner.name]
        buyer = self._chance.choice(self._town.buyers[miner.exchange])
        amount = tenge_amount(quantity, self._prices[date], SCALE)
        deal = _Deal(f"T-{deals.tried}", miner, seller, buyer, quantity, amount, fee_limit(amount, FEE_PPM))
        scale = self._town.plan.scale
        if deals.tried % scale.sham_every == scale.sham_every // 2:
            self._settle(deal, date, lambda: self._round_trip(deal, date))
        elif deals.tried % scale.reversed_every == scale.reversed_every // 3:
            self._instruct(deal, date, lambda: self._reverse(deal))
        elif self._chance.randrange(100) >= INSTRUCTED_PER_CENT:
            self._settle(deal, date, None)
        elif self._chance.randrange(2):
            self._instruct(deal, date, None)
        else:
            self._add_to_batch(deal, date)

    def finish_day(self) -> None:
        """Settle what waits for a batch."""
        if self._batch:
            self._settle_batch()
        self._town.ledger.flush()

    # --- one step -------------------------------------------------------------------------------------------

    def _settle(self, deal: _Deal, date: str, afterwards: Callable[[], None] | None) -> None:
        price = self._prices[date]
        body = DvpSettle(
            trade=deal.trade,
            coin=COIN,
            quantity=deal.quantity,
            price=price,
            seller_coin=deal.seller.coin,
            seller_tenge=deal.seller.tenge,
            buyer_tenge=deal.buyer.tenge,
            buyer_coin=deal.buyer.coin,
            fee=deal.fee,
            fee_account=self._town.fee(deal.miner.exchange),
            reference_price=price,
            reference_date=BusinessDate(date),
            executed_us=self._executed_us(),
            seller_mandate=self._mandate(deal.seller, "sell", price),
            buyer_mandate=self._mandate(deal.buyer, "buy", price),
        )
        self._town.ledger.send("dvp_settle", body, deal.miner.exchange, then=self._told(deal))
        if afterwards is not None:
            self._town.ledger.flush()
            if deal.trade in self._settled:
                afterwards()

    # --- by instruction -------------------------------------------------------------------------------------

    def _instruct(self, deal: _Deal, date: str, afterwards: Callable[[], None] | None) -> None:
        """Said by both sides, set aside, settled; a refusal on the way ends it."""
        if self._say(deal, date):
            self._settle_alone(deal)
        if afterwards is not None and deal.trade in self._settled:
            afterwards()

    def _settle_alone(self, deal: _Deal) -> None:
        ledger = self._town.ledger
        exchange = deal.miner.exchange
        ends: list[str] = []
        deadline = TimestampUs(ledger.now_us + 3_600_000_000)
        ledger.send("dvp_allocate", DvpAllocate(trade=deal.trade, deadline_us=deadline), exchange, then=ends.append)
        ledger.flush()
        if ends == [""]:
            ledger.send("dvp_complete", DvpComplete(trade=deal.trade), exchange, then=self._told(deal))
            ledger.flush()

    def _say(self, deal: _Deal, date: str) -> bool:
        price = self._prices[date]
        terms = Terms(
            coin=COIN,
            quantity=deal.quantity,
            price=price,
            seller_coin=deal.seller.coin,
            seller_tenge=deal.seller.tenge,
            buyer_tenge=deal.buyer.tenge,
            buyer_coin=deal.buyer.coin,
            settlement_date=BusinessDate(date),
            reference_price=price,
            reference_date=BusinessDate(date),
            executed_us=self._executed_us(),
        )
        charges = Charges(fee=deal.fee, fee_account=self._town.fee(deal.miner.exchange))
        sell, buy = self._mandate(deal.seller, "sell", price), self._mandate(deal.buyer, "buy", price)
        ends: list[str] = []
        for body in (
            DvpInstruct(trade=deal.trade, side="seller", terms=terms, mandate=sell, charges=charges),
            DvpInstruct(trade=deal.trade, side="buyer", terms=terms, mandate=buy),
        ):
            self._town.ledger.send("dvp_instruct", body, deal.miner.exchange, then=ends.append)
        self._town.ledger.flush()
        return ends == ["", ""]

    def _add_to_batch(self, deal: _Deal, date: str) -> None:
        if self._batch and self._batch[0].miner.exchange != deal.miner.exchange:
            self._settle_batch()
        if self._say(deal, date):
            self._batch.append(deal)
        if len(self._batch) == NET_OF:
            self._settle_batch()

    def _settle_batch(self) -> None:
        batch, self._batch = self._batch, []

        def told(code: str) -> None:
            for deal in batch:
                self._told(deal)(code)

        body = DvpBatch(trades=tuple(deal.trade for deal in batch))
        ledger, exchange = self._town.ledger, batch[0].miner.exchange
        if len(batch) == 1:
            self._settle_alone(batch[0])
            return
        ledger.send("dvp_batch", body, exchange, then=told)
        ledger.flush()

    # --- what comes after -----------------------------------------------------------------------------------

    def _reverse(self, deal: _Deal) -> None:
        """Half of it is moved back, with both holders' signatures."""
        town, half = self._town, deal.quantity // 2
        body = DvpReverse(exchange=ParticipantId(deal.miner.exchange), trade=deal.trade, quantity=half, reason="case-1")

        def told(code: str) -> None:
            if code:
                return
            self.deals.reversed += half
            self.deals.sold[deal.miner.name] -= half
            part = deal.amount - deal.fee
            by_seller, fee = part * half // deal.quantity, deal.fee * half // deal.quantity
            town.add(deal.seller.coin, half)
            town.add(deal.buyer.coin, -half)
            town.add(deal.seller.tenge, -by_seller)
            town.add(deal.buyer.tenge, by_seller + fee)

        signers = (deal.seller.key, deal.buyer.key)
        town.ledger.send("dvp_reverse", body, deal.miner.exchange, cosigners=signers, then=told)
        town.ledger.flush()

    def _round_trip(self, deal: _Deal, date: str) -> None:
        """The miner takes what it got home, and its bank hands it on to the buyer."""
        town, proceeds = self._town, deal.amount - deal.fee
        take_home(town, deal.miner, proceeds)
        wallet = town.wallet(deal.miner)
        body = Transfer(debit=wallet, credit=deal.buyer.tenge, asset=TENGE, amount=proceeds)
        town.ledger.send("transfer", body, deal.miner.bank)
        town.ledger.flush()
        town.add(deal.buyer.tenge, proceeds)
        self.deals.shams[f"{deal.miner.exchange}/{deal.trade}"] = date

    # --- helpers --------------------------------------------------------------------------------------------

    def _told(self, deal: _Deal) -> Callable[[str], None]:
        """What the exchange and the market write down when a sale is final."""

        def told(code: str) -> None:
            if code:
                return
            deals, town = self.deals, self._town
            self._settled.add(deal.trade)
            deals.settled += 1
            deals.settled_tiyn += deal.amount
            deals.fees_tiyn += deal.fee
            deals.sold[deal.miner.name] = deals.sold.get(deal.miner.name, 0) + deal.quantity
            town.add(deal.seller.coin, -deal.quantity)
            town.add(deal.buyer.coin, deal.quantity)
            town.add(deal.buyer.tenge, -deal.amount)
            town.add(deal.seller.tenge, deal.amount - deal.fee)

        return told

    def _executed_us(self) -> TimestampUs:
        return TimestampUs(self._town.ledger.now_us - EXECUTED_BEFORE_US)

    def _mandate(self, holder: Holder, side: str, price: int) -> EmbeddedJws:
        """A holder's standing consent: a new one each week, and where the price has left its limit behind."""
        key = (f"{holder.exchange}/{holder.name}", side)
        now_us = self._town.ledger.now_us
        is_sale = side == "sell"
        standing = self._mandates.get(key)
        if standing is not None:
            signed, expires, limit = standing
            # A seller's limit lies a little below the price, for the rounding is the seller's.
            is_inside = limit + 1_000 * limit // 1_000_000 < price if is_sale else limit >= price
            if is_inside and expires > now_us + HOUR_US:
                return signed
        limit = price * (100 - SLACK_PER_CENT if is_sale else 100 + SLACK_PER_CENT) // 100
        mandate = Mandate(
            network=self._town.ledger.network.id,
            account=holder.coin if is_sale else holder.tenge,
            purpose=PURPOSE,
            asset=self._town.asset(holder.exchange) if is_sale else TENGE,
            maximum=MOST,
            expires=TimestampUs(now_us + WEEK_US),
            nonce=b64url(self._chance.randbytes(NONCE_BYTES)),
            coin=COIN,
            side="sell" if is_sale else "buy",
            limit_price=limit,
        )
        signed = sign_mandate(mandate, holder.key)
        self._mandates[key] = (signed, mandate.expires, limit)
        return signed


def take_home(town: YearTown, miner: YearMiner, amount: int) -> None:
    """A miner takes tenge from its exchange to its wallet; miner and bank sign."""
    holder = town.miners[miner.name]
    body = ClientReturn(account=holder.tenge, credit=town.wallet(miner), holder=miner.name, amount=amount)
    signers = (holder.key, *town.member(miner.bank).signers(1))
    town.ledger.send("client_return", body, miner.exchange, cosigners=signers)
    town.add(holder.tenge, -amount)
