"""Signature checks ahead of a verification, in processes beside it, so that both cores of a machine have work.

Checking a signature needs no state but the admitted keys, and a kid is the hash of its key, so an early answer cannot
differ from a late one. A worker only ever says yes. Whatever it does not vouch for, because a key is not known yet,
a signature is wrong or the worker is gone, is checked by the verification itself, at its place and with its fault.
"""

import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Final

import msgspec

from ledger.log.messages import read_message, write_message
from ledger.log.signature_worker import Task
from ledger.rules.tables import KEYS
from ledger.state import State

_encoder: Final = msgspec.msgpack.Encoder()


UNANSWERED_MAX: Final = 32_768
"""Most submissions a worker is asked about before its answers are read: a byte for each must fit in a pipe (64 KiB), or
it would wait for us while we wait for it."""


class SignatureChecks:
    """Workers that take the submissions of one block after the other, in turns."""

    def __init__(self, workers: int) -> None:
        """Start so many processes; with none, nobody vouches for anything."""
        self._workers = deque(_Worker() for _ in range(workers))
        self._asked: deque[_Worker | None] = deque()

    def ask(self, submissions: Sequence[bytes], state: State) -> None:
        """Hand over the submissions of the next block; ``state`` has the keys that are known by now."""
        for _ in range(len(self._workers) if submissions else 0):
            worker = self._workers[0]
            self._workers.rotate(-1)
            if worker.ask(submissions, state):
                self._asked.append(worker)
                return
        self._asked.append(None)

    def answer(self) -> bytes:
        """Return what is known of the oldest block asked about: a byte for each submission, 1 if it holds.

        Waits for the worker that has it. Empty if there is none.
        """
        worker = self._asked.popleft()
        return b"" if worker is None else worker.answer()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()


@contextmanager
def signature_checks(workers: int) -> Iterator[SignatureChecks]:
    """Give signature checks whose processes end with the context."""
    checks = SignatureChecks(workers)
    try:
        yield checks
    finally:
        checks.close()


class _Worker:
    """One process, and how many of the keys it was told."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "ledger.log.signature_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._tasks, self._answers = self._process.stdin, self._process.stdout
        self._is_new = True
        self._is_up = False
        self._keys_told = 0
        self._unanswered = 0

    def ask(self, submissions: Sequence[bytes], state: State) -> bool:
        """Hand submissions over; waits for a new process to come up; False if it is gone, or has enough."""
        if self._is_new:
            self._is_new = False
            self._is_up = read_message(self._answers) is not None
        if not self._is_up:
            return False
        if self._unanswered + len(submissions) > UNANSWERED_MAX:
            return False
        count = state.count(KEYS)
        # Rows of a table are never deleted, so the new keys are the last.
        keys = {}
        if count > self._keys_told:
            keys = {kid: key.x for kid, key in islice(state.items(KEYS), self._keys_told, None)}
        try:
            write_message(self._tasks, _encoder.encode(Task(keys, list(submissions))))
        except BrokenPipeError:
            self._is_up = False
            return False
        self._keys_told = count
        self._unanswered += len(submissions)
        return True

    def answer(self) -> bytes:
        """Wait for the answer to the oldest task; empty if the process is gone."""
        answer = read_message(self._answers)
        self._unanswered -= len(answer or b"")
        self._is_up = answer is not None
        return answer or b""

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._tasks.close()
        self._answers.close()
