"""The five payments of the FTX complaint at Exchange Two, tried by every way an exchange has, each refused by name."""

from collections import Counter
from typing import Final

from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.units import AMOUNT_MAX, AccountId, BusinessDate
from settlement.ftx_pattern import PAYMENTS, Attempt, Payment, Signer, attempts
from settlement.ftx_pattern import Stage as Pattern
from settlement.rules.dvp import DvpSettle
from settlement.views.reference_prices import reference_prices
from wallet_api.client import Problem, Refused
from wallet_api.sandbox.pilot_accounts import buyer_wallet, desk, fee_account, house_account, house_coin_account
from wallet_api.sandbox.pilot_market import COIN_SCALE
from wallet_api.sandbox.pilot_misuse import CLIENT, EXCHANGE
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd, account_of, local_time_us

FOUNDER: Final = "founder"
"""Somebody with a wallet at a bank, as that bank calls him."""

FOUNDERS_BANK: Final = "bank-c"


def play_ftx_pattern(stage: Stage, date: str) -> None:
    """Try all of it; whatever is not refused by its own rule ends the pilot.

    Raises:
        UnexpectedEnd: an attempt met another end.
    """
    stage.show.act("The five payments of the FTX complaint, by every way there is")
    stage.move_to(date, 17, 30)
    pattern = _pattern(stage, date)
    refused: Counter[str] = Counter()
    for number, payment in enumerate(PAYMENTS, 1):
        for attempt in attempts(pattern, payment, number):
            _try(stage, payment, attempt)
            refused[attempt.refused_by] += 1
    for code, count in sorted(refused.items()):
        stage.tally.refused.append((f"FTX pattern, {count} attempts", code))
        stage.show.refused(f"FTX pattern, {count} attempts", code)
    stage.show.step(f"{len(PAYMENTS)} payments, {refused.total()} attempts, none went through")


def _try(stage: Stage, payment: Payment, attempt: Attempt) -> None:
    keys = {
        Signer.CLIENT: desk(stage, CLIENT, EXCHANGE).key,
        Signer.BANK: stage.member(FOUNDERS_BANK).signers(1)[0],
    }
    text = f"{payment.date}, {attempt.way}"
    cosigners = [keys[signer] for signer in attempt.signers]
    try:
        stage.client(EXCHANGE).submit(attempt.kind, attempt.body, cosigners=cosigners)
    except (Refused, Problem) as error:
        if error.code != attempt.refused_by:
            raise UnexpectedEnd(f"{text}: expected {attempt.refused_by}, got {error}") from error
        return
    raise UnexpectedEnd(f"{text}: expected {attempt.refused_by}, got an acceptance")


def _pattern(stage: Stage, date: str) -> Pattern:
    member = stage.member(EXCHANGE)
    client, other, affiliate = (desk(stage, name, EXCHANGE) for name in (CLIENT, "buyer-4", "affiliate"))
    price = reference_prices()[BusinessDate(date)]

    def sale(quantity: int, asked: int, fee: int) -> DvpSettle:
        return DvpSettle(
            trade="T-FTX",
            coin=COIN,
            quantity=quantity,
            price=asked,
            seller_coin=affiliate.coin,
            seller_tenge=affiliate.tenge,
            buyer_tenge=client.tenge,
            buyer_coin=client.coin,
            fee=fee,
            fee_account=fee_account(stage, EXCHANGE) if fee else None,
            reference_price=price,
            reference_date=BusinessDate(date),
            executed_us=local_time_us(date, 16, 30),
            seller_mandate=affiliate.mandate(stage, side="sell", maximum=AMOUNT_MAX, limit_price=price // 2),
            buyer_mandate=client.mandate(stage, side="buy", maximum=AMOUNT_MAX, limit_price=price),
        )

    return Pattern(
        exchange=member.participant,
        client_tenge=client.tenge,
        client_coin=client.coin,
        other_client=other.tenge,
        affiliate_tenge=affiliate.tenge,
        affiliate_coin=affiliate.coin,
        house=house_account(stage, EXCHANGE),
        house_coin=house_coin_account(stage, EXCHANGE),
        fee=fee_account(stage, EXCHANGE),
        escrow=_escrow(stage),
        wallet=_founders_wallet(stage),
        client_at_bank=CLIENT,
        coin_scale=COIN_SCALE,
        sale=sale,
        fair_price=price,
    )


def _escrow(stage: Stage) -> AccountId:
    """An account for tax at the exchange, which nobody has confirmed as the authority's."""
    key = desk(stage, "affiliate", EXCHANGE).key
    account = account_of(stage.member(EXCHANGE), "escrow")
    new = NewAccount(
        account=account, asset=TENGE, account_class="tax_escrow", holder="affiliate", holder_key=key.public.x
    )
    stage.do(EXCHANGE, "account_open", AccountOpen(accounts=(new,)), cosigners=(key,))
    return account


def _founders_wallet(stage: Stage) -> AccountId:
    wallet = buyer_wallet(stage, FOUNDERS_BANK, FOUNDER)
    new = NewAccount(account=wallet, asset=TENGE, account_class="wallet", holder=FOUNDER)
    stage.do(FOUNDERS_BANK, "account_open", AccountOpen(accounts=(new,)))
    return wallet
