"""Which codes the tests reach: each is declared where it is reached, and the declaration is checked by the test."""

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Final, ParamSpec

P = ParamSpec("P")

ANSWERED: Final[set[tuple[str, str]]] = set()
"""Kind and code of every test marked with `answers`."""


def answers(kind: str, code: str) -> Callable[[Callable[P, str]], Callable[P, None]]:
    """The test sends a transaction of a kind and returns the end it came to, which must be this code."""

    def decorate(test: Callable[P, str]) -> Callable[P, None]:
        ANSWERED.add((kind, code))

        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            assert test(*args, **kwargs) == code

        return run

    return decorate


def faults(names: Iterable[str], *, apart: Iterable[frozenset[str]] = ()) -> list[tuple[str, ...]]:
    """All sets of faults, in the order given, without those that cannot be together: the first must be answered."""
    ordered = tuple(names)
    pairs = tuple(apart)
    return [
        chosen
        for size in range(1, len(ordered) + 1)
        for chosen in itertools.combinations(ordered, size)
        if not any(pair <= set(chosen) for pair in pairs)
    ]
