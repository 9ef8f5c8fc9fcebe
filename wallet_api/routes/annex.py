"""The annex of a transaction: what its commitments stand for, told by its sender, erased when it asks (design D13)."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ledger.crypto import jws
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.digest import DIGEST_BYTES
from ledger.log.block import decode_body
from ledger.log.block_store import StoreBroken
from ledger.units import DigestField
from ledger.views.answers import TransactionRow
from wallet_api.answers import json_answer
from wallet_api.auth import Grant
from wallet_api.commitments import SALT_BYTES, Opening
from wallet_api.limits import Disconnected, read_body
from wallet_api.openapi import READING, VIEWING, described
from wallet_api.parts import Node, Parts
from wallet_api.problems import Problem
from wallet_api.routes.reading import KNOWN_QUERY, DigestPath, MinSequence, Reader, not_found
from wallet_api.routes.submission import SUBMIT_PATH

router: Final = APIRouter(prefix=SUBMIT_PATH, tags=["Annex"], dependencies=[KNOWN_QUERY])

OPENINGS_MAX: Final = 4_096
"""Most openings of one request; with the longest values they fit in the longest body with a token."""

VALUE_BYTES_MAX: Final = 560
"""Longest value, in bytes of UTF-8: 140 characters, as payment texts have, of up to four bytes each."""

RETRY_AFTER_S: Final = 1
"""What a client is told to wait when a database does not answer, in seconds."""

_SALT_PATTERN: Final = r"\A[A-Za-z0-9_-]{21}[AQgw]\Z"
"""Sixteen bytes in base64url; the last character stands for two bits, so it is one of four."""


class OpeningGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one commitment was made of."""

    salt: Annotated[str, Meta(pattern=_SALT_PATTERN)]
    """16 bytes, base64url."""
    value: Annotated[str, Meta(max_length=VALUE_BYTES_MAX)]
    """The personal value; at most 560 bytes of UTF-8."""


class OpeningsGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request to add."""

    openings: Annotated[tuple[OpeningGiven, ...], Meta(min_length=1, max_length=OPENINGS_MAX)]


class OpeningAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A commitment of the transaction and what it was made of."""

    commitment: DigestField
    """As it stands in the payload."""
    salt: str
    """16 bytes, base64url."""
    value: str


class AnnexAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The annex of a transaction."""

    openings: tuple[OpeningAnswer, ...]
    """By ascending commitment."""


class AnnexCount(msgspec.Struct, frozen=True, kw_only=True):
    """What adding or erasing came to."""

    count: int
    """Openings that the annex has now, or that were erased."""


_DECODER: Final = msgspec.json.Decoder(OpeningsGiven)

_OPENING_EXAMPLE: Final = {"salt": "AAECAwQFBgcICQoLDA0ODw", "value": "Rent, November"}

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["openings"],
                    "properties": {
                        "openings": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": OPENINGS_MAX,
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["salt", "value"],
                                "properties": {
                                    "salt": {
                                        "type": "string",
                                        "pattern": "^[A-Za-z0-9_-]{21}[AQgw]$",
                                        "description": "16 bytes, base64url.",
                                    },
                                    "value": {
                                        "type": "string",
                                        "maxLength": VALUE_BYTES_MAX,
                                        "description": f"At most {VALUE_BYTES_MAX} bytes of UTF-8.",
                                    },
                                },
                            },
                        }
                    },
                },
                "example": {"openings": [_OPENING_EXAMPLE]},
            }
        },
    }
}


@router.post(
    "/{transaction_id}/annex",
    operation_id="add_openings",
    summary="Add openings of a transaction's commitments",
    responses=described(
        AnnexCount,
        "How many openings the annex of the transaction has now.",
        "not_found",
        "opening_unfit",
        *READING,
        *VIEWING,
        "store_unavailable",
        "annex_unavailable",
        "body_too_large",
        "body_timeout",
        "content_type_unsupported",
        "content_encoding_refused",
        example={"count": 1},
    ),
    openapi_extra=_BODY,
)
async def add_openings(
    transaction_id: DigestPath, request: Request, node: Node, reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """Only the sender of the transaction adds; adding the same again changes nothing.

    All are added or none is.
    """
    try:
        openings = await _given(request, node)
    except Disconnected:
        # Nobody is there to read this answer; the framework wants one.
        return Response(status_code=400)
    row = await _row(node, reader, transaction_id, min_sequence, is_for_sender=True)
    count = await run_in_threadpool(_added, node, row, openings)
    return json_answer(AnnexCount(count=count))


@router.get(
    "/{transaction_id}/annex",
    operation_id="read_openings",
    summary="The openings of a transaction's commitments",
    responses=described(
        AnnexAnswer,
        "The openings; none if none was added, or all were erased.",
        "not_found",
        *READING,
        *VIEWING,
        "annex_unavailable",
        example={"openings": [{"commitment": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y", **_OPENING_EXAMPLE}]},
    ),
)
async def read_openings(
    transaction_id: DigestPath, node: Node, reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """The sender reads its own; an auditor and the authority that looks into cases read every one."""
    row = await _row(node, reader, transaction_id, min_sequence, is_for_sender=False)
    try:
        openings = await run_in_threadpool(node.annex.get, row.transaction_id)
    except SQLAlchemyError as error:
        raise _annex_unavailable() from error
    return json_answer(
        AnnexAnswer(
            openings=tuple(
                OpeningAnswer(commitment=opening.commitment(), salt=b64url(opening.salt), value=opening.value)
                for opening in openings
            )
        )
    )


@router.delete(
    "/{transaction_id}/annex",
    operation_id="erase_openings",
    summary="Erase the openings of a transaction's commitments",
    responses=described(
        AnnexCount,
        "How many were erased. The commitments stay in the log and say nothing from now on.",
        "not_found",
        *READING,
        *VIEWING,
        "annex_unavailable",
        example={"count": 1},
    ),
)
async def erase_openings(
    transaction_id: DigestPath, node: Node, reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """Only the sender of the transaction erases; all of them, for ever."""
    row = await _row(node, reader, transaction_id, min_sequence, is_for_sender=True)
    try:
        count = await run_in_threadpool(node.annex.erase, row.transaction_id)
    except SQLAlchemyError as error:
        raise _annex_unavailable() from error
    return json_answer(AnnexCount(count=count))


async def _given(request: Request, node: Parts) -> list[Opening]:
    """The openings in the body, within their limits."""
    headers = request.headers
    if "content-encoding" in headers:
        raise Problem("content_encoding_refused", "expected no Content-Encoding: send the bytes as they are")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("content_type_unsupported", "expected application/json")
    declared = headers.get("content-length")
    body = await read_body(
        request.receive,
        declared=None if declared is None else declared.encode("latin-1"),
        bytes_max=node.settings.body_bytes_max_with_token,
        within_s=node.settings.body_within_s,
    )
    try:
        given = _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem("request_invalid", f"body: {error}") from error
    for index, one in enumerate(given.openings):
        if (size := len(one.value.encode())) > VALUE_BYTES_MAX:
            raise Problem(
                "request_invalid",
                f"body.openings[{index}].value: expected at most {VALUE_BYTES_MAX} bytes of UTF-8, got {size}",
            )
    return [Opening(salt=b64url_decode(one.salt, length=SALT_BYTES), value=one.value) for one in given.openings]


async def _row(
    node: Parts, reader: Grant, transaction_id: str, min_sequence: int | None, *, is_for_sender: bool
) -> TransactionRow:
    """The transaction, if its annex is open to the reader; one of somebody else and none at all answer alike."""
    digest = b64url_decode(transaction_id, length=DIGEST_BYTES)
    found = await node.projections.read(lambda views: views.transaction_by_id(digest), min_sequence=min_sequence)
    row = found.value
    is_open = row is not None and (
        row.participant == reader.participant or (reader.reads_everything and not is_for_sender)
    )
    if row is None or not is_open:
        raise not_found()
    return row


def _added(node: Parts, row: TransactionRow, openings: list[Opening]) -> int:
    """Add openings that all fit; called in a thread."""
    strings = _strings(_payload(node, row))
    for index, opening in enumerate(openings):
        if opening.commitment() not in strings:
            raise Problem(
                "opening_unfit",
                f"body.openings[{index}]: expected the salt and value of a commitment in the transaction's payload",
            )
    try:
        return node.annex.add(row.transaction_id, openings, participant=row.participant, added_us=node.now_us())
    except SQLAlchemyError as error:
        raise _annex_unavailable() from error


def _payload(node: Parts, row: TransactionRow) -> bytes:
    """The signed payload, as it stands in its block."""
    try:
        block = node.blocks.read(row.height)
    except (StoreBroken, SQLAlchemyError) as error:
        detail = f"block {row.height} cannot be read now"
        raise Problem("store_unavailable", detail, retry_after_s=RETRY_AFTER_S) from error
    assert block is not None, "a transaction of the projections stands in a durable block"
    return jws.parse(decode_body(block.body).submissions[row.place], typ=jws.TYP_TRANSACTION).payload


def _strings(payload: bytes) -> set[str]:
    """Every string that is a value in a JSON document, at any depth."""
    found: set[str] = set()
    left: list[Any] = [msgspec.json.decode(payload)]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return found


def _annex_unavailable() -> Problem:
    return Problem("annex_unavailable", "the annex's database does not answer now", retry_after_s=RETRY_AFTER_S)
