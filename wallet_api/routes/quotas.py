"""The quota of a miner: how much of what it produced was sold on this ledger."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ledger.rules.keys import is_business_date
from ledger.rules.tables import ledger_of
from ledger.units import BusinessDate, ParticipantId
from settlement.model.authorities import Part
from settlement.model.statement import QuotaStatement
from settlement.rules.tables import COINS, MINERS
from settlement.views.statements import quota_statement
from settlement.views.steady import Steady
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, described
from wallet_api.parts import Node
from wallet_api.problems import Problem
from wallet_api.routes.reading import KNOWN_QUERY, ParticipantPath, Reader, not_found

router: Final = APIRouter(tags=["Settlement"], dependencies=[KNOWN_QUERY])


class QuotaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A quota statement, as of now."""

    includes_sequence: int
    """The newest leaf that it includes."""
    statement: QuotaStatement


@router.get(
    "/v1/quota/{miner}",
    operation_id="read_quota",
    summary="Quota statement of a miner and a coin",
    responses=described(
        QuotaAnswer,
        "The statement. An empty one: nothing was produced or sold.",
        "not_found",
        *READING,
    ),
)
async def read_quota(
    miner: ParticipantPath,
    coin: Annotated[str, Query(pattern=r"^[A-Z][A-Z0-9]{1,11}$", description="The coin's symbol.")],
    node: Node,
    reader: Reader,
    as_of: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
            description="Last local date that counts; today's business date unless given.",
        ),
    ] = None,
) -> Response:
    """A miner reads its own; operator, auditor, and the authority of the quota read every one."""
    if as_of is not None and not is_business_date(BusinessDate(as_of)):
        raise Problem("request_invalid", "query.as_of: expected a date in the calendar")
    includes_sequence = node.includes_sequence
    state = node.sequencer.state
    is_open = Part.QUOTA in reader.reads_of(miner)
    if not is_open or state.get(MINERS, miner) is None or state.get(COINS, coin) is None:
        raise not_found()
    statement = await run_in_threadpool(
        quota_statement,
        Steady(state),
        ParticipantId(miner),
        coin,
        as_of=BusinessDate(as_of) if as_of else ledger_of(state).business_date,
    )
    return json_answer(QuotaAnswer(includes_sequence=includes_sequence, statement=statement))
