"""The express way of a payment: a submission that came whole is answered without a task, a scope or the framework.

It is the same protocol, the same checks and the same answers as the long way, which everything goes that is not plain:
a body that comes in pieces, a query, a header the short way does not know. A request is held back until its last byte
is there; what turns out not to be plain is then handed on as if nothing had happened.
"""

import logging
from typing import Final, cast

from ledger.log.answers import Answer, Answered, Job, Unavailable
from ledger.log.receipts import Receipt
from wallet_api.answers import Reply, internal_error, problem_reply
from wallet_api.auth import Grant
from wallet_api.connections import BoundedProtocol
from wallet_api.parts import Parts
from wallet_api.problems import Problem
from wallet_api.routes.submission import SUBMIT_PATH, acceptance, dismissal, let_in, reply_to, reply_to_failure

_PATH: Final = SUBMIT_PATH.encode()

LONG_WAY_HEADERS: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade", b"x-forwarded-for"})
"""Headers by which a request asks more of the connection than an answer, or may come from another address."""

logger = logging.getLogger(__name__)


class _Nobody:
    """Stands where the server's own turns have an event to wake their task; here no task waits."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY: Final = _Nobody()


class _Turn:
    """One request on the express way, with what the server asks of the turn a connection is at."""

    __slots__ = ("disconnected", "grant", "job", "keep_alive", "response_complete")

    message_event: Final = _NOBODY

    def __init__(self, grant: Grant | None) -> None:
        self.grant = grant
        self.job: Job | None = None
        self.keep_alive = True
        """The server unsets it when it is about to end."""
        self.disconnected = False
        self.response_complete = False


class ExpressProtocol(BoundedProtocol):
    """A connection whose plain submissions are answered at once."""

    parts: Parts
    """Of the node; set by ``express``."""
    _held: bytearray | None = None
    """Body, as far as it came, of a request that may be plain."""
    _waiting: _Turn | None = None
    """The turn that waits for the sequencer; requests behind it may have come, and wait for it."""

    def on_headers_complete(self) -> None:
        """Hold a request back that may be plain; hand on any other."""
        if self._may_be_plain():
            self.owes_head_since = None
            self._held = bytearray()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep the body of a request that is held back."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        """Take a plain submission in."""
        if self._held is None:
            super().on_message_complete()
            return
        body = bytes(self._held)
        address = self.client[0] if self.client else ""
        try:
            grant = let_in(self.parts, self.headers, address, body)
        except Problem:
            self._hand_on()
            super().on_message_complete()
            return
        self._held = None
        self._take_in(body, _Turn(grant))

    def data_received(self, data: bytes) -> None:
        """Read on; a request whose body is still on its way goes the long way, where its patience is measured."""
        self.idle_since = None
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held is not None:
            self._hand_on()
        elif self._owes_nothing_but_a_head():
            # Bytes that begin no request, and behind an answer: whatever they are, a head has to follow in its time.
            self.owes_head_since = self.loop.time()

    def give_up(self) -> None:
        """Tell whoever has waited too long for the sequencer."""
        if self._waiting is not None and self._waiting.job is not None:
            self._waiting.job.give_up()

    def _owes_nothing_but_a_head(self) -> bool:
        before = cast("_Turn | None", self.cycle)
        is_answered = before is None or before.response_complete
        return is_answered and self.owes_head_since is None and self.idle_since is None

    def _may_be_plain(self) -> bool:
        before = cast("_Turn | None", self.cycle)
        return (
            self.url == _PATH
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            # Nothing is answered before it, and what was answered before was read.
            and (before is None or before.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and LONG_WAY_HEADERS.isdisjoint([name for name, _ in self.headers])
        )

    def _hand_on(self) -> None:
        """Go the long way after all, with what has come of the body so far."""
        held, self._held = self._held, None
        super().on_headers_complete()
        if held:
            super().on_body(bytes(held))

    def _take_in(self, body: bytes, turn: _Turn) -> None:
        self.cycle = turn  # type: ignore[assignment]
        try:
            turn.job = self.parts.sequencer.receive(body, lambda answer: self._answer(turn, answer))
        except Unavailable as error:
            self._write(turn, dismissal(error))
        else:
            self._waiting = turn
            self.waits_since = self.loop.time()

    def _answer(self, turn: _Turn, answer: Answer) -> None:
        """Answer a turn; never fails."""
        try:
            if isinstance(answer, Receipt) and answer.code is None and turn.keep_alive:
                self._write(turn, acceptance(answer))
            elif isinstance(answer, Receipt):
                self._reply(turn, reply_to(Answered(answer), turn.grant))
            elif isinstance(answer, Answered):
                self._reply(turn, reply_to(answer, turn.grant))
            else:
                task = self.loop.create_task(self._settle(turn, answer))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
        except Exception as error:
            self._reply(turn, problem_reply(internal_error(error)))

    async def _settle(self, turn: _Turn, answer: Answer) -> None:
        """Answer what is no receipt, or the first one of what was decided before."""
        assert turn.job is not None, "it was taken in"
        try:
            reply = reply_to(await self.parts.sequencer.settle(turn.job, answer), turn.grant)
        except Exception as error:
            address = self.client[0] if self.client else ""
            reply = reply_to_failure(self.parts, error, turn.grant, address)
        self._reply(turn, reply)

    def _reply(self, turn: _Turn, reply: Reply) -> None:
        self._write(turn, reply.to_bytes(keeps_alive=turn.keep_alive))

    def _write(self, turn: _Turn, answer: bytes) -> None:
        turn.job = None
        turn.response_complete = True
        self._waiting = self.waits_since = None
        if turn.disconnected or self.transport.is_closing():
            return
        self.transport.write(answer)
        if not turn.keep_alive:
            self.transport.close()
            self.on_response_complete()
        elif self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.idle_since = self.loop.time()


def express(connections_max: int, parts: Parts) -> type[ExpressProtocol]:
    """Return the protocol of a server that takes so many connections."""
    return type("ExpressProtocol", (ExpressProtocol,), {"connections_max": connections_max, "parts": parts})
