"""From an outcome to its leaves, and back from a block: one path for node, replay, retry and client.

A block keeps of an outcome what does not follow from the submission (design D21): the code of a refusal, the refused
lines of a bulk, the postings a rule computed, the content of a record.
"""

from typing import Any, Final

import msgspec

from ledger.crypto.canonical import b64url, encode
from ledger.log.block import SALT_BYTES
from ledger.log.pair_leaves import pair_leaves
from ledger.model.journal import (
    LEAF_BYTES_MAX,
    LEAF_VERSION,
    EntryLeaf,
    Leaf,
    Pairs,
    Posting,
    RecordLeaf,
    RefusalLeaf,
)
from ledger.model.outcome import Accepted, Refused
from ledger.model.transactions import SignedTransaction
from ledger.rules.module import Kind

Postings = tuple[tuple[Posting, ...], ...]
"""The postings of each journal entry of a transaction, in order."""


class KeptOutcome(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a block keeps of an accepted or refused transaction."""

    refusal: str = ""
    """Code of the refusal of the whole transaction; empty if accepted."""
    line: int = 0
    """First failing line of a refused atomic bulk."""
    refused_lines: tuple[tuple[int, str], ...] = ()
    """Line from 0 and code of each refused line of an accepted independent bulk, in ascending order."""
    postings: tuple[tuple[Posting, ...], ...] | None = None
    """Postings of each entry; None where they follow from the body."""
    record: dict[str, Any] | None = None
    """Content of the record leaf; None where there is none."""


class Authorship(msgspec.Struct, frozen=True):
    """What every leaf of one transaction says of it."""

    transaction: str
    """Transaction id, base64url."""
    authorised_by: str
    """Digest of its signatures, base64url."""
    kind: str


# Sorted, because a record has no order of its own: one outcome, one spelling, whatever state it was decided on.
_encoder: Final = msgspec.msgpack.Encoder(order="sorted")
_decoder: Final = msgspec.msgpack.Decoder(KeptOutcome)


def encode_outcome(outcome: KeptOutcome) -> bytes:
    """Return the MessagePack bytes that a block body carries."""
    return _encoder.encode(outcome)


def decode_outcome(data: bytes) -> KeptOutcome:
    """Read an outcome back from a block body.

    Raises:
        msgspec.MsgspecError: the bytes are no outcome.
    """
    return _decoder.decode(data)


def keep(outcome: Accepted | Refused, kind: Kind) -> KeptOutcome:
    """Reduce an outcome to what the block must keep."""
    if isinstance(outcome, Refused):
        return KeptOutcome(refusal=outcome.code.code, line=outcome.line)
    return KeptOutcome(
        refused_lines=tuple([(line, code.code) for line, code in sorted(outcome.refused_lines.items())]),
        postings=None if kind.entries is not None else tuple([entry.postings for entry in outcome.entries]),
        record=outcome.record,
    )


def authorship(signed: SignedTransaction) -> Authorship:
    """Return what every leaf says of a transaction."""
    return Authorship(b64url(signed.transaction_id), b64url(signed.authorised_by), signed.transaction.kind)


def postings_decided(outcome: Accepted | Refused) -> Postings | Pairs:
    """Return the postings of each entry of an outcome just decided."""
    if isinstance(outcome, Refused):
        return ()
    return tuple([entry.postings for entry in outcome.entries]) if outcome.pairs is None else outcome.pairs


def postings_of(outcome: KeptOutcome, kind: Kind, body: object) -> Postings | Pairs:
    """Return the postings of each entry of a kept outcome: as kept, or as they follow from the body."""
    if outcome.refusal:
        return ()
    if outcome.postings is not None:
        return outcome.postings
    if kind.pairs is not None:
        return kind.pairs(body)
    assert kind.entries is not None, "the block keeps the postings of a kind whose body does not tell them"
    return tuple(entry.postings for entry in kind.entries(body))


def leaf_count(outcome: KeptOutcome, postings: Postings | Pairs) -> int:
    """Return how many leaves an outcome has; at least one."""
    return 1 if outcome.refusal else len(postings) + (outcome.record is not None)


def leaves(
    outcome: KeptOutcome, postings: Postings | Pairs, author: Authorship, first_sequence: int, salts: bytes
) -> list[bytes]:
    """Return the leaves of one transaction as canonical JSON, in order.

    Args:
        outcome: what was decided.
        postings: of each entry, refused lines included.
        author: transaction id, signatures, kind.
        first_sequence: leaf index of the first leaf.
        salts: 16 bytes for each leaf.
    """
    if outcome.refusal:
        return [_refusal(author, first_sequence, salts, outcome.line, outcome.refusal)]
    if isinstance(postings, Pairs):
        assert outcome.record is None, "a kind of pairs writes no record"
        return pair_leaves(
            postings,
            dict(outcome.refused_lines),
            transaction=author.transaction,
            authorised_by=author.authorised_by,
            kind=author.kind,
            first_sequence=first_sequence,
            salts=salts,
        )
    made: list[bytes] = []
    transaction, authorised_by, name = author.transaction, author.authorised_by, author.kind
    refused_lines = dict(outcome.refused_lines)
    for line, legs in enumerate(postings):
        salt = salts[line * SALT_BYTES : (line + 1) * SALT_BYTES]
        if line in refused_lines:
            made.append(_refusal(author, first_sequence + line, salt, line, refused_lines[line]))
            continue
        leaf = EntryLeaf(
            v=LEAF_VERSION,
            sequence=first_sequence + line,
            salt=b64url(salt),
            transaction=transaction,
            authorised_by=authorised_by,
            kind=name,
            line=line,
            postings=legs,
        )
        made.append(encode(leaf))
    if outcome.record is not None:
        made.append(_record(author, first_sequence + len(made), salts[len(made) * SALT_BYTES :], outcome.record))
    return made


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the canonical bytes of a leaf."""
    data = encode(leaf)
    assert len(data) <= LEAF_BYTES_MAX, "the limits of bodies keep a leaf within its length"
    return data


def _refusal(author: Authorship, sequence: int, salt: bytes, line: int, code: str) -> bytes:
    return encode_leaf(
        RefusalLeaf(
            v=LEAF_VERSION,
            sequence=sequence,
            salt=b64url(salt[:SALT_BYTES]),
            transaction=author.transaction,
            authorised_by=author.authorised_by,
            kind=author.kind,
            line=line,
            code=code,
        )
    )


def _record(author: Authorship, sequence: int, salt: bytes, content: dict[str, Any]) -> bytes:
    return encode_leaf(
        RecordLeaf(
            v=LEAF_VERSION,
            sequence=sequence,
            salt=b64url(salt[:SALT_BYTES]),
            transaction=author.transaction,
            authorised_by=author.authorised_by,
            kind=author.kind,
            content=content,
        )
    )
