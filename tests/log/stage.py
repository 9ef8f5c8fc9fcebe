"""What tests of the sequencer set the stage with: a gate before the store, a clock in their hands, things to send."""

import threading
from concurrent.futures import Future
from typing import Any

from ledger.clock import ClockJumped
from ledger.log.answers import Unavailable
from ledger.log.block import Block
from ledger.log.block_store import BlockStore
from ledger.log.receipts import Receipt
from ledger.rules.day_close import DayClose, RulebookSet
from ledger.rules.opening import NotAdmissible
from ledger.units import BusinessDate, TimestampUs
from tests.book import START_US
from tests.log.node import (
    A_ONE,
    A_OWN,
    ANSWER_S,
    Node,
)
from tests.rules.bodies import pay


class Gate:
    """A store whose appends wait, so that a queue can form behind one."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self._is_open.set()
        self.reached = threading.Event()

    def around(self, store: BlockStore) -> BlockStore:
        append = store.append

        def gated(block: Block) -> None:
            self.reached.set()
            assert self._is_open.wait(ANSWER_S)
            append(block)

        store.append = gated  # type: ignore[method-assign]
        return store

    def close(self) -> None:
        self.reached.clear()
        self._is_open.clear()

    def open(self) -> None:
        self._is_open.set()


def transfer(node: Node, amount: int = 1, **members: Any) -> bytes:
    """A payment signed by bank-a."""
    return node.signed("transfer", pay(A_OWN, A_ONE, amount), by="bank-a", **members)


def hold(node: Node, gate: Gate) -> "Future[Receipt]":
    """Send one transfer whose append waits at the gate."""
    gate.close()
    sent = node.send(transfer(node))
    assert gate.reached.wait(ANSWER_S)
    return sent


def wait_for_lines(node: Node, lines: int) -> None:
    """Return when as many lines wait behind the gate."""
    arrived = threading.Event()
    while node.sequencer.waiting_lines < lines:
        arrived.wait(0.001)


def refusal_of(sent: "Future[Receipt]") -> str:
    """The code of the problem it must come to."""
    error = sent.exception(ANSWER_S)
    assert isinstance(error, NotAdmissible | Unavailable), f"expected a problem, got {error!r}"
    return error.code


class HandClock:
    """A clock in the test's hands; it moves a millisecond at each look."""

    def __init__(self) -> None:
        self.time_us = START_US + 1_000_000
        self.has_jumped = False

    def now_us(self) -> TimestampUs:
        if self.has_jumped:
            raise ClockJumped("the wall clock jumped")
        self.time_us += 1_000
        return TimestampUs(self.time_us)


def day_close(closes: str = "2024-12-24", opens: str = "2024-12-25") -> DayClose:
    """The body of a day close."""
    return DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))


def set_rulebook(node: Node, version: int) -> str:
    """Name the version of the rules from the next business day; the end it came to."""
    return node.end("rulebook_set", RulebookSet(version=version), by="central-bank")
