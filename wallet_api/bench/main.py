"""The benchmark as one call: measure what was asked for, show a table, write the report."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from wallet_api.bench import bulk, machine, memory, reading, restart, single, verification
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, Report, encode_report
from wallet_api.bench.scale import scale_of

MEASUREMENTS: Final[Mapping[str, Callable[[Bench], Iterator[Figure]]]] = {
    "single": single.measure,
    "bulk": bulk.measure,
    "read": reading.measure,
    "verify": verification.measure,
    "restart": restart.measure,
    "memory": memory.measure,
}
"""What can be measured, in the order in which it is."""


def run(*, json_path: Path | None, only: list[str] | None, quick: bool, runs: int | None) -> int:
    """Measure, show a table on standard output and write the report.

    Args:
        json_path: file for the report; none is written if None.
        only: names of ``MEASUREMENTS``; all of them if None or empty.
        quick: tiny sizes, which only show that everything works.
        runs: how often each figure is measured; as the sizes say if None.

    Returns:
        The exit code: 0, or 2 where ``only`` names what there is not.
    """
    console = Console()
    wanted = list(only or MEASUREMENTS)
    unknown = [name for name in wanted if name not in MEASUREMENTS]
    if unknown:
        Console(stderr=True).print(f"expected some of {', '.join(MEASUREMENTS)}; got {', '.join(unknown)}")
        return 2
    with (
        tempfile.TemporaryDirectory(prefix="tenge-bench-", ignore_cleanup_errors=True) as folder,
        console.status("measuring") as status,
        ExitStack() as stack,
    ):
        described = machine.describe(Path(folder))
        bench = Bench(scale_of(quick=quick, runs=runs), Path(folder), stack, status.update)
        figures = tuple(figure for name in wanted for figure in MEASUREMENTS[name](bench))
    report = Report(machine=described, figures=figures)
    console.print(_table(report))
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_bytes(encode_report(report))
    return 0


def _table(report: Report) -> Table:
    table = Table(title=", ".join(f"{name} {value}" for name, value in report.machine.items()))
    table.add_column("figure")
    for heading in ("median", "min", "max", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for figure in report.figures:
        table.add_row(
            figure.name,
            *(f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}" for value in _spread(figure)),
            str(figure.runs),
            figure.unit,
        )
    return table


def _spread(figure: Figure) -> tuple[float, float, float]:
    return figure.median, figure.min, figure.max
