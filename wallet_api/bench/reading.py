"""Reading a balance over HTTP, one request after the other."""

from collections.abc import Iterator
from statistics import median

from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the time of the median read, the network of this machine included."""
    wallets = bench.world.wallets
    paths = [f"/v1/accounts/{wallets[number % len(wallets)]}" for number in range(bench.scale.reads)]
    samples = []
    for run in range(bench.scale.runs):
        bench.say(f"balance reads, run {run + 1} of {bench.scale.runs}")
        samples.append(median(bench.node.read(paths, connections=1).latencies_ms))
    yield figure("balance_read_p50_ms", "ms", samples)
