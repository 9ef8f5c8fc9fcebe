"""Making blocks durable, and finding out what became of an append that failed (design D20).

A commit that failed may have happened. Then nothing more is decided until a new epoch has shut the doubtful append
out and the head was read again. If the block is not there, the very same block is appended again, so that no second
checkpoint of its size is ever signed.
"""

import logging
import threading
from typing import Final

from ledger.log.block import Block
from ledger.log.block_store import AppendUncertain, BlockStore, Deposed, StoreBroken
from ledger.log.group import Sealed

RESOLVE_ATTEMPTS: Final = 6
"""How often a doubtful append is looked into before its senders are told that the outcome is unknown."""

RESOLVE_WAIT_S: Final = 0.25
"""Pause between two looks, in seconds; doubled each time."""

logger = logging.getLogger(__name__)


class InDoubt(Exception):
    """Whether the block is durable is not known. The cause tells whether it makes sense to look again."""

    def __init__(self, cause: AppendUncertain | Deposed | StoreBroken) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Committer:
    """The one who appends to a store."""

    def __init__(self, store: BlockStore, epoch: int, stopping: threading.Event) -> None:
        """Append to a store that is open under an epoch; ``stopping`` cuts the pauses between two looks short."""
        self._store = store
        self._stopping = stopping
        self._doubtful: Sealed | None = None
        self.epoch = epoch
        """The reign under which the next block is written."""

    def append(self, sealed: Sealed) -> None:
        """Make a block durable; when this returns, it is.

        Raises:
            Deposed: another node took over before; nothing was written.
            InDoubt: it may have been written. Settle that before the next block.
        """
        assert self._doubtful is None, "no block is made on one that is in doubt"
        try:
            self._store.append(sealed.block)
        except AppendUncertain as error:
            logger.warning("the outcome of block %s is in doubt: %s", sealed.block.height, error)
            self._doubtful = sealed
            self.settle(attempts=RESOLVE_ATTEMPTS)
        except StoreBroken as error:
            raise InDoubt(error) from error

    def settle(self, *, attempts: int = 1) -> Sealed | None:
        """Find out whether a doubtful block is there, and append it again if not; returns it once it is durable.

        None if no block is in doubt.

        Raises:
            InDoubt: the doubt lasts.
        """
        sealed = self._doubtful
        if sealed is None:
            return None
        looks = 0
        while self._doubtful is not None:
            looks += 1
            try:
                if not self._is_there(sealed.block):
                    self._store.append(sealed.block)
            except AppendUncertain as error:
                logger.warning("block %s is still in doubt: %s", sealed.block.height, error)
                if looks >= attempts:
                    raise InDoubt(error) from error
                self._stopping.wait(RESOLVE_WAIT_S * 2 ** (looks - 1))
            except (Deposed, StoreBroken) as error:
                raise InDoubt(error) from error
            else:
                self._doubtful = None
        return sealed

    def _is_there(self, block: Block) -> bool:
        """Shut the doubtful append out by a new epoch, then see whether it came through."""
        head = self._store.reopen()
        self.epoch = head.epoch
        if head.height < block.height:
            return False
        if head.digest != block.digest():
            raise Deposed(f"another block than the one in doubt stands at height {head.height}")
        return True
