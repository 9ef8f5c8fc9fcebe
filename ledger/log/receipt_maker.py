"""Making receipts: of a block just sealed, and, the same bytes, of one read back from the store."""

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from ledger.crypto.canonical import b64url
from ledger.crypto.merkle import BlockProver, CompactRange, leaf_hash
from ledger.crypto.note import TlogProof, format_proof
from ledger.log.block import LEAF_HASH_BYTES, SALT_BYTES, Block, BlockBody, decode_body
from ledger.log.group import Recorded, Sealed, block_leaf
from ledger.log.outcomes import Authorship, KeptOutcome, decode_outcome, leaf_count, leaves, postings_of
from ledger.log.receipts import BlockProof, BulkProof, LeafProof, Receipt, authored
from ledger.model.transactions import Transaction
from ledger.rules.rulebook import Rulebook
from ledger.units import TimestampUs

LEAVES_INLINE_MAX: Final = 16
"""Most leaves a receipt spells out; above that they are derived from the transaction."""


class ReceiptMaker:
    """Makes receipts of one block."""

    def __init__(
        self, network: str, block: Block, prover: BlockProver, rulebook: Rulebook, closing_salt: bytes
    ) -> None:
        self._network = network
        self._block = block
        self._prover = prover
        self._rulebook = rulebook
        self._closing_salt = closing_salt

    @classmethod
    def of_sealed(cls, network: str, sealed: Sealed) -> "ReceiptMaker":
        """For a block that was just made."""
        return cls(network, sealed.block, sealed.prover, sealed.group.rulebook, sealed.salts[-SALT_BYTES:])

    @classmethod
    def of_block(cls, network: str, block: Block, rulebooks: Mapping[int, Rulebook]) -> "ReceiptMaker":
        """For a block read back from the store, under the rules it was decided by (design D25)."""
        hashes = [
            block.leaf_hashes[at : at + LEAF_HASH_BYTES] for at in range(0, len(block.leaf_hashes), LEAF_HASH_BYTES)
        ]
        prover = BlockProver(CompactRange.from_bytes(block.before), hashes)
        salt = decode_body(block.body).salts[-SALT_BYTES:]
        return cls(network, block, prover, _rulebook_that_decided(block, salt, rulebooks), salt)

    def of_recorded(self, recorded: Recorded, salts: bytes) -> Receipt:
        """Return the receipt of a transaction of the block just made; ``salts`` are those of the whole block."""
        return self._receipt(
            recorded.signed.transaction,
            recorded.author,
            recorded.kept,
            recorded.first_sequence,
            recorded.leaf_count,
            recorded.leaves,
            salts,
        )

    def of_submission(self, index: int) -> Receipt:
        """Return the receipt of a submission of a stored block: the same bytes as the first time."""
        body = decode_body(self._block.body)
        transaction, author, kept, first_sequence = self._locate(body, index)
        postings = postings_of(kept, self._rulebook.kinds[transaction.kind], transaction.body)
        count = leaf_count(kept, postings)
        made = leaves(kept, postings, author, first_sequence, self._salts(body.salts, first_sequence))
        return self._receipt(transaction, author, kept, first_sequence, count, made, body.salts)

    def _locate(self, body: BlockBody, index: int) -> tuple[Transaction[object], Authorship, KeptOutcome, int]:
        """Walk the submissions before it: the sequence number is where their leaves end."""
        sequence = self._block.first_sequence
        for number, (raw, outcome) in enumerate(zip(body.submissions, body.outcomes, strict=True)):
            transaction, author = authored(raw, self._rulebook)
            kept = decode_outcome(outcome)
            if number == index:
                return transaction, author, kept, sequence
            postings = postings_of(kept, self._rulebook.kinds[transaction.kind], transaction.body)
            sequence += leaf_count(kept, postings)
        raise IndexError(f"block {self._block.height} has {len(body.submissions)} submissions, asked for {index}")

    def _salts(self, salts: bytes, first_sequence: int) -> bytes:
        return salts[(first_sequence - self._block.first_sequence) * SALT_BYTES :]

    def _receipt(
        self,
        transaction: Transaction[object],
        author: Authorship,
        kept: KeptOutcome,
        first_sequence: int,
        count: int,
        made: list[bytes],
        salts: bytes,
    ) -> Receipt:
        # Leaves that do not follow from the transaction are spelled out, however many they are.
        is_inline = count <= LEAVES_INLINE_MAX or kept.postings is not None or kept.record is not None
        code = kept.refusal or (kept.refused_lines[0][1] if count == len(kept.refused_lines) == 1 else None)
        return Receipt(
            network=self._network,
            participant=transaction.participant,
            reference=transaction.reference,
            transaction_id=author.transaction,
            kind=transaction.kind,
            outcome="accepted" if code is None else "refused",
            code=code,
            line=kept.line or None,
            height=self._block.height,
            time_us=self._block.time_us,  # type: ignore[arg-type]
            sequence=first_sequence,
            leaf_count=count,
            leaves=self._leaf_proofs(first_sequence, made) if is_inline else (),
            bulk=None if is_inline else self._bulk(kept, first_sequence, count, salts),
            block=self._block_proof,
        )

    @cached_property
    def _block_proof(self) -> BlockProof:
        """One for all receipts of the block."""
        return BlockProof(
            leaf=_closing_leaf(self._block, self._closing_salt, self._rulebook.version).decode(),
            path=tuple(b64url(node) for node in self._prover.path(self._block.size - 1)),
        )

    def _leaf_proofs(self, first_sequence: int, made: list[bytes]) -> tuple[LeafProof, ...]:
        return tuple(
            LeafProof(
                leaf=leaf.decode(),
                proof=format_proof(TlogProof(sequence, self._prover.path(sequence), self._block.checkpoint)),
            )
            for sequence, leaf in enumerate(made, first_sequence)
        )

    def _bulk(self, kept: KeptOutcome, first_sequence: int, count: int, salts: bytes) -> BulkProof:
        return BulkProof(
            salts=b64url(self._salts(salts, first_sequence)[: count * SALT_BYTES]),
            refused_lines={str(line): code for line, code in kept.refused_lines},
            range_proof=tuple(
                b64url(node) for node in self._prover.range_proof(first_sequence, first_sequence + count)
            ),
            checkpoint=self._block.checkpoint,
        )


def _rulebook_that_decided(block: Block, salt: bytes, rulebooks: Mapping[int, Rulebook]) -> Rulebook:
    """Return the rules a stored block was decided by: those its closing leaf names."""
    closing = block.leaf_hashes[-LEAF_HASH_BYTES:]
    for version, rulebook in rulebooks.items():
        if leaf_hash(_closing_leaf(block, salt, version)) == closing:
            return rulebook
    raise AssertionError(f"block {block.height} was replayed under rules of {sorted(rulebooks)}")


def _closing_leaf(block: Block, salt: bytes, rulebook: int) -> bytes:
    return block_leaf(
        sequence=block.size - 1,
        salt=salt,
        height=block.height,
        epoch=block.epoch,
        time_us=TimestampUs(block.time_us),
        rulebook=rulebook,
    )
