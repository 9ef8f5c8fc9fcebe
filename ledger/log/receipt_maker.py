"""Making receipts: of a block just sealed, and, the same bytes, of one read back from the store."""

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Final

import msgspec

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.merkle import BlockProver, CompactRange, leaf_hash
from ledger.log.answers import Answered
from ledger.log.block import LEAF_HASH_BYTES, SALT_BYTES, Block, BlockBody, decode_body
from ledger.log.group import Recorded, Sealed, block_leaf
from ledger.log.outcomes import Authorship, KeptOutcome, Postings, decode_outcome, leaf_count, leaves, postings_of
from ledger.log.proof_texts import ProofTexts
from ledger.log.receipts import BlockProof, BulkProof, LeafProof, Receipt, authored, canonical_kind
from ledger.model.journal import Pairs
from ledger.model.outcome import Refused
from ledger.model.transactions import Transaction
from ledger.rules.rulebook import Rulebook
from ledger.units import TimestampUs

LEAVES_INLINE_MAX: Final = 16
"""Most leaves a receipt spells out; above that they are derived from the transaction."""


class _Envelope(msgspec.Struct):
    """Of a stored submission what tells how many leaves it has; its signatures were checked long ago."""

    payload: str


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


class ReceiptMaker:
    """Makes receipts of one block."""

    def __init__(
        self, network: str, block: Block, prover: BlockProver, rulebook: Rulebook, closing_salt: bytes
    ) -> None:
        self._network = network
        self._block = block
        self._prover = prover
        self._proofs = ProofTexts(prover, block.checkpoint)
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

    def answer_of(self, recorded: Recorded, salts: bytes) -> Receipt | Answered:
        """Return the receipt of a transaction of the block just made, with the detail of a refusal if there is one."""
        receipt, outcome = self.of_recorded(recorded, salts), recorded.outcome
        return Answered(receipt, outcome.detail) if isinstance(outcome, Refused) and outcome.detail else receipt

    def of_submission(self, index: int) -> Receipt:
        """Return the receipt of a submission of a stored block: the same bytes as the first time."""
        body = self._body
        if not 0 <= index < len(body.submissions):
            raise IndexError(f"block {self._block.height} has {len(body.submissions)} submissions, asked for {index}")
        transaction, author = authored(body.submissions[index], self._rulebook)
        kept, first_sequence = decode_outcome(body.outcomes[index]), self._first_sequences[index]
        postings = postings_of(kept, self._rulebook.kinds[transaction.kind], transaction.body)
        count = leaf_count(kept, postings)
        made = leaves(kept, postings, author, first_sequence, self._salts(body.salts, first_sequence))
        return self._receipt(transaction, author, kept, first_sequence, count, made, body.salts)

    @cached_property
    def _body(self) -> BlockBody:
        """What the stored block holds."""
        return decode_body(self._block.body)

    @cached_property
    def _first_sequences(self) -> list[int]:
        """Where the leaves of each submission start: behind those of the submissions before it."""
        counts = (
            leaf_count(kept, _postings(kept, raw, self._rulebook))
            for raw, kept in zip(self._body.submissions, map(decode_outcome, self._body.outcomes), strict=True)
        )
        return list(accumulate(counts, initial=self._block.first_sequence))

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
                proof=self._proofs.of_leaf(sequence),
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


def _postings(kept: KeptOutcome, raw: bytes, rulebook: Rulebook) -> Postings | Pairs:
    """Return the postings of a kept outcome; a submission is read only as far as its body, and only if it must be."""
    if kept.refusal:
        return ()
    if kept.postings is not None:
        return kept.postings
    payload = b64url_decode(_ENVELOPE.decode(raw).payload)
    kind = rulebook.kinds[canonical_kind(payload)]
    transaction = canonical.decode(payload, Transaction[kind.body])  # type: ignore[name-defined]
    return postings_of(kept, kind, transaction.body)


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
