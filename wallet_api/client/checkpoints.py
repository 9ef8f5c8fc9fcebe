"""The newest checkpoint a client saw, and the demand that all it sees come from one log.

A signed checkpoint binds the log to its whole past. A client that remembers one and demands a consistency proof for
each other makes it impossible to show it two histories unnoticed.
"""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ledger.crypto.keys import PublicKey
from ledger.crypto.merkle import InvalidProof, verify_consistency
from ledger.crypto.note import Checkpoint, InvalidNote, verify_checkpoint
from wallet_api.client.failures import ForkedLog

PENDING_MAX: Final = 1_024
"""Checkpoints that wait for a lazy check; at this number the check is made at once."""

FetchProof = Callable[[int, int], tuple[bytes, ...]]
"""Fetches the consistency proof between two sizes of the log."""


class CheckpointStore(Protocol):
    """Where a client keeps the newest signed checkpoint between its runs."""

    def load(self) -> str | None:
        """Return the signed checkpoint, or None."""

    def save(self, checkpoint: str) -> None:
        """Keep a newer one."""


class MemoryStore:
    """Forgets when the program ends."""

    def __init__(self, checkpoint: str | None = None) -> None:
        self._checkpoint = checkpoint

    def load(self) -> str | None:
        """Return the signed checkpoint, or None."""
        return self._checkpoint

    def save(self, checkpoint: str) -> None:
        """Keep a newer one."""
        self._checkpoint = checkpoint


class FileStore:
    """One file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> str | None:
        """Return the signed checkpoint, or None where there is no file."""
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def save(self, checkpoint: str) -> None:
        """Keep a newer one."""
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.write_text(checkpoint, encoding="utf-8", newline="")
        temporary.replace(self._path)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A checkpoint whose signature was checked."""

    checkpoint: Checkpoint
    text: str
    """As the log signed it."""


class CheckpointMemory:
    """The newest checkpoint proven consistent with all before it, and those that still wait for their proof."""

    def __init__(
        self, *, origin: str, keys: tuple[PublicKey, ...], store: CheckpointStore, fetch_proof: FetchProof
    ) -> None:
        """Load the newest checkpoint from the store.

        Raises:
            InvalidNote: what the store holds is no checkpoint of this log.
        """
        self._origin = origin
        self._keys = keys
        self._store = store
        self._fetch_proof = fetch_proof
        self._lock = threading.Lock()
        self._pending: dict[int, _Seen] = {}
        kept = store.load()
        self._newest = None if kept is None else _Seen(self.verify(kept), kept)

    @property
    def newest(self) -> str | None:
        """The newest checkpoint that is proven consistent, signed; None before the first."""
        return None if self._newest is None else self._newest.text

    def verify(self, text: str) -> Checkpoint:
        """Return a checkpoint, after checking that one of the log's keys signed it.

        Raises:
            InvalidNote: none did.
        """
        for key in self._keys[:-1]:
            try:
                return verify_checkpoint(text, origin=self._origin, key=key)
            except InvalidNote:
                continue
        return verify_checkpoint(text, origin=self._origin, key=self._keys[-1])

    def note(self, text: str, *, checks_now: bool) -> None:
        """Take in a checkpoint, older or newer than the newest.

        Raises:
            InvalidNote: the log did not sign it.
            ForkedLog: it cannot come from the same log as one seen before.
        """
        if self._newest is not None and text == self._newest.text:
            return
        seen = _Seen(self.verify(text), text)
        with self._lock:
            before = self._pending.setdefault(seen.checkpoint.size, seen)
            _check_same_root(before, seen)
            if checks_now or len(self._pending) >= PENDING_MAX:
                self._check()

    def check(self) -> None:
        """Demand the proofs that all checkpoints seen since the last check come from one log.

        Raises:
            ForkedLog: they do not.
        """
        with self._lock:
            self._check()

    def _check(self) -> None:
        """Link each size to the next: a chain of proofs leaves no room for a second history."""
        if not self._pending:
            return
        waiting = list(self._pending.values())
        chain = sorted(waiting if self._newest is None else [self._newest, *waiting], key=_size)
        for first, second in itertools.pairwise(chain):
            self._link(first, second)
        if chain[-1] != self._newest:
            self._newest = chain[-1]
            self._store.save(chain[-1].text)
        self._pending.clear()

    def _link(self, first: _Seen, second: _Seen) -> None:
        ours, theirs = first.checkpoint, second.checkpoint
        if ours.size == theirs.size:
            _check_same_root(first, second)
            return
        proof = self._fetch_proof(ours.size, theirs.size)
        try:
            verify_consistency(ours.size, theirs.size, ours.root, theirs.root, proof)
        except InvalidProof as error:
            detail = f"no proof that the log of {theirs.size} leaves extends that of {ours.size}: {error}"
            raise ForkedLog(detail, first.text, second.text) from error


def _size(seen: _Seen) -> int:
    return seen.checkpoint.size


def _check_same_root(first: _Seen, second: _Seen) -> None:
    if first.checkpoint != second.checkpoint:
        raise ForkedLog("two checkpoints of one size have different roots", first.text, second.text)
