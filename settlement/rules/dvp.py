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
from dataclasses import dataclass
from typing import Any, Final

from ledger.crypto.canonical import b64url
from ledger.model.accounts import Account
from ledger.model.assets import TENGE, Asset
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.model.transactions import EmbeddedJws
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, THE, UTC_OFFSETS
from ledger.state import Table, View
from ledger.units import (
    AMOUNT_MAX,
    AccountField,
    AccountId,
    AmountField,
    AssetId,
    DateField,
    LabelField,
    ParticipantId,
    TimestampField,
    TotalField,
)
from settlement.model.custody import fee_limit
from settlement.model.local_time import calendar_date, local_date
from settlement.model.registers import CoinField
from settlement.model.trades import TRADE_AMOUNT_MIN, QuotaClaim, price_received, tenge_amount
from settlement.rules.classes import BUYER_CLASSES, FEE, MINER_PROCEEDS, SELLER_CLASSES
from settlement.rules.coins import VENUE_LICENCE_INVALID, coin_asset, refuse_venue
from settlement.rules.custody import COIN_NOT_ADMITTED
from settlement.rules.mandates import MANDATE_REFUSALS, refuse_mandate
from settlement.rules.miners import has_licence
from settlement.rules.tables import CLAIMS, MANDATES_USED, MINER_ACCOUNTS, TRADES
from settlement.rules.tariff import fee_ppm_on

EXECUTION_AGE_MAX_US: Final = 24 * 3_600_000_000
"""Longest time between execution and settlement, in microseconds. The exchange alone attests the execution, so an old
one could be made up for the days when a licence was still active; a day leaves room for a night's repair."""


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


EXECUTION_IN_FUTURE = RefusalCode("execution_in_future", "The trade was executed after the ledger's time.")
EXECUTION_TOO_OLD = RefusalCode(
    "execution_too_old", "The trade was executed more than 24 hours before the ledger's time."
)
TRADE_REPEATED = RefusalCode("trade_repeated", "The exchange settled a trade of this number before.", iso="AM05")
DVP_ACCOUNT_UNFIT = RefusalCode(
    "dvp_account_unfit",
    "Each account must be kept by this exchange, in the right asset, for a client or miner that may sell or buy.",
    iso="AG01",
)
DVP_HOLDER_DIFFERS = RefusalCode(
    "dvp_holder_differs",
    "Coins and tenge of one side belong to one named holder, in one class, bound to one key.",
    iso="AG01",
)
SELF_TRADE = RefusalCode("self_trade", "Seller and buyer are the same holder.")
MINER_ACCOUNT_UNCONFIRMED = RefusalCode(
    "miner_account_unconfirmed", "The miner has not confirmed the account as its own.", is_transient=True
)
MINER_LICENCE_INVALID = RefusalCode(
    "miner_licence_invalid",
    "The miner had no active licence when the trade was executed, or has none as it settles.",
    iso="AG01",
)
REFERENCE_DATE_INVALID = RefusalCode(
    "reference_date_invalid", "The date of the reference price does not exist or is later than the trade."
)
TRADE_AMOUNT_OUT_OF_RANGE = RefusalCode(
    "trade_amount_out_of_range", "Quantity times price is below one tenge or above the largest posting.", iso="AM02"
)
FEE_ABOVE_TARIFF = RefusalCode("fee_above_tariff", "The fee is more than the exchange has posted.")
FEE_ACCOUNT_UNFIT = RefusalCode(
    "fee_account_unfit", "A fee goes to an account of class fee of this exchange, in tenge.", iso="AG01"
)


@dataclass(frozen=True, slots=True)
class _Parties:
    """The four accounts of a sale, looked up and fit."""

    seller_coin: Account
    seller_tenge: Account
    buyer_tenge: Account
    buyer_coin: Account


def _settle(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpSettle = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    coin = _refuse_trade(view, submitted, body, exchange)
    if isinstance(coin, Refused):
        return coin
    parties = _parties(view, body, exchange, coin.asset)
    if isinstance(parties, Refused):
        return parties
    amount = tenge_amount(body.quantity, body.price, coin.scale)
    refused = (
        _refuse_amount(amount)
        or _refuse_mandates(view, submitted, body, parties, amount, coin.scale)
        or _refuse_miner(view, submitted, body, parties)
        or _refuse_reference(view, body)
        or _refuse_fee(view, submitted, body, amount)
    )
    if refused is not None:
        return refused
    # From here only the posting rules and the guards may refuse.
    key = f"{exchange}/{body.trade}"
    seller, buyer = submitted.signed.mandates
    used = [(seller.digest, body.quantity), (buyer.digest, amount)]
    changes: list[tuple[Table[Any], str, Any]] = [
        (TRADES, key, submitted.signed.transaction_id.hex()),
        *((MANDATES_USED, digest, (view.get(MANDATES_USED, digest) or 0) + debit) for digest, debit in used),
    ]
    if parties.seller_coin.account_class == MINER_PROCEEDS.name:
        changes.append((CLAIMS, key, _claim(view, submitted, body, parties, amount)))
    return Proposal(entries=(_entry(body, coin.asset, amount),), changes=tuple(changes))


def _refuse_trade(view: View, submitted: Submitted, body: DvpSettle, exchange: ParticipantId) -> Asset | Refused:
    """The coin's asset at this exchange, or why no trade of it may settle."""
    if body.executed_us > submitted.time_us:
        return Refused(EXECUTION_IN_FUTURE, detail=f"executed at {body.executed_us}, now {submitted.time_us}")
    if body.executed_us < submitted.time_us - EXECUTION_AGE_MAX_US:
        return Refused(EXECUTION_TOO_OLD, detail=f"executed at {body.executed_us}, now {submitted.time_us}")
    if refused := refuse_venue(view, exchange, body.executed_us, submitted.time_us):
        return refused
    asset = view.get(ASSETS, coin_asset(body.coin, exchange))
    if asset is None:
        return Refused(COIN_NOT_ADMITTED, detail=f"coin {body.coin}")
    if view.get(TRADES, f"{exchange}/{body.trade}") is not None:
        return Refused(TRADE_REPEATED, detail=f"trade {body.trade}")
    return asset


def _parties(view: View, body: DvpSettle, exchange: ParticipantId, coin: AssetId) -> _Parties | Refused:
    expected = (
        (body.seller_coin, coin, SELLER_CLASSES),
        (body.seller_tenge, TENGE, SELLER_CLASSES),
        (body.buyer_tenge, TENGE, BUYER_CLASSES),
        (body.buyer_coin, coin, BUYER_CLASSES),
    )
    found = []
    for account_id, asset, classes in expected:
        account = view.get(ACCOUNTS, account_id)
        if (
            account is None
            or account.owner != exchange
            or account.asset != asset
            or account.account_class not in classes
        ):
            return Refused(DVP_ACCOUNT_UNFIT, detail=f"account {account_id}, expected {asset} at {exchange}")
        found.append(account)
    parties = _Parties(*found)
    for one, other in (
        (parties.seller_coin, parties.seller_tenge),
        (parties.buyer_tenge, parties.buyer_coin),
    ):
        if one.holder is None or _identity(one) != _identity(other):
            return Refused(DVP_HOLDER_DIFFERS, detail=f"holders {one.holder} and {other.holder}")
    seller, buyer = parties.seller_coin, parties.buyer_tenge
    if seller.holder == buyer.holder or (seller.holder_key is not None and seller.holder_key == buyer.holder_key):
        return Refused(SELF_TRADE, detail=f"holder {seller.holder}")
    return parties


def _identity(account: Account) -> tuple[str | None, str, str | None]:
    """Whose account it is. The key counts: else proceeds could go where another key disposes of them."""
    return account.holder, account.account_class, account.holder_key


def _refuse_amount(amount: int) -> Refused | None:
    if TRADE_AMOUNT_MIN <= amount <= AMOUNT_MAX:
        return None
    return Refused(TRADE_AMOUNT_OUT_OF_RANGE, detail=f"expected {TRADE_AMOUNT_MIN} to {AMOUNT_MAX} tiyn, got {amount}")


def _refuse_mandates(
    view: View, submitted: Submitted, body: DvpSettle, parties: _Parties, amount: int, scale: int
) -> Refused | None:
    seller, buyer = submitted.signed.mandates
    return refuse_mandate(
        view,
        seller,
        account_id=body.seller_coin,
        account=parties.seller_coin,
        side="sell",
        coin=body.coin,
        price=price_received(amount, body.quantity, scale),
        debit=body.quantity,
        payee=body.buyer_coin,
        time_us=submitted.time_us,
    ) or refuse_mandate(
        view,
        buyer,
        account_id=body.buyer_tenge,
        account=parties.buyer_tenge,
        side="buy",
        coin=body.coin,
        price=body.price,
        debit=amount,
        payee=body.seller_tenge,
        time_us=submitted.time_us,
    )


def _refuse_miner(view: View, submitted: Submitted, body: DvpSettle, parties: _Parties) -> Refused | None:
    if parties.seller_coin.account_class != MINER_PROCEEDS.name:
        return None
    miner = view.get(MINER_ACCOUNTS, body.seller_coin)
    if miner is None:
        return Refused(MINER_ACCOUNT_UNCONFIRMED, detail=f"account {body.seller_coin}")
    for moment in (body.executed_us, submitted.time_us):
        if not has_licence(view, miner, moment):
            return Refused(MINER_LICENCE_INVALID, detail=f"miner {miner} at {moment}")
    return None


def _refuse_reference(view: View, body: DvpSettle) -> Refused | None:
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    if calendar_date(body.reference_date) is None or body.reference_date > local_date(offsets, body.executed_us):
        return Refused(REFERENCE_DATE_INVALID, detail=f"date {body.reference_date}")
    return None


def _refuse_fee(view: View, submitted: Submitted, body: DvpSettle, amount: int) -> Refused | None:
    exchange = submitted.signed.transaction.participant
    limit = fee_limit(amount, fee_ppm_on(view, exchange, submitted.business_date))
    if body.fee > limit:
        return Refused(FEE_ABOVE_TARIFF, detail=f"expected at most {limit} tiyn, got {body.fee}")
    if body.fee == 0:
        return None
    account = None if body.fee_account is None else view.get(ACCOUNTS, body.fee_account)
    if account is None or account.owner != exchange or account.account_class != FEE.name or account.asset != TENGE:
        return Refused(FEE_ACCOUNT_UNFIT, detail=f"account {body.fee_account}")
    return None


def _entry(body: DvpSettle, coin: AssetId, amount: int) -> Entry:
    postings = [
        _debit(body.seller_coin, coin, body.quantity),
        _debit(body.buyer_tenge, TENGE, amount),
        _credit(body.buyer_coin, coin, body.quantity),
        _credit(body.seller_tenge, TENGE, amount - body.fee),
    ]
    if body.fee:
        assert body.fee_account is not None, "a fee was refused without an account"
        postings.append(_credit(body.fee_account, TENGE, body.fee))
    return Entry(tuple(postings), mandated=(body.seller_coin, body.buyer_tenge))


def _debit(account: AccountId, asset: AssetId, amount: int) -> Posting:
    return Posting(account=account, asset=asset, amount=amount, side=Side.DEBIT)


def _credit(account: AccountId, asset: AssetId, amount: int) -> Posting:
    return Posting(account=account, asset=asset, amount=amount, side=Side.CREDIT)


def _claim(view: View, submitted: Submitted, body: DvpSettle, parties: _Parties, amount: int) -> QuotaClaim:
    offsets = view.get(UTC_OFFSETS, THE)
    miner = parties.seller_coin.holder
    assert offsets is not None, "genesis writes the offsets"
    assert miner is not None, "both sides have named holders"
    return QuotaClaim(
        miner=ParticipantId(miner),
        coin=body.coin,
        quantity=body.quantity,
        executed_us=body.executed_us,
        executed_on=local_date(offsets, body.executed_us),
        settled_us=submitted.time_us,
        price=body.price,
        amount=amount,
        fee=body.fee,
        reference_price=body.reference_price,
        reference_date=body.reference_date,
        transaction=b64url(submitted.signed.transaction_id),
    )


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
                DVP_ACCOUNT_UNFIT,
                DVP_HOLDER_DIFFERS,
                SELF_TRADE,
                TRADE_AMOUNT_OUT_OF_RANGE,
                *MANDATE_REFUSALS,
                MINER_ACCOUNT_UNCONFIRMED,
                MINER_LICENCE_INVALID,
                REFERENCE_DATE_INVALID,
                FEE_ABOVE_TARIFF,
                FEE_ACCOUNT_UNFIT,
            ),
            decide=_settle,
            mandates=_mandates,
        ),
    ),
)
