"""The composition root: the only place that puts the objects of a node together."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ledger.clock import Clock, ScriptedClock, SystemClock
from ledger.config import Settings
from ledger.crypto.keys import InvalidKey, PrivateKey
from ledger.genesis import Genesis, read_genesis
from ledger.log.block_store import BlockReader
from ledger.log.replay import Replay
from ledger.log.sequencer import Sequencer
from ledger.log.startup import open_log
from ledger.log.stores import open_store
from ledger.units import Kid, TimestampUs
from ledger.views.follower_process import FollowerProcess
from ledger.views.queries import ViewReader
from settlement.rules import RULEBOOKS
from wallet_api import openapi
from wallet_api.annex import Annex
from wallet_api.answers import on_internal_error, on_problem, with_security_headers
from wallet_api.auth import Tokens
from wallet_api.errors import on_http_error, on_invalid_request
from wallet_api.follow import follow_argv
from wallet_api.limits import FailureLimit
from wallet_api.open_submissions import openers
from wallet_api.parts import Parts
from wallet_api.problems import Problem
from wallet_api.projections import Following, Projections
from wallet_api.public_page import PublicPage
from wallet_api.query_log import QueryLog
from wallet_api.routes import (
    accounts,
    annex,
    days,
    log,
    operations,
    pages,
    participants,
    quotas,
    sandbox,
    settlement_miners,
    settlement_public,
    settlement_queries,
    settlement_registers,
    settlement_statements,
    settlement_venues,
    submission,
    tokens,
    transactions,
)

WATCH_EVERY_S: Final = 0.2
"""How often the node looks whether its sequencer has failed, in seconds."""

ROUTES: Final = (
    transactions,
    annex,
    accounts,
    participants,
    days,
    log,
    quotas,
    settlement_registers,
    settlement_miners,
    settlement_venues,
    settlement_statements,
    settlement_queries,
    settlement_public,
    tokens,
    operations,
    pages,
)
"""The modules whose routes every node has, in the order of the description."""

LOG_KEYS: Final = "log"
"""Folder of the log's private keys, among the keys of the node."""


class WalletApi(FastAPI):
    """The application. The path every payment takes is answered before anything is routed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == submission.SUBMIT_PATH and scope["method"] == "POST":
            await submission.submit(self.state.parts, scope, receive, send)
        elif scope["type"] == "http":
            # Around everything, so that the answer to what nobody foresaw carries the headers too.
            await super().__call__(scope, receive, with_security_headers(send))
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings, *, on_fatal: Callable[[], None] | None = None) -> FastAPI:
    """Return the application of a node that is opened when the server starts, and closed when it ends."""
    genesis = read_genesis(settings.genesis_file.read_bytes())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with running_node(settings) as parts:
            app.state.parts = parts
            async with _running(parts, on_fatal):
                yield

    return _application(genesis, lifespan)


def create_app_from(parts: Parts, *, on_fatal: Callable[[], None] | None = None) -> FastAPI:
    """Return the application of a node that runs already; who opened it closes it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with _running(parts, on_fatal):
            yield

    app = _application(read_genesis(parts.document), lifespan)
    app.state.parts = parts
    return app


@contextmanager
def running_node(settings: Settings, *, following: Following | None = None) -> Iterator[Parts]:
    """Open a node, run its sequencer, and stop it in order. The application runs what follows the log.

    Args:
        settings: of the node.
        following: what keeps the projections up; a process of its own unless given.

    Raises:
        FileNotFoundError: the folder of the node has no genesis document.
        InvalidKey: a file among the log's keys is none.
        And what ``ledger.log.startup.open_log`` raises.
    """
    document = settings.genesis_file.read_bytes()
    keyring = read_keyring(settings.keys / LOG_KEYS)
    with ExitStack() as stack:
        store = stack.enter_context(
            closing(open_store(settings.block_store_url, checkpoint_path=settings.checkpoint_file))
        )
        opened = open_log(
            store,
            document,
            RULEBOOKS,
            snapshots=settings.snapshots,
            keyring=keyring,
            take_over=settings.take_over,
        )
        clock = _clock(read_genesis(document), opened.replay)
        following = following or FollowerProcess(follow_argv(settings))
        annexed = stack.enter_context(closing(Annex(settings.annex_store_url)))
        queries = stack.enter_context(closing(QueryLog(settings.query_log_url)))
        reader = stack.enter_context(closing(ViewReader(settings.view_store_url)))
        sequencer = Sequencer(
            store=store,
            replay=opened.replay,
            epoch=opened.epoch,
            keyring=keyring,
            clock=clock,
            openers=openers(opened.replay.network, settings.openers),
        )
        projections = Projections(
            reader, following, log_size=lambda: sequencer.position.range.size, wait_s=settings.view_wait_s
        )
        sequencer.on_block = lambda _block: projections.following.wake()
        sequencer.older = lambda participant, reference: projections.first_outcome(
            participant, reference, head_height=sequencer.position.height
        )
        sequencer.start()
        stack.callback(sequencer.stop)
        yield _parts(settings, document, clock, sequencer, projections, blocks=store, annexed=annexed, queries=queries)


def read_keyring(folder: Path) -> dict[Kid, PrivateKey]:
    """Return the private keys in a folder of JSON Web Keys, by kid.

    Raises:
        InvalidKey: a file is no private key; it is named, its content is not.
    """
    keys = {}
    for file in sorted(folder.glob("*.jwk")):
        try:
            key = PrivateKey.from_jwk(json.loads(file.read_bytes()))
        except (InvalidKey, ValueError, AttributeError) as error:
            raise InvalidKey(f"{file}: expected a private JSON Web Key of Ed25519") from error
        keys[Kid(key.public.kid)] = key
    return keys


def _parts(
    settings: Settings,
    document: bytes,
    clock: Clock,
    sequencer: Sequencer,
    projections: Projections,
    *,
    blocks: BlockReader,
    annexed: Annex,
    queries: QueryLog,
) -> Parts:
    def now_us() -> TimestampUs:
        # The system's clock is the sequencer's alone: it watches for jumps between two looks.
        now_us = clock.now_us() if isinstance(clock, ScriptedClock) else TimestampUs(time.time_ns() // 1_000)
        return max(now_us, sequencer.position.time_us)

    return Parts(
        settings=settings,
        document=document,
        clock=clock,
        now_us=now_us,
        sequencer=sequencer,
        projections=projections,
        blocks=blocks,
        annex=annexed,
        queries=queries,
        public=PublicPage(lambda: sequencer.state),
        tokens=Tokens(
            view=lambda: sequencer.state,
            ledger_time_us=now_us,
            audience=settings.audience or sequencer.network,
            lifetime_s=settings.token_lifetime_s,
        ),
        failures=FailureLimit(burst=settings.failures_burst, per_s=settings.failures_per_s),
    )


def _clock(genesis: Genesis, replay: Replay) -> Clock:
    """The clock that genesis asks for; a scripted one goes on from the last block."""
    if genesis.clock == "scripted":
        return ScriptedClock(replay.position.time_us)
    return SystemClock()


@asynccontextmanager
async def _running(parts: Parts, on_fatal: Callable[[], None] | None) -> AsyncIterator[None]:
    """While the application runs: follow the log, and tell once when the node can never accept anything again."""

    async def watch() -> None:
        while not parts.is_fatal:  # noqa: ASYNC110 - the failure is set by another thread
            await asyncio.sleep(WATCH_EVERY_S)
        if on_fatal is not None:
            on_fatal()

    following = parts.projections.following
    await following.start()
    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await following.stop()


def _application(
    genesis: Genesis, lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]
) -> FastAPI:
    app = WalletApi(
        title="Digital Tenge wallet API",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(Exception, on_internal_error)
    for routes in ROUTES:
        app.include_router(routes.router)
    if genesis.clock == "scripted":
        app.include_router(sandbox.router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    app.openapi = openapi.describe(app)  # type: ignore[method-assign]
    return app
