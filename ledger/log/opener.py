"""Opening submissions in a process of its own, for a node or a verification: what is said over its pipes, what it does.

A signature takes forty microseconds beside the interpreter's lock, but under load to give the lock away and get it back
takes half as long again; structure and canonical form hold it. In another process they hold nobody up.

The opener knows nothing of the state. It is told public keys by kid; which key a kid names never changes, for it is the
key's hash. What it cannot judge for want of a key is opened by the one who asked. Its word is as good as the program's:
it runs the same ``open_transaction``, and nobody else holds its pipes.
"""

from collections.abc import Mapping
from typing import BinaryIO, Final

import msgspec

from ledger.log.messages import read_message, write_message
from ledger.model.transactions import SignedTransaction, VerifiedMandate
from ledger.rules.opening import NotAdmissible, open_transaction, read_opened
from ledger.rules.rulebook import Rulebook
from ledger.units import Kid

KEYS_KEPT_MAX: Final = 262_144
"""Public keys an opener keeps, about 60 MiB; with one more it forgets them all. A node tells it again those in use, a
verification opens what they signed by itself."""


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """Submissions to be opened."""

    rulebook: int
    """Version of the rules to open them by."""
    keys: dict[Kid, str]
    """Public keys (``x``) by kid, to be kept for these and later submissions."""
    raws: list[bytes]


class Opened(msgspec.Struct, array_like=True, frozen=True, tag="y"):
    """A submission whose signatures hold; all but the transaction itself, which is in the payload."""

    kind: str
    payload: bytes
    transaction_id: bytes
    authorised_by: bytes
    signers: tuple[Kid, ...]
    submission: bytes
    """Its canonical form; empty if it came in it."""
    mandates: tuple[VerifiedMandate, ...]

    @classmethod
    def of(cls, signed: SignedTransaction, raw: bytes) -> "Opened":
        """Return what is said of a transaction that came as ``raw``."""
        return cls(
            signed.transaction.kind,
            signed.payload,
            signed.transaction_id,
            signed.authorised_by,
            signed.signers,
            b"" if signed.submission == raw else signed.submission,
            signed.mandates,
        )

    def signed(self, rulebook: Rulebook, raw: bytes) -> SignedTransaction:
        """Return the transaction that came as ``raw``, by the rules it was opened by."""
        return SignedTransaction(
            transaction=read_opened(self.payload, rulebook.kinds[self.kind]),
            payload=self.payload,
            transaction_id=self.transaction_id,
            authorised_by=self.authorised_by,
            signers=self.signers,
            submission=self.submission or raw,
            mandates=self.mandates,
        )


class Unfit(msgspec.Struct, array_like=True, frozen=True, tag="n"):
    """A submission that cannot be decided."""

    code: str
    detail: str


Found = Opened | Unfit | None
"""What became of one submission; None: the opener lacks one of its keys."""

_encoder: Final = msgspec.msgpack.Encoder()
_asked: Final = msgspec.msgpack.Decoder(Asked)
_found: Final = msgspec.msgpack.Decoder(list[Found])


class _KeyLacking(Exception):
    """A key has not been told."""


def run_opener(source: BinaryIO, sink: BinaryIO, rulebooks: Mapping[int, Rulebook], network: str) -> None:
    """Answer until the source ends."""
    keys: dict[Kid, str] = {}
    while (message := read_message(source)) is not None:
        asked = _asked.decode(message)
        if len(keys) + len(asked.keys) > KEYS_KEPT_MAX:
            keys.clear()
        keys.update(asked.keys)
        rulebook = rulebooks[asked.rulebook]
        write_message(sink, _encoder.encode([_open(raw, rulebook, network, keys) for raw in asked.raws]))


def encode_asked(asked: Asked) -> bytes:
    """Return the message to an opener."""
    return _encoder.encode(asked)


def decode_found(message: bytes) -> list[Found]:
    """Read the answer of an opener.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _found.decode(message)


def _open(raw: bytes, rulebook: Rulebook, network: str, keys: Mapping[Kid, str]) -> Found:
    def key_of(kid: Kid) -> str:
        x = keys.get(kid)
        if x is None:
            raise _KeyLacking
        return x

    try:
        return Opened.of(open_transaction(raw, rulebook=rulebook, network=network, key_of=key_of), raw)
    except NotAdmissible as error:
        return Unfit(error.code, error.detail)
    except _KeyLacking:
        return None
