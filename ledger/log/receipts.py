"""Receipts: what the ledger answers, and how anyone checks it without trusting the ledger (design section 5, D29).

A receipt of one leaf carries the leaf and a ``tlog-proof`` (C2SP). A receipt of a bulk carries salts, refused lines,
the checkpoint and one range proof; with the transaction at hand, every leaf and every single receipt follows.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ledger.crypto import canonical, digest, jws
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.keys import PublicKey
from ledger.crypto.merkle import BlockProver, CompactRange, InvalidProof, leaf_hash, verify_inclusion, verify_range
from ledger.crypto.note import (
    Checkpoint,
    InvalidNote,
    TlogProof,
    format_proof,
    parse_proof,
    verify_checkpoint,
)
from ledger.log.block import LEAF_HASH_BYTES, SALT_BYTES, Block, BlockBody, decode_body
from ledger.log.group import Recorded, Sealed
from ledger.log.outcomes import Authorship, KeptOutcome, decode_outcome, leaf_count, leaves
from ledger.model.journal import EntryLeaf, Leaf, RecordLeaf, RefusalLeaf
from ledger.model.record import Record
from ledger.model.transactions import Header, Transaction
from ledger.rules.module import Kind
from ledger.rules.rulebook import Rulebook
from ledger.units import DigestField, KindField, ParticipantField, ReferenceField, TimestampField

LEAVES_INLINE_MAX: Final = 16
"""Most leaves a receipt spells out; above that they are derived from the transaction."""

CountField = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class LeafProof(Record, frozen=True, kw_only=True):
    """One leaf and the proof that it is in the log."""

    leaf: str
    """The leaf: canonical JSON, to be hashed as it stands."""
    proof: str
    """A ``tlog-proof`` (C2SP) that leads from the leaf to the signed checkpoint."""


class BulkProof(Record, frozen=True, kw_only=True):
    """Many leaves in a row, proved at once. With the transaction, each leaf follows."""

    salts: str
    """16 bytes for each leaf in order, base64url."""
    refused_lines: dict[str, str] = msgspec.field(default_factory=dict)
    """Code of each refused line of an independent bulk, by line from 0 in decimal."""
    range_proof: tuple[str, ...]
    """Hashes that lead from the leaves to the root, base64url, in the order of ``verify_range``."""
    checkpoint: str
    """The signed checkpoint of the block."""


class Receipt(Record, frozen=True, kw_only=True):
    """The final answer to a transaction."""

    network: str
    participant: ParticipantField
    reference: ReferenceField
    transaction_id: DigestField
    kind: KindField
    outcome: Literal["accepted", "refused"]
    code: str | None = None
    """Refusal code; absent if accepted."""
    line: CountField | None = None
    """First failing line of a refused atomic bulk."""
    height: CountField
    """Block that carries it."""
    time_us: TimestampField
    """Time of the block."""
    sequence: CountField
    """Leaf index of the first leaf."""
    leaf_count: CountField
    leaves: tuple[LeafProof, ...] = ()
    """Each leaf with its proof, where there are few."""
    bulk: BulkProof | None = None
    """One proof of all leaves, where there are many."""


class InvalidReceipt(Exception):
    """The receipt does not prove what it says. The message says which step failed, expected and got."""


class ReceiptMaker:
    """Makes receipts of one block."""

    def __init__(self, network: str, block: Block, prover: BlockProver) -> None:
        self._network = network
        self._block = block
        self._prover = prover

    @classmethod
    def of_sealed(cls, network: str, sealed: Sealed) -> "ReceiptMaker":
        """For a block that was just made."""
        return cls(network, sealed.block, sealed.prover)

    @classmethod
    def of_block(cls, network: str, block: Block) -> "ReceiptMaker":
        """For a block read back from the store."""
        hashes = [
            block.leaf_hashes[at : at + LEAF_HASH_BYTES] for at in range(0, len(block.leaf_hashes), LEAF_HASH_BYTES)
        ]
        return cls(network, block, BlockProver(CompactRange.from_bytes(block.before), hashes))

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

    def of_submission(self, index: int, rulebook: Rulebook) -> Receipt:
        """Return the receipt of a submission of a stored block: the same bytes as the first time."""
        body = decode_body(self._block.body)
        transaction, author, kept, first_sequence = self._locate(body, index, rulebook)
        kind = rulebook.kinds[transaction.kind]
        count = leaf_count(kept, kind, transaction.body)
        made = leaves(kept, kind, transaction.body, author, first_sequence, self._salts(body.salts, first_sequence))
        return self._receipt(transaction, author, kept, first_sequence, count, made, body.salts)

    def _locate(
        self, body: BlockBody, index: int, rulebook: Rulebook
    ) -> tuple[Transaction[object], Authorship, KeptOutcome, int]:
        """Walk the submissions before it: the sequence number is where their leaves end."""
        sequence = self._block.first_sequence
        for number, (raw, outcome) in enumerate(zip(body.submissions, body.outcomes, strict=True)):
            transaction, author = authored(raw, rulebook)
            kept = decode_outcome(outcome)
            if number == index:
                return transaction, author, kept, sequence
            sequence += leaf_count(kept, rulebook.kinds[transaction.kind], transaction.body)
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
        is_inline = count <= LEAVES_INLINE_MAX
        return Receipt(
            network=self._network,
            participant=transaction.participant,
            reference=transaction.reference,
            transaction_id=author.transaction,
            kind=transaction.kind,
            outcome="refused" if kept.refusal else "accepted",
            code=kept.refusal or None,
            line=kept.line if kept.refusal and kept.line else None,
            height=self._block.height,
            time_us=self._block.time_us,  # type: ignore[arg-type]
            sequence=first_sequence,
            leaf_count=count,
            leaves=self._leaf_proofs(first_sequence, made) if is_inline else (),
            bulk=None if is_inline else self._bulk(kept, first_sequence, count, salts),
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
            refused_lines={str(line): code for line, code in kept.refused_lines.items()},
            range_proof=tuple(
                b64url(node) for node in self._prover.range_proof(first_sequence, first_sequence + count)
            ),
            checkpoint=self._block.checkpoint,
        )


def authored(submission: bytes, rulebook: Rulebook) -> tuple[Transaction[object], Authorship]:
    """Read a submission that a block or its own sender holds: its transaction, and what leaves say of it.

    Raises:
        ValueError: it is no submission (``InvalidJws``, ``NotCanonical``), or of a kind the rulebook lacks.
    """
    envelope = jws.parse(submission, typ=jws.TYP_TRANSACTION)
    kind = rulebook.kinds.get(canonical_kind(envelope.payload))
    if kind is None:
        raise ValueError("the submission is of a kind that this rulebook does not have")
    transaction = canonical.decode(envelope.payload, Transaction[kind.body])  # type: ignore[name-defined]
    author = Authorship(
        b64url(digest.transaction_id(envelope.payload)),
        b64url(
            digest.authorisation(
                (signature.kid, signature.protected, signature.signature) for signature in envelope.signatures
            )
        ),
        transaction.kind,
    )
    return transaction, author


def verify_receipt(
    receipt: Receipt, *, origin: str, log_key: PublicKey, submission: bytes | None = None, rulebook: Rulebook
) -> tuple[tuple[bytes, ...], Checkpoint]:
    """Prove a receipt offline, with public keys only.

    Steps: (1) the leaves are spelled out, or follow from the submission; (2) each says what the receipt says;
    (3) the proof leads from the leaves to the root; (4) the checkpoint is signed by the log.

    Args:
        receipt: what the ledger answered.
        origin: the log's origin, from the network id.
        log_key: the log's public key.
        submission: the signed transaction; needed for a bulk, checked against the leaves if given.
        rulebook: tells how leaves follow from a bulk.

    Returns:
        The proven leaves and the checkpoint they are proven under.

    Raises:
        InvalidReceipt: naming the step that failed.
    """
    try:
        author = None if submission is None else authored(submission, rulebook)
        made = _receipt_leaves(receipt, author, rulebook)
        _check_content(receipt, made, None if author is None else author[1])
        return tuple(made), _check_proof(receipt, made, origin, log_key)
    except (InvalidProof, InvalidNote, ValueError) as error:
        raise InvalidReceipt(str(error)) from error


def bulk_leaves(receipt: Receipt, submission: bytes, rulebook: Rulebook) -> list[bytes]:
    """Derive all leaves of a bulk from its submission and its receipt.

    Raises:
        ValueError: the receipt is not of a bulk, or the submission is not the one it answers.
    """
    transaction, author = authored(submission, rulebook)
    return _derive(receipt, transaction, author, rulebook.kinds[transaction.kind])


def _receipt_leaves(
    receipt: Receipt, author: tuple[Transaction[object], Authorship] | None, rulebook: Rulebook
) -> list[bytes]:
    if receipt.bulk is None:
        return [leaf.leaf.encode() for leaf in receipt.leaves]
    if author is None:
        raise ValueError("step 1: the receipt of a bulk is checked together with its submission")
    return _derive(receipt, author[0], author[1], rulebook.kinds[author[0].kind])


def _derive(receipt: Receipt, transaction: Transaction[object], author: Authorship, kind: Kind) -> list[bytes]:
    if receipt.bulk is None or kind.entries is None:
        raise ValueError("step 1: expected the receipt of a bulk")
    kept = KeptOutcome(refused_lines={int(line): code for line, code in receipt.bulk.refused_lines.items()})
    salts = b64url_decode(receipt.bulk.salts, length=SALT_BYTES * receipt.leaf_count)
    return leaves(kept, kind, transaction.body, author, receipt.sequence, salts)


def _check_content(receipt: Receipt, made: list[bytes], author: Authorship | None) -> None:
    """(2) Every leaf names this transaction, and its outcome is the receipt's."""
    if len(made) != receipt.leaf_count or not made:
        raise ValueError(f"step 2: expected {receipt.leaf_count} leaves, got {len(made)}")
    if author is not None and author.transaction != receipt.transaction_id:
        raise ValueError(f"step 2: the receipt is for {receipt.transaction_id}, not {author.transaction}")
    for sequence, data in enumerate(made, receipt.sequence):
        leaf = canonical.decode(data, Leaf)
        if not isinstance(leaf, EntryLeaf | RecordLeaf | RefusalLeaf):
            raise ValueError(f"step 2: leaf {sequence} is of type {type(leaf).__name__}")
        if leaf.sequence != sequence or leaf.transaction != receipt.transaction_id or leaf.kind != receipt.kind:
            raise ValueError(f"step 2: leaf {sequence} is of another transaction or place")
        if author is not None and leaf.authorised_by != author.authorised_by:
            raise ValueError(f"step 2: leaf {sequence} was authorised by other signatures than those submitted")
    first = canonical.decode(made[0], Leaf)
    if receipt.outcome == "refused" and not (isinstance(first, RefusalLeaf) and first.code == receipt.code):
        raise ValueError(f"step 2: the receipt says refused with {receipt.code}, the leaf does not")
    if receipt.outcome == "accepted" and receipt.bulk is None and isinstance(first, RefusalLeaf) and len(made) == 1:
        raise ValueError("step 2: the receipt says accepted, the leaf says refused")


def _check_proof(receipt: Receipt, made: list[bytes], origin: str, log_key: PublicKey) -> Checkpoint:
    """(3) and (4)."""
    hashes = [leaf_hash(leaf) for leaf in made]
    if receipt.bulk is not None:
        checkpoint = verify_checkpoint(receipt.bulk.checkpoint, origin=origin, key=log_key)
        nodes = [b64url_decode(node, length=LEAF_HASH_BYTES) for node in receipt.bulk.range_proof]
        verify_range(hashes, receipt.sequence, checkpoint.size, nodes, checkpoint.root)
        return checkpoint
    found: Checkpoint | None = None
    for sequence, (value, leaf) in enumerate(zip(hashes, receipt.leaves, strict=True), receipt.sequence):
        proof = parse_proof(leaf.proof)
        if proof.index != sequence:
            raise ValueError(f"step 3: expected the proof of leaf {sequence}, got that of leaf {proof.index}")
        found = verify_checkpoint(proof.checkpoint_text, origin=origin, key=log_key)
        verify_inclusion(value, sequence, found.size, proof.path, found.root)
    assert found is not None, "step 2 saw at least one leaf"
    return found


def canonical_kind(payload: bytes) -> str:
    """Return the kind a payload names, without reading its body.

    Raises:
        ValueError: the payload is no transaction.
    """
    try:
        return msgspec.json.decode(payload, type=Header).kind
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the payload is no transaction: {error}") from error
