"""The export: the whole log as JSON Lines, for anyone to verify offline (docs/reference/wire_format.md, "Export").

The first line carries the genesis document, each further line one block, the last line says how much there was.
Every line equals its own re-encoding, so no byte in the file is free.
"""

from collections.abc import Iterator
from typing import Annotated, BinaryIO, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.merkle import CompactRange
from ledger.genesis import network_id
from ledger.log.block import LEAF_HASH_BYTES, Block, BlockBody, decode_body, encode_body
from ledger.log.block_store import BlockReader
from ledger.log.outcomes import KeptOutcome, decode_outcome, encode_outcome
from ledger.model.record import Record

EXPORT_VERSION: Final = 1
"""Version of the file format."""

Line = TypeVar("Line", bound=Record)

BASE64_BITS: Final = 6
"""Bits that one character of base64url stands for."""

BYTE_BITS: Final = 8

CountField = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ExportFault(Exception):
    """The file is no export, or a damaged one: the line and what was expected there."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


class ExportHead(Record, frozen=True, kw_only=True, tag_field="type", tag="head"):
    """First line."""

    v: Literal[1]
    network: str
    genesis: str
    """The genesis document, base64url."""


class ExportBlock(Record, frozen=True, kw_only=True, tag_field="type", tag="block"):
    """One block. What follows from the blocks before it is left out."""

    height: CountField
    epoch: CountField
    time_us: CountField
    submissions: tuple[msgspec.Raw, ...]
    """Signed transactions: JWS in canonical general serialization, as JSON objects."""
    outcomes: tuple[KeptOutcome, ...]
    salts: str
    leaf_hashes: str
    checkpoint: tuple[str, ...]
    """The signed checkpoint, split at its line ends."""


class ExportEnd(Record, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """Last line: a file without it was cut."""

    blocks: CountField
    size: CountField


_encoder: Final = msgspec.json.Encoder(order="sorted")
_head_decoder: Final = msgspec.json.Decoder(ExportHead)
_body_decoder: Final[msgspec.json.Decoder[ExportBlock | ExportEnd]] = msgspec.json.Decoder(ExportBlock | ExportEnd)


def write_export(reader: BlockReader, document: bytes, out: BinaryIO) -> int:
    """Write all durable blocks; returns how many there are."""
    out.write(_line(ExportHead(v=EXPORT_VERSION, network=network_id(document), genesis=b64url(document))))
    blocks = size = 0
    for block in reader.blocks():
        out.write(_line(_exported(block)))
        blocks, size = blocks + 1, block.size
    out.write(_line(ExportEnd(blocks=blocks, size=size)))
    return blocks


def read_head(stream: BinaryIO) -> bytes:
    """Read the first line; returns the genesis document, whose network id the line must name.

    Raises:
        ExportFault: the line does not hold.
    """
    head = _decode(1, stream.readline(), _head_decoder)
    try:
        document = b64url_decode(head.genesis)
        expected = network_id(document)
    except ValueError as error:
        raise ExportFault(1, str(error)) from error
    if head.network != expected:
        raise ExportFault(1, f"expected the network of the genesis document, {expected}, got {head.network}")
    return document


def read_blocks(stream: BinaryIO) -> Iterator[tuple[int, int, ExportBlock]]:
    """Yield the blocks after the first line with their line numbers and lengths in bytes.

    At the end, check that the file ends as it says.

    Raises:
        ExportFault: a line does not hold, or the file was cut or continued.
    """
    blocks = size = 0
    number = 1
    for line in stream:
        number += 1
        decoded = _decode(number, line, _body_decoder)
        if isinstance(decoded, ExportBlock):
            blocks += 1
            size += len(decoded.leaf_hashes) * BASE64_BITS // (LEAF_HASH_BYTES * BYTE_BITS)
            yield number, len(line), decoded
            continue
        if (decoded.blocks, decoded.size) != (blocks, size):
            raise ExportFault(
                number,
                f"expected the end after {decoded.blocks} blocks with {decoded.size} leaves, "
                f"got {blocks} blocks with {size} leaves",
            )
        if stream.read(1):
            raise ExportFault(number + 1, "expected nothing after the end")
        return
    raise ExportFault(number + 1, f"the file was cut after {blocks} blocks: its last line is missing")


def stored(exported: ExportBlock, before: CompactRange) -> Block:
    """Return the block as a store keeps it.

    Raises:
        NotCanonical: salts or hashes are not base64url.
    """
    return Block(
        height=exported.height,
        epoch=exported.epoch,
        time_us=exported.time_us,
        first_sequence=before.size,
        before=before.to_bytes(),
        body=encode_body(
            BlockBody(
                submissions=[bytes(raw) for raw in exported.submissions],
                outcomes=[encode_outcome(outcome) for outcome in exported.outcomes],
                salts=b64url_decode(exported.salts),
            )
        ),
        leaf_hashes=b64url_decode(exported.leaf_hashes),
        checkpoint="\n".join(exported.checkpoint),
    )


def _exported(block: Block) -> ExportBlock:
    body = decode_body(block.body)
    return ExportBlock(
        height=block.height,
        epoch=block.epoch,
        time_us=block.time_us,
        submissions=tuple(msgspec.Raw(submission) for submission in body.submissions),
        outcomes=tuple(decode_outcome(outcome) for outcome in body.outcomes),
        salts=b64url(body.salts),
        leaf_hashes=b64url(block.leaf_hashes),
        checkpoint=tuple(block.checkpoint.split("\n")),
    )


def _line(value: Record) -> bytes:
    return _encoder.encode(value) + b"\n"


def _decode(number: int, line: bytes, decoder: msgspec.json.Decoder[Line]) -> Line:
    """Decode one line strictly: it must end in a newline and equal its own re-encoding."""
    try:
        decoded = decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ExportFault(number, f"cannot be read: {error}") from error
    if _line(decoded) != line:
        raise ExportFault(number, "is not in its canonical form")
    return decoded
