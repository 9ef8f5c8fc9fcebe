"""A running follower: woken through a pipe, reporting through another."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from ledger.log.group import UnknownRulebook
from ledger.log.replay import ReplayFault
from ledger.views import follower as follower_module
from ledger.views.follower import WAKE, WAKE_URGENT, Follower
from ledger.views.queries import ViewReader
from tests.views.chain import BANK_OWN, WALLET_1, Chain, random_blocks
from tests.views.comparing import Altered

NewFollower = Callable[..., Follower]


def test_rules_this_program_lacks_are_reported_as_a_fault(
    chain: Chain, views: ViewReader, views_url: str, tmp_path: Path
) -> None:
    chain.pilot()
    chain.block(chain.set_rulebook(2))
    chain.block(chain.close_day("2024-12-24", "2024-12-25"))
    chain.block(chain.pay(BANK_OWN, WALLET_1, 1))
    follower = Follower(chain.reader(), chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots")
    running = Running(follower, poll_interval_s=3600)
    assert running.report()["height"] == -1
    assert running.report() == {"fault": "the ledger is under rulebook 2, this program knows [1]"}
    running.end()
    assert isinstance(running.failure, UnknownRulebook)
    assert views.applied().height == 5
    follower.close()


class Running:
    """A follower that runs in a thread, with pipes to it."""

    def __init__(self, follower: Follower, *, poll_interval_s: float) -> None:
        wake_read, wake_write = os.pipe()
        report_read, report_write = os.pipe()
        self.wake: BinaryIO = os.fdopen(wake_write, "wb", buffering=0)
        self._report: BinaryIO = os.fdopen(report_read, "rb")
        self._ours: list[BinaryIO] = [os.fdopen(wake_read, "rb"), os.fdopen(report_write, "wb")]
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(follower, poll_interval_s))
        self._thread.start()

    def _run(self, follower: Follower, poll_interval_s: float) -> None:
        try:
            follower.run(*self._ours, poll_interval_s=poll_interval_s)
        except BaseException as error:
            self.failure = error

    def report(self) -> dict[str, Any]:
        """The next line it writes; waits for it."""
        line: dict[str, Any] = json.loads(self._report.readline())
        return line

    def end(self) -> None:
        self.wake.close()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive(), "a follower ends when it can be woken no more"
        for file in (*self._ours, self._report):
            file.close()


def test_a_running_follower_reports_what_it_applied(chain: Chain, new_follower: NewFollower) -> None:
    chain.pilot()
    running = Running(new_follower(), poll_interval_s=3600)
    assert running.report() == {"height": -1, "size": 0}
    assert running.report() == {"height": 3, "size": chain.position.range.size}
    for _ in range(3):
        random_blocks(chain, 2)
        running.wake.write(b"...")
        while running.report()["height"] < chain.position.height:
            pass
    running.end()
    assert running.failure is None


def test_under_load_a_batch_waits_for_more_blocks_unless_somebody_waits_for_it(
    chain: Chain, new_follower: NewFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "GATHER_S", 3600)
    monkeypatch.setattr(follower_module, "GATHER_URGENT_S", 0)
    running = Running(new_follower(), poll_interval_s=3600)
    assert running.report() == {"height": -1, "size": 0}
    assert running.report()["height"] == 0, "the first batch is made at once"
    chain.pilot()
    running.wake.write(WAKE)
    random_blocks(chain, 2)
    running.wake.write(WAKE_URGENT)
    assert running.report()["height"] >= 3
    chain.block(chain.pay(BANK_OWN, WALLET_1, 1))
    running.wake.write(WAKE)
    running.end()
    assert running.failure is None


def test_a_lost_wake_up_costs_one_poll(chain: Chain, new_follower: NewFollower) -> None:
    running = Running(new_follower(), poll_interval_s=0.01)
    assert running.report() == {"height": -1, "size": 0}
    assert running.report()["height"] == 0
    chain.pilot()
    while running.report()["height"] < 3:
        pass
    running.end()
    assert running.failure is None


def test_a_running_follower_reports_its_fault_and_raises_it(chain: Chain, views_url: str, tmp_path: Path) -> None:
    chain.pilot()
    reader = Altered(chain.reader(), 2, lambda block: msgspec.structs.replace(block, checkpoint="nonsense\n"))
    follower = Follower(reader, chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots")
    running = Running(follower, poll_interval_s=3600)
    assert running.report()["height"] == -1
    assert "block 2: the checkpoint does not hold" in running.report()["fault"]
    running.end()
    assert isinstance(running.failure, ReplayFault)
    follower.close()
    reader.close()
