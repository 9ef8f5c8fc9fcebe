"""What a capability brings to the rulebook: kinds, refusal codes, tables, account classes, guards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ledger.model.journal import Entry, Pairs
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Role
from ledger.model.transactions import EmbeddedJws, SignedTransaction, Transaction
from ledger.state import Table, View
from ledger.units import BusinessDate, Kid, TimestampUs


@dataclass(frozen=True, slots=True)
class AccountClass:
    """A class of accounts: who may open one, and whether it holds money of clients."""

    name: str
    roles: frozenset[Role]
    """Roles whose participants may open an account of this class."""
    meaning: str
    is_client: bool = False
    """Client money: no bulk and no general journal entry may debit it (design D17)."""


class Submitted(msgspec.Struct, frozen=True):
    """One admissible transaction at its place in the order: what a decision may use besides the state."""

    signed: SignedTransaction
    time_us: TimestampUs
    """Time of the block."""
    business_date: BusinessDate
    classes: Mapping[str, AccountClass]
    """Account classes of the rulebook by name."""


class Proposal(msgspec.Struct, frozen=True):
    """A yes of the kind's own rules; the entries still face the posting rules and the guards."""

    entries: tuple[Entry, ...] = ()
    pairs: Pairs | None = None
    """Entries as columns, in place of ``entries``, where they are many and each is a pair."""
    changes: tuple[tuple[Table[Any], str, Any], ...] = ()
    """Rows to set besides balances."""
    record: dict[str, Any] | None = None
    """Content of a record leaf. A proposal without entries has a record, if only an empty one."""
    is_atomic: bool = True
    """Whether one refused entry refuses all of them."""


def _none(_view: View, _body: object) -> tuple[()]:
    return ()


def nothing(_body: object) -> tuple[()]:
    """Of kinds whose bodies bring nothing along."""
    return ()


def _one(_body: object) -> int:
    return 1


def _unread(_payload: bytes) -> None:
    return None


def _all(_account_class: AccountClass) -> bool:
    return True


def _never(_body: object, _signers: Sequence[Kid]) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A transaction kind: its body and its decision."""

    name: str
    body: type[Any]
    meaning: str
    refusals: tuple[RefusalCode, ...]
    """Every code ``decide`` may answer, in order of precedence."""
    decide: Callable[[View, Submitted], Proposal | Refused]
    """Refusals first, in the order above; then a proposal."""
    entries: Callable[[Any], tuple[Entry, ...]] | None = None
    """If all entries follow from the body alone: the function that makes them. The block then keeps codes only."""
    pairs: Callable[[Any], Pairs] | None = None
    """The same entries as columns, where the decision proposes them so."""
    read: Callable[[bytes], Transaction[Any] | None] = _unread
    """A quicker way to read a payload than by the schema; None: the schema has to say what is wrong, if anything."""
    read_again: Callable[[bytes], Transaction[Any]] | None = None
    """The same for a payload that was read before and held; None: by the schema."""
    required_keys: Callable[[View, Any], Iterable[Kid]] = _none
    """Keys that must sign whatever the policy says: of holders whose accounts are debited, of newly presented keys."""
    presented_keys: Callable[[Any], Iterable[str]] = nothing
    """Public keys (``x``) that the body brings along and that sign it as proof of possession."""
    cosigners: Callable[[View, Any], Iterable[Cosigner]] = _none
    """Cosigners that this very body asks for, besides the policy's."""
    mandates: Callable[[Any], Iterable[EmbeddedJws]] = nothing
    """Mandates inside the body."""
    waives_quorum: Callable[[Any, Sequence[Kid]], bool] = _never
    """Whether these signers alone suffice, policy and suspension aside: a key that revokes itself."""
    weight: Callable[[Any], int] = _one
    """How many lines of work the body is; a block takes a limited number of them."""
    ends_block: bool = False
    """Whether the block ends with this transaction: what follows is decided under changed rules or dates."""
    is_urgent: bool = False
    """Whether it travels in a lane of its own, past full queues: revoking keys."""


Guard = Callable[[View, Submitted, Entry], Refused | None]
"""A pure check of a proposed entry, whatever its kind (design D16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleModule:
    """A capability of the ledger."""

    name: str
    meaning: str
    kinds: tuple[Kind, ...] = ()
    tables: tuple[Table[Any], ...] = ()
    classes: tuple[AccountClass, ...] = ()
    guards: tuple[Guard, ...] = ()
    guards_watch: Callable[[AccountClass], bool] = _all
    """Whether the guards may refuse an entry for an account of this class; entries of accounts that no guard watches
    need not be shown to them."""
    guard_refusals: tuple[RefusalCode, ...] = ()
    """Codes of the guards, in order of precedence."""
