"""In which form a statement is answered: what the query asks for, else what the client accepts, else JSON."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from wallet_api.answers import json_answer
from wallet_api.statements import csv_form, html_form
from wallet_api.statements.document import Document


class Form(StrEnum):
    """A form of a statement."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


_ACCEPTED: Final = {
    "application/json": Form.JSON,
    "text/csv": Form.CSV,
    "text/html": Form.HTML,
}

VARY: Final = {"vary": "accept"}
"""The same address has several answers."""


def form_of(request: Request, asked: Form | None) -> Form:
    """Return the form to answer in. Of what a client accepts the first known type holds; weights are passed over."""
    if asked is not None:
        return asked
    accepted = (part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return next((_ACCEPTED[each] for each in accepted if each in _ACCEPTED), Form.JSON)


def statement_answer(form: Form, answer: object, document: Callable[[], Document], *, file: str) -> Response:
    """Return a statement in its form.

    Args:
        form: which.
        answer: the JSON answer.
        document: makes what the other two forms are made from.
        file: name of the file that a CSV is saved as, without its ending.
    """
    headers: dict[str, Any] = dict(VARY)
    match form:
        case Form.JSON:
            return json_answer(answer, headers=headers)
        case Form.CSV:
            headers["content-disposition"] = f'attachment; filename="{file}.csv"'
            return Response(csv_form.to_csv(document()), 200, headers, csv_form.MEDIA_TYPE)
        case Form.HTML:
            headers["content-security-policy"] = html_form.SECURITY_POLICY
            return Response(html_form.to_html(document()), 200, headers, html_form.MEDIA_TYPE)
