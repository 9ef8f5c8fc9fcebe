"""The process that opens submissions for a node or a verification: ``python -m wallet_api.open_submissions`` (0010).

Whoever starts it writes submissions to its standard input and reads from its standard output what they are. It ends
with its input. Only here do the rules of settlement meet the opener of the ledger.
"""

import signal
import sys
from collections.abc import Sequence

from ledger.log.opener import run_opener
from ledger.log.opener_process import OpenerProcess
from settlement.rules import RULEBOOKS
from wallet_api.collector import settle_collector


def openers(network: str, count: int) -> list[OpenerProcess]:
    """Return so many openers of submissions to a network; none is started yet.

    They run the program that is installed, whatever lies in the folder where an auditor works.
    """
    return [OpenerProcess([sys.executable, "-P", "-m", "wallet_api.open_submissions", network]) for _ in range(count)]


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
