"""A server in a process of its own: started with a line on its standard input, it tells its port, and is stopped."""

import subprocess
import sys
from types import TracebackType
from typing import Final, Self

STOP_WITHIN_S: Final = 30
"""How long it may take to be told to stop and end, in seconds, before it is killed."""


class DidNotStart(Exception):
    """The process ended before it said its port."""


class Server:
    """A running server of this program."""

    def __init__(self, module: str, setup: bytes) -> None:
        """Start ``python -m module``, hand it one line, and wait for its port.

        Raises:
            DidNotStart: it said none.
        """
        self._process = subprocess.Popen(  # noqa: S603 - a module of this program, under this very interpreter
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None, "a pipe was asked for"
        assert self._process.stdout is not None, "a pipe was asked for"
        self._process.stdin.write(setup + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.strip().isdigit():
            self.stop()
            raise DidNotStart(f"{module} ended before it said its port; what it wrote stands above")
        self.port = int(line)

    def __enter__(self) -> Self:
        """Use it as a context: it is stopped at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Tell the process to stop and wait for its end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None, "a pipe was asked for"
            stream.close()
