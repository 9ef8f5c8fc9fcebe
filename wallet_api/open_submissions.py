"""The process that opens submissions for the node: ``python -m wallet_api.open_submissions`` (decision 0010).

The node starts it, writes submissions to its standard input and reads from its standard output what they are. It ends
with its input. Only here do the rules of settlement meet the opener of the ledger.
"""

import signal
import sys
from collections.abc import Sequence

from ledger.log.opener import run_opener
from settlement.rules import RULEBOOKS
from wallet_api.collector import settle_collector


def open_argv(network: str) -> list[str]:
    """Return the command that opens submissions to a network."""
    return [sys.executable, "-m", "wallet_api.open_submissions", network]


def main(argv: Sequence[str]) -> int:
    """Open until the standard input ends."""
    (network,) = argv
    # An interrupt at a terminal reaches all processes; the node ends this one when it has ended its own work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle_collector()
    run_opener(sys.stdin.buffer, sys.stdout.buffer, RULEBOOKS, network)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
