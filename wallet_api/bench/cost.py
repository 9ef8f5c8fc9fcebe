"""What a transfer costs: processor time and bytes, of each process that has a part in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wallet_api.bench.figures import Figure, figure
from wallet_api.bench.node import Node
from wallet_api.bench.plan import Result

MICROSECONDS = 1_000_000
"""In a second."""


@dataclass(slots=True)
class Costs:
    """Costs of some transfers, one sample a run."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    """Microseconds of processor a transfer, by what a process is there for."""
    written_bytes: dict[str, list[float]] = field(default_factory=dict)
    """Bytes that were sent towards the disk, a transfer; the same rows may be written more than once."""

    def run(self, node: Node, transfers: int, send: Callable[[], Result]) -> tuple[Result, float]:
        """Send transfers and wait for the projections; returns the result and the moment they were caught up."""
        watched = node.watched()
        before = watched.look()
        result = send()
        caught_up_s = node.wait_for_views()
        for name, after in watched.look().items():
            taken = after - before[name]
            self.cpu_us.setdefault(name, []).append(MICROSECONDS * taken.cpu_s / transfers)
            self.written_bytes.setdefault(name, []).append(taken.written_bytes / transfers)
        self.cpu_us.setdefault("generator", []).append(MICROSECONDS * result.cpu_s / transfers)
        return result, caught_up_s

    def figures(self, prefix: str) -> Iterator[Figure]:
        """Yield them, their names after a prefix."""
        for name, samples in self.cpu_us.items():
            yield figure(f"{prefix}_{name}_cpu_us", "us", samples)
        for name, samples in self.written_bytes.items():
            yield figure(f"{prefix}_{name}_written_bytes", "bytes", samples)
