"""Delivery versus payment: one sale is one entry with coins, tenge and the posted fee. Both legs, or neither.

BIS model 1, gross, within one exchange: the coins are what the exchange owes its clients, the tenge is central bank
money. The buyer must hold the tenge and the seller the coins when the entry is posted; nothing is lent. The fee comes
out of what the seller is paid.

The amount is quantity times price, rounded down to a tiyn, so the buyer never pays above the agreed price. The seller
bears the rounding, which is why a sale is of one tenge at least (less than one per cent is lost), and why the seller's
limit is held against what the rounded amount comes to for one whole coin: a limit right at the price is refused where
the amount is not a whole number of tiyn.
"""

from collections.abc import Iterable
from typing import Any

from ledger.crypto.canonical import b64url
from ledger.model.assets import TENGE, Asset
from ledger.model.journal import Entry
from ledger.model.outcome import Refused
from ledger.model.record import Record
from ledger.model.transactions import EmbeddedJws
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import Table, View
from ledger.units import (
    AccountField,
    AmountField,
    AssetId,
    DateField,
    LabelField,
    ParticipantId,
    TimestampField,
    TotalField,
)
from settlement.model.registers import CoinField
from settlement.model.trades import tenge_amount
from settlement.rules.coins import VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.custody import COIN_NOT_ADMITTED
from settlement.rules.mandates import MANDATE_REFUSALS
from settlement.rules.price_limits import PRICE_REFUSALS, refuse_price
from settlement.rules.sales import (
    DUP_CASH_LEG,
    DVP_ACCOUNT_UNFIT,
    DVP_HOLDER_DIFFERS,
    EXECUTION_IN_FUTURE,
    EXECUTION_TOO_OLD,
    FEE_ABOVE_TARIFF,
    FEE_ACCOUNT_UNFIT,
    MINER_ACCOUNT_UNCONFIRMED,
    MINER_LICENCE_INVALID,
    REFERENCE_DATE_INVALID,
    SELF_TRADE,
    TRADE_AMOUNT_OUT_OF_RANGE,
    TRADE_REPEATED,
    Moved,
    Parties,
    admitted_coin,
    credit,
    debit,
    executed_on,
    find_parties,
    quota_claim,
    refuse_amount,
    refuse_buyer_mandate,
    refuse_claimed,
    refuse_execution,
    refuse_fee,
    refuse_miner,
    refuse_reference,
    refuse_seller_mandate,
)
from settlement.rules.tables import CASH_LEGS, CLAIMS, MANDATES_USED, TRADES


class DvpSettle(Record, frozen=True, kw_only=True):
    """Settle one executed sale of coins against tenge."""

    trade: LabelField
    """The exchange's number of the trade, unique for ever."""
    coin: CoinField
    quantity: AmountField
    """In the coin's smallest unit."""
    price: AmountField
    """Tiyn for one whole coin."""
    seller_coin: AccountField
    seller_tenge: AccountField
    buyer_tenge: AccountField
    buyer_coin: AccountField
    fee: TotalField = 0
    """Tiyn, at most what the tariff allows; paid by the seller out of the proceeds."""
    fee_account: AccountField | None = None
    """Account of class fee, if there is a fee."""
    reference_price: AmountField
    """The published price of the coin, in tiyn for one whole coin; on record for later comparison."""
    reference_date: DateField
    """The day that price was published for."""
    executed_us: TimestampField
    """When buyer and seller were matched, as the exchange attests."""
    seller_mandate: EmbeddedJws
    buyer_mandate: EmbeddedJws


def _settle(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpSettle = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    coin = _refuse_trade(view, submitted, body, exchange)
    if isinstance(coin, Refused):
        return coin
    parties = find_parties(view, body, exchange, coin.asset)
    if isinstance(parties, Refused):
        return parties
    amount = tenge_amount(body.quantity, body.price, coin.scale)
    moved = Moved(body.quantity, amount, body.fee)
    refused = (
        refuse_amount(amount)
        or _refuse_mandates(view, submitted, body, parties, moved, coin.scale)
        or refuse_miner(view, body, parties, body.executed_us, submitted.time_us)
        or refuse_reference(view, body)
        or refuse_price(view, body, executed_on(view, body), submitted.business_date)
        or refuse_fee(view, exchange, submitted.business_date, amount, body.fee, body.fee_account)
    )
    if refused is not None:
        return refused
    # From here only the posting rules and the guards may refuse.
    key = f"{exchange}/{body.trade}"
    seller, buyer = submitted.signed.mandates
    used = [(seller.digest, body.quantity), (buyer.digest, amount)]
    changes: list[tuple[Table[Any], str, Any]] = [
        (TRADES, key, submitted.signed.transaction_id.hex()),
        *((MANDATES_USED, digest, (view.get(MANDATES_USED, digest) or 0) + taken) for digest, taken in used),
    ]
    if parties.is_miners:
        transaction = b64url(submitted.signed.transaction_id)
        claim = quota_claim(view, body, parties, moved, settled_us=submitted.time_us, transaction=transaction)
        changes += [(CLAIMS, key, claim), (CASH_LEGS, claim.transaction, key)]
    return Proposal(entries=(_entry(body, coin.asset, amount),), changes=tuple(changes))


def _refuse_trade(view: View, submitted: Submitted, body: DvpSettle, exchange: ParticipantId) -> Asset | Refused:
    """The coin's asset at this exchange, or why no trade of it may settle."""
    if refused := refuse_execution(body.executed_us, submitted.time_us):
        return refused
    if refused := refuse_venue(view, exchange, body.executed_us, submitted.time_us):
        return refused
    asset = admitted_coin(view, body.coin, exchange)
    if isinstance(asset, Refused):
        return asset
    if view.get(TRADES, f"{exchange}/{body.trade}") is not None:
        return Refused(TRADE_REPEATED, detail=f"trade {body.trade}")
    return refuse_claimed(view, submitted.signed.transaction_id) or asset


def _refuse_mandates(
    view: View, submitted: Submitted, body: DvpSettle, parties: Parties, moved: Moved, scale: int
) -> Refused | None:
    seller, buyer = submitted.signed.mandates
    time_us = submitted.time_us
    return refuse_seller_mandate(
        view, seller, body, parties.seller_coin, moved, scale=scale, time_us=time_us
    ) or refuse_buyer_mandate(view, buyer, body, parties.buyer_tenge, moved, time_us=time_us)


def _entry(body: DvpSettle, coin: AssetId, amount: int) -> Entry:
    postings = [
        debit(body.seller_coin, coin, body.quantity),
        debit(body.buyer_tenge, TENGE, amount),
        credit(body.buyer_coin, coin, body.quantity),
        credit(body.seller_tenge, TENGE, amount - body.fee),
    ]
    if body.fee:
        assert body.fee_account is not None, "a fee was refused without an account"
        postings.append(credit(body.fee_account, TENGE, body.fee))
    return Entry(tuple(postings), mandated=(body.seller_coin, body.buyer_tenge))


def _mandates(body: DvpSettle) -> Iterable[EmbeddedJws]:
    return (body.seller_mandate, body.buyer_mandate)


MODULE = RuleModule(
    name="dvp",
    meaning="Sales of coins against tenge, both legs or neither.",
    tables=(TRADES, CLAIMS),
    kinds=(
        Kind(
            name="dvp_settle",
            body=DvpSettle,
            meaning="Settle one executed sale of coins against tenge.",
            refusals=(
                EXECUTION_IN_FUTURE,
                EXECUTION_TOO_OLD,
                VENUE_LICENCE_INVALID,
                COIN_NOT_ADMITTED,
                TRADE_REPEATED,
                DUP_CASH_LEG,
                DVP_ACCOUNT_UNFIT,
                DVP_HOLDER_DIFFERS,
                SELF_TRADE,
                TRADE_AMOUNT_OUT_OF_RANGE,
                *MANDATE_REFUSALS,
                MINER_ACCOUNT_UNCONFIRMED,
                MINER_LICENCE_INVALID,
                REFERENCE_DATE_INVALID,
                *PRICE_REFUSALS,
                FEE_ABOVE_TARIFF,
                FEE_ACCOUNT_UNFIT,
            ),
            decide=_settle,
            mandates=_mandates,
        ),
    ),
)
