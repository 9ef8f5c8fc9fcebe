"""How far the views are: the one row that moves in the same SQL transaction as everything it stands for."""

from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy import Connection, insert, select, update

from ledger.log.block import Block
from ledger.log.block_store import NO_DIGEST, NO_HEIGHT
from ledger.views.schema import APPLIED, SCHEMA_VERSION

REBUILD: Final = "rebuild the views"
"""What mends every fault of the views themselves."""


# Made once: SQLAlchemy compiles a statement that it knows again no second time.
_SELECT: Final = select(APPLIED)
_SELECT_FOR_UPDATE: Final = select(APPLIED.c.height, APPLIED.c.digest).with_for_update()
_UPDATE: Final = update(APPLIED)


class ViewsFault(Exception):
    """The views cannot go on from where they are. They stay as they are, behind and not wrong, until rebuilt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The newest block whose rows are all in the views."""

    network: str
    height: int
    """Height of the block; -1 before the genesis block."""
    digest: bytes
    """``Block.digest()``: views of another log are told by it."""
    size: int
    """Leaves up to and including the block: what an answer of the views includes."""
    time_us: int
    """Time of the block."""
    business_date: str
    """The business date after the block."""
    checkpoint: str
    """The block's signed checkpoint."""

    @classmethod
    def nothing(cls, network: str) -> Self:
        """Before the genesis block."""
        return cls(
            network=network,
            height=NO_HEIGHT,
            digest=NO_DIGEST,
            size=0,
            time_us=0,
            business_date="",
            checkpoint="",
        )

    def after(self, block: Block, business_date: str) -> Self:
        """After one more block, or several of which this is the last."""
        return type(self)(
            network=self.network,
            height=block.height,
            digest=block.digest(),
            size=block.size,
            time_us=block.time_us,
            business_date=business_date,
            checkpoint=block.checkpoint,
        )


def read_applied(connection: Connection) -> Applied:
    """Return how far the views are.

    Raises:
        ViewsFault: they are those of another version of this program.
    """
    row = connection.execute(_SELECT).one()
    if row.schema_version != SCHEMA_VERSION:
        raise ViewsFault(f"expected views of version {SCHEMA_VERSION}, got version {row.schema_version}; {REBUILD}")
    return Applied(
        network=row.network,
        height=row.height,
        digest=row.digest,
        size=row.size,
        time_us=row.time_us,
        business_date=row.business_date,
        checkpoint=row.checkpoint,
    )


def insert_applied(connection: Connection, applied: Applied) -> None:
    """Write the row for the first time."""
    connection.execute(insert(APPLIED).values(only=1, schema_version=SCHEMA_VERSION, **_values(applied)))


def lock_applied(connection: Connection, expected: Applied) -> None:
    """Keep other followers from writing until the transaction ends; done first in it.

    Raises:
        ViewsFault: the row is not where this follower left it.
    """
    row = connection.execute(_SELECT_FOR_UPDATE).one()
    if (row.height, row.digest) != (expected.height, expected.digest):
        raise ViewsFault(f"the views are no longer at block {expected.height}: another follower writes them")


def move_applied(connection: Connection, applied: Applied) -> None:
    """Move the row on, in the transaction that locked it and brings the rows it stands for."""
    connection.execute(_UPDATE, _values(applied))


def _values(applied: Applied) -> dict[str, object]:
    return {
        "network": applied.network,
        "height": applied.height,
        "digest": applied.digest,
        "size": applied.size,
        "time_us": applied.time_us,
        "business_date": applied.business_date,
        "checkpoint": applied.checkpoint,
    }
