"""Books: a node's folder filled in this process, by the sequencer itself and without HTTP."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from ledger.clock import SystemClock
from ledger.log.receipts import Receipt
from ledger.log.sequencer import Sequencer
from ledger.log.startup import open_log
from ledger.log.stores import open_store
from ledger.units import Kid
from settlement.rules import RULEBOOKS
from wallet_api.bench.place import Place
from wallet_api.bench.world import World, founding
from wallet_api.sandbox.folder import write_folder
from wallet_api.sandbox.network import Network

BULKS_AT_ONCE: Final = 4
"""Bulks under way at the same time: enough that one is always ready to be decided, and half of what may wait."""


class Unexpected(Exception):
    """A submission of the benchmark was refused."""


def found(place: Place, world: World) -> None:
    """Write a node's folder and bring the world about there.

    Raises:
        Unexpected: the ledger refused a part of it.
    """
    write_folder(place.folder, world.network)
    with sequencing(place, world.network) as sequencer:
        for submission in founding(world):
            submit(sequencer, [submission])


@contextmanager
def sequencing(place: Place, network: Network) -> Iterator[Sequencer]:
    """Run the sequencer of a node."""
    settings = place.settings
    keyring = {Kid(network.log_key.public.kid): network.log_key}
    with closing(open_store(settings.block_store_url, checkpoint_path=settings.checkpoint_file)) as store:
        opened = open_log(store, network.document, RULEBOOKS, snapshots=settings.snapshots, keyring=keyring)
        sequencer = Sequencer(
            store=store, replay=opened.replay, epoch=opened.epoch, keyring=keyring, clock=SystemClock()
        )
        sequencer.start()
        try:
            yield sequencer
        finally:
            sequencer.stop()


def submit(sequencer: Sequencer, submissions: Iterable[bytes], *, at_once: int = BULKS_AT_ONCE) -> None:
    """Have submissions decided, several at once.

    Raises:
        Unexpected: one was refused.
    """
    asyncio.run(_submit(sequencer, submissions, at_once))


async def _submit(sequencer: Sequencer, submissions: Iterable[bytes], at_once: int) -> None:
    waiting = iter(submissions)

    async def lane() -> None:
        for submission in waiting:
            _check(await sequencer.submit(submission))

    await asyncio.gather(*(lane() for _ in range(at_once)))


def _check(receipt: Receipt) -> None:
    if receipt.outcome != "accepted":
        raise Unexpected(f"expected {receipt.kind} to be accepted, got {receipt.code}")
    if receipt.bulk is not None and receipt.bulk.refused_lines:
        line, code = next(iter(receipt.bulk.refused_lines.items()))
        raise Unexpected(f"expected every line to be accepted, got {code} for line {line}")
