"""The log in public: its newest checkpoint, where it starts, and proofs. Hashes only, so nobody needs a token."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import PlainTextResponse, Response

from ledger.crypto.canonical import b64url
from ledger.crypto.merkle import HASH_BYTES
from ledger.crypto.note import parse_checkpoint
from ledger.genesis import Genesis
from ledger.units import BALANCE_MAX
from ledger.views.answers import AsOf
from ledger.views.queries import ViewReader
from ledger.views.tiles import TILE_WIDTH
from wallet_api.answers import JSON, json_answer
from wallet_api.openapi import VIEWING, described
from wallet_api.parts import Node, Parts
from wallet_api.problems import Problem
from wallet_api.routes.reading import KNOWN_QUERY, CountQuery, decimal

router: Final = APIRouter(prefix="/v1/log", tags=["Log"], dependencies=[KNOWN_QUERY])

IMMUTABLE: Final = {"cache-control": "public, max-age=31536000, immutable"}

OptionalSize = Annotated[
    Annotated[int, Field(ge=0, le=BALANCE_MAX), BeforeValidator(decimal)] | None,
    Query(description="Leaves in the tree; the newest checkpoint's unless given."),
]

_CHECKPOINT_EXAMPLE: Final = (
    "digital-tenge/pilot:4cH0rmDFxwNqQqZvNWCg1JGmHkUmJpJx6v0oWm2T3o4\n412\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 digital-tenge/pilot:4cH0rmDFxwNqQqZvNWCg1JGmHkUmJpJx6v0oWm2T3o4 qNz2...\n"
)


class InclusionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a leaf stands in the log (RFC 6962, 2.1.1)."""

    sequence: int
    """Leaf index, from 0."""
    size: int
    """Leaves in the tree."""
    leaf_hash: str
    """SHA-256 of a zero byte and the leaf, base64url."""
    path: tuple[str, ...]
    """Audit path from the leaf's sibling up, base64url."""
    checkpoint: str | None = None
    """The signed checkpoint of the tree, where no size was asked for."""


class ConsistencyAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a later tree has an earlier one as its beginning (RFC 6962, 2.1.2)."""

    from_size: int
    to_size: int
    path: tuple[str, ...]
    """Hashes, base64url; empty from size 0 and between equal sizes."""
    checkpoint: str | None = None
    """The signed checkpoint of the later tree, where no ``to`` was asked for."""


@router.get(
    "/checkpoint",
    operation_id="read_checkpoint",
    summary="Newest signed checkpoint",
    response_class=PlainTextResponse,
    responses=described(None, "A signed note (C2SP).", media_type="text/plain", example=_CHECKPOINT_EXAMPLE),
)
async def read_checkpoint(node: Node) -> Response:
    """The log's own word on how long it is and what its root is."""
    return PlainTextResponse(node.sequencer.checkpoint)


@router.get(
    "/genesis",
    operation_id="read_genesis",
    summary="The genesis document",
    responses=described(Genesis, "Canonical JSON; its digest is the second half of the network id."),
)
async def read_genesis_document(node: Node) -> Response:
    """What the network starts from, byte for byte."""
    return Response(node.document, media_type=JSON, headers=IMMUTABLE)


@router.get(
    "/inclusion",
    operation_id="prove_inclusion",
    summary="Proof that a leaf is in the log",
    responses=described(
        InclusionAnswer,
        "The proof.",
        *VIEWING,
        example={"sequence": 0, "size": 2, "leaf_hash": "3Qv3...", "path": ["l2kV..."]},
    ),
)
async def prove_inclusion(
    node: Node,
    sequence: Annotated[CountQuery, Query(description="Leaf index, from 0.")],
    size: OptionalSize = None,
) -> Response:
    """Lead from one leaf to the root of the tree of ``size`` leaves."""
    wanted, checkpoint = _tree(node, size, "size")
    if sequence >= wanted:
        raise Problem("leaf_unknown", f"query.sequence: expected a leaf below the size, {wanted}")

    def query(reader: ViewReader) -> AsOf[tuple[bytes, tuple[bytes, ...]]]:
        number, place = divmod(sequence, TILE_WIDTH)
        tile = reader.tile(0, number)
        path = reader.inclusion_proof(sequence, wanted)
        hashes = tile.value or b""
        return AsOf(path.size, path.height, (hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES], path.value))

    leaf_hash, path = (await node.projections.read(query, min_sequence=wanted - 1)).value
    return json_answer(
        InclusionAnswer(
            sequence=sequence,
            size=wanted,
            leaf_hash=b64url(leaf_hash),
            path=tuple(map(b64url, path)),
            checkpoint=checkpoint,
        )
    )


@router.get(
    "/consistency",
    operation_id="prove_consistency",
    summary="Proof that the log only grew",
    responses=described(
        ConsistencyAnswer,
        "The proof.",
        *VIEWING,
        example={"from_size": 2, "to_size": 412, "path": ["l2kV..."]},
    ),
)
async def prove_consistency(
    node: Node,
    from_size: Annotated[CountQuery, Query(alias="from", description="Leaves in the earlier tree.")],
    to_size: Annotated[OptionalSize, Query(alias="to")] = None,
) -> Response:
    """Show that the tree of ``to`` leaves has the one of ``from`` leaves as its beginning."""
    wanted, checkpoint = _tree(node, to_size, "to")
    if from_size > wanted:
        raise Problem("request_invalid", f"query.from: expected a size up to {wanted}")
    proof = await node.projections.read(
        lambda reader: reader.consistency_proof(from_size, wanted), min_sequence=max(wanted - 1, 0)
    )
    return json_answer(
        ConsistencyAnswer(
            from_size=from_size, to_size=wanted, path=tuple(map(b64url, proof.value)), checkpoint=checkpoint
        )
    )


def _tree(node: Parts, size: int | None, name: str) -> tuple[int, str | None]:
    """The size asked for; or that of the newest checkpoint, and the checkpoint."""
    checkpoint = node.sequencer.checkpoint
    newest = parse_checkpoint(checkpoint)[0].size
    if size is None:
        return newest, checkpoint
    if size > newest:
        raise Problem("leaf_unknown", f"query.{name}: expected a size up to {newest}")
    return size, None
