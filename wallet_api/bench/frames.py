"""Frames: byte strings in a file, each behind its length, for what one process prepares and another sends."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_LENGTH: Final = struct.Struct(">I")


def write_frames(path: Path, frames: Iterable[bytes]) -> None:
    """Write byte strings of less than 4 GiB each."""
    with path.open("wb") as file:
        for frame in frames:
            file.write(_LENGTH.pack(len(frame)) + frame)


def read_frames(path: Path) -> Iterator[bytes]:
    """Yield them again, one at a time."""
    with path.open("rb") as file:
        while header := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(header)[0])
