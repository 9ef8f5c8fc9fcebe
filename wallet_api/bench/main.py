"""The benchmark as one call: measure what was asked for, show a table, write the report, draw the plots."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from wallet_api.bench import bulk, growth, machine, memory, on_postgres, reading, restart, single, verification
from wallet_api.bench.bench import Bench
from wallet_api.bench.figures import Figure, Measured, Report, Series, encode_report
from wallet_api.bench.options import Options
from wallet_api.bench.postgres import NoPostgres

MEASUREMENTS: Final[Mapping[str, Callable[[Bench], Iterator[Measured]]]] = {
    "single": single.measure,
    "bulk": bulk.measure,
    "growth": growth.measure,
    "postgresql": on_postgres.measure,
    "restart": restart.measure,
    "read": reading.measure,
    "verify": verification.measure,
    "memory": memory.measure,
}
"""What can be measured, in the order in which it is. Restarts come before reads: who reads starts a node on the large
ledger, which takes a snapshot of what the restart is to replay."""


def run(options: Options) -> int:
    """Measure, show a table on standard output, write the report and draw the plots.

    Returns:
        The exit code: 0, or 2 where what was asked for is not there.
    """
    unknown = [name for name in options.only if name not in MEASUREMENTS]
    if unknown:
        return _refuse(f"expected some of {', '.join(MEASUREMENTS)}; got {', '.join(unknown)}")
    console = Console()
    try:
        report = _measured(options, console)
    except NoPostgres as error:
        return _refuse(str(error))
    console.print(_table(report))
    if options.json_path is not None:
        options.json_path.parent.mkdir(parents=True, exist_ok=True)
        options.json_path.write_bytes(encode_report(report))
    if options.plots is not None:
        # Imported here: drawing takes longer to load than everything else.
        from wallet_api.bench.plots import draw

        draw(report, options.plots)
    return 0


def _measured(options: Options, console: Console) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="tenge-bench-", ignore_cleanup_errors=True) as folder,
        console.status("measuring") as status,
        ExitStack() as stack,
    ):
        bench = Bench(options, Path(folder), stack, status.update)
        described = machine.describe(Path(folder), options.store)
        measured = [
            each
            for name, measure in MEASUREMENTS.items()
            if not options.only or name in options.only
            for each in measure(bench)
        ]
    return Report(
        machine={**described, **bench.databases},
        options=_options(bench),
        figures=tuple(each for each in measured if isinstance(each, Figure)),
        series=tuple(each for each in measured if isinstance(each, Series)),
    )


def _options(bench: Bench) -> dict[str, str | int | float]:
    """What was asked for that changes what the figures mean."""
    mix = bench.options.mix
    return {
        "runs": bench.scale.runs,
        "connections": bench.scale.connections,
        "contention": mix.contention,
        "invalid": mix.invalid,
        "bad_signatures": mix.bad_signatures,
    }


def _refuse(reason: str) -> int:
    Console(stderr=True).print(reason)
    return 2


def _table(report: Report) -> Table:
    told = {**report.machine, **report.options}
    table = Table(title=", ".join(f"{name} {value}" for name, value in told.items()))
    table.add_column("figure", overflow="fold")
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
