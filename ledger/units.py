"""Types with a unit and bounds, shared by every room.

Each type carries its bounds in the type itself (``msgspec.Meta``), so the decoder, the published schema and the
documentation read the same numbers.
"""

from typing import Annotated, Final, NewType

from msgspec import Meta

AMOUNT_MAX: Final = 10**15
"""Largest amount of one posting, in the smallest unit of its asset (ten trillion tenge in tiyn)."""

BALANCE_MAX: Final = 2**53 - 1
"""Largest balance and largest sum per asset: the largest integer canonical JSON may carry (RFC 8785)."""

TIMESTAMP_MAX: Final = 2**53 - 1
"""Largest timestamp in microseconds since 1970-01-01T00:00:00Z: the year 2255."""

POSTINGS_PER_ENTRY_MAX: Final = 256
"""Most postings in one journal entry: a large settlement with fees still fits in one leaf of 65,535 bytes."""

BULK_LINES_MAX: Final = 8_192
"""Most lines in one bulk transaction: one block of about a mebibyte."""

ACCOUNTS_PER_OPENING_MAX: Final = 4_096
"""Most accounts opened by one transaction."""

TEXT_LENGTH_MAX: Final = 140
"""Longest free text in a transaction, in characters: the length of a payment text in ISO 20022."""

ParticipantId = NewType("ParticipantId", str)
AccountId = NewType("AccountId", str)
AssetId = NewType("AssetId", str)
Kid = NewType("Kid", str)
Reference = NewType("Reference", str)
TimestampUs = NewType("TimestampUs", int)
BusinessDate = NewType("BusinessDate", str)
SequenceNumber = NewType("SequenceNumber", int)

PARTICIPANT_PATTERN: Final = r"[a-z][a-z0-9-]{0,30}[a-z0-9]"
"""A participant's id, for use in a pattern."""

ParticipantField = Annotated[ParticipantId, Meta(pattern=rf"\A{PARTICIPANT_PATTERN}\Z")]
"""Id of an admitted institution: 2 to 32 small letters, digits and hyphens."""

ACCOUNT_PATTERN: Final = r"KZ[0-9]{5}[0-9A-Z]{13}"
"""An account id, for use in a pattern."""

LABEL_PATTERN: Final = r"[A-Za-z0-9._-]{1,35}"
"""A label, for use in a pattern."""

AccountField = Annotated[AccountId, Meta(pattern=rf"\A{ACCOUNT_PATTERN}\Z")]
"""Account id in the form of a Kazakh IBAN: KZ, two check digits, three-digit participant code, 13 characters."""

ASSET_PATTERN: Final = rf"[A-Z][A-Z0-9]{{1,11}}(:{PARTICIPANT_PATTERN})?"
"""An asset, for use in a pattern."""

AssetField = Annotated[AssetId, Meta(pattern=rf"\A{ASSET_PATTERN}\Z")]
"""``KZT``, or a coin with the exchange that owes it: ``BTC:aix-one``."""

KidField = Annotated[Kid, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
"""Key id: the RFC 7638 thumbprint of the public key, base64url."""

KeyField = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
"""Ed25519 public key: 32 bytes, base64url (``x`` of RFC 8037)."""

DigestField = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
"""SHA-256: 32 bytes, base64url."""

SaltField = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")]
"""Sixteen random bytes, base64url."""

REFERENCE_PATTERN: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
"""A reference, for use in a pattern."""

ReferenceField = Annotated[Reference, Meta(pattern=rf"\A{REFERENCE_PATTERN}\Z")]
"""Client's own id of a transaction: a UUIDv7 (RFC 9562) in small letters, made with a cryptographic generator."""

AmountField = Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]
"""Amount of a posting in the asset's smallest unit; at least one, direction is debit or credit."""

TotalField = Annotated[int, Meta(ge=0, le=BALANCE_MAX)]
"""A balance, sum or cap in the asset's smallest unit."""

TimestampField = Annotated[TimestampUs, Meta(ge=0, le=TIMESTAMP_MAX)]
"""Microseconds since 1970-01-01T00:00:00Z."""

DateField = Annotated[BusinessDate, Meta(pattern=r"\A[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]
"""Calendar date, YYYY-MM-DD. That the day exists in its month is checked by the rule that uses it."""

BUSINESS_DATE_MAX: Final = BusinessDate("2255-06-05")
"""Last business date: that of `TIMESTAMP_MAX`. A day after it exists, so "from the next day" always means something."""

SignatoryField = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z")]
"""Pseudonymous id of the person behind a key; a quorum counts these, not keys."""

TextField = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
"""Free text without personal data, 1 to 140 characters."""

LabelField = Annotated[str, Meta(pattern=rf"\A{LABEL_PATTERN}\Z")]
"""Client's own name of a thing: a line of a bulk, a holder, a trade."""

HolderField = Annotated[str, Meta(pattern=r"\A(?![0-9]{12}\Z)[A-Za-z0-9._-]{1,35}\Z")]
"""An owner's pseudonym of a holder. Twelve bare digits are refused: they would be an IIN, which identifies a person."""

OrderField = Annotated[str, Meta(pattern=r"\A(?![0-9]{12}\Z)[A-Za-z0-9][A-Za-z0-9./_-]{0,34}\Z")]
"""Number of the order or case that something rests on. No free text: the log cannot forget a name (design D13)."""

ClassField = Annotated[str, Meta(pattern=r"\A[a-z][a-z_]{1,31}\Z")]
"""Name of an account class; the rulebook knows which exist."""

KIND_PATTERN: Final = r"[a-z][a-z_]{1,47}"
"""The name of a kind, for use in a pattern."""

KindField = Annotated[str, Meta(pattern=rf"\A{KIND_PATTERN}\Z")]
"""Name of a transaction kind; the rulebook knows which exist."""
