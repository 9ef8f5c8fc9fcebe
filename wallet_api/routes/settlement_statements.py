"""Statements and tax packs, as JSON, CSV and pages to print; each reader gets the parts of its own task."""

from typing import Final

import msgspec
from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ledger.crypto.note import parse_checkpoint
from ledger.log.answers import Unavailable
from ledger.log.block_store import StoreBroken
from ledger.units import BusinessDate, ParticipantId
from ledger.views.answers import AsOf, TransactionRow
from settlement.model.authorities import Part
from settlement.rules import RULEBOOK
from settlement.rules.tables import COINS, EXCHANGES, MINERS
from settlement.views.exchange_statement import (
    EXCHANGE_PARTS,
    ExchangeStatement,
    exchange_statement,
    history_from,
    kinds_for,
    moments_of,
)
from settlement.views.history import HISTORY_ROWS_MAX, Decided, decided
from settlement.views.miner_statement import MINER_PARTS, MinerStatement, miner_statement
from settlement.views.tax_pack import TaxPack, tax_pack
from wallet_api.inspection import InspectionTooLarge, Subject, make_inspection
from wallet_api.openapi import READING, VIEWING, described
from wallet_api.parts import Node, Parts
from wallet_api.problems import Problem
from wallet_api.projections import RETRY_AFTER_S
from wallet_api.routes.reading import KNOWN_QUERY, MinSequence, ParticipantPath, Reader, not_found
from wallet_api.routes.settlement_reading import (
    AsOfDate,
    CoinQuery,
    FormQuery,
    FromDate,
    QuarterPath,
    UntilDate,
    described_statement,
    parts_for,
    period_of,
    read_state,
)
from wallet_api.routes.submission import problem_of
from wallet_api.statements.exchange import exchange_document
from wallet_api.statements.forms import form_of, statement_answer
from wallet_api.statements.miner import miner_document
from wallet_api.statements.tax import tax_document

router: Final = APIRouter(prefix="/v1", tags=["Statements"], dependencies=[KNOWN_QUERY])

JSON_LINES: Final = "application/jsonl"
"""Media type of an inspection."""

TAX_PARTS: Final = frozenset({Part.VALUE, Part.LEVY})
"""What a tax pack is made of: who reads both reads it."""


class MinerStatementAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A miner's statement, as of now."""

    includes_sequence: int
    """The newest leaf that it includes."""
    statement: MinerStatement


class ExchangeStatementAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange's statement, as of now."""

    includes_sequence: int
    """The newest leaf that it includes."""
    statement: ExchangeStatement


class TaxPackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tax pack, as of now."""

    includes_sequence: int
    """The newest leaf that it includes."""
    pack: TaxPack


@router.get(
    "/miners/{miner}/statement",
    operation_id="read_miner_statement",
    summary="Statement of a miner over some dates",
    responses=described_statement(MinerStatementAnswer, "The statement.", "not_found", *READING),
)
async def read_miner_statement(
    request: Request,
    miner: ParticipantPath,
    node: Node,
    reader: Reader,
    from_date: FromDate = None,
    until_date: UntilDate = None,
    form: FormQuery = None,
) -> Response:
    """A miner reads all of its own; ministry and tax authority read their parts of every one, an auditor all parts."""
    parts = parts_for(reader, miner, MINER_PARTS)
    if node.sequencer.state.get(MINERS, miner) is None:
        raise not_found()
    first, until = period_of(node.sequencer.state, from_date, until_date)
    includes_sequence, statement = await read_state(
        node,
        lambda view: miner_statement(view, ParticipantId(miner), from_date=first, until_date=until, parts=parts),
    )
    return statement_answer(
        form_of(request, form),
        MinerStatementAnswer(includes_sequence=includes_sequence, statement=statement),
        lambda: miner_document(statement),
        file=f"{miner}-{first}-{until}",
    )


@router.get(
    "/miners/{miner}/tax-pack/{quarter}",
    operation_id="read_tax_pack",
    summary="Tax pack of a miner and a quarter",
    responses=described_statement(TaxPackAnswer, "The pack.", "not_found", *READING),
)
async def read_tax_pack(
    request: Request,
    miner: ParticipantPath,
    quarter: QuarterPath,
    node: Node,
    reader: Reader,
    form: FormQuery = None,
) -> Response:
    """A miner reads its own; the tax authority and an auditor read every one."""
    if not reader.reads_of(miner) >= TAX_PARTS or node.sequencer.state.get(MINERS, miner) is None:
        raise not_found()
    includes_sequence, pack = await read_state(node, lambda view: tax_pack(view, ParticipantId(miner), quarter))
    return statement_answer(
        form_of(request, form),
        TaxPackAnswer(includes_sequence=includes_sequence, pack=pack),
        lambda: tax_document(pack),
        file=f"{miner}-{quarter}",
    )


@router.get(
    "/exchanges/{exchange}/statement",
    operation_id="read_exchange_statement",
    summary="Statement of an exchange over some dates",
    responses=described_statement(
        ExchangeStatementAnswer, "The statement.", "not_found", *READING, *VIEWING, "store_unavailable"
    ),
)
async def read_exchange_statement(
    request: Request,
    exchange: ParticipantPath,
    node: Node,
    reader: Reader,
    from_date: FromDate = None,
    until_date: UntilDate = None,
    form: FormQuery = None,
    min_sequence: MinSequence = None,
) -> Response:
    """An exchange reads all of its own; AFSA, the central bank and the agency for monitoring read their parts."""
    parts = parts_for(reader, exchange, EXCHANGE_PARTS)
    state = node.sequencer.state
    if state.get(EXCHANGES, exchange) is None:
        raise not_found()
    period = period_of(state, from_date, until_date)
    # What is listed by the projections is never behind what the state says.
    newest = node.includes_sequence if min_sequence is None else max(min_sequence, node.includes_sequence)
    sent = await _history(node, ParticipantId(exchange), period, parts, newest)
    closed = await node.projections.read(lambda views: views.days())
    dates = [BusinessDate(day.business_date) for day in closed.value]
    first, until = period
    _, statement = await read_state(
        node,
        lambda view: exchange_statement(
            view,
            ParticipantId(exchange),
            from_date=first,
            until_date=until,
            parts=parts,
            sent=sent.value,
            closed=dates,
        ),
    )
    return statement_answer(
        form_of(request, form),
        ExchangeStatementAnswer(includes_sequence=sent.size - 1, statement=statement),
        lambda: exchange_document(statement, {coin: row.scale for coin, row in tuple(state.items(COINS))}),
        file=f"{exchange}-{first}-{until}",
    )


async def _history(
    node: Parts,
    exchange: ParticipantId,
    period: tuple[BusinessDate, BusinessDate],
    parts: frozenset[Part],
    min_sequence: int,
) -> AsOf[tuple[Decided, ...]]:
    """What the exchange sent, as far as these parts need it."""
    from_us, until_us = moments_of(node.sequencer.state, *period)
    found: AsOf[tuple[TransactionRow, ...]] = await node.projections.read(
        lambda views: views.transactions_of(
            exchange,
            from_us=history_from(parts, from_us, until_us),
            until_us=until_us,
            kinds=kinds_for(parts),
            limit=HISTORY_ROWS_MAX + 1,
        ),
        min_sequence=min_sequence,
    )
    if len(found.value) > HISTORY_ROWS_MAX:
        detail = f"query.from: expected dates with at most {HISTORY_ROWS_MAX} transactions, ask for fewer"
        raise Problem("request_invalid", detail)
    try:
        read = await run_in_threadpool(lambda: tuple(decided(node.blocks, found.value, RULEBOOK)))
    except (StoreBroken, SQLAlchemyError) as error:
        detail = "a block cannot be read now"
        raise Problem("store_unavailable", detail, retry_after_s=RETRY_AFTER_S) from error
    return AsOf(found.size, found.height, read)


@router.get(
    "/miners/{miner}/inspection",
    operation_id="export_inspection",
    summary="A quota statement with its inputs and proofs, to be verified offline",
    response_class=Response,
    responses=described(
        None,
        "JSON Lines; `tenge verify inspection` checks them with public keys only.",
        "not_found",
        *READING,
        *VIEWING,
        "store_unavailable",
        media_type=JSON_LINES,
        example='{"as_of":"2024-12-27","checkpoint":["..."],"coin":"BTC","type":"head"}\n',
    ),
)
async def export_inspection(
    miner: ParticipantPath,
    coin: CoinQuery,
    node: Node,
    reader: Reader,
    as_of: AsOfDate = None,
    min_sequence: MinSequence = None,
) -> Response:
    """For an auditor and the authority of the quota: proofs need what was signed, and that names others too."""
    state = node.sequencer.state
    is_known = state.get(MINERS, miner) is not None and state.get(COINS, coin) is not None
    if Part.QUOTA not in reader.parts or not is_known:
        raise not_found()
    _, until = period_of(state, None, as_of)
    subject = Subject(ParticipantId(miner), coin, until)
    checkpoint = node.sequencer.checkpoint
    size = parse_checkpoint(checkpoint)[0].size
    try:
        found = await node.projections.read(
            lambda views: make_inspection(node, views, subject, checkpoint),
            min_sequence=size - 1 if min_sequence is None else max(min_sequence, size - 1),
        )
    except InspectionTooLarge as error:
        raise Problem("request_invalid", str(error)) from error
    except Unavailable as error:
        raise problem_of(error) from error
    headers = {"content-disposition": f'attachment; filename="{miner}-{coin}-{until}.jsonl"'}
    return Response(found.value, 200, headers, JSON_LINES)
