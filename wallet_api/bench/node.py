"""A node under load: `tenge node` in a process of its own, in a place that holds the world."""

import time
from collections.abc import Sequence
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
from wallet_api.bench.lag import Look
from wallet_api.bench.payments import Bulk, Singles
from wallet_api.bench.place import Place
from wallet_api.bench.plan import Result, get, post
from wallet_api.bench.usage import Watched, descendants, is_running_module
from wallet_api.bench.world import World
from wallet_api.client.connection import Connection, Retry, TokenSource
from wallet_api.sandbox.node_process import NodeProcess

SUBMIT_PATH: Final = "/v1/transactions"

ACCEPTED: Final = 201
"""Status of a receipt of an accepted transaction."""

REFUSED: Final = 422
"""Status of a receipt of a refused one."""

UNSIGNED: Final = 403
"""Status where a signature does not hold."""

NOT_NOW: Final = (429, 503)
"""Statuses of an overloaded ledger: later, perhaps."""

LOOKS_MAX: Final = 24
"""How often the projections are asked for. Each time the node itself waits for them, for five seconds unless set
otherwise (``TENGE_VIEW_WAIT_S``): two minutes in all."""

TIMEOUT_S: Final = 30.0
"""How long an answer may take, in seconds: much longer than the node waits for projections."""

FOLLOWER: Final = "wallet_api.follow"
"""Module of the process that makes the projections."""


class Wrong(Exception):
    """The node did not do what was asked of it; its figures would mean nothing."""


class Node:
    """A running node and the bank's access to it."""

    def __init__(self, place: Place, world: World, *, database_pid: int | None = None) -> None:
        """Start it.

        Args:
            place: holds the world.
            world: its bank and wallets.
            database_pid: process of the database server, if the place has one.

        Raises:
            NodeDidNotStart: it did not.
        """
        self.place = place
        self._world = world
        self._database_pid = database_pid
        self._process = NodeProcess(place.folder, settings=place.environment)
        self.port = urlsplit(self._process.address).port or 0
        self._http = httpx2.Client(base_url=self._process.address, timeout=TIMEOUT_S, trust_env=False)
        self._connection = Connection(self._process.address, retry=Retry(), http=self._http)
        self._tokens = self._new_tokens()

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
        return self._new_tokens().token()

    def watched(self) -> Watched:
        """Return the processes of the ledger by what they are there for, as they are now."""
        children = descendants(self._process.pid)
        followers = tuple(pid for pid in children if is_running_module(pid, FOLLOWER))
        helpers = tuple(pid for pid in children if pid not in followers)
        groups = {"node": (self._process.pid, *helpers), "follower": followers}
        if self._database_pid is not None:
            groups["database"] = (self._database_pid, *descendants(self._database_pid))
        return Watched(groups)

    def pay(
        self, singles: Singles, *, connections: int, rate_per_s: float | None = None, gives_up: bool = False
    ) -> Result:
        """Send single transfers: in a closed loop, or in an open one at a rate.

        Raises:
            LoadFailed: a transfer ended otherwise than it must, or the run broke off.
        """
        # Failures of strangers are limited by address; those of a known participant are not.
        token = self.token() if singles.unsigned else None
        requests = [post(SUBMIT_PATH, submission, token=token) for submission in singles.submissions]
        result = load.send(
            requests,
            port=self.port,
            connections=connections,
            folder=self.place.folder.parent,
            rate_per_s=rate_per_s,
            gives_up=gives_up,
        )
        if rate_per_s is None:
            load.expect(result, {ACCEPTED: singles.accepted, REFUSED: singles.refused, UNSIGNED: singles.unsigned})
        else:
            load.expect_only(result, (ACCEPTED, REFUSED, UNSIGNED, *NOT_NOW))
        return result

    def submit(self, submissions: Sequence[bytes], *, connections: int) -> Result:
        """Send submissions of any length, with the bank's token, each to be accepted.

        Raises:
            LoadFailed: one was not.
        """
        token = self.token()
        result = load.send(
            (post(SUBMIT_PATH, submission, token=token) for submission in submissions),
            port=self.port,
            connections=connections,
            folder=self.place.folder.parent,
        )
        load.expect(result, {ACCEPTED: len(submissions)})
        return result

    def read(self, paths: Sequence[str]) -> Result:
        """Read, one after the other, each path with success.

        Raises:
            LoadFailed: one failed.
        """
        token = self.token()
        requests = [get(path, token=token) for path in paths]
        result = load.send(requests, port=self.port, connections=1, folder=self.place.folder.parent)
        load.expect(result, {200: len(paths)})
        return result

    def fetch(self, path: str) -> Any:  # noqa: ANN401 - what the node answers
        """Read one path; returns what it answers."""
        answer = self._http.get(path, headers=self._bearer())
        answer.raise_for_status()
        return answer.json()

    def look(self) -> Look:
        """Look at how far the log and its projections are."""
        ready: dict[str, Any] = self._http.get("/ready").json()
        return Look(time.monotonic(), ready["includes_sequence"] + 1, ready["views_sequence"] + 1)

    def wait_for_views(self) -> float:
        """Wait until the projections include everything that is durable; returns the moment they do.

        Raises:
            Wrong: they do not come.
        """
        newest = self.look().durable - 1
        path = f"/v1/accounts/{self._world.wallets[0]}/statement"
        for _ in range(LOOKS_MAX):
            # The node answers when they include the leaf: asking again and again would cost what is measured.
            answer = self._http.get(path, params={"limit": 1, "min_sequence": newest}, headers=self._bearer())
            if answer.status_code == httpx2.codes.OK:
                return time.monotonic()
            if answer.status_code not in NOT_NOW:
                raise Wrong(f"expected a statement that includes leaf {newest}, got {answer.text}")
        raise Wrong(f"expected the projections after asking {LOOKS_MAX} times, got {self.look()}")

    def check_single(self, submission: bytes) -> None:
        """Ask for the first answer to a submission that was accepted again, and prove it offline.

        Raises:
            Wrong: it was refused.
            InvalidReceipt: the receipt does not prove what it says.
        """
        receipt = self._receipt(submission)
        if receipt.outcome != "accepted":
            raise Wrong(f"expected a receipt without refusals, got {receipt.outcome} {receipt.code}")

    def check_bulk(self, bulk: Bulk) -> None:
        """The same for a bulk, whose lines must have been refused exactly where they must be.

        Raises:
            Wrong: the bulk was refused, or another number of its lines.
            InvalidReceipt: the receipt does not prove what it says.
        """
        receipt = self._receipt(bulk.submission)
        refused = len(receipt.bulk.refused_lines) if receipt.bulk is not None else 0
        if receipt.outcome != "accepted" or refused != bulk.refused_lines:
            raise Wrong(f"expected {bulk.refused_lines} refused lines, got {refused} in a bulk {receipt.outcome}")

    def _new_tokens(self) -> TokenSource:
        return TokenSource(
            self._connection,
            audience=self._world.network_id,
            participant=self._world.bank.participant,
            key=self._world.bank.authentication,
        )

    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._tokens.token()}"}

    def _receipt(self, submission: bytes) -> Receipt:
        answer = self._http.post(
            SUBMIT_PATH,
            content=submission,
            headers={"content-type": "application/json", **self._bearer()},
        )
        receipt = msgspec.json.decode(answer.content, type=Receipt)
        verify_receipt(
            receipt,
            origin=origin_of(self._world.network_id),
            log_key=PublicKey.from_x(self._world.network.log_key.public.x),
            submission=submission,
            rulebook=RULEBOOK,
        )
        return receipt
