"""What open accounts take in memory: of a node that opened and funded very many, and of each by itself.

As a program it is the probe for the latter: growth of a fresh process, and the sum of its objects.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.state import State, Table
from wallet_api.bench import books, probe
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, figure
from wallet_api.bench.frames import read_frames, write_frames
from wallet_api.bench.growth import label
from wallet_api.bench.place import Place
from wallet_api.bench.usage import resident_bytes
from wallet_api.bench.world import founding, make_world
from wallet_api.sandbox.folder import read_folder, write_folder

MEGABYTE: Final = 1_000_000
"""Bytes."""

WARM_UP_ACCOUNTS: Final = 100
"""Accounts of a first ledger in the same process, whose making warms everything up."""


_TABLES: Final[tuple[Table[Any], ...]] = (ACCOUNTS, BALANCES)


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger to be made in the probe."""

    folder: str
    """Folder of its node, with nothing in it but genesis document and keys."""
    submissions: str
    """File of what is to be submitted, as frames."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure; the accounts are the difference between two ledgers that are made one after the other."""

    small: Ledger
    large: Ledger
    accounts: int
    """Accounts of the large one."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes for each account."""

    grown: float
    """By growth of the process."""
    computed: float
    """By the sizes of its objects and its share of the tables."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield megabytes of the processes of a node with many accounts, then bytes for each account. One run each:
    memory hardly differs between two.
    """
    yield from _of_a_node(bench)
    accounts = bench.scale.probed_accounts
    bench.say("memory of an account")
    with tempfile.TemporaryDirectory(prefix="memory-", dir=bench.folder) as folder:
        question = Question(
            small=_prepared(Path(folder) / "small", WARM_UP_ACCOUNTS),
            large=_prepared(Path(folder) / "large", accounts),
            accounts=accounts,
        )
        taken = probe.run(__spec__.name, question, Taken)
    yield figure("bytes_per_account", "bytes", [taken.grown])
    yield figure("bytes_per_account_computed", "bytes", [taken.computed])


def main() -> None:
    """Open and fund accounts, and say what each took."""
    question = probe.question(Question)
    with _made(question.small):
        pass
    before = _resident_bytes()
    with _made(question.large) as state:
        grown = _resident_bytes() - before
        computed = _computed_bytes(state)
    probe.answer(Taken(grown=grown / question.accounts, computed=computed / question.accounts))


def _of_a_node(bench: Bench) -> Iterator[Figure]:
    """Open and fund accounts through the door of a running node, as banks do, and see what its processes hold then."""
    accounts = bench.scale.opened_accounts
    bench.say(f"memory: signing what opens {accounts} accounts")
    world = make_world(accounts)
    place = bench.new_place("memory")
    write_folder(place.folder, world.network)
    submissions = list(founding(world))
    with books.sequencing(place, world.network) as sequencer:
        # The first one admits the bank, which no token knows before.
        books.submit(sequencer, submissions[:1])
    with bench.new_node(place, world) as node:
        bench.say(f"memory: opening {accounts} accounts")
        # One connection: each must be accepted before the next.
        node.submit(submissions[1:], connections=1)
        node.wait_for_views()
        for name, pids in node.watched().groups.items():
            if name != "database":
                held = sum(map(resident_bytes, pids)) / MEGABYTE
                yield figure(f"{name}_mb_{label(accounts)}_accounts", "MB", [held])


def _prepared(folder: Path, accounts: int) -> Ledger:
    """Write the folder of a ledger, and beside it what opens and funds its accounts."""
    world = make_world(accounts)
    write_folder(folder, world.network)
    submissions = folder.with_suffix(".submissions")
    write_frames(submissions, founding(world))
    return Ledger(folder=str(folder), submissions=str(submissions))


@contextmanager
def _made(ledger: Ledger) -> Iterator[State]:
    """Give the state of a ledger with funded accounts."""
    folder = Path(ledger.folder)
    with books.sequencing(Place(folder, {}), read_folder(folder, ())) as sequencer:
        for submission in read_frames(Path(ledger.submissions)):
            books.submit(sequencer, [submission])
        yield sequencer.state


def _resident_bytes() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return resident_bytes(os.getpid())


def _computed_bytes(state: State) -> int:
    """Sizes of the rows of accounts and balances, each object once, and of the tables that hold them."""
    objects: dict[int, int] = {}
    for table in _TABLES:
        for key, value in state.items(table):
            objects[id(key)] = sys.getsizeof(key)
            objects[id(value)] = sys.getsizeof(value)
    tables = sum(sys.getsizeof(dict(state.items(table))) for table in _TABLES)
    return sum(objects.values()) + tables


if __name__ == "__main__":
    main()
