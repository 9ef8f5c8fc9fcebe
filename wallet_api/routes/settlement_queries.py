"""Who watches the watchers: the register of authorities, and the log of what they asked."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ledger.crypto.canonical import b64url
from ledger.model.participants import Role
from ledger.units import BALANCE_MAX
from settlement.model.authorities import PARTS, Authority, AuthorityTerm, Part
from settlement.rules.tables import AUTHORITIES
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, described
from wallet_api.parts import Node
from wallet_api.problems import Problem
from wallet_api.projections import RETRY_AFTER_S
from wallet_api.query_log import LoggedQuery
from wallet_api.routes.reading import KNOWN_QUERY, Reader, decimal, not_found
from wallet_api.routes.settlement_reading import read_state

router: Final = APIRouter(prefix="/v1", tags=["Authorities"], dependencies=[KNOWN_QUERY])

READS_QUERIES: Final = frozenset({Role.OPERATOR, Role.AUDITOR})
"""Roles that read what others asked."""

QUERIES_PER_PAGE_MAX: Final = 1_000
"""Most queries of one page."""

QUERIES_PER_PAGE: Final = 100
"""Queries of a page unless more are asked for."""


class AuthorityRow(msgspec.Struct, frozen=True, kw_only=True):
    """A participant and which bodies of the state it was and is."""

    participant: str
    terms: tuple[AuthorityTerm, ...]
    """Oldest first; the last one stands."""


class AuthoritiesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The register of authorities, and what each kind of authority reads."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    parts: dict[str, tuple[str, ...]]
    """Authority to the parts of the books that it reads."""
    participants: tuple[AuthorityRow, ...]
    """By id. While there is none, a supervisor stands for every authority."""


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A query as it was put on record, before it was answered or refused."""

    number: int
    """From 1, without a gap."""
    asked_us: int
    """Ledger time, in microseconds since 1970."""
    participant: str
    kid: str
    """The key that the token was given to."""
    method: str
    what: str
    """Path and query, as asked."""
    sequence: int
    """The newest leaf of the ledger at that moment."""
    digest: str
    """SHA-256 over the digest of the row before and this row, base64url: no row is changed or left out unseen."""


class QueriesAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of the query log, newest first."""

    queries: tuple[QueryAnswer, ...]
    next_before: int | None = None
    """Where the next page goes on; absent on the last one."""


@router.get(
    "/authorities",
    operation_id="read_authorities",
    summary="Which participants are which authorities, and what each reads",
    responses=described(
        AuthoritiesAnswer,
        "The register.",
        *READING,
        example={
            "includes_sequence": 412,
            "parts": {"ministry": ["quota"]},
            "participants": [
                {
                    "participant": "ministry",
                    "terms": [{"authorities": ["ministry"], "from_us": 1_735_000_000_000_000, "order": "decree-1"}],
                }
            ],
        },
    ),
)
async def read_authorities(node: Node, _reader: Reader) -> Response:
    """Every participant may know who reads its books."""
    includes_sequence, rows = await read_state(node, lambda view: sorted(view.items(AUTHORITIES)))
    return json_answer(
        AuthoritiesAnswer(
            includes_sequence=includes_sequence,
            parts={str(authority): _names(PARTS[authority]) for authority in Authority},
            participants=tuple(AuthorityRow(participant=participant, terms=terms) for participant, terms in rows),
        )
    )


@router.get(
    "/queries",
    operation_id="read_queries",
    summary="What those that watch others asked",
    responses=described(
        QueriesAnswer,
        "The queries, newest first.",
        "not_found",
        *READING,
        example={
            "queries": [
                {
                    "number": 1,
                    "asked_us": 1_735_000_009_000_000,
                    "participant": "ministry",
                    "kid": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
                    "method": "GET",
                    "what": "/v1/quota/miner-one?coin=BTC",
                    "sequence": 412,
                    "digest": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
                }
            ]
        },
    ),
)
async def read_queries(
    node: Node,
    reader: Reader,
    participant: Annotated[
        str | None, Query(pattern="^[a-z][a-z0-9-]{0,30}[a-z0-9]$", description="Only what this participant asked.")
    ] = None,
    before: Annotated[
        Annotated[int, Field(ge=1, le=BALANCE_MAX), BeforeValidator(decimal)] | None,
        Query(description="`next_before` of the page before."),
    ] = None,
    limit: Annotated[
        int, Field(ge=1, le=QUERIES_PER_PAGE_MAX), BeforeValidator(decimal), Query(description="Most queries.")
    ] = QUERIES_PER_PAGE,
) -> Response:
    """Operator and auditor read the log; what they ask is in it too."""
    if reader.role not in READS_QUERIES:
        raise not_found()
    try:
        # One more than asked for tells whether there is another page.
        found = await run_in_threadpool(
            lambda: node.queries.page(before=before, limit=limit + 1, participant=participant)
        )
    except SQLAlchemyError as error:
        detail = "the query log does not answer now"
        raise Problem("query_log_unavailable", detail, retry_after_s=RETRY_AFTER_S) from error
    page = found[:limit]
    return json_answer(
        QueriesAnswer(queries=tuple(map(_query, page)), next_before=page[-1].number if len(found) > limit else None)
    )


def _query(logged: LoggedQuery) -> QueryAnswer:
    asked = logged.query
    return QueryAnswer(
        number=logged.number,
        asked_us=asked.asked_us,
        participant=asked.participant,
        kid=asked.kid,
        method=asked.method,
        what=asked.what,
        sequence=asked.sequence,
        digest=b64url(logged.digest),
    )


def _names(parts: frozenset[Part]) -> tuple[str, ...]:
    return tuple(sorted(map(str, parts)))
