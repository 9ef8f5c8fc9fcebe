"""How much could have come back: cases, and a naive search that tries every way of sharing out the payments."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.quota.round_trips import SINK, SOURCE, Payment, returned


def payments(*lines: tuple[str, str, int]) -> list[Payment]:
    names = {"s": SOURCE, "t": SINK}
    return [
        Payment(names.get(payer, payer), names.get(payee, payee), amount, f"tx-{number}")
        for number, (payer, payee, amount) in enumerate(lines)
    ]


@pytest.mark.parametrize(
    ("lines", "hops", "amount"),
    [
        ([], 3, 0),
        ([("s", "t", 95)], 1, 95),
        ([("s", "x", 95), ("x", "t", 90)], 1, 0),
        ([("s", "x", 95), ("x", "t", 90)], 2, 90),
        # Time runs one way.
        ([("x", "t", 90), ("s", "x", 95)], 3, 0),
        ([("s", "x", 95), ("x", "y", 80), ("y", "t", 70)], 2, 0),
        ([("s", "x", 95), ("x", "y", 80), ("y", "t", 70)], 3, 70),
        ([("s", "x", 95), ("x", "y", 80), ("y", "z", 80), ("z", "t", 80)], 3, 0),
        # Split over two and brought together again.
        ([("s", "x", 50), ("s", "y", 50), ("x", "t", 50), ("y", "t", 45)], 2, 95),
        # Money of others in between does not hide it, and does not add to it.
        ([("s", "x", 10), ("z", "x", 500), ("x", "t", 300)], 3, 10),
        # The stranger is paid first, the friend from other money: it could have come back all the same.
        ([("s", "x", 100), ("s", "y", 100), ("y", "t", 100)], 3, 100),
        # What a party held before adds up with what comes later.
        ([("s", "x", 50), ("s", "x", 40), ("x", "t", 90)], 2, 90),
        # No more than the amount is asked for.
        ([("s", "t", 80), ("s", "t", 80)], 3, 100),
        # What goes to oneself, or leaves the sink, or comes to the source is nothing.
        ([("x", "x", 5), ("t", "s", 5), ("x", "s", 5), ("t", "x", 5), ("s", "s", 5)], 3, 0),
    ],
)
def test_what_comes_back(lines: list[tuple[str, str, int]], hops: int, amount: int) -> None:
    assert returned(payments(*lines), amount=100, hops=hops).amount == amount


def test_the_payments_through_which_it_came_are_named_in_their_order() -> None:
    found = returned(payments(("s", "z", 5), ("s", "x", 100), ("q", "r", 3), ("x", "t", 100)), amount=100, hops=3)

    assert found.transactions == ("tx-1", "tx-3")


def naive_returned(ordered: list[Payment], *, amount: int, hops: int) -> int:
    """The most that every way through the payments, tried in every share, comes to."""
    ways = []
    for length in range(1, hops + 1):
        for indices in itertools.combinations(range(len(ordered)), length):
            way = [ordered[index] for index in indices]
            places = [way[0].payer, *(each.payee for each in way)]
            joined = all(one.payee == other.payer for one, other in itertools.pairwise(way))
            inner = places[1:-1]
            moves = all(each.payer != each.payee for each in way)
            ends = (places[0], places[-1]) == (SOURCE, SINK) and not {SOURCE, SINK} & set(inner)
            if joined and moves and ends:
                ways.append(indices)

    def most(number: int, rooms: tuple[int, ...], left: int) -> int:
        if number == len(ways) or left == 0:
            return 0
        way = ways[number]
        best = 0
        for part in range(min(left, *(rooms[index] for index in way)) + 1):
            rest = tuple(room - part if index in way else room for index, room in enumerate(rooms))
            best = max(best, part + most(number + 1, rest, left - part))
        return best

    return most(0, tuple(each.amount for each in ordered), amount)


names = st.sampled_from(["s", "s", "t", "t", "x", "y"])


@given(
    st.lists(st.tuples(names, names, st.integers(1, 2)), max_size=7),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_the_largest_flow_is_what_trying_everything_finds(
    lines: list[tuple[str, str, int]], amount: int, hops: int
) -> None:
    ordered = payments(*lines)

    assert returned(ordered, amount=amount, hops=hops).amount == naive_returned(ordered, amount=amount, hops=hops)
