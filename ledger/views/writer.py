"""Writing the views: each batch of blocks is one SQL transaction, rows and height applied together."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from ledger.rules.tables import ASSETS, BALANCES, ledger_of
from ledger.state import State
from ledger.units import AccountId, AssetId
from ledger.views.account_lines import AccountHead, Chained, chain_lines
from ledger.views.applied import REBUILD, Applied, ViewsFault, insert_applied, lock_applied, move_applied, read_applied
from ledger.views.database import append_rows, rows_by_key, upsert_rows, write_engine
from ledger.views.facts import BlockFacts
from ledger.views.projector import Rows, project
from ledger.views.schema import (
    ACCOUNT_ANCHORS,
    ACCOUNT_HEADS,
    ACCOUNT_LINKS,
    APPLIED,
    BLOCKS,
    DAY_SUPPLY,
    DAYS,
    ENTRY_RUNS,
    KEY_CHANGES,
    METADATA,
    PARTICIPANTS,
    REFUSALS,
    SUPPLY,
    TABLE_PREFIX,
    TILES,
    TRANSACTIONS,
)
from ledger.views.tiles import TileEdge, last_tiles

HEADS_IN_MEMORY: Final = 262_144
"""Account heads kept between batches; above that all are forgotten, and read again as they are needed."""


class ViewsWriter:
    """The one writer of a views database. After an exception it is opened again, or not used again."""

    def __init__(self, database_url: str, network: str) -> None:
        """Write the views of a network; an SQLite file that does not exist is made."""
        self._engine = write_engine(database_url)
        self._network = network
        self._applied = Applied.nothing(network)
        self._edge = TileEdge()
        self._heads: dict[AccountId, AccountHead] = {}
        self._assets: set[AssetId] = set()

    def open(self) -> Applied:
        """Return how far the views are; makes the tables if there are none.

        Raises:
            ViewsFault: they are of another network, or of another version of this program.
        """
        with self._engine.begin() as connection:
            if not inspect(connection).has_table(APPLIED.name):
                self._create(connection)
            return self._load(connection)

    def recreate(self) -> Applied:
        """Drop every table of views, of whatever version, and make them empty."""
        with self._engine.begin() as connection:
            for name in inspect(connection).get_table_names():
                if name.startswith(TABLE_PREFIX):
                    connection.execute(text(f'DROP TABLE "{name}"'))
            self._create(connection)
            return self._load(connection)

    def write(self, blocks: Sequence[BlockFacts], state: State) -> Applied:
        """Write the rows of some blocks, all or none.

        Args:
            blocks: those that follow the ones applied; at least one.
            state: the state after the last of them.

        Raises:
            ViewsFault: another follower was faster, or a balance folded from postings is not the state's.
        """
        before = self._applied
        last = blocks[-1].replayed.block
        assert blocks[0].replayed.block.height == before.height + 1, "blocks are written in order"
        contra = {asset.contra: asset.asset for _, asset in state.items(ASSETS)}
        rows = project(blocks, contra=contra)
        with self._engine.begin() as connection:
            lock_applied(connection, before)
            chained = chain_lines(
                rows.lines,
                heads=self._read_heads(connection, rows.lines.keys()),
                contra=contra,
            )
            _check_balances(chained, state)
            applied = before.after(last, ledger_of(state).business_date)
            move_applied(connection, applied)
            _write_rows(connection, rows)
            _write_chained(connection, chained)
            _write_supply(connection, rows, new_assets=set(contra.values()) - self._assets)
            upsert_rows(connection, TILES, self._edge.append([facts.replayed.prover for facts in blocks]))
        self._applied = applied
        self._assets = set(contra.values())
        self._remember(chained.heads)
        return applied

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _create(self, connection: Connection) -> None:
        METADATA.create_all(connection)
        insert_applied(connection, Applied.nothing(self._network))

    def _load(self, connection: Connection) -> Applied:
        applied = read_applied(connection)
        if applied.network != self._network:
            raise ViewsFault(f"expected views of network {self._network}, got {applied.network}; {REBUILD}")
        partial = []
        for level, number in last_tiles(applied.size):
            tile = connection.execute(
                select(TILES.c.hashes).where(TILES.c.level == level, TILES.c.number == number)
            ).scalar_one_or_none()
            partial.append(tile or b"")
        self._applied, self._edge = applied, TileEdge(applied.size, partial)
        self._heads, self._assets = {}, set()
        return applied

    def _read_heads(self, connection: Connection, accounts: Set[AccountId]) -> Mapping[AccountId, AccountHead]:
        """The heads of those accounts that have one, and of others: what is in memory, and the rest from the table."""
        # In the order of the key, neighbours are found on the same page.
        missing = sorted(account for account in accounts if account not in self._heads)
        for row in rows_by_key(connection, ACCOUNT_HEADS, ACCOUNT_HEADS.c.account, missing):
            self._heads[row[0]] = row
        return self._heads

    def _remember(self, heads: dict[AccountId, AccountHead]) -> None:
        if len(self._heads) > HEADS_IN_MEMORY:
            self._heads = {}
        self._heads.update(heads)


def _check_balances(chained: Chained, state: State) -> None:
    """The balance after each account's newest line must be the one the rules decided with."""
    balances = state.get_many(BALANCES, chained.heads.keys())
    for account, head in chained.heads.items():
        balance, expected = head[2], balances.get(account, 0)
        if balance != expected:
            raise ViewsFault(f"account {account} holds {expected}, its statement says {balance}; {REBUILD}")


def _write_rows(connection: Connection, rows: Rows) -> None:
    append_rows(connection, BLOCKS, rows.blocks)
    append_rows(connection, TRANSACTIONS, rows.transactions)
    append_rows(connection, ENTRY_RUNS, rows.entry_runs)
    append_rows(connection, REFUSALS, rows.refusals)
    append_rows(connection, KEY_CHANGES, rows.keys)
    append_rows(connection, DAYS, rows.days)
    upsert_rows(connection, PARTICIPANTS, list(rows.participants.values()))


def _write_chained(connection: Connection, chained: Chained) -> None:
    append_rows(connection, ACCOUNT_LINKS, chained.links)
    append_rows(connection, ACCOUNT_ANCHORS, chained.anchors)
    upsert_rows(connection, ACCOUNT_HEADS, list(chained.heads.values()))


def _write_supply(connection: Connection, rows: Rows, *, new_assets: set[AssetId]) -> None:
    """Add what was issued and redeemed; an asset stands in the table from its creation on."""
    totals: dict[AssetId, tuple[int, int]] = dict.fromkeys(new_assets, (0, 0))
    for (_, asset), (issued, redeemed) in rows.supply.items():
        before = totals.get(asset, (0, 0))
        totals[asset] = (before[0] + issued, before[1] + redeemed)
    upsert_rows(connection, SUPPLY, [(asset, *sums) for asset, sums in totals.items()], is_sum=True)
    upsert_rows(connection, DAY_SUPPLY, [(*key, *sums) for key, sums in rows.supply.items()], is_sum=True)
