"""Snapshots: the state at a height, so that a restart replays only what came after (design D22).

A snapshot is written by replay, never by the node that decides, so a fault in memory is not made permanent. It is
believed only if its own digest holds and the block at its height is the one it was taken at.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from ledger.crypto.merkle import CompactRange
from ledger.crypto.note import parse_checkpoint
from ledger.log.block import Block
from ledger.log.block_store import BlockReader
from ledger.log.checkpoint_file import sync_directory
from ledger.log.group import Position
from ledger.log.replay import Replay
from ledger.rules.tables import ledger_of
from ledger.state import State
from ledger.units import TimestampUs

SNAPSHOTS_KEPT: Final = 2
"""How many snapshots stay: the newest, and one should the newest be damaged."""

SNAPSHOT_VERSION: Final = 2
"""Version of the file format; another one is passed over, and the blocks are replayed instead."""

_SUFFIX: Final = ".snapshot"


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    network: str
    height: int
    range: bytes
    block_digest: bytes
    rulebook: int
    state: list[bytes]


def write_snapshot(directory: Path, replay: Replay) -> Path:
    """Write the state of a replay, durably, and remove older snapshots but one."""
    directory.mkdir(parents=True, exist_ok=True)
    position = replay.position
    content = msgspec.msgpack.encode(
        _Snapshot(
            version=SNAPSHOT_VERSION,
            network=replay.network,
            height=position.height,
            range=position.range.to_bytes(),
            block_digest=position.digest,
            rulebook=ledger_of(replay.state).rulebook,
            state=list(replay.state.dump()),
        )
    )
    path = directory / f"{position.height:012d}{_SUFFIX}"
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        file.write(hashlib.sha256(content).digest() + content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_directory(directory)
    # Those above are of another history, or of another network: not this one's to remove.
    older = [other for other in _by_height(directory) if other.name < path.name]
    for old in older[SNAPSHOTS_KEPT - 1 :]:
        old.unlink(missing_ok=True)
    return path


def load_newest(directory: Path, replay: Replay, reader: BlockReader, *, height_max: int | None = None) -> bool:
    """Put a fresh replay at the newest snapshot that can be believed; whether there was one.

    Args:
        directory: where snapshots lie; it need not exist.
        replay: a replay that has taken in no block yet.
        reader: the blocks the snapshot must match.
        height_max: pass over snapshots above this height.
    """
    for path in _by_height(directory):
        snapshot = _read(path)
        if snapshot is None or snapshot.network != replay.network or snapshot.rulebook not in replay.rulebooks:
            continue
        if height_max is not None and snapshot.height > height_max:
            continue
        block = reader.read(snapshot.height)
        if block is None or not _matches(snapshot, block):
            continue
        try:
            state = State.load(replay.rulebooks[snapshot.rulebook].tables, snapshot.state)
        except (ValueError, msgspec.MsgspecError):
            # Of a release whose tables were others; the blocks tell the same.
            continue
        position = Position(block.height, TimestampUs(block.time_us), _range_after(snapshot), snapshot.block_digest)
        replay.resume(state, position, block.epoch, block.checkpoint)
        return True
    return False


def _matches(snapshot: _Snapshot, block: Block) -> bool:
    """Whether a snapshot was taken at this very block, and its tree is the one the block's checkpoint signs."""
    if block.digest() != snapshot.block_digest:
        return False
    checkpoint, _ = parse_checkpoint(block.checkpoint)
    try:
        tree = _range_after(snapshot)
    except ValueError:
        return False
    return (tree.size, tree.root()) == (checkpoint.size, checkpoint.root)


def _range_after(snapshot: _Snapshot) -> CompactRange:
    return CompactRange.from_bytes(snapshot.range)


def _by_height(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{_SUFFIX}"), reverse=True)


def _read(path: Path) -> _Snapshot | None:
    """A snapshot whose own digest holds; None for a torn, foreign or older file."""
    try:
        data = path.read_bytes()
    except OSError:
        # Removed meanwhile by whoever wrote a newer one, or not to be read.
        return None
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    try:
        snapshot = msgspec.msgpack.decode(data[32:], type=_Snapshot)
    except msgspec.MsgspecError:
        return None
    return snapshot if snapshot.version == SNAPSHOT_VERSION else None
