"""What only a sandbox has: a clock that is set ahead by hand. Where genesis says ``system``, it is never mounted."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from ledger.clock import ScriptedClock
from ledger.units import TIMESTAMP_MAX, TimestampUs
from wallet_api.answers import json_answer
from wallet_api.limits import Disconnected, read_body
from wallet_api.openapi import described
from wallet_api.parts import Node
from wallet_api.problems import Problem
from wallet_api.routes.reading import KNOWN_QUERY

router: Final = APIRouter(prefix="/sandbox", tags=["Sandbox"], dependencies=[KNOWN_QUERY])

SANDBOX_AHEAD_MAX_US: Final = 3_653 * 86_400_000_000
"""Furthest the clock is set ahead at once, in microseconds: ten years. It never goes back, so a slip is for ever."""

BODY_BYTES_MAX: Final = 256
"""Longest body; it holds one number."""


class ClockSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time to set the clock to."""

    set_us: Annotated[int, Meta(ge=0, le=TIMESTAMP_MAX)]
    """Microseconds since 1970-01-01T00:00:00Z, not before the clock's own time."""


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the clock shows."""

    time_us: int
    """Microseconds since 1970-01-01T00:00:00Z."""


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["set_us"],
                    "properties": {"set_us": {"type": "integer", "minimum": 0, "maximum": TIMESTAMP_MAX}},
                },
                "example": {"set_us": 1_735_000_000_000_000},
            }
        },
    }
}


@router.post(
    "/v1/clock",
    operation_id="set_clock",
    summary="Set the sandbox's clock ahead",
    responses=described(
        ClockReading,
        "The clock as it is now; it runs on from there.",
        "clock_backwards",
        "clock_too_far",
        "origin_foreign",
        "content_type_unsupported",
        "body_too_large",
        "body_timeout",
        example={"time_us": 1_735_000_000_000_000},
    ),
    openapi_extra=_BODY,
)
async def set_clock(request: Request, node: Node) -> Response:
    """Move ledger time ahead: to the next business day, past the end of a licence."""
    clock = node.clock
    assert isinstance(clock, ScriptedClock), "mounted only where genesis says that the clock is scripted"
    _refuse_other_sites(request)
    try:
        body = await read_body(
            request.receive, declared=None, bytes_max=BODY_BYTES_MAX, within_s=node.settings.body_within_s
        )
        setting = msgspec.json.decode(body, type=ClockSetting)
    except Disconnected:
        return Response(status_code=400)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem("request_invalid", f"body: {error}") from error
    if setting.set_us > (limit := node.now_us() + SANDBOX_AHEAD_MAX_US):
        raise Problem("clock_too_far", f"expected at most {limit}, ten years ahead of the ledger, got {setting.set_us}")
    try:
        clock.set_us(TimestampUs(setting.set_us))
    except ValueError as error:
        raise Problem("clock_backwards", str(error)) from error
    return json_answer(ClockReading(time_us=clock.now_us()))


def _refuse_other_sites(request: Request) -> None:
    """A page that a developer has open elsewhere must not reach a node on its own machine: browsers ask before they
    send JSON to another site, and name the site they send from.
    """
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("content_type_unsupported", "expected application/json")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise Problem("origin_foreign", f"expected a request from {headers.get('host')!a:.100}, got {origin!a:.100}")
