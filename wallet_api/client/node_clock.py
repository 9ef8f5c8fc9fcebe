"""The time of a node, for references: in a sandbox with a scripted clock it is not the wall clock's."""

import httpx2
import msgspec

from ledger.clock import ScriptedClock
from ledger.units import TimestampUs
from wallet_api.client.failures import UnexpectedAnswer, Unreachable
from wallet_api.client.references import TimeUs


class _Ready(msgspec.Struct):
    """What is read of a node's readiness."""

    time_us: TimestampUs


def node_time_us(base_url: str) -> TimestampUs:
    """Return the ledger time of a node that is ready.

    Raises:
        Unreachable: it does not answer.
        UnexpectedAnswer: it is not ready, or not a node.
    """
    try:
        answer = httpx2.get(f"{base_url}/ready", trust_env=False)
    except httpx2.TransportError as error:
        raise Unreachable(f"{base_url}/ready: {type(error).__name__}: {error}", None) from error
    try:
        return msgspec.json.decode(answer.content, type=_Ready).time_us
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"{base_url} is not ready: status {answer.status_code}") from error


def node_clock(base_url: str) -> TimeUs:
    """Return a clock that starts at a node's time and runs on at the machine's pace; raises as `node_time_us`."""
    return ScriptedClock(node_time_us(base_url)).now_us
