"""Transactions: sending them (answered by ``submission``), and finding their first and only outcome again."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ledger.crypto.canonical import b64url_decode
from ledger.crypto.digest import DIGEST_BYTES
from ledger.log.answers import Unavailable
from ledger.log.receipts import Receipt
from ledger.units import ParticipantId, Reference
from ledger.views.answers import AsOf, TransactionRow
from settlement.rules import RULEBOOKS
from wallet_api.answers import json_answer
from wallet_api.auth import Grant
from wallet_api.openapi import READING, VIEWING, described, transaction_schemas
from wallet_api.parts import Node, Parts
from wallet_api.routes.reading import KNOWN_QUERY, DigestPath, MinSequence, Reader, not_found
from wallet_api.routes.submission import SUBMIT_PATH, problem_of

router: Final = APIRouter(prefix=SUBMIT_PATH, tags=["Transactions"], dependencies=[KNOWN_QUERY])


class TransactionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A decided transaction."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    business_date: str
    """The business date it was decided on."""
    receipt: Receipt
    """The receipt its sender got, byte for byte what proves it."""


class LineRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal: of a whole transaction, or of one line of an independent bulk."""

    line: int
    """From 0."""
    sequence: int
    """Leaf index of the refusal."""
    code: str


class RefusalsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The refusals of a transaction, in order of lines."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    refusals: tuple[LineRefusal, ...]


_RECEIPT_EXAMPLE: Final = {
    "network": "pilot:4cH0rmDFxwNqQqZvNWCg1JGmHkUmJpJx6v0oWm2T3o4",
    "participant": "bank-a",
    "reference": "0193f5a0-0000-7000-8000-000000000001",
    "transaction_id": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
    "kind": "transfer",
    "outcome": "accepted",
    "height": 17,
    "time_us": 1_735_000_017_000_000,
    "sequence": 410,
    "leaf_count": 1,
    "leaves": [{"leaf": '{"type":"entry",...}', "proof": "c2sp.org/tlog-proof@v1\nindex 410\n..."}],
}

_SIGNED: Final = (
    "jws_malformed",
    "jws_header_invalid",
    "jws_algorithm_invalid",
    "jws_type_invalid",
    "jws_signature_count",
    "jws_duplicate_key",
    "payload_invalid",
    "kind_unknown",
    "wrong_network",
    "public_key_invalid",
    "mandate_invalid",
    "signature_invalid",
    "reference_reused",
    "reference_expired",
    "reference_too_new",
    "transaction_expired",
    "participant_unknown",
    "participant_suspended",
    "kind_not_permitted",
    "key_unknown",
    "key_revoked",
    "key_not_active",
    "key_use_wrong",
    "signature_unasked",
    "signatures_insufficient",
)

_NODE: Final = (
    "undecidable",
    "queue_full",
    "outcome_unknown",
    "store_unavailable",
    "clock_jumped",
    "node_deposed",
    "node_stopping",
    "node_broken",
)

STORED: Final = ("store_unavailable",)
"""Problems of reading a receipt back from the block store."""

_REFUSALS: Final = tuple(sorted({code for rulebook in RULEBOOKS.values() for code in rulebook.refusal_codes()}))


def _body() -> dict[str, Any]:
    """The request body: a JWS whose payload is the base64url of a transaction of any kind."""
    signature = {
        "type": "object",
        "additionalProperties": False,
        "required": ["protected", "signature"],
        "properties": {
            "protected": {
                "type": "string",
                "maxLength": 512,
                "description": "base64url of a header of exactly `alg` (Ed25519 or EdDSA), `kid`, `typ` "
                "(`dt-transaction+json`).",
            },
            "signature": {"type": "string", "minLength": 86, "maxLength": 86},
        },
    }
    schema = {
        "type": "object",
        "title": "SignedTransaction",
        "description": "A JWS in general JSON serialization (RFC 7515, 7.2.1).",
        "additionalProperties": False,
        "required": ["payload", "signatures"],
        "properties": {
            "payload": {
                "type": "string",
                "description": "base64url of the transaction as canonical JSON.",
                "contentEncoding": "base64url",
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": transaction_schemas()},
            },
            "signatures": {"type": "array", "minItems": 1, "maxItems": 16, "items": signature},
        },
    }
    example = {
        "payload": "eyJib2R5Ijp7ImFtb3VudCI6MTAw...",
        "signatures": [{"protected": "eyJhbGciOiJFZDI1NTE5Ii...", "signature": "0" * 86}],
    }
    content = {"schema": schema, "example": example}
    return {
        "requestBody": {"required": True, "content": {"application/jose+json": content, "application/json": content}}
    }


@router.post(
    "",
    operation_id="submit_transaction",
    summary="Send a signed transaction",
    status_code=201,
    responses=described(
        Receipt,
        "Accepted and durable. `Location` leads to the transaction.",
        *_SIGNED,
        *_REFUSALS,
        "queue_full",
        *_NODE,
        "views_behind",
        "views_unavailable",
        "token_invalid",
        "failures_too_many",
        "body_too_large",
        "body_timeout",
        "content_type_unsupported",
        "content_encoding_refused",
        status=201,
        example=_RECEIPT_EXAMPLE,
    ),
    openapi_extra={**_body(), "security": [{}, {"token": []}]},
)
async def submit_transaction() -> Response:
    """Single or bulk. Sending the same bytes again is safe: the first answer comes back, for ever.

    No token is needed up to 64 KiB, for the signatures are the authority; with one, up to 4 MiB.
    """
    raise AssertionError("answered before routing, by wallet_api.routes.submission")


@router.get(
    "",
    operation_id="find_transaction",
    summary="Find a transaction by its reference",
    responses=described(
        TransactionAnswer,
        "The transaction, accepted or refused.",
        "not_found",
        *READING,
        *VIEWING,
        *STORED,
        example={"includes_sequence": 412, "business_date": "2024-12-24", "receipt": _RECEIPT_EXAMPLE},
    ),
)
async def find_transaction(
    node: Node,
    reader: Reader,
    reference: Annotated[
        str,
        Query(
            pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
            description="The sender's own id of the transaction.",
        ),
    ],
    participant: Annotated[
        str | None,
        Query(
            pattern="^[a-z][a-z0-9-]{0,30}[a-z0-9]$",
            description="The sender; yourself unless given. Who reads every transaction reads those of others.",
        ),
    ] = None,
    min_sequence: MinSequence = None,
) -> Response:
    """What became of a transaction whose answer was lost."""
    sender = ParticipantId(participant or reader.participant)
    found = await node.projections.read(
        lambda views: views.transaction_by_reference(sender, Reference(reference)), min_sequence=min_sequence
    )
    return await _answer(node, reader, found)


@router.get(
    "/{transaction_id}",
    operation_id="read_transaction",
    summary="A transaction by its id",
    responses=described(
        TransactionAnswer,
        "The transaction, accepted or refused.",
        "not_found",
        *READING,
        *VIEWING,
        *STORED,
        example={"includes_sequence": 412, "business_date": "2024-12-24", "receipt": _RECEIPT_EXAMPLE},
    ),
)
async def read_transaction(
    transaction_id: DigestPath, node: Node, reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """The sender reads its own; an auditor and the authority that looks into cases read every one."""
    digest = b64url_decode(transaction_id, length=DIGEST_BYTES)
    found = await node.projections.read(lambda views: views.transaction_by_id(digest), min_sequence=min_sequence)
    return await _answer(node, reader, found)


@router.get(
    "/{transaction_id}/refusals",
    operation_id="read_refusals",
    summary="The refused lines of a transaction",
    responses=described(
        RefusalsAnswer,
        "The refusals; none if all was accepted.",
        "not_found",
        *READING,
        *VIEWING,
        example={
            "includes_sequence": 412,
            "refusals": [{"line": 2, "sequence": 410, "code": "insufficient_funds"}],
        },
    ),
)
async def read_refusals(
    transaction_id: DigestPath, node: Node, reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """The sender reads its own; an auditor and the authority that looks into cases read every one."""
    digest = b64url_decode(transaction_id, length=DIGEST_BYTES)
    found = await node.projections.read(lambda views: views.transaction_by_id(digest), min_sequence=min_sequence)
    sequence = _readable(reader, found).sequence
    # Read second, so it includes no less than the answer says.
    refusals = await node.projections.read(lambda views: views.refusals(sequence))
    return json_answer(
        RefusalsAnswer(
            includes_sequence=found.size - 1,
            refusals=tuple(LineRefusal(line=row.line, sequence=row.sequence, code=row.code) for row in refusals.value),
        )
    )


def _readable(reader: Grant, found: AsOf[TransactionRow | None]) -> TransactionRow:
    row = found.value
    if row is None or not (reader.reads_everything or row.participant == reader.participant):
        raise not_found()
    return row


async def _answer(node: Parts, reader: Grant, found: AsOf[TransactionRow | None]) -> Response:
    row = _readable(reader, found)
    try:
        receipt = await run_in_threadpool(node.sequencer.first_answer, row.height, row.place)
    except Unavailable as error:
        raise problem_of(error) from error
    return json_answer(
        TransactionAnswer(includes_sequence=found.size - 1, business_date=row.business_date, receipt=receipt)
    )
