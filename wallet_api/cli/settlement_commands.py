"""Commands for who keeps registers, reports production, and reads statements."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ledger.crypto.canonical import b64url_decode
from ledger.genesis import network_id, read_genesis
from ledger.rules.tables import UtcOffset
from ledger.units import ParticipantId
from settlement.production_file import Known, Licensee, read_production
from settlement.register_file import read_register
from settlement.rows_text import TableFaulty
from wallet_api.cli.exits import NO
from wallet_api.cli.output import JsonOption, end, ends, read_file, write_file, write_result
from wallet_api.cli.reading_commands import KeyOption, ParticipantOption, client_of
from wallet_api.cli.signing_commands import DEFAULT_URL, GenesisOption, UrlOption
from wallet_api.client import TengeClient, prepare
from wallet_api.commitments import SALT_BYTES, Opening
from wallet_api.openings import Openings
from wallet_api.statements.forms import Form

FileArgument = Annotated[Path, typer.Argument(help="The file: CSV or JSON; - reads standard input.")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="File to write; standard output if none.")]
OpeningsOption = Annotated[
    Path, typer.Option("--openings", help="New file for what the commitments were made of: keep it as secret as they.")
]
FormOption = Annotated[Form, typer.Option("--format", help="How it is written.")]
MinerArgument = Annotated[str, typer.Argument(help="Participant id of the miner.")]
CoinOption = Annotated[str, typer.Option("--coin", help="The coin's symbol.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First local date.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Last local date.")]


@ends
def register(
    file: FileArgument,
    genesis: GenesisOption,
    participant: Annotated[str, typer.Option("--participant", help="The supervisor that keeps the registers.")],
    openings: OpeningsOption,
    persons: Annotated[
        Path | None, typer.Option("--persons", help="Openings of persons that have a party id already.")
    ] = None,
    out: OutOption = None,
    is_json: JsonOption = False,
) -> None:
    """Read a register file into the payload of one transaction; one wrong cell, and nothing is made of it."""
    made = Openings(() if persons is None else _read_openings(persons))
    try:
        read = read_register(read_file(file), made)
    except TableFaulty as error:
        end(error, NO, is_json=is_json)
    payload = prepare("registry_load", read.body, network=network_id(genesis.read_bytes()), participant=participant)
    _write_payload(payload, made, out, openings, rows=len(read.body.rows), is_json=is_json)


@ends
def production(
    file: FileArgument,
    genesis: GenesisOption,
    participant: ParticipantOption,
    key: KeyOption,
    sequence: Annotated[int, typer.Option("--sequence", min=1, help="Number of the report: the pool's next one.")],
    openings: OpeningsOption,
    url: UrlOption = DEFAULT_URL,
    out: OutOption = None,
    is_json: JsonOption = False,
) -> None:
    """Read a pool's report in the columns of the official form; licences and coins are looked up at the node."""
    made = Openings()
    with client_of(url, genesis, participant, key) as client:
        known = _known(client, genesis.read_bytes(), made)
    try:
        body = read_production(read_file(file), sequence, known)
    except TableFaulty as error:
        end(error, NO, is_json=is_json)
    payload = prepare("production_report", body, network=network_id(genesis.read_bytes()), participant=participant)
    _write_payload(payload, made, out, openings, rows=len(body.rows), is_json=is_json)


@ends
def miner(
    miner: MinerArgument,
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    from_date: FromOption = None,
    until_date: UntilOption = None,
    form: FormOption = Form.JSON,
    out: OutOption = None,
) -> None:
    """Write the statement of a miner, in the parts that the asker may read."""
    with client_of(url, genesis, participant, key) as client:
        write_file(out, client.document(f"/v1/miners/{miner}/statement", **_period(from_date, until_date, form)))


@ends
def exchange(
    exchange: Annotated[str, typer.Argument(help="Participant id of the exchange.")],
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    from_date: FromOption = None,
    until_date: UntilOption = None,
    form: FormOption = Form.JSON,
    out: OutOption = None,
) -> None:
    """Write the statement of an exchange, in the parts that the asker may read."""
    with client_of(url, genesis, participant, key) as client:
        write_file(out, client.document(f"/v1/exchanges/{exchange}/statement", **_period(from_date, until_date, form)))


@ends
def tax_pack(
    miner: MinerArgument,
    quarter: Annotated[str, typer.Argument(help="A quarter: 2025-Q1.")],
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    form: FormOption = Form.JSON,
    out: OutOption = None,
) -> None:
    """Write the tax pack of a miner and a quarter: values at receipt, levy, calendar."""
    with client_of(url, genesis, participant, key) as client:
        write_file(out, client.document(f"/v1/miners/{miner}/tax-pack/{quarter}", format=form.value))


@ends
def inspection(
    miner: MinerArgument,
    participant: ParticipantOption,
    key: KeyOption,
    genesis: GenesisOption,
    coin: CoinOption,
    url: UrlOption = DEFAULT_URL,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Last local date that counts.")] = None,
    out: OutOption = None,
) -> None:
    """Write a quota statement with its inputs and proofs, for `tenge verify inspection`."""
    with client_of(url, genesis, participant, key) as client:
        data = client.document(f"/v1/miners/{miner}/inspection", coin=coin, as_of=as_of)
    write_file(out, data.removesuffix(b"\n") if out is None else data)


def _period(from_date: str | None, until_date: str | None, form: Form) -> dict[str, str | None]:
    return {"from": from_date, "until": until_date, "format": form.value}


def _known(client: TengeClient, document: bytes, made: Openings) -> Known:
    """What the reader of a report must know, as the node's registers say it."""
    miners = {entry.subject: entry.facts for entry in client.register("miner")}
    licences = {entry.subject: entry.facts["miner"] for entry in client.register("licence")}
    scales = {entry.subject: entry.facts["scale"] for entry in client.register("coin")}

    def licensee(number: str) -> Licensee | None:
        miner = licences.get(number)
        return None if miner is None else Licensee(ParticipantId(miner), miners[miner].get("bin"))

    offsets: tuple[UtcOffset, ...] = read_genesis(document).utc_offsets
    return Known(licensee=licensee, scale=scales.get, offsets=offsets, commit=made.fresh)


def _write_payload(
    payload: bytes, made: Openings, out: Path | None, openings: Path, *, rows: int, is_json: bool
) -> None:
    """Write the payload to sign, and the openings into a file that only its owner reads."""
    openings.touch(mode=0o600, exist_ok=False)
    content: dict[str, Any] = {
        "openings": [opening.to_json() for opening in made.made()],
        "persons": [opening.to_json() for opening in made.persons()],
    }
    openings.write_bytes(msgspec.json.encode(content) + b"\n")
    write_file(out, payload)
    if out is not None:
        result = {"file": str(out), "rows": rows, "openings": len(made.made())}
        write_result(result, is_json=is_json, title="Payload to sign")


class _Persons(msgspec.Struct):
    """What is read of a file of openings."""

    persons: tuple[dict[str, str], ...]


def _read_openings(path: Path) -> tuple[Opening, ...]:
    try:
        persons = msgspec.json.decode(path.read_bytes(), type=_Persons).persons
        return tuple(
            Opening(salt=b64url_decode(each["salt"], length=SALT_BYTES), value=each["value"]) for each in persons
        )
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise typer.BadParameter(f"{path}: expected a file of openings: {error}") from error
