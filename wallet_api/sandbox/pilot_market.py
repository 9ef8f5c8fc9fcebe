"""Third act: a week across the change of the quota. Pools report, coins are credited and sold, the day closes."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from ledger.rules.day_close import DayClose
from ledger.units import AssetId, BusinessDate, ParticipantId
from settlement.model.custody import fee_limit
from settlement.model.production import ProductionRow
from settlement.model.trades import price_received, tenge_amount
from settlement.rules.custody import CustodyCredit
from settlement.rules.dvp import DvpSettle
from settlement.rules.production import ProductionReport
from settlement.views.reference_prices import reference_prices
from wallet_api.client import Refused
from wallet_api.sandbox.pilot_accounts import desk, fee_account
from wallet_api.sandbox.pilot_opening import COIN, commit
from wallet_api.sandbox.pilot_plan import (
    BUYERS,
    DATE_AFTER,
    DATES,
    FEE_PPM,
    MINER_PLANS,
    MISREPORTED,
    POOLS,
    PRODUCTION,
    SALES,
    MinerPlan,
    Sale,
    btc_text,
    tenge_text,
)
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd, local_time_us

DISTRIBUTION_HOUR: Final = 11
"""Local hour at which pools distribute what they mined."""

COIN_SCALE: Final = 8
"""Decimal places of the coin."""


@dataclass(frozen=True, slots=True)
class ClientProof:
    """A client's place in the tree of all that an exchange owes of one asset."""

    exchange: ParticipantId
    asset: AssetId
    client: str
    balance: int
    proof: bytes
    """As it travels."""


@dataclass(slots=True)
class Market:
    """What the market has to remember from day to day."""

    reports: dict[str, int] = field(default_factory=dict)
    """Number of the last report by pool."""
    rows: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """Report and row by miner and date."""
    sales_tiyn: int = 0
    """What was paid in settled sales."""
    fees_tiyn: dict[str, int] = field(default_factory=dict)
    """Fees by exchange."""
    proofs: list[ClientProof] = field(default_factory=list)
    """What a client was given by its exchange, to check offline at the end."""


def play_day(stage: Stage, market: Market, date: str) -> None:
    """Play one day of the market, up to its close."""
    stage.show.act(f"{date}: pool reports, custody, sales")
    stage.move_to(date, 15)
    _report(stage, market, date)
    _credit(stage, date)
    stage.move_to(date, 16)
    for sale in SALES:
        if sale.date == date:
            _sell(stage, market, sale)


def close_day(stage: Stage, date: str) -> None:
    """Close a business date in its evening."""
    stage.move_to(date, 20)
    following = (*DATES, DATE_AFTER)[DATES.index(date) + 1]
    body = DayClose(closes=BusinessDate(date), opens=BusinessDate(following))
    stage.do("operator", "day_close", body)
    stage.show.step(f"day closed, {following} opened")


def production_row(stage: Stage, plan: MinerPlan, date: str, number: int, *, quantity: int) -> ProductionRow:
    """Return the row of a report, in the official columns."""
    price = reference_prices()[BusinessDate(date)]
    return ProductionRow(
        row=number,
        miner=stage.member(plan.miner).participant,
        bin=plan.bin,
        name=commit(stage.member(plan.miner).name),
        licence=plan.licence,
        licence_date=BusinessDate(plan.issued),
        wallet=commit(f"wallet {plan.miner}"),
        distributed_us=local_time_us(date, DISTRIBUTION_HOUR),
        coin=COIN,
        quantity=quantity,
        receipt_value=tenge_amount(quantity, price, COIN_SCALE),
        payout=f"{hashlib.sha256(f'{date} {plan.pool}'.encode()).hexdigest()}:{number}",
    )


def _report(stage: Stage, market: Market, date: str) -> None:
    for pool in POOLS:
        plans = [plan for plan in MINER_PLANS if plan.pool == pool.participant and date in PRODUCTION[plan.miner]]
        if not plans:
            continue
        quantities = [MISREPORTED.get((plan.miner, date), PRODUCTION[plan.miner][date]) for plan in plans]
        rows = tuple(
            production_row(stage, plan, date, number, quantity=quantity)
            for number, (plan, quantity) in enumerate(zip(plans, quantities, strict=True), 1)
        )
        number = market.reports.get(pool.participant, 0) + 1
        stage.do(pool.participant, "production_report", ProductionReport(sequence=number, rows=rows))
        market.reports[pool.participant] = number
        market.rows.update({(plan.miner, date): (number, row) for row, plan in enumerate(plans, 1)})
        stage.show.step(f"{pool.name}: report {number}, {btc_text(sum(quantities))} BTC to {len(rows)} miners")


def _credit(stage: Stage, date: str) -> None:
    """The miners send what they mined to their exchange, which credits it within the attested reserve."""
    for plan in MINER_PLANS:
        quantity = PRODUCTION[plan.miner].get(date)
        if quantity is not None:
            account = desk(stage, plan.miner, plan.exchange).coin
            deposit = f"{plan.miner}-{date}"
            stage.do(plan.exchange, "custody_credit", CustodyCredit(account=account, amount=quantity, deposit=deposit))


def _sell(stage: Stage, market: Market, sale: Sale) -> None:
    exchange, body = settlement_of(stage, sale)
    text = f"{sale.trade}: {sale.miner} sells {btc_text(sale.quantity)} BTC to {sale.buyer}"
    if sale.refused is not None:
        stage.must_be_refused(text, sale.refused, exchange, "dvp_settle", body)
        return
    client = stage.client(exchange)
    submission = client.sign(client.prepare("dvp_settle", body))
    try:
        receipt = client.submit_signed(submission)
        stage.tally.count(receipt)
        if sale.is_sent_twice and client.submit_signed(submission) != receipt:
            raise UnexpectedEnd(f"{text}: expected the first answer again for the same bytes")
    except Refused as error:
        raise UnexpectedEnd(f"{text}: expected acceptance, got {error}") from error
    amount = tenge_amount(sale.quantity, body.price, COIN_SCALE)
    market.sales_tiyn += amount
    market.fees_tiyn[exchange] = market.fees_tiyn.get(exchange, 0) + body.fee
    again = "; sent twice, same answer" if sale.is_sent_twice else ""
    stage.show.step(f"{text} for {tenge_text(amount)} tenge{again}")


def settlement_of(stage: Stage, sale: Sale) -> tuple[str, DvpSettle]:
    """Both holders agree to the reference price of the day; the exchange settles within their mandates."""
    exchange = next(plan.exchange for plan in MINER_PLANS if plan.miner == sale.miner)
    assert any(buyer.holder == sale.buyer and buyer.exchange == exchange for buyer in BUYERS), "one venue a sale"
    seller, buyer = desk(stage, sale.miner, exchange), desk(stage, sale.buyer, exchange)
    price = reference_prices()[BusinessDate(sale.date)]
    amount = tenge_amount(sale.quantity, price, COIN_SCALE)
    body = DvpSettle(
        trade=sale.trade,
        coin=COIN,
        quantity=sale.quantity,
        price=price,
        seller_coin=seller.coin,
        seller_tenge=seller.tenge,
        buyer_tenge=buyer.tenge,
        buyer_coin=buyer.coin,
        fee=fee_limit(amount, FEE_PPM),
        fee_account=fee_account(stage, exchange),
        reference_price=price,
        reference_date=BusinessDate(sale.date),
        executed_us=local_time_us(sale.date, 15, 30),
        seller_mandate=seller.mandate(
            stage,
            side="sell",
            maximum=sale.quantity,
            # The seller bears the rounding to a tiyn, so the limit is what comes of it.
            limit_price=price_received(amount, sale.quantity, COIN_SCALE),
            payee=buyer.coin,
        ),
        buyer_mandate=buyer.mandate(stage, side="buy", maximum=amount, limit_price=price),
    )
    return exchange, body
