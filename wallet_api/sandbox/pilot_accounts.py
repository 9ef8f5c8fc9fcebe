"""The accounts of buyers, miners and the house at the two exchanges, and the consent their holders give."""

from dataclasses import dataclass
from typing import Final

from ledger.crypto.keys import PrivateKey
from ledger.model.assets import TENGE
from ledger.model.transactions import EmbeddedJws, Mandate
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import Transfer
from ledger.units import AccountId, AssetId, TimestampUs
from settlement.rules.coins import coin_asset
from settlement.rules.mandates import PURPOSE
from settlement.rules.miners import MinerAccountConfirm
from wallet_api.client import new_nonce, sign_mandate
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.pilot_plan import BANKS, BUYERS, DATES, EXCHANGES, MINER_PLANS, TENGE_TIYN
from wallet_api.sandbox.pilot_stage import Stage, account_of, own_account

MANDATE_DAYS: Final = 30
"""How long the pilot's mandates hold, in days."""

DAY_US: Final = 24 * 3_600_000_000
"""Microseconds in a day."""

OMNIBUS_TIYN: Final = 2_000_000 * TENGE_TIYN
"""What clients paid into the account at Exchange Two to which no holder key is bound."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A client's two accounts at an exchange, bound to the client's own key."""

    holder: str
    exchange: str
    tenge: AccountId
    coin: AccountId
    key: PrivateKey

    def mandate(
        self,
        stage: Stage,
        *,
        side: str,
        maximum: int,
        limit_price: int,
        payee: AccountId | None = None,
    ) -> EmbeddedJws:
        """Return the holder's signed consent to a sale within limits."""
        is_sale = side == "sell"
        asset: AssetId = coin_asset(COIN, stage.member(self.exchange).participant) if is_sale else TENGE
        mandate = Mandate(
            network=stage.network.id,
            account=self.coin if is_sale else self.tenge,
            purpose=PURPOSE,
            asset=asset,
            maximum=maximum,
            expires=TimestampUs(stage.clock.now_us() + MANDATE_DAYS * DAY_US),
            nonce=new_nonce(),
            payee=payee,
            coin=COIN,
            side="sell" if is_sale else "buy",
            limit_price=limit_price,
        )
        return sign_mandate(mandate, self.key)


def desk(stage: Stage, holder: str, exchange: str) -> Desk:
    """Return the desk of a buyer or miner."""
    member = stage.member(exchange)
    return Desk(
        holder,
        exchange,
        account_of(member, f"{holder}t"),
        account_of(member, f"{holder}c"),
        stage.holder_key(exchange, holder),
    )


def fee_account(stage: Stage, exchange: str) -> AccountId:
    """Return the account for fees."""
    return account_of(stage.member(exchange), "fees")


def house_account(stage: Stage, exchange: str) -> AccountId:
    """Return the exchange's own trading account."""
    return account_of(stage.member(exchange), "house")


def house_coin_account(stage: Stage, exchange: str) -> AccountId:
    """Return the exchange's own account in the coin."""
    return account_of(stage.member(exchange), "housec")


def omnibus_account(stage: Stage, exchange: str) -> AccountId:
    """Return the account of clients that is bound to no key."""
    return account_of(stage.member(exchange), "omnibus")


def buyer_wallet(stage: Stage, bank: str, holder: str) -> AccountId:
    """Return a buyer's wallet at a bank."""
    return account_of(stage.member(bank), holder)


def play_accounts(stage: Stage) -> None:
    """Open every account at the exchanges; buyers fund theirs from their wallets."""
    stage.show.act("Exchanges: accounts opened, buyers pay in")
    stage.move_to(DATES[0], 14)
    for plan in EXCHANGES:
        _open_house(stage, plan.participant)
    for miner in MINER_PLANS:
        own = desk(stage, miner.miner, miner.exchange)
        _open_desk(stage, own, "miner_proceeds")
        stage.do(miner.miner, "miner_account_confirm", MinerAccountConfirm(account=own.coin))
    for buyer in BUYERS:
        _open_desk(stage, desk(stage, buyer.holder, buyer.exchange), "client_segregated")
    _open_desk(stage, desk(stage, "affiliate", "exchange-two"), "affiliate_client")
    _fund_buyers(stage)
    stage.show.step("each client account is bound to its holder's key; the five miners confirmed theirs")


def _open_house(stage: Stage, exchange: str) -> None:
    coin = coin_asset(COIN, stage.member(exchange).participant)
    new = (
        NewAccount(account=fee_account(stage, exchange), asset=TENGE, account_class="fee"),
        NewAccount(account=house_account(stage, exchange), asset=TENGE, account_class="house"),
        NewAccount(account=house_coin_account(stage, exchange), asset=coin, account_class="house"),
        NewAccount(
            account=omnibus_account(stage, exchange), asset=TENGE, account_class="client_segregated", holder="omnibus"
        ),
    )
    stage.do(exchange, "account_open", AccountOpen(accounts=new))


def _open_desk(stage: Stage, own: Desk, account_class: str) -> None:
    coin = coin_asset(COIN, stage.member(own.exchange).participant)
    new = tuple(
        NewAccount(
            account=account,
            asset=asset,
            account_class=account_class,
            holder=own.holder,
            holder_key=own.key.public.x,
        )
        for account, asset in ((own.tenge, TENGE), (own.coin, coin))
    )
    stage.do(own.exchange, "account_open", AccountOpen(accounts=new), cosigners=(own.key,))


def _fund_buyers(stage: Stage) -> None:
    for plan in BANKS:
        bank = stage.member(plan.participant)
        buyers = [buyer for buyer in BUYERS if buyer.bank == plan.participant]
        wallets = [(buyer, buyer_wallet(stage, buyer.bank, buyer.holder)) for buyer in buyers]
        new = tuple(
            NewAccount(account=wallet, asset=TENGE, account_class="wallet", holder=buyer.holder)
            for buyer, wallet in wallets
        )
        stage.do(plan.participant, "account_open", AccountOpen(accounts=new))
        lines = tuple(
            Line(debit=own_account(bank), credit=wallet, amount=buyer.funds_tiyn, label=buyer.holder)
            for buyer, wallet in wallets
        )
        stage.do(plan.participant, "bulk_transfer", BulkTransfer(asset=TENGE, is_atomic=True, lines=lines))
        for buyer, wallet in wallets:
            account = desk(stage, buyer.holder, buyer.exchange).tenge
            pay_in = Transfer(debit=wallet, credit=account, asset=TENGE, amount=buyer.funds_tiyn)
            stage.do(plan.participant, "transfer", pay_in)
    first = stage.member(BANKS[0].participant)
    to_omnibus = Transfer(
        debit=own_account(first), credit=omnibus_account(stage, "exchange-two"), asset=TENGE, amount=OMNIBUS_TIYN
    )
    stage.do(first.participant, "transfer", to_omnibus)
