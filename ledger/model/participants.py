"""Admitted institutions, their keys, and the policy of who may send what."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.accounts import CodeField
from ledger.model.record import Record
from ledger.units import (
    BusinessDate,
    DateField,
    KeyField,
    KindField,
    ParticipantField,
    SignatoryField,
    TextField,
    TimestampField,
    TimestampUs,
)

QUORUM_MAX: Final = 8
"""Most signatories a quorum may ask for: with cosigners and a new key it stays within 16 signatures."""

QuorumField = Annotated[int, Meta(ge=1, le=QUORUM_MAX)]
"""How many different signatories must sign."""


class Role(StrEnum):
    """What a participant is admitted as."""

    OPERATOR = "operator"
    """Runs the node and admits participants."""
    ISSUER = "issuer"
    """The central bank: issues and redeems."""
    INTERMEDIARY = "intermediary"
    """A bank that keeps wallets for the public."""
    EXCHANGE = "exchange"
    """An exchange registered with the AIFC."""
    MINER = "miner"
    """A licensed digital miner."""
    POOL = "pool"
    """An accredited digital mining pool."""
    SUPERVISOR = "supervisor"
    """A state body that may freeze accounts, and reads the parts of the books that its task needs."""
    AUDITOR = "auditor"
    """Reads everything and attests reserves."""
    UTILITY = "utility"
    """An energy undertaking: the system operator or a grid company. It has no power over money."""


class Participant(Record, frozen=True, kw_only=True):
    """An admitted institution."""

    name: TextField
    role: Role
    code: CodeField
    quorum: QuorumField
    """How many of its signatories must sign what changes its keys."""
    is_suspended: bool = False
    """A suspended participant may not submit; credits to its accounts still arrive."""


class KeyUse(StrEnum):
    """The one purpose a key serves, for ever."""

    TRANSACTION = "transaction"
    CLIENT_AUTHENTICATION = "client_authentication"
    HOLDER = "holder"
    LOG = "log"


class Key(Record, frozen=True, kw_only=True):
    """A public key that was admitted once; its kid is never used again."""

    x: KeyField
    participant: ParticipantField
    signatory: SignatoryField
    use: KeyUse
    active_from_us: TimestampField = TimestampUs(0)
    """Not valid before this time: a recovered key waits out the recovery delay."""
    active_from_date: DateField = BusinessDate("0001-01-01")
    """Not valid before this business date: an issuer's key starts on the next one."""
    is_revoked: bool = False


class Cosigner(Record, frozen=True, kw_only=True):
    """A second party that must sign too: a role, or one named participant."""

    threshold: QuorumField
    role: Role | None = None
    participant: ParticipantField | None = None

    @property
    def is_clear(self) -> bool:
        """Whether it names a role or a participant, one of the two."""
        return (self.role is None) is not (self.participant is None)


class Policy(Record, frozen=True, kw_only=True):
    """Who may send a kind of transaction, and whose signatures it needs."""

    roles: tuple[Role, ...]
    own: Annotated[int, Meta(ge=0, le=QUORUM_MAX)]
    """Signatories of the sender that must sign; 0 means the sender's own quorum."""
    cosigners: tuple[Cosigner, ...] = ()


class DatedPolicy(Record, frozen=True, kw_only=True):
    """The policy of a kind, and the one that replaces it from a business date."""

    kind: KindField
    current: Policy
    following: Policy | None = None
    following_from: DateField | None = None

    def on(self, business_date: BusinessDate) -> Policy:
        """Return the policy in force on a business date."""
        if self.following is None or self.following_from is None or business_date < self.following_from:
            return self.current
        return self.following
