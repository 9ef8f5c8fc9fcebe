"""The follower: folds new blocks and has their rows written, batch by batch (design section 4, step 8).

It makes every decision and every leaf again, so that it is a standing check of replay against the log. What it
finds wrong stops it: the views then stay where they are, and say so, for every answer names the size it includes.
"""

import json
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from ledger.log.block_store import BlockReader
from ledger.log.group import UnknownRulebook
from ledger.log.replay import Replay, ReplayFault
from ledger.log.snapshot import load_newest, write_snapshot
from ledger.views.applied import REBUILD, Applied, ViewsFault
from ledger.views.facts import BlockFacts, Observer
from ledger.views.writer import ViewsWriter

BLOCKS_PER_BATCH: Final = 256
"""Most blocks in one transaction: under load the follower catches up by larger batches, not by more commits."""

LEAVES_PER_BATCH: Final = 65_536
"""A batch is closed when it has so many leaves: eight full bulks, a hundred megabytes, half a second. What is done for
each account that a batch touches, more than half of the work, is done for the more lines at once."""

SNAPSHOT_EVERY_ENTRIES: Final = 100_000
"""Leaves between two snapshots: a restart replays no more than these, unless the state is large."""

SNAPSHOT_PAUSE: Final = 8
"""A snapshot waits for so many times as long as the last one took, if that is longer: so a ninth of the follower's
time at most goes into snapshots, however large the state is."""

POLL_INTERVAL_S: Final = 1.0
"""How long the follower sleeps without being woken, in seconds; a lost wake-up costs no more than this."""

GATHER_S: Final = 0.2
"""Time from the start of a batch to the next, in seconds, unless the batch takes longer: under load a batch is then
many blocks, and one commit. The first block after a pause is applied at once."""

GATHER_URGENT_S: Final = 0.025
"""The same while somebody waits for a leaf."""

WAKE: Final = b"."
"""Says that there are new blocks."""

WAKE_URGENT: Final = b"!"
"""Says also that somebody waits for them."""

_WAKE_BYTES: Final = 65_536
"""Wake-ups read at a time: the capacity of a pipe."""

_FAULTS: Final = (ReplayFault, ViewsFault, UnknownRulebook)
"""What the same program would meet again if it were started again."""

Progress = Callable[[Applied], None]
"""Told of each batch."""


class Follower:
    """Keeps a views database at the head of a log. Once a method raised, only ``rebuild`` and ``close`` are left."""

    def __init__(
        self,
        reader: BlockReader,
        replay: Replay,
        *,
        database_url: str,
        snapshots: Path,
        snapshot_every: int = SNAPSHOT_EVERY_ENTRIES,
    ) -> None:
        """Follow a log.

        Args:
            reader: its blocks.
            replay: one that has taken in no block yet.
            database_url: the views database; made if it is an SQLite file that does not exist.
            snapshots: the directory snapshots are read from and written to.
            snapshot_every: leaves between two snapshots.
        """
        assert replay.position.height < 0, "a follower starts from a fresh replay"
        self._reader = reader
        self._replay = replay
        self._writer = ViewsWriter(database_url, replay.network)
        self._snapshots = snapshots
        self._snapshot_every = snapshot_every
        self._snapshot_size = 0
        self._snapshot_not_before = 0.0
        self._observer: Observer | None = None
        self._has_failed = False

    def open(self) -> Applied:
        """Find out how far the views are and bring a fresh replay there; makes the tables if there are none.

        Raises:
            ViewsFault: they are views of another log, or of another version of this program.
            ReplayFault: a block does not follow from those before it.
        """
        assert self._observer is None, "a follower is opened once"
        applied = self._writer.open()
        if applied.height > self._reader.head().height:
            raise ViewsFault(f"the views are at block {applied.height}, which the log does not have; {REBUILD}")
        self._bring_replay_to(applied)
        self._observer = Observer(self._replay)
        return applied

    def apply_batch(self) -> Applied | None:
        """Apply the next blocks, as many as make a batch; None if there were none.

        Raises:
            ReplayFault: a block does not follow; those before it were applied.
            UnknownRulebook: a block was decided by rules this program does not have; likewise.
            ViewsFault: views and state disagree, or somebody else writes the views; nothing was applied.
        """
        if self._observer is None:
            self.open()
        assert not self._has_failed, "a follower that failed is ahead of its database"
        self._has_failed = True
        blocks, failure = self._gather()
        applied = self._writer.write(blocks, self._replay.state) if blocks else None
        if failure is not None:
            raise failure
        self._has_failed = False
        if self._is_snapshot_due():
            self._write_snapshot()
        return applied

    def catch_up(self, progress: Progress | None = None) -> None:
        """Apply all blocks there are; raises as ``apply_batch``."""
        while (applied := self.apply_batch()) is not None:
            if progress is not None:
                progress(applied)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Drop all views and make them again from the genesis block.

        Readers see them empty, then growing: behind, and saying so.
        """
        self._writer.recreate()
        old = self._replay
        self._replay = Replay(old.document, old.rulebooks, checks_signatures=old.checks_signatures)
        self._observer = Observer(self._replay)
        self._snapshot_size, self._has_failed = 0, False
        self.catch_up(progress)

    def run(
        self,
        wake: BinaryIO,
        report: BinaryIO,
        *,
        poll_interval_s: float = POLL_INTERVAL_S,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        """Follow until ``wake`` ends.

        Args:
            wake: each byte, or many at once, says that there are new blocks; one that is ``WAKE_URGENT``, that
                somebody waits for them. Its end says stop.
            report: gets one line of JSON at the start and for each batch, ``{"height": ..., "size": ...}``, and
                ``{"fault": ...}`` before a fault is raised.
            poll_interval_s: how long to wait for a wake-up before looking anyway, in seconds.
            on_open: called once, when the state is in memory.

        Raises:
            ReplayFault, ViewsFault, UnknownRulebook: as ``apply_batch``, after reporting it.
        """
        try:
            applied: Applied | None = self.open()
            if on_open is not None:
                on_open()
            alarm = _Alarm(wake)
            while True:
                if applied is not None:
                    _report(report, {"height": applied.height, "size": applied.size})
                if not alarm.wait(0 if applied is not None else poll_interval_s):
                    return
                applied = self.apply_batch()
        except _FAULTS as error:
            _report(report, {"fault": str(error)})
            raise

    def close(self) -> None:
        """Close the connections to the views database."""
        self._writer.close()

    def _bring_replay_to(self, applied: Applied) -> None:
        """Fold the blocks whose rows are already there, from the newest snapshot among them if there is one."""
        if applied.height < 0:
            return
        replay = self._replay
        load_newest(self._snapshots, replay, self._reader, height_max=applied.height)
        self._snapshot_size = replay.position.range.size
        for block in self._reader.blocks(replay.position.height + 1):
            if block.height > applied.height:
                break
            replay.apply(block)
        if replay.position.digest != applied.digest:
            raise ViewsFault(f"the views are of another log, block {applied.height} differs; {REBUILD}")

    def _is_snapshot_due(self) -> bool:
        leaves = self._replay.position.range.size - self._snapshot_size
        return leaves >= self._snapshot_every and time.monotonic() >= self._snapshot_not_before

    def _write_snapshot(self) -> None:
        started = time.monotonic()
        write_snapshot(self._snapshots, self._replay)
        ended = time.monotonic()
        self._snapshot_not_before = ended + SNAPSHOT_PAUSE * (ended - started)
        self._snapshot_size = self._replay.position.range.size

    def _gather(self) -> tuple[list[BlockFacts], Exception | None]:
        """Fold blocks until a batch is full or there are no more; a failure ends it but spoils nothing before it.

        Reading stops with the batch: an open read keeps the node's write-ahead log from being shortened.
        """
        assert self._observer is not None, "opened before"
        gathered: list[BlockFacts] = []
        leaves = 0
        try:
            for block in self._reader.blocks(self._replay.position.height + 1):
                gathered.append(self._observer.apply(block))
                leaves += block.leaf_count
                if len(gathered) >= BLOCKS_PER_BATCH or leaves >= LEAVES_PER_BATCH:
                    break
        except Exception as error:  # Whatever it was, it is raised once what was folded before it is written.
            return gathered, error
        return gathered, None


def _report(report: BinaryIO, message: dict[str, object]) -> None:
    report.write(json.dumps(message).encode() + b"\n")
    report.flush()


class _Alarm:
    """The stream of wake-ups, and when the next batch is due."""

    def __init__(self, wake: BinaryIO) -> None:
        # Past Python's own buffer, in which a byte could lie unseen by ``select``.
        self._descriptor = wake.fileno()
        self._batch_at = 0.0
        """When the last batch began."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up, at most so long, and then until a batch is due; False if there will be no more."""
        woken = self._read(timeout_s)
        if woken is None:
            return False
        while (left_s := self._batch_at + _gather_s(woken) - time.monotonic()) > 0:
            more = self._read(left_s)
            if more is None:
                return False
            woken += more
        self._batch_at = time.monotonic()
        return True

    def _read(self, timeout_s: float) -> bytes | None:
        """All wake-ups there are, none after the timeout; None at the end."""
        readable, _, _ = select.select([self._descriptor], [], [], timeout_s)
        return (os.read(self._descriptor, _WAKE_BYTES) or None) if readable else b""


def _gather_s(woken: bytes) -> float:
    return GATHER_URGENT_S if WAKE_URGENT in woken else GATHER_S
