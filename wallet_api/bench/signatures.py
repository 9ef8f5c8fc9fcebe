"""The machine's own signature speed: bare checks, everything else left out, on one core and on all at once.

As a program it is the probe: one process checks the signatures of a file of submissions and says how long that took.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.crypto import jws
from ledger.crypto.keys import PublicKey
from wallet_api.bench import probe
from wallet_api.bench.frames import read_frames


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to check."""

    submissions: str
    """File of submissions, as frames."""
    keys: tuple[str, ...]
    """Public keys (``x``)."""
    is_openssl: bool = False
    """Whether OpenSSL checks them, as most other programs on the machine would, in place of the ledger's libsodium."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """How it went."""

    seconds: float
    signatures: int


def per_second(question: Question, *, processes: int) -> float:
    """Return the checks a second of so many processes, each with all the signatures to itself."""
    with ThreadPoolExecutor(processes) as pool:
        checked = list(pool.map(lambda _: probe.run(__spec__.name, question, Checked), range(processes)))
    # Each says its own seconds: they begin and end at nearly the same time, and starting up counts for nothing.
    return sum(each.signatures / each.seconds for each in checked)


def cores() -> int:
    """Return how many processes can run at once."""
    return len(os.sched_getaffinity(0))


def main() -> None:
    """Check every signature of the file."""
    question = probe.question(Question)
    keys = {key.kid: key for key in map(PublicKey.from_x, question.keys)}
    others = {kid: Ed25519PublicKey.from_public_bytes(key.raw) for kid, key in keys.items()}
    opened = [jws.parse(frame, typ=jws.TYP_TRANSACTION) for frame in read_frames(Path(question.submissions))]
    signed = [(envelope, signature) for envelope in opened for signature in envelope.signatures]
    started = time.perf_counter()
    if question.is_openssl:
        for envelope, signature in signed:
            others[signature.kid].verify(signature.signature, b"%b.%b" % (signature.protected, envelope.payload_b64))
    else:
        for envelope, signature in signed:
            jws.verify_signature(envelope, signature, keys[signature.kid])
    probe.answer(Checked(seconds=time.perf_counter() - started, signatures=len(signed)))


if __name__ == "__main__":
    main()
