"""Running a node in this process: uvicorn with uvloop and httptools, one process, an orderly end."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from types import FrameType
from typing import Final

import uvicorn

from ledger.config import Settings
from wallet_api.app import create_app_from, running_node
from wallet_api.collector import settle_collector
from wallet_api.connections import BoundedProtocol, close_the_silent, places
from wallet_api.express import express
from wallet_api.parts import Parts

ENDED: Final = 0
"""Exit code of a node that was told to stop."""

FAILED: Final = 1
"""Exit code of a node that could not go on: deposed by another, or broken."""

KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open, in seconds: longer than most proxies keep theirs."""

SWITCH_INTERVAL_S: Final = 0.000_5
"""How long one thread may keep the interpreter from another that waits for it, in seconds; the usual five milliseconds
are longer than a block takes. A node that turns away a flood would hardly come to decide anything."""

logger = logging.getLogger(__name__)


def serve(settings: Settings, *, on_ready: Callable[[str, Parts], None] | None = None) -> int:
    """Run a node until it is told to stop or cannot go on.

    Args:
        settings: of the node.
        on_ready: called once with the node's address, ``http://host:port``, when it accepts connections.

    Returns:
        ``ENDED`` after SIGTERM or SIGINT; ``FAILED`` if the node was deposed, is broken, or its clock jumped.

    Raises:
        SystemExit: the address cannot be listened on; the server's own log says why.
        And what opening a node raises: see ``running_node``.
    """
    with running_node(settings) as parts:
        settle_collector()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        room = places(settings.connections_max)
        server = _Server(
            uvicorn.Config(
                create_app_from(parts, on_fatal=lambda: server.end()),
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=express(room.open, parts),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies or None,
                backlog=room.waiting,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=settings.stop_within_s,
            ),
            head_within_s=settings.head_within_s,
            on_ready=None if on_ready is None else lambda address: on_ready(address, parts),
        )
        server.run()
        return FAILED if parts.is_fatal else ENDED


class _Server(uvicorn.Server):
    """A server that says when it listens and ends without raising the signal that ended it again."""

    def __init__(self, config: uvicorn.Config, *, head_within_s: float, on_ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._head_within_s = head_within_s
        self._sweep: asyncio.Task[None] | None = None
        self._on_ready = on_ready

    def end(self) -> None:
        """End as if told to."""
        self.should_exit = True

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets=sockets)
        self._sweep = asyncio.create_task(close_the_silent(self, self._head_within_s))
        if self.started and self._on_ready is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End the sweep, then as ever."""
        if self._sweep is not None:
            self._sweep.cancel()
        await super().shutdown(sockets=sockets)
        # Whoever still waits hears that the outcome is unknown, rather than nothing.
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.give_up()
        await asyncio.sleep(0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as "stop", and nothing more: the caller decides the exit code."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        logger.info("stopping on %s", signal.Signals(number).name)
        self.handle_exit(number, frame)
