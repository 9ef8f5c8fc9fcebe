"""The textbook ledger, running: its database filled with the world's accounts, its server started."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from wallet_api.bench import load, textbook
from wallet_api.bench.server import Server
from wallet_api.bench.world import World, funds_tiyn

CREATED = 201
"""Status of a transfer that was carried out."""


class Yardstick:
    """One textbook ledger, plain or tuned, ready for load."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def submit(self, submissions: list[bytes], *, connections: int) -> load.Result:
        """Send transfers, each to be carried out.

        Raises:
            LoadFailed: one was not.
        """
        requests = [load.post(textbook.PATH, submission) for submission in submissions]
        return load.send(requests, port=self._server.port, connections=connections, folder=self._folder, status=CREATED)


def fill(uri: str, world: World) -> None:
    """Make the tables, and an account with money for each wallet."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(textbook.SQL["schema"])
        connection.execute(textbook.SQL["pay_function"])
        with connection.cursor().copy("COPY account (id, owner, asset, balance) FROM STDIN") as copy:
            for wallet in world.wallets:
                copy.write_row((wallet, world.bank.participant, "KZT", funds_tiyn(world)))
        connection.execute("VACUUM ANALYZE")


@contextmanager
def running(uri: str, world: World, folder: Path, *, is_tuned: bool) -> Iterator[Yardstick]:
    """Run a textbook ledger on a filled database.

    Raises:
        DidNotStart: its server did not.
    """
    keys = {key.public.kid: key.public.x for key in world.bank.signatories.values()}
    setup = textbook.Setup(uri=uri, network=world.network.id, keys=keys, is_tuned=is_tuned)
    with Server("wallet_api.bench.textbook", msgspec.json.encode(setup)) as server:
        yield Yardstick(server, folder)
