"""Load: hands prepared requests to a generator in a process of its own, and judges what came back."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from wallet_api.bench.frames import write_frames
from wallet_api.bench.plan import SECONDS_MAX, Plan, Result

GRACE_SECONDS: Final = 30
"""How long after the end of its time a generator is waited for before it is killed."""


class LoadFailed(Exception):
    """The load did not run as planned, or an answer was not the one expected."""


def send(
    requests: Iterable[bytes],
    *,
    port: int,
    connections: int,
    folder: Path,
    rate_per_s: float | None = None,
    gives_up: bool = False,
    seconds_max: float = SECONDS_MAX,
) -> Result:
    """Send prepared requests from a process of its own; returns when the last is answered.

    Args:
        requests: whole requests.
        port: of the server.
        connections: how many there are.
        folder: where the requests are written for the generator.
        rate_per_s: requests a second of an open loop; a closed loop if None.
        gives_up: see ``Plan``.
        seconds_max: longest run.

    Raises:
        LoadFailed: the run broke off.
    """
    path = folder / "requests"
    write_frames(path, requests)
    plan = Plan(
        port=port,
        requests=str(path),
        connections=connections,
        rate_per_s=rate_per_s,
        gives_up=gives_up,
        seconds_max=seconds_max,
    )
    done = subprocess.run(
        [sys.executable, "-m", "wallet_api.bench.generator"],
        input=msgspec.json.encode(plan),
        stdout=subprocess.PIPE,
        timeout=plan.seconds_max + GRACE_SECONDS,
        check=True,
    )
    path.unlink()
    result = msgspec.json.decode(done.stdout, type=Result)
    if result.failure is not None:
        raise LoadFailed(f"{result.failure}; got {result.statuses} {result.sample}".rstrip())
    return result


def expect(result: Result, statuses: Mapping[int, int]) -> None:
    """Check that the answers are those expected, each as often.

    Raises:
        LoadFailed: they are not.
    """
    expected = {str(status): count for status, count in statuses.items() if count}
    if result.statuses != expected:
        raise LoadFailed(f"expected answers {expected} by status, got {result.statuses}; {result.sample}".rstrip())


def expect_only(result: Result, statuses: Iterable[int]) -> None:
    """Check that no answer has a status other than these.

    Raises:
        LoadFailed: one has.
    """
    known = {str(status) for status in statuses}
    if not result.statuses.keys() <= known:
        raise LoadFailed(f"expected only the statuses {sorted(known)}, got {result.statuses}; {result.sample}".rstrip())
