"""A follower as a process: genesis document, block store URL, views URL and snapshot folder as arguments."""

import sys
from pathlib import Path

from ledger.log.replay import Replay
from ledger.log.stores import open_reader
from ledger.views.follower import Follower
from tests.book import CORE_RULEBOOK


def main() -> None:
    document, blocks_url, views_url, snapshots = sys.argv[1:]
    follower = Follower(
        open_reader(blocks_url),
        Replay(Path(document).read_bytes(), {1: CORE_RULEBOOK}),
        database_url=views_url,
        snapshots=Path(snapshots),
        snapshot_every=100,
    )
    follower.run(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
