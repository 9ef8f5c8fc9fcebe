"""The order to reconcile, the list of client accounts it rests on, and the gate it closes.

A supervisor's order starts it. From then on, each tenge account of a client stands in a list before money reaches it.
The order itself lists all that hold money, and empty ones while there is room, so an account that is not listed is
empty, and the sum over the list is all the client tenge that the exchange keeps: no account can be left out of a cut.
However many accounts an exchange has opened, the order stands.

While the last reconciliation of an asset is broken, or that of the former business date is missing, new business in it
is refused: sales and deposits of coins. Returns to clients and withdrawals never are. A later reconciliation does not
make up for a missed date: new business rests until the next one, so nobody gains by reconciling every other day.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ledger.model.accounts import Account
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.accounts import ACCOUNT_REPEATED
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, BALANCES, ledger_of
from ledger.state import Table, View
from ledger.units import (
    ACCOUNTS_PER_OPENING_MAX,
    AccountField,
    AccountId,
    AssetId,
    BusinessDate,
    OrderField,
    ParticipantField,
    ParticipantId,
)
from settlement.model.reconciliation import (
    ACCOUNTS_PER_PAGE,
    LISTED_ACCOUNTS_MAX,
    LISTED_BY_ORDER_MAX,
    AttestationHoursField,
    Reconciliation,
    Requirement,
    Result,
)
from settlement.rules.registry import PARTICIPANT_ROLE_DIFFERS, refuse_role
from settlement.rules.tables import LISTED, LISTED_PAGES, RECONCILIATIONS, REQUIREMENTS

GATED_KINDS: Final = frozenset({"dvp_settle", "dvp_complete", "dvp_batch", "custody_credit"})
"""Kinds that are refused while the reconciliation of an asset is broken or missing: new business, never the way out and
never the reversal of what should not have been."""

Changes = list[tuple[Table[Any], str, Any]]


class ReconciliationRequire(Record, frozen=True, kw_only=True):
    """Order an exchange to reconcile each business day, from this one on; or change the terms of such an order."""

    exchange: ParticipantField
    attestation_hours: AttestationHoursField = 24
    order: OrderField


class ClientAccountsList(Record, frozen=True, kw_only=True):
    """List tenge accounts of clients, so that money may reach them and each cut sums them up."""

    accounts: Annotated[tuple[AccountField, ...], Meta(min_length=1, max_length=ACCOUNTS_PER_OPENING_MAX)]


CLIENT_ACCOUNTS_TOO_MANY = RefusalCode(
    "client_accounts_too_many", f"One exchange lists at most {LISTED_ACCOUNTS_MAX:,} tenge accounts of clients."
)
RECONCILIATION_NOT_REQUIRED = RefusalCode(
    "reconciliation_not_required", "No supervisor has ordered this exchange to reconcile.", is_transient=True
)
LISTING_ACCOUNT_UNFIT = RefusalCode(
    "listing_account_unfit", "Tenge accounts of client classes that the sender keeps are listed, and no others."
)
ACCOUNT_LISTED = RefusalCode("account_listed", "The account is listed.")
CLIENT_ACCOUNT_UNLISTED = RefusalCode(
    "client_account_unlisted",
    "The exchange reconciles daily, and has not listed this client account yet.",
    iso="AG01",
    is_transient=True,
)
RECONCILIATION_BROKEN = RefusalCode(
    "reconciliation_broken",
    "The last reconciliation of the asset did not balance; it has to be made good first.",
    iso="AG01",
    is_transient=True,
)
RECONCILIATION_MISSING = RefusalCode(
    "reconciliation_missing",
    "The former business date was not reconciled for this asset, and a later one does not stand in for it.",
    iso="AG01",
    is_transient=True,
)


def asset_key(exchange: ParticipantId, asset: AssetId) -> str:
    """Return the key of an exchange's asset in the tables of cuts, reconciliations and liabilities."""
    return f"{exchange}/{asset}"


def client_tenge(view: View, exchange: ParticipantId, requirement: Requirement) -> int:
    """Return the tenge on all client accounts of an exchange: the sum over its list, page by page."""
    total = 0
    for page in range(-(-requirement.accounts // ACCOUNTS_PER_PAGE)):
        accounts = view.get(LISTED_PAGES, _page_key(exchange, page))
        assert accounts is not None, "pages are filled one after the other"
        # An account that never moved has no balance yet.
        total += sum(view.get_many(BALANCES, set(accounts)).values())
    return total


def guard(view: View, submitted: Submitted, entry: Entry) -> Refused | None:
    """Refuse money for accounts that no cut would see, and new business in assets that are not reconciled."""
    gated = {}
    for posting in entry.postings:
        account = view.get(ACCOUNTS, posting.account)
        assert account is not None, "the posting rules looked it up"
        if not _is_clients(submitted, account):
            continue
        requirement = view.get(REQUIREMENTS, account.owner)
        if requirement is None:
            continue
        if account.asset == TENGE and posting.side is Side.CREDIT and view.get(LISTED, posting.account) is None:
            return Refused(CLIENT_ACCOUNT_UNLISTED, detail=f"account {posting.account}")
        gated[asset_key(account.owner, account.asset)] = requirement
    if submitted.signed.transaction.kind in GATED_KINDS:
        for key, requirement in gated.items():
            if refused := _refuse_unreconciled(view, key, requirement):
                return refused
    return None


def refuse_new_business(view: View, exchange: ParticipantId, asset: AssetId) -> Refused | None:
    """Refuse new business in an asset that is not reconciled, where no entry shows the guard that it moves."""
    requirement = view.get(REQUIREMENTS, exchange)
    return None if requirement is None else _refuse_unreconciled(view, asset_key(exchange, asset), requirement)


def missed_before(
    view: View, requirement: Requirement, last: Reconciliation | None, date: BusinessDate
) -> BusinessDate | None:
    """Return the business date that a reconciliation of a date leaves out: the former one, if nothing reached it.

    An asset that was never reconciled leaves nothing out: it may be new.
    """
    if last is None:
        return None
    if last.date == date:
        return last.missed
    former = ledger_of(view).former_business_date
    if former is None or former < requirement.from_date or date <= former or last.date >= former:
        return None
    return former


def _refuse_unreconciled(view: View, key: str, requirement: Requirement) -> Refused | None:
    last = view.get(RECONCILIATIONS, key)
    if last is not None and last.result is Result.BROKEN:
        return Refused(RECONCILIATION_BROKEN, detail=f"{key} on {last.date}")
    former = ledger_of(view).former_business_date
    if former is None or former < requirement.from_date:
        return None
    if last is None or last.date < former or last.missed == former:
        return Refused(RECONCILIATION_MISSING, detail=f"{key} on {former}")
    return None


def _is_clients(submitted: Submitted, account: Account) -> bool:
    account_class = submitted.classes.get(account.account_class)
    return account_class is not None and account_class.is_client


def _is_client(account_class: AccountClass) -> bool:
    return account_class.is_client


def _require(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ReconciliationRequire = submitted.signed.body
    if refused := refuse_role(view, body.exchange, Role.EXCHANGE):
        return refused
    standing = view.get(REQUIREMENTS, body.exchange)
    if standing is not None:
        terms = msgspec.structs.replace(standing, attestation_hours=body.attestation_hours, order=body.order)
        return Proposal(changes=((REQUIREMENTS, body.exchange, terms),), record={"accounts": standing.accounts})
    requirement = Requirement(
        from_date=submitted.business_date, attestation_hours=body.attestation_hours, order=body.order
    )
    return _listing(view, body.exchange, requirement, _listed_by_order(view, submitted, body.exchange))


def _listed_by_order(view: View, submitted: Submitted, exchange: ParticipantId) -> list[AccountId]:
    """All accounts of clients with money in them, and empty ones while there is room, in the order of their ids."""
    # Once for each exchange, and no heavier than a day close, which looks at each account too.
    clients = sorted(
        AccountId(account_id)
        for account_id, account in view.items(ACCOUNTS)
        if account.owner == exchange and account.asset == TENGE and _is_clients(submitted, account)
    )
    balances = view.get_many(BALANCES, set(clients))
    empty = [account_id for account_id in clients if not balances.get(account_id)]
    room = max(0, LISTED_BY_ORDER_MAX - (len(clients) - len(empty)))
    left_out = set(empty[room:])
    return [account_id for account_id in clients if account_id not in left_out]


def _list(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ClientAccountsList = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    requirement = view.get(REQUIREMENTS, exchange)
    if requirement is None:
        return Refused(RECONCILIATION_NOT_REQUIRED, detail=f"exchange {exchange}")
    if len(set(body.accounts)) < len(body.accounts):
        return Refused(ACCOUNT_REPEATED, detail=f"{len(body.accounts)} accounts, {len(set(body.accounts))} different")
    for line, account_id in enumerate(body.accounts):
        account = view.get(ACCOUNTS, account_id)
        if (
            account is None
            or account.owner != exchange
            or account.asset != TENGE
            or not _is_clients(submitted, account)
        ):
            return Refused(LISTING_ACCOUNT_UNFIT, line, f"account {account_id}")
        if view.get(LISTED, account_id) is not None:
            return Refused(ACCOUNT_LISTED, line, f"account {account_id}")
    if requirement.accounts + len(body.accounts) > LISTED_ACCOUNTS_MAX:
        detail = f"{requirement.accounts} are listed, {len(body.accounts)} more"
        return Refused(CLIENT_ACCOUNTS_TOO_MANY, detail=detail)
    return _listing(view, exchange, requirement, body.accounts)


def _listing(view: View, exchange: ParticipantId, requirement: Requirement, accounts: Iterable[AccountId]) -> Proposal:
    """Append the accounts to the pages of the list."""
    added = list(accounts)
    count = requirement.accounts + len(added)
    changes: Changes = [(REQUIREMENTS, exchange, msgspec.structs.replace(requirement, accounts=count))]
    done = 0
    while done < len(added):
        place = requirement.accounts + done
        page = _page_key(exchange, place // ACCOUNTS_PER_PAGE)
        taken = tuple(added[done : done + ACCOUNTS_PER_PAGE - place % ACCOUNTS_PER_PAGE])
        changes.append((LISTED_PAGES, page, (view.get(LISTED_PAGES, page) or ()) + taken))
        changes.extend((LISTED, account, page) for account in taken)
        done += len(taken)
    return Proposal(changes=tuple(changes), record={"accounts": count})


def _page_key(exchange: ParticipantId, page: int) -> str:
    return f"{exchange}/{page}"


def _listed_count(body: ClientAccountsList) -> int:
    return len(body.accounts)


def _order_weight(_body: ReconciliationRequire) -> int:
    """What a first order may list; of a changed one the body does not tell."""
    return LISTED_BY_ORDER_MAX


MODULE = RuleModule(
    name="reconciliation_order",
    meaning="The order to reconcile daily, the list of client accounts, and the gate.",
    tables=(REQUIREMENTS, LISTED, LISTED_PAGES, RECONCILIATIONS),
    kinds=(
        Kind(
            name="reconciliation_require",
            body=ReconciliationRequire,
            meaning="Order an exchange to reconcile each business day, or change the terms.",
            refusals=(PARTICIPANT_ROLE_DIFFERS,),
            decide=_require,
            weight=_order_weight,
        ),
        Kind(
            name="client_accounts_list",
            body=ClientAccountsList,
            meaning="List tenge accounts of clients, so that money may reach them.",
            refusals=(
                RECONCILIATION_NOT_REQUIRED,
                ACCOUNT_REPEATED,
                LISTING_ACCOUNT_UNFIT,
                ACCOUNT_LISTED,
                CLIENT_ACCOUNTS_TOO_MANY,
            ),
            decide=_list,
            weight=_listed_count,
        ),
    ),
    guards=(guard,),
    guards_watch=_is_client,
    guard_refusals=(CLIENT_ACCOUNT_UNLISTED, RECONCILIATION_BROKEN, RECONCILIATION_MISSING),
)
