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
from ledger.crypto.merkle import InvalidProof, leaf_hash, verify_inclusion, verify_range
from ledger.crypto.note import (
    Checkpoint,
    InvalidNote,
    parse_proof,
    verify_checkpoint,
)
from ledger.log.block import LEAF_HASH_BYTES, SALT_BYTES
from ledger.log.group import origin_of
from ledger.log.outcomes import Authorship, KeptOutcome, leaves, postings_of
from ledger.model.journal import BlockLeaf, EntryLeaf, Leaf, RecordLeaf, RefusalLeaf
from ledger.model.record import Record
from ledger.model.transactions import Header, Transaction
from ledger.rules.module import Kind
from ledger.rules.rulebook import Rulebook
from ledger.units import DigestField, KindField, ParticipantField, ReferenceField, TimestampField

CountField = Annotated[int, Meta(ge=0, le=2**53 - 1)]

# Clients verify receipts in several threads.
canonical.prepare(Leaf)
_HEADER_DECODER: Final = msgspec.json.Decoder(Header)


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


class BlockProof(Record, frozen=True, kw_only=True):
    """The leaf that closes the block, last in the tree of its checkpoint: it proves height and time."""

    leaf: str
    """The leaf: canonical JSON, to be hashed as it stands."""
    path: tuple[str, ...]
    """Its audit path, base64url, from its sibling up."""


class Receipt(Record, frozen=True, kw_only=True):
    """The final answer to a transaction."""

    network: str
    participant: ParticipantField
    reference: ReferenceField
    transaction_id: DigestField
    kind: KindField
    outcome: Literal["accepted", "refused"]
    """``refused`` where the only leaf is a refusal: of the whole transaction, or of the one line of a bulk."""
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
    block: BlockProof
    """Proves ``height`` and ``time_us``."""


class InvalidReceipt(Exception):
    """The receipt does not prove what it says. The message says which step failed, expected and got."""


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
    (3) the proof leads from the leaves to the root; (4) the checkpoint is signed by the log; (5) the leaf that closes
    the block says its height and time.

    Args:
        receipt: what the ledger answered.
        origin: the log's origin, from the network id.
        log_key: the log's public key.
        submission: the signed transaction; needed for a bulk. If given, postings that follow from it are checked
            against the leaves, and the receipt's participant and reference against it; no leaf holds those two.
        rulebook: tells how leaves follow from a bulk.

    Returns:
        The proven leaves and the checkpoint they are proven under.

    Raises:
        InvalidReceipt: naming the step that failed.
    """
    try:
        asked = None if submission is None else authored(submission, rulebook)
        if origin_of(receipt.network) != origin:
            raise ValueError(f"step 2: expected a receipt of the log {origin}, got one of network {receipt.network}")
        if asked is not None:
            _check_asked(receipt, *asked)
        made = _receipt_leaves(receipt, asked, rulebook)
        if len(made) != receipt.leaf_count or not made:
            raise ValueError(f"step 2: expected {receipt.leaf_count} leaves, got {len(made)}")
        if receipt.bulk is None:
            _check_leaves(receipt, made, asked, rulebook)
        elif receipt.outcome != "accepted" or receipt.code is not None or receipt.line is not None:
            raise ValueError("step 2: the receipt says refused, but has many leaves")
        checkpoint = _check_proof(receipt, made, origin, log_key)
        _check_block(receipt, checkpoint)
        return tuple(made), checkpoint
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
    if receipt.leaves:
        raise ValueError("step 1: expected leaves or the proof of a bulk, got both")
    if author is None:
        raise ValueError("step 1: the receipt of a bulk is checked together with its submission")
    return _derive(receipt, author[0], author[1], rulebook.kinds[author[0].kind])


def _derive(receipt: Receipt, transaction: Transaction[object], author: Authorship, kind: Kind) -> list[bytes]:
    if receipt.bulk is None or kind.entries is None:
        raise ValueError("step 1: expected the receipt of a bulk")
    refused = tuple((_line(line, receipt.leaf_count), code) for line, code in receipt.bulk.refused_lines.items())
    salts = b64url_decode(receipt.bulk.salts, length=SALT_BYTES * receipt.leaf_count)
    kept = KeptOutcome(refused_lines=refused)
    return leaves(kept, postings_of(kept, kind, transaction.body), author, receipt.sequence, salts)


def _line(text: str, count: int) -> int:
    """Read the number of a refused line in its one spelling."""
    if not text.isascii() or not text.isdecimal() or str(int(text)) != text or int(text) >= count:
        raise ValueError(f"step 1: expected refused lines from 0 to {count - 1}, got {text!r}")
    return int(text)


def _check_asked(receipt: Receipt, transaction: Transaction[object], author: Authorship) -> None:
    """(2) The receipt answers this very transaction."""
    expected = (transaction.participant, transaction.reference, transaction.kind, author.transaction)
    got = (receipt.participant, receipt.reference, receipt.kind, receipt.transaction_id)
    if got != expected:
        raise ValueError(f"step 2: expected a receipt for {', '.join(expected)}, got one for {', '.join(got)}")


def _check_leaves(
    receipt: Receipt, made: list[bytes], asked: tuple[Transaction[object], Authorship] | None, rulebook: Rulebook
) -> None:
    """(2) Every leaf that is spelled out names this transaction, and its outcome is the receipt's."""
    decoded = [_decoded(data, receipt.sequence + number, receipt) for number, data in enumerate(made)]
    first = decoded[0]
    refusal = first if len(decoded) == 1 and isinstance(first, RefusalLeaf) else None
    expected = ("accepted", None, None) if refusal is None else ("refused", refusal.code, refusal.line or None)
    if (receipt.outcome, receipt.code, receipt.line) != expected:
        raise ValueError(f"step 2: the leaf says {expected}, the receipt does not")
    if refusal is None:
        _check_lines(decoded)
    if asked is None:
        return
    transaction, author = asked
    if any(leaf.authorised_by != author.authorised_by for leaf in decoded):
        raise ValueError("step 2: a leaf was authorised by other signatures than those submitted")
    entries = rulebook.kinds[transaction.kind].entries
    if entries is not None and receipt.outcome == "accepted":
        wanted = [entry.postings for entry in entries(transaction.body)]
        posted = [leaf for leaf in decoded if not isinstance(leaf, RecordLeaf)]
        if len(posted) != len(wanted) or any(
            isinstance(leaf, EntryLeaf) and leaf.postings != wanted[leaf.line] for leaf in posted
        ):
            raise ValueError("step 2: the leaves do not post what was signed")


def _decoded(data: bytes, sequence: int, receipt: Receipt) -> EntryLeaf | RecordLeaf | RefusalLeaf:
    leaf = canonical.decode(data, Leaf)
    if not isinstance(leaf, EntryLeaf | RecordLeaf | RefusalLeaf):
        raise ValueError(f"step 2: leaf {sequence} is of type {type(leaf).__name__}")
    if leaf.sequence != sequence or leaf.transaction != receipt.transaction_id or leaf.kind != receipt.kind:
        raise ValueError(f"step 2: leaf {sequence} is of another transaction or place")
    return leaf


def _check_lines(decoded: list[EntryLeaf | RecordLeaf | RefusalLeaf]) -> None:
    """Lines count from 0, and a record comes last: no leaf was left out at the front."""
    for number, leaf in enumerate(decoded):
        place = len(decoded) - 1 if isinstance(leaf, RecordLeaf) else leaf.line
        if place != number:
            raise ValueError(f"step 2: expected line {number} in leaf {leaf.sequence}, got another")


def _check_proof(receipt: Receipt, made: list[bytes], origin: str, log_key: PublicKey) -> Checkpoint:
    """(3) and (4)."""
    hashes = [leaf_hash(leaf) for leaf in made]
    if receipt.bulk is not None:
        checkpoint = verify_checkpoint(receipt.bulk.checkpoint, origin=origin, key=log_key)
        nodes = [b64url_decode(node, length=LEAF_HASH_BYTES) for node in receipt.bulk.range_proof]
        verify_range(hashes, receipt.sequence, checkpoint.size, nodes, checkpoint.root)
        return checkpoint
    proofs = [parse_proof(leaf.proof) for leaf in receipt.leaves]
    checkpoint = verify_checkpoint(proofs[0].checkpoint_text, origin=origin, key=log_key)
    for sequence, (value, proof) in enumerate(zip(hashes, proofs, strict=True), receipt.sequence):
        if proof.index != sequence or proof.extra is not None:
            raise ValueError(f"step 3: expected the proof of leaf {sequence} and nothing else")
        if proof.checkpoint_text != proofs[0].checkpoint_text:
            raise ValueError(f"step 3: the proof of leaf {sequence} leads to another checkpoint than the first")
        verify_inclusion(value, sequence, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint


def _check_block(receipt: Receipt, checkpoint: Checkpoint) -> None:
    """(5) The last leaf of the tree closes the block at the receipt's height and time."""
    data = receipt.block.leaf.encode()
    leaf = canonical.decode(data, Leaf)
    expected = (checkpoint.size - 1, receipt.height, receipt.time_us)
    if not isinstance(leaf, BlockLeaf) or (leaf.sequence, leaf.height, leaf.time_us) != expected:
        raise ValueError(f"step 5: expected the leaf of a block with sequence, height and time {expected}")
    path = [b64url_decode(node, length=LEAF_HASH_BYTES) for node in receipt.block.path]
    verify_inclusion(leaf_hash(data), checkpoint.size - 1, checkpoint.size, path, checkpoint.root)


def canonical_kind(payload: bytes) -> str:
    """Return the kind a payload names, without reading its body.

    Raises:
        ValueError: the payload is no transaction.
    """
    try:
        return _HEADER_DECODER.decode(payload).kind
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the payload is no transaction: {error}") from error
