"""A node as a sandbox starts it: it says where it is, or why it did not start."""

import subprocess
import sys
from pathlib import Path

import pytest

from wallet_api.client import UnexpectedAnswer, Unreachable, node_time_us
from wallet_api.sandbox.node_process import NodeDidNotStart, NodeProcess


def test_a_node_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(NodeDidNotStart, match="tenge init"):
        NodeProcess(tmp_path)


def test_a_node_that_is_not_there_has_no_time() -> None:
    with pytest.raises(Unreachable):
        node_time_us("http://127.0.0.1:9")


def test_the_pilots_node_runs_on_until_it_is_told_to_stop(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    argv = [sys.executable, "-m", "wallet_api.cli", "pilot", str(folder), "--wallets", "6", "--payments", "6"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said: list[str] = []
        while "keeps running" not in (said[-1] if said else ""):
            said.append(process.stderr.readline())
            assert said[-1], "".join(said)
        address = said[-1].split(" at ")[1].split(";")[0]
        assert node_time_us(address) > 1_735_000_000_000_000
        with pytest.raises(UnexpectedAnswer):
            node_time_us(f"{address}/problems/not_found?")
        process.terminate()
        shown = process.stdout.read()
        process.stderr.read()
    assert process.returncode == 0
    assert "Quota of mined coins" in shown
    with pytest.raises(Unreachable):
        node_time_us(address)
