"""Mandates for sales: what the holders of both accounts agreed to, and how much of it is used."""

from typing import Final, Literal

from ledger.model.accounts import Account
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.transactions import VerifiedMandate
from ledger.rules.tables import KEYS
from ledger.state import View
from ledger.units import AccountId, AssetId, TimestampUs
from settlement.rules.tables import MANDATES_USED

PURPOSE: Final = "dvp"
"""Purpose of a mandate that a sale may use."""

MANDATE_KEY_INVALID = RefusalCode(
    "mandate_key_invalid", "The mandate is not signed by the key the account is bound to, or that key is revoked."
)
MANDATE_SCOPE_DIFFERS = RefusalCode(
    "mandate_scope_differs",
    "The mandate is not for this account, asset, purpose, coin and side, or sets no limit price.",
    iso="AG01",
)
MANDATE_PAYEE_DIFFERS = RefusalCode(
    "mandate_payee_differs", "The mandate names another account as the only one to be credited.", iso="AG01"
)
MANDATE_EXPIRED = RefusalCode("mandate_expired", "The mandate had expired at the ledger's time.")
MANDATE_PRICE_OUTSIDE = RefusalCode(
    "mandate_price_outside", "The price is above the buyer's limit or below the seller's."
)
MANDATE_EXCEEDED = RefusalCode(
    "mandate_exceeded", "Debits under the mandate would exceed its maximum over its life.", iso="AM02"
)

MANDATE_REFUSALS: Final = (
    MANDATE_KEY_INVALID,
    MANDATE_SCOPE_DIFFERS,
    MANDATE_PAYEE_DIFFERS,
    MANDATE_EXPIRED,
    MANDATE_PRICE_OUTSIDE,
    MANDATE_EXCEEDED,
)
"""In order of precedence; all are looked at for the seller's mandate, then for the buyer's."""


def refuse_mandate(
    view: View,
    verified: VerifiedMandate,
    *,
    account_id: AccountId,
    account: Account,
    side: Literal["buy", "sell"],
    coin: str,
    price: int,
    debit: int,
    payee: AccountId,
    time_us: TimestampUs,
) -> Refused | None:
    """Refuse a debit that its mandate does not cover.

    Args:
        view: the state.
        verified: a mandate whose signature holds.
        account_id: the account to debit.
        account: the same.
        side: what its holder does with the coin.
        coin: symbol.
        price: tiyn for one whole coin.
        debit: how much, in the account's smallest unit.
        payee: the account the counterparty is credited on; the posted fee is not the mandate's matter.
        time_us: time of the block.
    """
    mandate = verified.mandate
    key = view.get(KEYS, verified.kid)
    if verified.kid != account.holder_key or key is None or key.is_revoked:
        return Refused(MANDATE_KEY_INVALID, detail=f"account {account_id} is bound to {account.holder_key}")
    asset: AssetId = account.asset
    agreed = (mandate.account, mandate.asset, mandate.purpose, mandate.coin, mandate.side)
    if agreed != (account_id, asset, PURPOSE, coin, side) or mandate.limit_price is None:
        return Refused(
            MANDATE_SCOPE_DIFFERS, detail=f"expected {account_id} {asset} {PURPOSE} {coin} {side} and a limit price"
        )
    if mandate.payee is not None and mandate.payee != payee:
        return Refused(MANDATE_PAYEE_DIFFERS, detail=f"expected {mandate.payee}, got {payee}")
    if mandate.expires <= time_us:
        return Refused(MANDATE_EXPIRED, detail=f"expired at {mandate.expires}, ledger time is {time_us}")
    is_outside = price > mandate.limit_price if side == "buy" else price < mandate.limit_price
    if is_outside:
        return Refused(MANDATE_PRICE_OUTSIDE, detail=f"limit {mandate.limit_price} to {side}, price {price}")
    used = view.get(MANDATES_USED, verified.digest) or 0
    if used + debit > mandate.maximum:
        return Refused(MANDATE_EXCEEDED, detail=f"{used} used of {mandate.maximum}, {debit} more asked")
    return None
