"""How long a node takes to be ready again: newest snapshot, then the blocks after it, as many as there may be.

As a program it is the probe: a fresh process opens the log of a folder and says how long that took.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from ledger.log.startup import open_log
from ledger.log.stores import open_store
from ledger.units import Kid
from settlement.rules import RULEBOOKS
from wallet_api.bench import books, probe
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure
from wallet_api.bench.world import bulks
from wallet_api.follow import make_follower
from wallet_api.sandbox.folder import read_document, read_log_key


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which node."""

    folder: str


class Restarted(msgspec.Struct, frozen=True, kw_only=True):
    """How it went."""

    seconds: float
    replayed_blocks: int
    size: int
    """Leaves in the log."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the seconds of a restart, and how fast the projections were built before it."""
    scale = bench.scale
    folder = bench.folder / "restarted"
    settings = books.settings_of(folder)
    books.found(folder, bench.world)
    blocks = -(-scale.restart_entries // scale.bulk_lines)
    # The worst moment to end is just before a snapshot; the follower is told of nothing after the newest one.
    tail = min(blocks // 2, -(-settings.snapshot_every // scale.bulk_lines))
    _write(bench, folder, blocks - tail)
    bench.say("following them: projections and snapshots as in operation")
    started = time.monotonic()
    with ExitStack() as stack:
        make_follower(stack, settings).catch_up()
    followed_s = time.monotonic() - started
    _write(bench, folder, tail)
    samples = []
    for run in range(scale.runs):
        bench.say(f"restart, run {run + 1} of {scale.runs}")
        restarted = probe.run(__spec__.name, Question(folder=str(folder)), Restarted)
        assert restarted.size > scale.restart_entries, "nothing was lost"
        assert restarted.replayed_blocks >= tail, "there is no snapshot of the tail"
        samples.append(restarted.seconds)
    yield figure("restart_s_1m", "s", samples)
    yield figure("views_entries_per_s", "1/s", [(blocks - tail) * scale.bulk_lines / followed_s])


def _write(bench: Bench, folder: Path, blocks: int) -> None:
    bench.say(f"writing {blocks * bench.scale.bulk_lines} entries")
    with books.sequencing(folder, bench.world.network) as sequencer:
        for _ in range(blocks):
            books.submit(sequencer, bulks(bench.world, 1, bench.scale.bulk_lines, is_hot=False, seed=bench.seed()))


def main() -> None:
    """Open the log of a folder, as a node does, and say how long that took."""
    folder = Path(probe.question(Question).folder)
    settings = books.settings_of(folder)
    log_key = read_log_key(folder)
    document = read_document(folder)
    started = time.perf_counter()
    with closing(open_store(settings.block_store_url, checkpoint_path=settings.checkpoint_file)) as store:
        opened = open_log(
            store, document, RULEBOOKS, snapshots=settings.snapshots, keyring={Kid(log_key.public.kid): log_key}
        )
        seconds = time.perf_counter() - started
    probe.answer(
        Restarted(seconds=seconds, replayed_blocks=opened.replayed_blocks, size=opened.replay.position.range.size)
    )


if __name__ == "__main__":
    main()
