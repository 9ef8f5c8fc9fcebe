"""The command to watch the whole thing: the pilot day."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from wallet_api.cli.exits import UNAVAILABLE
from wallet_api.cli.output import JsonOption, ends, standard_error, standard_output, write_json
from wallet_api.sandbox.pilot_day import ACTS_FRESH, ACTS_MORE, How, play, play_on, prepare_folder, start
from wallet_api.sandbox.pilot_plan import Scale
from wallet_api.sandbox.pilot_report import RichShow, print_report, report_document

DEFAULT_FOLDER = Path("pilot")
"""Where the pilot's node lives unless told otherwise."""


@ends
def pilot(
    folder: Annotated[Path, typer.Argument(help="Folder of the pilot's node.", file_okay=False)] = DEFAULT_FOLDER,
    is_fresh: Annotated[bool, typer.Option("--fresh", help="Delete the pilot in the folder and start over.")] = False,
    is_continued: Annotated[
        bool, typer.Option("--continue", help="Go on with the pilot in the folder by one more day.")
    ] = False,
    is_exit: Annotated[bool, typer.Option("--exit", help="End the node when the pilot is over.")] = False,
    port: Annotated[int, typer.Option(help="Port of the node; 0 lets the system choose.", min=0, max=65_535)] = 0,
    wallets: Annotated[int, typer.Option(min=6, max=12_000, help="Wallets to open and fund.")] = 2_000,
    payments: Annotated[int, typer.Option(min=1, max=1_000_000, help="Single payments among them.")] = 2_000,
    seed: Annotated[
        str | None, typer.Option(help="Make the same keys each time. Who knows the seed has every key.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Play a pilot day against a real node: issue, pay, report, sell, refuse, redeem, close, export, verify."""
    if is_fresh and is_continued:
        raise typer.BadParameter("--fresh and --continue contradict each other")
    how: How | None = "fresh" if is_fresh else "continue" if is_continued else None
    state = prepare_folder(folder, how, seed=seed)
    scale = Scale(wallets=wallets if state is None else state.wallets, payments=payments)
    # Who is told to end, by a person or by the system, ends the node too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    acts = ACTS_FRESH if state is None else ACTS_MORE
    with RichShow(standard_error(), acts) as show, start(folder, show=show, scale=scale, port=port) as (node, stage):
        finished = play(stage, folder, node.address) if state is None else play_on(stage, folder, node.address, state)
        seconds = time.monotonic() - started
        show.close()
        if is_json:
            write_json({**report_document(finished), "seconds": round(seconds, 1)})
        else:
            print_report(standard_output(), finished)
            standard_error().print(f"[bold green]The pilot day is over[/bold green] after {seconds:.0f} seconds.")
        if is_exit:
            return
        standard_error().print(f"The node keeps running at [bold]{node.address}[/bold]; stop it with Ctrl-C.")
        try:
            code = node.wait()
        except KeyboardInterrupt:
            return
    if code != 0:
        raise typer.Exit(UNAVAILABLE)
