"""The follower in a process of its own, so that projecting never takes time from deciding."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ledger.views.answers import ViewsBehind
from ledger.views.follower import WAKE, WAKE_URGENT

RESTART_DELAY_FIRST_S: Final = 0.2
"""Pause before the first restart, in seconds; it doubles with each crash in a row."""

RESTART_DELAY_MAX_S: Final = 30.0
"""Longest pause before a restart, in seconds."""

STOP_PATIENCE_S: Final = 10.0
"""How long a follower may take to end its batch when asked to stop, in seconds. Killing it loses nothing."""


class _Report(msgspec.Struct, frozen=True):
    """A line the follower writes."""

    height: int | None = None
    size: int | None = None
    fault: str | None = None


class FollowerProcess:
    """Starts a follower, wakes it, learns how far it is, and starts it again when it dies.

    A crash is followed by a restart after a growing pause: the views are never wrong, so trying again is safe. A fault
    that it reports is not: it would find it again. Everything but ``wake`` belongs to the event loop of ``start``.
    """

    def __init__(self, command: Sequence[str], *, restart_delay_s: float = RESTART_DELAY_FIRST_S) -> None:
        """Run a command that calls ``Follower.run`` on its standard input and output; its errors go to ours."""
        self._command = tuple(command)
        self._restart_delay_s = restart_delay_s
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_wake_due = False
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.height = -1
        """Newest block applied, as last reported; -1 before the first report."""
        self.size = 0
        """Leaves applied, as last reported."""
        self.fault: str | None = None
        """Why it stopped for good; None while it runs or is started again."""
        self.restarts = 0
        """How often it was started again."""

    @property
    def is_alive(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process and watch over it.

        Raises:
            OSError: the command cannot be run.
        """
        assert self._task is None, "a follower process is started once"
        self._loop = asyncio.get_running_loop()
        self._process = await self._spawn()
        self._task = asyncio.create_task(self._watch())

    def wake(self) -> None:
        """Say that there is a new block. From any thread; never waits; many calls at once are one."""
        if not self._is_wake_due and self._loop is not None:
            self._is_wake_due = True
            # The loop may have ended before the thread that decides: then nobody is left to wake.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._send_wake)

    async def wait_for(self, size: int, timeout_s: float) -> None:
        """Wait until the views include the first ``size`` leaves.

        Raises:
            ViewsBehind: they do not after so many seconds, or the follower stopped for good.
        """
        if self.size >= size:
            return
        if self.fault is None:
            assert self._loop is not None, "started before"
            waiter = (size, self._loop.create_future())
            self._waiters.append(waiter)
            self._write_wake(WAKE_URGENT)
            try:
                await asyncio.wait_for(waiter[1], timeout_s)
            except TimeoutError:
                pass
            finally:
                self._waiters.remove(waiter)
        if self.size < size:
            cause = "" if self.fault is None else f": {self.fault}"
            raise ViewsBehind(f"expected views of {size} leaves, got {self.size}{cause}")

    async def stop(self) -> None:
        """End the process: politely, then firmly."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None, "its standard input is a pipe"
        process.stdin.close()
        for firmer in (process.terminate, process.kill):
            try:
                await asyncio.wait_for(process.wait(), STOP_PATIENCE_S)
            except TimeoutError:
                firmer()
        await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A session of its own: an interrupt from the terminal is for the node, which then ends the follower.
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def _watch(self) -> None:
        """Take in reports; when the process ends, start another, unless it reported a fault."""
        process, delay_s = self._process, self._restart_delay_s
        while True:
            if process is not None:
                size = self.size
                await self._read_reports(process)
                if self.fault is not None:
                    self._release(lambda _size: True)
                    return
                if self.size > size:
                    delay_s = self._restart_delay_s
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RESTART_DELAY_MAX_S)
            process = await self._start_again()

    async def _start_again(self) -> asyncio.subprocess.Process | None:
        self.restarts += 1
        try:
            self._process = await self._spawn()
        except OSError:  # What keeps it from starting, such as too many processes, may pass.
            return None
        return self._process

    async def _read_reports(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "its standard output is a pipe"
        async for line in process.stdout:
            with contextlib.suppress(msgspec.MsgspecError):  # A line cut short by a crash, or not a report.
                self._take(msgspec.json.decode(line, type=_Report))
        await process.wait()

    def _take(self, report: _Report) -> None:
        if report.fault is not None:
            self.fault = report.fault
        if report.height is not None and report.size is not None:
            self.height, self.size = report.height, report.size
            self._release(lambda size: size <= self.size)

    def _release(self, is_due: Callable[[int], bool]) -> None:
        for size, waiter in self._waiters:
            if is_due(size) and not waiter.done():
                waiter.set_result(None)

    def _send_wake(self) -> None:
        self._is_wake_due = False
        self._write_wake(WAKE)

    def _write_wake(self, wake: bytes) -> None:
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            return
        # One byte that was not taken yet says all that a second one would.
        if not process.stdin.is_closing() and process.stdin.transport.get_write_buffer_size() == 0:
            process.stdin.write(wake)
