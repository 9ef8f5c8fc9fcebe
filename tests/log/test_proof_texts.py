"""Proofs written together are the proofs written one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.merkle import BlockProver, CompactRange, leaf_hash
from ledger.crypto.note import TlogProof, format_proof
from ledger.log.proof_texts import ProofTexts

CHECKPOINT = "origin\n1\nroot\n\n— origin signature\n"
"""Copied as it stands."""


def prover_of(before: int, size: int) -> BlockProver:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    return BlockProver(CompactRange().append_many(leaves[:before]), leaves[before:])


@given(st.integers(0, 70), st.integers(1, 70), st.data())
def test_a_proof_is_the_same_whichever_were_written_before(before: int, count: int, data: st.DataObject) -> None:
    prover = prover_of(before, before + count)
    texts = ProofTexts(prover, CHECKPOINT)
    for sequence in data.draw(st.permutations(range(before, before + count))):
        assert texts.of_leaf(sequence) == format_proof(TlogProof(sequence, prover.path(sequence), CHECKPOINT))


@pytest.mark.parametrize("sequence", [9, 20])
def test_a_leaf_outside_the_block_has_no_proof_here(sequence: int) -> None:
    with pytest.raises(ValueError, match="a leaf of the block"):
        ProofTexts(prover_of(10, 20), CHECKPOINT).of_leaf(sequence)
