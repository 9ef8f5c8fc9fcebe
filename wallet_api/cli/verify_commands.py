"""Commands for who trusts nobody: verify a receipt or a whole log offline, with public keys only."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.crypto.keys import PublicKey
from ledger.log.receipts import InvalidReceipt, Receipt
from ledger.log.verify import openers_for, verify_export
from settlement.rules import RULEBOOK, RULEBOOKS
from settlement.views.inspection_proof import ASSERTED, verify_inspection
from wallet_api.cli.exits import NO
from wallet_api.cli.output import JsonOption, ends, standard_error, write_result
from wallet_api.cli.signing_commands import GenesisOption
from wallet_api.client import TrustedLog
from wallet_api.client.proof import prove
from wallet_api.open_submissions import openers

SELF_CONSISTENT_ONLY = (
    "self-consistent only: without --network from a source other than this file, a forged network would pass too"
)
"""What is said where nobody vouches for the network."""


@ends
def verify_receipt_file(
    file: Annotated[Path, typer.Argument(help="A receipt, as the node answered it.")],
    genesis: GenesisOption,
    submission: Annotated[
        Path | None, typer.Option("--submission", help="The signed transaction it answers; a bulk needs it.")
    ] = None,
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", help="A further public key (x) of the log, after a rotation.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Verify a receipt: its leaf, its proof, the signature of the log."""
    trusted = TrustedLog.from_genesis(genesis.read_bytes())
    keys = (*trusted.keys, *(PublicKey.from_x(x) for x in log_key or ()))
    try:
        receipt = msgspec.json.decode(file.read_bytes(), type=Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidReceipt(f"{file} holds no receipt: {error}") from error
    known = TrustedLog(trusted.network, keys)
    prove(receipt, None if submission is None else submission.read_bytes().removesuffix(b"\n"), known, RULEBOOK)
    result = {
        "outcome": receipt.outcome,
        "code": receipt.code,
        "kind": receipt.kind,
        "participant": receipt.participant,
        "reference": receipt.reference,
        "transaction": receipt.transaction_id,
        "leaf": receipt.sequence,
        "network": trusted.network,
        "is_bound_to_submission": submission is not None,
    }
    write_result(result, is_json=is_json, title="The receipt holds")


@ends
def verify_ledger(
    file: Annotated[Path, typer.Argument(help="An export of a ledger.")],
    network: Annotated[
        str | None, typer.Option("--network", help="Network id, from a source other than the file.")
    ] = None,
    at_least: Annotated[
        Path | None, typer.Option("--at-least", help="File with a signed checkpoint that the log must contain.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Verify a whole ledger: every signature, decision, leaf and checkpoint, and that no money came from nowhere."""
    checkpoint = None if at_least is None else at_least.read_text(encoding="utf-8")
    started = time.monotonic()
    with (
        file.open("rb") as stream,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[leaves]:,} leaves"),
            console=standard_error(),
            disable=is_json,
        ) as progress,
    ):
        task = progress.add_task("verifying", total=file.stat().st_size, leaves=0)
        report = verify_export(
            stream,
            rulebooks=RULEBOOKS,
            network=network,
            at_least=checkpoint,
            openers=lambda network: openers(network, openers_for(file.stat().st_size)),
            progress=lambda bytes_read, leaves: progress.update(task, completed=bytes_read, leaves=leaves),
        )
    seconds = time.monotonic() - started
    result = {
        "network": report.network,
        "is_network_pinned": report.is_network_pinned,
        "blocks": report.blocks,
        "leaves": report.leaves,
        "transactions": report.transactions,
        "supply": report.supply,
        "business_date": report.business_date,
        "checkpoint": report.checkpoint,
        "seconds": round(seconds, 3),
        "leaves_per_s": round(report.leaves / seconds),
    }
    write_result(result, is_json=is_json, title="The ledger holds" if report.is_network_pinned else "Self-consistent")
    if not report.is_network_pinned:
        standard_error().print(f"[yellow]{SELF_CONSISTENT_ONLY}[/yellow]")
        raise typer.Exit(NO)


@ends
def verify_inspection_file(
    file: Annotated[Path, typer.Argument(help="An inspection export of a miner.")],
    network: Annotated[
        str | None, typer.Option("--network", help="Network id, from a source other than the file.")
    ] = None,
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", help="A further public key (x) of the log, after a rotation.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Verify an inspection export: each transaction is in the log, and the statement is what they come to."""
    keys = [PublicKey.from_x(x) for x in log_key or ()]
    found = verify_inspection(file.read_bytes(), rulebook=RULEBOOK, network=network, log_keys=keys)
    result = {**dataclasses.asdict(found), "on_the_node_s_word": ASSERTED}
    write_result(
        result, is_json=is_json, title="The inspection holds" if found.is_network_pinned else "Self-consistent"
    )
    if not found.is_network_pinned:
        standard_error().print(f"[yellow]{SELF_CONSISTENT_ONLY}[/yellow]")
        raise typer.Exit(NO)
