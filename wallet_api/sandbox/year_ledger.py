"""A ledger in this process for the simulated year: real signatures, real rules, real blocks; no door and no disk."""

import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.crypto import digest
from ledger.crypto.keys import PrivateKey
from ledger.genesis import read_genesis
from ledger.log.block import SALT_BYTES, Block
from ledger.log.group import (
    GENESIS_LEAVES,
    Recorded,
    after,
    decide_group,
    genesis_block,
    make_leaves,
    rulebook_of,
    seal,
)
from ledger.log.replay import Replay
from ledger.model.outcome import Refused
from ledger.rules.opening import open_transaction
from ledger.state import State
from ledger.units import Reference, TimestampUs
from settlement.rules import RULEBOOKS
from wallet_api.client.signing import prepare, sign
from wallet_api.sandbox.network import Member, Network
from wallet_api.sandbox.pilot_stage import UnexpectedEnd, local_time_us

GROUP_MAX: Final = 256
"""Most transactions of one block of the year."""

BLOCK_STEP_US: Final = 1_000_000
"""Between two blocks of one moment, in microseconds."""

Then = Callable[[str], None]
"""Told how a transaction ended: empty if accepted, else the code of the refusal."""


@dataclass(slots=True)
class Speeds:
    """Seconds by work, and how much was done."""

    signing_s: float = 0.0
    """Making and signing, which is the participants' work."""
    deciding_s: float = 0.0
    """Signature checks, rules and leaves, tree and checkpoint: the ledger's work."""
    transactions: int = 0
    leaves: int = 0
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    raw: bytes
    kind: str
    then: Then | None


@dataclass(slots=True)
class YearLedger:
    """The ledger of the year, and everyone's keys."""

    network: Network
    seed: int
    keeps_blocks: bool = False
    """Whether blocks are kept, for who wants to read them back."""
    speeds: Speeds = field(default_factory=Speeds)
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and code."""
    blocks: list[Block] = field(default_factory=list)
    watched: list[bytes] | None = None
    """Leaves since somebody began to look; None: nobody does."""
    _replay: Replay = field(init=False)
    _chance: random.Random = field(init=False)
    _waiting: list[_Waiting] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _time_us: TimestampUs = field(init=False)

    def __post_init__(self) -> None:
        """Write the genesis block."""
        self._chance = random.Random(f"salts {self.seed}")  # noqa: S311 - a simulation that can be repeated
        self._replay = Replay(self.network.document, RULEBOOKS)
        genesis = read_genesis(self.network.document)
        first = genesis_block(
            document_digest=digest.network_digest(self.network.document),
            time_us=genesis.time_us,
            rulebook=genesis.rulebook,
            epoch=1,
            salts=self._chance.randbytes(SALT_BYTES * GENESIS_LEAVES),
            origin=self._replay.origin,
            log_key=self.network.log_key,
        )
        self._replay.apply(first)
        if self.keeps_blocks:
            self.blocks.append(first)
        self._time_us = TimestampUs(genesis.time_us + BLOCK_STEP_US)

    @property
    def state(self) -> State:
        """What the rules know; transactions that wait are not in it."""
        return self._replay.state

    @property
    def now_us(self) -> TimestampUs:
        """Time of the next block."""
        return self._time_us

    def member(self, name: str) -> Member:
        """Return an institution with its keys."""
        return self.network.members[name]

    def move_to(self, date: str, hour: int, minute: int = 0) -> None:
        """Decide what waits, and go on to a later local time."""
        self.flush()
        self._time_us = max(local_time_us(date, hour, minute), TimestampUs(self._time_us + BLOCK_STEP_US))

    def send(
        self,
        kind: str,
        body: object,
        by: str,
        *,
        signers: int | None = None,
        cosigners: Sequence[PrivateKey] = (),
        then: Then | None = None,
    ) -> None:
        """Put a transaction in the queue, signed by the sender's quorum, or so many of its people.

        Args:
            kind: of the transaction.
            body: its body.
            by: the sender.
            signers: how many people of the sender sign; its quorum, if not given.
            cosigners: keys of others.
            then: told how it ended; without it, it must be accepted.
        """
        started = time.perf_counter()
        payload = prepare(kind, body, network=self.network.id, participant=by, reference=self._reference())
        raw = sign(payload, (*self.member(by).signers(signers), *cosigners))
        self.speeds.signing_s += time.perf_counter() - started
        self._waiting.append(_Waiting(raw, kind, then))
        if len(self._waiting) >= GROUP_MAX:
            self.flush()

    def flush(self) -> None:
        """Decide what waits, block by block.

        Raises:
            UnexpectedEnd: something was not accepted that had to be.
        """
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            started = time.perf_counter()
            ends = self._decide([each.raw for each in waiting])
            self.speeds.deciding_s += time.perf_counter() - started
            # What came after a transaction that ends its block goes into the next one.
            self._waiting = [*waiting[len(ends) :], *self._waiting]
            for each, end in zip(waiting, ends, strict=False):
                self._tell(each, end)

    def _decide(self, raws: Iterable[bytes]) -> list[object]:
        replay = self._replay
        rulebook = rulebook_of(replay.state, RULEBOOKS)
        signed = [
            open_transaction(raw, rulebook=rulebook, network=self.network.id, key_of=replay.public_key) for raw in raws
        ]
        group = decide_group(rulebook, replay.state, replay.position, signed, self._time_us)
        if group.recorded:
            salts = self._chance.randbytes(SALT_BYTES * group.leaf_count)
            sealed = seal(
                group,
                replay.position,
                epoch=replay.epoch,
                salts=salts,
                origin=replay.origin,
                log_key=self.network.log_key,
            )
            replay.state.advance(group.overlay, group.time_us)
            position = after(sealed.block, sealed.prover.after)
            replay.resume(replay.state, position, replay.epoch, sealed.block.checkpoint)
            if self.watched is not None:
                self.watched += make_leaves(group, salts, replay.epoch)
            if self.keeps_blocks:
                self.blocks.append(sealed.block)
            self.speeds.leaves += group.leaf_count
            self.speeds.blocks += 1
        self.speeds.transactions += len(group.recorded)
        self._time_us = TimestampUs(self._time_us + BLOCK_STEP_US)
        return list(group.ends)

    def _tell(self, waiting: _Waiting, end: object) -> None:
        outcome = end.outcome if isinstance(end, Recorded) else end
        code = ""
        if isinstance(outcome, Refused):
            code = outcome.code.code
            self.refused[waiting.kind, code] += 1
        elif isinstance(end, Recorded):
            self.accepted[waiting.kind] += 1
        else:
            raise UnexpectedEnd(f"{waiting.kind}: expected a decision, got {outcome}")
        if waiting.then is not None:
            waiting.then(code)
        elif code:
            raise UnexpectedEnd(f"{waiting.kind}: expected acceptance, got {outcome}")

    def _reference(self) -> Reference:
        """A UUIDv7 that follows from time and its number; nobody has to guess it in a simulation."""
        milliseconds = self._time_us // 1_000
        return Reference(str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | next(self._numbers))))
