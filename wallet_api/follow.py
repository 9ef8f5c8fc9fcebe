"""The process that follows the log into the projections: ``python -m wallet_api.follow`` (design section 4, step 8).

The node starts it, wakes it through its standard input, and reads from its standard output how far it is. It ends with
its input. Only here do the rules of settlement meet the follower of the ledger.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from ledger.config import Settings
from ledger.log.replay import Replay
from ledger.log.stores import open_reader
from ledger.views.follower import Follower
from settlement.rules import RULEBOOKS
from wallet_api.collector import settle_collector

NICENESS: Final = 5
"""By how much the follower steps back behind the node where both want the processor."""


def follow_argv(settings: Settings) -> list[str]:
    """Return the command that follows a node's log."""
    return [
        sys.executable,
        "-P",
        "-m",
        "wallet_api.follow",
        f"--genesis={settings.genesis_file}",
        f"--blocks={settings.block_store_url}",
        f"--views={settings.view_store_url}",
        f"--snapshots={settings.snapshots}",
        f"--snapshot-every={settings.snapshot_every}",
    ]


def make_follower(stack: ExitStack, settings: Settings) -> Follower:
    """Return a follower of a node's log; what it opens is closed by the stack."""
    return _follower(
        stack,
        document=settings.genesis_file.read_bytes(),
        blocks_url=settings.block_store_url,
        views_url=settings.view_store_url,
        snapshots=settings.snapshots,
        snapshot_every=settings.snapshot_every,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Follow until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m wallet_api.follow", description=__doc__)
    parser.add_argument("--genesis", type=Path, required=True)
    parser.add_argument("--blocks", required=True)
    parser.add_argument("--views", required=True)
    parser.add_argument("--snapshots", type=Path, required=True)
    parser.add_argument("--snapshot-every", type=int, required=True)
    options = parser.parse_args(argv)
    # An interrupt at a terminal reaches both processes; the node ends this one when it has ended its own work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s follower %(levelname)s %(message)s")
    with ExitStack() as stack:
        follower = _follower(
            stack,
            document=options.genesis.read_bytes(),
            blocks_url=options.blocks,
            views_url=options.views,
            snapshots=options.snapshots,
            snapshot_every=options.snapshot_every,
        )
        follower.run(sys.stdin.buffer, sys.stdout.buffer, on_open=_settle)
    return 0


def _settle() -> None:
    """Go on as a long-lived process in the background: the node's own work goes first, projections may lag."""
    settle_collector()
    os.nice(NICENESS)


def _follower(
    stack: ExitStack, *, document: bytes, blocks_url: str, views_url: str, snapshots: Path, snapshot_every: int
) -> Follower:
    reader = stack.enter_context(closing(open_reader(blocks_url)))
    follower = Follower(
        reader,
        # The node checked each signature before it decided; every decision and every leaf is made again here.
        Replay(document, RULEBOOKS, checks_signatures=False),
        database_url=views_url,
        snapshots=snapshots,
        snapshot_every=snapshot_every,
    )
    return stack.enter_context(closing(follower))


if __name__ == "__main__":
    sys.exit(main())
