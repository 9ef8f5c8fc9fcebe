"""What holds for every sale of coins against tenge, whichever way it settles: one step, instructed, or in a batch.

Each function refuses for one reason or a few; the kinds put them in their order. What is agreed of a sale is handed
over as its terms, for which a body will do.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from ledger.crypto.canonical import b64url
from ledger.model.accounts import Account
from ledger.model.assets import TENGE, Asset
from ledger.model.journal import Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.transactions import VerifiedMandate
from ledger.rules.tables import ACCOUNTS, ASSETS, THE, UTC_OFFSETS
from ledger.state import Table, View
from ledger.units import (
    AMOUNT_MAX,
    AccountId,
    AssetId,
    BusinessDate,
    DigestField,
    ParticipantId,
    TimestampUs,
)
from settlement.model.claims import Reason, Verdict
from settlement.model.custody import fee_limit
from settlement.model.local_time import calendar_date, local_date
from settlement.model.trades import TRADE_AMOUNT_MIN, QuotaClaim, price_received
from settlement.rules.classes import BUYER_CLASSES, FEE, MINER_PROCEEDS, SELLER_CLASSES
from settlement.rules.coins import coin_asset
from settlement.rules.custody import COIN_NOT_ADMITTED
from settlement.rules.mandates import refuse_mandate
from settlement.rules.miners import has_licence
from settlement.rules.tables import ATTESTED_SALES, CASH_LEGS, CLAIM_DECISIONS, MINER_ACCOUNTS
from settlement.rules.tariff import fee_ppm_on

EXECUTION_AGE_MAX_US: Final = 24 * 3_600_000_000
"""Longest time between execution and its arrival here, in microseconds. The exchange alone attests the execution, so
an old one could be made up for the days when a licence was still active; a day leaves room for a night's repair."""

EXECUTION_IN_FUTURE = RefusalCode("execution_in_future", "The trade was executed after the ledger's time.")
EXECUTION_TOO_OLD = RefusalCode(
    "execution_too_old", "The trade was executed more than 24 hours before the ledger's time."
)
TRADE_REPEATED = RefusalCode("trade_repeated", "The exchange settled a trade of this number before.", iso="AM05")
DUP_CASH_LEG = RefusalCode(
    "dup_cash_leg", "The payment, or the lock of the coins, stands behind another claim.", iso="AM05"
)
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


class Terms(Protocol):
    """What is agreed of a sale; see `settlement.rules.dvp.DvpSettle` for what each member means."""

    @property
    def coin(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def price(self) -> int: ...  # noqa: D102
    @property
    def seller_coin(self) -> AccountId: ...  # noqa: D102
    @property
    def seller_tenge(self) -> AccountId: ...  # noqa: D102
    @property
    def buyer_tenge(self) -> AccountId: ...  # noqa: D102
    @property
    def buyer_coin(self) -> AccountId: ...  # noqa: D102
    @property
    def reference_price(self) -> int: ...  # noqa: D102
    @property
    def reference_date(self) -> BusinessDate: ...  # noqa: D102
    @property
    def executed_us(self) -> TimestampUs: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Parties:
    """The four accounts of a sale, looked up and fit."""

    seller_coin: Account
    seller_tenge: Account
    buyer_tenge: Account
    buyer_coin: Account

    @property
    def is_miners(self) -> bool:
        """Whether a miner sells what it mined."""
        return self.seller_coin.account_class == MINER_PROCEEDS.name


@dataclass(frozen=True, slots=True)
class Moved:
    """What a sale moves, all of it or a part: in the coin's smallest unit and in tiyn."""

    quantity: int
    amount: int
    """What the buyer pays."""
    fee: int = 0
    tax: int = 0


def refuse_execution(executed_us: TimestampUs, time_us: TimestampUs) -> Refused | None:
    """Refuse a trade executed after the ledger's time, or too long before it."""
    if executed_us > time_us:
        return Refused(EXECUTION_IN_FUTURE, detail=f"executed at {executed_us}, now {time_us}")
    if executed_us < time_us - EXECUTION_AGE_MAX_US:
        return Refused(EXECUTION_TOO_OLD, detail=f"executed at {executed_us}, now {time_us}")
    return None


def refuse_claimed(view: View, transaction_id: bytes) -> Refused | None:
    """Refuse to settle by a transaction that was attested as the payment of another sale before it was sent.

    Only its sender can know its id beforehand. One sale would count twice for the quota.
    """
    payment = b64url(transaction_id)
    other = claim_behind(view, CASH_LEGS, payment)
    return None if other is None else Refused(DUP_CASH_LEG, detail=f"{payment} stands behind {other}")


def claim_behind(view: View, legs: Table[str], name: str) -> str | None:
    """Return the claim that a payment or a lock stands behind, or None.

    A sale that was attested and then disqualified because what it names is another's keeps nobody from naming it.
    """
    claim = view.get(legs, name)
    if claim is None or view.get(ATTESTED_SALES, claim) is None:
        return claim
    last = (view.get(CLAIM_DECISIONS, claim) or (None,))[-1]
    is_freed = last is not None and last.verdict is Verdict.DISQUALIFY and last.reason is Reason.DUP_CASH_LEG
    return None if is_freed else claim


def admitted_coin(view: View, coin: str, exchange: ParticipantId) -> Asset | Refused:
    """Return the asset in which the exchange owes a coin."""
    asset = view.get(ASSETS, coin_asset(coin, exchange))
    return Refused(COIN_NOT_ADMITTED, detail=f"coin {coin}") if asset is None else asset


def find_parties(view: View, terms: Terms, exchange: ParticipantId, coin: AssetId) -> Parties | Refused:
    """Return the four accounts, which belong to two different holders that may sell and buy here."""
    expected = (
        (terms.seller_coin, coin, SELLER_CLASSES),
        (terms.seller_tenge, TENGE, SELLER_CLASSES),
        (terms.buyer_tenge, TENGE, BUYER_CLASSES),
        (terms.buyer_coin, coin, BUYER_CLASSES),
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
    parties = Parties(*found)
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


def refuse_amount(amount: int) -> Refused | None:
    """Refuse what is below one tenge or above the largest posting."""
    if TRADE_AMOUNT_MIN <= amount <= AMOUNT_MAX:
        return None
    return Refused(TRADE_AMOUNT_OUT_OF_RANGE, detail=f"expected {TRADE_AMOUNT_MIN} to {AMOUNT_MAX} tiyn, got {amount}")


def refuse_seller_mandate(
    view: View,
    mandate: VerifiedMandate,
    terms: Terms,
    seller: Account,
    moved: Moved,
    *,
    scale: int,
    time_us: TimestampUs,
    counted: int = 0,
) -> Refused | None:
    """Refuse a sale that the seller's mandate does not cover; a tax counts as price not received.

    Args:
        view: the state.
        mandate: a mandate whose signature holds.
        terms: what is agreed.
        seller: the account with the coins.
        moved: what moves.
        scale: decimal places of the coin.
        time_us: time of the block.
        counted: how much of the quantity the mandate's use already contains.
    """
    return refuse_mandate(
        view,
        mandate,
        account_id=terms.seller_coin,
        account=seller,
        side="sell",
        coin=terms.coin,
        price=price_received(moved.amount - moved.tax, moved.quantity, scale),
        debit=moved.quantity - counted,
        payee=terms.buyer_coin,
        time_us=time_us,
    )


def refuse_buyer_mandate(
    view: View,
    mandate: VerifiedMandate,
    terms: Terms,
    buyer: Account,
    moved: Moved,
    *,
    time_us: TimestampUs,
    counted: int = 0,
) -> Refused | None:
    """Refuse a purchase that the buyer's mandate does not cover; see `refuse_seller_mandate`."""
    return refuse_mandate(
        view,
        mandate,
        account_id=terms.buyer_tenge,
        account=buyer,
        side="buy",
        coin=terms.coin,
        price=terms.price,
        debit=moved.amount - counted,
        payee=terms.seller_tenge,
        time_us=time_us,
    )


def refuse_miner(view: View, terms: Terms, parties: Parties, *moments: TimestampUs) -> Refused | None:
    """Refuse a miner's sale from an account it has not confirmed, or without a licence at one of the moments."""
    if not parties.is_miners:
        return None
    miner = view.get(MINER_ACCOUNTS, terms.seller_coin)
    if miner is None:
        return Refused(MINER_ACCOUNT_UNCONFIRMED, detail=f"account {terms.seller_coin}")
    for moment in moments:
        if not has_licence(view, miner, moment):
            return Refused(MINER_LICENCE_INVALID, detail=f"miner {miner} at {moment}")
    return None


def executed_on(view: View, terms: Terms) -> BusinessDate:
    """Return the local date in Kazakhstan on which a sale was executed."""
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    return local_date(offsets, terms.executed_us)


def refuse_reference(view: View, terms: Terms) -> Refused | None:
    """Refuse a reference price of a day that does not exist, or that came after the trade."""
    if calendar_date(terms.reference_date) is None or terms.reference_date > executed_on(view, terms):
        return Refused(REFERENCE_DATE_INVALID, detail=f"date {terms.reference_date}")
    return None


def refuse_fee(
    view: View,
    exchange: ParticipantId,
    business_date: BusinessDate,
    amount: int,
    fee: int,
    fee_account: AccountId | None,
) -> Refused | None:
    """Refuse a fee above the posted one, or to another account than one of the exchange's fees."""
    limit = fee_limit(amount, fee_ppm_on(view, exchange, business_date))
    if fee > limit:
        return Refused(FEE_ABOVE_TARIFF, detail=f"expected at most {limit} tiyn, got {fee}")
    if fee == 0:
        return None
    account = None if fee_account is None else view.get(ACCOUNTS, fee_account)
    if account is None or account.owner != exchange or account.account_class != FEE.name or account.asset != TENGE:
        return Refused(FEE_ACCOUNT_UNFIT, detail=f"account {fee_account}")
    return None


def quota_claim(
    view: View,
    terms: Terms,
    parties: Parties,
    moved: Moved,
    *,
    settled_us: TimestampUs,
    transaction: DigestField,
) -> QuotaClaim:
    """Return the claim that a miner's sale makes on its quota."""
    miner = parties.seller_coin.holder
    assert miner is not None, "both sides have named holders"
    return QuotaClaim(
        miner=ParticipantId(miner),
        coin=terms.coin,
        quantity=moved.quantity,
        executed_us=terms.executed_us,
        executed_on=executed_on(view, terms),
        settled_us=settled_us,
        price=terms.price,
        amount=moved.amount,
        fee=moved.fee,
        reference_price=terms.reference_price,
        reference_date=terms.reference_date,
        transaction=transaction,
    )


def debit(account: AccountId, asset: AssetId, amount: int) -> Posting:
    """Return a debit."""
    return Posting(account=account, asset=asset, amount=amount, side=Side.DEBIT)


def credit(account: AccountId, asset: AssetId, amount: int) -> Posting:
    """Return a credit."""
    return Posting(account=account, asset=asset, amount=amount, side=Side.CREDIT)
