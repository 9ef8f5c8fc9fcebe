"""Court orders: a supervisor takes client money or coins by an order that it carries out, without the exchange.

Two signatories of the supervisor sign; neither the exchange nor the holder is asked, for an order is against somebody's
will. So it is bounded otherwise: the sum of the order stands in the ledger and is never exceeded, in however many
parts it is taken; the payee is a client, a wallet at a bank or an institution's own account, never an exchange's own
or an affiliate. What was arrested before (``account_freeze``) is taken without lifting the freeze first, so that
nothing gets away in between. What is set aside for a sale is not: it is released or settles first.

That the order exists, and says so, the ledger cannot know: it records its number and who signed.
"""

from typing import Final

from ledger.model.accounts import Account
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.accounts import OWN
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, PARTICIPANTS
from ledger.rules.transfers import ACCOUNTS_MUST_DIFFER
from ledger.state import View
from ledger.units import AccountField, AccountId, AmountField, OrderField
from settlement.model.purposes import CourtOrder
from settlement.rules.purposes import CLIENT_CLASSES, COURT_COIN_PAYEES, COURT_PAYEES
from settlement.rules.tables import COURT_ORDERS


class CourtOrderDebit(Record, frozen=True, kw_only=True):
    """Take from a client's account what an order takes, wholly or in part."""

    account: AccountField
    """The client's account, at whatever exchange."""
    credit: AccountField
    """The account that the order names."""
    amount: AmountField
    order: OrderField
    """Number of the order."""
    ordered: AmountField
    """All that the order takes from this account; the same each time."""


COURT_ACCOUNT_UNFIT = RefusalCode(
    "court_account_unfit", "An order takes from an account of a client class, and from no other.", iso="AG01"
)
COURT_PAYEE_UNFIT = RefusalCode(
    "court_payee_unfit",
    "An order pays a client, a wallet or an institution's own account; never an exchange itself, nor an affiliate.",
    iso="AG01",
)
COURT_ORDER_DIFFERS = RefusalCode(
    "court_order_differs", "The order stands with another sum, or another supervisor carries it out."
)
COURT_ORDER_EXCEEDED = RefusalCode(
    "court_order_exceeded", "More would be taken from the account than the order says.", iso="AM02"
)


def _debit(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CourtOrderDebit = submitted.signed.body
    supervisor = submitted.signed.transaction.participant
    account = view.get(ACCOUNTS, body.account)
    if account is None or account.account_class not in CLIENT_CLASSES:
        return Refused(COURT_ACCOUNT_UNFIT, detail=f"account {body.account}")
    if body.account == body.credit:
        return Refused(ACCOUNTS_MUST_DIFFER, detail=f"account {body.account}")
    if not _is_payee(view, account, body.credit):
        return Refused(COURT_PAYEE_UNFIT, detail=f"account {body.credit}")
    key = f"{body.account}/{body.order}"
    standing = view.get(COURT_ORDERS, key) or CourtOrder(supervisor=supervisor, ordered=body.ordered, taken=0)
    if (standing.supervisor, standing.ordered) != (supervisor, body.ordered):
        return Refused(COURT_ORDER_DIFFERS, detail=f"{standing.ordered} by {standing.supervisor}")
    taken = standing.taken + body.amount
    if taken > body.ordered:
        return Refused(COURT_ORDER_EXCEEDED, detail=f"{standing.taken} of {body.ordered} taken, {body.amount} more")
    # From here only the posting rules and the guards may refuse.
    changed = CourtOrder(supervisor=supervisor, ordered=body.ordered, taken=taken)
    return Proposal(
        entries=(_entry(body, account),),
        changes=((COURT_ORDERS, key, changed),),
        record={"keeper": str(account.owner), "taken": taken},
    )


def _is_payee(view: View, debited: Account, credit: AccountId) -> bool:
    account = view.get(ACCOUNTS, credit)
    classes = COURT_PAYEES if debited.asset == TENGE else COURT_COIN_PAYEES
    if account is None or account.account_class not in classes:
        return False
    if account.account_class != OWN.name:
        return True
    owner = view.get(PARTICIPANTS, account.owner)
    assert owner is not None, "an account's owner is admitted"
    return owner.role is not Role.EXCHANGE


def _entry(body: CourtOrderDebit, account: Account) -> Entry:
    postings = (
        Posting(account=body.account, asset=account.asset, amount=body.amount, side=Side.DEBIT),
        Posting(account=body.credit, asset=account.asset, amount=body.amount, side=Side.CREDIT),
    )
    return Entry(postings, mandated=(body.account,), keeper=account.owner, is_through_freeze=True)


MODULE: Final = RuleModule(
    name="court_orders",
    meaning="Client money and coins taken by order.",
    tables=(COURT_ORDERS,),
    kinds=(
        Kind(
            name="court_order_debit",
            body=CourtOrderDebit,
            meaning="Take from a client's account what a court's order takes.",
            refusals=(
                COURT_ACCOUNT_UNFIT,
                ACCOUNTS_MUST_DIFFER,
                COURT_PAYEE_UNFIT,
                COURT_ORDER_DIFFERS,
                COURT_ORDER_EXCEEDED,
            ),
            decide=_debit,
        ),
    ),
)
