"""A block: what one commit makes durable.

A block row holds only what cannot be derived: the raw submissions, the time,
the outcomes, the salts, the leaf hashes and the signed checkpoint. Everything
else is a fold over blocks.
"""

import hashlib
import struct
from functools import cached_property
from typing import Final

import msgspec

LEAF_HASH_BYTES: Final = 32
"""One RFC 6962 leaf hash (SHA-256)."""

SALT_BYTES: Final = 16
"""One leaf's random salt."""

DIGEST_BYTES: Final = 32
"""Length of a block digest (SHA-256)."""

_DIGEST_TAG: Final = b"dt/v1/block\0"
_INTEGER_FIELDS: Final = struct.Struct(">QQQQ")
_LENGTH: Final = struct.Struct(">Q")


class BlockBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a block was decided from, and what was decided."""

    submissions: list[bytes]
    """The signed transactions as received (canonical JWS bytes), in the order decided."""
    outcomes: list[bytes]
    """One small opaque outcome per submission, in the same order."""
    salts: bytes
    """One 16-byte salt per leaf, concatenated in leaf order."""


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """One durable group of submissions and the leaves that came of it."""

    height: int
    """Position of the block; the genesis block is 0."""
    epoch: int
    """The reign under which it was written; a take-over raises it."""
    time_us: int
    """The block's one time, microseconds since 1970 UTC, strictly above the last block's."""
    first_sequence: int
    """Leaf index (from 0) of the block's first leaf."""
    before: bytes
    """The serialised compact range of the Merkle tree before this block."""
    body: bytes
    """An encoded ``BlockBody``; opaque here, so that a store never decodes it."""
    leaf_hashes: bytes
    """The leaf hashes, 32 bytes each, concatenated in leaf order."""
    checkpoint: str
    """The signed note over the tree that ends with this block."""

    @property
    def leaf_count(self) -> int:
        """Number of leaves in this block."""
        return len(self.leaf_hashes) // LEAF_HASH_BYTES

    @property
    def size(self) -> int:
        """Number of leaves in the log up to and including this block."""
        return self.first_sequence + self.leaf_count

    def digest(self) -> bytes:
        r"""Return the 32 bytes the head row holds: SHA-256 over the tag and every field.

        Layout: ``"dt/v1/block\0"``, then height, epoch, time_us and first_sequence as
        unsigned 64-bit big-endian integers, then before, body, leaf_hashes and the
        checkpoint (UTF-8), each behind its length as an unsigned 64-bit big-endian integer.
        It is made once: whoever reads a block checks it, whoever builds on the block needs it again.
        """
        return self._digest

    @cached_property
    def _digest(self) -> bytes:
        digest = hashlib.sha256(_DIGEST_TAG)
        digest.update(_INTEGER_FIELDS.pack(self.height, self.epoch, self.time_us, self.first_sequence))
        for part in (self.before, self.body, self.leaf_hashes, self.checkpoint.encode()):
            digest.update(_LENGTH.pack(len(part)))
            digest.update(part)
        return digest.digest()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(BlockBody)


def encode_body(body: BlockBody) -> bytes:
    """Return ``body`` as the MessagePack bytes that ``Block.body`` carries."""
    return _encoder.encode(body)


def decode_body(body: bytes) -> BlockBody:
    """Return the ``BlockBody`` in ``body``.

    Raises ``msgspec.DecodeError`` or ``msgspec.ValidationError`` when the bytes are not one.
    """
    return _decoder.decode(body)
