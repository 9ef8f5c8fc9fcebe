"""Replay: fold blocks into a state, making every decision, leaf and checkpoint again (design D22).

One fold serves the restart of a node, the follower that feeds the projections, and offline verification. It raises
at the first thing that does not hold, with its place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

import msgspec

from ledger.crypto import canonical, digest
from ledger.crypto.keys import PublicKey
from ledger.crypto.merkle import BlockProver, CompactRange, hash_leaves
from ledger.crypto.note import InvalidNote, parse_checkpoint, verify_checkpoint
from ledger.genesis import first_state, network_id, read_genesis
from ledger.log.block import LEAF_HASH_BYTES, SALT_BYTES, Block, BlockBody, decode_body
from ledger.log.group import (
    GENESIS_LEAVES,
    Group,
    Position,
    Recorded,
    Undecidable,
    UnknownRulebook,
    after,
    decide_group,
    genesis_leaves,
    make_leaves,
    origin_of,
    rulebook_of,
)
from ledger.log.opener import Found, Opened
from ledger.log.outcomes import encode_outcome
from ledger.model.transactions import SignedTransaction
from ledger.rules.invariants import InvariantBroken
from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import KEYS, ledger_of
from ledger.state import State
from ledger.units import Kid, TimestampUs


@dataclass(frozen=True, slots=True)
class OpenedBefore:
    """What openers found of the submissions of a block."""

    rulebook: int
    """Version of the rules they were opened by."""
    found: Sequence[Found]
    """Of each submission, in order; whatever is not `Opened`, or is missing at the end, is still to be opened."""


NOTHING_OPENED: Final = OpenedBefore(0, ())


class ReplayFault(Exception):
    """A block does not follow from those before it. Says where and why, expected and got."""

    def __init__(self, height: int, cause: str, *, submission: int | None = None, sequence: int | None = None) -> None:
        place = f"block {height}"
        if submission is not None:
            place += f", submission {submission}"
        if sequence is not None:
            place += f", leaf {sequence}"
        super().__init__(f"{place}: {cause}")
        self.height = height
        self.submission = submission
        self.sequence = sequence
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Replayed:
    """A block that was made again and held."""

    block: Block
    recorded: tuple[Recorded, ...]
    """Its transactions with their leaves."""
    leaves: tuple[bytes, ...]
    """All its leaves, the block's own last."""
    prover: BlockProver
    """Its part of the tree."""


class Replay:
    """A state and a position that blocks are folded into."""

    def __init__(
        self,
        document: bytes,
        rulebooks: Mapping[int, Rulebook],
        *,
        checks_signatures: bool = True,
    ) -> None:
        """Start before the genesis block.

        Args:
            document: the genesis document.
            rulebooks: the versions of the rules this program has.
            checks_signatures: whether the participants' signatures are verified again. A node that restarts on
                its own blocks may leave that out: its checkpoint vouches for them, and every other check is made.

        Raises:
            InvalidGenesis: the document does not hold.
            UnknownRulebook: it asks for rules this program does not have.
        """
        genesis = read_genesis(document)
        if genesis.rulebook not in rulebooks:
            raise UnknownRulebook(f"genesis asks for rulebook {genesis.rulebook}, known are {sorted(rulebooks)}")
        self.document = document
        self.network = network_id(document)
        self.origin = origin_of(self.network)
        self.rulebooks = rulebooks
        self.checks_signatures = checks_signatures
        self.state: State = first_state(document, rulebooks[genesis.rulebook])
        self.position = Position(-1, TimestampUs(0), CompactRange(), bytes(32))
        self.epoch = 0
        self.checkpoint = ""
        """The signed checkpoint of the newest block applied; empty before the first."""
        self.checkpoint_key = ledger_of(self.state).log_key
        """The log key that signed it."""

    def resume(self, state: State, position: Position, epoch: int, checkpoint: str) -> None:
        """Go on from a state that another fold made of the same blocks: a snapshot, or the node's own."""
        self.state, self.position, self.epoch, self.checkpoint = state, position, epoch, checkpoint

    def apply(self, block: Block, *, before: OpenedBefore = NOTHING_OPENED) -> Replayed:
        """Make a block again from its submissions and take it in if it is the same.

        Args:
            block: the one that follows.
            before: its submissions as far as they were opened already, with keys this state has.

        Raises:
            ReplayFault: at the first thing that does not hold.
        """
        self._check_frame(block)
        body = self._body(block)
        log_key = ledger_of(self.state).log_key
        replayed = self._genesis(block, body) if block.height == 0 else self._group(block, body, before)
        self.position = after(block, replayed.prover.after)
        self.epoch = block.epoch
        self.checkpoint = block.checkpoint
        self.checkpoint_key = log_key
        return replayed

    def public_key(self, kid: Kid) -> str | None:
        """Return the admitted public key of a kid."""
        key = self.state.get(KEYS, kid)
        return None if key is None else key.x

    def _check_frame(self, block: Block) -> None:
        """(1) Height, time, epoch and sequence follow from the block before."""
        height = self.position.height + 1
        if block.height != height:
            raise ReplayFault(height, f"expected block {height}, got block {block.height}")
        if block.first_sequence != self.position.range.size:
            raise ReplayFault(height, f"expected first leaf {self.position.range.size}, got {block.first_sequence}")
        if block.before != self.position.range.to_bytes():
            raise ReplayFault(height, "the compact range before the block is not that of the blocks before")
        if block.time_us <= self.position.time_us:
            raise ReplayFault(height, f"expected a time above {self.position.time_us}, got {block.time_us}")
        if block.epoch < self.epoch:
            raise ReplayFault(height, f"expected an epoch of at least {self.epoch}, got {block.epoch}")

    def _body(self, block: Block) -> BlockBody:
        try:
            body = decode_body(block.body)
        except msgspec.MsgspecError as error:
            raise ReplayFault(block.height, f"the body cannot be read: {error}") from error
        if len(block.leaf_hashes) % LEAF_HASH_BYTES or len(body.salts) != SALT_BYTES * block.leaf_count:
            raise ReplayFault(block.height, f"expected a salt for each of {block.leaf_count} leaves")
        if len(body.submissions) != len(body.outcomes):
            raise ReplayFault(block.height, f"expected {len(body.submissions)} outcomes, got {len(body.outcomes)}")
        return body

    def _genesis(self, block: Block, body: BlockBody) -> Replayed:
        genesis = read_genesis(self.document)
        if body.submissions or block.leaf_count != GENESIS_LEAVES:
            raise ReplayFault(0, f"expected the genesis leaf and the block's own, got {block.leaf_count} leaves")
        if block.time_us != genesis.time_us:
            raise ReplayFault(0, f"expected the time of genesis, {genesis.time_us}, got {block.time_us}")
        made = genesis_leaves(
            document_digest=digest.network_digest(self.document),
            time_us=genesis.time_us,
            rulebook=genesis.rulebook,
            epoch=block.epoch,
            salts=body.salts,
        )
        prover = self._check_leaves(block, made, ledger_of(self.state).log_key)
        return Replayed(block, (), tuple(made), prover)

    def _group(self, block: Block, body: BlockBody, before: OpenedBefore) -> Replayed:
        rulebook = rulebook_of(self.state, self.rulebooks)
        submissions = list(self._submissions(block, body, rulebook, before))
        try:
            group = decide_group(rulebook, self.state, self.position, submissions, TimestampUs(block.time_us))
            self._check_outcomes(block, body, group)
            if block.leaf_count != group.leaf_count:
                raise ReplayFault(block.height, f"expected {group.leaf_count} leaves, got {block.leaf_count}")
            made = make_leaves(group, body.salts, block.epoch)
        except (InvariantBroken, Undecidable, AssertionError) as error:
            # What the rules take for impossible can stand in a block that somebody else wrote.
            raise ReplayFault(block.height, f"the rules do not hold: {error.__cause__ or error}") from error
        prover = self._check_leaves(block, made, ledger_of(self.state).log_key)
        self.state.advance(group.overlay, TimestampUs(block.time_us))
        return Replayed(block, group.recorded, tuple(made), prover)

    def _submissions(
        self, block: Block, body: BlockBody, rulebook: Rulebook, before: OpenedBefore
    ) -> Iterator[SignedTransaction]:
        """(2) Each submission opens: signatures, canonical form, schema."""
        found = before.found if before.rulebook == rulebook.version else ()
        for number, (raw, each) in enumerate(zip(body.submissions, chain(found, repeat(None)), strict=False)):
            if isinstance(each, Opened):
                signed = each.signed(rulebook, raw)
            else:
                signed = self._open(block, number, raw, rulebook)
            if signed.submission != raw:
                raise ReplayFault(block.height, "the submission is not in canonical form", submission=number)
            yield signed

    def _open(self, block: Block, number: int, raw: bytes, rulebook: Rulebook) -> SignedTransaction:
        try:
            return open_transaction(
                raw,
                rulebook=rulebook,
                network=self.network,
                key_of=self.public_key,
                checks_signatures=self.checks_signatures,
            )
        except NotAdmissible as error:
            raise ReplayFault(block.height, str(error), submission=number) from error

    def _check_outcomes(self, block: Block, body: BlockBody, group: Group) -> None:
        """(3) Each decision is made again with the same outcome."""
        for number, end in enumerate(group.ends):
            if not isinstance(end, Recorded):
                raise ReplayFault(block.height, f"expected a decision, got {end}", submission=number)
            if encode_outcome(end.kept) != body.outcomes[number]:
                raise ReplayFault(
                    block.height, f"the outcome kept is not the one decided, {end.kept}", submission=number
                )
        if len(group.ends) != len(body.submissions):
            raise ReplayFault(block.height, f"submission {len(group.ends) - 1} ends its block, but more follow")

    def _check_leaves(self, block: Block, made: list[bytes], log_key: Kid) -> BlockProver:
        """(4) Each leaf hashes as kept; (5) the tree and its checkpoint follow."""
        hashes = hash_leaves(made)
        if b"".join(hashes) != block.leaf_hashes:
            wrong = next(
                index
                for index, value in enumerate(hashes)
                if value != block.leaf_hashes[index * LEAF_HASH_BYTES : (index + 1) * LEAF_HASH_BYTES]
            )
            raise ReplayFault(block.height, "the leaf is not the one decided", sequence=block.first_sequence + wrong)
        prover = BlockProver(self.position.range, hashes)
        x = self.public_key(log_key)
        assert x is not None, "the log key is admitted"
        try:
            checkpoint = verify_checkpoint(block.checkpoint, origin=self.origin, key=PublicKey.trusted(x))
            _, signatures = parse_checkpoint(block.checkpoint)
        except InvalidNote as error:
            raise ReplayFault(block.height, f"the checkpoint does not hold: {error}") from error
        if len(signatures) > 1:
            # Others may sign a checkpoint they are shown; the one in the block is the log's alone.
            raise ReplayFault(block.height, f"expected one signature of the checkpoint, got {len(signatures)}")
        if (checkpoint.size, checkpoint.root) != (prover.after.size, prover.after.root()):
            raise ReplayFault(
                block.height,
                f"the checkpoint says size {checkpoint.size}, root {canonical.b64url(checkpoint.root)}; "
                f"expected {prover.after.size}, {canonical.b64url(prover.after.root())}",
            )
        return prover
