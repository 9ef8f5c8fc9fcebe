"""Commands for who asks a node: an account, its statement."""

import itertools
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from wallet_api.cli.output import JsonOption, ends, standard_output, write_json, write_result
from wallet_api.cli.signing_commands import DEFAULT_URL, GenesisOption, UrlOption
from wallet_api.client import TengeClient, TrustedLog, read_key

AccountArgument = Annotated[str, typer.Argument(help="Account id.")]
ParticipantOption = Annotated[str, typer.Option("--participant", help="Who asks.")]
KeyOption = Annotated[Path, typer.Option("--key", help="Private key of use client_authentication.")]


@ends
def account(
    account: AccountArgument,
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    is_json: JsonOption = False,
) -> None:
    """Show an account and its balance."""
    with client_of(url, genesis, participant, key) as client:
        answer = client.account(account)
    write_result(msgspec.to_builtins(answer), is_json=is_json, title=account)


@ends
def statement(
    account: AccountArgument,
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Most lines, the newest first.")] = 50,
    min_sequence: Annotated[
        int | None, typer.Option("--min-sequence", min=0, help="Wait until the statement includes this leaf.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show what happened on an account, with the balance after each posting."""
    with client_of(url, genesis, participant, key) as client:
        shown = list(itertools.islice(client.statement(account, min_sequence=min_sequence), lines))
    if is_json:
        write_json({"account": account, "lines": shown})
        return
    table = Table(title=account, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("date", "leaf", "side", "amount", "balance", "kind", "other account"):
        is_number = column in ("leaf", "amount", "balance")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for line in shown:
        table.add_row(
            line.business_date,
            str(line.sequence),
            line.side,
            f"{line.amount:,}",
            f"{line.balance:,}",
            line.kind,
            line.counterparty or "",
        )
    standard_output().print(table)


def client_of(url: str, genesis: Path, participant: str, key: Path) -> TengeClient:
    """Return a client that reads as a participant."""
    return TengeClient(
        url,
        trusted=TrustedLog.from_genesis(genesis.read_bytes()),
        participant=participant,
        authentication_key=read_key(key),
    )
