"""Commands for who signs: make a key, sign a file, send it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ledger.crypto import jws
from ledger.crypto.keys import PrivateKey
from ledger.genesis import network_id
from ledger.log.receipts import Receipt
from ledger.model.transactions import Transaction
from wallet_api.cli.output import JsonOption, ends, read_file, write_file, write_json, write_result
from wallet_api.client import (
    Retry,
    TengeClient,
    TrustedLog,
    add_signatures,
    node_clock,
    prepare,
    read_key,
    sign,
    write_key,
)
from wallet_api.client.checkpoints import FileStore
from wallet_api.client.references import system_time_us

DEFAULT_URL = "http://127.0.0.1:8080"
"""Where a node listens unless told otherwise."""

UrlOption = Annotated[str, typer.Option("--url", help="Address of the node.")]
GenesisOption = Annotated[
    Path, typer.Option("--genesis", help="Genesis document of the network, from a source other than the node.")
]


@ends
def keygen(
    out: Annotated[Path, typer.Argument(help="New file for the private key, mode 0600.")], is_json: JsonOption = False
) -> None:
    """Make an Ed25519 key: the private JSON Web Key goes to the file, the public one to standard output."""
    key = PrivateKey.generate()
    write_key(out, key)
    write_result(
        {"kid": key.public.kid, "x": key.public.x, "file": str(out)}, is_json=is_json, title="A new key (public part)"
    )


@ends
def prepare_payload(
    kind: Annotated[str, typer.Argument(help="Kind of the transaction.")],
    body: Annotated[str, typer.Argument(help="Its body: JSON, in any order and spacing.")],
    genesis: GenesisOption,
    participant: Annotated[str, typer.Option("--participant", help="The sender.")],
    url: Annotated[
        str | None,
        typer.Option("--url", help="Node whose clock dates the reference; this machine's if none."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; standard output if none.")] = None,
    is_json: JsonOption = False,
) -> None:
    """Make the payload of a transaction, with a fresh reference: canonical JSON, to be signed."""
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise typer.BadParameter(f"expected a body that is a JSON object: {error}") from error
    payload = prepare(
        kind,
        members,
        network=network_id(genesis.read_bytes()),
        participant=participant,
        time_us=system_time_us if url is None else node_clock(url),
    )
    write_file(out, payload)
    if is_json and out is not None:
        write_json({"file": str(out), "reference": msgspec.json.decode(payload, type=_Referenced).reference})


@ends
def sign_file(
    file: Annotated[
        Path, typer.Argument(help="A payload (canonical JSON), or a JWS that others have signed; - reads.")
    ],
    key: Annotated[list[Path], typer.Option("--key", help="File of a private key; may be given more than once.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the JWS; standard output if none.")] = None,
    is_json: JsonOption = False,
) -> None:
    """Sign a payload, or add a signature to a JWS: m of n people pass one file around."""
    data = read_file(file).removesuffix(b"\n")
    signers = [read_key(path) for path in key]
    submission = add_signatures(data, signers) if _is_jws(data) else sign(data, signers)
    write_file(out, submission)
    if is_json and out is not None:
        kids = [signature.kid for signature in jws.parse(submission, typ=jws.TYP_TRANSACTION).signatures]
        write_json({"file": str(out), "signed_by": kids})


@ends
def submit(
    file: Annotated[Path, typer.Argument(help="A signed transaction (JWS); - reads standard input.")],
    genesis: GenesisOption,
    url: UrlOption = DEFAULT_URL,
    receipt: Annotated[Path | None, typer.Option("--receipt", help="File for the proven receipt.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="File that keeps the newest checkpoint between calls.")
    ] = None,
    give_up_after: Annotated[float, typer.Option(min=0, help="How long to go on trying, in seconds.")] = 60.0,
    is_json: JsonOption = False,
) -> None:
    """Send a signed transaction, again and again until there is an answer, and prove the receipt."""
    submission = read_file(file).removesuffix(b"\n")
    envelope = jws.parse(submission, typ=jws.TYP_TRANSACTION)
    try:
        sender = msgspec.json.decode(envelope.payload, type=Transaction[msgspec.Raw]).participant
    except msgspec.MsgspecError as error:
        raise typer.BadParameter(f"{file} holds no transaction: {error}") from error
    with TengeClient(
        url,
        trusted=TrustedLog.from_genesis(genesis.read_bytes()),
        participant=sender,
        checkpoints=None if checkpoint is None else FileStore(checkpoint),
        # Without a checkpoint from before there is nothing to be consistent with.
        checks="lazily" if checkpoint is None else "each",
        retry=Retry(give_up_after_s=give_up_after),
    ) as client:
        proven = client.submit_signed(submission)
    _write_receipt(proven, receipt, is_json=is_json)


class _Referenced(msgspec.Struct):
    """What is told of a payload."""

    reference: str


def _write_receipt(receipt: Receipt, path: Path | None, *, is_json: bool) -> None:
    encoded = msgspec.json.encode(receipt)
    if path is not None:
        path.write_bytes(encoded)
    if is_json:
        write_file(None, encoded)
        return
    shown = {
        "outcome": receipt.outcome,
        "kind": receipt.kind,
        "reference": receipt.reference,
        "transaction": receipt.transaction_id,
        "leaf": receipt.sequence,
        "block": receipt.height,
        "proof": "verified with the log's public key",
    }
    write_result(shown, is_json=False, title="Receipt")


def _is_jws(data: bytes) -> bool:
    """Whether the data is an envelope; a payload has no member of this name."""
    try:
        return "signatures" in msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
