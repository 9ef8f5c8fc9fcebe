"""What a participant signs: the transaction, and the mandate a holder gives in advance."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    AccountField,
    AmountField,
    AssetField,
    DigestField,
    Kid,
    KindField,
    LabelField,
    ParticipantField,
    Reference,
    ReferenceField,
    TimestampField,
    TimestampUs,
)

Body = TypeVar("Body")

NETWORK_PATTERN: Final = r"[a-z][a-z0-9-]{0,46}[a-z0-9]:[A-Za-z0-9_-]{43}"
"""A network id, for use in a pattern."""

NetworkField = Annotated[str, Meta(pattern=rf"\A{NETWORK_PATTERN}\Z")]
"""Network id: its name, a colon, and the digest of its genesis document (design D8)."""


class Header(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What is read first: the kind decides the type of the body."""

    kind: KindField


class Transaction(Record, Generic[Body], frozen=True, kw_only=True):
    """A request to the ledger. Its canonical JSON is the payload of the JWS (RFC 7515)."""

    network: NetworkField
    participant: ParticipantField
    """The sender."""
    kind: KindField
    reference: ReferenceField
    """The sender's own id of this request; a second one with another payload is never decided."""
    body: Body
    expires: TimestampField | None = None
    """If set: not decided at or after this ledger time."""


class EmbeddedJws(Record, frozen=True, kw_only=True):
    """A JWS in flattened JSON serialization (RFC 7515, 7.2.2) inside a body."""

    payload: Annotated[str, Meta(min_length=1, max_length=8_192)]
    protected: Annotated[str, Meta(min_length=1, max_length=512)]
    signature: Annotated[str, Meta(min_length=86, max_length=86)]


class Mandate(Record, frozen=True, kw_only=True):
    """A holder's consent, given in advance, to debits of one account within limits.

    Signed with the account's holder key under ``typ`` ``dt-mandate+json``.
    """

    network: NetworkField
    account: AccountField
    """The account that may be debited."""
    purpose: LabelField
    """What for; the rule that honours the mandate names the purpose it accepts."""
    asset: AssetField
    """The asset that may be debited."""
    maximum: AmountField
    """Most that may be debited over the life of the mandate, in the asset's smallest unit."""
    expires: TimestampField
    """Not honoured at or after this ledger time."""
    nonce: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")]
    """Sixteen random bytes, base64url: two equal consents are two mandates."""
    payee: AccountField | None = None
    """If set, the only account that may be credited."""
    coin: LabelField | None = None
    """For a sale or purchase: the coin's symbol."""
    side: Literal["buy", "sell"] | None = None
    limit_price: AmountField | None = None
    """Tiyn for one whole coin: the most a buyer pays, the least a seller takes."""


@dataclass(frozen=True, slots=True)
class VerifiedMandate:
    """A mandate whose signature was checked against the key named by ``kid``."""

    mandate: Mandate
    kid: Kid
    digest: DigestField
    """Identifies the mandate in the state that counts its use."""


class SignedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction whose signatures were checked; whether the keys are still good is decided in sequence."""

    transaction: Transaction[Any]
    payload: bytes
    """The exact bytes that were signed."""
    transaction_id: bytes
    """SHA-256, 32 bytes (design D4)."""
    authorised_by: bytes
    """SHA-256 over the signatures, 32 bytes (design D4)."""
    signers: tuple[Kid, ...]
    submission: bytes
    """The JWS in canonical general serialization: what the block keeps."""
    mandates: tuple[VerifiedMandate, ...] = ()

    @property
    def body(self) -> Any:  # noqa: ANN401 - its type is the kind's
        """The body of the transaction, typed by its kind."""
        return self.transaction.body


def reference_time_us(reference: Reference) -> TimestampUs:
    """Return the time inside a UUIDv7, in microseconds (its own resolution is a millisecond)."""
    return TimestampUs(int(reference[0:8] + reference[9:13], 16) * 1_000)
