"""Accounts: opened, frozen, unfrozen, closed (design D12, D18)."""

import sys
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ledger.crypto.keys import PublicKey
from ledger.model.accounts import (
    CONTRA,
    Account,
    AccountStatus,
    has_valid_check_digits,
    participant_code,
)
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Key, KeyUse, Participant, Role
from ledger.model.record import Record
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES, KEYS, PARTICIPANTS
from ledger.state import View
from ledger.units import (
    ACCOUNTS_PER_OPENING_MAX,
    AccountField,
    AssetField,
    AssetId,
    ClassField,
    HolderField,
    KeyField,
    Kid,
    OrderField,
    ParticipantField,
    ParticipantId,
)

OWN: Final = AccountClass(
    "own",
    frozenset({Role.INTERMEDIARY, Role.EXCHANGE, Role.POOL, Role.MINER}),
    "Money of the institution itself.",
)
WALLET: Final = AccountClass(
    "wallet", frozenset({Role.INTERMEDIARY}), "Wallet that a bank keeps for a holder among the public."
)

ORDERING_ROLES: Final = frozenset({Role.SUPERVISOR})
"""Roles that freeze and unfreeze accounts of others."""


class NewAccount(Record, frozen=True, kw_only=True):
    """An account to open."""

    account: AccountField
    asset: AssetField
    account_class: ClassField
    holder: HolderField | None = None
    holder_key: KeyField | None = None
    """Public key of the holder; it signs the opening too, which proves possession."""


class AccountOpen(Record, frozen=True, kw_only=True):
    """Open one account or many."""

    accounts: Annotated[tuple[NewAccount, ...], Meta(min_length=1, max_length=ACCOUNTS_PER_OPENING_MAX)]


class AccountFreeze(Record, frozen=True, kw_only=True):
    """Stop debits of an account."""

    account: AccountField
    reason: OrderField


class AccountUnfreeze(Record, frozen=True, kw_only=True):
    """Lift a freeze."""

    account: AccountField
    reason: OrderField


class AccountClose(Record, frozen=True, kw_only=True):
    """Close an account for good."""

    account: AccountField


ACCOUNT_REPEATED = RefusalCode("account_repeated", "The same account is named twice in one opening.")
ACCOUNT_EXISTS = RefusalCode("account_exists", "An account of this id was opened before.")
ACCOUNT_CHECK_DIGITS_WRONG = RefusalCode(
    "account_check_digits_wrong", "The check digits of the account id are wrong (ISO 13616).", iso="AC01"
)
ACCOUNT_CODE_FOREIGN = RefusalCode(
    "account_code_foreign", "The account id does not carry the sender's three-digit code.", iso="AC01"
)
ASSET_UNKNOWN = RefusalCode("asset_unknown", "No asset of this id exists.", iso="AM03")
ACCOUNT_CLASS_UNKNOWN = RefusalCode("account_class_unknown", "The rulebook has no account class of this name.")
ACCOUNT_CLASS_NOT_PERMITTED = RefusalCode(
    "account_class_not_permitted", "The sender's role may not open accounts of this class."
)
HOLDER_KEY_FOREIGN = RefusalCode("holder_key_foreign", "The holder key serves another participant or another use.")
ACCOUNT_NOT_FOUND = RefusalCode(
    "account_not_found", "The account does not exist or is not in the sender's reach.", iso="AC01"
)
ACCOUNT_CLOSED = RefusalCode("account_closed", "The account is closed.", iso="AC04")
ACCOUNT_FROZEN = RefusalCode("account_frozen", "The account is frozen.", iso="AC06", is_transient=True)
ACCOUNT_NOT_FROZEN = RefusalCode("account_not_frozen", "The account is not frozen.", is_transient=True)
FREEZE_ORDERED_BY_OTHER = RefusalCode(
    "freeze_ordered_by_other", "Only who ordered the freeze, or a supervisor, lifts it."
)
BALANCE_NOT_ZERO = RefusalCode("balance_not_zero", "Only an empty account is closed.", is_transient=True)


def _open(view: View, submitted: Submitted) -> Proposal | Refused:
    body: AccountOpen = submitted.signed.body
    participant_id = submitted.signed.transaction.participant
    participant = view.get(PARTICIPANTS, participant_id)
    assert participant is not None, "the sender is admitted"
    ids = {account.account for account in body.accounts}
    if len(ids) < len(body.accounts):
        return Refused(ACCOUNT_REPEATED, detail=f"{len(body.accounts)} accounts, {len(ids)} different")
    for line, account in enumerate(body.accounts):
        code = _refuse_opening(view, submitted, participant, account)
        if code is not None:
            return Refused(code, line, f"account {line}: {account.account}")
    # From here all accounts must open.
    owner = sys.intern(participant_id)
    rows = [(ACCOUNTS, account.account, _opened(account, ParticipantId(owner))) for account in body.accounts]
    keys = {x: None for account in body.accounts if (x := account.holder_key) is not None}
    key_rows = [
        (
            KEYS,
            PublicKey.from_x(x).kid,
            Key(x=x, participant=participant_id, signatory="holder", use=KeyUse.HOLDER),
        )
        for x in keys
    ]
    return Proposal(changes=(*rows, *key_rows), record={"accounts": len(rows)})


def _refuse_opening(
    view: View, submitted: Submitted, participant: Participant, account: NewAccount
) -> RefusalCode | None:
    # The code comes before existence: whether somebody else's account exists is not the sender's to know.
    if not has_valid_check_digits(account.account):
        return ACCOUNT_CHECK_DIGITS_WRONG
    if participant_code(account.account) != participant.code:
        return ACCOUNT_CODE_FOREIGN
    if view.get(ACCOUNTS, account.account) is not None:
        return ACCOUNT_EXISTS
    if view.get(ASSETS, account.asset) is None:
        return ASSET_UNKNOWN
    account_class = submitted.classes.get(account.account_class)
    if account_class is None:
        return ACCOUNT_CLASS_UNKNOWN
    if participant.role not in account_class.roles:
        return ACCOUNT_CLASS_NOT_PERMITTED
    if account.holder_key is not None:
        return _refuse_holder_key(view, submitted.signed.transaction.participant, account.holder_key)
    return None


def _refuse_holder_key(view: View, participant: ParticipantId, x: str) -> RefusalCode | None:
    key = view.get(KEYS, PublicKey.from_x(x).kid)
    if key is None or (key.use is KeyUse.HOLDER and key.participant == participant):
        return None
    return HOLDER_KEY_FOREIGN


def _opened(account: NewAccount, owner: ParticipantId) -> Account:
    return Account(
        asset=AssetId(sys.intern(account.asset)),
        owner=owner,
        account_class=sys.intern(account.account_class),
        holder=account.holder,
        holder_key=None if account.holder_key is None else Kid(PublicKey.from_x(account.holder_key).kid),
    )


def _reachable(view: View, submitted: Submitted, account_id: AccountField) -> Account | Refused:
    """The account, if the sender owns it or may order about it; contra accounts are in nobody's reach."""
    account = view.get(ACCOUNTS, account_id)
    sender_id = submitted.signed.transaction.participant
    if (
        account is None
        or account.account_class == CONTRA
        or not (account.owner == sender_id or _is_ordering(view, sender_id))
    ):
        return Refused(ACCOUNT_NOT_FOUND, detail=f"account {account_id}")
    if account.status is AccountStatus.CLOSED:
        return Refused(ACCOUNT_CLOSED, detail=f"account {account_id}")
    return account


def _is_ordering(view: View, participant_id: ParticipantId) -> bool:
    participant = view.get(PARTICIPANTS, participant_id)
    return participant is not None and participant.role in ORDERING_ROLES


def _freeze(view: View, submitted: Submitted) -> Proposal | Refused:
    body: AccountFreeze = submitted.signed.body
    account = _reachable(view, submitted, body.account)
    if isinstance(account, Refused):
        return account
    sender_id = submitted.signed.transaction.participant
    # A supervisor's order stands above a freeze by the owner, who could lift its own.
    is_ordered_now = _is_ordering(view, sender_id) and account.frozen_by == account.owner
    if account.status is AccountStatus.FROZEN and not is_ordered_now:
        return Refused(ACCOUNT_FROZEN, detail=f"account {body.account} was frozen by {account.frozen_by}")
    changed = msgspec.structs.replace(account, status=AccountStatus.FROZEN, frozen_by=sender_id)
    return Proposal(changes=((ACCOUNTS, body.account, changed),), record={})


def _unfreeze(view: View, submitted: Submitted) -> Proposal | Refused:
    body: AccountUnfreeze = submitted.signed.body
    account = _reachable(view, submitted, body.account)
    if isinstance(account, Refused):
        return account
    if account.status is not AccountStatus.FROZEN:
        return Refused(ACCOUNT_NOT_FROZEN, detail=f"account {body.account}")
    sender_id: ParticipantField = submitted.signed.transaction.participant
    if account.frozen_by != sender_id and not _is_ordering(view, sender_id):
        return Refused(FREEZE_ORDERED_BY_OTHER, detail=f"account {body.account} was frozen by {account.frozen_by}")
    changed = msgspec.structs.replace(account, status=AccountStatus.OPEN, frozen_by=None)
    return Proposal(changes=((ACCOUNTS, body.account, changed),), record={})


def _close(view: View, submitted: Submitted) -> Proposal | Refused:
    body: AccountClose = submitted.signed.body
    account = _reachable(view, submitted, body.account)
    if isinstance(account, Refused):
        return account
    if account.status is AccountStatus.FROZEN:
        return Refused(ACCOUNT_FROZEN, detail=f"account {body.account} was frozen by {account.frozen_by}")
    balance = view.get(BALANCES, body.account) or 0
    if balance > 0:
        return Refused(BALANCE_NOT_ZERO, detail=f"account {body.account} holds {balance}")
    changed = msgspec.structs.replace(account, status=AccountStatus.CLOSED)
    return Proposal(changes=((ACCOUNTS, body.account, changed),), record={})


def _holder_kids(_view: View, body: AccountOpen) -> Iterable[Kid]:
    return {Kid(PublicKey.from_x(account.holder_key).kid) for account in body.accounts if account.holder_key}


def _holder_keys(body: AccountOpen) -> Iterable[str]:
    return {account.holder_key for account in body.accounts if account.holder_key}


def _account_count(body: AccountOpen) -> int:
    return len(body.accounts)


MODULE = RuleModule(
    name="accounts",
    meaning="Accounts in the form of Kazakh IBANs.",
    classes=(OWN, WALLET),
    kinds=(
        Kind(
            name="account_open",
            body=AccountOpen,
            meaning="Open one account or many; each holder key signs too.",
            refusals=(
                ACCOUNT_REPEATED,
                ACCOUNT_CHECK_DIGITS_WRONG,
                ACCOUNT_CODE_FOREIGN,
                ACCOUNT_EXISTS,
                ASSET_UNKNOWN,
                ACCOUNT_CLASS_UNKNOWN,
                ACCOUNT_CLASS_NOT_PERMITTED,
                HOLDER_KEY_FOREIGN,
            ),
            decide=_open,
            required_keys=_holder_kids,
            presented_keys=_holder_keys,
            weight=_account_count,
        ),
        Kind(
            name="account_freeze",
            body=AccountFreeze,
            meaning="Stop debits of an account, by its owner or a supervisor.",
            refusals=(ACCOUNT_NOT_FOUND, ACCOUNT_CLOSED, ACCOUNT_FROZEN),
            decide=_freeze,
        ),
        Kind(
            name="account_unfreeze",
            body=AccountUnfreeze,
            meaning="Lift a freeze, by who ordered it or a supervisor.",
            refusals=(ACCOUNT_NOT_FOUND, ACCOUNT_CLOSED, ACCOUNT_NOT_FROZEN, FREEZE_ORDERED_BY_OTHER),
            decide=_unfreeze,
        ),
        Kind(
            name="account_close",
            body=AccountClose,
            meaning="Close an empty account for good.",
            refusals=(ACCOUNT_NOT_FOUND, ACCOUNT_CLOSED, ACCOUNT_FROZEN, BALANCE_NOT_ZERO),
            decide=_close,
        ),
    ),
)
