"""A node under load: `tenge node` in a process of its own, on a folder that holds the world."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2
import msgspec

from ledger.crypto.keys import PublicKey
from ledger.log.group import origin_of
from ledger.log.receipts import Receipt, verify_receipt
from settlement.rules import RULEBOOK
from wallet_api.bench import load
from wallet_api.bench.world import World
from wallet_api.client.connection import Connection, Retry, TokenSource
from wallet_api.sandbox.node_process import NodeProcess

SUBMIT_PATH: Final = "/v1/transactions"

ACCEPTED: Final = 201
"""Status of a receipt of an accepted transaction."""

VIEWS_WITHIN_S: Final = 120
"""How long the projections may take to catch up, in seconds."""

POLL_EVERY_S: Final = 0.005
"""Pause between two looks at how far they are, in seconds: a thousandth of a run."""


class Wrong(Exception):
    """The node did not do what was asked of it; its figures would mean nothing."""


class Node:
    """A running node and the bank's access to it."""

    def __init__(self, folder: Path, world: World) -> None:
        """Start it.

        Raises:
            NodeDidNotStart: it did not.
        """
        self._world = world
        self._folder = folder
        self._process = NodeProcess(folder)
        self.port = urlsplit(self._process.address).port or 0
        self._http = httpx2.Client(base_url=self._process.address, trust_env=False)
        self._connection = Connection(self._process.address, retry=Retry(), http=self._http)

    def __enter__(self) -> Self:
        """Use it as a context: the node is stopped at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the node."""
        self._connection.close()
        self._process.stop()

    def token(self) -> str:
        """Return a fresh token of the bank's."""
        source = TokenSource(
            self._connection,
            audience=self._world.network.id,
            participant=self._world.bank.participant,
            key=self._world.bank.authentication,
        )
        return source.token()

    def submit(self, submissions: list[bytes], *, connections: int, with_token: bool = False) -> load.Result:
        """Send submissions, each to be accepted.

        Raises:
            LoadFailed: one was not.
        """
        token = self.token() if with_token else None
        requests = [load.post(SUBMIT_PATH, submission, token=token) for submission in submissions]
        return load.send(requests, port=self.port, connections=connections, folder=self._folder.parent, status=ACCEPTED)

    def read(self, paths: list[str], *, connections: int) -> load.Result:
        """Read, each path with success.

        Raises:
            LoadFailed: one failed.
        """
        token = self.token()
        requests = [load.get(path, token=token) for path in paths]
        return load.send(requests, port=self.port, connections=connections, folder=self._folder.parent, status=200)

    def wait_for_views(self) -> None:
        """Wait until the projections include everything that is durable.

        Raises:
            Wrong: they do not come.
        """
        deadline = time.monotonic() + VIEWS_WITHIN_S
        while time.monotonic() < deadline:
            ready: dict[str, Any] = self._http.get("/ready").json()
            if ready["views_sequence"] >= ready["includes_sequence"]:
                return
            time.sleep(POLL_EVERY_S)
        raise Wrong(f"expected the projections within {VIEWS_WITHIN_S} s, got {ready}")

    def check_receipt(self, submission: bytes) -> None:
        """Ask for the first answer to a submission again, and prove it offline.

        Raises:
            Wrong: a line of it was refused.
            InvalidReceipt: it does not prove what it says.
        """
        answer = self._http.post(
            SUBMIT_PATH,
            content=submission,
            headers={"content-type": "application/json", "authorization": f"Bearer {self.token()}"},
        )
        receipt = msgspec.json.decode(answer.content, type=Receipt)
        log_key = PublicKey.from_x(self._world.network.log_key.public.x)
        verify_receipt(
            receipt,
            origin=origin_of(self._world.network.id),
            log_key=log_key,
            submission=submission,
            rulebook=RULEBOOK,
        )
        if receipt.outcome != "accepted" or (receipt.bulk is not None and receipt.bulk.refused_lines):
            raise Wrong(f"expected a receipt without refusals, got {receipt.outcome} {receipt.code}")
