"""Submissions opened ahead of a verification, in processes beside it, so that all cores of a machine have work.

Opening needs no state but the admitted keys, and a kid is the hash of its key, so an early answer cannot differ from a
late one. An opener only ever says yes here. Whatever it does not open, because a key is not known yet, something is
wrong or the opener is gone, is opened by the verification itself, at its place and with its fault.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Final

from ledger.log.opener_process import Opener
from ledger.log.replay import NOTHING_OPENED, OpenedBefore, Replay
from ledger.rules.tables import KEYS, ledger_of
from ledger.state import State
from ledger.units import Kid

SUBMISSIONS_ASKED_MAX: Final = 4_096
"""Most submissions of a block that an opener is asked about: eight times what a node puts in one, and well within the
time that an opener may take. A block of more is opened by whoever asks."""

logger = logging.getLogger(__name__)


class OpenedAhead:
    """Openers that take the submissions of one block after the other, in turns."""

    def __init__(self, openers: Sequence[Opener]) -> None:
        """Start them; without any, nothing is opened ahead."""
        self._lanes: Final = deque(_Lane(opener) for opener in openers)
        self._asked: deque[Future[OpenedBefore] | None] = deque()

    def ask(self, submissions: Sequence[bytes], replay: Replay) -> None:
        """Hand over the submissions of a block to come, to be opened with the keys and by the rules known by now."""
        rulebook = ledger_of(replay.state).rulebook
        if not self._lanes or not 0 < len(submissions) <= SUBMISSIONS_ASKED_MAX or rulebook not in replay.rulebooks:
            self._asked.append(None)
            return
        lane = self._lanes[0]
        self._lanes.rotate(-1)
        self._asked.append(lane.ask(list(submissions), replay.state, rulebook))

    def answer(self) -> OpenedBefore:
        """Return what was found of the oldest block asked about; waits for the opener that has it.

        Nothing, if no opener has begun it: whoever asks is as good at it, and would only wait.
        """
        asked = self._asked.popleft()
        return NOTHING_OPENED if asked is None or asked.cancel() else asked.result()

    def close(self) -> None:
        """End the openers; what they have not begun is dropped."""
        for asked in self._asked:
            if asked is not None:
                asked.cancel()
        for lane in self._lanes:
            lane.close()


@contextmanager
def opened_ahead(openers: Sequence[Opener]) -> Iterator[OpenedAhead]:
    """Open ahead with openers that end with the context."""
    ahead = OpenedAhead(openers)
    try:
        yield ahead
    finally:
        ahead.close()


class _Lane:
    """One opener, the thread that talks to it, and the keys it was told."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._thread = ThreadPoolExecutor(1, "opened-ahead")
        self._thread.submit(opener.start)
        self._lock = threading.Lock()
        self._keys_known = 0
        self._keys_to_tell: dict[Kid, str] = {}

    def ask(self, submissions: list[bytes], state: State, rulebook: int) -> Future[OpenedBefore]:
        with self._lock:
            # Rows of a table are never deleted, so the new keys are the last.
            new = islice(state.items(KEYS), self._keys_known, None)
            self._keys_to_tell |= {Kid(kid): key.x for kid, key in new}
            self._keys_known = state.count(KEYS)
        return self._thread.submit(self._exchange, submissions, rulebook)

    def close(self) -> None:
        self._thread.submit(self._opener.stop)
        self._thread.shutdown()

    def _exchange(self, submissions: list[bytes], rulebook: int) -> OpenedBefore:
        with self._lock:
            keys, self._keys_to_tell = self._keys_to_tell, {}
        try:
            self._opener.learn(keys)
            return OpenedBefore(rulebook, self._opener.ask(submissions, rulebook))
        except Exception:
            # An opener is a help: whatever ails it, the verification goes on without.
            logger.exception("an opener failed")
            return NOTHING_OPENED
