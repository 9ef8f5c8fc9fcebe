"""Whether the node lives, and whether it accepts transactions now."""

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from wallet_api.answers import json_answer
from wallet_api.openapi import described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY
from wallet_api.routes.submission import problem_of

router: Final = APIRouter(tags=["Operation"], dependencies=[KNOWN_QUERY])


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The node answers."""

    status: str
    """``alive``."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The node accepts transactions."""

    status: str
    """``ready``."""
    network: str
    """The network id; a client checks it before it sends anything."""
    height: int
    """Height of the newest block."""
    includes_sequence: int
    """Its newest leaf."""
    time_us: int
    """Ledger time, in microseconds since 1970."""
    views_sequence: int
    """The newest leaf the projections include; below ``includes_sequence`` while they follow."""
    views_fault: str | None = None
    """Why the projections do not follow; absent while they do. Writing goes on without them."""
    waiting_lines: int
    """Lines of transactions that wait to be decided."""


@router.get(
    "/health",
    operation_id="health",
    summary="Does the node answer?",
    responses=described(Health, "It does.", example={"status": "alive"}),
)
async def health() -> Response:
    """Answer as long as the process lives."""
    return json_answer(Health(status="alive"))


@router.get(
    "/ready",
    operation_id="ready",
    summary="Does the node accept transactions?",
    responses=described(
        Readiness,
        "It does.",
        "node_deposed",
        "node_broken",
        "clock_jumped",
        example={
            "status": "ready",
            "network": "pilot:4cH0rmDFxwNqQqZvNWCg1JGmHkUmJpJx6v0oWm2T3o4",
            "height": 17,
            "includes_sequence": 412,
            "time_us": 1_735_000_000_000_000,
            "views_sequence": 412,
            "waiting_lines": 0,
        },
    ),
)
async def ready(node: Node) -> Response:
    """Answer 200 while transactions are accepted, and the problem that keeps them out otherwise."""
    sequencer = node.sequencer
    if sequencer.failure is not None:
        raise problem_of(sequencer.failure)
    position = sequencer.position
    return json_answer(
        Readiness(
            status="ready",
            network=sequencer.network,
            height=position.height,
            includes_sequence=position.range.size - 1,
            time_us=node.now_us(),
            views_sequence=node.projections.following.size - 1,
            views_fault=node.projections.following.fault,
            waiting_lines=sequencer.waiting_lines,
        )
    )
