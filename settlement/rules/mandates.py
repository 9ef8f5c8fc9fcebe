"""Mandates for sales: what the holders of both accounts agreed to, how much of it is used, and what was taken back.

A mandate is taken back by the key that signed it, alone and at once: the exchange, whose debits it permits, has no say.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from ledger.crypto import digest
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.model.accounts import Account
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import KeyUse
from ledger.model.record import Record
from ledger.model.transactions import EmbeddedJws, VerifiedMandate
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import KEYS
from ledger.state import View
from ledger.units import AccountId, AssetId, DigestField, Kid, KidField, TimestampUs
from settlement.rules.tables import MANDATES_CANCELLED, MANDATES_USED

PURPOSE: Final = "dvp"
"""Purpose of a mandate that a sale may use."""


class MandateCancel(Record, frozen=True, kw_only=True):
    """Take back a mandate, sent under the participant that keeps the account and signed by the holder key alone."""

    mandate: DigestField
    """Digest of the mandate, see `mandate_digest`; it need not have been used or seen before."""
    kid: KidField
    """The holder key that signed the mandate."""


MANDATE_KEY_INVALID = RefusalCode(
    "mandate_key_invalid", "The mandate is not signed by the key the account is bound to, or that key is revoked."
)
MANDATE_KEY_FOREIGN = RefusalCode(
    "mandate_key_foreign", "The key is no holder key of an account that the sender keeps."
)
MANDATE_CANCELLED = RefusalCode("mandate_cancelled", "The mandate was taken back by the key that signed it.")
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
    MANDATE_CANCELLED,
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
        price: tiyn for one whole coin; of a seller, what the rounded amount comes to.
        debit: how much, in the account's smallest unit.
        payee: the account the counterparty is credited on; the posted fee is not the mandate's matter.
        time_us: time of the block.
    """
    mandate = verified.mandate
    key = view.get(KEYS, verified.kid)
    if verified.kid != account.holder_key or key is None or key.is_revoked:
        return Refused(MANDATE_KEY_INVALID, detail=f"account {account_id} is bound to {account.holder_key}")
    if view.get(MANDATES_CANCELLED, _cancelled_key(verified.digest, verified.kid)) is not None:
        return Refused(MANDATE_CANCELLED, detail=f"mandate {verified.digest}")
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


def is_taken_back(view: View, verified: VerifiedMandate) -> bool:
    """Whether a mandate that was accepted holds no more, for good: taken back, or signed by a key that was revoked."""
    key = view.get(KEYS, verified.kid)
    assert key is not None, "a key never goes"
    return key.is_revoked or view.get(MANDATES_CANCELLED, _cancelled_key(verified.digest, verified.kid)) is not None


def mandate_digest(mandate: EmbeddedJws) -> DigestField:
    """Return what identifies a mandate in the state: the digest of its signed payload.

    Raises:
        NotCanonical: the payload is no base64url.
    """
    return b64url(digest.tagged("mandate", b64url_decode(mandate.payload)))


def _cancel(view: View, submitted: Submitted) -> Proposal | Refused:
    body: MandateCancel = submitted.signed.body
    key = view.get(KEYS, body.kid)
    if key is None or key.use is not KeyUse.HOLDER or key.participant != submitted.signed.transaction.participant:
        return Refused(MANDATE_KEY_FOREIGN, detail=f"key {body.kid}")
    cancelled = _cancelled_key(body.mandate, body.kid)
    if view.get(MANDATES_CANCELLED, cancelled) is not None:
        return Refused(MANDATE_CANCELLED, detail=f"mandate {body.mandate}")
    transaction_id = submitted.signed.transaction_id.hex()
    return Proposal(changes=((MANDATES_CANCELLED, cancelled, transaction_id),), record={})


def _cancelled_key(mandate: DigestField, kid: Kid) -> str:
    """The kid is part of it: nobody takes back what another key signed."""
    return f"{mandate}/{kid}"


def _by_the_holder_alone(body: MandateCancel, signers: Sequence[Kid]) -> bool:
    return tuple(signers) == (body.kid,)


def _holder(view: View, body: MandateCancel) -> Iterable[Kid]:
    """An unknown key is not asked for: like one of others, it is refused by the rule, alike (design D26)."""
    return () if view.get(KEYS, body.kid) is None else (body.kid,)


MODULE = RuleModule(
    name="mandates",
    meaning="Consent that holders gave in advance, and took back.",
    tables=(MANDATES_USED, MANDATES_CANCELLED),
    kinds=(
        Kind(
            name="mandate_cancel",
            body=MandateCancel,
            meaning="Take back a mandate, by the holder key that signed it.",
            refusals=(MANDATE_KEY_FOREIGN, MANDATE_CANCELLED),
            decide=_cancel,
            required_keys=_holder,
            waives_quorum=_by_the_holder_alone,
            is_urgent=True,
        ),
    ),
)
