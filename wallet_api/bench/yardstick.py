"""The textbook ledger, running: its database filled with the world's accounts, its server started."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from wallet_api.bench import load, textbook
from wallet_api.bench.payments import Singles
from wallet_api.bench.plan import Result, post
from wallet_api.bench.server import Server
from wallet_api.bench.world import World, funds_tiyn

CREATED = 201
"""Status of a transfer that was carried out."""

REFUSED = 422
"""Status of one that a rule refuses."""

UNSIGNED = 400
"""Status of one whose signature does not hold."""


class Yardstick:
    """One textbook ledger, plain or tuned, ready for load."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def pay(self, singles: Singles, *, connections: int) -> Result:
        """Send single transfers in a closed loop.

        Raises:
            LoadFailed: one ended otherwise than it must, or the run broke off.
        """
        requests = [post(textbook.PATH, submission) for submission in singles.submissions]
        result = load.send(requests, port=self._server.port, connections=connections, folder=self._folder)
        load.expect(result, {CREATED: singles.accepted, REFUSED: singles.refused, UNSIGNED: singles.unsigned})
        return result


def fill(uri: str, world: World) -> None:
    """Make the tables, and an account with money for each wallet."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(textbook.SQL["schema"])
        connection.execute(textbook.SQL["pay_function"])
        with connection.cursor().copy("COPY account (id, owner, asset, balance) FROM STDIN") as copy:
            for wallet in world.wallets:
                copy.write_row((wallet, world.bank.participant, "KZT", funds_tiyn(world)))
            copy.write_row((world.poor, world.bank.participant, "KZT", 0))
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
