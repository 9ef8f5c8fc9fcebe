"""What every reading route asks first: who reads, and whether the query is one the route knows."""

from typing import Annotated, Final

from fastapi import Depends, Path, Query
from fastapi.security import HTTPBearer
from pydantic import BeforeValidator, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ledger.units import BALANCE_MAX
from wallet_api.auth import Grant
from wallet_api.limits import address_of
from wallet_api.parts import Node, Parts
from wallet_api.problems import Problem
from wallet_api.projections import RETRY_AFTER_S
from wallet_api.query_log import WATCHERS, WHAT_CHARACTERS_MAX, Asked

_SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token from `POST /v1/token`, good for five minutes."
)


def reader_of(node: Parts, authorization: str | None, address: str) -> Grant:
    """Return who a request reads for. A token that holds is never limited; failures are counted by address.

    Raises:
        Problem: ``token_missing``, ``token_invalid``, or ``failures_too_many``.
    """
    try:
        return node.tokens.grant(authorization)
    except Problem:
        node.failures.check(address)
        node.failures.note(address)
        raise


async def _reader(request: Request, node: Node, _documented: Annotated[object, Depends(_SCHEME)]) -> Grant:
    grant = reader_of(node, request.headers.get("authorization"), address_of(request.scope))
    if grant.role in WATCHERS:
        await _put_on_record(request, node, grant)
    return grant


async def _put_on_record(request: Request, node: Parts, grant: Grant) -> None:
    """Log what somebody asks who may read others' books, before anything is answered."""
    what = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = Asked(
        asked_us=node.now_us(),
        participant=grant.participant,
        kid=grant.kid,
        method=request.method,
        # As it was asked, but for characters that no terminal should show.
        what=(what if what.isascii() and what.isprintable() else ascii(what)[1:-1])[:WHAT_CHARACTERS_MAX],
        sequence=node.includes_sequence,
    )
    try:
        await run_in_threadpool(node.queries.append, query)
    except SQLAlchemyError as error:
        detail = "the query log does not answer now"
        raise Problem("query_log_unavailable", detail, retry_after_s=RETRY_AFTER_S) from error


async def _known_query(request: Request) -> None:
    """Refuse a parameter the route does not have, and one that stands twice: neither may pass in silence."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise Problem("request_invalid", f"query: expected only the parameters {expected}; got {name!a:.60}")
        if name in seen:
            raise Problem("request_invalid", f"query: expected {name} once")
        seen.add(name)


def decimal(text: str) -> int:
    """Read a decimal number in its one spelling; the framework would take ``1_0``, `` 1 `` and ``1.0`` too."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(BALANCE_MAX))) or str(int(text)) != text:
        raise ValueError("expected a decimal number without sign, leading zeros and spaces")
    return int(text)


def boolean(text: str) -> bool:
    """Read ``true`` or ``false``; the framework would take ``yes``, ``on`` and ``1`` too."""
    if text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text == "true"


Reader = Annotated[Grant, Depends(_reader)]
"""Who reads."""

KNOWN_QUERY: Final = Depends(_known_query)
"""For every router: refuses what would be passed over in silence."""

CountQuery = Annotated[int, Field(ge=0, le=BALANCE_MAX), BeforeValidator(decimal), Query()]
"""A number from 0 in a query."""

MinSequence = Annotated[
    Annotated[int, Field(ge=0, le=BALANCE_MAX), BeforeValidator(decimal)] | None,
    Query(description="Wait until the answer includes this leaf, for a limited time."),
]
"""The leaf a reader knows of and wants included."""

AccountPath = Annotated[str, Path(pattern=r"^KZ[0-9]{5}[0-9A-Z]{13}$", description="An account id.")]
ParticipantPath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$", description="A participant id.")]
DigestPath = Annotated[
    str,
    # The last character stands for four bits, so it is one of sixteen.
    Path(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$", description="A transaction id, base64url."),
]


def not_found() -> Problem:
    """Return the one answer for what is not there and for what is somebody else's."""
    return Problem("not_found", "there is nothing of this name that you may read")
