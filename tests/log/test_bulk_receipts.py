"""Single receipts out of a bulk's: what a bank hands one customer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.merkle import BlockProver, CompactRange, inclusion_proof, leaf_hash, range_proof, verify_inclusion
from ledger.crypto.note import Checkpoint, TlogProof, format_proof, sign_checkpoint
from ledger.log.bulk_receipts import RangeReader, leaf_receipts, single_proof, verify_leaf
from ledger.log.group import origin_of
from ledger.log.receipts import (
    InvalidReceipt,
    LeafProof,
    bulk_leaves,
)
from ledger.model.journal import BlockLeaf, EntryLeaf, RefusalLeaf
from tests.book import key_of
from tests.log.receipt_cases import MANY, Case, proven
from tests.log.scribe import Scribe


@pytest.mark.parametrize("sort", ["atomic bulk", "independent bulk"])
def test_each_line_of_a_bulk_has_a_proof_of_its_own_that_shows_no_other(
    scribe: Scribe, cases: dict[str, Case], sort: str
) -> None:
    submission, receipt = cases[sort]
    leaves = proven(scribe, receipt, submission)
    assert bulk_leaves(receipt, submission, scribe.rulebook) == list(leaves)
    proofs = leaf_receipts(receipt, submission, scribe.rulebook)
    assert len(proofs) == MANY
    for line, proof in enumerate(proofs):
        leaf, checkpoint = verify_leaf(proof, origin=origin_of(scribe.network), log_key=key_of("log").public)
        assert isinstance(leaf, EntryLeaf | RefusalLeaf)
        assert leaf.line == line
        assert checkpoint.size == scribe.blocks[receipt.height].size
        assert proof.leaf.encode() == leaves[line]
        assert all(other.decode() not in proof.proof for other in leaves)
    assert single_proof(receipt, submission, 3, scribe.rulebook) == proofs[3]


def test_a_receipt_that_spells_its_leaves_out_gives_them_away_one_by_one(
    scribe: Scribe, cases: dict[str, Case]
) -> None:
    submission, receipt = cases["small bulk"]
    assert single_proof(receipt, submission, 2, scribe.rulebook) == receipt.leaves[2]
    for line in (-1, receipt.leaf_count):
        with pytest.raises(ValueError, match=f"expected a line from 0 to {receipt.leaf_count - 1}"):
            single_proof(receipt, submission, line, scribe.rulebook)
    with pytest.raises(ValueError, match="receipt of a bulk"):
        leaf_receipts(receipt, submission, scribe.rulebook)


def test_a_proof_of_one_line_that_was_changed_proves_nothing(scribe: Scribe, cases: dict[str, Case]) -> None:
    submission, receipt = cases["atomic bulk"]
    options: dict[str, Any] = {"origin": origin_of(scribe.network), "log_key": key_of("log").public}
    one, two = leaf_receipts(receipt, submission, scribe.rulebook)[:2]
    for proof in (
        LeafProof(leaf=two.leaf, proof=one.proof),
        LeafProof(leaf=one.leaf, proof=two.proof),
        LeafProof(leaf=one.leaf.replace("KZT", "KZX"), proof=one.proof),
        LeafProof(leaf=one.leaf, proof=one.proof[:-5]),
        LeafProof(leaf="{}", proof=one.proof),
    ):
        with pytest.raises(InvalidReceipt):
            verify_leaf(proof, **options)


def test_a_leaf_that_names_another_place_than_its_own_is_not_believed(scribe: Scribe) -> None:
    """A log that numbers its leaves wrongly, and proves them all the same."""
    leaf = canonical.encode(
        BlockLeaf(v=1, sequence=5, salt="A" * 22, height=0, epoch=1, time_us=1, rulebook=1)  # type: ignore[arg-type]
    )
    prover = BlockProver(CompactRange(), [leaf_hash(leaf)])
    checkpoint = sign_checkpoint(Checkpoint(origin_of(scribe.network), 1, prover.after.root()), key_of("log"))
    proof = LeafProof(leaf=leaf.decode(), proof=format_proof(TlogProof(0, (), checkpoint)))
    with pytest.raises(InvalidReceipt, match="expected the leaf with sequence 0, got 5"):
        verify_leaf(proof, origin=origin_of(scribe.network), log_key=key_of("log").public)


@given(data=st.data())
def test_a_range_proof_holds_every_path_of_its_leaves(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first + 1, size))
    hashes = [leaf_hash(index.to_bytes(8)) for index in range(size)]
    tree = BlockProver(CompactRange(), hashes)
    reader = RangeReader(hashes[first:last], first, size, range_proof(tree, first, last, size))
    for index in range(first, last):
        path = inclusion_proof(reader, index, size)
        assert path == tree.path(index)
        verify_inclusion(hashes[index], index, size, path, tree.after.root())


def test_a_range_proof_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a range proof of 1 hashes, got 0"):
        RangeReader([bytes(32)], 0, 2, ())
