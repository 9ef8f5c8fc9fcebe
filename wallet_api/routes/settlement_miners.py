"""A miner's lots, its levy, and its quota under another rate; surplus energy that is offered."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from ledger.rules.tables import ledger_of
from ledger.state import View
from ledger.units import BusinessDate, ParticipantId
from settlement.model.authorities import Part
from settlement.model.energy import SurplusOffer
from settlement.model.levy_statement import LevyStatement
from settlement.model.production import LotState
from settlement.model.quota_policies import Basis, LegalStatus, Period, RatePolicy
from settlement.model.sites import Zone
from settlement.quota import WhatIf
from settlement.rules.levy import levy_of
from settlement.rules.lot_values import lot_value
from settlement.rules.quota_policies import rate_policies
from settlement.rules.tables import (
    COINS,
    LOTS,
    MINERS,
    SURPLUS,
    SURPLUS_SOLD,
)
from settlement.views.miner_statement import LotOfPeriod
from settlement.views.statements import quota_what_if
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY, ParticipantPath, Reader, decimal, not_found
from wallet_api.routes.settlement_reading import (
    DATE_PATTERN,
    PAGE_ROWS,
    AsOfDate,
    CoinQuery,
    CursorQuery,
    DatePath,
    LimitQuery,
    QuarterPath,
    date_of,
    page_of,
    parts_for,
    read_state,
)

router: Final = APIRouter(prefix="/v1", tags=["Settlement"], dependencies=[KNOWN_QUERY])

WHAT_IF: Final = "what-if"
"""Name of a policy that nobody has set."""


class LotsAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of a miner's lots, by key."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    lots: tuple[LotOfPeriod, ...]
    next_cursor: str | None = None
    """Where the next page goes on; absent on the last one."""


class LevyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The levy of a quarter."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    statement: LevyStatement


class WhatIfAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a quota statement would say under another rate. Not a statement."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    what_if: WhatIf


class SurplusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Surplus energy of a zone and a local day."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    zone: Zone
    date: str
    offer: SurplusOffer
    left_kwh: tuple[int, ...]
    """What may still be bought, hour by hour of the day."""


@router.get(
    "/miners/{miner}/lots",
    operation_id="read_lots",
    summary="A page of a miner's lots of a coin",
    responses=described(
        LotsAnswer,
        "The page, by key.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "lots": [
                {
                    "lot": "pool-one/1/1",
                    "state": "open",
                    "distributed_on": "2024-12-23",
                    "quantity": 100_000_000,
                    "licence": "L-1",
                }
            ],
        },
    ),
)
async def read_lots(
    miner: ParticipantPath,
    coin: CoinQuery,
    node: Node,
    reader: Reader,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_ROWS,
) -> Response:
    """A miner reads its own; the ministry by quantity, the tax authority with values, an auditor all of it."""
    parts = parts_for(reader, miner, frozenset({Part.QUOTA, Part.VALUE}))
    _known_miner(node.sequencer.state, miner)

    def read(view: View) -> list[LotOfPeriod]:
        return [
            LotOfPeriod(
                lot=key,
                state=LotState(lot.state),
                distributed_on=lot.distributed_on,
                quantity=lot.quantity,
                licence=lot.licence,
                value=lot_value(view, lot) if Part.VALUE in parts else None,
            )
            for key, lot in view.group(LOTS, miner)
            if lot.coin == coin
        ]

    includes_sequence, lots = await read_state(node, read)
    page, next_cursor = page_of(lots, lambda lot: lot.lot, cursor, limit)
    return json_answer(LotsAnswer(includes_sequence=includes_sequence, lots=page, next_cursor=next_cursor))


@router.get(
    "/miners/{miner}/levy/{quarter}",
    operation_id="read_levy",
    summary="Levy of a miner and a quarter",
    responses=described(LevyAnswer, "The statement.", "not_found", *READING),
)
async def read_levy(miner: ParticipantPath, quarter: QuarterPath, node: Node, reader: Reader) -> Response:
    """A miner reads its own; the tax authority and an auditor read every one."""
    parts_for(reader, miner, frozenset({Part.LEVY}))
    _known_miner(node.sequencer.state, miner)
    includes_sequence, statement = await read_state(node, lambda view: levy_of(view, ParticipantId(miner), quarter))
    return json_answer(LevyAnswer(includes_sequence=includes_sequence, statement=statement))


@router.get(
    "/quota/{miner}/what-if",
    operation_id="read_what_if",
    summary="What a quota statement would say under another rate",
    responses=described(WhatIfAnswer, "Not a statement.", "not_found", *READING),
)
async def read_what_if(
    miner: ParticipantPath,
    coin: CoinQuery,
    share_ppm: Annotated[
        int,
        Field(ge=0, le=1_000_000),
        BeforeValidator(decimal),
        Query(description="The share, in parts per million: 900000 for nine tenths."),
    ],
    node: Node,
    reader: Reader,
    valid_from: Annotated[
        str | None, Query(pattern=DATE_PATTERN, description="First date of the rate; it holds for all lots if none.")
    ] = None,
    basis: Annotated[Basis, Query(description="Of what the share is taken.")] = Basis.QUANTITY_PER_COIN,
    period: Annotated[Period, Query(description="Over what the duty is taken together.")] = Period.LOT_CUMULATIVE,
    as_of: AsOfDate = None,
) -> Response:
    """A miner asks for itself; operator, auditor and the authority of the quota for every one. Nothing is changed."""
    parts_for(reader, miner, frozenset({Part.QUOTA}))
    state = node.sequencer.state
    _known_miner(state, miner)
    if state.get(COINS, coin) is None:
        raise not_found()
    until = ledger_of(state).business_date if as_of is None else date_of("as_of", as_of)
    rate = RatePolicy(
        policy=WHAT_IF,
        valid_from=BusinessDate("0001-01-01") if valid_from is None else date_of("valid_from", valid_from),
        share_numerator=share_ppm,
        share_denominator=1_000_000,
        basis=basis,
        period=period,
        legal_source="None: asked for by a reader.",
        legal_status=LegalStatus.ASSUMED,
    )

    def read(view: View) -> WhatIf:
        policies = [*_before(rate_policies(view), rate), rate]
        return quota_what_if(view, ParticipantId(miner), coin, as_of=until, policies=policies)

    includes_sequence, answer = await read_state(node, read)
    return json_answer(WhatIfAnswer(includes_sequence=includes_sequence, what_if=answer))


@router.get(
    "/surplus/{zone}/{date}",
    operation_id="read_surplus",
    summary="Surplus energy of a zone and a day",
    responses=described(
        SurplusAnswer,
        "What was offered and what is left.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "zone": "west",
            "date": "2024-12-25",
            "offer": {
                "floor": 1_500,
                "limits": [1_000],
                "gate_us": 1_735_000_009_000_000,
                "payee": "KZ86601OWN0000000000",
                "publisher": "operator-kz",
            },
            "left_kwh": [900],
        },
    ),
)
async def read_surplus(
    zone: Annotated[Zone, Path(description="A zone of the market.")], date: DatePath, node: Node, _reader: Reader
) -> Response:
    """Every participant reads offers: who may buy is for the rules to say."""
    key = f"{zone}/{date_of('date', date)}"
    includes_sequence = node.includes_sequence
    state = node.sequencer.state
    offer = state.get(SURPLUS, key)
    if offer is None:
        raise not_found()
    left = tuple(limit - (state.get(SURPLUS_SOLD, f"{key}/{hour}") or 0) for hour, limit in enumerate(offer.limits))
    return json_answer(
        SurplusAnswer(includes_sequence=includes_sequence, zone=zone, date=date, offer=offer, left_kwh=left)
    )


def _known_miner(view: View, miner: str) -> None:
    if view.get(MINERS, miner) is None:
        raise not_found()


def _before(policies: tuple[RatePolicy, ...], rate: RatePolicy) -> list[RatePolicy]:
    """The rates that hold until another one begins."""
    return [
        policy
        if policy.valid_until is not None and policy.valid_until <= rate.valid_from
        else msgspec.structs.replace(policy, valid_until=rate.valid_from)
        for policy in policies
        if policy.valid_from < rate.valid_from
    ]
