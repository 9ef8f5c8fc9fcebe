"""A body of any kind, made at random from its own type and from things that exist: for tests that send everything.

Most of what comes out is refused; that is the point. What the posting kinds need to get through, a test makes itself.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from msgspec import inspect as types

from ledger.model.transactions import EmbeddedJws


class Things:
    """What exists, by the pattern of its text; whole numbers; a way to sign a mandate."""

    def __init__(self, texts: Mapping[Any, Sequence[str]], others: Sequence[str], numbers: Sequence[int]) -> None:
        self._texts = {_pattern(annotated): tuple(values) for annotated, values in texts.items()}
        self._others = tuple(others)
        self.numbers = tuple(numbers)

    def text(self, rnd: Random, kind: types.StrType) -> str:
        """A text that exists; of a pattern that has none of its own, one of the others that fits."""
        fitting = self._texts.get(kind.pattern or "") or [
            text
            for text in self._others
            if (kind.pattern is None or re.search(kind.pattern, text))
            and (kind.max_length is None or len(text) <= kind.max_length)
            and (kind.min_length is None or len(text) >= kind.min_length)
        ]
        assert fitting, f"nothing fits {kind}"
        return rnd.choice(fitting)

    def number(self, rnd: Random, kind: types.IntType) -> int:
        """A number within bounds."""
        low, high = kind.ge or 0, kind.le if kind.le is not None else 2**53 - 1
        return rnd.choice([low, high, *(number for number in self.numbers if low <= number <= high)])


def body_of(rnd: Random, body: type[Any], things: Things, mandates: Sequence[EmbeddedJws]) -> Any:
    """Return a body of a type."""
    return _made(rnd, types.type_info(body), things, mandates)


def _made(rnd: Random, kind: types.Type, things: Things, mandates: Sequence[EmbeddedJws]) -> Any:
    if isinstance(kind, types.StructType):
        if kind.cls is EmbeddedJws:
            return rnd.choice(mandates)
        members = {
            field.name: _made(rnd, field.type, things, mandates)
            for field in kind.fields
            if field.required or rnd.random() < 0.5
        }
        return kind.cls(**members)
    if isinstance(kind, types.UnionType):
        return _made(rnd, rnd.choice(kind.types), things, mandates)
    if isinstance(kind, types.VarTupleType):
        count = rnd.randint(kind.min_length or 0, max(kind.min_length or 0, 3))
        return tuple(_made(rnd, kind.item_type, things, mandates) for _ in range(count))
    return _plain(rnd, kind, things)


def _plain(rnd: Random, kind: types.Type, things: Things) -> Any:
    match kind:
        case types.StrType():
            return things.text(rnd, kind)
        case types.IntType():
            return things.number(rnd, kind)
        case types.BoolType():
            return rnd.random() < 0.5
        case types.NoneType():
            return None
        case types.EnumType():
            return rnd.choice(list(kind.cls))
        case types.LiteralType():
            return rnd.choice(kind.values)
    raise AssertionError(f"say how to make {kind}")


def _pattern(annotated: Any) -> str:
    found = types.type_info(annotated)
    assert isinstance(found, types.StrType)
    assert found.pattern is not None
    return found.pattern
