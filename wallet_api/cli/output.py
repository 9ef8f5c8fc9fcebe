"""What commands write: results to standard output, everything else to standard error, and how they end."""

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, ParamSpec

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ledger.clock import ClockJumped
from ledger.crypto.jws import InvalidJws
from ledger.crypto.keys import InvalidKey
from ledger.crypto.note import InvalidNote
from ledger.genesis import InvalidGenesis
from ledger.log.block_store import HeadBehind, StoreBroken, StoreInUse
from ledger.log.export import ExportFault
from ledger.log.receipts import InvalidReceipt
from ledger.log.replay import ReplayFault
from ledger.log.startup import LogKeyMissing
from ledger.log.verify import VerificationFault
from ledger.views.applied import ViewsFault
from settlement.views.inspection import InspectionFault
from wallet_api.cli.exits import NO, UNAVAILABLE, USAGE
from wallet_api.client import (
    ConsistencyOutstanding,
    ForkedLog,
    Problem,
    Refused,
    UnexpectedAnswer,
    UnprovenReceipt,
    Unreachable,
)
from wallet_api.client.key_files import UnusableKeyFile
from wallet_api.sandbox.folder import UnusableFolder
from wallet_api.sandbox.node_process import NodeDidNotStart
from wallet_api.sandbox.pilot_stage import UnexpectedEnd

P = ParamSpec("P")

JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON object to standard output.")]
"""The option that every command has."""

_ENDS: Final[Mapping[type[Exception], int]] = {
    Refused: NO,
    UnprovenReceipt: NO,
    ForkedLog: NO,
    InvalidReceipt: NO,
    VerificationFault: NO,
    InspectionFault: NO,
    ExportFault: NO,
    UnexpectedEnd: NO,
    ReplayFault: NO,
    InvalidNote: USAGE,
    InvalidJws: USAGE,
    InvalidKey: USAGE,
    InvalidGenesis: USAGE,
    UnusableFolder: USAGE,
    UnusableKeyFile: USAGE,
    OSError: USAGE,
    Unreachable: UNAVAILABLE,
    ConsistencyOutstanding: UNAVAILABLE,
    UnexpectedAnswer: UNAVAILABLE,
    NodeDidNotStart: UNAVAILABLE,
    StoreInUse: UNAVAILABLE,
    StoreBroken: UNAVAILABLE,
    HeadBehind: UNAVAILABLE,
    LogKeyMissing: UNAVAILABLE,
    ViewsFault: UNAVAILABLE,
    ClockJumped: UNAVAILABLE,
}
"""How a command ends that meets one of these; what is not here is a fault of the program and shows its trace."""


def standard_output() -> Console:
    """Return the console for results."""
    return Console()


def standard_error() -> Console:
    """Return the console for progress and faults. It honours ``NO_COLOR``, as rich does."""
    return Console(stderr=True)


def write_json(value: object) -> None:
    """Write one JSON value and a newline to standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def write_result(value: Mapping[str, object], *, is_json: bool, title: str) -> None:
    """Write a result: JSON for programs, a table of two columns for people."""
    if is_json:
        write_json(value)
        return
    table = Table(title=title, show_header=False, title_justify="left")
    for name, each in value.items():
        table.add_row(name, str(each))
    standard_output().print(table)


def ends(command: Callable[P, None]) -> Callable[P, None]:
    """Let a command end with the exit code that its failure stands for, and one line that says what it was."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Problem as error:
            end(error, UNAVAILABLE if error.is_transient else NO, is_json=bool(kwargs.get("is_json")))
        except tuple(_ENDS) as error:
            end(error, _end_of(error), is_json=bool(kwargs.get("is_json")))

    return run


def end(error: Exception, code: int, *, is_json: bool) -> NoReturn:
    """Say what went wrong on standard error and end with a code."""
    if is_json:
        told: dict[str, Any] = {"error": getattr(error, "code", type(error).__name__), "detail": str(error)}
        sys.stderr.write(msgspec.json.encode(told).decode() + "\n")
    else:
        standard_error().print(f"[red]{type(error).__name__}[/red]: ", end="")
        standard_error().print(str(error), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def read_file(path: Path) -> bytes:
    """Return what a file holds; ``-`` stands for standard input."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def write_file(path: Path | None, data: bytes) -> None:
    """Write to a file, or to standard output if none is named."""
    if path is None:
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
    else:
        path.write_bytes(data)


def _end_of(error: Exception) -> int:
    return next(code for kind, code in _ENDS.items() if isinstance(error, kind))
