"""The two tables every database holds, and reading blocks from them."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    event,
    select,
    true,
)
from sqlalchemy.exc import DBAPIError

from ledger.log.block import Block
from ledger.log.block_store import Head, StoreBroken

BLOCKS_PER_QUERY: Final = 1024
"""Blocks one query walks over; a reader so slow that it matters holds one snapshot no longer than this."""

BLOCKS_IN_MEMORY: Final = 4
"""Rows fetched at a time while streaming: with blocks of 4 MiB, 16 MiB. The last ones may be read in vain."""

METADATA: Final = MetaData()

HEAD: Final = Table(
    "ledger_head",
    METADATA,
    Column("only", Integer, CheckConstraint('"only" = 1'), primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", LargeBinary, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
)
"""One row: the newest block, the epoch, and a random name for the writer whose epoch it is."""

BLOCK: Final = Table(
    "ledger_block",
    METADATA,
    # SQLite knows a row by its key only when the column is called INTEGER there.
    Column("height", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("first_sequence", BigInteger, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("before", LargeBinary, nullable=False),
    Column("leaf_hashes", LargeBinary, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""One row per block; ``digest`` is ``Block.digest()``, so that each row can be checked by itself."""

# PostgreSQL would try to compress a megabyte with every block, on the way to the commit.
_KEEP_PLAIN: Final = DDL(  # type: ignore[no-untyped-call]
    "ALTER TABLE ledger_block ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN leaf_hashes SET STORAGE EXTERNAL"
)
event.listen(BLOCK, "after_create", _KEEP_PLAIN.execute_if(dialect="postgresql"))

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row whose columns are known by name only."""

HEAD_COLUMNS: Final = (HEAD.c.epoch, HEAD.c.height, HEAD.c.digest, HEAD.c.size, HEAD.c.checkpoint)
"""The columns of ``Head``, in its order."""

_SELECT_HEAD: Final = select(*HEAD_COLUMNS)

_BESIDE_HEAD: Final = (
    HEAD.c.height.label("head_height"),
    HEAD.c.digest.label("head_digest"),
    BLOCK,
)

# One statement sees one state of the database: head and block always belong together.
_SELECT_BY_HEIGHT: Final = select(*_BESIDE_HEAD).select_from(
    HEAD.outerjoin(BLOCK, BLOCK.c.height == bindparam("wanted"))
)
_SELECT_BY_SEQUENCE: Final = (
    select(*_BESIDE_HEAD)
    .select_from(HEAD.join(BLOCK, true()))
    .where(BLOCK.c.first_sequence <= bindparam("wanted"))
    .order_by(BLOCK.c.first_sequence.desc())
    .limit(1)
)
_SELECT_FROM: Final = (
    select(*_BESIDE_HEAD)
    .select_from(HEAD.join(BLOCK, true()))
    .where(BLOCK.c.height >= bindparam("wanted"))
    .order_by(BLOCK.c.height)
    .limit(bindparam("rows", type_=Integer))
)


class SqlBlockReader:
    """Blocks read from a SQL database, by any number of threads, beside a running writer.

    Each row is checked against its own digest, and the newest against the head row. Every method
    raises ``StoreBroken`` when the rows contradict each other or the database reports damage, and
    ``sqlalchemy.exc.DBAPIError`` when the database cannot be reached.
    """

    def __init__(
        self,
        engine: Engine,
        is_damage: Callable[[BaseException], bool],
        stream_options: Mapping[str, Any],
    ) -> None:
        """Read through ``engine``.

        ``is_damage`` knows the errors after which nothing can be trusted; ``stream_options`` are the
        connection's execution options under which this database gives rows out one after the other.
        """
        self._engine = engine
        self._is_damage = is_damage
        self._stream_options = stream_options

    def head(self) -> Head:
        """Return the head row as it stands now."""
        with self._connection() as connection:
            return head_of(connection.execute(_SELECT_HEAD).one())

    def read(self, height: int) -> Block | None:
        """Return the block at ``height``, or None when the log does not reach so far."""
        with self._connection() as connection:
            row = connection.execute(_SELECT_BY_HEIGHT, {"wanted": height}).one()
        if row.height is None:
            if 0 <= height <= row.head_height:
                raise StoreBroken(f"block {height} is missing below the head at {row.head_height}")
            return None
        return _checked_block(row)

    def read_by_sequence(self, sequence: int) -> Block | None:
        """Return the block that holds the leaf with index ``sequence``, or None beyond the log."""
        with self._connection() as connection:
            row = connection.execute(_SELECT_BY_SEQUENCE, {"wanted": sequence}).one_or_none()
        if row is None:
            return None
        block = _checked_block(row)
        if sequence < block.size:
            return block
        if block.height != row.head_height:
            raise StoreBroken(f"no block holds leaf {sequence}, after block {block.height} and below the head")
        return None

    def blocks(self, first_height: int = 0) -> Iterator[Block]:
        """Yield the blocks from ``first_height`` up to the head as it is when the last chunk is read."""
        assert first_height >= 0, "the first block is the genesis block, at height 0"
        height = first_height
        size: int | None = None
        while True:
            stop = height + BLOCKS_PER_QUERY
            with closing(self._stream(height, BLOCKS_PER_QUERY)) as blocks:
                for block in blocks:
                    if block.height != height or size not in (None, block.first_sequence):
                        raise StoreBroken(
                            f"expected block {height} from leaf {size}, "
                            f"got block {block.height} from leaf {block.first_sequence}"
                        )
                    yield block
                    height, size = height + 1, block.size
            if height < stop:
                return

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            if self._is_damage(error):
                raise StoreBroken(f"the database is damaged: {error.orig}") from error
            raise

    def _stream(self, height: int, rows: int) -> Generator[Block, None, None]:
        """Yield at most ``rows`` blocks from ``height`` on, as one statement sees them."""
        with (
            self._connection() as connection,
            connection.execution_options(**self._stream_options).execute(
                _SELECT_FROM,
                {"wanted": height, "rows": rows},
                execution_options={"yield_per": BLOCKS_IN_MEMORY},
            ) as result,
        ):
            for row in result:
                yield _checked_block(row)


def head_of(row: AnyRow) -> Head:
    """Return the ``Head`` in a row of ``HEAD_COLUMNS``."""
    return Head(
        epoch=row.epoch,
        height=row.height,
        digest=row.digest,
        size=row.size,
        checkpoint=row.checkpoint,
    )


def _checked_block(row: AnyRow) -> Block:
    block = Block(
        height=row.height,
        epoch=row.epoch,
        time_us=row.time_us,
        first_sequence=row.first_sequence,
        before=row.before,
        body=row.body,
        leaf_hashes=row.leaf_hashes,
        checkpoint=row.checkpoint,
    )
    if block.digest() != row.digest:
        raise StoreBroken(f"block {block.height} does not match its digest: the row was altered")
    if block.height > row.head_height:
        raise StoreBroken(f"block {block.height} stands above the head at {row.head_height}")
    if block.height == row.head_height and row.digest != row.head_digest:
        raise StoreBroken(
            f"head expects block {block.height} with digest {row.head_digest.hex()}, got {row.digest.hex()}"
        )
    return block
