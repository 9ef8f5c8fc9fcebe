"""POST /v1/token: from a signed assertion to a bearer token (design D26; RFC 6749, RFC 7523)."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_api.answers import json_answer
from wallet_api.auth import (
    ASSERTION_CHARACTERS_MAX,
    ASSERTION_TYPE,
    GRANT_TYPE,
    TOKEN_REQUEST_BYTES_MAX,
    TokenAnswer,
)
from wallet_api.limits import Disconnected, address_of, read_body
from wallet_api.openapi import described
from wallet_api.parts import Node
from wallet_api.problems import Problem
from wallet_api.routes.reading import KNOWN_QUERY

router: Final = APIRouter(tags=["Tokens"], dependencies=[KNOWN_QUERY])

FORM: Final = "application/x-www-form-urlencoded"

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": GRANT_TYPE},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {
                            "type": "string",
                            "maxLength": ASSERTION_CHARACTERS_MAX,
                            "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
                            "description": "A JWT in compact serialization: header `alg` (Ed25519 or EdDSA), `kid`, "
                            "`typ` (`client-authentication+jwt`); claims `iss` and `sub` (the participant), `aud`, "
                            "`iat`, `exp` (at most 60 s later), `jti` (16 to 64 characters, used once).",
                        },
                        "client_id": {"type": "string", "description": "May repeat the participant; not needed."},
                    },
                }
            }
        },
    }
}


@router.post(
    "/v1/token",
    operation_id="request_token",
    summary="Get a bearer token",
    responses=described(
        TokenAnswer,
        "A token, good for reading until it expires or its key is revoked.",
        "client_authentication_invalid",
        "grant_type_unsupported",
        "tokens_too_many",
        "failures_too_many",
        "body_too_large",
        "body_timeout",
        "content_type_unsupported",
        "content_encoding_refused",
        example={"access_token": "q3JX...", "token_type": "Bearer", "expires_in": 300},
    ),
    openapi_extra=_BODY,
)
async def request_token(request: Request, node: Node) -> Response:
    """Prove who you are with a key of use `client_authentication`, and get a token for reading."""
    address = address_of(request.scope)
    node.failures.check(address)
    try:
        return json_answer(node.tokens.issue(await _form(request, node)))
    except Problem:
        node.failures.note(address)
        raise
    except Disconnected:
        # Nobody is there to read this answer; the framework wants one.
        return Response(status_code=400)


async def _form(request: Request, node: Node) -> bytes:
    headers = request.headers
    if "content-encoding" in headers:
        raise Problem("content_encoding_refused", "expected no Content-Encoding: send the bytes as they are")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem("content_type_unsupported", f"expected {FORM}")
    declared = headers.get("content-length")
    return await read_body(
        request.receive,
        declared=None if declared is None else declared.encode("latin-1"),
        bytes_max=TOKEN_REQUEST_BYTES_MAX,
        within_s=node.settings.body_within_s,
    )
