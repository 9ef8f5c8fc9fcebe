"""POST /v1/transactions: signed bytes in, receipt out (design section 4, steps 2 and 7).

The path every payment takes. It is answered before the framework routes, parses or validates anything: the bytes go to
the sequencer as they came, since only the signature gives them authority.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from ledger.log.answers import Answered, Unavailable
from ledger.log.receipts import Receipt
from ledger.rules.opening import NotAdmissible
from wallet_api.answers import NO_STORE, SECURITY_HEADERS, Reply, internal_error, problem_reply, reply
from wallet_api.auth import Grant
from wallet_api.limits import Disconnected, address_of, read_body, too_large
from wallet_api.parts import Parts
from wallet_api.problems import PROBLEMS, PUBLIC_DETAILS, Problem, new_instance
from wallet_api.routes.reading import reader_of

SUBMIT_PATH: Final = "/v1/transactions"

MEDIA_TYPES: Final = frozenset({b"application/jose+json", b"application/json"})
"""Media types of a submission: that of RFC 7515, and the one every client can send."""

FAULTS_OF_OTHERS: Final = frozenset(
    {"reference_reused", "reference_expired", "reference_too_new", "transaction_expired", "signatures_insufficient"}
)
"""Problems of signed bytes that hold: late, early, or waiting for a colleague. They do not count as failures."""

COUNTED_BEFORE: Final = frozenset({"failures_too_many", "token_missing", "token_invalid"})
"""Problems that were counted where they arose, or are themselves the consequence of a count."""

DISMISSALS_KEPT: Final = 16
"""Reasons whose answer is kept ready: a few, each in words of its own."""

_ENCODER: Final = msgspec.json.Encoder()

_ACCEPTANCE: Final = Reply(
    201,
    (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d"),
        NO_STORE,
        (b"location", f"{SUBMIT_PATH}/%b".encode()),
        *SECURITY_HEADERS,
    ),
    b"%b",
).to_bytes(keeps_alive=True)
"""The same for all but three places."""


async def submit(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one submission: 201 with the receipt, 422 with the receipt of a refusal, or another problem."""
    address = address_of(scope)
    grant = None
    try:
        content_type, declared, authorization = _headers(scope["headers"])
        grant = _let_in(parts, authorization, address)
        _check_form(content_type, scope["query_string"])
        raw = await read_body(
            receive, declared=declared, bytes_max=_bytes_max(parts, grant), within_s=parts.settings.body_within_s
        )
        answer = reply_to(await parts.sequencer.answer(raw), grant)
    except Disconnected:
        return
    except Exception as error:
        answer = reply_to_failure(parts, error, grant, address)
    await answer.send(send)


def let_in(parts: Parts, headers: Iterable[tuple[bytes, bytes]], address: str, body: bytes) -> Grant | None:
    """Let a submission in that came whole and without a query; returns who brings it, if it says so.

    Raises:
        Problem: it goes the long way, through ``submit``, and hears there what is wrong. Nothing was counted.
    """
    content_type, _, authorization = _headers(headers)
    _check_form(content_type, b"")
    grant = None
    if authorization is None:
        parts.failures.check(address)
    else:
        grant = parts.tokens.grant(authorization.decode("latin-1"))
    if len(body) > (bytes_max := _bytes_max(parts, grant)):
        raise too_large(bytes_max)
    return grant


def acceptance(receipt: Receipt) -> bytes:
    """Return the answer to an accepted transaction on a kept connection: the bytes of its ``reply_to``."""
    content = _ENCODER.encode(receipt)
    return _ACCEPTANCE % (len(content), receipt.transaction_id.encode(), content)


def dismissal(unavailable: Unavailable) -> bytes:
    """Return the answer to a submission that was not even taken in, on a kept connection: the bytes of its problem.

    It is made once for each reason, but for the name of the occurrence: to turn away must cost little.
    """
    before, after = _dismissal(unavailable.code, unavailable.detail, unavailable.retry_after_s)
    return before + new_instance().encode() + after


@lru_cache(maxsize=DISMISSALS_KEPT)
def _dismissal(code: str, detail: str, retry_after_s: int | None) -> tuple[bytes, bytes]:
    """Return the answer up to the name of the occurrence, and from there on."""
    problem = problem_of(Unavailable(code, detail, retry_after_s=retry_after_s))
    before, _, after = problem_reply(problem).to_bytes(keeps_alive=True).partition(problem.instance.encode())
    return before, after


def reply_to(answered: Answered, grant: Grant | None) -> Reply:
    """Return the answer with a receipt: of an accepted transaction, or of a refused one as a problem."""
    receipt = answered.receipt
    if receipt.outcome != "accepted":
        return problem_reply(refusal(receipt, _told(answered, grant)))
    location = {"location": f"{SUBMIT_PATH}/{receipt.transaction_id}"}
    return reply(201, b"application/json", _ENCODER.encode(receipt), location)


def reply_to_failure(parts: Parts, error: Exception, grant: Grant | None, address: str) -> Reply:
    """Return the answer without a receipt; failures of strangers are counted by address."""
    match error:
        case Unavailable():
            return problem_reply(problem_of(error))
        case NotAdmissible():
            problem = Problem(error.code, error.detail)
            counts = error.code not in FAULTS_OF_OTHERS
        case Problem():
            problem = error
            counts = error.type.code not in COUNTED_BEFORE
        case _:
            return problem_reply(internal_error(error))
    if grant is None and counts:
        parts.failures.note(address)
    return problem_reply(problem)


def refusal(receipt: Receipt, detail: str = "") -> Problem:
    """Return the problem that a refusal is, with its receipt; without a detail it repeats the title."""
    code = receipt.code
    assert code is not None, "a refused transaction has a code"
    place = "" if receipt.line is None else f" (line {receipt.line})"
    return Problem(code, detail or f"{PROBLEMS[code].title}{place}", receipt=receipt)


def _told(answered: Answered, grant: Grant | None) -> str:
    """Return the detail of a refusal, if whoever brought the transaction may read it."""
    receipt = answered.receipt
    is_sender = grant is not None and grant.participant == receipt.participant
    return answered.detail if is_sender or receipt.code in PUBLIC_DETAILS else ""


def problem_of(unavailable: Unavailable) -> Problem:
    """Return the problem for what the sequencer cannot answer now."""
    return Problem(unavailable.code, unavailable.detail, retry_after_s=unavailable.retry_after_s)


def _let_in(parts: Parts, authorization: bytes | None, address: str) -> Grant | None:
    """Return who a submission comes from, if it says so; a stranger who failed too often is turned away."""
    if authorization is not None:
        return reader_of(parts, authorization.decode("latin-1"), address)
    parts.failures.check(address)
    return None


def _check_form(content_type: bytes, query: bytes) -> None:
    if content_type not in MEDIA_TYPES and content_type.partition(b";")[0].strip().lower() not in MEDIA_TYPES:
        raise Problem("content_type_unsupported", "expected application/jose+json or application/json")
    if query:
        raise Problem("request_invalid", "query: expected no parameters")


def _bytes_max(parts: Parts, grant: Grant | None) -> int:
    return parts.settings.body_bytes_max if grant is None else parts.settings.body_bytes_max_with_token


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes | None, bytes | None]:
    """Content type (empty if there is none), declared length and authorization, in one walk over the headers."""
    content_type: bytes = b""
    declared = authorization = None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            declared = value
        elif name == b"authorization":
            authorization = value
        elif name == b"content-encoding":
            raise Problem("content_encoding_refused", "expected no Content-Encoding: send the bytes as they are")
    return content_type, declared, authorization
