"""What the measurements share: the sizes, the world, a node and the yardsticks, each made when first asked for."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from wallet_api.bench import yardstick
from wallet_api.bench.books import found
from wallet_api.bench.node import Node
from wallet_api.bench.postgres import NoPostgres, running_postgres
from wallet_api.bench.scale import Scale
from wallet_api.bench.world import World, make_world
from wallet_api.bench.yardstick import Yardstick


class Bench:
    """One run of the benchmark."""

    def __init__(self, scale: Scale, folder: Path, stack: ExitStack, say: Callable[[str], None]) -> None:
        """Begin.

        Args:
            scale: how much is measured.
            folder: where everything is written; empty, and removed afterwards by who gave it.
            stack: ends what was started.
            say: tells the user what is going on.
        """
        self.scale = scale
        self.folder = folder
        self.say = say
        self._stack = stack
        self._seed = 0

    @cached_property
    def world(self) -> World:
        """The bank and its wallets."""
        return make_world(self.scale.accounts)

    @cached_property
    def node(self) -> Node:
        """A node on that world."""
        self.say("starting a node")
        folder = self.folder / "node"
        found(folder, self.world)
        return self._stack.enter_context(Node(folder, self.world))

    @cached_property
    def yardsticks(self) -> tuple[Yardstick, Yardstick] | None:
        """The textbook ledger, plain and tuned; None where there is no PostgreSQL."""
        self.say("starting the textbook ledger")
        try:
            uri = self._stack.enter_context(running_postgres())
        except NoPostgres as error:
            self.say(f"without the textbook ledger: {error}")
            return None
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
