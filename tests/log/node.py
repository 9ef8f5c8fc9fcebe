"""A real node in the test's own process: store, sequencer, threads; every helper of `Book` goes through it."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.clock import Clock, ScriptedClock
from ledger.crypto import canonical
from ledger.crypto.keys import PrivateKey
from ledger.crypto.note import parse_checkpoint
from ledger.log.answers import Job, Unavailable
from ledger.log.block import Block
from ledger.log.block_store import BlockStore
from ledger.log.opener_process import Opener
from ledger.log.queue import FairQueue
from ledger.log.receipts import Receipt
from ledger.log.replay import Replay
from ledger.log.sequencer import Older, Sequencer
from ledger.log.startup import OpenedLog, open_log
from ledger.log.stores import open_store
from ledger.model.outcome import Accepted, Outcome, RefusalCode, Refused
from ledger.model.participants import Role
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ledger_of
from ledger.state import State
from ledger.units import Kid, Reference, TimestampUs
from tests.book import CORE_RULEBOOK, START_US, Book, key_of, own_account, reference_at, wallet

ANSWER_S = 60.0
"""Every answer comes within this, or the test fails."""

A_OWN = own_account("601")
A_ONE, A_TWO = wallet("601", 1), wallet("601", 2)
B_OWN = own_account("602")
B_ONE, B_TWO = wallet("602", 1), wallet("602", 2)

_references = itertools.count(1)


class RecordingKey(PrivateKey):
    """A log key that remembers every checkpoint it signed."""

    __slots__ = ("signed",)

    def __init__(self, key: PrivateKey) -> None:
        self._signer = key._signer
        self.public = key.public
        self.signed: list[bytes] = []

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return super().sign(message)

    def checkpoints(self) -> dict[int, set[bytes]]:
        """All roots signed, by tree size."""
        roots: dict[int, set[bytes]] = {}
        for body in self.signed:
            _, size, root = body.decode().splitlines()
            roots.setdefault(int(size), set()).add(root.encode())
        return roots


class Loop:
    """An event loop in a thread of its own, as a server has one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop")
        self._thread.start()

    def close(self) -> None:
        """Stop the loop and what still runs on it."""
        if self.loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_finish(), self.loop).result(ANSWER_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(ANSWER_S)
        self.loop.close()


async def _finish() -> None:
    own = asyncio.current_task()
    for task in asyncio.all_tasks():
        if task is not own:
            task.cancel()
    await asyncio.get_running_loop().shutdown_default_executor()


class Node(Book):
    """A node on a store; started unless told otherwise, and closed by `with`."""

    def __init__(
        self,
        url: str,
        *,
        rulebook: Rulebook = CORE_RULEBOOK,
        rulebooks: Mapping[int, Rulebook] | None = None,
        document: bytes | None = None,
        snapshots: Path | None = None,
        clock: Clock | None = None,
        keyring: Mapping[Kid, PrivateKey] | None = None,
        take_over: bool = False,
        around: Callable[[BlockStore], BlockStore] = lambda store: store,
        on_block: Callable[[Block], None] | None = None,
        older: Older | None = None,
        queue: FairQueue[Job] | None = None,
        openers: Sequence[Opener] = (),
        starts: bool = True,
    ) -> None:
        super().__init__(rulebook, document=document)
        self.url = url
        self.clock: Clock = clock or ScriptedClock(TimestampUs(START_US + 1_000_000))
        self.rulebooks = rulebooks or {rulebook.version: rulebook}
        self.snapshots = snapshots or Path("/nonexistent")
        self.keyring = log_keyring() if keyring is None else keyring
        self._around = around
        self._options: dict[str, Any] = {"on_block": on_block, "older": older, "queue": queue, "openers": openers}
        self._loop = Loop()
        try:
            self._open(take_over=take_over, starts=starts)
        except BaseException:
            self.store.close()
            self._loop.close()
            raise

    def _open(self, *, take_over: bool, starts: bool) -> None:
        self.store = self._around(open_store(self.url))
        self.opened: OpenedLog = open_log(
            self.store,
            self.document,
            self.rulebooks,
            snapshots=self.snapshots,
            keyring=self.keyring,
            take_over=take_over,
        )
        self.sequencer = Sequencer(
            store=self.store,
            replay=self.opened.replay,
            epoch=self.opened.epoch,
            keyring=self.keyring,
            clock=self.clock,
            **self._options,
        )
        self.state = self.sequencer.state
        if starts:
            self.sequencer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop; may be called twice."""
        self.sequencer.stop()
        self.store.close()
        self._loop.close()

    def restart(self) -> None:
        """Stop, open the store again, and go on from what it tells."""
        before = self.state.digest()
        self.sequencer.stop()
        self.store.close()
        self._open(take_over=False, starts=True)
        assert self.state.digest() == before

    def reference(self, time_us: int | None = None) -> Reference:
        """A fresh UUIDv7 at the node's time."""
        return reference_at(int(self.clock.now_us()) if time_us is None else time_us, next(_references))

    def send(self, raw: bytes) -> "Future[Receipt]":
        """Submit without waiting."""
        return asyncio.run_coroutine_threadsafe(self.sequencer.submit(raw), self._loop.loop)

    def receipt(self, raw: bytes) -> Receipt:
        """Submit and wait; raises `NotAdmissible` or `Unavailable`."""
        return self.send(raw).result(ANSWER_S)

    def decide(self, raw: bytes) -> Outcome:
        """Submit and wait; the outcome as far as a receipt tells it."""
        receipt = self.receipt(raw)
        if receipt.outcome == "accepted":
            return Accepted(record={})
        assert receipt.code is not None
        return Refused(RefusalCode(receipt.code, ""), receipt.line or 0)

    def problem(self, raw: bytes) -> str:
        """Submit; the code of the `Unavailable` it must come to."""
        error = self.send(raw).exception(ANSWER_S)
        assert isinstance(error, Unavailable), f"expected no answer, got {error!r}"
        return error.code

    def replayed(self) -> Replay:
        """A full replay of the store, with all signatures."""
        replay = Replay(self.document, self.rulebooks)
        for block in self.store.blocks():
            replay.apply(block)
        return replay


def log_keyring(*names: str) -> dict[Kid, PrivateKey]:
    """Log keys by kid; that of genesis unless others are named."""
    return {Kid(key_of(name).public.kid): key_of(name) for name in names or ("log",)}


def recording_keyring() -> tuple[dict[Kid, PrivateKey], RecordingKey]:
    """The log key of genesis, remembering what it signs."""
    key = RecordingKey(key_of("log"))
    return {Kid(key.public.kid): key}, key


def populate(book: Book, amount: int = 100_000_000) -> None:
    """Two banks with an own account and two wallets each; bank-a has the money."""
    for bank, code in (("bank-a", "601"), ("bank-b", "602")):
        book.admit(bank, Role.INTERMEDIARY, code)
        book.open_account(bank, own_account(code), account_class="own")
        for number in (1, 2):
            book.open_account(bank, wallet(code, number), holder=f"holder-{number}")
    book.issue("bank-a", A_OWN, amount)


@contextmanager
def pilot_node(url: str, **options: Any) -> Iterator[Node]:
    """A populated node."""
    with Node(url, **options) as node:
        populate(node)
        yield node


def receipt_bytes(receipt: Receipt) -> bytes:
    """What travels."""
    return canonical.encode(receipt)


def size_of(checkpoint: str) -> int:
    """Leaves under a checkpoint."""
    return parse_checkpoint(checkpoint)[0].size


def state_digest(state: State) -> bytes:
    """Equal states, equal digests."""
    assert ledger_of(state) is not None
    return state.digest()
