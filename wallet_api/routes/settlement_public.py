"""What needs no token: figures over all firms, and the roots that clients check their own balances against."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ledger.units import AssetId, ParticipantId
from settlement.model.liabilities import Published
from settlement.rules.tables import LIABILITIES
from settlement.views.public_figures import PublicFigures
from wallet_api.answers import JSON, json_answer
from wallet_api.openapi import described
from wallet_api.parts import Node, Parts
from wallet_api.routes.reading import KNOWN_QUERY, ParticipantPath, not_found
from wallet_api.routes.settlement_reading import FormQuery, described_statement
from wallet_api.statements import csv_form, html_form
from wallet_api.statements.forms import VARY, Form, form_of

router: Final = APIRouter(tags=["Public"], dependencies=[KNOWN_QUERY])

CACHED: Final = {"cache-control": "public, max-age=300"}
"""The figures change once a day; five minutes after a day is closed everybody has the next ones."""

_TYPES: Final = {Form.JSON: JSON, Form.CSV: csv_form.MEDIA_TYPE, Form.HTML: html_form.MEDIA_TYPE}

AssetPath = Annotated[
    str, Path(pattern=r"^[A-Z][A-Z0-9]{1,11}(:[a-z][a-z0-9-]{0,30}[a-z0-9])?$", description="An asset.")
]


class LiabilitiesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The last published root of an exchange and an asset."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    published: Published
    """What `tenge verify inclusion` checks a client's proof against."""
    published_us: int
    """When the ledger took it, in microseconds since 1970."""


@router.get(
    "/v1/public",
    operation_id="read_public_figures",
    summary="Figures over all firms as of the last closed day",
    responses=described_statement(PublicFigures, "The figures."),
)
async def read_public_figures(request: Request, node: Node, form: FormQuery = None) -> Response:
    """Sums only: nothing personal, and nothing of one firm. Anybody may read and keep them."""
    return await _answer(node, form_of(request, form))


@router.get("/public", include_in_schema=False)
async def public_page(node: Node) -> Response:
    """Serve the figures as a page."""
    return await _answer(node, Form.HTML)


@router.get(
    "/v1/exchanges/{exchange}/liabilities/{asset}",
    operation_id="read_liabilities_root",
    summary="Root of what an exchange owes its clients of an asset",
    responses=described(
        LiabilitiesAnswer,
        "The last published root.",
        "not_found",
        example={
            "includes_sequence": 412,
            "published": {
                "exchange": "aix-one",
                "asset": "BTC:aix-one",
                "date": "2024-12-27",
                "root": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
                "total": 1_500_000_000,
                "leaves": 2,
            },
            "published_us": 1_735_000_009_000_000,
        },
    ),
)
async def read_liabilities_root(exchange: ParticipantPath, asset: AssetPath, node: Node) -> Response:
    """A client has no token, and must take the root from the ledger and not from the exchange."""
    includes_sequence = node.includes_sequence
    row = node.sequencer.state.get(LIABILITIES, f"{exchange}/{asset}")
    if row is None:
        raise not_found()
    published = Published(
        exchange=ParticipantId(exchange),
        asset=AssetId(asset),
        date=row.date,
        root=row.root,
        total=row.total,
        leaves=row.leaves,
    )
    return json_answer(
        LiabilitiesAnswer(includes_sequence=includes_sequence, published=published, published_us=row.published_us)
    )


async def _answer(node: Parts, form: Form) -> Response:
    published = await run_in_threadpool(node.public.published)
    headers = {**CACHED, **VARY}
    if form is Form.HTML:
        headers["content-security-policy"] = html_form.SECURITY_POLICY
    return Response(published.forms[form], 200, headers, _TYPES[form])
