"""The work of the first stage: submissions are opened, looked at, and put in the queue of verified transactions."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ledger.crypto import jws
from ledger.log.answers import Answer, Job, Unavailable
from ledger.log.group import rulebook_of
from ledger.log.opener import Found, Opened
from ledger.log.opener_process import Opener
from ledger.log.queue import FairQueue, QueueFull
from ledger.log.replay import Replay
from ledger.log.standing import turned_away
from ledger.model.transactions import SignedTransaction
from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.rulebook import Rulebook
from ledger.units import Kid, ParticipantField

SENT_BYTES_MAX: Final = 16_384
"""Longest submission sent to an opener. Of a bulk, the way there and back would cost what the opener saves."""


class _Sender(msgspec.Struct):
    """Of a payload what tells whose share of the queue it would take."""

    participant: ParticipantField
    kind: str


_SENDER: Final = msgspec.json.Decoder(_Sender)

logger = logging.getLogger(__name__)


class Opening:
    """Opens jobs by the rules in force. Used by several threads."""

    def __init__(self, replay: Replay, queue: FairQueue[Job], stop_answer: Callable[[], Unavailable | None]) -> None:
        """Open for a queue; ``stop_answer`` says why nothing is accepted any more, if so."""
        self._replay = replay
        self._queue = queue
        self._stop_answer = stop_answer

    def open_all(self, jobs: Sequence[Job], opener: Opener | None) -> list[tuple[Job, Answer]]:
        """Open jobs and queue them; returns the answers of those that go no further. Never raises."""
        try:
            if stop := self._stop_answer():
                return [(job, stop) for job in jobs]
            rulebook = rulebook_of(self._replay.state, self._replay.rulebooks)
            found = [None] * len(jobs) if opener is None else _ask(opener, jobs, rulebook)
        except Exception as error:
            broken = _broken(error)
            return [(job, broken) for job in jobs]
        answered = []
        for job, each in zip(jobs, found, strict=True):
            answer = self._open(rulebook, job, each, opener)
            if answer is not None:
                answered.append((job, answer))
        return answered

    def crowd_out(self, raw: bytes) -> Unavailable | None:
        """Return the answer to a submission whose sender, as it claims, has as much waiting as it may; None for others.

        So it costs no signature check. Whoever claims to be another has its own submissions turned away, no one else's.
        An urgent one is let through, and so is whatever cannot be read in passing.
        """
        if not self._queue.crowded:
            return None
        try:
            payload = jws.parse(raw, typ=jws.TYP_TRANSACTION).payload
            sender = _SENDER.decode(payload)
        except (jws.InvalidJws, msgspec.MsgspecError, RecursionError, ValueError):
            return None
        kind = rulebook_of(self._replay.state, self._replay.rulebooks).kinds.get(sender.kind)
        if sender.participant not in self._queue.crowded or kind is None or kind.is_urgent:
            return None
        return Unavailable("queue_full", "as many transactions of the sender are waiting as may")

    def open_by(self, rulebook: Rulebook, job: Job) -> NotAdmissible | None:
        """Open one job here, by the given rules; the problem if it cannot be."""
        try:
            job.signed = open_transaction(
                job.raw, rulebook=rulebook, network=self._replay.network, key_of=self._replay.public_key
            )
        except NotAdmissible as error:
            return error
        job.rulebook = rulebook
        return None

    def _open(self, rulebook: Rulebook, job: Job, found: Found, opener: Opener | None) -> Answer | None:
        try:
            if isinstance(found, Opened):
                job.signed, job.rulebook = found.signed(rulebook, job.raw), rulebook
            elif found is not None:
                return NotAdmissible(found.code, found.detail)
            elif problem := self.open_by(rulebook, job):
                return problem
            signed = job.signed
            assert signed is not None, "it was just opened"
            if found is None and opener is not None:
                opener.learn(self._keys_of(signed))
            kind = rulebook.kinds[signed.transaction.kind]
            if answer := turned_away(self._replay.state, kind, signed, self._replay.position.time_us):
                return answer
            self._queue.put(
                signed.transaction.participant,
                job,
                weight=kind.weight(signed.body),
                size=len(job.raw),
                is_urgent=kind.is_urgent,
            )
        except QueueFull as error:
            return Unavailable("queue_full", str(error))
        except Exception as error:
            return _broken(error)
        return None

    def _keys_of(self, signed: SignedTransaction) -> dict[Kid, str]:
        """Return the admitted keys that signed a transaction or a mandate in it."""
        kids = (*signed.signers, *(mandate.kid for mandate in signed.mandates))
        return {kid: x for kid in kids if (x := self._replay.public_key(kid)) is not None}


def _ask(opener: Opener, jobs: Sequence[Job], rulebook: Rulebook) -> list[Found]:
    """Have the short ones opened elsewhere."""
    found: list[Found] = [None] * len(jobs)
    short = [place for place, job in enumerate(jobs) if len(job.raw) <= SENT_BYTES_MAX]
    for place, each in zip(short, opener.ask([jobs[place].raw for place in short], rulebook.version), strict=True):
        found[place] = each
    return found


def _broken(error: Exception) -> Unavailable:
    logger.exception("opening a submission failed")
    return Unavailable("node_broken", f"opening failed: {type(error).__name__}")
