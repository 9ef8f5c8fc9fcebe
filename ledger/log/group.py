"""A group: transactions decided together, sealed into one block. Pure; the shell brings time, salts and disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ledger.crypto.canonical import b64url
from ledger.crypto.keys import PrivateKey
from ledger.crypto.merkle import BlockProver, CompactRange, hash_leaves, leaf_hash
from ledger.crypto.note import Checkpoint, sign_checkpoint
from ledger.log.block import SALT_BYTES, Block, BlockBody, encode_body
from ledger.log.outcomes import (
    Authorship,
    KeptOutcome,
    Postings,
    authorship,
    encode_leaf,
    encode_outcome,
    keep,
    leaf_count,
    leaves,
    postings_decided,
)
from ledger.model.journal import LEAF_VERSION, BlockLeaf, GenesisLeaf, Pairs
from ledger.model.outcome import Accepted, Duplicate, Inadmissible, Refused
from ledger.model.transactions import SignedTransaction
from ledger.rules.invariants import InvariantBroken, check_block
from ledger.rules.module import Kind
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ledger_of
from ledger.state import Overlay, State
from ledger.units import TimestampUs


class UnknownRulebook(Exception):
    """The ledger asks for a version of the rules that this program does not have; it must not go on."""


class Undecidable(Exception):
    """The rules failed on one transaction of a group: a fault of the program. Nothing was changed.

    ``index`` is its place among the transactions given; the cause is what went wrong.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"the rules failed on transaction {index} of a group")
        self.index = index


@dataclass(frozen=True, slots=True)
class Position:
    """Where a log stands: what the next block builds on."""

    height: int
    time_us: TimestampUs
    range: CompactRange
    """The Merkle tree so far; its size is the next leaf's sequence number."""
    digest: bytes
    """``Block.digest`` of the newest block."""


class Recorded(msgspec.Struct):
    """A transaction of the group that leaves a trace: accepted or refused."""

    signed: SignedTransaction
    kind: Kind
    outcome: Accepted | Refused
    kept: KeptOutcome
    author: Authorship
    postings: Postings | Pairs
    """Of each entry, refused lines included."""
    first_sequence: int
    leaf_count: int
    leaves: list[bytes] = []
    """Filled when the block is sealed."""


@dataclass(frozen=True, slots=True)
class Group:
    """A decided group, not yet sealed."""

    rulebook: Rulebook
    overlay: Overlay
    time_us: TimestampUs
    height: int
    first_sequence: int
    recorded: tuple[Recorded, ...]
    ends: tuple[Inadmissible | Duplicate | Recorded, ...]
    """One for each transaction that was decided, in the order given; fewer than given if one ended the block."""

    @property
    def leaf_count(self) -> int:
        """Number of leaves, that of the block included."""
        return sum(recorded.leaf_count for recorded in self.recorded) + 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block ready to be made durable, with its proofs."""

    block: Block
    group: Group
    prover: BlockProver
    salts: bytes
    """16 bytes for each leaf."""


def rulebook_of(state: State, rulebooks: Mapping[int, Rulebook]) -> Rulebook:
    """Return the rules in force.

    Raises:
        UnknownRulebook: this program does not have them.
    """
    version = ledger_of(state).rulebook
    if version not in rulebooks:
        raise UnknownRulebook(f"the ledger is under rulebook {version}, this program knows {sorted(rulebooks)}")
    return rulebooks[version]


def decide_group(
    rulebook: Rulebook,
    state: State,
    position: Position,
    submissions: Sequence[SignedTransaction],
    time_us: TimestampUs,
) -> Group:
    """Decide transactions in order, each seeing the former, until one ends the block or all are decided.

    The state is read only; what changes is in the group's overlay.

    Raises:
        Undecidable: the rules failed on one of them.
        InvariantBroken: what always holds does not; nothing may go on.
    """
    overlay = Overlay(state)
    height = position.height + 1
    sequence = position.range.size
    recorded: list[Recorded] = []
    ends: list[Inadmissible | Duplicate | Recorded] = []
    for signed in submissions:
        try:
            outcome = rulebook.decide(overlay, signed, time_us, height=height, index=len(recorded))
        except InvariantBroken:
            raise
        except Exception as error:
            raise Undecidable(len(ends)) from error
        if isinstance(outcome, (Inadmissible, Duplicate)):
            ends.append(outcome)
            continue
        kind = rulebook.kinds[signed.transaction.kind]
        kept = keep(outcome, kind)
        postings = postings_decided(outcome)
        count = leaf_count(kept, postings)
        end = Recorded(signed, kind, outcome, kept, authorship(signed), postings, sequence, count)
        recorded.append(end)
        ends.append(end)
        sequence += count
        if kind.ends_block and isinstance(outcome, Accepted):
            break
    check_block(state, overlay)
    return Group(rulebook, overlay, time_us, height, position.range.size, tuple(recorded), tuple(ends))


def make_leaves(group: Group, salts: bytes, epoch: int) -> list[bytes]:
    """Return all leaves of a group in order, the block's own last, and note each transaction's.

    Args:
        group: the decided group.
        salts: 16 random bytes for each leaf (design D23).
        epoch: the reign under which the block is written.

    Raises:
        Undecidable: the leaves of one transaction cannot be made.
    """
    assert len(salts) == SALT_BYTES * group.leaf_count, "each leaf has a salt"
    made: list[bytes] = []
    for recorded in group.recorded:
        start = (recorded.first_sequence - group.first_sequence) * SALT_BYTES
        own = salts[start : start + recorded.leaf_count * SALT_BYTES]
        try:
            recorded.leaves = leaves(recorded.kept, recorded.postings, recorded.author, recorded.first_sequence, own)
        except Exception as error:
            raise Undecidable(next(place for place, end in enumerate(group.ends) if end is recorded)) from error
        made += recorded.leaves
    made.append(
        block_leaf(
            sequence=group.first_sequence + len(made),
            salt=salts[-SALT_BYTES:],
            height=group.height,
            epoch=epoch,
            time_us=group.time_us,
            rulebook=group.rulebook.version,
        )
    )
    return made


def block_leaf(*, sequence: int, salt: bytes, height: int, epoch: int, time_us: TimestampUs, rulebook: int) -> bytes:
    """Return the leaf that closes a block."""
    return encode_leaf(
        BlockLeaf(
            v=LEAF_VERSION,
            sequence=sequence,
            salt=b64url(salt),
            height=height,
            epoch=epoch,
            time_us=time_us,
            rulebook=rulebook,
        )
    )


def seal(group: Group, position: Position, *, epoch: int, salts: bytes, origin: str, log_key: PrivateKey) -> Sealed:
    """Make leaves, extend the tree, sign the checkpoint (design section 4, step 6)."""
    hashes = hash_leaves(make_leaves(group, salts, epoch))
    prover = BlockProver(position.range, hashes)
    block = Block(
        height=group.height,
        epoch=epoch,
        time_us=group.time_us,
        first_sequence=group.first_sequence,
        before=position.range.to_bytes(),
        body=encode_body(
            BlockBody(
                submissions=[recorded.signed.submission for recorded in group.recorded],
                outcomes=[encode_outcome(recorded.kept) for recorded in group.recorded],
                salts=salts,
            )
        ),
        leaf_hashes=b"".join(hashes),
        checkpoint=sign_checkpoint(Checkpoint(origin, prover.after.size, prover.after.root()), log_key),
    )
    return Sealed(block, group, prover, salts)


GENESIS_LEAVES: Final = 2
"""The genesis block has the genesis leaf and its own."""


def genesis_block(
    *,
    document_digest: bytes,
    time_us: TimestampUs,
    rulebook: int,
    epoch: int,
    salts: bytes,
    origin: str,
    log_key: PrivateKey,
) -> Block:
    """Return block 0: the genesis leaf and the block's own (design D23)."""
    made = genesis_leaves(document_digest=document_digest, time_us=time_us, rulebook=rulebook, epoch=epoch, salts=salts)
    prover = BlockProver(CompactRange(), [leaf_hash(leaf) for leaf in made])
    return Block(
        height=0,
        epoch=epoch,
        time_us=time_us,
        first_sequence=0,
        before=CompactRange().to_bytes(),
        body=encode_body(BlockBody(submissions=[], outcomes=[], salts=salts)),
        leaf_hashes=b"".join(leaf_hash(leaf) for leaf in made),
        checkpoint=sign_checkpoint(Checkpoint(origin, prover.after.size, prover.after.root()), log_key),
    )


def genesis_leaves(
    *, document_digest: bytes, time_us: TimestampUs, rulebook: int, epoch: int, salts: bytes
) -> list[bytes]:
    """Return the two leaves of block 0."""
    first = GenesisLeaf(v=LEAF_VERSION, sequence=0, salt=b64url(salts[:SALT_BYTES]), document=b64url(document_digest))
    return [
        encode_leaf(first),
        block_leaf(sequence=1, salt=salts[SALT_BYTES:], height=0, epoch=epoch, time_us=time_us, rulebook=rulebook),
    ]


def origin_of(network: str) -> str:
    """Return the log's origin, which is its key's name too (C2SP tlog-checkpoint; design D8)."""
    return f"digital-tenge/{network}"


def after(block: Block, prover_range: CompactRange) -> Position:
    """Return where the log stands after a block."""
    return Position(block.height, TimestampUs(block.time_us), prover_range, block.digest())
