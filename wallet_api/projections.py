"""Reading the projections from the event loop: waiting for what is asked for, or saying that it is not there yet."""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from starlette.concurrency import run_in_threadpool

from ledger.log.answers import Unavailable
from ledger.units import ParticipantId, Reference
from ledger.views.answers import AsOf, UnknownCursor, ViewsBehind, ViewsUnavailable
from ledger.views.applied import ViewsFault
from ledger.views.queries import ViewReader
from wallet_api.problems import Problem

Value = TypeVar("Value")

RETRY_AFTER_S: Final = 1
"""What a reader is told to wait when the projections are behind, in seconds."""


class Following(Protocol):
    """What keeps the projections at the head of the log: a process in a node, a thread in a test."""

    size: int
    """Leaves applied, as last reported."""
    fault: str | None
    """Why it stopped for good; None while it follows."""

    async def start(self) -> None:
        """Begin to follow."""

    def wake(self) -> None:
        """Say that there is a new block; from any thread, never waiting."""

    async def wait_for(self, size: int, timeout_s: float) -> None:
        """Wait until the projections include so many leaves, or raise ``ViewsBehind``."""

    async def stop(self) -> None:
        """Stop following."""


class Projections:
    """The projections of a node."""

    def __init__(self, reader: ViewReader, following: Following, *, log_size: Callable[[], int], wait_s: float) -> None:
        """Read projections that follow a log.

        Args:
            reader: of their database.
            following: what keeps them up.
            log_size: leaves in the log now.
            wait_s: how long a read waits for a leaf, in seconds.
        """
        self._reader = reader
        self.following = following
        self._log_size = log_size
        self._wait_s = wait_s

    async def read(self, query: Callable[[ViewReader], AsOf[Value]], *, min_sequence: int | None = None) -> AsOf[Value]:
        """Run a query in a thread, once the projections include a leaf.

        Args:
            query: what to read.
            min_sequence: the leaf; None takes them as they are.

        Raises:
            Problem: ``leaf_unknown``, ``views_behind``, ``views_unavailable``, or ``request_invalid`` for a cursor
                that is none.
        """
        size = self._log_size()
        if min_sequence is not None and min_sequence >= size:
            raise Problem("leaf_unknown", f"expected a leaf below {size}, the size of the log, got {min_sequence}")
        try:
            if min_sequence is not None:
                await self.following.wait_for(min_sequence + 1, self._wait_s)
            answer = await run_in_threadpool(query, self._reader)
        except ViewsBehind as error:
            raise Problem("views_behind", str(error), retry_after_s=RETRY_AFTER_S) from error
        except (ViewsUnavailable, ViewsFault) as error:
            raise Problem("views_unavailable", str(error), retry_after_s=RETRY_AFTER_S) from error
        except UnknownCursor as error:
            raise Problem("request_invalid", f"query.cursor: {error}") from error
        if min_sequence is not None and answer.size <= min_sequence:
            # They were dropped and are made again.
            raise Problem(
                "views_behind",
                f"expected views of {min_sequence + 1} leaves, got {answer.size}",
                retry_after_s=RETRY_AFTER_S,
            )
        return answer

    def first_outcome(
        self, participant: ParticipantId, reference: Reference, *, head_height: int
    ) -> tuple[bytes, int, int] | None:
        """Find where a reference older than the window was decided first; for the sequencer, in a thread of its own.

        Raises:
            Unavailable: ``views_behind`` or ``views_unavailable``: nobody can say now.
        """
        try:
            seen = self._reader.first_outcome(participant, reference, head_height=head_height)
        except ViewsBehind as error:
            raise Unavailable("views_behind", str(error)) from error
        except (ViewsUnavailable, ViewsFault) as error:
            raise Unavailable("views_unavailable", str(error)) from error
        return None if seen is None else (seen.transaction_id, seen.height, seen.place)
