"""Completion: a sale that is set aside becomes one entry with coins, tenge, fee and tax. Both legs, or neither.

BIS model 1: gross, sale by sale, coins and tenge at the same moment. It is final with the block that carries it; the
record says so, and when. Of a sale set aside in part, that part is final and counts, and the rest has failed, with its
cause. The fee is at most what the tariff of the day allows for the part that settles.

Consent is asked again at this moment: a mandate that was taken back or has expired stops the sale, whatever is set
aside. A suspended exchange completes only what it executed before, and only under an order (`venue_run_off`).
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ledger.crypto.canonical import b64url
from ledger.model.assets import TENGE
from ledger.model.journal import Entry
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS
from ledger.state import View
from ledger.units import AssetId, LabelField, ParticipantId
from settlement.model.custody import fee_limit
from settlement.model.instructions import (
    Charges,
    Fail,
    FailCause,
    Instruction,
    InstructionStatus,
    Settled,
    Terms,
    with_status,
)
from settlement.rules.coins import VENUE_LICENCE_INVALID, coin_asset
from settlement.rules.mandates import MANDATE_REFUSALS
from settlement.rules.sales import (
    DUP_CASH_LEG,
    MINER_LICENCE_INVALID,
    Moved,
    Parties,
    credit,
    debit,
    quota_claim,
    refuse_claimed,
    refuse_miner,
)
from settlement.rules.set_aside import (
    INSTRUCTION_STATUS_UNFIT,
    INSTRUCTION_UNKNOWN,
    Change,
    both_sides,
    find_instruction,
    give_back,
    part_moved,
    refuse_consent,
)
from settlement.rules.settlement_settings import refuse_venue_now
from settlement.rules.tables import CASH_LEGS, CLAIMS, FAILS, INSTRUCTIONS, TRADES
from settlement.rules.tariff import fee_ppm_on

FINALITY: Final = "final with the block that carries it"
"""When a settlement can no longer be undone, but by a reversal of its own."""

GROSS: Final = "bis_1_gross"
NET: Final = "bis_2_coins_gross_tenge_net"


class DvpComplete(Record, frozen=True, kw_only=True):
    """Settle a sale that is set aside."""

    trade: LabelField


SETTLEMENT_DEADLINE_PASSED = RefusalCode(
    "settlement_deadline_passed", "The deadline or the cut-off of the sale has passed; it can only be released."
)
SETTLEMENT_DATE_AHEAD = RefusalCode(
    "settlement_date_ahead", "The settlement date of the sale has not come.", is_transient=True
)

PLAN_REFUSALS: Final = (
    DUP_CASH_LEG,
    INSTRUCTION_UNKNOWN,
    INSTRUCTION_STATUS_UNFIT,
    SETTLEMENT_DEADLINE_PASSED,
    SETTLEMENT_DATE_AHEAD,
    VENUE_LICENCE_INVALID,
    *MANDATE_REFUSALS,
    MINER_LICENCE_INVALID,
)
"""Why a sale may not settle now, in order of precedence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What settling one sale moves and changes."""

    trade: str
    terms: Terms
    charges: Charges
    coin: AssetId
    moved: Moved
    failed: int
    """What does not settle, in the coin's smallest unit."""
    cause: FailCause | None
    """Why not."""
    changes: tuple[Change, ...]

    @property
    def proceeds(self) -> int:
        """What the seller gets, in tiyn."""
        return self.moved.amount - self.moved.fee - self.moved.tax


def plan_sale(
    view: View, submitted: Submitted, trade: str, *, statuses: frozenset[InstructionStatus]
) -> Plan | Refused:
    """Return what settling a sale of the sender comes to, or why it may not settle now.

    Args:
        view: the state, with the sales planned before it.
        submitted: the transaction.
        trade: number of the sale.
        statuses: in which it may be.
    """
    exchange = submitted.signed.transaction.participant
    instruction = find_instruction(view, exchange, trade)
    if isinstance(instruction, Refused):
        return instruction
    if instruction.status not in statuses:
        return Refused(INSTRUCTION_STATUS_UNFIT, detail=f"trade {trade} is {instruction.status}")
    seller, _ = both_sides(instruction)
    asset = view.get(ASSETS, coin_asset(seller.terms.coin, exchange))
    assert asset is not None, "a coin stays admitted"
    parties = _parties(view, seller.terms)
    moved = _moved(view, submitted, instruction, asset.scale)
    refused = (
        _refuse_time(instruction, submitted, trade)
        or refuse_venue_now(view, exchange, seller.terms.executed_us, submitted.time_us)
        or refuse_consent(view, instruction, moved, asset.scale, submitted)
        or refuse_miner(view, seller.terms, parties, seller.terms.executed_us, submitted.time_us)
    )
    if refused is not None:
        return refused
    held = instruction.set_aside
    return Plan(
        trade=trade,
        terms=seller.terms,
        charges=seller.charges,
        coin=asset.asset,
        moved=moved,
        failed=seller.terms.quantity - moved.quantity,
        cause=None if held is None else held.cause,
        changes=_changes(view, submitted, trade, instruction, parties, moved, is_net=len(statuses) > 1),
    )


def settled_entry(plan: Plan) -> Entry:
    """Return the one entry of a sale that settles gross."""
    terms, charges, moved = plan.terms, plan.charges, plan.moved
    postings = [
        debit(terms.seller_coin, plan.coin, moved.quantity),
        debit(terms.buyer_tenge, TENGE, moved.amount),
        credit(terms.buyer_coin, plan.coin, moved.quantity),
    ]
    for account, amount in (
        (terms.seller_tenge, plan.proceeds),
        (charges.fee_account, moved.fee),
        (charges.tax_account, moved.tax),
    ):
        if account is not None and amount:
            postings.append(credit(account, TENGE, amount))
    return Entry(tuple(postings), mandated=(terms.seller_coin, terms.buyer_tenge))


def _complete(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpComplete = submitted.signed.body
    if refused := refuse_claimed(view, submitted.signed.transaction_id):
        return refused
    plan = plan_sale(view, submitted, body.trade, statuses=frozenset({InstructionStatus.ALLOCATED}))
    if isinstance(plan, Refused):
        return plan
    # From here only the posting rules and the guards may refuse.
    record: dict[str, Any] = {
        "trade": plan.trade,
        "model": GROSS,
        "finality": FINALITY,
        "final_us": submitted.time_us,
        "quantity": plan.moved.quantity,
        "amount": plan.moved.amount,
        "fee": plan.moved.fee,
        "tax": plan.moved.tax,
    }
    if plan.cause is not None:
        record |= {"failed": plan.failed, "cause": str(plan.cause)}
    return Proposal(entries=(settled_entry(plan),), changes=plan.changes, record=record)


def _refuse_time(instruction: Instruction, submitted: Submitted, trade: str) -> Refused | None:
    if submitted.time_us >= instruction.deadline_us:
        return Refused(SETTLEMENT_DEADLINE_PASSED, detail=f"trade {trade}, at {instruction.deadline_us}")
    date = both_sides(instruction)[0].terms.settlement_date
    if submitted.business_date < date:
        return Refused(SETTLEMENT_DATE_AHEAD, detail=f"trade {trade} settles on {date}")
    return None


def _parties(view: View, terms: Terms) -> Parties:
    """The accounts, which were fit when the sale was instructed: owner, holder, class and key never change."""
    found = []
    for name in (terms.seller_coin, terms.seller_tenge, terms.buyer_tenge, terms.buyer_coin):
        account = view.get(ACCOUNTS, name)
        assert account is not None, "an account never goes"
        found.append(account)
    return Parties(*found)


def _moved(view: View, submitted: Submitted, instruction: Instruction, scale: int) -> Moved:
    """What settles: what is set aside, else all of it. A tariff that fell since, or rounding, lowers the fee."""
    held = instruction.set_aside
    quantity = both_sides(instruction)[0].terms.quantity if held is None else held.quantity
    moved = part_moved(instruction, quantity, scale)
    exchange: ParticipantId = submitted.signed.transaction.participant
    limit = fee_limit(moved.amount, fee_ppm_on(view, exchange, submitted.business_date))
    return Moved(moved.quantity, moved.amount, min(moved.fee, limit), moved.tax)


def _changes(
    view: View,
    submitted: Submitted,
    trade: str,
    instruction: Instruction,
    parties: Parties,
    moved: Moved,
    *,
    is_net: bool,
) -> tuple[Change, ...]:
    key = f"{submitted.signed.transaction.participant}/{trade}"
    terms = both_sides(instruction)[0].terms
    transaction = b64url(submitted.signed.transaction_id)
    settled = Settled(
        quantity=moved.quantity,
        amount=moved.amount,
        fee=moved.fee,
        tax=moved.tax,
        settled_us=submitted.time_us,
        is_net=is_net,
        transaction=transaction,
    )
    held = instruction.set_aside
    is_part = held is not None and held.cause is not None
    status = InstructionStatus.PARTLY_SETTLED if is_part else InstructionStatus.SETTLED
    ended = msgspec.structs.replace(
        with_status(instruction, status, submitted.time_us), set_aside=None, settled=settled
    )
    changes: list[Change] = [
        (INSTRUCTIONS, key, ended),
        (TRADES, key, submitted.signed.transaction_id.hex()),
        *give_back(view, instruction, moved),
    ]
    if parties.is_miners:
        claim = quota_claim(view, terms, parties, moved, settled_us=submitted.time_us, transaction=transaction)
        changes += [(CLAIMS, key, claim), (CASH_LEGS, claim.transaction, key)]
    if held is not None and held.cause is not None:
        fail = Fail(
            cause=held.cause,
            quantity=terms.quantity - moved.quantity,
            settlement_date=terms.settlement_date,
            failed_on=submitted.business_date,
            failed_us=submitted.time_us,
        )
        changes.append((FAILS, key, fail))
    return tuple(changes)


MODULE = RuleModule(
    name="completion",
    meaning="Sales that are set aside settle gross, each as one entry.",
    kinds=(
        Kind(
            name="dvp_complete",
            body=DvpComplete,
            meaning="Settle a sale that is set aside: coins, tenge, fee and tax in one entry.",
            refusals=PLAN_REFUSALS,
            decide=_complete,
        ),
    ),
)
