"""Plots of a report, as SVG: throughput against size, latency against load.

The same report gives the same bytes: no date, no random ids, text as text.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from wallet_api.bench.figures import Axis, Report, Series

LOGARITHMIC: Final = {"throughput_against_size": ("x",), "latency_against_load": ("y",)}
"""Axes by plot that span several powers of ten."""

WIDTH_INCHES: Final = 7.0
HEIGHT_INCHES: Final = 4.0

NO_METADATA: Final = {"Date": None, "Creator": None}
"""What would differ between two machines or days."""


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw every plot there are series for, into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    plots: dict[str, list[Series]] = {}
    for series in report.series:
        plots.setdefault(series.plot, []).append(series)
    return [_draw(folder / f"{name}.svg", curves, LOGARITHMIC.get(name, ())) for name, curves in plots.items()]


def _draw(path: Path, curves: Sequence[Series], logarithmic: Sequence[str]) -> Path:
    # Ids that follow from the content, and text that stays text: small files, the same each time.
    with matplotlib.rc_context({"svg.hashsalt": "tenge", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for curve in curves:
            xs, ys = zip(*curve.points, strict=True)
            axes.plot(xs, ys, marker="o", markersize=3, label=curve.name)
        if "x" in logarithmic:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        if "y" in logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(_title(curves[0].x))
        axes.set_ylabel(_title(curves[0].y))
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        figure.savefig(path, format="svg", metadata=NO_METADATA)
    # Lines end where their text does, as in every other file of the project.
    text = path.read_text(encoding="utf-8")
    path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()), encoding="utf-8")
    return path


def _title(axis: Axis) -> str:
    return f"{axis.meaning} ({axis.unit})"
