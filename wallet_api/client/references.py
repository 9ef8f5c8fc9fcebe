"""References: the client's own id of each transaction, a UUIDv7 (RFC 9562, section 5.7)."""

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Final

from ledger.units import Reference, TimestampUs

MILLISECOND_US: Final = 1_000
"""Microseconds in the resolution of a UUIDv7."""

_RANDOM_A_BITS: Final = 12
_RANDOM_B_BITS: Final = 62
_VERSION: Final = 0x7
_VARIANT: Final = 0b10

TimeUs = Callable[[], TimestampUs]
"""Tells microseconds since 1970-01-01T00:00:00Z; a sandbox with scripted time brings its own."""


def system_time_us() -> TimestampUs:
    """Return the wall clock's time."""
    return TimestampUs(time.time_ns() // 1_000)


def new_reference(time_us: TimestampUs) -> Reference:
    """Return a reference nobody can guess: 48 bits of time, 74 bits of the system's cryptographic randomness."""
    milliseconds = time_us // MILLISECOND_US
    value = (
        milliseconds << 80
        | _VERSION << 76
        | secrets.randbits(_RANDOM_A_BITS) << 64
        | _VARIANT << 62
        | secrets.randbits(_RANDOM_B_BITS)
    )
    return Reference(str(uuid.UUID(int=value)))
