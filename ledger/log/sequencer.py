"""The sequencer: puts verified transactions in order, decides a group, makes it durable as one block (design D19, D20).

Three stages, each in its own threads, with bounded queues between them:

* *opening*: structure, signatures, canonical form, schema; in a small pool, since signature mathematics releases the
  interpreter's lock;
* *sequencing*: one thread takes what waits, stamps one time on it, decides it in order, seals it into a block, appends
  the block, and only then advances the state;
* *answering*: everyone in the group hears at once, on the event loop that asked.

A commit that failed may have happened (D20): nothing more is decided until a new epoch has shut the doubtful append
out and the head was read again. If the block is not there, the very same block is appended again, so that no second
checkpoint of its size is ever signed.
"""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.clock import Clock, ClockJumped
from ledger.crypto.keys import PrivateKey
from ledger.log.block import SALT_BYTES, Block
from ledger.log.block_store import AppendUncertain, BlockStore, Deposed, StoreBroken
from ledger.log.group import Position, Recorded, Sealed, after, decide_group, rulebook_of, seal
from ledger.log.queue import FairQueue, QueueFull
from ledger.log.receipts import Receipt, ReceiptMaker
from ledger.log.replay import Replay
from ledger.model.outcome import Duplicate, Inadmissible
from ledger.model.transactions import SignedTransaction
from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.tables import ledger_of
from ledger.state import State
from ledger.units import BULK_LINES_MAX, Kid, ParticipantId, Reference, TimestampUs

GROUP_LINES_MAX: Final = BULK_LINES_MAX
"""Most lines decided as one block; a single bulk may fill it."""

RECEIVED_ITEMS_MAX: Final = 8_192
"""Most submissions waiting to be opened."""

RECEIVED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Most bytes waiting to be opened."""

OPENING_THREADS: Final = 2
"""Threads that open submissions: signature checks run beside the interpreter, so two keep two cores busy."""

OPENING_BATCH: Final = 32
"""Most submissions one opening thread takes at once."""

RESOLVE_ATTEMPTS: Final = 6
"""How often a doubtful append is looked into before its senders are told that the outcome is unknown."""

RESOLVE_WAIT_S: Final = 0.25
"""Pause between two looks, in seconds; doubled each time."""

CLOCK_BEHIND_MAX_US: Final = 1_000_000
"""Largest step of the clock behind the last block that is bridged by counting on; beyond it acceptance stops."""

RETRY_AFTER_S: Final = 1
"""What a sender is told to wait when a queue is full, in seconds."""

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """The ledger cannot say yes or no now; send the same bytes again later.

    ``code`` is a problem code, ``retry_after_s`` a hint in seconds, None if this node will not come back.
    """

    def __init__(self, code: str, detail: str, *, retry_after_s: int | None = RETRY_AFTER_S) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s


Answer = Receipt | Duplicate | Exception


@dataclass(slots=True, eq=False)
class _Job:
    """One submission on its way through the stages."""

    raw: bytes
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Answer]"
    signed: SignedTransaction | None = field(default=None)


Older = Callable[[ParticipantId, Reference], tuple[bytes, int, int] | None]
"""Finds the first outcome of a reference older than the window: first 16 bytes of the transaction id, height, index."""


class Sequencer:
    """The one writer of a ledger."""

    def __init__(
        self,
        *,
        store: BlockStore,
        replay: Replay,
        epoch: int,
        keyring: Mapping[Kid, PrivateKey],
        clock: Clock,
        randomness: Callable[[int], bytes] = os.urandom,
        on_block: Callable[[Block], None] | None = None,
        older: Older | None = None,
        queue: FairQueue["_Job"] | None = None,
    ) -> None:
        """Take over a replay that has caught up with an open store.

        Args:
            store: open, under ``epoch``.
            replay: its state and position belong to the sequencer from now on.
            epoch: the reign that opening the store began.
            keyring: private log keys by kid; the one in force must be among them.
            clock: where the time of blocks comes from.
            randomness: a cryptographic generator, for salts.
            on_block: called with each durable block, on the sequencing thread; it must not block.
            older: looks a reference up that is too old for the window; None where there are no projections.
            queue: the queue of verified transactions, with other limits than the usual ones.
        """
        self._store = store
        self._replay = replay
        self._epoch = epoch
        self._keyring = keyring
        self._clock = clock
        self._randomness = randomness
        self.on_block = on_block
        self.older = older
        self._position = replay.position
        self._checkpoint = store.head().checkpoint
        self._doubtful: Sealed | None = None
        self._received: deque[_Job] = deque()
        self._received_bytes = 0
        self._received_changed = threading.Condition()
        self._queue: FairQueue[_Job] = queue or FairQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failure: Unavailable | None = None
        """Why nothing is accepted any more; None while all is well."""

    @property
    def state(self) -> State:
        """The state as of the last durable block. To be read, never written."""
        return self._replay.state

    @property
    def position(self) -> Position:
        """Where the log stands."""
        return self._position

    @property
    def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return self._checkpoint

    @property
    def network(self) -> str:
        """The network id."""
        return self._replay.network

    @property
    def waiting_lines(self) -> int:
        """Lines of verified transactions that wait."""
        return self._queue.lines

    def start(self) -> None:
        """Start the threads."""
        assert not self._threads, "a sequencer is started once"
        names = [(f"opening-{number}", self._open_all) for number in range(OPENING_THREADS)]
        for name, run in (*names, ("sequencing", self._sequence_all)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Finish the group in hand, answer everything that waits with ``node_stopping``, end the threads."""
        self._stopping.set()
        with self._received_changed:
            self._received_changed.notify_all()
        self._queue.close()
        for thread in self._threads:
            thread.join()

    async def submit(self, raw: bytes) -> Receipt:
        """Have one submission decided, and wait until its outcome is durable.

        Args:
            raw: a JWS in JSON general serialization, as received.

        Raises:
            NotAdmissible: it cannot be decided as it is; nothing was recorded.
            Unavailable: no answer now; the same bytes may be sent again.
        """
        loop = asyncio.get_running_loop()
        job = _Job(raw, loop, loop.create_future())
        self._receive(job)
        answer = await job.future
        if isinstance(answer, NotAdmissible) and answer.code == "reference_expired" and self.older is not None:
            answer = await asyncio.to_thread(self._look_up_older, job, answer)
        if isinstance(answer, Duplicate):
            return await asyncio.to_thread(self.first_answer, answer.height, answer.index)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def first_answer(self, height: int, index: int) -> Receipt:
        """Return the receipt of a submission of a durable block: the same as its sender got the first time."""
        block = self._store.read(height)
        assert block is not None, "a first outcome stands in a durable block"
        return ReceiptMaker.of_block(self.network, block).of_submission(
            index, rulebook_of(self.state, self._replay.rulebooks)
        )

    def _receive(self, job: _Job) -> None:
        """Add to the submissions that wait to be opened, or say why not."""
        with self._received_changed:
            if self.failure is not None:
                raise self.failure
            if self._stopping.is_set():
                raise _stopping()
            if len(self._received) >= RECEIVED_ITEMS_MAX or self._received_bytes + len(job.raw) > RECEIVED_BYTES_MAX:
                raise Unavailable("queue_full", f"{len(self._received)} submissions are waiting to be opened")
            self._received.append(job)
            self._received_bytes += len(job.raw)
            self._received_changed.notify()

    # --- opening -----------------------------------------------------------------------------------------------

    def _open_all(self) -> None:
        while batch := self._take_received():
            answers: list[tuple[_Job, Answer]] = []
            for job in batch:
                answer = self._stop_answer() or self._open(job)
                if answer is not None:
                    answers.append((job, answer))
            _answer(answers)

    def _take_received(self) -> list[_Job]:
        with self._received_changed:
            self._received_changed.wait_for(lambda: bool(self._received) or self._stopping.is_set())
            batch = [self._received.popleft() for _ in range(min(OPENING_BATCH, len(self._received)))]
            self._received_bytes -= sum(len(job.raw) for job in batch)
            return batch

    def _open(self, job: _Job) -> Answer | None:
        """Open one submission and queue it; the answer if it goes no further."""
        try:
            rulebook = rulebook_of(self.state, self._replay.rulebooks)
            signed = open_transaction(job.raw, rulebook=rulebook, network=self.network, key_of=self._replay.public_key)
            job.signed = signed
            kind = rulebook.kinds[signed.transaction.kind]
            self._queue.put(
                signed.transaction.participant, job, weight=kind.weight(signed.body), is_urgent=kind.is_urgent
            )
        except NotAdmissible as error:
            return error
        except QueueFull as error:
            return Unavailable("queue_full", str(error))
        except Exception as error:
            logger.exception("opening a submission failed")
            return Unavailable("node_broken", f"opening failed: {type(error).__name__}")
        return None

    # --- sequencing --------------------------------------------------------------------------------------------

    def _sequence_all(self) -> None:
        while jobs := self._queue.take(GROUP_LINES_MAX):
            while jobs:
                jobs = self._sequence(jobs)

    def _sequence(self, jobs: list[_Job]) -> list[_Job]:
        """Decide, seal, append and answer one group; returns the jobs that were left for the next block."""
        try:
            stop = self._stop_answer() or self._settle_doubt()
            if stop is not None:
                _answer([(job, stop) for job in jobs])
                return []
            done, answers = self._one_block(jobs)
        except Exception as error:
            logger.exception("the sequencer failed")
            self.failure = Unavailable("node_broken", f"the sequencer failed: {error}", retry_after_s=None)
            _answer([(job, self.failure) for job in jobs])
            return []
        _answer(answers)
        return jobs[done:]

    def _one_block(self, jobs: Sequence[_Job]) -> tuple[int, list[tuple[_Job, Answer]]]:
        time_us = self._time()
        if isinstance(time_us, Unavailable):
            return len(jobs), [(job, time_us) for job in jobs]
        rulebook = rulebook_of(self.state, self._replay.rulebooks)
        signed = [job.signed for job in jobs if job.signed is not None]
        group = decide_group(rulebook, self.state, self._position, signed, time_us)
        if group.recorded:
            sealed = seal(
                group,
                self._position,
                epoch=self._epoch,
                salts=self._randomness(SALT_BYTES * group.leaf_count),
                origin=self._replay.origin,
                log_key=self._keyring[ledger_of(self.state).log_key],
            )
            trouble = self._commit(sealed)
            if trouble is not None:
                return len(group.ends), [(job, trouble) for job in jobs[: len(group.ends)]]
            return len(group.ends), self._answers(jobs, sealed)
        # Nothing to record: problems and duplicates only.
        return len(group.ends), [
            (job, _problem(end) if isinstance(end, Inadmissible) else end)
            for job, end in zip(jobs, group.ends, strict=False)
            if not isinstance(end, Recorded)
        ]

    def _answers(self, jobs: Sequence[_Job], sealed: Sealed) -> list[tuple[_Job, Answer]]:
        maker = ReceiptMaker.of_sealed(self.network, sealed)
        answers: list[tuple[_Job, Answer]] = []
        for job, end in zip(jobs, sealed.group.ends, strict=False):
            if isinstance(end, Recorded):
                answers.append((job, maker.of_recorded(end, sealed.salts)))
            else:
                answers.append((job, _problem(end) if isinstance(end, Inadmissible) else end))
        return answers

    def _time(self) -> TimestampUs | Unavailable:
        """One time for the block, strictly above the last (design D24)."""
        last_us = self._position.time_us
        try:
            now_us = self._clock.now_us()
        except ClockJumped as error:
            self.failure = Unavailable("clock_jumped", str(error), retry_after_s=None)
            return self.failure
        if now_us > last_us:
            return now_us
        if last_us - now_us > CLOCK_BEHIND_MAX_US:
            self.failure = Unavailable(
                "clock_jumped", f"the clock says {now_us}, the last block {last_us}", retry_after_s=None
            )
            return self.failure
        return TimestampUs(last_us + 1)

    def _commit(self, sealed: Sealed) -> Unavailable | None:
        """Make a block durable and advance; None if that is certain."""
        try:
            self._store.append(sealed.block)
        except AppendUncertain as error:
            logger.warning("the outcome of block %s is in doubt: %s", sealed.block.height, error)
            self._doubtful = sealed
            return self._settle_doubt()
        except Deposed as error:
            return self._fail("node_deposed", str(error))
        except StoreBroken as error:
            self._fail("node_broken", str(error))
            return Unavailable("outcome_unknown", str(error))
        self._advance(sealed)
        return None

    def _settle_doubt(self) -> Unavailable | None:
        """Find out whether a doubtful block is there, and append it again if not; None if there is no doubt left."""
        sealed = self._doubtful
        if sealed is None:
            return None
        wait_s = RESOLVE_WAIT_S
        for attempt in range(RESOLVE_ATTEMPTS):
            if attempt:
                self._stopping.wait(wait_s)
                wait_s *= 2
            try:
                head = self._store.reopen()
                self._epoch = head.epoch
                if head.height < sealed.block.height:
                    self._store.append(sealed.block)
                elif head.digest != sealed.block.digest():
                    return self._fail("node_deposed", "another block stands at the height of the doubtful one")
            except AppendUncertain as error:
                logger.warning("block %s is still in doubt: %s", sealed.block.height, error)
                continue
            except Deposed as error:
                return self._fail("node_deposed", str(error))
            except StoreBroken as error:
                self._fail("node_broken", str(error))
                return Unavailable("outcome_unknown", str(error))
            self._doubtful = None
            self._advance(sealed)
            return None
        return Unavailable("outcome_unknown", f"block {sealed.block.height} is in doubt; send the same bytes again")

    def _advance(self, sealed: Sealed) -> None:
        self.state.advance(sealed.group.overlay, sealed.group.time_us)
        self._position = after(sealed.block, sealed.prover.after)
        self._checkpoint = sealed.block.checkpoint
        if self.on_block is not None:
            self.on_block(sealed.block)

    def _fail(self, code: str, detail: str) -> Unavailable:
        logger.error("the sequencer stops: %s: %s", code, detail)
        self.failure = Unavailable(code, detail, retry_after_s=None)
        return self.failure

    def _stop_answer(self) -> Unavailable | None:
        return self.failure or (_stopping() if self._stopping.is_set() else None)

    def _look_up_older(self, job: _Job, expired: NotAdmissible) -> Answer:
        """A reference too old for the window: its first outcome stands in the projections, if it has one (D5)."""
        assert self.older is not None, "asked only where there are projections"
        assert job.signed is not None, "a decided job was opened"
        transaction = job.signed.transaction
        try:
            found = self.older(transaction.participant, transaction.reference)
        except Unavailable as error:
            return error
        if found is None:
            return expired
        transaction_id, height, index = found
        if transaction_id[:16] != job.signed.transaction_id[:16]:
            return NotAdmissible(
                "reference_reused", f"reference {transaction.reference} was decided with another payload"
            )
        return Duplicate(height, index)


def _stopping() -> Unavailable:
    return Unavailable("node_stopping", "the node is stopping; send the same bytes again")


def _problem(inadmissible: Inadmissible) -> NotAdmissible:
    return NotAdmissible(inadmissible.code, inadmissible.detail)


def _answer(answers: Sequence[tuple[_Job, Answer]]) -> None:
    """Tell everyone, once for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Answer]]] = {}
    for job, answer in answers:
        by_loop.setdefault(job.loop, []).append((job, answer))
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set_results, own)


def _set_results(answers: Sequence[tuple[_Job, Answer]]) -> None:
    for job, answer in answers:
        # A sender who hung up is answered when it asks again.
        if not job.future.done():
            job.future.set_result(answer)
