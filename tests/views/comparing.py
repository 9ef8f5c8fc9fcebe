"""Readers of altered blocks, and everything that views hold, to be compared."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ledger.log.block import Block
from ledger.log.block_store import BlockReader, Head
from ledger.views.database import write_engine
from ledger.views.follower import Follower
from ledger.views.schema import METADATA
from tests.views.chain import Chain


class Altered:
    """A reader that hands out one block altered."""

    def __init__(self, reader: BlockReader, height: int, alter: Callable[[Block], Block]) -> None:
        self._reader = reader
        self._height = height
        self._alter = alter

    def head(self) -> Head:
        return self._reader.head()

    def read(self, height: int) -> Block | None:
        return self._reader.read(height)

    def read_by_sequence(self, sequence: int) -> Block | None:
        return self._reader.read_by_sequence(sequence)

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        for block in self._reader.blocks(first_height):
            yield self._alter(block) if block.height == self._height else block

    def close(self) -> None:
        self._reader.close()


def dump(url: str) -> dict[str, list[Any]]:
    """Everything the views hold."""
    engine = write_engine(url)
    with engine.begin() as connection:
        tables = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in METADATA.sorted_tables
        }
    engine.dispose()
    return tables


def expected_dump(chain: Chain, folder: Path) -> dict[str, list[Any]]:
    """What the views of a log hold when nothing happens: made in one go, in a database of their own."""
    url = f"sqlite:///{folder / 'expected.db'}"
    reader = chain.reader()
    follower = Follower(reader, chain.replay(), database_url=url, snapshots=folder / "no-snapshots")
    follower.catch_up()
    follower.close()
    reader.close()
    return dump(url)
