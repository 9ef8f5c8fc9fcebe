"""Pages for people: the description of the API with its vendored viewer, and what each problem code means."""

from pathlib import Path as FilePath
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse, Response

from wallet_api.answers import json_answer
from wallet_api.openapi import described
from wallet_api.problems import PROBLEMS, REFUSED, Problem
from wallet_api.routes.reading import KNOWN_QUERY

router: Final = APIRouter(tags=["Pages"], dependencies=[KNOWN_QUERY])

STATIC: Final = FilePath(__file__).resolve().parents[1] / "static"
"""What the node serves from its own disk; nothing is loaded from elsewhere (design D30)."""

DOCS_PAGE: Final = (STATIC / "docs.html").read_text(encoding="utf-8")


class ProblemExplained(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a problem code means."""

    type: str
    """Address of this explanation."""
    code: str
    status: int
    """HTTP status code it comes with."""
    title: str
    """What went wrong."""
    is_transient: bool
    """Whether the very same request may succeed later; for a refusal: the same business, signed anew."""
    is_refusal: bool
    """Whether it is a rule's no: recorded, final, with a receipt."""
    reason_code: str | None = None
    """ISO 20022 external status reason code, where one fits."""


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Serve the description for reading."""
    return HTMLResponse(DOCS_PAGE)


@router.get(
    "/problems/{code}",
    operation_id="explain_problem",
    summary="What a problem code means",
    responses=described(
        ProblemExplained,
        "The explanation.",
        "not_found",
        example={
            "type": "/problems/insufficient_funds",
            "code": "insufficient_funds",
            "status": 422,
            "title": PROBLEMS["insufficient_funds"].title,
            "is_transient": PROBLEMS["insufficient_funds"].is_transient,
            "is_refusal": True,
            "reason_code": "AM04",
        },
    ),
)
async def explain_problem(code: Annotated[str, Path(pattern="^[a-z][a-z_]{1,63}$")]) -> Response:
    """Explain a code: the `type` of every problem document leads here."""
    kind = PROBLEMS.get(code)
    if kind is None:
        raise Problem("not_found", "there is no problem of this code")
    return json_answer(
        ProblemExplained(
            type=f"/problems/{code}",
            code=code,
            status=kind.status,
            title=kind.title,
            is_transient=kind.is_transient,
            is_refusal=kind.status == REFUSED,
            reason_code=kind.iso,
        ),
        headers={"cache-control": "public, max-age=3600"},
    )
