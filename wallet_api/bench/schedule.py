"""When requests are meant to be sent: at once, or at a stated rate whatever the answers do.

A latency is counted from the moment a request was *meant* to be sent. In an open loop that moment does not wait for
anybody: a request that finds every connection busy, or the generator itself late, has waited since, and its latency
says so. Otherwise a server that stalls would be asked less while it stalls and look fast (coordinated omission).
"""

from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """Says how many requests are due, and since when."""

    def due(self, now_s: float) -> int:
        """Return how many requests are meant to have been sent by now, from the start on."""
        ...

    def intended_s(self, number: int, now_s: float) -> float:
        """Return when request ``number``, from 0, is meant to be sent; never later than ``now_s`` if it is due."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """Closed loop: a connection sends its next request when it has the answer to the last."""

    count: int
    """Requests in all."""

    def due(self, _now_s: float) -> int:
        """All of them, always."""
        return self.count

    def intended_s(self, _number: int, now_s: float) -> float:
        """Now: nobody meant it to be sent before the connection was free."""
        return now_s


@dataclass(frozen=True, slots=True)
class Open:
    """Open loop: evenly spaced at a rate."""

    count: int
    """Requests in all."""
    rate_per_s: float
    started_s: float
    """When the first is meant to be sent."""

    def due(self, now_s: float) -> int:
        """Those whose moment has come."""
        if now_s < self.started_s:
            return 0
        return min(self.count, int((now_s - self.started_s) * self.rate_per_s) + 1)

    def intended_s(self, number: int, _now_s: float) -> float:
        """Its place in the even spacing."""
        return self.started_s + number / self.rate_per_s

    @property
    def ends_s(self) -> float:
        """When the last interval is over."""
        return self.started_s + self.count / self.rate_per_s
