"""Percentiles of latencies: what half, ninety-nine in a hundred and all but one in a thousand requests took at most."""

from collections.abc import Sequence

import msgspec


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies of one run, in milliseconds."""

    p50: float
    p99: float
    p999: float
    """The 99.9th; of fewer than a thousand requests it is the slowest."""
    max: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that at least ``share`` of them do not exceed (nearest rank)."""
    assert ordered, "there is no percentile of nothing"
    assert 0 < share <= 1, "a share of the values, not a per cent"
    # Rounded first: 0.999 * 1000 is a little more than 999 in binary.
    rank = -int(-round(share * len(ordered), 6) // 1)
    return ordered[max(rank, 1) - 1]


def percentiles_ms(latencies_s: Sequence[float]) -> Percentiles:
    """Return the percentiles of latencies given in seconds; all zero where there are none."""
    if not latencies_s:
        return Percentiles(p50=0.0, p99=0.0, p999=0.0, max=0.0)
    ordered = sorted(latencies_s)
    p50, p99, p999 = (1_000 * percentile(ordered, share) for share in (0.5, 0.99, 0.999))
    return Percentiles(p50=p50, p99=p99, p999=p999, max=1_000 * ordered[-1])
