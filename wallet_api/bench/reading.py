"""Reading over HTTP, one request after the other: a balance, and pages of a short and of a long statement.

The long statement is that of an account with a posting in every entry of a large ledger; the short one is that of an
account with about a hundred in the same ledger. Of each, the newest page is read, and the oldest one.
"""

from collections.abc import Iterator
from typing import Any, Final

from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.node import Node

PAGE_LINES: Final = 50
"""Lines of a page of a statement: fewer than the short one has."""

STATEMENT_SHARE: Final = 10
"""One statement page is read for so many balances."""

ENDS: Final = {"": "", "_oldest": "&is_oldest_first=true"}
"""Pages that are read: what they add to the names of figures, and to the query."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the times of the median reads, the network of this machine included."""
    large = bench.large
    wallets = large.world.wallets
    balances = [f"/v1/accounts/{wallets[number % len(wallets)]}" for number in range(bench.scale.reads)]
    pages = max(1, bench.scale.reads // STATEMENT_SHARE)
    statements = {"short": _statement(large.short), "long": _statement(large.long)}
    of_balances: list[float] = []
    of_pages: dict[tuple[str, str], list[float]] = {}
    with large.running() as node:
        counts = {name: _line_count(node.fetch(path)) for name, path in statements.items()}
        for run in range(bench.scale.runs):
            bench.say(f"reads, run {run + 1} of {bench.scale.runs}")
            of_balances.append(_median_ms(node, balances))
            for end, query in ENDS.items():
                for name, path in statements.items():
                    of_pages.setdefault((name, end), []).append(_median_ms(node, [path + query] * pages))
    yield figure("balance_read_p50_ms", "ms", of_balances)
    for name, count in counts.items():
        yield figure(f"statement_{name}_postings", "entries", [count])
    for end in ENDS:
        for name in statements:
            yield figure(f"statement_{name}{end}_p50_ms", "ms", of_pages[name, end])
        yield ratio(f"statement{end}_long_vs_short", of_pages["long", end], of_pages["short", end])


def _statement(account: str) -> str:
    return f"/v1/accounts/{account}/statement?limit={PAGE_LINES}"


def _median_ms(node: Node, paths: list[str]) -> float:
    return node.read(paths).latencies_ms.p50


def _line_count(page: dict[str, Any]) -> int:
    count: int = page["line_count"]
    return count
