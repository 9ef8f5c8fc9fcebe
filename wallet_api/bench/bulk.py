"""Bulks over HTTP: one signature each, durable, every line its own leaf, projections caught up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wallet_api.bench.bench import Bench
from wallet_api.bench.cost import Costs
from wallet_api.bench.figures import Measured, figure, ratio
from wallet_api.bench.lag import Lag, Lookout
from wallet_api.bench.node import Node
from wallet_api.bench.payments import HOT, UNIFORM, Bulk, Mix, bulks


@dataclass(frozen=True, slots=True)
class Ran:
    """How some bulks went."""

    lines: int
    answered_s: float
    """Seconds until the last receipt."""
    caught_up_s: float
    """Seconds until the projections included the last line."""
    worst: Lag
    """Of the projections, meanwhile."""
    at_end: Lag
    """The same when the last receipt had come."""

    @property
    def answered_per_s(self) -> float:
        """Lines a second until the last receipt."""
        return self.lines / self.answered_s

    @property
    def caught_up_per_s(self) -> float:
        """Lines a second until the projections included the last line."""
        return self.lines / self.caught_up_s


def measure(bench: Bench) -> Iterator[Measured]:
    """Yield lines a second until the projections include the last, until the last receipt, and hot against uniform."""
    costs = Costs()
    uniform: list[Ran] = []
    hot: list[Ran] = []
    run_bulks(bench, bench.node, drawn(bench, 1, UNIFORM), Costs())
    for run in range(bench.scale.runs):
        bench.say(f"bulks, run {run + 1} of {bench.scale.runs}")
        uniform.append(run_bulks(bench, bench.node, drawn(bench, bench.scale.bulks, bench.options.mix), costs))
        bench.say(f"bulks, run {run + 1} of {bench.scale.runs}: hot")
        hot.append(run_bulks(bench, bench.node, drawn(bench, bench.scale.bulks, HOT), Costs()))
    yield figure("bulk_http_lines_per_s", "1/s", [ran.caught_up_per_s for ran in uniform])
    yield figure("bulk_http_answered_lines_per_s", "1/s", [ran.answered_per_s for ran in uniform])
    yield ratio("hot_vs_uniform", [ran.caught_up_per_s for ran in hot], [ran.caught_up_per_s for ran in uniform])
    yield ratio("hot_vs_uniform_answered", [ran.answered_per_s for ran in hot], [ran.answered_per_s for ran in uniform])
    yield figure("views_lag_max_entries", "entries", [ran.worst.entries for ran in uniform])
    yield figure("views_lag_max_ms", "ms", [ran.worst.ms for ran in uniform])
    yield figure("views_lag_end_entries", "entries", [ran.at_end.entries for ran in uniform])
    yield figure("views_lag_end_ms", "ms", [1_000 * (ran.caught_up_s - ran.answered_s) for ran in uniform])
    yield from costs.figures("bulk")


def drawn(bench: Bench, count: int, mix: Mix) -> list[Bulk]:
    """Return signed bulks of the usual length."""
    return list(bulks(bench.world, [bench.scale.bulk_lines] * count, mix, seed=bench.seed()))


def run_bulks(bench: Bench, node: Node, sent: Sequence[Bulk], costs: Costs) -> Ran:
    """Send bulks to a node in a closed loop, wait for its projections and prove the last receipt."""
    lines = sum(bulk.lines for bulk in sent)
    submissions = [bulk.submission for bulk in sent]
    with Lookout(node.look) as lookout:
        result, caught_up_s = costs.run(
            node, lines, lambda: node.submit(submissions, connections=bench.scale.bulk_connections)
        )
    node.check_bulk(sent[-1])
    return Ran(
        lines=lines,
        answered_s=result.seconds,
        caught_up_s=caught_up_s - result.started_s,
        worst=lookout.worst(),
        at_end=lookout.at_end_of_load(result.started_s + result.seconds),
    )
