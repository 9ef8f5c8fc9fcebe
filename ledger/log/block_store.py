"""Where blocks are kept: the contract and its failures. ``ledger.log.stores`` chooses the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.log.block import DIGEST_BYTES, Block

NO_HEIGHT: Final = -1
"""The height of a head before the genesis block."""

NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""The digest of a head before the genesis block."""


@dataclass(frozen=True, slots=True)
class Head:
    """The one row that says which block is the newest, and whose reign it is."""

    epoch: int
    """The reign; each opening and reopening raises it."""
    height: int
    """Height of the newest block; -1 when there is none."""
    digest: bytes
    """``Block.digest()`` of the newest block; 32 zero bytes when there is none."""
    size: int
    """Leaves in the log; 0 when there is no block."""
    checkpoint: str
    """The newest block's signed checkpoint; empty when there is no block."""


class StoreInUse(Exception):
    """Another node holds the lock, and a take-over was not asked for."""


class Deposed(Exception):
    """The head row no longer carries our epoch and height: somebody took over. Never write again."""


class AppendUncertain(Exception):
    """The append failed, or seemed to: it may have happened. ``reopen()`` tells."""


class StoreBroken(Exception):
    """The disk or the database is damaged or full: nothing it says can be relied on. Stop the process."""


class HeadBehind(Exception):
    """The checkpoint kept outside the database is newer than the head: blocks were lost."""


class BlockReader(Protocol):
    """What a follower, an export or a restart needs: reading, while the node may be running."""

    def head(self) -> Head:
        """Return the head row as it stands now."""

    def read(self, height: int) -> Block | None:
        """Return the block at ``height``, or None."""

    def read_by_sequence(self, sequence: int) -> Block | None:
        """Return the block that holds the leaf with index ``sequence``, or None."""

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        """Yield the blocks from ``first_height`` on, in order, in bounded memory."""

    def close(self) -> None:
        """Give back connections and locks. May be called twice."""


class BlockStore(BlockReader, Protocol):
    """One writer's access to the blocks."""

    def open(self, *, take_over: bool = False) -> Head:
        """Take the lock, begin a new epoch, and return the head. Once, before anything else."""

    def append(self, block: Block) -> None:
        """Make ``block`` durable behind the head, in one transaction."""

    def reopen(self) -> Head:
        """After ``AppendUncertain``: begin a new epoch on fresh connections and return the head."""
