"""Bulks over HTTP: one signature each, durable, every line its own leaf, projections caught up."""

import time
from collections.abc import Iterator

from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.world import bulks


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield lines a second until the projections include the last, until the last receipt, and hot against uniform."""
    scale = bench.scale
    lines = scale.bulks * scale.bulk_lines
    caught_up: dict[bool, list[float]] = {False: [], True: []}
    answered: list[float] = []
    _run(bench, 1, is_hot=False)
    for run in range(scale.runs):
        for is_hot in (False, True):
            bench.say(f"bulks, run {run + 1} of {scale.runs}{': hot' if is_hot else ''}")
            until_answered, until_caught_up = _run(bench, scale.bulks, is_hot=is_hot)
            caught_up[is_hot].append(lines / until_caught_up)
            if not is_hot:
                answered.append(lines / until_answered)
    yield figure("bulk_http_lines_per_s", "1/s", caught_up[False])
    yield figure("bulk_http_answered_lines_per_s", "1/s", answered)
    yield ratio("hot_vs_uniform", caught_up[True], caught_up[False])


def _run(bench: Bench, count: int, *, is_hot: bool) -> tuple[float, float]:
    """Seconds until the last receipt, and until the projections include everything."""
    scale = bench.scale
    sent = bulks(bench.world, count, scale.bulk_lines, is_hot=is_hot, seed=bench.seed())
    result = bench.node.submit(sent, connections=scale.bulk_connections, with_token=True)
    bench.node.wait_for_views()
    until_caught_up = time.monotonic() - result.started_s
    bench.node.check_receipt(sent[-1])
    return result.seconds, until_caught_up
