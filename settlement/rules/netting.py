"""A batch: many sales of one exchange at once, coins sale by sale, tenge as one net sum for each account.

BIS model 2, within one exchange and atomic: all sales settle, or none. Each sale is asked everything that it would be
asked alone. One that was not set aside settles in full, so a client who buys and sells needs only the difference; but
what is set aside for sales outside the batch stays. The coins of a sale may come from an earlier one in the batch.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Final

from msgspec import Meta

from ledger.model.accounts import AccountStatus
from ledger.model.assets import TENGE
from ledger.model.journal import Entry
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.posting import DEBIT_ACCOUNT_CLOSED, DEBIT_ACCOUNT_FROZEN
from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.state import Overlay, View
from ledger.units import AMOUNT_MAX, BALANCE_MAX, POSTINGS_PER_ENTRY_MAX, AccountId, LabelField
from settlement.model.instructions import InstructionStatus
from settlement.rules.completion import FINALITY, NET, PLAN_REFUSALS, Plan, plan_sale
from settlement.rules.reconciliation_order import refuse_new_business
from settlement.rules.sales import credit, debit, refuse_claimed
from settlement.rules.tables import RESERVED

BATCH_TRADES_MAX: Final = 64
"""Most sales in a batch: each brings four tenge accounts at most, so their net sums fit in one entry."""

assert BATCH_TRADES_MAX * 4 <= POSTINGS_PER_ENTRY_MAX, "the net entry of a full batch fits"


class DvpBatch(Record, frozen=True, kw_only=True):
    """Settle many matched sales at once, in the order named."""

    trades: Annotated[tuple[LabelField, ...], Meta(min_length=2, max_length=BATCH_TRADES_MAX)]


BATCH_FUNDS_SHORT = RefusalCode(
    "batch_funds_short",
    "After the batch an account would hold less than is set aside of it for other sales, or less than nothing.",
    iso="AM04",
    is_transient=True,
)
BATCH_SUM_TOO_LARGE = RefusalCode(
    "batch_sum_too_large",
    "The gross sum is more than can be written, or the net sum of an account above the largest posting.",
    iso="AM02",
)

_STATUSES: Final = frozenset({InstructionStatus.MATCHED, InstructionStatus.ALLOCATED})


def _batch(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpBatch = submitted.signed.body
    # Asked before the first sale is planned: the sales of a batch share its payment.
    if refused := refuse_claimed(view, submitted.signed.transaction_id):
        return refused
    after = Overlay(view)
    plans: list[Plan] = []
    for line, trade in enumerate(body.trades):
        plan = plan_sale(after, submitted, trade, statuses=_STATUSES)
        if isinstance(plan, Refused):
            return Refused(plan.code, line, plan.detail)
        for table, key, value in plan.changes:
            after.put(table, key, value)
        plans.append(plan)
    net = _net(plans)
    if refused := (
        _refuse_sums(plans, net)
        or _refuse_short(view, after, plans, net)
        or _refuse_payers(view, plans)
        or _refuse_unseen(view, submitted, net)
    ):
        return refused
    # From here only the posting rules and the guards may refuse.
    coins = (
        Entry(
            (
                debit(plan.terms.seller_coin, plan.coin, plan.moved.quantity),
                credit(plan.terms.buyer_coin, plan.coin, plan.moved.quantity),
            ),
            mandated=(plan.terms.seller_coin,),
        )
        for plan in plans
    )
    return Proposal(
        entries=(*coins, *_net_entry(net)),
        changes=tuple((table, key, value) for table, rows in after.writes() for key, value in rows.items()),
        record=_record(submitted, plans, net),
    )


def _net(plans: Iterable[Plan]) -> dict[AccountId, int]:
    """What each tenge account gets (above zero) or gives, in tiyn, by account."""
    net: Counter[AccountId] = Counter()
    for plan in plans:
        net[plan.terms.buyer_tenge] -= plan.moved.amount
        net[plan.terms.seller_tenge] += plan.proceeds
        for account, amount in ((plan.charges.fee_account, plan.moved.fee), (plan.charges.tax_account, plan.moved.tax)):
            if account is not None and amount:
                net[account] += amount
    return dict(sorted(net.items()))


def _refuse_sums(plans: Iterable[Plan], net: dict[AccountId, int]) -> Refused | None:
    if (gross := sum(plan.moved.amount for plan in plans)) > BALANCE_MAX:
        return Refused(BATCH_SUM_TOO_LARGE, detail=f"gross {gross} tiyn")
    for account, amount in net.items():
        if abs(amount) > AMOUNT_MAX:
            return Refused(BATCH_SUM_TOO_LARGE, detail=f"account {account}: {amount} tiyn")
    return None


def _refuse_short(view: View, after: View, plans: Iterable[Plan], net: dict[AccountId, int]) -> Refused | None:
    """Look at what each account would hold in the end; the guard lets this kind through."""
    change: Counter[AccountId] = Counter(net)
    for plan in plans:
        change[plan.terms.seller_coin] -= plan.moved.quantity
        change[plan.terms.buyer_coin] += plan.moved.quantity
    for account, amount in change.items():
        left = (view.get(BALANCES, account) or 0) + amount
        reserved = after.get(RESERVED, account) or 0
        if left < reserved:
            return Refused(BATCH_FUNDS_SHORT, detail=f"account {account} would hold {left}, {reserved} set aside")
    return None


def _refuse_payers(view: View, plans: Iterable[Plan]) -> Refused | None:
    """Ask of each buyer's account what is asked where it pays alone: netted, no entry may debit it."""
    for line, plan in enumerate(plans):
        account = view.get(ACCOUNTS, plan.terms.buyer_tenge)
        assert account is not None, "an account never goes"
        if account.status is not AccountStatus.OPEN:
            code = DEBIT_ACCOUNT_CLOSED if account.status is AccountStatus.CLOSED else DEBIT_ACCOUNT_FROZEN
            return Refused(code, line, f"account {plan.terms.buyer_tenge} is {account.status}")
    return None


def _refuse_unseen(view: View, submitted: Submitted, net: dict[AccountId, int]) -> Refused | None:
    """Ask the gate of the tenge where no entry moves any; else the guard asks it."""
    if any(net.values()):
        return None
    return refuse_new_business(view, submitted.signed.transaction.participant, TENGE)


def _net_entry(net: dict[AccountId, int]) -> tuple[Entry, ...]:
    """The entry that moves the differences; none if all are zero."""
    postings = [
        debit(account, TENGE, -amount) if amount < 0 else credit(account, TENGE, amount)
        for account, amount in net.items()
        if amount
    ]
    payers = tuple(account for account, amount in net.items() if amount < 0)
    return (Entry(tuple(postings), mandated=payers),) if postings else ()


def _record(submitted: Submitted, plans: Iterable[Plan], net: dict[AccountId, int]) -> dict[str, Any]:
    gives = {str(account): -amount for account, amount in net.items() if amount < 0}
    gets = {str(account): amount for account, amount in net.items() if amount >= 0}
    failed = {plan.trade: {"failed": plan.failed, "cause": str(plan.cause)} for plan in plans if plan.cause is not None}
    return {
        "model": NET,
        "finality": FINALITY,
        "final_us": submitted.time_us,
        "gross": sum(plan.moved.amount for plan in plans),
        "net": sum(gives.values()),
        "gives": gives,
        "gets": gets,
    } | ({"failed": failed} if failed else {})


def _weight(body: DvpBatch) -> int:
    return len(body.trades)


MODULE = RuleModule(
    name="netting",
    meaning="Many sales of one exchange settle at once, with tenge net.",
    kinds=(
        Kind(
            name="dvp_batch",
            body=DvpBatch,
            meaning="Settle many matched sales at once: coins sale by sale, tenge net for each account.",
            # Frozen payers and the gate are refused with the codes of the posting rules and of the guard.
            refusals=(*PLAN_REFUSALS, BATCH_SUM_TOO_LARGE, BATCH_FUNDS_SHORT),
            decide=_batch,
            weight=_weight,
        ),
    ),
)
