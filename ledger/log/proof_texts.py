"""The proofs of a block's leaves as text. Leaves side by side have most of their paths in common: each line is written
once for the block.
"""

from ledger.crypto.merkle import BlockProver
from ledger.crypto.note import join_proof, path_line


class ProofTexts:
    """Writes the ``tlog-proof`` (C2SP) of any leaf of one block."""

    def __init__(self, prover: BlockProver, checkpoint: str) -> None:
        """Write proofs that lead to the block's signed checkpoint."""
        self._prover = prover
        self._checkpoint = checkpoint
        self._above: dict[tuple[int, int], str] = {}
        """By level and index of a node: the lines of the path from there to the root."""

    def of_leaf(self, sequence: int) -> str:
        """Return the proof of a leaf: what ``format_proof`` makes of its path.

        Raises:
            ValueError: the leaf is not in the block.
        """
        if not self._prover.before.size <= sequence < self._prover.after.size:
            raise ValueError(f"expected a leaf of the block, got {sequence}")
        return join_proof(sequence, self._lines_above(0, sequence, sequence), self._checkpoint)

    def _lines_above(self, level: int, index: int, leaf: int) -> str:
        """Return the lines above a node that lies above a leaf of the block."""
        lines = self._above.get((level, index))
        if lines is None:
            if ((index | 1) + 1) << level <= self._prover.after.size:
                # Its sibling and its parent are perfect subtrees too, so the parent's other leaves pass here.
                sibling = path_line(self._prover.node(level, index ^ 1))
                lines = sibling + self._lines_above(level + 1, index >> 1, leaf)
            else:
                lines = "".join(map(path_line, self._prover.path(leaf)[level:]))
            self._above[level, index] = lines
        return lines
