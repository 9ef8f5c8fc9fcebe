"""A node in a process of its own, as `tenge node` runs it, started and watched by a sandbox."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

START_WITHIN_S: Final = 60.0
"""How long a node may take until it accepts connections, in seconds; a restart replays what no snapshot holds."""

STOP_WITHIN_S: Final = 30.0
"""How long it may take to finish what it has in hand when told to stop, in seconds."""

LINES_KEPT: Final = 40
"""Lines of the node's own log that are kept, to be shown if it does not start."""


class NodeDidNotStart(Exception):
    """The node ended, or said nothing, before it accepted connections; holds the end of its log."""


class NodeStarted(msgspec.Struct):
    """What `tenge node --json` writes when it accepts connections."""

    address: str
    network: str


class NodeProcess:
    """A running node."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a node on a folder and wait until it accepts connections.

        Args:
            folder: of the node.
            port: to listen on; 0 lets the system choose.
            host: to listen on.
            settings: further settings, as environment variables.

        Raises:
            NodeDidNotStart: it did not.
        """
        self._log: deque[str] = deque(maxlen=LINES_KEPT)
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [
                sys.executable,
                "-P",
                "-m",
                "wallet_api.cli",
                "node",
                str(folder),
                "--port",
                str(port),
                "--host",
                host,
                "--json",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=None if settings is None else {**os.environ, **settings},
        )
        assert self._process.stdout is not None, "a pipe was asked for"
        assert self._process.stderr is not None, "a pipe was asked for"
        self._reader = threading.Thread(target=self._keep_log, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        self.address = self._wait_for_address(self._process.stdout)

    def __enter__(self) -> Self:
        """Use it as a context: the node is stopped at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the node."""
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the node."""
        return self._process.pid

    @property
    def log(self) -> str:
        """The end of the node's own log."""
        return "\n".join(self._log)

    def wait(self) -> int:
        """Wait until the node ends by itself; returns its exit code."""
        return self._process.wait()

    def stop(self) -> int:
        """Tell the node to stop and wait for its end; returns its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            code = self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None, "a pipe was asked for"
            stream.close()
        return code

    def _wait_for_address(self, stdout: IO[bytes]) -> str:
        timer = threading.Timer(START_WITHIN_S, self._process.kill)
        timer.start()
        line = stdout.readline()
        timer.cancel()
        try:
            return msgspec.json.decode(line, type=NodeStarted).address
        except msgspec.MsgspecError as error:
            self._process.kill()
            self.stop()
            raise NodeDidNotStart(f"the node did not start; the end of its log:\n{self.log}") from error

    def _keep_log(self, stderr: IO[bytes]) -> None:
        for line in stderr:
            self._log.append(line.decode("utf-8", "replace").rstrip())
