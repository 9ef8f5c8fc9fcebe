"""A block's digest covers all of it, and its body survives encoding."""

import hashlib
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.block import Block, BlockBody, decode_body, encode_body

BLOCK = Block(
    height=2,
    epoch=7,
    time_us=1_700_000_000_000_000,
    first_sequence=5,
    before=b"before",
    body=b"body",
    leaf_hashes=bytes(96),
    checkpoint="note \u2014",
)


def test_size_counts_the_leaves_up_to_and_including_the_block() -> None:
    assert (BLOCK.leaf_count, BLOCK.size) == (3, 8)


def test_digest_is_sha256_over_the_tag_the_integers_and_the_parts_behind_their_lengths() -> None:
    parts = (b"before", b"body", bytes(96), "note \u2014".encode())
    encoded = struct.pack(">4Q", 2, 7, 1_700_000_000_000_000, 5)
    encoded += b"".join(struct.pack(">Q", len(part)) + part for part in parts)
    assert BLOCK.digest() == hashlib.sha256(b"dt/v1/block\0" + encoded).digest()


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(BLOCK, height=3),
        msgspec.structs.replace(BLOCK, epoch=8),
        msgspec.structs.replace(BLOCK, time_us=0),
        msgspec.structs.replace(BLOCK, first_sequence=6),
        msgspec.structs.replace(BLOCK, before=b"befor", body=b"ebody"),
        msgspec.structs.replace(BLOCK, leaf_hashes=bytes(64)),
        msgspec.structs.replace(BLOCK, checkpoint="note"),
    ],
)
def test_every_field_changes_the_digest(changed: Block) -> None:
    assert changed.digest() != BLOCK.digest()


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.binary(max_size=8), max_size=5), st.binary())
def test_a_body_comes_back_as_it_was_encoded(submissions: list[bytes], outcomes: list[bytes], salts: bytes) -> None:
    body = BlockBody(submissions=submissions, outcomes=outcomes, salts=salts)
    assert decode_body(encode_body(body)) == body


@pytest.mark.parametrize(
    "encoded", [b"", b"\x80", b"\xc1", encode_body(BlockBody(submissions=[], outcomes=[], salts=b""))[:-1]]
)
def test_bytes_that_are_not_a_body_are_refused(encoded: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_body(encoded)
