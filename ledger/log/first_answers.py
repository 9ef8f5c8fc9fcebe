"""First answers, read back from the store: what a retry and a reader of an old transaction get (design D5)."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from ledger.log.answers import Answer, Job, Unavailable
from ledger.log.block_store import BlockStore, StoreBroken
from ledger.log.receipt_maker import ReceiptMaker
from ledger.log.receipts import Receipt
from ledger.model.outcome import Duplicate
from ledger.rules.opening import NotAdmissible
from ledger.rules.rulebook import Rulebook
from ledger.units import ParticipantId, Reference

BLOCKS_KEPT: Final = 4
"""Blocks kept in memory after a first answer was asked of them; each may hold 16 MiB of submissions. Retries come in
crowds, after the same pause of a node, and reading a block costs a hundred times what a receipt of it does."""


Older = Callable[[ParticipantId, Reference], tuple[bytes, int, int] | None]
"""Finds the first outcome of a reference older than the window: first 16 bytes of the transaction id, height, index."""


class FirstAnswers:
    """Receipts of durable blocks. May be asked from any thread."""

    def __init__(self, network: str, store: BlockStore, rulebooks: Mapping[int, Rulebook]) -> None:
        """Read from a store that is open; the rulebooks are all those its blocks were decided by."""
        self._network = network
        self._store = store
        self._rulebooks = rulebooks
        self._makers: OrderedDict[int, ReceiptMaker] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, height: int, index: int) -> Receipt:
        """Return the receipt of a submission of a durable block: the same as its sender got the first time.

        Raises:
            Unavailable: the store cannot be read now.
        """
        return self._maker(height).of_submission(index)

    def _maker(self, height: int) -> ReceiptMaker:
        with self._lock:
            maker = self._makers.get(height)
            if maker is not None:
                self._makers.move_to_end(height)
                return maker
        try:
            block = self._store.read(height)
        except (StoreBroken, SQLAlchemyError) as error:
            raise Unavailable("store_unavailable", f"block {height} cannot be read now") from error
        assert block is not None, "a first outcome stands in a durable block"
        maker = ReceiptMaker.of_block(self._network, block, self._rulebooks)
        with self._lock:
            self._makers[height] = maker
            while len(self._makers) > BLOCKS_KEPT:
                self._makers.popitem(last=False)
        return maker


def look_up_older(older: Older, job: Job, expired: NotAdmissible) -> Answer:
    """A reference too old for the window: its first outcome stands in the projections, if it has one (design D5)."""
    assert job.signed is not None, "a decided job was opened"
    transaction = job.signed.transaction
    try:
        found = older(transaction.participant, transaction.reference)
    except Unavailable as error:
        return error
    if found is None:
        return expired
    transaction_id, height, index = found
    if transaction_id[:16] != job.signed.transaction_id[:16]:
        return NotAdmissible("reference_reused", f"reference {transaction.reference} was decided with another payload")
    return Duplicate(height, index)
