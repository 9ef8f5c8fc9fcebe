"""The signature checks of a verification, as a process of its own (see ``ledger.log.signature_checks``).

As a program it reads tasks from standard input and answers each on standard output, in order, until its input ends.
"""

import sys
from collections.abc import Mapping

import msgspec

from ledger.crypto import jws
from ledger.crypto.keys import InvalidKey, InvalidSignature, PublicKey
from ledger.log.messages import read_message, write_message


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


def main() -> None:
    """Work until standard input ends."""
    decoder = msgspec.msgpack.Decoder(Task)
    keys: dict[str, str] = {}
    # Says that it has come up.
    write_message(sys.stdout.buffer, b"")
    while (message := read_message(sys.stdin.buffer)) is not None:
        task = decoder.decode(message)
        keys.update(task.keys)
        write_message(sys.stdout.buffer, bytes(holds(submission, keys) for submission in task.submissions))


if __name__ == "__main__":
    main()
