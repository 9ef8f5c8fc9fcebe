"""Setting aside: coins and tenge of a matched sale that nothing but that sale may take, until a deadline.

They are set aside by a count beside the balance, not by a move to an escrow account. So client money and coins stay on
their owner's own account until the one entry that settles the sale: the table of permitted purposes gains no way in or
out, what an exchange owes each client is read from the client's accounts as before, and releasing what is set aside
needs no posting, hence nobody's permission. The price is that every debit must look: a guard does, for whatever kind,
and refuses one that would leave less than is set aside. Only the kinds that settle such sales are let through, for
they take what is set aside for them, and release it.

What is set aside counts as used of both mandates, so that one consent is not set aside for twice. What does not settle
is given back to them.
"""

from typing import Any, Final

import msgspec

from ledger.model.journal import Entry, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import AccountClass, Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES
from ledger.state import Table, View
from ledger.units import AccountId, LabelField, ParticipantId, TimestampField
from settlement.model.instructions import (
    OPEN_STATUSES,
    FailCause,
    Instruction,
    InstructionStatus,
    SetAside,
    SideInstruction,
    affordable,
    part_of,
    with_status,
)
from settlement.model.trades import TRADE_AMOUNT_MIN, tenge_amount
from settlement.rules.coins import VENUE_LICENCE_INVALID, coin_asset
from settlement.rules.mandates import MANDATE_REFUSALS
from settlement.rules.sales import Moved, refuse_buyer_mandate, refuse_seller_mandate
from settlement.rules.settlement_settings import refuse_venue_now
from settlement.rules.tables import INSTRUCTIONS, MANDATES_USED, RESERVED

SETTLING_KINDS: Final = frozenset({"dvp_complete", "dvp_batch"})
"""Kinds that take what is set aside for the sales they settle."""

Change = tuple[Table[Any], str, Any]


class DvpAllocate(Record, frozen=True, kw_only=True):
    """Set aside coins and tenge of a matched sale; again, to set aside more of a part."""

    trade: LabelField
    deadline_us: TimestampField
    """First moment at which it no longer settles and anybody may release it: not after the cut-off, nor after a mandate
    expires."""
    is_partial: bool = False
    """Whether a part will do: then as much is set aside as both sides have."""


INSTRUCTION_UNKNOWN = RefusalCode("instruction_unknown", "The exchange has instructed no sale of this number.")
INSTRUCTION_STATUS_UNFIT = RefusalCode(
    "instruction_status_unfit", "The sale is not at the point where this could be done, or is past it."
)
DEADLINE_INVALID = RefusalCode(
    "deadline_invalid", "The deadline has passed, or is after the cut-off or after the expiry of a mandate."
)
SELLER_NOT_PREFUNDED = RefusalCode(
    "seller_not_prefunded",
    "The seller does not hold the coins, or they are set aside for other sales (DAA 2.13.4(2)).",
    iso="AM04",
    is_transient=True,
)
BUYER_NOT_PREFUNDED = RefusalCode(
    "buyer_not_prefunded",
    "The buyer does not hold the tenge, or it is set aside for other sales (DAA 2.13.4(2)).",
    iso="AM04",
    is_transient=True,
)
FUNDS_SET_ASIDE = RefusalCode(
    "funds_set_aside", "The debit would take what is set aside for a sale.", iso="AM04", is_transient=True
)


def available(view: View, account: AccountId) -> int:
    """Return the balance of an account less what is set aside of it."""
    return (view.get(BALANCES, account) or 0) - (view.get(RESERVED, account) or 0)


def find_instruction(view: View, exchange: ParticipantId, trade: str) -> Instruction | Refused:
    """Return a sale that has not ended."""
    instruction = view.get(INSTRUCTIONS, f"{exchange}/{trade}")
    if instruction is None:
        return Refused(INSTRUCTION_UNKNOWN, detail=f"trade {trade} of {exchange}")
    if instruction.status not in OPEN_STATUSES:
        return Refused(INSTRUCTION_STATUS_UNFIT, detail=f"trade {trade} is {instruction.status}")
    return instruction


def both_sides(instruction: Instruction) -> tuple[SideInstruction, SideInstruction]:
    """Return seller and buyer of a sale that has matched."""
    assert instruction.seller is not None, "a matched sale has a seller"
    assert instruction.buyer is not None, "a matched sale has a buyer"
    return instruction.seller, instruction.buyer


def part_moved(instruction: Instruction, quantity: int, scale: int) -> Moved:
    """Return what a part of a sale moves: amount, fee and tax are rounded down."""
    seller, _ = both_sides(instruction)
    whole = seller.terms.quantity
    return Moved(
        quantity,
        tenge_amount(quantity, seller.terms.price, scale),
        part_of(seller.charges.fee, quantity, whole),
        part_of(seller.charges.tax, quantity, whole),
    )


def refuse_consent(
    view: View, instruction: Instruction, moved: Moved, scale: int, submitted: Submitted
) -> Refused | None:
    """Refuse what the mandates of both sides do not cover, less what is set aside under them already."""
    seller, buyer = both_sides(instruction)
    coins, money = view.get(ACCOUNTS, seller.terms.seller_coin), view.get(ACCOUNTS, seller.terms.buyer_tenge)
    assert coins is not None, "an account never goes"
    assert money is not None, "an account never goes"
    counted = instruction.set_aside
    time_us = submitted.time_us
    return refuse_seller_mandate(
        view,
        seller.consent.verified,
        seller.terms,
        coins,
        moved,
        scale=scale,
        time_us=time_us,
        counted=0 if counted is None else counted.quantity,
    ) or refuse_buyer_mandate(
        view,
        buyer.consent.verified,
        seller.terms,
        money,
        moved,
        time_us=time_us,
        counted=0 if counted is None else counted.amount,
    )


def give_back(view: View, instruction: Instruction, kept: Moved | None = None) -> tuple[Change, ...]:
    """Return the changes that release what is set aside, and correct the use of both mandates to what is kept of it."""
    seller, buyer = instruction.seller, instruction.buyer
    if seller is None or buyer is None:
        return ()
    held = instruction.set_aside
    coins, money = (0, 0) if held is None else (held.quantity, held.amount)
    used_coins, used_money = (0, 0) if kept is None else (kept.quantity, kept.amount)
    changes: list[Change] = []
    for table, key, change in (
        (RESERVED, str(seller.terms.seller_coin), -coins),
        (RESERVED, str(seller.terms.buyer_tenge), -money),
        (MANDATES_USED, seller.consent.digest, used_coins - coins),
        (MANDATES_USED, buyer.consent.digest, used_money - money),
    ):
        if change:
            changes.append((table, key, (view.get(table, key) or 0) + change))
    return tuple(changes)


def guard(view: View, submitted: Submitted, entry: Entry) -> Refused | None:
    """Refuse an entry that would leave less on an account than is set aside of it."""
    if submitted.signed.transaction.kind in SETTLING_KINDS:
        return None
    for posting in entry.postings:
        if posting.side is Side.DEBIT and (reserved := view.get(RESERVED, posting.account) or 0):
            left = (view.get(BALANCES, posting.account) or 0) - posting.amount
            if left < reserved:
                return Refused(FUNDS_SET_ASIDE, detail=f"account {posting.account}: {reserved} set aside, {left} left")
    return None


def _is_client(account_class: AccountClass) -> bool:
    return account_class.is_client


def _allocate(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpAllocate = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    instruction = find_instruction(view, exchange, body.trade)
    if isinstance(instruction, Refused):
        return instruction
    if instruction.status not in (InstructionStatus.MATCHED, InstructionStatus.ALLOCATED):
        return Refused(INSTRUCTION_STATUS_UNFIT, detail=f"trade {body.trade} is {instruction.status}")
    terms = both_sides(instruction)[0].terms
    if refused := (
        refuse_venue_now(view, exchange, terms.executed_us, submitted.time_us)
        or _refuse_deadline(instruction, body, submitted)
    ):
        return refused
    asset = view.get(ASSETS, coin_asset(terms.coin, exchange))
    assert asset is not None, "a coin stays admitted"
    set_aside = _possible(view, instruction, body, asset.scale)
    if isinstance(set_aside, Refused):
        return set_aside
    moved = part_moved(instruction, set_aside.quantity, asset.scale)
    if refused := refuse_consent(view, instruction, moved, asset.scale, submitted):
        return refused
    changed = with_status(
        msgspec.structs.replace(instruction, set_aside=set_aside), InstructionStatus.ALLOCATED, submitted.time_us
    )
    return Proposal(
        changes=((INSTRUCTIONS, f"{exchange}/{body.trade}", changed), *_taken(view, instruction, set_aside)),
        record={"quantity": set_aside.quantity, "amount": set_aside.amount}
        | ({} if set_aside.cause is None else {"cause": str(set_aside.cause)}),
    )


def _refuse_deadline(instruction: Instruction, body: DvpAllocate, submitted: Submitted) -> Refused | None:
    seller, buyer = both_sides(instruction)
    last = min(
        instruction.cut_off_us, instruction.deadline_us, seller.consent.mandate.expires, buyer.consent.mandate.expires
    )
    if submitted.time_us < body.deadline_us <= last:
        return None
    return Refused(
        DEADLINE_INVALID, detail=f"expected after {submitted.time_us}, at most {last}, got {body.deadline_us}"
    )


def _possible(view: View, instruction: Instruction, body: DvpAllocate, scale: int) -> SetAside | Refused:
    """As much of the sale as both sides have; all of it, unless a part will do."""
    terms = both_sides(instruction)[0].terms
    own = instruction.set_aside
    coins = available(view, terms.seller_coin) + (0 if own is None else own.quantity)
    money = available(view, terms.buyer_tenge) + (0 if own is None else own.amount)
    payable = affordable(money, terms.price, scale)
    quantity = min(terms.quantity, coins, payable)
    is_short = quantity < terms.quantity
    amount = tenge_amount(quantity, terms.price, scale)
    is_coin_short = coins < min(terms.quantity, payable)
    if (is_short and not body.is_partial) or amount < TRADE_AMOUNT_MIN:
        if is_coin_short:
            return Refused(SELLER_NOT_PREFUNDED, detail=f"{coins} of {terms.quantity}")
        return Refused(BUYER_NOT_PREFUNDED, detail=f"{money} tiyn buy {payable} of {terms.quantity}")
    cause = (FailCause.COIN_SHORT if is_coin_short else FailCause.CASH_SHORT) if is_short else None
    return SetAside(quantity=quantity, amount=amount, deadline_us=body.deadline_us, cause=cause)


def _taken(view: View, instruction: Instruction, set_aside: SetAside) -> tuple[Change, ...]:
    """The changes that set aside, over what was set aside before."""
    seller, buyer = both_sides(instruction)
    before = instruction.set_aside
    coins = set_aside.quantity - (0 if before is None else before.quantity)
    money = set_aside.amount - (0 if before is None else before.amount)
    rows = (
        (RESERVED, str(seller.terms.seller_coin), coins),
        (RESERVED, str(seller.terms.buyer_tenge), money),
        (MANDATES_USED, seller.consent.digest, coins),
        (MANDATES_USED, buyer.consent.digest, money),
    )
    return tuple((table, key, (view.get(table, key) or 0) + change) for table, key, change in rows)


MODULE = RuleModule(
    name="set_aside",
    meaning="Coins and tenge set aside for a sale until a deadline.",
    tables=(RESERVED,),
    kinds=(
        Kind(
            name="dvp_allocate",
            body=DvpAllocate,
            meaning="Set aside coins and tenge of a matched sale until a deadline.",
            refusals=(
                INSTRUCTION_UNKNOWN,
                INSTRUCTION_STATUS_UNFIT,
                VENUE_LICENCE_INVALID,
                DEADLINE_INVALID,
                SELLER_NOT_PREFUNDED,
                BUYER_NOT_PREFUNDED,
                *MANDATE_REFUSALS,
            ),
            decide=_allocate,
        ),
    ),
    guards=(guard,),
    guards_watch=_is_client,
    guard_refusals=(FUNDS_SET_ASIDE,),
)
