"""What a stranger may cost: bytes of a body, seconds of its arrival, failures of an address (design D28)."""

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.types import Receive, Scope

from wallet_api.problems import Problem

ADDRESSES_MAX: Final = 65_536
"""Addresses whose failures are counted, about 200 bytes each; above it the longest quiet one is forgotten."""

IPV6_NETWORK_BITS: Final = 64
"""Bits of an IPv6 address that count as one sender: a household is given that many."""


class Disconnected(Exception):
    """The client hung up before its body was complete; there is nobody to answer."""


class FailureLimit:
    """A bucket of failures for each address. It fills with time and is emptied by failures only.

    It never looks at who the request claims to be from, so nobody can lock out somebody else's key.
    """

    def __init__(self, *, burst: int, per_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_s = per_s
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Let the address through.

        Raises:
            Problem: ``failures_too_many``, with the seconds until the next attempt.
        """
        if not self._buckets:
            return
        left = self._left(sender(address))
        if left < 1:
            raise Problem(
                "failures_too_many",
                f"expected at most {self._per_s:g} failed requests a second from one address",
                retry_after_s=max(1, math.ceil((1 - left) / self._per_s)),
            )

    def note(self, address: str) -> None:
        """Count one failure of the address."""
        key = sender(address)
        left = self._left(key) - 1
        self._buckets[key] = (max(left, 0.0), self._monotonic())
        self._buckets.move_to_end(key)
        while len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)

    def _left(self, key: str) -> float:
        """Failures the address has left; a full bucket is forgotten."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return float(self._burst)
        left, at = bucket
        left += (self._monotonic() - at) * self._per_s
        if left >= self._burst:
            del self._buckets[key]
            return float(self._burst)
        return left


def sender(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the network an IPv6 address is in."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address.split('%')[0]}/{IPV6_NETWORK_BITS}", strict=False))
    except ValueError:
        return address


def address_of(scope: Scope) -> str:
    """Return the address a request comes from."""
    client = scope.get("client")
    return client[0] if client else ""


async def read_body(receive: Receive, *, declared: bytes | None, bytes_max: int, within_s: float) -> bytes:
    """Read a request body, counting while it arrives.

    Args:
        receive: of the request.
        declared: the ``Content-Length`` header, if there is one.
        bytes_max: longest body.
        within_s: longest time it may take, in seconds.

    Raises:
        Problem: ``body_too_large`` at the first byte too many, ``body_timeout``, ``request_invalid``.
        Disconnected: the client hung up.
    """
    if declared is not None:
        if not declared.isdigit():
            raise Problem("request_invalid", "header Content-Length: expected a decimal number")
        # A number of more digits than the limit has is larger, and never read as a number.
        if len(declared) > len(str(bytes_max)) or int(declared) > bytes_max:
            raise too_large(bytes_max)
    parts: list[bytes] = []
    size = 0
    try:
        # From the first byte on, which may never come.
        async with asyncio.timeout(within_s):
            while size <= bytes_max:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem("body_timeout", f"expected the whole body within {within_s:g} seconds") from None
    if size > bytes_max:
        raise too_large(bytes_max)
    return b"".join(parts)


def too_large(bytes_max: int) -> Problem:
    """Return the problem of a body that is too long."""
    return Problem(
        "body_too_large",
        f"expected at most {bytes_max} bytes",
        # What is left of the body is not read, so the connection cannot be used again.
        headers={"connection": "close"},
    )
