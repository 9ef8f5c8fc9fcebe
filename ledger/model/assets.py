"""What can be held: the tenge, and coins that an exchange owes."""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import AccountField, AssetField, AssetId, KindField, ParticipantField

TENGE: Final = AssetId("KZT")
"""The digital tenge, counted in tiyn."""

SCALE_MAX: Final = 8
"""Most decimal places of an asset: one satoshi is ten to the minus eight bitcoin."""


class Asset(Record, frozen=True, kw_only=True):
    """An asset with its unchangeable scale and its one contra account."""

    asset: AssetField
    scale: Annotated[int, Meta(ge=0, le=SCALE_MAX)]
    """Decimal places of one whole unit: 2 for tenge, 8 for bitcoin."""
    contra: AccountField
    """The account that issuance debits; its balance is what is in circulation."""
    issuer: ParticipantField
    """Who owes the asset: the central bank, or the exchange that keeps the coins."""
    issuance_kinds: tuple[KindField, ...]
    """The only transaction kinds that may post to the contra account."""
