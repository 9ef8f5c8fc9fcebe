"""Figures: what a measurement comes to after several runs, and the report they make together."""

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity."""

    name: str
    unit: str
    """``1/s``, ``s``, ``ms``, ``us``, ``bytes``, ``MB``, ``entries``; ``ratio`` where two quantities of one run were
    divided."""
    median: float
    min: float
    max: float
    runs: int
    """How many runs the three numbers stand for."""


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the two numbers of a point means."""

    meaning: str
    unit: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a curve."""

    plot: str
    """The plot it belongs to; curves of one plot share their axes."""
    name: str
    x: Axis
    y: Axis
    points: tuple[tuple[float, float], ...]


Measured = Figure | Series
"""What a measurement yields."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the benchmark writes down."""

    machine: dict[str, str | int | float]
    options: dict[str, str | int | float]
    """What was asked for that changes what the figures mean."""
    figures: tuple[Figure, ...]
    series: tuple[Series, ...]


def figure(name: str, unit: str, samples: Sequence[float]) -> Figure:
    """Return the figure of one sample a run."""
    assert samples, "a figure stands on at least one run"
    return Figure(
        name=name,
        unit=unit,
        median=rounded(statistics.median(samples)),
        min=rounded(min(samples)),
        max=rounded(max(samples)),
        runs=len(samples),
    )


def ratio(name: str, over: Sequence[float], under: Sequence[float]) -> Figure:
    """Return the figure of a ratio, formed run by run: both halves of each saw the same machine at the same time."""
    return figure(name, "ratio", [one / other for one, other in zip(over, under, strict=True)])


def encode_report(report: Report) -> bytes:
    """Return the report as indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def rounded(value: float) -> float:
    """Keep four digits: more would pretend to a precision that no run has."""
    return float(f"{value:.4g}")
