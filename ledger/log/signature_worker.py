"""The signature checks of a verification, as a process of its own (see ``ledger.log.signature_checks``).

As a program it reads tasks from standard input and answers each on standard output, in order, until its input ends.
"""

import struct
import sys
from collections.abc import Mapping
from typing import IO, Final

import msgspec

from ledger.crypto import jws
from ledger.crypto.keys import InvalidKey, InvalidSignature, PublicKey

_LENGTH: Final = struct.Struct(">I")


class Task(msgspec.Struct, frozen=True, array_like=True):
    """Submissions to check, and the keys that were admitted since the last task."""

    keys: dict[str, str]
    """Public key (``x``) by kid."""
    submissions: list[bytes]


def holds(submission: bytes, keys: Mapping[str, str]) -> bool:
    """Whether every signature of a submission is by a known key and verifies. No says nothing about the reason."""
    try:
        envelope = jws.parse(submission, typ=jws.TYP_TRANSACTION)
        for signature in envelope.signatures:
            jws.verify_signature(envelope, signature, PublicKey.trusted(keys[signature.kid]))
    except (jws.InvalidJws, InvalidSignature, InvalidKey, KeyError):
        return False
    return True


def write_frame(stream: IO[bytes], frame: bytes) -> None:
    """Write bytes behind their length, less than 4 GiB, and send them off."""
    stream.write(_LENGTH.pack(len(frame)))
    stream.write(frame)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Return the next frame; None at the end, also at an end in the middle of a frame."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(header)[0]
    frame = stream.read(length)
    return frame if len(frame) == length else None


def main() -> None:
    """Work until standard input ends."""
    decoder = msgspec.msgpack.Decoder(Task)
    keys: dict[str, str] = {}
    # Says that it has come up.
    write_frame(sys.stdout.buffer, b"")
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        task = decoder.decode(frame)
        keys.update(task.keys)
        write_frame(sys.stdout.buffer, bytes(holds(submission, keys) for submission in task.submissions))


if __name__ == "__main__":
    main()
