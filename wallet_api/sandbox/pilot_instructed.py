"""Sales by instruction: said by both sides, set aside, settled whole or in part, one of them moved back by half.

Miner Five sells to Buyer Five at Exchange One. What is left of I-0001 fails for want of coins, which the miner took
home in between; I-0002 is busted by half; I-0003 is a sham, for the tenge goes back to the buyer within the hour.
"""

from typing import Final

from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.transfers import Transfer
from ledger.units import BusinessDate, TimestampUs
from settlement.model.custody import fee_limit
from settlement.model.instructions import Charges, Terms
from settlement.model.trades import tenge_amount
from settlement.rules.completion import DvpComplete
from settlement.rules.custody import CustodyDebit
from settlement.rules.instructions import DvpInstruct
from settlement.rules.reversals import DvpReverse
from settlement.rules.segregation import ClientReturn
from settlement.rules.set_aside import DvpAllocate
from wallet_api.sandbox.pilot_accounts import Desk, buyer_wallet, desk, fee_account
from wallet_api.sandbox.pilot_market import COIN_SCALE
from wallet_api.sandbox.pilot_opening import COIN, commit
from wallet_api.sandbox.pilot_plan import FEE_PPM, btc_text, tenge_text
from wallet_api.sandbox.pilot_registers import published_price
from wallet_api.sandbox.pilot_stage import Stage, local_time_us

VENUE: Final = "exchange-one"
MINER: Final = "miner-five"
BUYER: Final = "buyer-5"
BUYERS_BANK: Final = "bank-c"
"""Where the miner has a wallet too."""

PARTIAL: Final = "I-0001"
BUSTED: Final = "I-0002"
SHAM: Final = "I-0003"

INSTRUCTED: Final = {PARTIAL: 80_000_000, BUSTED: 20_000_000, SHAM: 10_000_000}
"""Quantity by trade, in satoshi."""

TAKEN_HOME: Final = 50_000_000
"""What the miner withdraws after the first instruction; so much is left to settle: half a bitcoin."""

BUSTED_PART: Final = 10_000_000
"""What is moved back of the second sale."""

LOWEST_PER_MILLE: Final = 990
"""The seller's limit, in thousandths of the price: parts are rounded down to a tiyn."""


def play_partial(stage: Stage, date: str) -> None:
    """A sale that is set aside and settles as far as there are coins."""
    stage.show.act(f"{date}: a sale by instruction, set aside and settled in part")
    stage.move_to(date, 16, 10)
    seller = desk(stage, MINER, VENUE)
    terms = instruct(stage, PARTIAL, date)
    stage.must_be_refused(
        "a sale said anew after both sides matched",
        "instruction_matched",
        VENUE,
        "dvp_instruct",
        _said(stage, PARTIAL, terms, "seller"),
    )
    out = CustodyDebit(
        account=seller.coin, amount=TAKEN_HOME, withdrawal="W-0001", destination=commit("the miner's own wallet")
    )
    stage.do(VENUE, "custody_debit", out, cosigners=(seller.key,))
    stage.must_be_refused(
        "all of it set aside, half of the coins gone",
        "seller_not_prefunded",
        VENUE,
        "dvp_allocate",
        _allocation(PARTIAL, date, is_partial=False),
    )
    stage.do(VENUE, "dvp_allocate", _allocation(PARTIAL, date, is_partial=True))
    again = CustodyDebit(
        account=seller.coin, amount=1, withdrawal="W-0002", destination=commit("the miner's own wallet")
    )
    stage.must_be_refused(
        "coins taken home that are set aside",
        "funds_set_aside",
        VENUE,
        "custody_debit",
        again,
        cosigners=(seller.key,),
    )
    stage.do(VENUE, "dvp_complete", DvpComplete(trade=PARTIAL))
    result = f"{btc_text(TAKEN_HOME)} of {btc_text(terms.quantity)} BTC final, the rest COIN_SHORT"
    stage.show.step(f"{PARTIAL}: {result}")
    stage.tally.facts.append((f"{VENUE}/{PARTIAL}, by instruction", result))


def play_reversal(stage: Stage, date: str) -> None:
    """A sale that settles, and is busted by half with both holders' signatures."""
    stage.show.act(f"{date}: a busted trade is moved back, a sham sale is made")
    stage.move_to(date, 16, 20)
    _settle_whole(stage, BUSTED, date)
    back = DvpReverse(exchange=stage.member(VENUE).participant, trade=BUSTED, quantity=BUSTED_PART, reason="case-0001")
    holders = (desk(stage, MINER, VENUE).key, desk(stage, BUYER, VENUE).key)
    stage.do(VENUE, "dvp_reverse", back, cosigners=holders)
    stage.show.step(f"{BUSTED}: {btc_text(BUSTED_PART)} BTC and their tenge moved back by an entry of its own")
    stage.tally.facts.append((f"{VENUE}/{BUSTED}, busted", f"{btc_text(BUSTED_PART)} BTC moved back"))
    _round_trip(stage, date)


def instruct(stage: Stage, trade: str, date: str) -> Terms:
    """Have both sides say the same."""
    seller, buyer = desk(stage, MINER, VENUE), desk(stage, BUYER, VENUE)
    price = published_price(date)
    terms = Terms(
        coin=COIN,
        quantity=INSTRUCTED[trade],
        price=price,
        seller_coin=seller.coin,
        seller_tenge=seller.tenge,
        buyer_tenge=buyer.tenge,
        buyer_coin=buyer.coin,
        settlement_date=BusinessDate(date),
        reference_price=price,
        reference_date=BusinessDate(date),
        executed_us=local_time_us(date, 16),
    )
    for side in ("seller", "buyer"):
        stage.do(VENUE, "dvp_instruct", _said(stage, trade, terms, side))
    return terms


def _said(stage: Stage, trade: str, terms: Terms, side: str) -> DvpInstruct:
    amount = tenge_amount(terms.quantity, terms.price, COIN_SCALE)
    own: Desk = desk(stage, MINER if side == "seller" else BUYER, VENUE)
    if side == "buyer":
        consent = own.mandate(stage, side="buy", maximum=amount, limit_price=terms.price)
        return DvpInstruct(trade=trade, side="buyer", terms=terms, mandate=consent)
    lowest = terms.price * LOWEST_PER_MILLE // 1_000
    consent = own.mandate(stage, side="sell", maximum=terms.quantity, limit_price=lowest)
    charges = Charges(fee=fee_limit(amount, FEE_PPM), fee_account=fee_account(stage, VENUE))
    return DvpInstruct(trade=trade, side="seller", terms=terms, mandate=consent, charges=charges)


def _allocation(trade: str, date: str, *, is_partial: bool) -> DvpAllocate:
    return DvpAllocate(trade=trade, deadline_us=TimestampUs(local_time_us(date, 17)), is_partial=is_partial)


def _settle_whole(stage: Stage, trade: str, date: str) -> int:
    """Instruct, set aside and settle a sale; returns what the seller got, in tiyn."""
    terms = instruct(stage, trade, date)
    stage.do(VENUE, "dvp_allocate", _allocation(trade, date, is_partial=False))
    stage.do(VENUE, "dvp_complete", DvpComplete(trade=trade))
    amount = tenge_amount(terms.quantity, terms.price, COIN_SCALE)
    stage.show.step(f"{trade}: {btc_text(terms.quantity)} BTC for {tenge_text(amount)} tenge, instructed and final")
    return amount - fee_limit(amount, FEE_PPM)


def _round_trip(stage: Stage, date: str) -> None:
    """A sale whose proceeds the miner takes home and hands back to the buyer."""
    proceeds = _settle_whole(stage, SHAM, date)
    seller, buyer = desk(stage, MINER, VENUE), desk(stage, BUYER, VENUE)
    wallet = buyer_wallet(stage, BUYERS_BANK, MINER)
    new = NewAccount(account=wallet, asset=TENGE, account_class="wallet", holder=MINER)
    stage.do(BUYERS_BANK, "account_open", AccountOpen(accounts=(new,)))
    home = ClientReturn(account=seller.tenge, credit=wallet, holder=MINER, amount=proceeds)
    signers = (seller.key, *stage.member(BUYERS_BANK).signers(1))
    stage.do(VENUE, "client_return", home, cosigners=signers)
    back = Transfer(debit=wallet, credit=buyer.tenge, asset=TENGE, amount=proceeds)
    stage.do(BUYERS_BANK, "transfer", back)
    stage.show.step(f"{SHAM}: the miner hands {tenge_text(proceeds)} tenge back to the buyer")
