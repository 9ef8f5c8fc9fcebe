"""The follower's process: woken, waited for, killed, started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.views.answers import ViewsBehind
from ledger.views.follower import Follower
from ledger.views.follower_process import FollowerProcess
from ledger.views.queries import ViewReader
from tests.views.chain import Chain, random_blocks
from tests.views.comparing import dump, expected_dump

WAIT_S = 60.0
"""Far above what any step takes; a test that needs it has failed."""


@pytest.fixture
def command(chain: Chain, views_url: str, tmp_path: Path) -> list[str]:
    document = tmp_path / "genesis.json"
    document.write_bytes(chain.book.document)
    arguments = [str(document), chain.url, views_url, str(tmp_path / "snapshots")]
    return [sys.executable, "-m", "tests.views.follower_main", *arguments]


def size_of(chain: Chain) -> int:
    return chain.position.range.size


def test_views_can_be_waited_for(chain: Chain, command: list[str], views: ViewReader) -> None:
    async def scenario() -> None:
        process = FollowerProcess(command)
        await process.start()
        try:
            chain.pilot()
            process.wake()
            await process.wait_for(size_of(chain), WAIT_S)
            assert (process.is_alive, process.height, process.size) == (True, 3, size_of(chain))
            assert views.applied().size == size_of(chain)
            await process.wait_for(1, 0)
            with pytest.raises(ViewsBehind, match=f"expected views of 10000 leaves, got {size_of(chain)}"):
                await process.wait_for(10_000, 0.01)
        finally:
            await process.stop()
        assert not process.is_alive
        process.wake()

    asyncio.run(scenario())


def test_a_follower_killed_at_any_point_catches_up(
    chain: Chain, command: list[str], views_url: str, tmp_path: Path
) -> None:
    chain.pilot()

    async def scenario() -> None:
        process = FollowerProcess(command, restart_delay_s=0.01)
        await process.start()
        try:
            for number in range(3):
                random_blocks(chain, 8, seed=number)
                process.wake()
                # Sometimes before, sometimes after it has taken in all.
                await process.wait_for(size_of(chain) if number % 2 else chain.blocks[-4].size, WAIT_S)
                assert process._process is not None
                os.kill(process._process.pid, signal.SIGKILL if number % 2 else signal.SIGTERM)
                random_blocks(chain, 1, seed=100 + number)
                process.wake()
                process.wake()
                await process.wait_for(size_of(chain), WAIT_S)
            assert process.restarts >= 3
        finally:
            await process.stop()

    asyncio.run(scenario())
    assert dump(views_url) == expected_dump(chain, tmp_path)


def test_a_fault_ends_it_for_good(
    chain: Chain, command: list[str], new_follower: Callable[..., Follower], tmp_path: Path
) -> None:
    chain.pilot()
    new_follower().catch_up()
    other = Chain(tmp_path / "other")
    command[-3] = other.url

    async def scenario() -> None:
        process = FollowerProcess(command)
        await process.start()
        try:
            with pytest.raises(ViewsBehind, match="got 0: the views are at block 3, which the log does not have"):
                await process.wait_for(10_000, WAIT_S)
            assert process.fault is not None
            with pytest.raises(ViewsBehind, match="the views are at block 3"):
                await process.wait_for(10_000, WAIT_S)
            process.wake()
        finally:
            await process.stop()
        assert process.restarts == 0

    asyncio.run(scenario())
    other.store.close()


def test_a_command_that_cannot_run_says_so() -> None:
    async def scenario() -> None:
        process = FollowerProcess(["/does/not/exist"])
        with pytest.raises(OSError, match="No such file"):
            await process.start()
        await process.stop()

    asyncio.run(scenario())


def test_a_crash_before_the_first_report_is_tried_again_and_again(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    fourth_time_lucky = (
        f"import sys; file = open({str(starts)!r}, 'a+'); file.write('.'); file.flush(); file.seek(0);"
        "print('{\"height\": 1, \"size\": 2}' if len(file.read()) == 4 else 'no report')"
    )

    async def scenario() -> None:
        process = FollowerProcess([sys.executable, "-c", fourth_time_lucky], restart_delay_s=0.001)
        await process.start()
        await process.wait_for(2, WAIT_S)
        assert process.restarts == 3
        await process.stop()

    asyncio.run(scenario())


def test_a_follower_that_does_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.views.follower_process.STOP_PATIENCE_S", 0.05)
    deaf = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        'print(\'{"height": 1, "size": 2}\', flush=True)\n'
        "while True: signal.pause()\n"
    )

    async def scenario() -> None:
        process = FollowerProcess([sys.executable, "-c", deaf])
        await process.start()
        await process.wait_for(2, WAIT_S)
        # A pipe takes 65,536 bytes; whoever wakes never waits for it.
        for _ in range(70_000):
            process._send_wake()
        await process.stop()
        assert not process.is_alive

    asyncio.run(scenario())


def test_a_command_that_is_gone_for_a_while_is_tried_again(tmp_path: Path) -> None:
    script = tmp_path / "follower"

    def write(line: str) -> None:
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)

    async def scenario() -> None:
        write(f"rm {script}")
        process = FollowerProcess([str(script)], restart_delay_s=0.001)
        await process.start()
        with pytest.raises(ViewsBehind, match="expected views of 2 leaves, got 0"):
            await process.wait_for(2, 0.1)
        write('echo \'{"height": 1, "size": 2}\'')
        await process.wait_for(2, WAIT_S)
        await process.stop()

    asyncio.run(scenario())
