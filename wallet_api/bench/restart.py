"""How long a node takes to be ready again: newest snapshot, then the blocks after it, as many as there may be.

As a program it is the probe: a fresh process opens the log of a place and says how long that took.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from ledger.log.startup import open_log
from ledger.log.stores import open_store
from ledger.units import Kid
from settlement.rules import RULEBOOKS
from wallet_api.bench import books, probe
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure
from wallet_api.bench.payments import UNIFORM, bulks, split
from wallet_api.bench.place import Place
from wallet_api.sandbox.folder import read_document, read_log_key


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which node."""

    folder: str
    urls: dict[str, str]
    """As in ``Place``."""


class Restarted(msgspec.Struct, frozen=True, kw_only=True):
    """How it went."""

    seconds: float
    replayed_blocks: int
    size: int
    """Leaves in the log."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the seconds of a restart, and how fast the projections were built before it."""
    large = bench.large
    samples = []
    for run in range(bench.scale.runs):
        bench.say(f"restart, run {run + 1} of {bench.scale.runs}")
        restarted = restart(large.place)
        assert restarted.size > large.entries, "nothing was lost"
        assert restarted.replayed_blocks >= large.tail, "there is no snapshot of the tail"
        samples.append(restarted.seconds)
    yield figure("restart_s_1m", "s", samples)
    yield figure("views_entries_per_s", "1/s", [large.followed_per_s])


def figures(bench: Bench, place: Place, label: str) -> Iterator[Figure]:
    """Yield the seconds of a restart of a node that was stopped, at the worst moment: just before a snapshot.

    So many entries as lie between two snapshots are added first; no follower is told of them.
    """
    bench.say(f"restart at {label} entries")
    tail = bulks(bench.world, split(place.settings.snapshot_every, bench.scale.bulk_lines), UNIFORM, seed=bench.seed())
    with books.sequencing(place, bench.world.network) as sequencer:
        books.submit(sequencer, (bulk.submission for bulk in tail))
    restarts = [restart(place) for _ in range(bench.scale.runs)]
    yield figure(f"restart_s_{label}", "s", [each.seconds for each in restarts])
    yield figure(f"restart_{label}_replayed_blocks", "blocks", [each.replayed_blocks for each in restarts])


def restart(place: Place) -> Restarted:
    """Open the log of a place, where no node runs, in a fresh process."""
    return probe.run(__spec__.name, Question(folder=str(place.folder), urls=dict(place.urls)), Restarted)


def main() -> None:
    """Open the log of a place, as a node does, and say how long that took."""
    question = probe.question(Question)
    folder = Path(question.folder)
    settings = Place(folder, question.urls).settings
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
