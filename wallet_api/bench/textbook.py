"""The yardstick: a textbook ledger, honestly and well made, with the signature check and the framework of ours.

Two tables, row locks in id order, one SQL transaction per transfer, a unique idempotency key; PostgreSQL with
``synchronous_commit = on``. It keeps no log, no proofs and no receipts. There are two of it:

* *plain*, as textbooks have it: the application begins, inserts, locks and reads, decides, updates, commits; an
  ordinary FastAPI route.
* *tuned*, as far as the design goes: the same statements as one function inside the database, called in one round
  trip, behind the same short cut past the framework's routing that our own submissions take.

What was done for both, each kept because it was faster: asynchronous connections of psycopg (C implementation) over a
Unix socket, each statement prepared on first use; the signature checked in the event loop, since a thread costs more
than it frees while the database has the other core; keys looked up in memory; both balances moved by one ``UPDATE``;
pages of accounts half full, so that updates stay on them; no foreign keys, for the locked read checks existence
already; no index that only reading needs; no checkpoint in the middle of a run.

As a program it reads :class:`Setup` as JSON from standard input and writes its port to standard output.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, LiteralString

import msgspec
import psycopg
import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg import AsyncConnection
from starlette.types import Receive, Scope, Send

from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.transfers import Transfer
from ledger.units import Kid
from settlement.rules import RULEBOOK

PATH: Final = "/v1/transactions"

PLAIN_CONNECTIONS: Final = 32
"""Connections to the database, plain: it waits often, so half as many as there are clients; more did not help."""

TUNED_CONNECTIONS: Final = 16
"""Connections to the database, tuned: one round trip each, so fewer are enough; more did not help."""

_JSON: Final = "application/json"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What the textbook ledger needs to know."""

    uri: str
    """Address of the database (libpq)."""
    network: str
    keys: dict[str, str]
    """Public keys (``x``) by kid."""
    is_tuned: bool


class Refused(Exception):
    """A rule says no; the transaction is rolled back. Its only argument is the code."""


def read_statements(text: str) -> dict[str, LiteralString]:
    """Return the statements of a SQL file by the name that stands before each."""
    parts = (part.partition("\n") for part in text.split("-- name: ")[1:])
    # The file is part of the program: its text is as literal as if it stood here.
    return {name.strip(): body.strip() for name, _, body in parts}


SQL: Final[Mapping[str, LiteralString]] = read_statements(
    Path(__file__).with_name("textbook.sql").read_text(encoding="utf-8")
)


async def pay_plain(connection: AsyncConnection[Any], values: Mapping[str, Any]) -> int:
    """Carry out a transfer as textbooks do; returns its id.

    Raises:
        Refused: nothing was changed.
    """
    async with connection.transaction():
        cursor = connection.cursor()
        await cursor.execute(SQL["insert_transfer"], values)
        inserted = await cursor.fetchone()
        if inserted is None:
            await cursor.execute(SQL["first_transfer"], values)
            first_id, first_transaction = await cursor.fetchone() or (0, b"")
            if first_transaction != values["transaction_id"]:
                raise Refused("reference_reused")
            return int(first_id)
        await cursor.execute(SQL["lock_accounts"], values)
        accounts = {account: rest async for account, *rest in cursor}
        _check(accounts, values)
        await cursor.execute(SQL["move_money"], values)
    return int(inserted[0])


async def pay_tuned(connection: AsyncConnection[Any], values: Mapping[str, Any]) -> int:
    """Carry out a transfer by the function in the database; returns its id.

    Raises:
        Refused: nothing was changed.
    """
    try:
        cursor = await connection.execute(SQL["pay"], values)
        row = await cursor.fetchone()
    except psycopg.errors.RaiseException as error:
        raise Refused(error.diag.message_primary) from error
    assert row is not None, "the function returns a row"
    return int(row[0])


class Textbook:
    """The ledger behind its routes."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pay = pay_tuned if setup.is_tuned else pay_plain
        self._free: asyncio.LifoQueue[AsyncConnection[Any]] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Connect."""
        for _ in range(TUNED_CONNECTIONS if self._setup.is_tuned else PLAIN_CONNECTIONS):
            connection = await AsyncConnection.connect(self._setup.uri, autocommit=True, prepare_threshold=0)
            self._free.put_nowait(connection)

    async def close(self) -> None:
        """Disconnect."""
        while not self._free.empty():
            await self._free.get_nowait().close()

    async def submit(self, raw: bytes) -> tuple[int, bytes]:
        """Carry out one submission; returns status and body of the answer."""
        try:
            signed = open_transaction(
                raw, rulebook=RULEBOOK, network=self._setup.network, key_of=self._key_of, checks_signatures=True
            )
        except NotAdmissible as error:
            return 400, msgspec.json.encode({"code": error.code, "detail": error.detail})
        body = signed.body
        if not isinstance(body, Transfer):
            return 400, msgspec.json.encode({"code": "kind_unknown", "detail": "expected a transfer"})
        values = {
            "participant": signed.transaction.participant,
            "reference": signed.transaction.reference,
            "transaction_id": signed.transaction_id,
            "debit": body.debit,
            "credit": body.credit,
            "asset": body.asset,
            "amount": body.amount,
        }
        connection = await self._free.get()
        try:
            transfer = await self._pay(connection, values)
        except Refused as refused:
            return 422, msgspec.json.encode({"code": str(refused)})
        finally:
            self._free.put_nowait(connection)
        return 201, msgspec.json.encode({"transfer": transfer, "reference": values["reference"]})

    def _key_of(self, kid: Kid) -> str | None:
        return self._setup.keys.get(kid)


def plain_app(textbook: Textbook) -> FastAPI:
    """Return the application with an ordinary route."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def submit(request: Request) -> Response:
        status, body = await textbook.submit(await request.body())
        return Response(body, status, media_type=_JSON)

    return app


class TunedApp(FastAPI):
    """The application with the short cut that our own submissions take."""

    textbook: Textbook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await super().__call__(scope, receive, send)
            return
        raw = b""
        more = True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        status, body = await self.textbook.submit(raw)
        headers = [(b"content-type", _JSON.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def tuned_app(textbook: Textbook) -> FastAPI:
    """Return the application with the short cut."""
    app = TunedApp(openapi_url=None)
    app.textbook = textbook
    return app


def main() -> None:
    """Serve what standard input says until told to stop."""
    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup)
    import uvloop

    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listening:
        uvloop.run(_serve(setup, listening))


async def _serve(setup: Setup, listening: socket.socket) -> None:
    textbook = Textbook(setup)
    await textbook.open()
    make: Callable[[Textbook], FastAPI] = tuned_app if setup.is_tuned else plain_app
    config = uvicorn.Config(
        make(textbook),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        await uvicorn.Server(config).serve(sockets=[listening])
    finally:
        await textbook.close()


def _check(accounts: Mapping[str, list[Any]], values: Mapping[str, Any]) -> None:
    """Decide on the locked rows."""
    if values["debit"] not in accounts or accounts[values["debit"]][0] != values["participant"]:
        raise Refused("debit_account_not_found")
    if values["credit"] not in accounts:
        raise Refused("credit_account_not_found")
    if any(asset != values["asset"] for _owner, asset, _balance in accounts.values()):
        raise Refused("account_asset_differs")
    if accounts[values["debit"]][2] < values["amount"]:
        raise Refused("insufficient_funds")


if __name__ == "__main__":
    main()
