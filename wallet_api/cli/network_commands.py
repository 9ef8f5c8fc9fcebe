"""Commands for who runs a node: make a network, run a node, export its log, rebuild its projections."""

import logging
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.config import Settings
from ledger.log.export import write_export
from ledger.log.stores import open_reader
from ledger.units import BusinessDate, TimestampUs
from ledger.views.applied import Applied
from settlement.model.local_time import calendar_date
from wallet_api.cli.exits import DONE, UNAVAILABLE
from wallet_api.cli.output import JsonOption, ends, standard_error, write_json, write_result
from wallet_api.client.references import system_time_us
from wallet_api.sandbox.folder import read_document, write_folder
from wallet_api.sandbox.network import make_network
from wallet_api.sandbox.pilot_stage import local_time_us

Folder = Annotated[Path, typer.Argument(help="Folder of the node.", file_okay=False)]


@ends
def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help="First half of the network id.")] = "sandbox",
    clock: Annotated[
        Literal["system", "scripted"], typer.Option(help="scripted: a sandbox whose time is moved by hand.")
    ] = "system",
    date: Annotated[
        str | None, typer.Option(help="First business date of a scripted clock; today if not given.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Make a network: genesis document, log key, and keys of operator and central bank (2 of 3 each)."""
    time_us = system_time_us() if date is None else _morning_of(date, clock)
    network = make_network(name, clock=clock, time_us=time_us)
    write_folder(folder, network)
    write_result(
        {"network": network.id, "folder": str(folder), "clock": clock, "log_key": network.log_key.public.x},
        is_json=is_json,
        title="A new network",
    )


@ends
def node(
    folder: Folder,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 lets the system choose.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Start although another node holds the ledger; that one never writes again."),
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Run a node until it is told to stop. Environment variables set the rest; options go before them."""
    # Imported here: the web framework takes half a second to load, and no other command needs it.
    from wallet_api.parts import Parts
    from wallet_api.serve import serve

    read_document(folder)
    given = {"node": folder, "port": port, "host": host, "take_over": take_over or None}
    settings = _settings({name: value for name, value in given.items() if value is not None})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")

    def tell(address: str, parts: Parts) -> None:
        if is_json:
            write_json({"address": address, "network": parts.sequencer.network})
        else:
            standard_error().print(f"network  {parts.sequencer.network}\naddress  {address}\nstop with Ctrl-C")

    code = serve(settings, on_ready=tell)
    if code != DONE:
        raise typer.Exit(UNAVAILABLE)


@ends
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.", dir_okay=False)],
    is_json: JsonOption = False,
) -> None:
    """Write the whole log to a file that anyone can verify offline. The node may be running."""
    document = read_document(folder)
    settings = _settings({"node": folder})
    with closing(open_reader(settings.block_store_url)) as reader, out.open("wb") as file:
        blocks = write_export(reader, document, file)
    write_result({"blocks": blocks, "file": str(out), "bytes": out.stat().st_size}, is_json=is_json, title="Exported")


@ends
def rebuild_views(folder: Folder, is_json: JsonOption = False) -> None:
    """Drop the projections and make them again from the log. The node must not be running."""
    from wallet_api.follow import make_follower

    read_document(folder)
    settings = _settings({"node": folder})
    with ExitStack() as stack:
        follower = make_follower(stack, settings)
        with closing(open_reader(settings.block_store_url)) as reader:
            total = reader.head().size
        progress = stack.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=standard_error(),
                disable=is_json,
            )
        )
        task = progress.add_task("leaves", total=total)
        last: list[Applied] = []

        def tell(applied: Applied) -> None:
            last[:] = [applied]
            progress.update(task, completed=applied.size)

        follower.rebuild(tell)
    rebuilt = last[-1] if last else None
    result = {"height": None if rebuilt is None else rebuilt.height, "leaves": 0 if rebuilt is None else rebuilt.size}
    write_result(result, is_json=is_json, title="Projections rebuilt")


def _settings(given: dict[str, object]) -> Settings:
    """Return the settings: environment variables, with what the command line gives before them."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise typer.BadParameter(str(error)) from error


def _morning_of(date: str, clock: str) -> TimestampUs:
    if clock != "scripted":
        raise typer.BadParameter("--date is for a scripted clock: the system's clock says what day it is")
    if calendar_date(BusinessDate(date)) is None:
        raise typer.BadParameter(f"expected a date, YYYY-MM-DD, got {date}")
    return local_time_us(date, 8)
