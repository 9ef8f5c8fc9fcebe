"""Tiles grow with the tree and give every proof that the tree itself gives."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import merkle
from ledger.crypto.merkle import BlockProver, CompactRange
from ledger.views.tiles import TILE_WIDTH, TileEdge, TileReader, last_tiles

LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(3 * TILE_WIDTH**2 // 2)]

SIZES = (0, 1, 2, 3, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 65_900, 66_000)


def tiles_of(size: int, *, step: int) -> dict[tuple[int, int], bytes]:
    edge = TileEdge()
    tiles: dict[tuple[int, int], bytes] = {}
    for block in blocks_of(0, size, step):
        for level, number, hashes in edge.append([block]):
            tiles[level, number] = hashes
    return tiles


def blocks_of(start: int, end: int, step: int) -> list[BlockProver]:
    tree = CompactRange().append_many(LEAVES[:start])
    blocks = []
    for first in range(start, end, step):
        blocks.append(BlockProver(tree, LEAVES[first : min(first + step, end)]))
        tree = blocks[-1].after
    return blocks


def test_root_of_every_size_below_the_edge_is_that_of_the_tree() -> None:
    tiles = tiles_of(SIZES[-1], step=5_000)
    for size in SIZES:
        expected = CompactRange().append_many(LEAVES[:size]).root()
        assert merkle.root(TileReader(lambda level, number: tiles.get((level, number))), size) == expected


def test_tiles_do_not_depend_on_the_steps_they_grew_by() -> None:
    assert tiles_of(66_000, step=66_000) == tiles_of(66_000, step=777)
    assert tiles_of(1_000, step=1) == tiles_of(1_000, step=1_000)


def test_an_edge_goes_on_from_stored_tiles() -> None:
    for size in SIZES:
        tiles = tiles_of(size, step=100_000)
        edge = TileEdge(size, [tiles.get(place, b"") for place in last_tiles(size)])
        for level, number, hashes in edge.append(blocks_of(size, size + 700, 300)):
            tiles[level, number] = hashes
        assert tiles == tiles_of(size + 700, step=100_000)


TILES = tiles_of(len(LEAVES), step=10_000)


@given(st.data())
def test_proofs_from_tiles_hold(data: st.DataObject) -> None:
    reader = TileReader(lambda level, number: TILES.get((level, number)))
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(0, size))
    root = merkle.root(reader, size)
    merkle.verify_inclusion(LEAVES[index], index, size, merkle.inclusion_proof(reader, index, size), root)
    path = merkle.consistency_proof(reader, first, size)
    merkle.verify_consistency(first, size, merkle.root(reader, first), root, path)
