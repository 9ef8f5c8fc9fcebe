"""Figures: what a measurement comes to after several runs, and the report they make together."""

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity."""

    name: str
    unit: str
    """``1/s``, ``s``, ``ms``, ``bytes``; ``ratio`` where two quantities of one run were divided."""
    median: float
    min: float
    max: float
    runs: int
    """How many runs the three numbers stand for."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the benchmark writes down."""

    machine: dict[str, str | int | float]
    figures: tuple[Figure, ...]


def figure(name: str, unit: str, samples: Sequence[float]) -> Figure:
    """Return the figure of one sample a run."""
    assert samples, "a figure stands on at least one run"
    return Figure(
        name=name,
        unit=unit,
        median=_rounded(statistics.median(samples)),
        min=_rounded(min(samples)),
        max=_rounded(max(samples)),
        runs=len(samples),
    )


def ratio(name: str, over: Sequence[float], under: Sequence[float]) -> Figure:
    """Return the figure of a ratio, formed run by run: both halves of each saw the same machine at the same time."""
    return figure(name, "ratio", [one / other for one, other in zip(over, under, strict=True)])


def encode_report(report: Report) -> bytes:
    """Return the report as indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _rounded(value: float) -> float:
    """Keep four digits: more would pretend to a precision that no run has."""
    return float(f"{value:.4g}")
