"""Single transfers over HTTP against the textbook ledger: one signature, one request, one receipt each.

A closed loop tells the throughput, in the same run as that of the textbook ledgers. What it comes to is the peak that
the loads of :mod:`wallet_api.bench.open_loop` are shares of.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

from wallet_api.bench import open_loop
from wallet_api.bench.bench import Bench
from wallet_api.bench.cost import Costs
from wallet_api.bench.figures import Figure, Measured, figure, ratio
from wallet_api.bench.node import Node
from wallet_api.bench.payments import HOT, UNIFORM, Singles, singles
from wallet_api.bench.percentiles import Percentiles
from wallet_api.bench.plan import Result

WARM_UP_SHARE: Final = 10
"""One in so many transfers of a run is sent beforehand, uncounted: caches, prepared statements, connections."""

OURS: Final = "single"
"""Our own ledger, among those compared."""

Pay = Callable[[Singles], Result]
"""Sends transfers to one of the ledgers."""


def measure(bench: Bench) -> Iterator[Measured]:
    """Yield throughput, cost and latencies of ours, both textbook ledgers, and what a hot account costs each."""
    costs = {False: Costs(), True: Costs()}
    rates: dict[tuple[str, bool], list[float]] = {}
    latencies: list[Percentiles] = []
    _warm_up(bench, _ledgers(bench, Costs()))
    for run in range(bench.scale.runs):
        for is_hot in (False, True):
            mix = HOT if is_hot else bench.options.mix
            # One ledger after the other within each run, so that all of them see the same machine.
            for name, pay in _ledgers(bench, costs[is_hot]).items():
                bench.say(f"single transfers, run {run + 1} of {bench.scale.runs}: {name}{', hot' if is_hot else ''}")
                count = bench.scale.textbook_hot_singles if is_hot and name != OURS else bench.scale.singles
                sent = singles(bench.world, count, mix, seed=bench.seed())
                result = pay(sent)
                rates.setdefault((name, is_hot), []).append(result.sent / result.seconds)
                if name == OURS and not is_hot:
                    latencies.append(result.latencies_ms)
    yield from _figures([name for name, is_hot in rates if not is_hot], rates, latencies)
    yield from costs[False].figures(OURS)
    yield from open_loop.measure(bench, peak_per_s=median(rates[OURS, False]))


def pay_in_closed_loop(bench: Bench, node: Node, sent: Singles, costs: Costs) -> Result:
    """Send transfers to a node in a closed loop, wait for its projections and prove the receipt of one accepted."""
    result, _ = costs.run(node, len(sent.submissions), lambda: node.pay(sent, connections=bench.scale.connections))
    if sent.last_accepted is not None:
        node.check_single(sent.last_accepted)
    return result


def _ledgers(bench: Bench, costs: Costs) -> dict[str, Pay]:
    connections = bench.scale.connections
    ledgers: dict[str, Pay] = {OURS: lambda sent: pay_in_closed_loop(bench, bench.node, sent, costs)}
    if bench.yardsticks is not None:
        plain, tuned = bench.yardsticks
        ledgers["textbook"] = lambda sent: plain.pay(sent, connections=connections)
        ledgers["tuned_textbook"] = lambda sent: tuned.pay(sent, connections=connections)
    return ledgers


def _warm_up(bench: Bench, ledgers: dict[str, Pay]) -> None:
    count = max(bench.scale.connections, bench.scale.singles // WARM_UP_SHARE)
    for name, pay in ledgers.items():
        bench.say(f"warming up: {name}")
        pay(singles(bench.world, count, UNIFORM, seed=bench.seed()))


def _figures(
    names: list[str], rates: dict[tuple[str, bool], list[float]], latencies: list[Percentiles]
) -> Iterator[Figure]:
    yield figure("single_http_per_s", "1/s", rates[OURS, False])
    yield figure("single_http_p50_ms", "ms", [each.p50 for each in latencies])
    yield figure("single_http_p99_ms", "ms", [each.p99 for each in latencies])
    yield figure("single_http_p999_ms", "ms", [each.p999 for each in latencies])
    for name in names[1:]:
        yield figure(f"{name}_http_per_s", "1/s", rates[name, False])
        yield ratio(f"single_http_vs_{name}", rates[OURS, False], rates[name, False])
    for name in names:
        yield ratio(f"{name}_hot_vs_uniform", rates[name, True], rates[name, False])
