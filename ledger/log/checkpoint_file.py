"""The newest checkpoint, kept outside the database.

A database that was put back from an old copy looks sound from within. The signed
checkpoint in this file tells: the log must contain the block it was signed for.

Making the file durable with every block would cost a second fsync for each. So it
is written at most once in ``CHECKPOINT_FILE_EVERY_SECONDS``, without fsync, and with
fsync on close. It may therefore lag behind the head, by a second of blocks after a
crash, and by more after a loss of power; it is never ahead, because it is written
after the commit. What it proves is that nothing older than it was put in its place.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledger.log.block_store import HeadBehind

CHECKPOINT_FILE_EVERY_SECONDS: Final = 1.0
"""Shortest time between two writes: a rename a second is nothing, one per block is not."""

_SIZE_LINE: Final = 1
"""A checkpoint's second line is the tree size in decimal (C2SP tlog-checkpoint)."""

_SIZE_DIGITS_MAX: Final = 16
"""2**53 has sixteen digits; a longer number is no size of ours."""


class CheckpointFile:
    """One file that holds one signed checkpoint, replaced as a whole."""

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        """Keep the checkpoint in ``path``; ``monotonic`` gives seconds and decides when a write is due."""
        self._path = path
        self._monotonic = monotonic
        self._due_at = monotonic()
        self._unwritten: str | None = None

    def read(self) -> tuple[int, str] | None:
        """Return (tree size, checkpoint), or None when there is no file yet.

        An empty file counts as none: a loss of power right after a rename without fsync leaves one.
        Raises ``HeadBehind`` when the file holds something else than a checkpoint.
        """
        try:
            checkpoint = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise HeadBehind(f"{self._path} does not hold a checkpoint: it is not UTF-8 text") from None
        if not checkpoint:
            return None
        lines = checkpoint.split("\n")
        size = lines[_SIZE_LINE] if len(lines) > _SIZE_LINE else ""
        if not (size.isascii() and size.isdecimal() and len(size) <= _SIZE_DIGITS_MAX):
            raise HeadBehind(f"{self._path} does not hold a checkpoint: no tree size in its second line")
        return int(size), checkpoint

    def keep(self, checkpoint: str) -> None:
        """Remember ``checkpoint`` as the newest, and write it when a write is due. Raises ``OSError``."""
        self._unwritten = checkpoint
        now = self._monotonic()
        if now >= self._due_at:
            self._due_at = now + CHECKPOINT_FILE_EVERY_SECONDS
            self._write(checkpoint, durable=False)

    def flush(self) -> None:
        """Write what is still unwritten, durably. Raises ``OSError``."""
        if self._unwritten is not None:
            self._write(self._unwritten, durable=True)

    def _write(self, checkpoint: str, *, durable: bool) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(checkpoint)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(self._path)
        self._unwritten = None
        if durable:
            sync_directory(self._path.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename inside ``directory`` survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
