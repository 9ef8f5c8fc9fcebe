"""Merkle trees: the reference vectors, and every proof of every small tree against the text of RFC 6962."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import merkle
from ledger.crypto.merkle import (
    EMPTY_ROOT,
    BlockProver,
    CompactRange,
    InvalidProof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
    verify_range,
)

SIZE_MAX = 70
LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(SIZE_MAX)]


# --- RFC 6962, section 2.1, word for word ----------------------------------------------------------


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    if start == end:
        return sha256(b"").digest()
    if end - start == 1:
        return LEAVES[start]
    k = largest_power_of_two_below(end - start)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


@cache
def audit_path(m: int, start: int, end: int) -> tuple[bytes, ...]:
    n = end - start
    if n == 1:
        return ()
    k = largest_power_of_two_below(n)
    if m < k:
        return (*audit_path(m, start, start + k), mth(start + k, end))
    return (*audit_path(m - k, start + k, end), mth(start, start + k))


def subproof(m: int, start: int, end: int, *, is_whole: bool) -> tuple[bytes, ...]:
    n = end - start
    if m == n:
        return () if is_whole else (mth(start, end),)
    k = largest_power_of_two_below(n)
    if m <= k:
        return (*subproof(m, start, start + k, is_whole=is_whole), mth(start + k, end))
    return (*subproof(m - k, start + k, end, is_whole=False), mth(start, start + k))


class PerfectNodes:
    """Reads the perfect subtrees of the naive tree, as tiles would."""

    def node(self, level: int, index: int) -> bytes:
        assert (index + 1) << level <= SIZE_MAX
        return mth(index << level, (index + 1) << level)


READER = PerfectNodes()


def tree(size: int) -> CompactRange:
    return CompactRange().append_many(LEAVES[:size])


def flips(proof: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Every proof that differs in one bit of one hash."""
    return [(*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]) for at in range(len(proof))]


def other_lengths(proof: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Proofs that are one hash or one byte too short or too long."""
    changed = [(*proof, bytes(32)), (bytes(32), *proof)]
    if proof:
        changed += [tuple(proof[1:]), tuple(proof[:-1])]
        changed += [(*proof[:-1], proof[-1] + b"\0"), (proof[0][:-1], *proof[1:])]
    return changed


# --- the reference vectors of Certificate Transparency ---------------------------------------------

CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
H01 = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
H03 = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
H23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
H47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
H67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
H45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
H0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
H1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
H4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"


@pytest.mark.parametrize(("size", "root"), list(enumerate(CT_ROOTS)))
def test_the_roots_of_the_reference_tree(size: int, root: str) -> None:
    hashes = [leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    assert CompactRange().append_many(hashes).root().hex() == root


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [(0, 1, []), (0, 8, [H1, H23, H47]), (5, 8, [H4, H67, H03]), (2, 3, [H01]), (1, 5, [H0, H23, H4])],
)
def test_the_audit_paths_of_the_reference_tree(index: int, size: int, path: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    proof = merkle.inclusion_proof_in_block(CompactRange(), hashes, index)
    assert [each.hex() for each in proof] == path
    verify_inclusion(hashes[index], index, size, proof, bytes.fromhex(CT_ROOTS[size]))


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [(1, 1, []), (1, 8, [H1, H23, H47]), (6, 8, [H45, H67, H03]), (2, 5, [H23, H4])],
)
def test_the_consistency_proofs_of_the_reference_tree(first: int, second: int, path: list[str]) -> None:
    prover = BlockProver(CompactRange(), [leaf_hash(leaf) for leaf in CT_LEAVES[:second]])
    proof = merkle.consistency_proof(prover, first, second)
    assert [each.hex() for each in proof] == path
    verify_consistency(first, second, bytes.fromhex(CT_ROOTS[first]), bytes.fromhex(CT_ROOTS[second]), proof)


# --- compact ranges --------------------------------------------------------------------------------


def test_a_tree_grows_to_the_same_root_in_blocks_of_any_size() -> None:
    for before in range(SIZE_MAX + 1):
        for size in range(before, SIZE_MAX + 1):
            grown = tree(before).append_many(LEAVES[before:size])
            assert grown == tree(size)
            assert BlockProver(tree(before), LEAVES[before:size]).after == grown
            assert grown.root() == merkle.root(READER, size) == mth(0, size)


def test_a_subtree_can_be_appended_whole() -> None:
    for size in range(SIZE_MAX):
        for level in range(7):
            width = 1 << level
            if size % width == 0 and size + width <= SIZE_MAX:
                node = READER.node(level, size >> level)
                assert tree(size).append_node(level, node) == tree(size + width)


def test_a_compact_range_is_stored_and_read_back() -> None:
    for size in range(SIZE_MAX + 1):
        data = tree(size).to_bytes()
        assert len(data) == 8 + 32 * size.bit_count()
        assert CompactRange.from_bytes(data) == tree(size)
        for damaged in (data[:-1], data + b"\0", data + bytes(32), b""):
            with pytest.raises(ValueError, match="expected the compact range of a tree of"):
                CompactRange.from_bytes(damaged)


@pytest.mark.parametrize(("size", "count"), [(-1, 1), (0, 1), (1, 0), (3, 1), (4, 2)])
def test_a_compact_range_has_a_hash_for_each_bit_of_its_size(size: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {size} leaves, got {count} hashes"):
        CompactRange(size, (bytes(32),) * count)


# --- inclusion -------------------------------------------------------------------------------------


def test_every_audit_path_is_that_of_the_rfc_and_verifies() -> None:
    for size in range(1, SIZE_MAX + 1):
        for index in range(size):
            path = merkle.inclusion_proof(READER, index, size)
            assert path == audit_path(index, 0, size)
            verify_inclusion(LEAVES[index], index, size, path, mth(0, size))


def test_every_path_can_be_made_from_the_block_alone() -> None:
    for before in range(SIZE_MAX):
        for size in range(before + 1, SIZE_MAX + 1):
            prover = BlockProver(tree(before), LEAVES[before:size])
            for index in range(before, size):
                assert prover.path(index) == audit_path(index, 0, size)


def test_an_audit_path_proves_nothing_else() -> None:
    for size in range(1, 34):
        root = mth(0, size)
        for index in range(size):
            path = audit_path(index, 0, size)
            for other in (*flips(path), *other_lengths(path)):
                with pytest.raises(InvalidProof):
                    verify_inclusion(LEAVES[index], index, size, other, root)
            with pytest.raises(InvalidProof, match="expected the root"):
                verify_inclusion(LEAVES[index], index, size, path, LEAVES[0] if size > 1 else LEAVES[1])
            with pytest.raises(InvalidProof):
                verify_inclusion(LEAVES[index + 1], index, size, path, root)
            for elsewhere in set(range(size)) - {index}:
                with pytest.raises(InvalidProof):
                    verify_inclusion(LEAVES[index], elsewhere, size, path, root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (5, 5), (6, 5), (-1, 5), (0, -1)])
def test_no_leaf_is_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(InvalidProof, match=f"below the size {size}, got {index}"):
        verify_inclusion(LEAVES[0], index, size, (), LEAVES[0])
    with pytest.raises(ValueError, match=f"below the size {size}, got {index}"):
        merkle.inclusion_proof(READER, index, size)


@pytest.mark.parametrize("index", [-1, 0, 9, 20])
def test_a_block_proves_its_own_leaves_only(index: int) -> None:
    prover = BlockProver(tree(10), LEAVES[10:20])
    with pytest.raises(ValueError, match="leaves of the block, 10 to 20"):
        prover.path(index)


@given(st.integers(0, 2**53 - 5000), st.integers(1, 300), st.data())
def test_a_block_far_into_a_large_log_is_proved(before: int, count: int, data: st.DataObject) -> None:
    start = CompactRange(before, tuple(leaf_hash(b"%d" % bit) for bit in range(before.bit_count())))
    leaves = [leaf_hash(b"new %d" % number) for number in range(count)]
    prover = BlockProver(start, leaves)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    size, root = before + count, prover.after.root()
    verify_inclusion(leaves[first], before + first, size, prover.path(before + first), root)
    proof = prover.range_proof(before + first, before + last)
    verify_range(leaves[first:last], before + first, size, proof, root)


# --- consistency -----------------------------------------------------------------------------------


def test_every_consistency_proof_is_that_of_the_rfc_and_verifies() -> None:
    for second in range(1, SIZE_MAX + 1):
        for first in range(1, second + 1):
            proof = merkle.consistency_proof(READER, first, second)
            assert proof == subproof(first, 0, second, is_whole=True)
            verify_consistency(first, second, mth(0, first), mth(0, second), proof)


def test_a_consistency_proof_proves_nothing_else() -> None:
    for second in range(2, 34):
        for first in range(1, second):
            roots = mth(0, first), mth(0, second)
            proof = subproof(first, 0, second, is_whole=True)
            for other in (*flips(proof), *other_lengths(proof)):
                with pytest.raises(InvalidProof):
                    verify_consistency(first, second, *roots, other)
            for wrong in ((roots[0], roots[0]), (roots[1], roots[1]), roots[::-1]):
                with pytest.raises(InvalidProof, match="expected the root"):
                    verify_consistency(first, second, *wrong, proof)


def test_from_nothing_and_between_equals_the_proof_is_empty_and_nothing_else() -> None:
    root = mth(0, 5)
    assert merkle.consistency_proof(READER, 0, 5) == merkle.consistency_proof(READER, 5, 5) == ()
    assert merkle.consistency_proof(READER, 0, 0) == ()
    verify_consistency(0, 5, EMPTY_ROOT, root, ())
    verify_consistency(5, 5, root, root, ())
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    good = [(0, 5, EMPTY_ROOT, root), (5, 5, root, root), (0, 0, EMPTY_ROOT, EMPTY_ROOT)]
    for first, second, first_root, second_root in good:
        with pytest.raises(InvalidProof, match="a proof of 0 hashes, got 1"):
            verify_consistency(first, second, first_root, second_root, [bytes(32)])
    bad = [(0, 5, root, root), (5, 5, EMPTY_ROOT, root), (0, 0, EMPTY_ROOT, root), (0, 0, root, root)]
    for first, second, first_root, second_root in bad:
        with pytest.raises(InvalidProof, match="expected the root"):
            verify_consistency(first, second, first_root, second_root, ())


@pytest.mark.parametrize(("first", "second"), [(-1, 5), (6, 5), (1, 0), (0, -1)])
def test_a_tree_does_not_extend_a_larger_one(first: int, second: int) -> None:
    with pytest.raises(InvalidProof, match=f"a size from 0 to {second}, got {first}"):
        verify_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, ())
    with pytest.raises(ValueError, match=f"a size from 0 to {second}, got {first}"):
        merkle.consistency_proof(READER, first, second)


# --- ranges ----------------------------------------------------------------------------------------


def test_every_range_of_every_small_tree_is_proved_at_once() -> None:
    for size in range(1, 41):
        for first in range(size):
            for last in range(first + 1, size + 1):
                proof = merkle.range_proof(READER, first, last, size)
                verify_range(LEAVES[first:last], first, size, proof, mth(0, size))


def test_a_range_proof_has_the_documented_order() -> None:
    # Leaves 5 and 6 of 13: to the left 0-3 and 4, to the right 7, 8-11 and 12.
    expected = (mth(0, 4), mth(4, 5), mth(7, 8), mth(8, 12), mth(12, 13))
    assert merkle.range_proof(READER, 5, 7, 13) == expected
    assert merkle.range_proof(READER, 0, 13, 13) == ()


def test_a_block_proves_every_range_of_its_leaves() -> None:
    for before in range(0, 40):
        for size in range(before + 1, 41):
            prover = BlockProver(tree(before), LEAVES[before:size])
            for first in range(before, size):
                for last in (first + 1, (first + size + 1) // 2, size):
                    if first < last:
                        proof = prover.range_proof(first, last)
                        assert proof == merkle.range_proof(READER, first, last, size)


def test_a_range_proof_proves_nothing_else() -> None:
    for size in range(1, 20):
        root = mth(0, size)
        for first in range(size):
            for last in range(first + 1, size + 1):
                proof = merkle.range_proof(READER, first, last, size)
                leaves = LEAVES[first:last]
                for other in (*flips(proof), *other_lengths(proof)):
                    with pytest.raises(InvalidProof):
                        verify_range(leaves, first, size, other, root)
                for wrong in (flips(leaves)[0], leaves[1:], [*leaves, LEAVES[-1]]):
                    with pytest.raises(InvalidProof):
                        verify_range(wrong, first, size, proof, root)


@pytest.mark.parametrize(("first", "count", "size"), [(0, 0, 0), (0, 0, 5), (-1, 2, 5), (4, 2, 5), (5, 1, 5)])
def test_a_range_is_not_empty_and_lies_in_the_tree(first: int, count: int, size: int) -> None:
    with pytest.raises(InvalidProof, match=f"below the size {size}"):
        verify_range(LEAVES[:count], first, size, (), LEAVES[0])
    with pytest.raises(ValueError, match=f"below the size {size}"):
        merkle.range_proof(READER, first, first + count, size)


def test_a_block_proves_ranges_of_its_own_leaves_only() -> None:
    prover = BlockProver(tree(10), LEAVES[10:20])
    for first, last in ((9, 12), (15, 21), (15, 15), (16, 15)):
        with pytest.raises(ValueError, match="leaves of the block, 10 to 20"):
            prover.range_proof(first, last)


def test_two_leaf_hashes_cannot_be_cut_in_another_place() -> None:
    both = LEAVES[0] + LEAVES[1]
    with pytest.raises(InvalidProof, match="hashes of 32 bytes"):
        verify_range([both[:31], both[31:]], 0, 2, (), mth(0, 2))
    with pytest.raises(InvalidProof, match="hashes of 32 bytes"):
        verify_inclusion(b"", 0, 1, (), b"")


def test_a_node_before_the_block_is_not_there_to_be_mistaken_for_another() -> None:
    with pytest.raises(AssertionError):
        BlockProver(tree(10), LEAVES[10:20]).node(0, 3)
