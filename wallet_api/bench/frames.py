"""Frames: byte strings in a file, each behind its length, for what one process prepares and another sends."""

import mmap
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


@contextmanager
def mapped_frames(path: Path) -> Iterator[list[memoryview]]:
    """Give them all without copying any: views of the file, which the system reads in as they are touched."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        frames = []
        with memoryview(mapped) as whole:
            at = 0
            while at < len(whole):
                (length,) = _LENGTH.unpack_from(whole, at)
                at += _LENGTH.size
                frames.append(whole[at : at + length])
                at += length
            try:
                yield frames
            finally:
                for frame in frames:
                    frame.release()
