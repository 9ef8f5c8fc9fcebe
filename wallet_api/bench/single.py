"""Single transfers over HTTP against the textbook ledger: one signature, one request, one receipt each."""

from collections.abc import Callable, Iterator
from statistics import median

from wallet_api.bench import load
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.world import singles

WARM_UP_SHARE = 10
"""One in so many transfers of a run is sent beforehand, uncounted: caches, prepared statements, connections."""

Submit = Callable[[list[bytes]], load.Result]
"""Sends transfers to one of the ledgers."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield throughput of ours and of both textbook ledgers, their ratios, and what a hot account costs each."""
    connections = bench.scale.connections
    ledgers: dict[str, Submit] = {"single": lambda sent: bench.node.submit(sent, connections=connections)}
    if bench.yardsticks is not None:
        plain, tuned = bench.yardsticks
        ledgers["textbook"] = lambda sent: plain.submit(sent, connections=connections)
        ledgers["tuned_textbook"] = lambda sent: tuned.submit(sent, connections=connections)
    for name, submit in ledgers.items():
        bench.say(f"warming up: {name}")
        submit(
            singles(
                bench.world, max(connections, bench.scale.singles // WARM_UP_SHARE), is_hot=False, seed=bench.seed()
            )
        )
    rates: dict[tuple[str, bool], list[float]] = {}
    latencies: list[load.Result] = []
    for run in range(bench.scale.runs):
        for is_hot in (False, True):
            # One ledger after the other within each run, so that all of them see the same machine.
            for name, submit in ledgers.items():
                bench.say(f"single transfers, run {run + 1} of {bench.scale.runs}: {name}{', hot' if is_hot else ''}")
                sent = singles(bench.world, bench.scale.singles, is_hot=is_hot, seed=bench.seed())
                result = submit(sent)
                rates.setdefault((name, is_hot), []).append(len(sent) / result.seconds)
                if name == "single":
                    bench.node.check_receipt(sent[-1])
                    bench.node.wait_for_views()
                    if not is_hot:
                        latencies.append(result)
    yield figure("single_http_per_s", "1/s", rates["single", False])
    yield figure("single_http_p50_ms", "ms", [median(result.latencies_ms) for result in latencies])
    yield figure("single_http_p99_ms", "ms", [_p99(result.latencies_ms) for result in latencies])
    for name in list(ledgers)[1:]:
        yield figure(f"{name}_http_per_s", "1/s", rates[name, False])
        yield ratio(f"single_http_vs_{name}", rates["single", False], rates[name, False])
    for name in ledgers:
        yield ratio(f"{name}_hot_vs_uniform", rates[name, True], rates[name, False])


def _p99(latencies_ms: list[float]) -> float:
    return sorted(latencies_ms)[min(len(latencies_ms) - 1, len(latencies_ms) * 99 // 100)]
