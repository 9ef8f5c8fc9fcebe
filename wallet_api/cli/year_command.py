"""The command that plays a simulated year of the market and reports what came of it."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from wallet_api.cli.output import JsonOption, ends, standard_error, standard_output, write_file, write_json
from wallet_api.sandbox.pilot_plan import btc_text, tenge_text
from wallet_api.sandbox.year import YearReport, play_year
from wallet_api.sandbox.year_plan import YearScale


@ends
def year(
    sales: Annotated[int, typer.Option(min=10, max=10_000_000, help="Sales to try.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plays the same year.")] = 1,
    miners: Annotated[int, typer.Option(min=1, max=90, help="Miners, each with its licence and meter.")] = 50,
    exchanges: Annotated[int, typer.Option(min=1, max=20, help="Exchanges.")] = 5,
    days: Annotated[int, typer.Option(min=3, max=365, help="Days from 1 January 2025 on.")] = 365,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the report (JSON).", dir_okay=False)] = None,
    is_json: JsonOption = False,
) -> None:
    """Play a year of sales on the real rules in this process: quotas, shams, levy, coverage, and the speed."""
    scale = YearScale(sales=sales, seed=seed, miners=miners, exchanges=exchanges, days=days)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=standard_error(),
    ) as bar:
        report = play_year(scale, progress=_shown(bar, sales)).report
    document = msgspec.to_builtins(report)
    if out is not None:
        write_file(out, msgspec.json.format(msgspec.json.encode(document), indent=1))
    if is_json:
        write_json(document)
    else:
        print_year(standard_output(), report)


def print_year(console: Console, report: YearReport) -> None:
    """Print quotas, what was found, the levy, coverage and the speed."""
    console.print(_quotas(report))
    console.print(_facts(report))
    console.print(_levy(report))
    console.print(_coverage(report))


def _shown(bar: Progress, sales: int) -> Callable[[datetime.date, int], None]:
    task = bar.add_task("sales", total=sales)
    return lambda date, tried: bar.update(task, completed=tried, description=f"{date}: sales tried")


def _quotas(report: YearReport) -> Table:
    table = Table(
        title=f"Quota, in BTC: {report.met} of {len(report.miners)} miners met it",
        caption=report.basis_note,
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in ("miner", "produced", "duty", "duty met", "sold", "short"):
        table.add_column(column, justify="left" if column == "miner" else "right", no_wrap=True)
    for miner in report.miners:
        quantities = (miner.produced, miner.obligation, miner.counted_obligation, miner.sold, miner.shortfall)
        table.add_row(miner.miner, *(btc_text(quantity) for quantity in quantities))
    return table


def _facts(report: YearReport) -> Table:
    speed = report.speed
    table = Table(title="The year, on this machine with everything else running on it")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for what, figure in (
        ("sales tried", f"{report.sales_tried:,}"),
        ("settled", f"{report.sales_settled:,}"),
        ("paid, tenge", tenge_text(report.settled_tiyn)),
        ("shams, of them flagged", f"{report.shams}, {report.shams_flagged}"),
        ("claims flagged, disqualified, restored", f"{report.flagged}, {report.disqualified}, {report.restored}"),
        ("claims still held", f"{len(report.held_claims)}"),
        ("reports, corrections", f"{report.reports:,}, {report.corrections}"),
        ("reconciliations, all balanced", f"{report.reconciled:,}"),
        ("transactions", f"{speed.transactions:,}"),
        ("transactions decided a second", f"{speed.transactions_per_s:,.0f}"),
        ("sales decided a second", f"{speed.sales_per_s:,.0f}"),
        ("quota statements a second", f"{speed.statements_per_s:,.1f}"),
        ("seconds", f"{speed.seconds:,.0f}"),
    ):
        table.add_row(what, figure)
    for what, count in report.refused.items():
        table.add_row(f"refused, {what}", f"{count:,}")
    return table


def _levy(report: YearReport) -> Table:
    table = Table(title="Levy, in tenge", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("quarter", "due", "paid", "outstanding", "of miners"):
        table.add_column(column, justify="left" if column == "quarter" else "right", no_wrap=True)
    for row in report.levy:
        amounts = (tenge_text(each) for each in (row.due, row.paid, row.outstanding))
        table.add_row(row.quarter, *amounts, str(row.miners_outstanding))
    return table


def _coverage(report: YearReport) -> Table:
    table = Table(title="Least coverage of a day")
    table.add_column("exchange and asset")
    table.add_column("per cent", justify="right")
    for key, (backing, owed) in report.coverage.items():
        # Rounded down: what is not covered in full never reads as covered.
        table.add_row(key, f"{backing * 100 // owed:,}")
    return table
