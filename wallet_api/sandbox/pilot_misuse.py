"""Fourth act: what FTX did with its clients' money, tried at Exchange Two step by step, and refused by name.

The steps follow the findings of the courts and regulators: client money used by the house, client money moved to an
affiliate "as a loan", balances that went below zero, coins entered without any behind them, a token of its own. To
them come three that a ledger invites: good news held back, a sale dated back, a consent used after it was taken back.
"""

from typing import Final

import msgspec

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import AccountId, BusinessDate, Kid
from settlement.model.trades import tenge_amount
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import CustodyCredit
from settlement.rules.dvp import DvpSettle
from settlement.rules.mandates import MandateCancel, mandate_digest
from settlement.views.reference_prices import reference_prices
from wallet_api.sandbox.pilot_accounts import (
    Desk,
    desk,
    fee_account,
    house_account,
    house_coin_account,
    omnibus_account,
)
from wallet_api.sandbox.pilot_market import COIN_SCALE
from wallet_api.sandbox.pilot_opening import COIN, OPENING_LOOK_US, attestation
from wallet_api.sandbox.pilot_plan import ATTESTED, BTC, TENGE_TIYN
from wallet_api.sandbox.pilot_stage import Stage, account_of, local_time_us

EXCHANGE: Final = "exchange-two"
"""Where it is tried."""

CLIENT: Final = "buyer-3"
"""The client whose money it is."""

MISUSED_TIYN: Final = 1_000_000 * TENGE_TIYN
"""What each step tries to move."""

FROM_NOTHING: Final = 5 * BTC
"""Coins that nobody has."""

DATED_BACK: Final = "2025-01-01"
"""The last date on which Miner Three had a licence."""


def play_misuse(stage: Stage, date: str) -> None:
    """Try each step; every one must be refused by its own name."""
    stage.show.act("The FTX pattern at Exchange Two, refused step by step")
    stage.move_to(date, 17)
    _client_money_to_the_house(stage)
    _client_money_to_the_affiliate(stage)
    _below_zero(stage)
    _coins_from_nothing(stage, date)
    _consent_and_time(stage, date)
    _own_token(stage)


def _client_money_to_the_house(stage: Stage) -> None:
    house = house_account(stage, EXCHANGE)
    client = desk(stage, CLIENT, EXCHANGE)
    taken = _transfer(client.tenge, house)
    stage.must_be_refused(
        "client money to the house, without the client", "signatures_insufficient", EXCHANGE, "transfer", taken
    )
    stage.must_be_refused(
        "client money to the house, the client's signature obtained",
        "client_money_to_house",
        EXCHANGE,
        "transfer",
        taken,
        cosigners=(client.key,),
    )
    pooled = omnibus_account(stage, EXCHANGE)
    stage.must_be_refused(
        "pooled client money to the house", "client_money_to_house", EXCHANGE, "transfer", _transfer(pooled, house)
    )
    line = Line(debit=pooled, credit=house, amount=MISUSED_TIYN, label="sweep")
    stage.must_be_refused(
        "the same, hidden in a bulk",
        "client_account_needs_own_kind",
        EXCHANGE,
        "bulk_transfer",
        BulkTransfer(asset=TENGE, is_atomic=True, lines=(line,)),
    )
    stage.must_be_refused(
        "the same, as a general journal entry",
        "client_account_needs_own_kind",
        EXCHANGE,
        "journal_entry",
        JournalEntry(postings=_legs(pooled, house)),
    )


def _client_money_to_the_affiliate(stage: Stage) -> None:
    affiliate = desk(stage, "affiliate", EXCHANGE)
    client = desk(stage, CLIENT, EXCHANGE)
    stage.must_be_refused(
        'client money to the affiliate, "as a loan"',
        "client_money_to_affiliate",
        EXCHANGE,
        "transfer",
        _transfer(client.tenge, affiliate.tenge),
        cosigners=(client.key,),
    )
    stage.must_be_refused(
        'client money to another client, "as an investment"',
        "client_money_purpose",
        EXCHANGE,
        "transfer",
        _transfer(omnibus_account(stage, EXCHANGE), desk(stage, "buyer-4", EXCHANGE).tenge),
    )


def _below_zero(stage: Stage) -> None:
    spent = _transfer(house_account(stage, EXCHANGE), fee_account(stage, EXCHANGE))
    stage.must_be_refused("the house goes below zero", "insufficient_funds", EXCHANGE, "transfer", spent)


def _coins_from_nothing(stage: Stage, date: str) -> None:
    affiliate = desk(stage, "affiliate", EXCHANGE)
    stage.must_be_refused(
        "coins credited to the house",
        "custody_to_house",
        EXCHANGE,
        "custody_credit",
        CustodyCredit(account=house_coin_account(stage, EXCHANGE), amount=FROM_NOTHING, deposit="nothing-1"),
    )
    stage.must_be_refused(
        "coins credited to the affiliate, beyond the attested reserve",
        "reserve_exceeded",
        EXCHANGE,
        "custody_credit",
        CustodyCredit(account=affiliate.coin, amount=FROM_NOTHING, deposit="nothing-2"),
    )
    held = attestation(stage, EXCHANGE, quantity=ATTESTED[EXCHANGE] + FROM_NOTHING, observed_us=OPENING_LOOK_US)
    stage.must_be_refused(
        "an attestation of better days, held back since the opening",
        "attestation_stale",
        EXCHANGE,
        "reserve_attest",
        held,
        cosigners=stage.member("auditor").signers(1),
    )
    stage.must_be_refused(
        "coins that do not exist, sold to a client",
        "insufficient_funds",
        EXCHANGE,
        "dvp_settle",
        _sale_of_nothing(stage, affiliate, date),
    )


def _consent_and_time(stage: Stage, date: str) -> None:
    sale = _sale_of_nothing(stage, desk(stage, "affiliate", EXCHANGE), date)
    client = desk(stage, CLIENT, EXCHANGE)
    cancel = MandateCancel(mandate=mandate_digest(sale.buyer_mandate), kid=Kid(client.key.public.kid))
    stage.do_as_holder(EXCHANGE, "mandate_cancel", cancel, client.key)
    stage.must_be_refused(
        "a purchase the client agreed to and took back", "mandate_cancelled", EXCHANGE, "dvp_settle", sale
    )
    stage.must_be_refused(
        "a sale dated back to when a licence was active",
        "execution_too_old",
        EXCHANGE,
        "dvp_settle",
        msgspec.structs.replace(sale, executed_us=local_time_us(DATED_BACK, 16, 30)),
    )


def _own_token(stage: Stage) -> None:
    stage.do("supervisor", "registry_coin", RegistryCoin(coin="XTWO", scale=8, issued_by=EXCHANGE))
    contra = account_of(stage.member(EXCHANGE), "contraxtwo")
    stage.must_be_refused(
        "a token of the exchange's own, to be admitted",
        "own_token_not_admitted",
        EXCHANGE,
        "coin_admit",
        CoinAdmit(coin="XTWO", contra=contra),
        cosigners=stage.member("supervisor").signers(1),
    )


def _sale_of_nothing(stage: Stage, affiliate: Desk, date: str) -> DvpSettle:
    client = desk(stage, CLIENT, EXCHANGE)
    price = reference_prices()[BusinessDate(date)]
    amount = tenge_amount(BTC, price, COIN_SCALE)
    return DvpSettle(
        trade="T-NOTHING",
        coin=COIN,
        quantity=BTC,
        price=price,
        seller_coin=affiliate.coin,
        seller_tenge=affiliate.tenge,
        buyer_tenge=client.tenge,
        buyer_coin=client.coin,
        reference_price=price,
        reference_date=BusinessDate(date),
        executed_us=local_time_us(date, 16, 30),
        seller_mandate=affiliate.mandate(stage, side="sell", maximum=BTC, limit_price=price),
        buyer_mandate=client.mandate(stage, side="buy", maximum=amount, limit_price=price),
    )


def _transfer(debit: AccountId, credit: AccountId) -> Transfer:
    return Transfer(debit=debit, credit=credit, asset=TENGE, amount=MISUSED_TIYN)


def _legs(debit: AccountId, credit: AccountId) -> tuple[Posting, Posting]:
    return (
        Posting(account=debit, asset=TENGE, amount=MISUSED_TIYN, side=Side.DEBIT),
        Posting(account=credit, asset=TENGE, amount=MISUSED_TIYN, side=Side.CREDIT),
    )
