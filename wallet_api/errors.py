"""The framework's own errors, told as everything else is: by the table of problems (pitfalls P3 and P5)."""

from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from wallet_api.answers import problem_answer
from wallet_api.problems import Problem

ERRORS_NAMED_MAX: Final = 5
"""Most faults that one answer names."""

_CODES: Final = {404: "route_unknown", 405: "method_not_allowed", 413: "body_too_large"}

_DETAILS: Final = {
    404: "expected an address of /openapi.json",
    405: "expected a method of the header Allow",
    413: "expected a shorter body",
}


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Turn what routing refuses into a problem; every other error of a request is ``request_invalid``."""
    assert isinstance(error, HTTPException), "registered for this class"
    code = _CODES.get(error.status_code, "request_invalid")
    detail = _DETAILS.get(error.status_code, str(error.detail))
    return problem_answer(Problem(code, detail, headers=dict(error.headers or {})))


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """Name each parameter that is wrong and what was expected; what came is not repeated."""
    assert isinstance(error, RequestValidationError), "registered for this class"
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:ERRORS_NAMED_MAX]
    ]
    return problem_answer(Problem("request_invalid", "; ".join(faults)))
