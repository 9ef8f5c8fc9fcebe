"""The command `tenge`.

Every command writes its result to standard output, as a table or with ``--json`` as one JSON object, and everything
else to standard error. Exit codes: 0 done, 1 the answer is no, 2 not possible as given, 3 could not be found out.
"""

import sys

import typer

from wallet_api.cli import (
    bench_command,
    network_commands,
    pilot_commands,
    reading_commands,
    settlement_commands,
    signing_commands,
    solvency_commands,
    supervision_commands,
    verify_commands,
    year_command,
)
from wallet_api.cli.exits import UNAVAILABLE, USAGE

app = typer.Typer(
    name="tenge",
    help="A signed, provable ledger for the Digital Tenge: run a node, sign, pay, verify.",
    epilog="Exit codes: 0 done; 1 the answer is no; 2 not possible as given; 3 could not be found out, try later.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
verify = typer.Typer(help="Verify offline, with public keys only.", no_args_is_help=True)
settle = typer.Typer(help="Registers, reports, statements and solvency of settlement.", no_args_is_help=True)
drill = typer.Typer(help="Try what nobody hopes for; nothing is changed.", no_args_is_help=True)

app.command()(network_commands.init)
app.command()(network_commands.node)
app.command()(signing_commands.keygen)
app.command("prepare")(signing_commands.prepare_payload)
app.command("sign")(signing_commands.sign_file)
app.command()(signing_commands.submit)
app.command()(reading_commands.account)
app.command()(reading_commands.statement)
app.command()(network_commands.export)
app.add_typer(verify, name="verify")
verify.command("receipt")(verify_commands.verify_receipt_file)
verify.command("ledger")(verify_commands.verify_ledger)
verify.command("inspection")(verify_commands.verify_inspection_file)
verify.command("inclusion")(solvency_commands.verify_inclusion_file)
verify.command("liabilities")(solvency_commands.verify_liabilities_file)
verify.command("queries")(supervision_commands.verify_queries)
app.add_typer(settle, name="settle")
settle.command("register")(settlement_commands.register)
settle.command("production")(settlement_commands.production)
settle.command("miner")(settlement_commands.miner)
settle.command("exchange")(settlement_commands.exchange)
settle.command("tax-pack")(settlement_commands.tax_pack)
settle.command("inspection")(settlement_commands.inspection)
settle.command("liabilities")(solvency_commands.liabilities)
settle.command("plausibility")(supervision_commands.plausible)
app.add_typer(drill, name="drill")
drill.command("winddown")(solvency_commands.winddown)
app.command()(network_commands.rebuild_views)
app.command()(pilot_commands.pilot)
app.command()(year_command.year)
app.command()(bench_command.bench)


def main() -> None:
    """Run the command that the arguments name, and end with its exit code."""
    if not __debug__:
        sys.stderr.write("tenge: do not run with -O: the ledger relies on its assertions\n")
        sys.exit(USAGE)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(UNAVAILABLE)
