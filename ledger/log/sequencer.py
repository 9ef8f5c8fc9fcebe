"""The sequencer: puts verified transactions in order, decides a group, makes it durable as one block (design D19, D20).

Three stages, each in its own threads, with bounded queues between them:

* *opening*: structure, signatures, canonical form, schema; in processes beside the node, or in a small pool of threads
  (:mod:`ledger.log.opening`);
* *sequencing*: one thread takes what waits, stamps one time on it, decides it in order, seals it into a block, appends
  the block, and only then advances the state;
* *answering*: everyone in the group hears at once, on the event loop that asked.

What an append that failed means for the group in hand, and for those after it, is said in :mod:`ledger.log.commit`.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ledger.clock import Clock, ClockJumped
from ledger.crypto.keys import PrivateKey
from ledger.log.answers import ANSWER_WAIT_MAX_S, Answer, Answered, Job, Unavailable, answer_all, stopping
from ledger.log.block import SALT_BYTES, Block
from ledger.log.block_store import BlockStore, Deposed, StoreBroken
from ledger.log.commit import Committer, InDoubt
from ledger.log.first_answers import FirstAnswers, Older, look_up_older
from ledger.log.group import Position, Recorded, Sealed, Undecidable, after, decide_group, rulebook_of, seal
from ledger.log.opener_process import Opener
from ledger.log.opening import Opening
from ledger.log.queue import FairQueue
from ledger.log.receipt_maker import ReceiptMaker
from ledger.log.receipts import Receipt
from ledger.log.reception import OPENING_THREADS, Reception
from ledger.log.replay import Replay
from ledger.model.outcome import Duplicate, Inadmissible
from ledger.rules.opening import NotAdmissible
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ledger_of
from ledger.state import State
from ledger.units import BULK_LINES_MAX, Kid, TimestampUs

__all__ = ["Older", "Sequencer", "Unavailable"]

GROUP_LINES_MAX: Final = BULK_LINES_MAX
"""Most lines decided as one block; a single bulk may fill it."""

GROUP_ITEMS_MAX: Final = 512
"""Most transactions decided as one block: more would make a block hardly cheaper for each, and all of them wait for
the last."""

GROUP_BYTES_MAX: Final = 16 * 1024 * 1024
"""Most bytes of submissions decided as one block, so that its append ends within the store's time limit."""

CLOCK_BEHIND_MAX_US: Final = 1_000_000
"""Largest step of the clock behind the last block that is bridged by counting on; beyond it acceptance stops."""

STOP_WAIT_MAX_S: Final = 30.0
"""How long stopping waits for the group in hand, in seconds: a store that hangs must not keep the process alive."""

logger = logging.getLogger(__name__)


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
        queue: FairQueue[Job] | None = None,
        openers: Sequence[Opener] = (),
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
            openers: open submissions elsewhere, each for a thread of its own; without any, threads open them here.
        """
        self._replay = replay
        self._first_answers = FirstAnswers(replay.network, store, replay.rulebooks)
        self._keyring = keyring
        self._clock = clock
        self._randomness = randomness
        self.on_block = on_block
        self.older = older
        self._queue: FairQueue[Job] = queue or FairQueue()
        self._opening = Opening(replay, self._queue, self._stop_answer)
        self._reception = Reception(self._opening.open_all, openers or [None] * OPENING_THREADS)
        self._stopping = threading.Event()
        self._committer = Committer(store, epoch, self._stopping)
        self._thread: threading.Thread | None = None
        self.failure: Unavailable | None = None
        """Why nothing is accepted any more; None while all is well."""

    @property
    def state(self) -> State:
        """The state as of the last durable block. To be read, never written."""
        return self._replay.state

    @property
    def position(self) -> Position:
        """Where the log stands."""
        return self._replay.position

    @property
    def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return self._replay.checkpoint

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
        assert self._thread is None, "a sequencer is started once"
        self._thread = threading.Thread(target=self._sequence_all, name="sequencing", daemon=True)
        self._thread.start()
        self._reception.start()

    def stop(self) -> None:
        """Finish the group in hand, answer everything that waits with ``node_stopping``, end the threads.

        A store that hangs is waited for ``STOP_WAIT_MAX_S``; its thread then ends with the process.
        """
        self._stopping.set()
        self._reception.stop()
        self._queue.close()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_MAX_S)
            if self._thread.is_alive():
                logger.error("the store does not answer; the group in hand is left in doubt")

    async def submit(self, raw: bytes) -> Receipt:
        """Have one submission decided, wait until its outcome is durable, return the receipt. Raises as ``answer``."""
        return (await self.answer(raw)).receipt

    async def answer(self, raw: bytes) -> Answered:
        """Have one submission decided, and wait until its outcome is durable.

        Args:
            raw: a JWS in JSON general serialization, as received.

        Raises:
            NotAdmissible: it cannot be decided as it is; nothing was recorded.
            Unavailable: no answer now; the same bytes may be sent again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        job = self.receive(raw, lambda answer: None if future.done() else future.set_result(answer))
        timer = loop.call_later(ANSWER_WAIT_MAX_S, job.give_up)
        try:
            answer = await future
        finally:
            timer.cancel()
        return await self.settle(job, answer)

    def receive(self, raw: bytes, respond: Callable[[Answer], None]) -> Job:
        """Take one submission in, without waiting: the running event loop calls ``respond`` with the answer.

        The caller sees to it that the job is given up after ``ANSWER_WAIT_MAX_S``, and has what is no receipt settled.

        Raises:
            Unavailable: it was not taken in.
        """
        if self.failure is not None:
            raise self.failure.again()
        if crowded := self._opening.crowd_out(raw):
            raise crowded
        job = Job(raw, asyncio.get_running_loop(), respond)
        self._reception.receive(job)
        return job

    async def settle(self, job: Job, answer: Answer) -> Answered:
        """Return the first receipt of what was decided before, and any other as it is; raise what is no receipt."""
        try:
            async with asyncio.timeout(ANSWER_WAIT_MAX_S):
                if isinstance(answer, NotAdmissible) and answer.code == "reference_expired" and self.older is not None:
                    answer = await asyncio.to_thread(look_up_older, self.older, job, answer)
                if isinstance(answer, Duplicate):
                    return Answered(await asyncio.to_thread(self.first_answer, answer.height, answer.index))
        except TimeoutError:
            raise Unavailable("store_unavailable", "the first answer cannot be read now") from None
        if isinstance(answer, Unavailable):
            raise answer.again()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answered) else Answered(answer)

    def first_answer(self, height: int, index: int) -> Receipt:
        """Return the receipt of a submission of a durable block: the same as its sender got the first time.

        Raises:
            Unavailable: the store cannot be read now.
        """
        return self._first_answers.of(height, index)

    def _sequence_all(self) -> None:
        while self._queue.wait():
            self._reception.wait_until_opened()
            jobs = self._queue.take(GROUP_LINES_MAX, GROUP_BYTES_MAX, GROUP_ITEMS_MAX)
            while jobs:
                jobs = self._sequence(jobs)

    def _sequence(self, jobs: list[Job]) -> list[Job]:
        """Decide, seal, append and answer one group; returns the jobs that were left for the next block."""
        try:
            stop = self._stop_answer() or self._settle_doubt()
            if stop is not None:
                answer_all([(job, stop) for job in jobs])
                return []
            rulebook = rulebook_of(self.state, self._replay.rulebooks)
            jobs = self._opened_by(rulebook, jobs)
            done, answers = self._one_block(rulebook, jobs)
        except Exception as error:
            logger.exception("the sequencer failed")
            broken = self._fail("node_broken", f"the sequencer failed: {type(error).__name__}")
            answer_all([(job, broken) for job in jobs])
            return []
        answer_all(answers)
        return jobs[done:]

    def _opened_by(self, rulebook: Rulebook, jobs: list[Job]) -> list[Job]:
        """Return the jobs opened by the rules in force: those that waited while the rules changed are opened again."""
        kept: list[Job] = []
        for job in jobs:
            problem = None if job.rulebook is rulebook else self._opening.open_by(rulebook, job)
            if problem is None:
                kept.append(job)
            else:
                answer_all([(job, problem)])
        return kept

    def _one_block(self, rulebook: Rulebook, jobs: Sequence[Job]) -> tuple[int, list[tuple[Job, Answer]]]:
        """Make one block of the first jobs; returns how many it took, and their answers."""
        time_us = self._time()
        if isinstance(time_us, Unavailable):
            return len(jobs), [(job, time_us) for job in jobs]
        signed = [job.signed for job in jobs if job.signed is not None]
        try:
            group = decide_group(rulebook, self.state, self.position, signed, time_us)
            done = len(group.ends)
            if not group.recorded:
                return done, [(job, _unrecorded(end)) for job, end in zip(jobs, group.ends, strict=False)]
            sealed = seal(
                group,
                self.position,
                epoch=self._committer.epoch,
                salts=self._randomness(SALT_BYTES * group.leaf_count),
                origin=self._replay.origin,
                log_key=self._keyring[ledger_of(self.state).log_key],
            )
        except Undecidable as error:
            # Nothing is durable yet: those before it are decided as if it had not come, then it alone.
            return self._one_block(rulebook, jobs[: error.index]) if error.index else (1, [(jobs[0], _poison(error))])
        trouble = self._commit(sealed)
        if trouble is not None:
            return done, [(job, trouble) for job in jobs[:done]]
        maker = ReceiptMaker.of_sealed(self.network, sealed)
        return done, [
            (job, maker.answer_of(end, sealed.salts) if isinstance(end, Recorded) else _unrecorded(end))
            for job, end in zip(jobs, group.ends, strict=False)
        ]

    def _time(self) -> TimestampUs | Unavailable:
        """One time for the block, strictly above the last (design D24)."""
        last_us = self.position.time_us
        try:
            now_us = self._clock.now_us()
        except ClockJumped as error:
            return self._fail("clock_jumped", str(error))
        if now_us > last_us:
            return now_us
        if last_us - now_us > CLOCK_BEHIND_MAX_US:
            return self._fail("clock_jumped", f"the clock says {now_us}, the last block {last_us}")
        return TimestampUs(last_us + 1)

    def _commit(self, sealed: Sealed) -> Unavailable | None:
        """Make a block durable and advance; None if that is certain."""
        try:
            self._committer.append(sealed)
        except Deposed:
            return self._fail("node_deposed", "another node took over")
        except InDoubt as error:
            return self._in_doubt(error, "outcome_unknown", "whether it was recorded is not known")
        self._advance(sealed)
        return None

    def _settle_doubt(self) -> Unavailable | None:
        """Settle the doubt about the block before, if there is any; None if there is none left."""
        try:
            sealed = self._committer.settle()
        except InDoubt as error:
            return self._in_doubt(error, "store_unavailable", "the store does not answer")
        if sealed is not None:
            self._advance(sealed)
        return self.failure

    def _in_doubt(self, error: InDoubt, code: str, detail: str) -> Unavailable:
        """Return what those are told who wait; where looking again is vain, nothing is accepted any more.

        What the database says is for the log of the node, not for senders.
        """
        logger.error("%s: %s", code, error)
        if isinstance(error.cause, Deposed):
            self._fail("node_deposed", "another node took over")
        elif isinstance(error.cause, StoreBroken):
            self._fail("node_broken", "the store is damaged or full")
        return Unavailable(code, f"{detail}; send the same bytes again")

    def _advance(self, sealed: Sealed) -> None:
        """Take in what a durable block changed."""
        block = sealed.block
        self.state.advance(sealed.group.overlay, sealed.group.time_us)
        self._replay.resume(self.state, after(block, sealed.prover.after), block.epoch, block.checkpoint)
        ledger = ledger_of(self.state)
        if ledger.rulebook not in self._replay.rulebooks:
            self._fail("node_broken", f"the ledger is under rulebook {ledger.rulebook} now, which this node lacks")
        elif ledger.log_key not in self._keyring:
            self._fail("node_broken", f"checkpoints are signed with key {ledger.log_key} now, which this node lacks")
        if self.on_block is not None:
            try:
                self.on_block(block)
            except Exception:
                # The block is durable and decided; whoever follows it catches up from the store.
                logger.exception("telling of block %s failed", block.height)

    def _fail(self, code: str, detail: str) -> Unavailable:
        logger.error("the sequencer stops: %s: %s", code, detail)
        self.failure = Unavailable(code, detail, retry_after_s=None)
        return self.failure

    def _stop_answer(self) -> Unavailable | None:
        return self.failure or (stopping() if self._stopping.is_set() else None)


def _poison(error: Undecidable) -> Unavailable:
    """Return the answer of a transaction that a rule failed on; the fault is the program's, and stays with it."""
    logger.error("a transaction cannot be decided", exc_info=error)
    return Unavailable(
        "undecidable",
        f"the rules failed on it ({type(error.__cause__).__name__}); the log of the node says where",
        retry_after_s=None,
    )


def _unrecorded(end: Inadmissible | Duplicate | Recorded) -> Answer:
    """Return the answer of a transaction that left no trace in the block."""
    assert not isinstance(end, Recorded), "what is recorded has a receipt"
    return NotAdmissible(end.code, end.detail) if isinstance(end, Inadmissible) else end
