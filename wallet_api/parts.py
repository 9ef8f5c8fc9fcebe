"""The objects a running node consists of, as the routes see them. Only ``wallet_api.app`` puts them together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends
from starlette.requests import Request

from ledger.clock import Clock
from ledger.config import Settings
from ledger.log.block_store import BlockReader
from ledger.log.sequencer import Sequencer
from ledger.units import TimestampUs
from wallet_api.annex import Annex
from wallet_api.auth import Tokens
from wallet_api.limits import FailureLimit
from wallet_api.projections import Projections
from wallet_api.public_page import PublicPage
from wallet_api.query_log import QueryLog

FATAL: Final = frozenset({"node_deposed", "node_broken", "clock_jumped"})
"""Failures after which a node never accepts anything again, so that its process should end. After a jump of the clock
a supervisor starts it anew: it then measures from the clock as it is, and stops again while that is behind the log."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One node."""

    settings: Settings
    document: bytes
    """The genesis document, canonical bytes."""
    clock: Clock
    now_us: Callable[[], TimestampUs]
    """Ledger time, to tell clients and to see which keys are valid; blocks take theirs from the clock."""
    sequencer: Sequencer
    projections: Projections
    blocks: BlockReader
    """To be read, from any thread; the sequencer alone writes."""
    annex: Annex
    queries: QueryLog
    """Where it is put on record what those that watch others asked."""
    public: PublicPage
    tokens: Tokens
    failures: FailureLimit

    @property
    def includes_sequence(self) -> int:
        """The newest leaf the state includes. Read it before the state: then it is never too high."""
        return self.sequencer.position.range.size - 1

    @property
    def is_fatal(self) -> bool:
        """Whether the node will never accept anything again."""
        failure = self.sequencer.failure
        return failure is not None and failure.code in FATAL


async def _node(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


Node = Annotated[Parts, Depends(_node)]
"""What a route calls."""
