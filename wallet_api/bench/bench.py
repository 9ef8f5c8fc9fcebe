"""What the measurements share: the sizes, the world, nodes and the yardsticks, each made when first asked for."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from wallet_api.bench import yardstick
from wallet_api.bench.books import found
from wallet_api.bench.large import Large, make
from wallet_api.bench.node import Node
from wallet_api.bench.options import Options
from wallet_api.bench.place import DATABASES, Place, Store
from wallet_api.bench.postgres import NoPostgres, Postgres, running_postgres
from wallet_api.bench.scale import Scale, scale_of
from wallet_api.bench.world import World, make_world
from wallet_api.bench.yardstick import Yardstick


class Bench:
    """One run of the benchmark."""

    def __init__(self, options: Options, folder: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
        """Begin.

        Args:
            options: what was asked for.
            folder: where everything is written; empty, and removed afterwards by who gave it.
            stack: ends what was started.
            say: tells the user what is going on.
        """
        self.options = options
        self.scale: Scale = scale_of(options)
        self.folder = folder
        self.say = say
        self._stack = stack
        self._seed = 0
        self._nodes: dict[Store, Node] = {}
        self.databases: dict[str, str] = {}
        """Versions of the database servers that were started."""

    @cached_property
    def world(self) -> World:
        """The bank and its wallets."""
        return make_world(self.scale.accounts)

    @cached_property
    def postgres(self) -> Postgres | None:
        """A PostgreSQL; None where there is none, which is said."""
        self.say("starting PostgreSQL")
        try:
            postgres = self._stack.enter_context(running_postgres())
        except NoPostgres as error:
            self.say(f"without PostgreSQL: {error}")
            return None
        self.databases["postgresql"] = postgres.version()
        return postgres

    @property
    def node(self) -> Node:
        """A node on that world, in the store that was asked for."""
        return self.node_on(self.options.store)

    def node_on(self, store: Store) -> Node:
        """Return a node on that world, in a store; the same one each time."""
        if store not in self._nodes:
            place = self.new_place(f"node-{store}", store)
            found(place, self.world)
            self._nodes[store] = self._stack.enter_context(self.new_node(place, self.world))
            self._nodes[store].wait_for_views()
        return self._nodes[store]

    def new_node(self, place: Place, world: World) -> Node:
        """Start a node of its own; who asks for it stops it."""
        self.say("starting a node")
        return Node(place, world, database_pid=self.postgres.pid if place.urls and self.postgres else None)

    def new_place(self, name: str, store: Store | None = None) -> Place:
        """Return a place where nothing stands yet, in a store; in the one that was asked for unless given.

        Raises:
            NoPostgres: it was to be PostgreSQL, and there is none.
        """
        if (store or self.options.store) == "sqlite":
            return Place(self.folder / name, {})
        if self.postgres is None:
            raise NoPostgres("expected PostgreSQL as the store, and there is none here")
        urls = {each: self.postgres.new_database(f"{name}_{each}".replace("-", "_")) for each in DATABASES}
        return Place(self.folder / name, urls)

    @cached_property
    def large(self) -> Large:
        """A large ledger on that world, where no node runs."""
        lines = self.scale.bulk_lines
        blocks = -(-self.scale.large_entries // lines)
        return make(self.new_place("large"), self.world, blocks=blocks, bulk_lines=lines, say=self.say)

    @cached_property
    def yardsticks(self) -> tuple[Yardstick, Yardstick] | None:
        """The textbook ledger, plain and tuned; None where there is no PostgreSQL."""
        if self.postgres is None:
            return None
        self.say("starting the textbook ledger")
        uri = self.postgres.uri
        yardstick.fill(uri, self.world)
        plain, tuned = (
            self._stack.enter_context(yardstick.running(uri, self.world, self.folder, is_tuned=is_tuned))
            for is_tuned in (False, True)
        )
        return plain, tuned

    def seed(self) -> int:
        """Return another seed for each load, the same ones in each run of the benchmark."""
        self._seed += 1
        return self._seed
