"""Signed notes, checkpoints and offline proofs, in the text forms of C2SP.

Sources: c2sp.org/signed-note (signature type 0x01, Ed25519), c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof.
"""

import binascii
import functools
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from ledger.crypto.canonical import INTEGER_MAX
from ledger.crypto.keys import InvalidSignature, PrivateKey, PublicKey
from ledger.crypto.merkle import HASH_BYTES

NOTE_SIGNATURES_MAX: Final = 64
"""Signatures read from one note: the log's and those of many witnesses. The format asks for at least 16."""

PATH_HASHES_MAX: Final = 64
"""Hashes in one audit path; a tree of 2^53 leaves has paths of 53."""

KEY_ID_BYTES: Final = 4
"""Bytes of a note key id."""

_ED25519: Final = b"\x01"
_PROOF_TITLE: Final = "c2sp.org/tlog-proof@v1"
_SIGNATURE_MARK: Final = "— "
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class InvalidNote(ValueError):
    """The text is not a note, checkpoint or proof in its exact form, or not one by the expected key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: str
    """The log's name, which is its key's name too."""
    size: int
    """Leaves in the tree."""
    root: bytes
    """RFC 6962 root of the tree, 32 bytes."""

    def body(self) -> str:
        """Return the text that is signed: three lines, and no extension lines, which nobody could audit."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    """Name of the key that is said to have signed."""
    key_id: bytes
    """4 bytes that tell it from other keys of that name."""
    signature: bytes
    """The rest of the line; 64 bytes where the key is Ed25519."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An offline proof that a leaf is in a log, to be read with the leaf itself."""

    index: int
    """Leaf index, from 0."""
    path: tuple[bytes, ...]
    """RFC 6962 audit path, from the leaf's sibling up."""
    checkpoint_text: str
    """The signed checkpoint that the path leads to, as the log wrote it."""
    extra: bytes | None = None
    """Data that nothing vouches for, not empty; none where the line is absent."""


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the first 4 bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ public key)."""
    return sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:KEY_ID_BYTES]


def verifier_key(name: str, key: PublicKey) -> str:
    """Return the text by which verifiers are told a key: name+hexadecimal id+base64 of 0x01 and the key.

    Raises:
        InvalidNote: the name cannot be the name of a key.
    """
    _check_key_name(name)
    return f"{name}+{key_id(name, key).hex()}+{_base64(_ED25519 + key.raw)}"


def sign_checkpoint(checkpoint: Checkpoint, key: PrivateKey) -> str:
    """Return the checkpoint as a note signed by the log's key, whose name is the origin.

    Raises:
        InvalidNote: the origin cannot be the name of a key.
    """
    _check_key_name(checkpoint.origin)
    body = checkpoint.body()
    signed = key_id(checkpoint.origin, key.public) + key.sign(body.encode())
    return f"{body}\n{_SIGNATURE_MARK}{checkpoint.origin} {_base64(signed)}\n"


def parse_checkpoint(text: str) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    """Return a checkpoint and its signatures; nothing is verified yet.

    Raises:
        InvalidNote: the text is not a signed note with the three lines of a checkpoint.
    """
    if _CONTROL.search(text) is not None:
        raise InvalidNote("expected a note without control characters")
    body, blank_line, signatures = text.rpartition("\n\n")
    lines = signatures.split("\n")
    if not blank_line or lines.pop() != "":
        raise InvalidNote("expected a text, an empty line and signature lines, each with a newline at its end")
    if not 1 <= len(lines) <= NOTE_SIGNATURES_MAX:
        raise InvalidNote(f"expected 1 to {NOTE_SIGNATURES_MAX} signature lines, got {len(lines)}")
    return _checkpoint(body), tuple(_note_signature(line) for line in lines)


def verify_checkpoint(text: str, *, origin: str, key: PublicKey) -> Checkpoint:
    """Return the checkpoint, after checking that the log of this origin signed it with this key.

    Signatures by other keys are passed over: they may be a witness's, or the key's before or after this one.

    Raises:
        InvalidNote: the text is not a checkpoint of this origin, the key has not signed, or a signature by
            its name and id is false.
    """
    checkpoint, signatures = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise InvalidNote(f"expected a checkpoint of {origin}, got one of {checkpoint.origin!r}")
    known = key_id(origin, key)
    ours = [each.signature for each in signatures if each.name == origin and each.key_id == known]
    if not ours:
        raise InvalidNote(f"expected a signature by key {known.hex()} of {origin}, got none")
    for signature in ours:
        try:
            key.verify(signature, checkpoint.body().encode())
        except InvalidSignature as error:
            raise InvalidNote(f"expected a checkpoint signed by {origin}, got a false signature") from error
    return checkpoint


def format_proof(proof: TlogProof) -> str:
    """Return the proof as text, for a file of its own."""
    path = "".join(path_line(sibling) for sibling in proof.path)
    return join_proof(proof.index, path, proof.checkpoint_text, extra=proof.extra)


def path_line(sibling: bytes) -> str:
    """Return the line of a proof that names one hash of its path, with its newline."""
    return _base64(sibling) + "\n"


def join_proof(index: int, path_lines: str, checkpoint_text: str, *, extra: bytes | None = None) -> str:
    """Return a proof as text, given the lines of its path: neighbours in a tree share most of them."""
    extra_line = "" if extra is None else f"extra {_base64(extra)}\n"
    return f"{_PROOF_TITLE}\n{extra_line}index {index}\n{path_lines}\n{checkpoint_text}"


def parse_proof(text: str) -> TlogProof:
    """Return the proof of its text; neither path nor signatures are verified yet.

    Raises:
        InvalidNote: the text has another form, or what follows is not a checkpoint.
    """
    head, _, checkpoint_text = text.partition("\n\n")
    title, *lines = head.split("\n")
    if title != _PROOF_TITLE:
        raise InvalidNote(f"expected the first line {_PROOF_TITLE}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _base64_decode(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise InvalidNote("expected a line with the index")
    index_line, *path = lines
    if len(path) > PATH_HASHES_MAX:
        raise InvalidNote(f"expected at most {PATH_HASHES_MAX} hashes, got {len(path)}")
    parse_checkpoint(checkpoint_text)
    return TlogProof(
        index=_decimal(index_line.removeprefix("index ")),
        path=tuple(_base64_decode(line, length=HASH_BYTES) for line in path),
        checkpoint_text=checkpoint_text,
        extra=extra,
    )


def _checkpoint(body: str) -> Checkpoint:
    """Return the checkpoint of a note's text, without its last newline."""
    match body.split("\n"):
        case [origin, size, root]:
            _check_key_name(origin)
            return Checkpoint(origin, _decimal(size), _base64_decode(root, length=HASH_BYTES))
        case lines:
            raise InvalidNote(f"expected the lines origin, size and root, got {len(lines)} lines")


def _note_signature(line: str) -> NoteSignature:
    """Return the signature of one line: mark, name, space, base64 of key id and signature."""
    name, space, encoded = line.removeprefix(_SIGNATURE_MARK).rpartition(" ")
    if not line.startswith(_SIGNATURE_MARK) or not space:
        raise InvalidNote("expected a signature line: an em dash, a key name and base64")
    _check_key_name(name)
    signed = _base64_decode(encoded)
    if len(signed) <= KEY_ID_BYTES:
        raise InvalidNote(f"expected more than {KEY_ID_BYTES} bytes in a signature line, got {len(signed)}")
    return NoteSignature(name, signed[:KEY_ID_BYTES], signed[KEY_ID_BYTES:])


@functools.lru_cache(maxsize=64)
def _check_key_name(name: str) -> None:
    """Refuse what cannot be the name of a key; an origin is one."""
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise InvalidNote("expected a key name: not empty, without spaces, plus signs and controls")


def _decimal(text: str) -> int:
    """Return the integer from 0 to 2^53-1 that `text` writes without leading zeros."""
    if _DECIMAL.fullmatch(text) is None or int(text) > INTEGER_MAX:
        raise InvalidNote("expected a decimal from 0 to 2^53-1 without leading zeros")
    return int(text)


def _base64(data: bytes) -> str:
    """Return standard base64 with padding (RFC 4648, section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _base64_decode(text: str, *, length: int | None = None) -> bytes:
    """Return the bytes of standard base64 in its one spelling: not empty, of `length` bytes if given."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise InvalidNote("expected standard base64 with padding") from error
    if not data or _base64(data) != text:
        raise InvalidNote("expected standard base64 in its one spelling, not empty")
    if length is not None and len(data) != length:
        raise InvalidNote(f"expected base64 of {length} bytes, got {len(data)}")
    return data
