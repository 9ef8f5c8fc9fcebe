"""The description of the API: OpenAPI 3.1, with every answer and every problem of every operation."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ledger.log.receipts import Receipt
from ledger.model.transactions import Transaction
from settlement.rules import RULEBOOK
from wallet_api import problems
from wallet_api.problems import PROBLEMS, ProblemDocument
from wallet_api.schemas import components, reference_to

VERSION: Final = "1.0.0"
"""Version of the API: what is under /v1 only gains."""

ALWAYS: Final = ("route_unknown", "method_not_allowed", "request_invalid", "internal_error")
"""Problems that any operation may answer."""

READING: Final = ("token_missing", "token_invalid", "failures_too_many", "query_log_unavailable")
"""Problems of every operation that needs a token."""

VIEWING: Final = ("leaf_unknown", "views_behind", "views_unavailable")
"""Problems of every operation that reads projections."""

DESCRIPTION: Final = """
The ledger of the Digital Tenge. A payment is a **signed transaction**: a JWS in JSON general serialization whose
payload is canonical JSON. The answer is a **receipt** that anyone can check with the log's public key. Sending the
same bytes again is always safe: the first answer comes back. Amounts are integers in the asset's smallest unit (tiyn).

Writing needs no session, only signatures. Reading needs a bearer token from `/v1/token`. Each answer that reads the
ledger names in `includes_sequence` the newest leaf it includes.

Errors are problem documents (RFC 9457); `code` is stable, `/problems/{code}` explains it. A refusal (422) carries its
receipt and is final.
"""

Shape = type[Any]

_STRUCTS: dict[str, Shape] = {}


def described(
    shape: Shape | None,
    text: str,
    *codes: str,
    status: int = 200,
    media_type: str = "application/json",
    example: object = None,
) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an operation.

    Args:
        shape: the struct that is the answer; None for text and documents of other forms.
        text: what the answer is.
        codes: problems besides those that any operation may answer.
        status: of the answer.
        media_type: of the answer.
        example: of the answer.
    """
    content: dict[str, Any] = {"schema": {"type": "string"} if shape is None else _reference(shape)}
    if example is not None:
        content["example"] = example
    answers: dict[int | str, dict[str, Any]] = {status: {"description": text, "content": {media_type: content}}}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *ALWAYS)):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for problem_status, own in sorted(by_status.items()):
        answers[problem_status] = _problem_response(own)
    return answers


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the description of an application, once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app)
        return app.openapi_schema

    return openapi


def transaction_schemas() -> list[dict[str, str]]:
    """Return references to the schemas of the transactions of every kind."""
    return [_reference(Transaction[kind.body]) for kind in RULEBOOK.kinds.values()]  # type: ignore[name-defined]


def _made(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title="Digital Tenge wallet API",
        version=VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schema["servers"] = [{"url": "/", "description": "This node"}]
    own = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        own.pop(name, None)
    own.update(components(*_STRUCTS.values()))
    for path in schema["paths"].values():
        for operation in path.values():
            _without_framework_errors(operation)
    return schema


def _without_framework_errors(operation: dict[str, Any]) -> None:
    """The framework says it answers its own errors with 422 in its own form; the node answers 400 in ours."""
    content = operation["responses"].get("422", {}).get("content", {})
    if "application/json" in content:
        del operation["responses"]["422"]


def _reference(shape: Shape) -> dict[str, str]:
    """Refer to a component and see to it that it is there."""
    reference = reference_to(shape)
    _STRUCTS[reference["$ref"]] = shape
    return reference


def _problem_response(codes: list[str]) -> dict[str, Any]:
    example = _example(codes[0])
    return {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
        "content": {problems.MEDIA_TYPE: {"schema": _reference(ProblemDocument), "example": example}},
    }


def _example(code: str) -> Mapping[str, object]:
    kind = PROBLEMS[code]
    example: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "What was expected and what came.",
        "instance": "urn:uuid:7c0e1d3a-3f0e-4d0b-9f6a-0d4c5b6a7e8f",
        "code": code,
        "is_transient": kind.is_transient,
    }
    if kind.iso is not None:
        example["reason_code"] = kind.iso
    return example


_reference(Receipt)
