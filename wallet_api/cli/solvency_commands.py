"""Commands for solvency: the tree over what an exchange owes, one client's proof, and a drill of a wind-down."""

import re
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.merkle import InvalidProof
from ledger.log.export import read_blocks, read_head, stored
from ledger.log.replay import Replay
from ledger.units import LABEL_PATTERN, AssetId, BusinessDate, ParticipantId
from settlement.model.liabilities import Published
from settlement.rows_text import CellFault, Fault, TableFaulty, TextRow, integer_of, read_rows
from settlement.rules import RULEBOOKS
from settlement.rules.tables import EXCHANGES
from settlement.solvency import SALT_BYTES, Owed, Scope, SumTree, verify_bytes, verify_whole
from settlement.winddown import as_csv, as_json, drill
from wallet_api.cli.exits import NO
from wallet_api.cli.output import JsonOption, end, ends, read_file, write_file, write_json, write_result

COLUMNS = ("client", "balance", "salt")
"""Columns of a books file: the exchange's pseudonym of a client, what it is owed in the smallest unit, and the salt of
its leaf, base64url. Without salts, fresh ones are drawn."""


class _Root(msgspec.Struct):
    """What is read of an answer of ``GET /v1/exchanges/{exchange}/liabilities/{asset}``."""

    published: Published


@ends
def liabilities(
    file: Annotated[Path, typer.Argument(help="The books: CSV or JSON, columns client, balance and perhaps salt.")],
    exchange: Annotated[str, typer.Option("--exchange", help="Participant id of the exchange.")],
    asset: Annotated[str, typer.Option("--asset", help="The asset: KZT, or BTC:exchange-one.")],
    date: Annotated[str, typer.Option("--date", help="Business date of the cut.")],
    proofs: Annotated[Path, typer.Option("--proofs", help="New folder: one proof for each client.", file_okay=False)],
    salted: Annotated[Path, typer.Option("--salted", help="New file: the books with their salts; keep it secret.")],
    is_json: JsonOption = False,
) -> None:
    """Build the sum tree over what clients are owed: the root to publish, and a proof for each client."""
    try:
        clients = _clients(read_file(file))
        tree = SumTree(Scope(ParticipantId(exchange), AssetId(asset), BusinessDate(date)), clients)
        # The same bounds as on the ledger: what cannot be published is told now.
        published = msgspec.convert(msgspec.to_builtins(tree.published()), Published)
    except (TableFaulty, ValueError) as error:
        end(error, NO, is_json=is_json)
    proofs.mkdir(mode=0o700)
    for owed in clients:
        path = proofs / f"{owed.client}.json"
        path.touch(mode=0o600)
        path.write_bytes(canonical.encode(tree.proof(owed.client)))
    salted.touch(mode=0o600, exist_ok=False)
    rows = (f"{owed.client},{owed.balance},{b64url(owed.salt)}\n" for owed in clients)
    salted.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="ascii")
    write_result(msgspec.to_builtins(published), is_json=is_json, title="The root to publish (liabilities_publish)")


@ends
def verify_inclusion_file(
    file: Annotated[Path, typer.Argument(help="The proof that the exchange gave the client.")],
    published: Annotated[
        Path, typer.Option("--published", help="The root as the ledger answers it, not as the exchange tells it.")
    ],
    client: Annotated[str, typer.Option("--client", help="The client's own name at the exchange.")],
    balance: Annotated[int, typer.Option("--balance", min=0, help="What it was owed, in the smallest unit.")],
    is_json: JsonOption = False,
) -> None:
    """Verify that a client is in the total that its exchange has published, with its balance."""
    root = _root(published)
    try:
        verify_bytes(read_file(file).removesuffix(b"\n"), root, client=client, balance=balance)
    except InvalidProof as error:
        end(error, NO, is_json=is_json)
    result = {"client": client, "balance": balance, **msgspec.to_builtins(root)}
    write_result(result, is_json=is_json, title="The balance is in the published total")


@ends
def verify_liabilities_file(
    file: Annotated[Path, typer.Argument(help="The books: CSV or JSON, columns client, balance and salt.")],
    published: Annotated[
        Path, typer.Option("--published", help="The root as the ledger answers it, not as the exchange tells it.")
    ],
    is_json: JsonOption = False,
) -> None:
    """Verify, as an auditor who has the books, that they make the published root. Who is not in them does not show."""
    root = _root(published)
    try:
        verify_whole(_clients(read_file(file)), root)
    except (TableFaulty, InvalidProof) as error:
        end(error, NO, is_json=is_json)
    write_result(msgspec.to_builtins(root), is_json=is_json, title="The books make the published root")


@ends
def winddown(
    file: Annotated[Path, typer.Argument(help="An export of a ledger.")],
    exchange: Annotated[str, typer.Argument(help="Participant id of the exchange; it need not have failed.")],
    distribution: Annotated[
        Path | None, typer.Option("--distribution", help="File for the lines client by client (CSV).")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the whole drill (JSON).")] = None,
    is_json: JsonOption = False,
) -> None:
    """Show what a wind-down of an exchange would come to, from an export alone. Nothing is changed anywhere."""
    with file.open("rb") as stream:
        replay = Replay(read_head(stream), RULEBOOKS)
        for _, _, exported in read_blocks(stream):
            replay.apply(stored(exported, replay.position.range))
    if replay.state.get(EXCHANGES, exchange) is None:
        raise typer.BadParameter(f"the ledger has no exchange {exchange}")
    made = drill(replay.state, ParticipantId(exchange), time_us=replay.position.time_us)
    if distribution is not None:
        distribution.write_text(as_csv(made.distribution), encoding="ascii")
    if out is not None:
        write_file(out, as_json(made))
    result = {
        "exchange": exchange,
        "open_sales": len(made.open_sales),
        "released": made.released,
        "lines": len(made.distribution.lines),
        "lines_by_consent": made.lines_by_consent,
        "lines_by_order": made.lines_by_order,
        "lines_frozen": made.lines_frozen,
        "short": {total.asset: total.owed - total.backing for total in made.short},
    }
    if is_json:
        write_json(result)
    else:
        write_result(result, is_json=False, title="Drill: nothing was changed")


def _root(path: Path) -> Published:
    """The root in a file that holds the ledger's answer."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Root).published
    except msgspec.MsgspecError as error:
        raise typer.BadParameter(f"{path}: expected the ledger's answer: {error}") from error


def _clients(data: bytes) -> tuple[Owed, ...]:
    """The clients of a books file."""
    rows = read_rows(data, COLUMNS)
    faults: list[Fault] = []
    clients = [_client(row, faults) for row in rows]
    if faults:
        raise TableFaulty(faults)
    return tuple(owed for owed in clients if owed is not None)


def _client(row: TextRow, faults: list[Fault]) -> Owed | None:
    missing = [name for name in ("client", "balance") if name not in row.cells]
    if missing:
        faults += [Fault(row.number, name, "expected a value") for name in missing]
        return None
    name, salt = row.cells["client"], row.cells.get("salt")
    if re.fullmatch(LABEL_PATTERN, name) is None:
        faults.append(Fault(row.number, "client", f"expected a label, got {name}"))
        return None
    try:
        balance = integer_of(row.cells["balance"])
    except CellFault as error:
        faults.append(Fault(row.number, "balance", str(error)))
        return None
    try:
        drawn = secrets.token_bytes(SALT_BYTES) if salt is None else b64url_decode(salt, length=SALT_BYTES)
    except ValueError as error:
        faults.append(Fault(row.number, "salt", str(error)))
        return None
    return Owed(name, balance, drawn)
