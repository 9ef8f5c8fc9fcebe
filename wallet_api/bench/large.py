"""A large ledger, written by the sequencer itself without HTTP and followed as in operation.

One account pays every entry, so its statement is as long as the ledger; what it pays is spread over all others.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ledger.units import AccountId
from wallet_api.bench import books
from wallet_api.bench.node import Node
from wallet_api.bench.payments import HOT, bulks
from wallet_api.bench.place import Place
from wallet_api.bench.world import World
from wallet_api.follow import make_follower

SEED = 1
"""Draws its payments: the same in each run of the benchmark."""


@dataclass(frozen=True, slots=True)
class Large:
    """The ledger, and how it came about."""

    world: World
    place: Place
    entries: int
    followed_per_s: float
    """Entries a second that went into the projections, with nothing else going on."""
    tail: int
    """Blocks at its end that no snapshot and no projection holds until a node runs."""

    @property
    def long(self) -> AccountId:
        """The account with a posting in every entry."""
        return self.world.wallets[0]

    @property
    def short(self) -> AccountId:
        """An account with its share of the postings."""
        return self.world.wallets[1]

    @contextmanager
    def running(self) -> Iterator[Node]:
        """Run a node on it, its projections caught up."""
        with Node(self.place, self.world) as node:
            node.wait_for_views()
            yield node


def make(place: Place, world: World, *, blocks: int, bulk_lines: int, say: Callable[[str], None]) -> Large:
    """Make one of so many bulks, a block each."""
    books.found(place, world)
    settings = place.settings
    # The worst moment to end is just before a snapshot; the follower is told of nothing after the newest one.
    tail = min(blocks // 2, -(-settings.snapshot_every // bulk_lines))
    sent = bulks(world, [bulk_lines] * blocks, HOT, seed=SEED)

    def write(count: int) -> None:
        say(f"writing a large ledger: {count * bulk_lines} entries")
        with books.sequencing(place, world.network) as sequencer:
            for _ in range(count):
                books.submit(sequencer, [next(sent).submission])

    write(blocks - tail)
    say("following them: projections and snapshots as in operation")
    started = time.monotonic()
    with ExitStack() as stack:
        make_follower(stack, settings).catch_up()
    followed_per_s = (blocks - tail) * bulk_lines / (time.monotonic() - started)
    write(tail)
    return Large(world, place, blocks * bulk_lines, followed_per_s, tail)
