"""The first stage of the sequencer: submissions are opened in a small pool of threads, in the order they come."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ledger.log.answers import Answer, Job, Unavailable, answer_all, stopping

RECEIVED_ITEMS_MAX: Final = 8_192
"""Most submissions waiting to be opened."""

RECEIVED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Most bytes waiting to be opened."""

OPENING_THREADS: Final = 2
"""Threads that open submissions: signature checks run beside the interpreter, so two keep two cores busy."""

GATHER_MAX_S: Final = 0.004
"""Longest a group waits for submissions that were received and are being opened, in seconds. With nothing else on its
way a payment waits for nothing; under load more of them share the cost of a block (decision 0008)."""

OPENING_BATCH: Final = 32
"""Most submissions one opening thread takes at once."""


class Reception:
    """Submissions that wait to be opened, and the threads that open them."""

    def __init__(self, open_one: Callable[[Job], Answer | None]) -> None:
        """Open with ``open_one``: it returns the answer of a submission that goes no further, and never raises."""
        self._open_one = open_one
        self._received: deque[Job] = deque()
        self._bytes = 0
        self._is_closed = False
        self._opening = 0
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number in range(OPENING_THREADS):
            thread = threading.Thread(target=self._open_all, name=f"opening-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def receive(self, job: Job) -> None:
        """Add to the submissions that wait to be opened.

        Raises:
            Unavailable: too many are waiting, or the node is stopping.
        """
        with self._changed:
            if self._is_closed:
                raise stopping()
            if len(self._received) >= RECEIVED_ITEMS_MAX or self._bytes + len(job.raw) > RECEIVED_BYTES_MAX:
                raise Unavailable("queue_full", "too many submissions are waiting to be opened")
            self._received.append(job)
            self._bytes += len(job.raw)
            self._changed.notify()

    def stop(self) -> None:
        """Answer everything that waits and end the threads; when this returns, nothing is being opened."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        # Where no thread ever ran, what was received is answered here.
        self._open_all()

    def wait_until_opened(self) -> None:
        """Wait until nothing received is left to be opened, for a short time; not at all if nothing is."""
        with self._changed:
            self._changed.wait_for(lambda: not self._received and not self._opening, GATHER_MAX_S)

    def _open_all(self) -> None:
        while batch := self._take():
            opened = [(job, self._open_one(job)) for job in batch]
            answer_all([(job, answer) for job, answer in opened if answer is not None])
            with self._changed:
                self._opening -= len(batch)
                if not self._opening and not self._received:
                    self._changed.notify_all()

    def _take(self) -> list[Job]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._received) or self._is_closed)
            batch = [self._received.popleft() for _ in range(min(OPENING_BATCH, len(self._received)))]
            self._bytes -= sum(len(job.raw) for job in batch)
            self._opening += len(batch)
            return batch
