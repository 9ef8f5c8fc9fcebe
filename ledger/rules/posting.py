"""Posting a journal entry: the checks that hold for every entry, whatever its kind.

Order of checks, which is the precedence of the codes below: each debit posting in turn, then each credit posting in
turn, then the balances that would result, then the guards of the rulebook.
"""

from collections.abc import Iterable, Set

from ledger.model.accounts import CONTRA, Account, AccountStatus
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.rules.module import Guard, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES
from ledger.state import Overlay, View
from ledger.units import BALANCE_MAX

DEBIT_ACCOUNT_NOT_FOUND = RefusalCode(
    "debit_account_not_found",
    "The account to debit does not exist or is not the sender's; the two are told apart to nobody.",
    iso="AC02",
    is_transient=True,
)
CREDIT_ACCOUNT_NOT_FOUND = RefusalCode(
    "credit_account_not_found", "The account to credit does not exist.", iso="AC03", is_transient=True
)
ACCOUNT_ASSET_DIFFERS = RefusalCode(
    "account_asset_differs", "The account holds another asset than the posting moves.", iso="AM03"
)
CONTRA_ACCOUNT_RESERVED = RefusalCode(
    "contra_account_reserved", "Only the issuance kinds of an asset post to its contra account.", iso="AG01"
)
DEBIT_ACCOUNT_CLOSED = RefusalCode("debit_account_closed", "The account to debit is closed.", iso="AC04")
DEBIT_ACCOUNT_FROZEN = RefusalCode(
    "debit_account_frozen", "The account to debit is frozen by order.", iso="AC06", is_transient=True
)
HOLDER_CONSENT_MISSING = RefusalCode(
    "holder_consent_missing",
    "The account is bound to a holder key, and neither that key nor a mandate signed by it covers this debit.",
    iso="AG01",
    is_transient=True,
)
CREDIT_ACCOUNT_CLOSED = RefusalCode("credit_account_closed", "The account to credit is closed.", iso="AC04")
INSUFFICIENT_FUNDS = RefusalCode(
    "insufficient_funds", "The debit exceeds the balance of the account.", iso="AM04", is_transient=True
)
BALANCE_TOO_LARGE = RefusalCode(
    "balance_too_large",
    "A balance, or what is in circulation, would exceed 2^53 - 1.",
    iso="AM02",
    is_transient=True,
)

POSTING_REFUSALS = (
    DEBIT_ACCOUNT_NOT_FOUND,
    CONTRA_ACCOUNT_RESERVED,
    ACCOUNT_ASSET_DIFFERS,
    DEBIT_ACCOUNT_CLOSED,
    DEBIT_ACCOUNT_FROZEN,
    HOLDER_CONSENT_MISSING,
    CREDIT_ACCOUNT_NOT_FOUND,
    CREDIT_ACCOUNT_CLOSED,
    INSUFFICIENT_FUNDS,
    BALANCE_TOO_LARGE,
)
"""In order of precedence within one posting; see the module's first paragraph for the order of postings."""


def post(
    overlay: Overlay,
    submitted: Submitted,
    entry: Entry,
    guards: Iterable[Guard],
    ordinary_classes: Set[str] = frozenset(),
) -> Refused | None:
    """Post an entry, or say which rule refuses it. A refused entry changes nothing.

    Args:
        overlay: gains the balances.
        submitted: the transaction at its place in the order.
        entry: what it proposes.
        guards: those of the rulebook.
        ordinary_classes: classes that no guard watches; an entry between their accounts is shown to none.
    """
    assert is_balanced(entry.postings), "a kind proposes balanced entries only"
    balances: dict[str, int] = {}
    classes: set[str] = set()
    refused = _postings(overlay, submitted, entry, balances, classes) or _bounds(balances)
    if refused is not None:
        return refused
    for guard in () if classes <= ordinary_classes else guards:
        refused = guard(overlay, submitted, entry)
        if refused is not None:
            return refused
    # From here the entry must succeed.
    for account, balance in balances.items():
        overlay.put(BALANCES, account, balance)
    return None


def post_lines(
    overlay: Overlay,
    submitted: Submitted,
    entries: Iterable[Entry],
    guards: Iterable[Guard],
    ordinary_classes: Set[str] = frozenset(),
    *,
    is_atomic: bool,
) -> dict[int, RefusalCode] | Refused:
    """Post entries in order, each seeing the former (design D17).

    Returns:
        The code of each refused entry by its place; if all or none, the refusal of the first, and nothing is changed.
    """
    refused_lines: dict[int, RefusalCode] = {}
    target = Overlay(overlay) if is_atomic else overlay
    for line, entry in enumerate(entries):
        refused = post(target, submitted, entry, guards, ordinary_classes)
        if refused is None:
            continue
        if is_atomic:
            return Refused(refused.code, line, f"line {line}: {refused.detail}")
        refused_lines[line] = refused.code
    if is_atomic:
        overlay.absorb(target)
    return refused_lines


def is_balanced(postings: tuple[Posting, ...]) -> bool:
    """Whether debits equal credits for each asset."""
    if len(postings) == 2:
        first, second = postings
        return first.amount == second.amount and first.asset == second.asset and first.side is not second.side
    sums: dict[str, int] = {}
    for posting in postings:
        signed = posting.amount if posting.side is Side.CREDIT else -posting.amount
        sums[posting.asset] = sums.get(posting.asset, 0) + signed
    return not any(sums.values())


def _postings(
    view: View, submitted: Submitted, entry: Entry, balances: dict[str, int], classes: set[str]
) -> Refused | None:
    """Debits in their order, then credits; fills in the balances that would result, and the accounts' classes."""
    for posting in entry.postings:
        if posting.side is Side.DEBIT:
            refused = _debit(view, submitted, entry, posting, balances, classes)
            if refused is not None:
                return refused
    for posting in entry.postings:
        if posting.side is Side.CREDIT:
            refused = _credit(view, submitted, posting, balances, classes)
            if refused is not None:
                return refused
    return None


def _bounds(balances: dict[str, int]) -> Refused | None:
    for account, balance in balances.items():
        if balance < 0:
            return Refused(INSUFFICIENT_FUNDS, detail=f"account {account} is {-balance} short")
        if balance > BALANCE_MAX:
            return Refused(BALANCE_TOO_LARGE, detail=f"account {account} would hold {balance}")
    return None


def _debit(
    view: View,
    submitted: Submitted,
    entry: Entry,
    posting: Posting,
    balances: dict[str, int],
    classes: set[str],
) -> Refused | None:
    account = view.get(ACCOUNTS, posting.account)
    if account is None:
        return Refused(DEBIT_ACCOUNT_NOT_FOUND, detail=f"{posting.account} is no account of the sender")
    is_contra = account.account_class == CONTRA
    if not is_contra and account.owner != (entry.keeper or submitted.signed.transaction.participant):
        return Refused(DEBIT_ACCOUNT_NOT_FOUND, detail=f"{posting.account} is no account of the sender")
    if is_contra and not _may_issue(view, submitted, account):
        return Refused(CONTRA_ACCOUNT_RESERVED, detail=f"{posting.account} is the contra account of {account.asset}")
    if account.asset != posting.asset:
        return _other_asset(account, posting)
    if account.status is not AccountStatus.OPEN:
        if account.status is AccountStatus.CLOSED:
            return Refused(DEBIT_ACCOUNT_CLOSED, detail=f"account {posting.account} is closed")
        if not entry.is_through_freeze:
            return Refused(DEBIT_ACCOUNT_FROZEN, detail=f"account {posting.account} is frozen")
    if (
        account.holder_key is not None
        and account.holder_key not in submitted.signed.signers
        and posting.account not in entry.mandated
    ):
        return Refused(HOLDER_CONSENT_MISSING, detail=f"account {posting.account} needs key {account.holder_key}")
    classes.add(account.account_class)
    _move(view, posting, balances, posting.amount if is_contra else -posting.amount)
    return None


def _credit(
    view: View, submitted: Submitted, posting: Posting, balances: dict[str, int], classes: set[str]
) -> Refused | None:
    account = view.get(ACCOUNTS, posting.account)
    if account is None:
        return Refused(CREDIT_ACCOUNT_NOT_FOUND, detail=f"account {posting.account} does not exist")
    is_contra = account.account_class == CONTRA
    if is_contra and not _may_issue(view, submitted, account):
        return Refused(CONTRA_ACCOUNT_RESERVED, detail=f"{posting.account} is the contra account of {account.asset}")
    if account.asset != posting.asset:
        return _other_asset(account, posting)
    if account.status is AccountStatus.CLOSED:
        return Refused(CREDIT_ACCOUNT_CLOSED, detail=f"account {posting.account} is closed")
    classes.add(account.account_class)
    _move(view, posting, balances, -posting.amount if is_contra else posting.amount)
    return None


def _move(view: View, posting: Posting, balances: dict[str, int], change: int) -> None:
    assert posting.account not in balances, "a kind proposes entries in which an account stands once"
    balances[posting.account] = (view.get(BALANCES, posting.account) or 0) + change


def _may_issue(view: View, submitted: Submitted, account: Account) -> bool:
    asset = view.get(ASSETS, account.asset)
    assert asset is not None, "an account's asset exists"
    return submitted.signed.transaction.kind in asset.issuance_kinds


def _other_asset(account: Account, posting: Posting) -> Refused:
    return Refused(
        ACCOUNT_ASSET_DIFFERS,
        detail=f"account {posting.account} holds {account.asset}, expected {posting.asset}",
    )
