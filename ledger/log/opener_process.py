"""The end of an opener at a node or a verification: starts it, asks it, and does without it when it is gone."""

import logging
import subprocess
import time
from collections.abc import Sequence
from socket import socket, socketpair
from typing import Final, Protocol

from ledger.log.messages import read_message, write_message
from ledger.log.opener import KEYS_KEPT_MAX, Asked, Found, decode_found, encode_asked
from ledger.units import Kid

ANSWER_WITHIN_S: Final = 5.0
"""Longest an opener may take to listen or to answer, in seconds: a thousand times what a batch takes."""

RESTART_AFTER_S: Final = 1.0
"""Pause before an opener that ended is started again, in seconds; until then whoever asks opens by itself."""

STOP_WITHIN_S: Final = 2.0
"""How long an opener may take to end with its input, in seconds. Killing it loses nothing."""

logger = logging.getLogger(__name__)


class Opener(Protocol):
    """Opens submissions elsewhere. Used by one thread at a time."""

    def start(self) -> None:
        """Begin."""

    def ask(self, raws: list[bytes], rulebook: int) -> Sequence[Found]:
        """Open each, by the rules of a version; None for each that has to be opened here."""

    def learn(self, keys: dict[Kid, str]) -> None:
        """Take note of public keys, for the next time."""

    def stop(self) -> None:
        """End."""


class OpenerProcess:
    """An opener in a process of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        """Run a command that calls ``run_opener`` on its standard input and output; its errors go to ours."""
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket | None = None
        self._known: dict[Kid, str] = {}
        """What the process knows, to be told again to the next one."""
        self._learned: dict[Kid, str] = {}
        """What is to be told with the next question."""
        self._not_before = 0.0

    def start(self) -> None:
        """Start the process. It is waited for when it is first asked."""
        self._learned = dict(self._known)
        try:
            own, its = socketpair()
        except OSError as error:
            self._miss(error)
            return
        with its:
            own.settimeout(ANSWER_WITHIN_S)
            try:
                # A session of its own: an interrupt from the terminal is for the node, which then ends the opener.
                self._process = subprocess.Popen(  # noqa: S603 - this very program
                    self._command, stdin=its.fileno(), stdout=its.fileno(), start_new_session=True
                )
            except OSError as error:
                own.close()
                self._miss(error)
            else:
                self._socket = own

    def ask(self, raws: list[bytes], rulebook: int) -> Sequence[Found]:
        """Open each, by the rules of a version; None for each that has to be opened here."""
        unopened: list[Found] = [None] * len(raws)
        if self._socket is None and time.monotonic() >= self._not_before:
            self.start()
        if self._socket is None:
            return unopened
        asked = Asked(rulebook, self._learned, raws)
        self._learned = {}
        try:
            found = _exchange(self._socket, encode_asked(asked))
            if len(found) != len(raws):
                raise EOFError(f"it answered {len(found)} of {len(raws)}")
        except Exception as error:
            # Whatever it was, nothing more is read from this one: its next answer may belong to this question.
            self._end(0.0)
            self._miss(error)
            return unopened
        return found

    def learn(self, keys: dict[Kid, str]) -> None:
        """Take note of public keys, for the next time."""
        if len(self._known) + len(keys) > KEYS_KEPT_MAX:
            self._known.clear()
        self._known.update(keys)
        self._learned.update(keys)

    def stop(self) -> None:
        """End the process: politely, then firmly."""
        self._end(STOP_WITHIN_S)

    def _miss(self, error: Exception) -> None:
        logger.warning("there is no opener, submissions are opened here: %s", error)
        self._not_before = time.monotonic() + RESTART_AFTER_S

    def _end(self, patience_s: float) -> None:
        process, self._process = self._process, None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if process is None:
            return
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _exchange(connection: socket, message: bytes) -> list[Found]:
    with connection.makefile("wb") as sink:
        write_message(sink, message)
    with connection.makefile("rb") as source:
        answer = read_message(source)
    if answer is None:
        raise EOFError("it said no more")
    return decode_found(answer)
