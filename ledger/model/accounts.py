"""Accounts in the form of Kazakh IBANs, owned by participants on behalf of pseudonymous holders."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import (
    AccountId,
    AssetField,
    ClassField,
    HolderField,
    KidField,
    ParticipantField,
)

CONTRA: Final = "contra"
"""Class of the contra account of an asset. Its balance is debits minus credits: what is in circulation."""

CodeField = Annotated[str, Meta(pattern=r"\A[0-9]{3}\Z")]
"""Three-digit code of a participant inside its account numbers, as a bank code in a Kazakh IBAN."""


class AccountStatus(StrEnum):
    """Whether an account takes debits and credits."""

    OPEN = "open"
    FROZEN = "frozen"
    """Debits stop, by order; credits still arrive."""
    CLOSED = "closed"
    """For good, with a balance of zero; debits and credits stop."""


class Account(Record, frozen=True, kw_only=True):
    """An account without its balance. Class, owner and asset never change."""

    asset: AssetField
    owner: ParticipantField
    """The participant that keeps the account and signs for it."""
    account_class: ClassField
    status: AccountStatus = AccountStatus.OPEN
    holder: HolderField | None = None
    """The owner's pseudonym for the person or firm behind the account; never a name."""
    holder_key: KidField | None = None
    """If set, no debit without this key's signature or a mandate signed by it."""
    frozen_by: ParticipantField | None = None
    """Who ordered the freeze; only the same participant, or a supervisor, lifts it."""


def iban(code: str, number: str) -> AccountId:
    """Return the account id for a participant code (3 digits) and an account number (13 digits or capitals).

    Check digits are those of ISO 13616: 98 minus the ISO 7064 remainder modulo 97.
    """
    assert len(code) == 3, "a participant code has three digits"
    assert len(number) == 13, "an account number has thirteen characters"
    check = 98 - _remainder(code + number + "KZ00")
    return AccountId(f"KZ{check:02d}{code}{number}")


def has_valid_check_digits(account: AccountId) -> bool:
    """Whether the two check digits of a well-formed account id are right (ISO 7064 MOD 97-10)."""
    return _remainder(account[4:] + account[:4]) == 1


def participant_code(account: AccountId) -> str:
    """Return the three-digit participant code inside an account id."""
    return account[4:7]


def _remainder(rearranged: str) -> int:
    return int("".join(str(int(character, 36)) for character in rearranged)) % 97
