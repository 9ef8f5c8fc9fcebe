"""The lock that makes a second node refuse to start on the same ledger.

The lock is a courtesy: it stops an operator's mistake before it costs anything.
Safety comes from the epoch on the head row, which holds even where the lock fails.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol


class NodeLock(Protocol):
    """One node's claim to a ledger; it ends with the process at the latest."""

    @property
    def held(self) -> bool:
        """Whether the last attempt got the lock and nothing has released it since."""

    def try_acquire(self) -> bool:
        """Take the lock without waiting; True when it is ours, also when it already was."""

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""


class FileLock:
    """An ``flock`` on a file; the kernel releases it when the process ends, however it ends.

    The file is never deleted: a lock on a deleted file would keep nobody out.
    """

    def __init__(self, path: Path) -> None:
        """Lock ``path`` when asked; the file is made in a directory that exists."""
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock without waiting. Raises ``OSError`` when the file cannot be opened."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
