"""Single transfers at stated rates, whatever the answers do: latency against load, and what overload does.

The loads are shares of the peak that the closed loop just showed. A latency is counted from the moment the request was
meant to be sent (:mod:`wallet_api.bench.schedule`).
"""

from collections.abc import Iterator
from typing import Final

from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Axis, Figure, Measured, Series, figure, rounded
from wallet_api.bench.node import NOT_NOW
from wallet_api.bench.payments import singles
from wallet_api.bench.percentiles import Percentiles
from wallet_api.bench.plan import Result

LOADS_PERCENT: Final = (25, 50, 75, 100)
"""Loads that latencies are measured at, in per cent of the peak."""

OVERLOAD: Final = 3
"""How many times the peak an overloaded ledger is asked for."""

PLOT: Final = "latency_against_load"
"""The plot of these latencies."""


def measure(bench: Bench, *, peak_per_s: float) -> Iterator[Measured]:
    """Yield latencies at each load, and the goodput under three times the peak as a ratio to it.

    Args:
        bench: the run.
        peak_per_s: transfers a second that the closed loop came to.
    """
    loads = {f"at_{percent}": peak_per_s * percent / 100 for percent in LOADS_PERCENT}
    if bench.options.rate_per_s is not None:
        loads["at_rate"] = bench.options.rate_per_s
    results: dict[str, list[Result]] = {}
    overloads = []
    for run in range(bench.scale.runs):
        for name, rate_per_s in loads.items():
            bench.say(f"open loop, run {run + 1} of {bench.scale.runs}: {rate_per_s:.0f} a second")
            results.setdefault(name, []).append(_run(bench, rate_per_s, gives_up=False))
        bench.say(f"overload, run {run + 1} of {bench.scale.runs}: {OVERLOAD} times the peak")
        overloads.append(_run(bench, OVERLOAD * peak_per_s, gives_up=True))
    for name, of_load in results.items():
        yield from _latencies(name, loads[name], of_load)
    yield from _overload(overloads, peak_per_s)
    yield from _series(loads, results)


def goodput_per_s(result: Result) -> float:
    """Return the transfers decided a second, within the window that the load was meant to take."""
    decided = sum(count for status, count in result.in_window.items() if int(status) not in NOT_NOW)
    return decided / result.window_s


def unsent(result: Result, asked: float) -> float:
    """Return the share of what was asked for that found no connection within the window."""
    return 1 - result.sent / asked


def turned_away(result: Result) -> float:
    """Return the share of the requests sent that the ledger did not take for now."""
    return sum(result.statuses.get(str(status), 0) for status in NOT_NOW) / max(result.sent, 1)


def _run(bench: Bench, rate_per_s: float, *, gives_up: bool) -> Result:
    count = max(1, round(rate_per_s * bench.scale.open_s))
    sent = singles(bench.world, count, bench.options.mix, seed=bench.seed())
    node = bench.node
    result = node.pay(sent, connections=bench.scale.open_connections, rate_per_s=rate_per_s, gives_up=gives_up)
    node.wait_for_views()
    return result


def _latencies(name: str, rate_per_s: float, results: list[Result]) -> Iterator[Figure]:
    yield figure(f"single_{name}_rate_per_s", "1/s", [rate_per_s])
    yield figure(f"single_{name}_p50_ms", "ms", [result.latencies_ms.p50 for result in results])
    yield figure(f"single_{name}_p99_ms", "ms", [result.latencies_ms.p99 for result in results])
    yield figure(f"single_{name}_p999_ms", "ms", [result.latencies_ms.p999 for result in results])
    yield figure(f"single_{name}_turned_away", "ratio", [turned_away(result) for result in results])


def _overload(results: list[Result], peak_per_s: float) -> Iterator[Figure]:
    goodputs = [goodput_per_s(result) for result in results]
    yield figure("overload_goodput_per_s", "1/s", goodputs)
    yield figure("overload_goodput_vs_peak", "ratio", [goodput / peak_per_s for goodput in goodputs])
    yield figure("overload_turned_away", "ratio", [turned_away(result) for result in results])
    asked = OVERLOAD * peak_per_s
    yield figure("overload_unsent", "ratio", [unsent(result, asked * result.window_s) for result in results])
    yield figure("overload_p99_ms", "ms", [result.latencies_ms.p99 for result in results])


def _series(loads: dict[str, float], results: dict[str, list[Result]]) -> Iterator[Series]:
    """Yield a curve for each percentile: the median run at each load."""
    ordered = sorted(loads, key=loads.__getitem__)
    for name, field in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")):
        points = tuple(
            (
                rounded(loads[load]),
                figure(name, "ms", [_value(each.latencies_ms, field) for each in results[load]]).median,
            )
            for load in ordered
        )
        yield Series(
            plot=PLOT,
            name=name,
            x=Axis(meaning="single transfers asked for", unit="1/s"),
            y=Axis(meaning="latency from the intended moment", unit="ms"),
            points=points,
        )


def _value(latencies: Percentiles, field: str) -> float:
    value: float = getattr(latencies, field)
    return value
