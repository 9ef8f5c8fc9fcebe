"""How much of an amount could have come back: a largest flow through payments in their order (rule 13).

Money is all alike, so the question is not which tiyn came back but how many could have: whoever sends a stranger his
money first, and the buyer other money later, is found as well. Up to three payments the answer is exact.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SOURCE: Final = "source"
"""Party that all accounts of the one who received the amount belong to."""

SINK: Final = "sink"
"""Party that all accounts of the one who paid it belong to."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment from party to party; where one group has several parties, all are the source or the sink."""

    payer: str
    payee: str
    amount: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What could have come back, and the payments through which."""

    amount: int
    transactions: tuple[str, ...]
    """In their order."""


def returned(payments: Iterable[Payment], *, amount: int, hops: int) -> Returned:
    """Return how much of an amount at the source could have reached the sink.

    Args:
        payments: after the sale and within the window, in their order.
        amount: what the source received.
        hops: through at most how many payments, 1 to 3.
    """
    ordered = list(payments)
    network, places = _network(ordered, hops)
    total = 0
    while total < amount and (path := network.path()):
        part = min(amount - total, *(network.room[edge] for edge in path))
        network.push(path, part)
        total += part
    used = [payment.transaction for payment, place in zip(ordered, places, strict=True) if network.has_flow(place)]
    return Returned(total, tuple(dict.fromkeys(used)))


class _Network:
    """Nodes from 0 on, and edges in pairs: each with the one that takes its flow back beside it."""

    def __init__(self) -> None:
        self.room: list[int] = []
        """What each edge still takes."""
        self._ends: list[int] = []
        self._edges: list[list[int]] = []

    def node(self) -> int:
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, start: int, end: int, room: int) -> int:
        for one, other, most in ((start, end, room), (end, start, 0)):
            self._edges[one].append(len(self.room))
            self._ends.append(other)
            self.room.append(most)
        return len(self.room) - 2

    def has_flow(self, edges: Iterable[int]) -> bool:
        return any(self.room[edge + 1] for edge in edges)

    def push(self, path: Iterable[int], amount: int) -> None:
        for edge in path:
            self.room[edge] -= amount
            self.room[edge ^ 1] += amount

    def path(self) -> list[int]:
        """The edges of a shortest way with room from the source to the sink; empty: there is none."""
        found = {_SOURCE_NODE: -1}
        waiting = deque([_SOURCE_NODE])
        while waiting and _SINK_NODE not in found:
            node = waiting.popleft()
            for edge in self._edges[node]:
                if self.room[edge] and self._ends[edge] not in found:
                    found[self._ends[edge]] = edge
                    waiting.append(self._ends[edge])
        path: list[int] = []
        node = _SINK_NODE
        while (edge := found.get(node, -1)) >= 0:
            path.append(edge)
            node = self._ends[edge ^ 1]
        return path


_SOURCE_NODE: Final = 0
_SINK_NODE: Final = 1


def _network(payments: Sequence[Payment], hops: int) -> tuple[_Network, list[tuple[int, ...]]]:
    """The network in time, and the edges that stand for each payment.

    A node is what a party has after a payment, received through so many payments; it keeps that until the next one.
    What reaches the sink may have come through any number of payments up to the last but one, so that its payment is
    one edge. With three hops every other payment is one edge too: out of the source it is the first, else the second.
    """
    network = _Network()
    network.node(), network.node()
    room = sum(payment.amount for payment in payments)
    held: dict[tuple[str, int], int] = {}
    places: list[tuple[int, ...]] = []
    for payment in payments:
        if payment.payer == payment.payee or payment.payee == SOURCE or payment.payer == SINK:
            places.append(())
        elif payment.payee == SINK:
            places.append(_to_sink(network, payment, held, room, hops))
        elif payment.payer == SOURCE:
            places.append(() if hops == 1 else (_arrive(network, _SOURCE_NODE, payment, 1, held, room),))
        else:
            starts = [(hop, held[payment.payer, hop]) for hop in range(1, hops - 1) if (payment.payer, hop) in held]
            places.append(tuple(_arrive(network, start, payment, hop + 1, held, room) for hop, start in starts))
    return network, places


def _to_sink(
    network: _Network, payment: Payment, held: dict[tuple[str, int], int], room: int, hops: int
) -> tuple[int, ...]:
    if payment.payer == SOURCE:
        return (network.edge(_SOURCE_NODE, _SINK_NODE, payment.amount),)
    starts = [held[payment.payer, hop] for hop in range(1, hops) if (payment.payer, hop) in held]
    gate = network.node()
    for start in starts:
        network.edge(start, gate, room)
    return (network.edge(gate, _SINK_NODE, payment.amount),)


def _arrive(
    network: _Network, start: int, payment: Payment, hop: int, held: dict[tuple[str, int], int], room: int
) -> int:
    """The payee's node after a payment, with what it held before."""
    node = network.node()
    if (before := held.get((payment.payee, hop))) is not None:
        network.edge(before, node, room)
    held[payment.payee, hop] = node
    return network.edge(start, node, payment.amount)
