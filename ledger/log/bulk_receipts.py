"""Single receipts out of a bulk's (design D29): what a bank hands one customer, without the neighbours' lines.

A range proof and all leaves of the range suffice: every node of the tree that the audit path of one of them needs is
in the proof, or follows from the leaves.
"""

from collections.abc import Sequence

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url_decode
from ledger.crypto.keys import PublicKey
from ledger.crypto.merkle import HASH_BYTES, inclusion_proof, leaf_hash, maximal_nodes, node_hash, verify_inclusion
from ledger.crypto.note import Checkpoint, TlogProof, format_proof, parse_checkpoint, parse_proof, verify_checkpoint
from ledger.log.receipts import InvalidReceipt, LeafProof, Receipt, bulk_leaves
from ledger.model.journal import Leaf
from ledger.rules.rulebook import Rulebook


class RangeReader:
    """The nodes of a tree that follow from a range of its leaves and their range proof (`merkle.HashReader`)."""

    def __init__(self, leaf_hashes: Sequence[bytes], first: int, size: int, proof: Sequence[bytes]) -> None:
        """Take a range that was verified: leaves from ``first`` on in the tree of ``size`` leaves.

        Raises:
            ValueError: the proof has another length than that of such a range.
        """
        places = maximal_nodes(0, first) + maximal_nodes(first + len(leaf_hashes), size)
        if len(places) != len(proof):
            raise ValueError(f"expected a range proof of {len(places)} hashes, got {len(proof)}")
        self._known = dict(zip(places, proof, strict=True))
        self._known.update({(0, first + number): value for number, value in enumerate(leaf_hashes)})

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a subtree that the audit path of a leaf of the range needs."""
        found = self._known.get((level, index))
        if found is None:
            assert level, "the leaves of the range are known, and no path needs other leaves"
            found = node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))
            self._known[level, index] = found
        return found


def leaf_receipts(receipt: Receipt, submission: bytes, rulebook: Rulebook) -> list[LeafProof]:
    """Return each line of a bulk with a proof of its own.

    Args:
        receipt: the bulk's receipt, verified before (``receipts.verify_receipt``).
        submission: the signed bulk.
        rulebook: tells how leaves follow from a bulk.

    Raises:
        ValueError: the receipt is not of a bulk, or does not belong to the submission.
    """
    return [_proof(*prepared, receipt) for prepared in _prepared(receipt, submission, rulebook)]


def single_proof(receipt: Receipt, submission: bytes, line: int, rulebook: Rulebook) -> LeafProof:
    """Return one line of a bulk, counted from 0, with a proof of its own; see :func:`leaf_receipts`.

    Raises:
        ValueError: as there, or the bulk has no such line.
    """
    if not 0 <= line < receipt.leaf_count:
        raise ValueError(f"expected a line from 0 to {receipt.leaf_count - 1}, got {line}")
    if receipt.bulk is None:
        return receipt.leaves[line]
    return _proof(*_prepared(receipt, submission, rulebook)[line], receipt)


def verify_leaf(proof: LeafProof, *, origin: str, log_key: PublicKey) -> tuple[Leaf, Checkpoint]:
    """Prove one leaf offline, with the log's public key only; returns what it says.

    Raises:
        InvalidReceipt: the proof does not lead from the leaf to a checkpoint that the log signed.
    """
    try:
        parsed = parse_proof(proof.proof)
        checkpoint = verify_checkpoint(parsed.checkpoint_text, origin=origin, key=log_key)
        data = proof.leaf.encode()
        verify_inclusion(leaf_hash(data), parsed.index, checkpoint.size, parsed.path, checkpoint.root)
        leaf: Leaf = canonical.decode(data, Leaf)
        if leaf.sequence != parsed.index:
            raise ValueError(f"expected the leaf with sequence {parsed.index}, got {leaf.sequence}")
    except ValueError as error:
        raise InvalidReceipt(str(error)) from error
    return leaf, checkpoint


def _prepared(receipt: Receipt, submission: bytes, rulebook: Rulebook) -> list[tuple[RangeReader, int, int, bytes]]:
    """For each line: the nodes, its sequence number, the size of the tree, and its leaf."""
    made = bulk_leaves(receipt, submission, rulebook)
    assert receipt.bulk is not None, "only a bulk's leaves are derived"
    size = parse_checkpoint(receipt.bulk.checkpoint)[0].size
    nodes = [b64url_decode(node, length=HASH_BYTES) for node in receipt.bulk.range_proof]
    reader = RangeReader([leaf_hash(leaf) for leaf in made], receipt.sequence, size, nodes)
    return [(reader, receipt.sequence + line, size, leaf) for line, leaf in enumerate(made)]


def _proof(reader: RangeReader, sequence: int, size: int, leaf: bytes, receipt: Receipt) -> LeafProof:
    assert receipt.bulk is not None, "only a bulk's leaves are derived"
    path = inclusion_proof(reader, sequence, size)
    return LeafProof(leaf=leaf.decode(), proof=format_proof(TlogProof(sequence, path, receipt.bulk.checkpoint)))
