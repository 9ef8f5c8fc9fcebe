"""What the routes of settlement ask first: dates, forms, who may read which part of whom, and one steady view."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path, Query
from pydantic import BeforeValidator, Field
from starlette.concurrency import run_in_threadpool

from ledger.rules.keys import is_business_date
from ledger.rules.tables import ledger_of
from ledger.state import View
from ledger.units import BusinessDate
from settlement.model.authorities import Part
from settlement.views.steady import Steady
from wallet_api.auth import Grant
from wallet_api.openapi import described
from wallet_api.parts import Parts
from wallet_api.problems import Problem
from wallet_api.routes.reading import decimal, not_found
from wallet_api.statements import csv_form, html_form
from wallet_api.statements.forms import Form

Value = TypeVar("Value")

DATE_PATTERN: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"

PERIOD_START: Final = BusinessDate("2009-01-03")
"""First date of a statement unless one is given: that of the first block of the first coin, before all production."""

PAGE_ROWS: Final = 100
"""Rows of a page unless more are asked for."""

PAGE_ROWS_MAX: Final = 1_000
"""Most rows of a page."""

CursorQuery = Annotated[
    str | None, Query(min_length=1, max_length=200, description="`next_cursor` of the page before.")
]
LimitQuery = Annotated[
    int, Field(ge=1, le=PAGE_ROWS_MAX), BeforeValidator(decimal), Query(description="Most rows of the page.")
]
CoinPath = Annotated[str, Path(pattern=r"^[A-Z][A-Z0-9]{1,11}$", description="The coin's symbol.")]
FormQuery = Annotated[
    Form | None, Query(alias="format", description="`json`, `csv` or `html`; what `Accept` names unless given.")
]
FromDate = Annotated[
    str | None, Query(alias="from", pattern=DATE_PATTERN, description="First local date; from the beginning if none.")
]
UntilDate = Annotated[
    str | None,
    Query(alias="until", pattern=DATE_PATTERN, description="Last local date; today's business date if none."),
]
AsOfDate = Annotated[
    str | None, Query(pattern=DATE_PATTERN, description="Last local date that counts; today's business date if none.")
]
CoinQuery = Annotated[str, Query(pattern=r"^[A-Z][A-Z0-9]{1,11}$", description="The coin's symbol.")]
QuarterPath = Annotated[str, Path(pattern=r"^[12][0-9]{3}-Q[1-4]$", description="A quarter: `2025-Q1`.")]
DatePath = Annotated[str, Path(pattern=DATE_PATTERN, description="A local date.")]


def period_of(view: View, from_date: str | None, until_date: str | None) -> tuple[BusinessDate, BusinessDate]:
    """Return the first and the last date of a statement.

    Raises:
        Problem: ``request_invalid``: a date does not exist, or they are the wrong way round.
    """
    until = date_of("until", until_date) if until_date else ledger_of(view).business_date
    first = date_of("from", from_date) if from_date else min(PERIOD_START, until)
    if first > until:
        raise Problem("request_invalid", f"query.from: expected a date up to {until}, got {first}")
    return first, until


def date_of(name: str, text: str) -> BusinessDate:
    """Return a date that exists; raises the problem ``request_invalid``."""
    if not is_business_date(BusinessDate(text)):
        raise Problem("request_invalid", f"query.{name}: expected a date in the calendar")
    return BusinessDate(text)


def parts_for(reader: Grant, owner: str, parts: frozenset[Part]) -> frozenset[Part]:
    """Return which of some parts a reader reads of a miner or exchange.

    Raises:
        Problem: ``not_found``: none of them, which answers as if there were no such miner or exchange.
    """
    own = reader.reads_of(owner) & parts
    if not own:
        raise not_found()
    return own


def page_of(
    rows: Iterable[Value], key: Callable[[Value], str], cursor: str | None, limit: int
) -> tuple[tuple[Value, ...], str | None]:
    """Return one page of rows by key, and the cursor of the next one; a cursor is the last key of a page."""
    ordered = sorted((row for row in rows if cursor is None or key(row) > cursor), key=key)
    page = tuple(ordered[:limit])
    return page, key(page[-1]) if len(ordered) > limit else None


async def read_state(node: Parts, read: Callable[[Steady], Value]) -> tuple[int, Value]:
    """Return the newest leaf that a reading of the state includes at least, and what it read, in a thread."""
    # Read before the state: then it is never too high.
    includes_sequence = node.includes_sequence
    return includes_sequence, await run_in_threadpool(read, Steady(node.sequencer.state))


def described_statement(shape: Any, text: str, *codes: str) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401
    """Return the ``responses`` of an operation that answers in three forms."""
    responses = described(shape, text, *codes)
    content = responses[200]["content"]
    content[csv_form.MEDIA_TYPE.partition(";")[0]] = {"schema": {"type": "string"}, "example": "statement,name,value"}
    content[html_form.MEDIA_TYPE.partition(";")[0]] = {"schema": {"type": "string"}, "example": "<!doctype html>"}
    return responses
