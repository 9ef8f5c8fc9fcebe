"""The command that measures the ledger."""

import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from wallet_api.bench.place import Store
from wallet_api.cli.exits import DONE
from wallet_api.cli.output import JsonOption, ends, write_file


@ends
def bench(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the report (JSON).", dir_okay=False)] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the plots (SVG).", file_okay=False)] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="What to measure; may be given more than once.")
    ] = None,
    is_quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes that only show that everything works.")] = False,
    is_full: Annotated[
        bool, typer.Option("--full", help="Grow the ledger to ten million entries, in one run.")
    ] = False,
    runs: Annotated[int | None, typer.Option(min=1, help="How often each figure is measured; 3 unless given.")] = None,
    store: Annotated[Store, typer.Option(help="Where the ledger keeps its blocks and projections.")] = "sqlite",
    sizes: Annotated[
        str | None, typer.Option(help="Entries to measure growth at; 10k,100k,1m unless given.", metavar="SIZES")
    ] = None,
    connections: Annotated[
        int | None, typer.Option(min=1, max=4_000, help="Connections of the closed loop; 64 unless given.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=1, help="A further load of the open loop, in single transfers a second.")
    ] = None,
    contention: Annotated[float, typer.Option(min=0, max=1, help="Share of payments that one account makes.")] = 0.0,
    invalid: Annotated[
        float, typer.Option(min=0, max=1, help="Share of payments that must be refused: there is no money.")
    ] = 0.0,
    bad_signatures: Annotated[
        float, typer.Option(min=0, max=1, help="Share of single transfers whose signature does not hold.")
    ] = 0.0,
    is_json: JsonOption = False,
) -> None:
    """Measure this ledger against a textbook one on this machine, in one run. Needs the development packages, Linux."""
    # Imported here: it brings the textbook's database along, which no other command needs.
    from wallet_api.bench.main import run
    from wallet_api.bench.options import Options, read_sizes
    from wallet_api.bench.payments import Mix

    try:
        read = read_sizes(sizes or "")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--sizes") from error
    options = Options(
        json_path=out,
        plots=plots,
        only=tuple(only or ()),
        is_quick=is_quick,
        is_full=is_full,
        runs=runs,
        sizes=read,
        store=store,
        connections=connections,
        rate_per_s=rate,
        mix=Mix(contention, invalid, bad_signatures),
    )
    if not is_json:
        code = run(options)
    else:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            report = out or Path(folder) / "report.json"
            code = run(replace(options, json_path=report))
            measured = report.read_bytes() if report.exists() else b""
        write_file(None, measured.strip())
    if code != DONE:
        raise typer.Exit(code)
