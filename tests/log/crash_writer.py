"""A node under load, to be killed: `python -m tests.log.crash_writer URL SEED`.

Each line of its output is `sent` or `answered`, and the base64 of a submission or of a receipt, tab-separated. What
is sent is written before it is submitted, so whoever reads the pipe to its end knows everything that may be in the log.
"""

import asyncio
import base64
import os
import random
import sys
from pathlib import Path

from ledger.clock import ScriptedClock
from ledger.log.receipts import Receipt
from ledger.log.sequencer import Sequencer
from ledger.log.startup import open_log
from ledger.log.stores import open_store
from ledger.units import TimestampUs
from tests.book import CORE_RULEBOOK, START_US, Book, reference_at
from tests.log.node import A_ONE, A_OWN, A_TWO, log_keyring, receipt_bytes
from tests.rules.bodies import bulk, pay

SENDERS = 16


def main(url: str, seed: int) -> None:
    """Submit until killed."""
    book = Book()
    store = open_store(url)
    opened = open_log(store, book.document, {1: CORE_RULEBOOK}, snapshots=Path("/nonexistent"), keyring=log_keyring())
    clock = ScriptedClock(TimestampUs(max(START_US, opened.replay.position.time_us) + 1))
    sequencer = Sequencer(store=store, replay=opened.replay, epoch=opened.epoch, keyring=log_keyring(), clock=clock)
    sequencer.start()
    asyncio.run(_load(book, sequencer, clock, random.Random(seed)))


async def _load(book: Book, sequencer: Sequencer, clock: ScriptedClock, choice: random.Random) -> None:
    async def sender() -> None:
        while True:
            book.time_us = int(clock.now_us())
            raw = _submission(book, choice)
            _say("sent", raw)
            receipt: Receipt = await sequencer.submit(raw)
            _say("answered", receipt_bytes(receipt))

    await asyncio.gather(*(sender() for _ in range(SENDERS)))


def _submission(book: Book, choice: random.Random) -> bytes:
    reference = reference_at(book.time_us, int.from_bytes(os.urandom(7)))
    if choice.random() < 0.2:
        lines = [(A_OWN, choice.choice((A_ONE, A_TWO)), choice.randint(1, 9)) for _ in range(20)]
        return book.signed("bulk_transfer", bulk(*lines, is_atomic=False), by="bank-a", reference=reference)
    return book.signed("transfer", pay(A_OWN, A_ONE, choice.randint(1, 9)), by="bank-a", reference=reference)


def _say(what: str, data: bytes) -> None:
    # One system call for each line: what was written before the kill is in the pipe, whole.
    os.write(1, b"%s\t%s\n" % (what.encode(), base64.b64encode(data)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
