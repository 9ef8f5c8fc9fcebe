"""Merkle trees and their proofs (RFC 6962, section 2.1): why the log cannot be rewritten unseen.

A *node* `(level, index)` is the root of the perfect subtree over the leaves from `index * 2^level`
up to, and without, `(index + 1) * 2^level`. Proofs are made of nodes, and folds of nodes at the right edge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, Self

HASH_BYTES: Final = 32
"""Bytes of every hash in the tree (SHA-256)."""

SIZE_BYTES: Final = 8
"""Bytes of the tree size in front of a stored compact range, big-endian."""

EMPTY_ROOT: Final = sha256().digest()
"""Root of the tree without leaves."""

Level = tuple[int, list[bytes]]
"""Neighbouring nodes of one level: the index of the first, and their hashes."""


class InvalidProof(ValueError):
    """The proof does not lead from what is claimed to the root; says what was expected and got."""


class HashReader(Protocol):
    """Whatever has the nodes of a tree: stored tiles, or a block that is being made."""

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree that lies wholly in the tree."""
        ...


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf: SHA-256(0x00 ‖ data)."""
    return sha256(b"\x00" + data).digest()


def hash_leaves(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hash of each of many leaves."""
    return [sha256(b"\x00" + data).digest() for data in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees side by side: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """All that must be kept of a tree to extend it: the roots of its maximal perfect subtrees."""

    size: int = 0
    """Leaves in the tree."""
    hashes: tuple[bytes, ...] = ()
    """One root for each bit that is set in the size, the largest subtree first: from left to right."""

    def __post_init__(self) -> None:
        """Check that there is a hash for each bit of the size.

        Raises:
            ValueError: there is not.
        """
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"expected the hashes of a tree of {self.size} leaves, got {len(self.hashes)} hashes")

    def append_many(self, leaf_hashes: Sequence[bytes]) -> "CompactRange":
        """Return the tree with these leaves added at its right edge."""
        return _compact_range(self.size + len(leaf_hashes), _levels(self, leaf_hashes))

    def append_node(self, level: int, node: bytes) -> "CompactRange":
        """Return the tree with a perfect subtree of 2^level leaves added at its right edge.

        The size must be a multiple of 2^level, so that the subtree is a node of the tree.
        """
        assert self.size % (1 << level) == 0, "a node starts at a multiple of its own width"
        hashes = list(self.hashes)
        size = self.size
        while size >> level & 1:
            node = node_hash(hashes.pop(), node)
            size -= 1 << level
            level += 1
        return CompactRange(size + (1 << level), (*hashes, node))

    def root(self) -> bytes:
        """Return the RFC 6962 root of the tree."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Return the stored form: the size in 8 bytes, big-endian, then the hashes."""
        return self.size.to_bytes(SIZE_BYTES, "big") + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the compact range of its stored form.

        Raises:
            ValueError: there are not as many hashes as the size asks for.
        """
        size = int.from_bytes(data[:SIZE_BYTES], "big")
        if len(data) != SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise ValueError(f"expected the compact range of a tree of {size} leaves, got {len(data)} bytes")
        starts = range(SIZE_BYTES, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))


class BlockProver:
    """Proofs for the leaves of one block, from its leaf hashes and the compact range before it.

    It is a `HashReader` of the nodes that such proofs need, made once for all of them.
    """

    __slots__ = ("_levels", "after", "before")

    def __init__(self, before: CompactRange, leaf_hashes: Sequence[bytes]) -> None:
        """Hash the block's part of the tree."""
        self._levels = _levels(before, leaf_hashes)
        self.before: Final = before
        self.after: Final = _compact_range(before.size + len(leaf_hashes), self._levels)

    def node(self, level: int, index: int) -> bytes:
        """Return a node that covers leaves of the block, or is the root of a subtree before it."""
        start, nodes = self._levels[level]
        assert start <= index, "proofs of a block's leaves need no other nodes before the block"
        return nodes[index - start]

    def completed(self, level: int) -> list[bytes]:
        """Return the nodes of one level that the block completes, from left to right; maybe none."""
        if level >= len(self._levels):
            return []
        start, nodes = self._levels[level]
        return nodes[(self.before.size >> level) - start :]

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the audit path of leaf `index`, which counts from the start of the log, after the block.

        Raises:
            ValueError: the leaf is not in the block.
        """
        self._check_inside(index, index + 1)
        return inclusion_proof(self, index, self.after.size)

    def range_proof(self, first: int, last_exclusive: int) -> tuple[bytes, ...]:
        """Return the proof of the leaves from `first` up to `last_exclusive`, after the block.

        Raises:
            ValueError: there are no such leaves in the block.
        """
        self._check_inside(first, last_exclusive)
        return range_proof(self, first, last_exclusive, self.after.size)

    def _check_inside(self, first: int, last_exclusive: int) -> None:
        if not self.before.size <= first < last_exclusive <= self.after.size:
            block = f"{self.before.size} to {self.after.size}"
            raise ValueError(f"expected leaves of the block, {block}, got {first} to {last_exclusive}")


def inclusion_proof_in_block(before: CompactRange, leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the audit path of one leaf of a block; for many, make one `BlockProver`.

    Raises:
        ValueError: the leaf is not in the block.
    """
    return BlockProver(before, leaf_hashes).path(index)


def root(reader: HashReader, size: int) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _subtree(reader, 0, size) if size else EMPTY_ROOT


def inclusion_proof(reader: HashReader, index: int, size: int) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, from the leaf up (RFC 6962, 2.1.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"expected an index below the size {size}, got {index}")
    siblings: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append(_subtree(reader, middle, end))
            end = middle
        else:
            siblings.append(_subtree(reader, start, middle))
            start = middle
    return tuple(reversed(siblings))


def consistency_proof(reader: HashReader, first: int, second: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of `second` leaves extends the one of `first` (RFC 6962, 2.1.2).

    From size 0, and between equal sizes, it is empty.

    Raises:
        ValueError: the sizes are out of order.
    """
    if not 0 <= first <= second:
        raise ValueError(f"expected a size from 0 to {second}, got {first}")
    if first == 0:
        return ()
    siblings: list[bytes] = []
    start, end = 0, second
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            siblings.append(_subtree(reader, middle, end))
            end = middle
        else:
            siblings.append(_subtree(reader, start, middle))
            start = middle
    if start:
        siblings.append(_subtree(reader, start, end))
    return tuple(reversed(siblings))


def range_proof(reader: HashReader, first: int, last_exclusive: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that leaves from `first` up to `last_exclusive` stand in the tree of `size` leaves.

    The order is that of the leaves: the maximal nodes to the left of the range, from left to right (the
    compact range of the tree of `first` leaves), then the maximal nodes to its right, from left to right.
    A node is maximal when its parent would reach into the range or beyond the tree.

    Raises:
        ValueError: there are no such leaves.
    """
    if not 0 <= first < last_exclusive <= size:
        raise ValueError(f"expected leaves below the size {size}, got {first} to {last_exclusive}")
    nodes = maximal_nodes(0, first) + maximal_nodes(last_exclusive, size)
    return tuple(reader.node(level, index) for level, index in nodes)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at `index` in the tree of `size` leaves with this root.

    Raises:
        InvalidProof: it is not shown to.
    """
    if not 0 <= index < size:
        raise InvalidProof(f"expected an index below the size {size}, got {index}")
    inner = (index ^ (size - 1)).bit_length()
    _check_lengths([leaf_hash])
    _check_hashes(path, inner + (index >> inner).bit_count())
    _check_root(_climb(leaf_hash, index, inner, path), root)


def verify_consistency(
    first_size: int, second_size: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree with the second root has the tree with the first root as its beginning.

    Raises:
        InvalidProof: it is not shown to.
    """
    if not 0 <= first_size <= second_size:
        raise InvalidProof(f"expected a size from 0 to {second_size}, got {first_size}")
    if first_size in {0, second_size}:
        _check_hashes(path, 0)
        _check_root(first_root, second_root if first_size else EMPTY_ROOT)
        if not second_size:
            _check_root(second_root, EMPTY_ROOT)
        return
    # The proof starts at the last maximal subtree of the first tree; where that is all of it, it is known.
    last = first_size - 1
    level = (first_size & -first_size).bit_length() - 1
    is_perfect = first_size == 1 << level
    inner = (last ^ (second_size - 1)).bit_length() - level
    index = last >> level
    _check_hashes(path, inner + (index >> inner).bit_count() + (not is_perfect))
    seed, rest = (first_root, path) if is_perfect else (path[0], path[1:])
    first = seed
    for position, sibling in enumerate(rest):
        if position >= inner or index >> position & 1:
            first = node_hash(sibling, first)
    _check_root(first, first_root)
    _check_root(_climb(seed, index, inner, rest), second_root)


def verify_range(leaf_hashes: Sequence[bytes], first: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaves stand side by side from `first` on in the tree of `size` leaves with this root.

    The order of the proof is described at `range_proof`.

    Raises:
        InvalidProof: they are not shown to.
    """
    last_exclusive = first + len(leaf_hashes)
    if not 0 <= first < last_exclusive <= size:
        raise InvalidProof(f"expected leaves below the size {size}, got {first} to {last_exclusive}")
    _check_lengths(leaf_hashes)
    left = first.bit_count()
    right = maximal_nodes(last_exclusive, size)
    _check_hashes(proof, left + len(right))
    tree = CompactRange(first, tuple(proof[:left])).append_many(leaf_hashes)
    for (level, _), node in zip(right, proof[left:], strict=True):
        tree = tree.append_node(level, node)
    _check_root(tree.root(), root)


def _levels(before: CompactRange, leaf_hashes: Sequence[bytes]) -> list[Level]:
    """Return, for each level from the leaves up, the nodes that the new leaves complete.

    Where the first of them is a right child, its sibling, a maximal subtree of the tree before, stands in
    front; a maximal subtree that has no new node beside it stands alone.
    """
    maximal = list(before.hashes)
    levels: list[Level] = []
    nodes = list(leaf_hashes)
    start = before.size
    while nodes or start:
        if start & 1:
            nodes.insert(0, maximal.pop())
            start -= 1
        levels.append((start, nodes))
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        start >>= 1
    return levels


def _compact_range(size: int, levels: list[Level]) -> CompactRange:
    """Return the tree of these levels: its maximal subtrees are last in the levels with an odd number."""
    return CompactRange(size, tuple(nodes[-1] for _, nodes in reversed(levels) if len(nodes) & 1))


def maximal_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """Return the maximal nodes, as (level, index), over the leaves `start` up to `end`, left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _subtree(reader: HashReader, start: int, end: int) -> bytes:
    """Return the root of the subtree over the leaves `start` up to `end`, as RFC 6962 splits the tree."""
    return _fold([reader.node(level, index) for level, index in maximal_nodes(start, end)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root of subtrees of falling width, side by side; there is at least one."""
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _split(width: int) -> int:
    """Return the largest power of two below `width`, which is two or more: where RFC 6962 divides a tree."""
    return 1 << (width - 1).bit_length() - 1


def _climb(node: bytes, index: int, inner: int, path: Sequence[bytes]) -> bytes:
    """Return the root above a node at `index` of its level.

    The first `inner` siblings stand on the side that the index's bits tell; those above are all on the left.
    """
    for position, sibling in enumerate(path):
        is_left = position >= inner or index >> position & 1
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
    return node


def _check_hashes(proof: Sequence[bytes], count: int) -> None:
    """Refuse a proof of another length, or with a hash of another length."""
    if len(proof) != count:
        raise InvalidProof(f"expected a proof of {count} hashes, got {len(proof)}")
    _check_lengths(proof)


def _check_lengths(hashes: Sequence[bytes]) -> None:
    """Refuse hashes of other lengths: two of them side by side could be cut in more than one place."""
    if any(length != HASH_BYTES for length in map(len, hashes)):
        raise InvalidProof(f"expected hashes of {HASH_BYTES} bytes")


def _check_root(computed: bytes, root: bytes) -> None:
    """Refuse a proof that leads elsewhere."""
    if computed != root:
        raise InvalidProof(f"expected the root {root.hex()}, got {computed.hex()}")
