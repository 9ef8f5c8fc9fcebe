"""What a stranger's connections may cost: how many there are, and how long they may say nothing (design D28).

Every connection takes a file descriptor, and so does every file that the ledger opens. So there are fewer connections
than descriptors, whatever the system grants, and one that does not say what it wants is closed.
"""

import asyncio
import logging
import resource
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ledger.log.answers import ANSWER_WAIT_MAX_S

CONNECTIONS_MIN: Final = 16
"""Connections that a node takes however few descriptors there are."""

BACKLOG_MAX: Final = 2_048
"""Connections the system keeps waiting. They are accepted all at once, so they are few where descriptors are."""

SWEEPS_PER_LIMIT: Final = 4
"""How often, within the time a request's head may take, the node looks for connections that are over it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Places:
    """How many connections there may be."""

    open: int
    """Accepted; a further one is closed at once."""
    waiting: int
    """Not accepted yet."""


def places(connections_max: int) -> Places:
    """Raise the limit of descriptors as far as the system allows, and divide them up.

    Half of them may be connections and an eighth connections that come in at once; the rest is for files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError) as error:
            logger.warning("the limit of file descriptors stays at %s: %s", soft, error)
    if soft == resource.RLIM_INFINITY:
        return Places(connections_max, BACKLOG_MAX)
    granted = max(CONNECTIONS_MIN, min(connections_max, soft // 2))
    if granted < connections_max:
        logger.warning("%s connections at most instead of %s: %s descriptors", granted, connections_max, soft)
    return Places(granted, max(CONNECTIONS_MIN, min(BACKLOG_MAX, soft // 8)))


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is one of a limited number, and knows how long it has owed the head of a request."""

    connections_max = CONNECTIONS_MIN
    """Of the server; set by ``bounded``."""
    owes_head_since: float | None = None
    """In the event loop's time; None while no head is awaited: in a request, and between two of them."""
    waits_since: float | None = None
    """In the event loop's time; None while no answer of the sequencer is awaited outside of a task."""

    idle_since: float | None = None
    """In the event loop's time; None unless the last answer went out without the server's own timer being set."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it where there are enough."""
        if len(self.connections) >= self.connections_max:
            transport.abort()
            # Made whole, since its end is told to it too; but it never counts.
            super().connection_made(transport)
            self.connections.discard(self)
            return
        super().connection_made(transport)
        self.owes_head_since = self.loop.time()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self.owes_head_since is None:
            self.owes_head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The head is whole; how long the body may take is the route's affair."""
        self.owes_head_since = None
        super().on_headers_complete()

    def give_up(self) -> None:
        """Tell whoever has waited too long for the sequencer."""


async def close_the_silent(server: uvicorn.Server, within_s: float) -> None:
    """For as long as the server runs, close connections that owe the head of a request for longer than allowed.

    The same look tells those who wait too long for an answer so, and closes connections that have been idle for long.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(within_s / SWEEPS_PER_LIMIT)
        now = loop.time()
        connections: set[Any] = server.server_state.connections
        for connection in tuple(connections):
            try:
                _look_at(connection, now, within_s)
            except Exception:
                # One connection's trouble must not end the limits of all others.
                logger.exception("a connection could not be looked after")


def _look_at(connection: BoundedProtocol, now: float, within_s: float) -> None:
    if connection.owes_head_since is not None and connection.owes_head_since <= now - within_s:
        connection.transport.abort()
    elif connection.waits_since is not None and connection.waits_since <= now - ANSWER_WAIT_MAX_S:
        connection.give_up()
    elif connection.idle_since is not None and connection.idle_since <= now - connection.timeout_keep_alive:
        connection.transport.close()
