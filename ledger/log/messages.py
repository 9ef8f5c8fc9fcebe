"""Messages between the processes of one machine: bytes behind their length, over a pipe or a socket."""

from typing import IO, Final

LENGTH_BYTES: Final = 4
"""Bytes of the length in front of each message, big-endian."""


def read_message(source: IO[bytes]) -> bytes | None:
    """Return the next message; None where the source ends, be it in the middle of one."""
    length = source.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    message = source.read(int.from_bytes(length))
    return message if len(message) == int.from_bytes(length) else None


def write_message(sink: IO[bytes], message: bytes) -> None:
    """Write one message, whole."""
    sink.write(len(message).to_bytes(LENGTH_BYTES) + message)
    sink.flush()
