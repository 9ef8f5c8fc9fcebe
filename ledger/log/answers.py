"""What travels back from the sequencer to whoever submitted: across threads, on the event loop that asked."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ledger.log.receipts import Receipt
from ledger.model.outcome import Duplicate
from ledger.model.transactions import SignedTransaction
from ledger.rules.rulebook import Rulebook

RETRY_AFTER_S: Final = 1
"""What a sender is told to wait when there is no answer now, in seconds."""

ANSWER_WAIT_MAX_S: Final = 30.0
"""Longest wait of a sender, in seconds. Above what a store takes to fail and to be asked again, below what clients
and proxies bear; beyond it the store hangs, and the sender must hear that the outcome is unknown."""


class Unavailable(Exception):
    """The ledger cannot say yes or no now; send the same bytes again later.

    ``code`` is a problem code, ``retry_after_s`` a hint in seconds, None if this node will not come back.
    """

    def __init__(self, code: str, detail: str, *, retry_after_s: int | None = RETRY_AFTER_S) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s

    def again(self) -> "Unavailable":
        """Return an equal one to be raised: an exception raised twice gathers the frames of every time."""
        return Unavailable(self.code, self.detail, retry_after_s=self.retry_after_s)


@dataclass(frozen=True, slots=True)
class Answered:
    """A receipt, and what its sender alone may be told beside it."""

    receipt: Receipt
    detail: str = ""
    """Of a refusal: what was expected and what came. No part of the log: a retry does not have it."""


Answer = Receipt | Answered | Duplicate | Exception


@dataclass(slots=True, eq=False)
class Job:
    """One submission on its way through the stages."""

    raw: bytes
    loop: asyncio.AbstractEventLoop
    respond: Callable[[Answer], None]
    """Called on the loop, once. It must not fail: others are answered after it."""
    is_answered: bool = field(default=False)
    """Read and set on the loop alone."""
    signed: SignedTransaction | None = field(default=None)
    """Set when it was opened."""
    rulebook: Rulebook | None = field(default=None)
    """The rules it was opened by."""

    def tell(self, answer: Answer) -> None:
        """Answer, unless that was done before; on the loop alone."""
        if not self.is_answered:
            self.is_answered = True
            self.respond(answer)

    def give_up(self) -> None:
        """Answer a sender who has waited ``ANSWER_WAIT_MAX_S``: what the store does is not known."""
        self.tell(
            Unavailable("outcome_unknown", f"no answer within {ANSWER_WAIT_MAX_S:.0f} s; send the same bytes again")
        )


def stopping() -> Unavailable:
    """Return the answer of a node on its way out."""
    return Unavailable("node_stopping", "the node is stopping; send the same bytes again")


def answer_all(answers: Sequence[tuple[Job, Answer]]) -> None:
    """Tell everyone, once for each event loop. Never fails: one sender's trouble is not the next one's."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Answer]]] = {}
    for job, answer in answers:
        by_loop.setdefault(job.loop, []).append((job, answer))
    for loop, own in by_loop.items():
        # A loop that was closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell_all, own)


def _tell_all(answers: Sequence[tuple[Job, Answer]]) -> None:
    for job, answer in answers:
        job.tell(answer)
