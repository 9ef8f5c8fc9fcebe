"""Fails: after its deadline anybody may release a sale; it has failed, and the cause is read from the state.

Before its deadline a sale is released if one side took its consent back, for then it can never settle, and what is set
aside is its owner's again at once. Who releases has no word in it. After the deadline the cause is the first that
holds: the venue was not active, the miner's licence has lapsed, coins or tenge are short, or all was there and nobody
settled it.
"""

from typing import Final

import msgspec

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ASSETS
from ledger.state import View
from ledger.units import LabelField, ParticipantField, ParticipantId, TimestampUs
from settlement.model.instructions import (
    UNMATCHED_STATUSES,
    Fail,
    FailCause,
    Instruction,
    InstructionStatus,
    with_status,
)
from settlement.model.trades import tenge_amount
from settlement.rules.coins import coin_asset
from settlement.rules.mandates import is_taken_back
from settlement.rules.miners import has_licence
from settlement.rules.set_aside import (
    INSTRUCTION_STATUS_UNFIT,
    INSTRUCTION_UNKNOWN,
    available,
    both_sides,
    find_instruction,
    give_back,
)
from settlement.rules.settlement_settings import refuse_venue_now
from settlement.rules.tables import FAILS, INSTRUCTIONS, MINER_ACCOUNTS


class DvpRelease(Record, frozen=True, kw_only=True):
    """Release a sale that can settle no more: it has failed, and nothing is set aside for it any longer."""

    exchange: ParticipantField
    trade: LabelField


DEADLINE_NOT_PASSED = RefusalCode(
    "deadline_not_passed",
    "The sale may still settle: its deadline or cut-off has not passed, and no consent was taken back.",
    is_transient=True,
)


def fail_cause(view: View, exchange: ParticipantId, instruction: Instruction, time_us: TimestampUs) -> FailCause:
    """Return why a sale has not settled, as the state tells."""
    if instruction.status in UNMATCHED_STATUSES:
        return FailCause.DEADLINE_PASSED
    terms = both_sides(instruction)[0].terms
    if refuse_venue_now(view, exchange, terms.executed_us, time_us) is not None:
        return FailCause.VENUE_SUSPENDED
    miner = view.get(MINER_ACCOUNTS, terms.seller_coin)
    if miner is not None and not has_licence(view, miner, time_us):
        return FailCause.LICENCE_LAPSED
    held = instruction.set_aside
    if held is not None:
        return held.cause or FailCause.DEADLINE_PASSED
    asset = view.get(ASSETS, coin_asset(terms.coin, exchange))
    assert asset is not None, "a coin stays admitted"
    if available(view, terms.seller_coin) < terms.quantity:
        return FailCause.COIN_SHORT
    if available(view, terms.buyer_tenge) < tenge_amount(terms.quantity, terms.price, asset.scale):
        return FailCause.CASH_SHORT
    return FailCause.DEADLINE_PASSED


def _release(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpRelease = submitted.signed.body
    instruction = find_instruction(view, body.exchange, body.trade)
    if isinstance(instruction, Refused):
        return instruction
    is_late = submitted.time_us >= instruction.deadline_us
    if not is_late and not _is_consent_withdrawn(view, instruction):
        return Refused(DEADLINE_NOT_PASSED, detail=f"trade {body.trade} until {instruction.deadline_us}")
    key = f"{body.exchange}/{body.trade}"
    late_cause = fail_cause(view, body.exchange, instruction, submitted.time_us)
    cause = late_cause if is_late else FailCause.CONSENT_WITHDRAWN
    side = instruction.seller or instruction.buyer
    assert side is not None, "an instruction has a side"
    fail = Fail(
        cause=cause,
        quantity=side.terms.quantity,
        settlement_date=side.terms.settlement_date,
        failed_on=submitted.business_date,
        failed_us=submitted.time_us,
    )
    failed = with_status(instruction, InstructionStatus.FAILED, submitted.time_us)
    return Proposal(
        changes=(
            (INSTRUCTIONS, key, msgspec.structs.replace(failed, set_aside=None)),
            (FAILS, key, fail),
            *give_back(view, instruction),
        ),
        record={"cause": str(cause), "was": str(instruction.status)},
    )


def _is_consent_withdrawn(view: View, instruction: Instruction) -> bool:
    """Whether a matched sale lost a consent; until both sides match, a side may still be said anew with another."""
    if instruction.status in UNMATCHED_STATUSES:
        return False
    return any(is_taken_back(view, side.consent.verified) for side in both_sides(instruction))


MODULE: Final = RuleModule(
    name="settlement_fails",
    meaning="Sales that did not settle in time, and why.",
    kinds=(
        Kind(
            name="dvp_release",
            body=DvpRelease,
            meaning="Release a sale whose deadline has passed, or whose consent was taken back; anybody may.",
            refusals=(INSTRUCTION_UNKNOWN, INSTRUCTION_STATUS_UNFIT, DEADLINE_NOT_PASSED),
            decide=_release,
        ),
    ),
)
