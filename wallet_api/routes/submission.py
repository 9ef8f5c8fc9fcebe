"""POST /v1/transactions: signed bytes in, receipt out (design section 4, steps 2 and 7).

The path every payment takes. It is answered before the framework routes, parses or validates anything: the bytes go to
the sequencer as they came, since only the signature gives them authority.
"""

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from ledger.log.answers import Answered, Unavailable
from ledger.log.receipts import Receipt
from ledger.rules.opening import NotAdmissible
from wallet_api.answers import internal_error, send_bytes, send_problem
from wallet_api.auth import Grant
from wallet_api.limits import Disconnected, address_of, read_body
from wallet_api.parts import Parts
from wallet_api.problems import PROBLEMS, PUBLIC_DETAILS, Problem
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

_ENCODER: Final = msgspec.json.Encoder()


async def submit(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one submission: 201 with the receipt, 422 with the receipt of a refusal, or another problem."""
    try:
        answered, grant = await _decided(parts, scope, receive)
        receipt = answered.receipt
        if receipt.outcome == "accepted":
            location = {"location": f"{SUBMIT_PATH}/{receipt.transaction_id}"}
            await send_bytes(send, 201, b"application/json", _ENCODER.encode(receipt), location)
        else:
            await send_problem(send, refusal(receipt, _told(answered, grant)))
    except Disconnected:
        return
    except Problem as problem:
        await send_problem(send, problem)
    except Unavailable as unavailable:
        await send_problem(send, problem_of(unavailable))
    except Exception as error:
        await send_problem(send, internal_error(error))


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


async def _decided(parts: Parts, scope: Scope, receive: Receive) -> tuple[Answered, Grant | None]:
    """Headers, limits, body, decision; failures of strangers are counted by address."""
    address = address_of(scope)
    grant = None
    try:
        content_type, declared, authorization = _headers(scope)
        if authorization is None:
            parts.failures.check(address)
        else:
            grant = reader_of(parts, authorization.decode("latin-1"), address)
        if content_type.partition(b";")[0].strip().lower() not in MEDIA_TYPES:
            raise Problem("content_type_unsupported", "expected application/jose+json or application/json")
        if scope["query_string"]:
            raise Problem("request_invalid", "query: expected no parameters")
        settings = parts.settings
        raw = await read_body(
            receive,
            declared=declared,
            bytes_max=settings.body_bytes_max if grant is None else settings.body_bytes_max_with_token,
            within_s=settings.body_within_s,
        )
        return await parts.sequencer.answer(raw), grant
    except NotAdmissible as error:
        if grant is None and error.code not in FAULTS_OF_OTHERS:
            parts.failures.note(address)
        raise Problem(error.code, error.detail) from error
    except Problem as problem:
        if grant is None and problem.type.code not in COUNTED_BEFORE:
            parts.failures.note(address)
        raise


def _headers(scope: Scope) -> tuple[bytes, bytes | None, bytes | None]:
    """Content type (empty if there is none), declared length and authorization, in one walk over the headers."""
    content_type: bytes = b""
    declared = authorization = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            declared = value
        elif name == b"authorization":
            authorization = value
        elif name == b"content-encoding":
            raise Problem("content_encoding_refused", "expected no Content-Encoding: send the bytes as they are")
    return content_type, declared, authorization
