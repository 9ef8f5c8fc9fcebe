"""Blocks written by hand, in memory, with the log key: as an honest operator would, or one who is not."""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ledger.crypto import digest
from ledger.crypto.keys import PrivateKey
from ledger.genesis import read_genesis
from ledger.log.block import SALT_BYTES, Block
from ledger.log.block_store import Head
from ledger.log.export import write_export
from ledger.log.group import GENESIS_LEAVES, Group, Recorded, Sealed, after, decide_group, genesis_block, seal
from ledger.log.outcomes import KeptOutcome, leaf_count, postings_of
from ledger.log.receipt_maker import ReceiptMaker
from ledger.log.receipts import Receipt
from ledger.log.replay import Replay
from ledger.model.outcome import Duplicate, Inadmissible, Outcome
from ledger.model.transactions import SignedTransaction
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ledger_of
from ledger.units import Kid, TimestampUs
from tests.book import CORE_RULEBOOK, Book
from tests.log.node import log_keyring

Forgery = Callable[[Group], None]
"""Changes a decided group before it is sealed."""


class Scribe(Book):
    """A book whose every submission becomes a block of its own, sealed and kept in a list. Salts are a counter's."""

    def __init__(
        self,
        rulebook: Rulebook = CORE_RULEBOOK,
        *,
        rulebooks: Mapping[int, Rulebook] | None = None,
        document: bytes | None = None,
        keyring: Mapping[Kid, PrivateKey] | None = None,
    ) -> None:
        super().__init__(rulebook, document=document)
        self.keyring = keyring or log_keyring("log", "log-2")
        self.epoch = 1
        self.blocks: list[Block] = []
        self._salts = itertools.count(1)
        self.replay = Replay(self.document, rulebooks or {rulebook.version: rulebook})
        genesis = read_genesis(self.document)
        self.replay.apply(
            self._keep(
                genesis_block(
                    document_digest=digest.network_digest(self.document),
                    time_us=genesis.time_us,
                    rulebook=genesis.rulebook,
                    epoch=self.epoch,
                    salts=self.salts(GENESIS_LEAVES),
                    origin=self.replay.origin,
                    log_key=self.log_key,
                )
            )
        )
        self.state = self.replay.state

    @property
    def log_key(self) -> PrivateKey:
        """The key that signs the next checkpoint."""
        return self.keyring[ledger_of(self.replay.state).log_key]

    @property
    def rules(self) -> Rulebook:
        """The rules in force."""
        return self.replay.rulebooks[ledger_of(self.replay.state).rulebook]

    def salts(self, count: int) -> bytes:
        """Sixteen bytes for each leaf, no two alike."""
        return b"".join(next(self._salts).to_bytes(SALT_BYTES) for _ in range(count))

    def decide(self, raw: bytes) -> Outcome:
        """Make a block of one submission; one that leaves no trace makes none."""
        self.time_us += 1_000_000
        signed = self.open(raw)
        group = decide_group(self.rules, self.state, self.replay.position, [signed], TimestampUs(self.time_us))
        (end,) = group.ends
        if not isinstance(end, Recorded):
            return end
        self.seal(group)
        return end.outcome

    def write(self, *raws: bytes) -> Sealed:
        """Make one block of many submissions, all of which leave a trace."""
        self.time_us += 1_000_000
        signed = [self.open(raw) for raw in raws]
        group = decide_group(self.rules, self.state, self.replay.position, signed, TimestampUs(self.time_us))
        assert len(group.recorded) == len(raws)
        return self.seal(group)

    def forge(self, submissions: Sequence[SignedTransaction], forgery: Forgery, *, time_us: int | None = None) -> Block:
        """Make a block as a dishonest operator would: decided, changed, and sealed all the same."""
        self.time_us += 1_000_000
        group = decide_group(
            self.rules, self.state, self.replay.position, submissions, TimestampUs(time_us or self.time_us)
        )
        forgery(group)
        return self.seal(group).block

    def seal(self, group: Group) -> Sealed:
        """Seal a group, keep its block, and take in what it changed."""
        sealed = seal(
            group,
            self.replay.position,
            epoch=self.epoch,
            salts=self.salts(group.leaf_count),
            origin=self.replay.origin,
            log_key=self.log_key,
        )
        self._keep(sealed.block)
        self.state.advance(group.overlay, group.time_us)
        position = after(sealed.block, sealed.prover.after)
        self.replay.resume(self.state, position, self.epoch, sealed.block.checkpoint)
        self.height = position.height
        return sealed

    def receipts(self, sealed: Sealed) -> list[Receipt]:
        """The receipts of a block just sealed."""
        maker = ReceiptMaker.of_sealed(self.network, sealed)
        return [maker.of_recorded(recorded, sealed.salts) for recorded in sealed.group.recorded]

    def receipt(self, kind: str, body: Any, *, by: str, **members: Any) -> tuple[bytes, Receipt]:
        """Submit in a block of its own; the submission and its receipt."""
        raw = self.signed(kind, body, by=by, **members)
        return raw, self.receipts(self.write(raw))[0]

    def export(self) -> bytes:
        """The export of all blocks."""
        return export_of(self.document, self.blocks)

    def _keep(self, block: Block) -> Block:
        self.blocks.append(block)
        return block


class MemoryReader:
    """Blocks in a list, as a store gives them."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks

    def head(self) -> Head:
        """Return the head row as it stands now."""
        newest = self._blocks[-1]
        return Head(
            epoch=newest.epoch,
            height=newest.height,
            digest=newest.digest(),
            size=newest.size,
            checkpoint=newest.checkpoint,
        )

    def read(self, height: int) -> Block | None:
        """Return the block at a height, or None."""
        return self._blocks[height] if 0 <= height < len(self._blocks) else None

    def read_by_sequence(self, sequence: int) -> Block | None:
        """Return the block that holds a leaf, or None."""
        return next((block for block in self._blocks if block.first_sequence <= sequence < block.size), None)

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        """Yield the blocks from a height on."""
        return iter(self._blocks[first_height:])

    def close(self) -> None:
        """Nothing to give back."""


def export_of(document: bytes, blocks: Sequence[Block]) -> bytes:
    """The export of these blocks."""
    out = io.BytesIO()
    write_export(MemoryReader(blocks), document, out)
    return out.getvalue()


def decided_otherwise(kept: KeptOutcome, number: int = 0) -> Forgery:
    """A forgery that puts another outcome in the place of the decided one, with leaves that fit it."""

    def forgery(group: Group) -> None:
        shift = 0
        for index, recorded in enumerate(group.recorded):
            recorded.first_sequence += shift
            if index == number:
                recorded.postings = postings_of(kept, recorded.kind, recorded.signed.body)
                count = leaf_count(kept, recorded.postings)
                shift += count - recorded.leaf_count
                recorded.kept, recorded.leaf_count = kept, count

    return forgery


def left_no_trace(outcome: Outcome) -> bool:
    """Whether an outcome is one that no block carries."""
    return isinstance(outcome, Inadmissible | Duplicate)
