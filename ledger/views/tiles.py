"""Tiles: the Merkle tree in rows of 256 hashes, from which every proof can be made (C2SP tlog-tiles).

Tile ``(level, number)`` holds the nodes of the tree's level ``8 * level`` from ``256 * number`` on. A full tile never
changes; the last one of each level grows.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ledger.crypto.merkle import HASH_BYTES, BlockProver, node_hash

TILE_HEIGHT: Final = 8
"""Levels of the tree that one tile stands for."""

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes of a full tile."""

TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
"""Length of a full tile."""

Tile = tuple[int, int, bytes]
"""Level, number, and the hashes side by side."""


class TileEdge:
    """The right edge of the tiles: the last, partial tile of each level, to be grown."""

    def __init__(self, size: int = 0, partial: Sequence[bytes] = ()) -> None:
        """Go on from a tree of ``size`` leaves whose last tiles, from level 0 up, are ``partial``."""
        self._levels = [bytearray(tile) for tile in partial]
        self.size = size
        for level, tile in enumerate(self._levels):
            assert len(tile) == HASH_BYTES * (_count(size, level) % TILE_WIDTH), "the partial tiles fit the size"

    def append(self, blocks: Sequence[BlockProver]) -> list[Tile]:
        """Add consecutive blocks and return every tile that is new or grew.

        Nothing is hashed: the blocks have the nodes they complete.
        """
        changed: list[Tile] = []
        first = self.size
        self.size = blocks[-1].after.size
        level = 0
        while grown := [node for block in blocks for node in block.completed(level * TILE_HEIGHT)]:
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._grow(level, _count(first, level) // TILE_WIDTH, grown, changed)
            level += 1
        return changed

    def _grow(self, level: int, number: int, nodes: Sequence[bytes], changed: list[Tile]) -> None:
        """Add nodes to one level, whose last tile is ``number``."""
        edge = self._levels[level]
        edge += b"".join(nodes)
        start = 0
        while len(edge) - start >= TILE_BYTES:
            changed.append((level, number, bytes(edge[start : start + TILE_BYTES])))
            start += TILE_BYTES
            number += 1
        del edge[:start]
        if edge:
            changed.append((level, number, bytes(edge)))


class TileReader:
    """The nodes of a tree that is stored in tiles (``ledger.crypto.merkle.HashReader``)."""

    def __init__(self, tile: Callable[[int, int], bytes | None]) -> None:
        """Read through ``tile``: level and number to hashes, or None where there is no such tile."""
        self._tile = tile
        self._read: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree that lies wholly in the tree."""
        tile_level, rest = divmod(level, TILE_HEIGHT)
        first = index << rest
        number, place = divmod(first, TILE_WIDTH)
        hashes = self._hashes(tile_level, number)
        width = 1 << rest
        assert len(hashes) >= (place + width) * HASH_BYTES, "the subtree lies wholly in the tree"
        starts = range(place * HASH_BYTES, (place + width) * HASH_BYTES, HASH_BYTES)
        return _perfect_root([hashes[at : at + HASH_BYTES] for at in starts])

    def _hashes(self, level: int, number: int) -> bytes:
        key = (level, number)
        hashes = self._read.get(key)
        if hashes is None:
            hashes = self._tile(level, number)
            assert hashes is not None, "the tile lies in the tree"
            self._read[key] = hashes
        return hashes


def last_tiles(size: int) -> list[tuple[int, int]]:
    """Return level and number of the tile at the edge of each level, partial or about to begin."""
    levels = []
    count, level = size, 0
    while count:
        levels.append((level, count // TILE_WIDTH))
        count >>= TILE_HEIGHT
        level += 1
    return levels


def _perfect_root(nodes: list[bytes]) -> bytes:
    """The root above neighbouring nodes, whose number is a power of two."""
    while len(nodes) > 1:
        nodes = [node_hash(left, right) for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]


def _count(size: int, level: int) -> int:
    """How many nodes of a tile level a tree of ``size`` leaves has."""
    return size >> TILE_HEIGHT * level
