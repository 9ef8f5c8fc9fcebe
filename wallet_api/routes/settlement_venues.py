"""An exchange's instructed sales, what failed of them, and how its assets stand under the order to reconcile."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from ledger.state import View
from ledger.units import ParticipantId
from settlement.model.authorities import Part
from settlement.model.instructions import Instruction, InstructionStatus, SetAside, Settled, StatusInterval
from settlement.model.reconciliation import Requirement
from settlement.rules.tables import EXCHANGES, INSTRUCTIONS, REQUIREMENTS
from settlement.views.reconciliations import AssetStanding, standing
from settlement.views.trades import FailLine, fails_of
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY, ParticipantPath, Reader, not_found
from wallet_api.routes.settlement_reading import (
    PAGE_ROWS,
    CursorQuery,
    LimitQuery,
    page_of,
    parts_for,
    read_state,
)

router: Final = APIRouter(prefix="/v1/exchanges/{exchange}", tags=["Settlement"], dependencies=[KNOWN_QUERY])


class InstructionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sale on its way, without the clients' mandates."""

    trade: str
    status: InstructionStatus
    history: tuple[StatusInterval, ...]
    coin: str
    quantity: int
    """In the coin's smallest unit."""
    price: int
    """Tiyn for one whole coin."""
    settlement_date: str
    has_seller: bool
    """Whether the seller's side is here."""
    has_buyer: bool
    differs: tuple[str, ...] = ()
    """Names of the terms in which the sides differ."""
    related: str | None = None
    """How seller and buyer belong together, if they do."""
    set_aside: SetAside | None = None
    settled: Settled | None = None


class InstructionsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of an exchange's instructed sales, by trade."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    instructions: tuple[InstructionAnswer, ...]
    next_cursor: str | None = None
    """Where the next page goes on; absent on the last one."""


class FailsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of what failed at an exchange, by trade."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    fails: tuple[FailLine, ...]
    next_cursor: str | None = None
    """Where the next page goes on; absent on the last one."""


class ReconciliationAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an exchange's assets stand under the order to reconcile."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    order: Requirement | None = None
    """The order; absent where there is none."""
    assets: tuple[AssetStanding, ...]
    """Each asset that was ever cut, with its last cut, reconciliation and published root."""


@router.get(
    "/instructions",
    operation_id="read_instructions",
    summary="A page of an exchange's instructed sales",
    responses=described(
        InstructionsAnswer,
        "The page, by trade.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "instructions": [
                {
                    "trade": "T-1",
                    "status": "matched",
                    "history": [{"status": "matched", "from_us": 1_735_000_009_000_000}],
                    "coin": "BTC",
                    "quantity": 1_000_000,
                    "price": 4_877_536_166,
                    "settlement_date": "2024-12-27",
                    "has_seller": True,
                    "has_buyer": True,
                }
            ],
        },
    ),
)
async def read_instructions(
    exchange: ParticipantPath,
    node: Node,
    reader: Reader,
    status: Annotated[InstructionStatus | None, Query(description="Only sales in this status.")] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_ROWS,
) -> Response:
    """An exchange reads its own; AFSA and an auditor read every one."""
    parts_for(reader, exchange, frozenset({Part.VENUE}))
    _known_exchange(node.sequencer.state, exchange)

    def read(view: View) -> list[InstructionAnswer]:
        return [
            _instruction(key.partition("/")[2], row)
            for key, row in view.items(INSTRUCTIONS)
            if key.partition("/")[0] == exchange and status in (None, row.status)
        ]

    includes_sequence, rows = await read_state(node, read)
    page, next_cursor = page_of(rows, lambda row: row.trade, cursor, limit)
    return json_answer(
        InstructionsAnswer(includes_sequence=includes_sequence, instructions=page, next_cursor=next_cursor)
    )


@router.get(
    "/fails",
    operation_id="read_fails",
    summary="A page of what failed at an exchange",
    responses=described(
        FailsAnswer,
        "The page, by trade.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "fails": [
                {
                    "trade": "T-2",
                    "coin": "BTC",
                    "cause": "CASH_SHORT",
                    "quantity": 100_000_000,
                    "settlement_date": "2024-12-27",
                    "failed_on": "2024-12-27",
                    "age_days": 2,
                }
            ],
        },
    ),
)
async def read_fails(
    exchange: ParticipantPath,
    node: Node,
    reader: Reader,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_ROWS,
) -> Response:
    """An exchange reads its own; AFSA and an auditor read every one."""
    parts_for(reader, exchange, frozenset({Part.VENUE}))
    _known_exchange(node.sequencer.state, exchange)
    includes_sequence, rows = await read_state(node, lambda view: fails_of(view, ParticipantId(exchange)))
    page, next_cursor = page_of(rows, lambda row: row.trade, cursor, limit)
    return json_answer(FailsAnswer(includes_sequence=includes_sequence, fails=page, next_cursor=next_cursor))


@router.get(
    "/reconciliation",
    operation_id="read_reconciliation",
    summary="How an exchange's assets stand",
    responses=described(ReconciliationAnswer, "The assets.", "not_found", *READING),
)
async def read_reconciliation(exchange: ParticipantPath, node: Node, reader: Reader) -> Response:
    """An exchange reads its own; AFSA and an auditor read every one. Earlier days stand in the statement."""
    parts_for(reader, exchange, frozenset({Part.RECONCILIATION}))
    _known_exchange(node.sequencer.state, exchange)
    includes_sequence, assets = await read_state(node, lambda view: standing(view, ParticipantId(exchange)))
    return json_answer(
        ReconciliationAnswer(
            includes_sequence=includes_sequence,
            order=node.sequencer.state.get(REQUIREMENTS, exchange),
            assets=assets,
        )
    )


def _known_exchange(view: View, exchange: str) -> None:
    if view.get(EXCHANGES, exchange) is None:
        raise not_found()


def _instruction(trade: str, row: Instruction) -> InstructionAnswer:
    side = row.seller or row.buyer
    assert side is not None, "an instruction has a side"
    return InstructionAnswer(
        trade=trade,
        status=row.status,
        history=row.history,
        coin=side.terms.coin,
        quantity=side.terms.quantity,
        price=side.terms.price,
        settlement_date=side.terms.settlement_date,
        has_seller=row.seller is not None,
        has_buyer=row.buyer is not None,
        differs=row.differs,
        related=row.related,
        set_aside=row.set_aside,
        settled=row.settled,
    )
