"""Commands for who asks a node: an account, its statement."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
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
    with _client(url, genesis, participant, key) as client:
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
    is_json: JsonOption = False,
) -> None:
    """Show what happened on an account, with the balance after each posting."""
    with _client(url, genesis, participant, key) as client:
        shown = [line for line, _ in zip(client.statement(account), range(lines), strict=False)]
    if is_json:
        write_json({"account": account, "lines": shown})
        return
    table = Table(title=account, title_justify="left")
    for column in ("date", "kind", "debit", "credit", "balance", "other account", "leaf"):
        table.add_column(column, justify="right" if column in ("debit", "credit", "balance", "leaf") else "left")
    for line in shown:
        amount = f"{line.amount:,}"
        debit, credit = (amount, "") if line.side == "debit" else ("", amount)
        table.add_row(
            line.business_date,
            line.kind,
            debit,
            credit,
            f"{line.balance:,}",
            line.counterparty or "",
            str(line.sequence),
        )
    standard_output().print(table)


def _client(url: str, genesis: Path, participant: str, key: Path) -> TengeClient:
    return TengeClient(
        url,
        trusted=TrustedLog.from_genesis(genesis.read_bytes()),
        participant=participant,
        authentication_key=read_key(key),
    )
