"""A follower in a thread of the test: the real projections, without a process of their own."""

import asyncio
import os
import threading
from contextlib import ExitStack
from typing import Self

import msgspec

from ledger.config import Settings
from ledger.views.answers import ViewsBehind
from ledger.views.follower import WAKE, WAKE_URGENT
from wallet_api.follow import make_follower


class FollowerThread:
    """Runs ``Follower.run`` over a pipe, as the process does. It is its own ``report`` stream."""

    def __init__(self, settings: Settings) -> None:
        self.size = 0
        self.fault: str | None = None
        self._settings = settings
        self._wake_out, self._wake_in = os.pipe()
        self._reported = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="following")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._wake_in)
        self._thread.join()

    def _run(self) -> None:
        with ExitStack() as stack, os.fdopen(self._wake_out, "rb", buffering=0) as wake:
            follower = make_follower(stack, self._settings)
            follower.run(wake, self, poll_interval_s=0.05)  # type: ignore[arg-type]

    def write(self, line: bytes) -> int:
        report = msgspec.json.decode(line)
        with self._reported:
            self.size = report.get("size", self.size)
            self.fault = report.get("fault")
            self._reported.notify_all()
        return len(line)

    def flush(self) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def wake(self) -> None:
        os.write(self._wake_in, WAKE)

    async def wait_for(self, size: int, timeout_s: float) -> None:
        def wait() -> bool:
            with self._reported:
                if self.fault is None:
                    os.write(self._wake_in, WAKE_URGENT)
                return self._reported.wait_for(lambda: self.size >= size, timeout_s)

        if not await asyncio.to_thread(wait):
            raise ViewsBehind(f"expected views of {size} leaves, got {self.size}")
