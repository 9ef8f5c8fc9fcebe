"""The first stage of the sequencer: submissions wait to be opened by a few threads, in the order they come."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ledger.log.answers import Answer, Job, Unavailable, answer_all, stopping
from ledger.log.opener_process import Opener

RECEIVED_ITEMS_MAX: Final = 1_024
"""Most submissions waiting to be opened: about a quarter of a second's work. More would only wait longer; who is turned
away at the door costs next to nothing and knows it at once."""

RECEIVED_BYTES_MAX: Final = 256 * 1024 * 1024
"""Most bytes waiting to be opened."""

OPENING_THREADS: Final = 2
"""Threads that open submissions where there are no openers: signature checks run beside the interpreter, so two keep
two cores busy."""

GATHER_MAX_S: Final = 0.004
"""Longest a group waits for submissions that were received and are being opened, in seconds. With nothing else on its
way a payment waits for nothing; under load more of them share the cost of a block (decision 0008)."""

OPENING_BATCH: Final = 128
"""Most submissions one opening thread takes at once: under load each turn of a thread is waited for."""


OpenAll = Callable[[Sequence[Job], Opener | None], list[tuple[Job, Answer]]]
"""Opens jobs, with an opener if there is one; returns the answers of those that go no further, and never raises."""


class Reception:
    """Submissions that wait to be opened, and the threads that open them."""

    def __init__(self, open_all: OpenAll, openers: Sequence[Opener | None]) -> None:
        """Open with ``open_all`` in a thread for each opener, which is started and stopped with it."""
        self._open_batch = open_all
        self._openers = tuple(openers)
        self._received: deque[Job] = deque()
        self._bytes = 0
        self._is_closed = False
        self._opening = 0
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        """There is something to open, or there never will be."""
        self._all_opened = threading.Condition(lock)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number, opener in enumerate(self._openers):
            if opener is not None:
                opener.start()
            thread = threading.Thread(target=self._open_all, args=(opener,), name=f"opening-{number}", daemon=True)
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
        self._open_all(None)
        for opener in self._openers:
            if opener is not None:
                opener.stop()

    def wait_until_opened(self) -> None:
        """Wait until nothing received is left to be opened, for a short time; not at all if nothing is."""
        with self._all_opened:
            self._all_opened.wait_for(lambda: not self._received and not self._opening, GATHER_MAX_S)

    def _open_all(self, opener: Opener | None) -> None:
        while batch := self._take():
            answer_all(self._open_batch(batch, opener))
            with self._changed:
                self._opening -= len(batch)
                if not self._opening and not self._received:
                    self._all_opened.notify_all()

    def _take(self) -> list[Job]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._received) or self._is_closed)
            batch = [self._received.popleft() for _ in range(min(OPENING_BATCH, len(self._received)))]
            self._bytes -= sum(len(job.raw) for job in batch)
            self._opening += len(batch)
            return batch
