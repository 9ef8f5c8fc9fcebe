"""What the pilot shows: progress while it plays, tables at the end."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from wallet_api.sandbox.pilot_day import Finished
from wallet_api.sandbox.pilot_plan import btc_text, tenge_text


class RichShow:
    """Tells the story on a terminal, with bars where the work has a known length."""

    def __init__(self, console: Console, acts: int) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._acts = acts
        self._whole = self._progress.add_task("pilot", total=acts)

    def __enter__(self) -> Self:
        """Show the bars."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bars as they are."""
        self._progress.stop()

    def close(self) -> None:
        """All is played: the bars stop."""
        self._progress.update(self._whole, completed=self._acts)
        self._progress.stop()

    def act(self, title: str) -> None:
        """A part of the day begins."""
        self._progress.update(self._whole, advance=1)
        self._progress.console.print(f"[bold]{title}[/bold]")

    def step(self, text: str) -> None:
        """Something happened."""
        self._progress.console.print(f"  [green]done[/green]     {text}")

    def refused(self, text: str, code: str) -> None:
        """Something was refused, as it must be."""
        self._progress.console.print(f"  [yellow]refused[/yellow]  {text}: [bold]{code}[/bold]")

    def bar(self, text: str, total: int) -> Callable[[int], None]:
        """Work of known length begins."""
        task = self._progress.add_task(f"  {text}", total=total)
        return lambda pieces: self._progress.advance(task, pieces)


def print_report(console: Console, finished: Finished) -> None:
    """Print what happened, the quotas, the money and the speeds."""
    console.print(_accepted(finished))
    console.print(_refused(finished))
    console.print(_quotas(finished))
    console.print(_facts(finished))
    console.print(_money(finished))
    console.print(_speeds(finished))
    console.print(
        Panel(
            f"network   {finished.network}\n"
            f"export    {finished.outcome.export}\n"
            f"verified  {finished.outcome.verification['leaves']:,} leaves, "
            f"{finished.outcome.verification['transactions']:,} transactions, by a process with public keys only",
            title="The log",
            expand=False,
        )
    )


def report_document(finished: Finished) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        "address": finished.address,
        "network": finished.network,
        "accepted": finished.tally.accepted,
        "lines": finished.tally.lines,
        "refused": [{"what": what, "code": code} for what, code in finished.tally.refused],
        "quotas": finished.outcome.quotas,
        "quota_note": finished.outcome.quota_note,
        "in_circulation_tiyn": finished.outcome.in_circulation_tiyn,
        "sales_tiyn": finished.market.sales_tiyn,
        "facts": [{"what": what, "result": result} for what, result in finished.tally.facts],
        "speeds": [
            {"what": what, "count": count, "seconds": round(seconds, 3)}
            for what, count, seconds in finished.tally.speeds
        ],
        "verification": finished.outcome.verification,
        "export": str(finished.outcome.export),
    }


def _accepted(finished: Finished) -> Table:
    table = Table(title="Accepted")
    table.add_column("kind")
    table.add_column("transactions", justify="right")
    table.add_column("entries and records", justify="right")
    for kind, count in sorted(finished.tally.accepted.items()):
        table.add_row(kind, f"{count:,}", f"{finished.tally.lines[kind]:,}")
    return table


def _refused(finished: Finished) -> Table:
    table = Table(title="Refused, as it must be")
    table.add_column("what was tried")
    table.add_column("by name", no_wrap=True)
    for what, code in finished.tally.refused:
        table.add_row(what, code)
    return table


def _quotas(finished: Finished) -> Table:
    table = Table(
        title="Quota of mined coins, in BTC",
        caption=finished.outcome.quota_note,
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in ("miner", "produced", "unlicensed", "duty", "duty met", "sold", "short"):
        table.add_column(column, justify="left" if column == "miner" else "right", no_wrap=True)
    for miner, quota in finished.outcome.quotas.items():
        quantities = (
            quota.produced,
            quota.unlicensed,
            quota.obligation,
            quota.counted_obligation,
            quota.sold,
            quota.shortfall,
        )
        table.add_row(miner, *(btc_text(quantity) for quantity in quantities))
    return table


def _facts(finished: Finished) -> Table:
    table = Table(title="Settlement, levy, solvency")
    table.add_column("what")
    table.add_column("result")
    for what, result in finished.tally.facts:
        table.add_row(what, result)
    return table


def _money(finished: Finished) -> Table:
    table = Table(title="Tenge")
    table.add_column("what")
    table.add_column("tenge", justify="right")
    table.add_row("in circulation", tenge_text(finished.outcome.in_circulation_tiyn))
    table.add_row("paid in sales of one step", tenge_text(finished.market.sales_tiyn))
    for exchange, fees in sorted(finished.market.fees_tiyn.items()):
        table.add_row(f"fees of {exchange}", tenge_text(fees))
    return table


def _speeds(finished: Finished) -> Table:
    table = Table(title="Speeds, on this machine with everything else running on it")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("a second", justify="right")
    for what, count, seconds in finished.tally.speeds:
        table.add_row(what, f"{count:,}", f"{seconds:.2f}", f"{count / seconds:,.0f}")
    return table
