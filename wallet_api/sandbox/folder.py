"""A node's folder: the genesis document, the keys of a sandbox, and where everything else of a node lies."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ledger.crypto.keys import PrivateKey
from ledger.genesis import InvalidGenesis, read_genesis
from ledger.units import ParticipantId
from wallet_api.client.key_files import KEY_FILE_SUFFIX, read_key, write_key
from wallet_api.sandbox.network import AUTHENTICATION, LOG_KEY_NAME, Member, MemberPlan, Network

GENESIS_FILE: Final = "genesis.json"
"""The genesis document: canonical JSON, byte for byte what the network id was made from."""

KEYS_FOLDER: Final = "keys"
"""One folder for each participant, one file for each signatory. Real participants keep their keys elsewhere."""


class UnusableFolder(Exception):
    """The folder cannot be used as asked; says what was expected and what is there."""


def write_folder(folder: Path, network: Network) -> None:
    """Write a network's genesis document and keys into a new or empty folder.

    Raises:
        UnusableFolder: there is something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UnusableFolder(f"{folder} exists and is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    write_key(log_key_path(folder), network.log_key)
    for member in network.members.values():
        for signatory, key in member.signatories.items():
            write_key(key_path(folder, member.participant, signatory), key)
        write_key(key_path(folder, member.participant, AUTHENTICATION), member.authentication)
    (folder / GENESIS_FILE).write_bytes(network.document)


def read_document(folder: Path) -> bytes:
    """Return the genesis document of a folder.

    Raises:
        UnusableFolder: there is none, or it does not hold.
    """
    path = folder / GENESIS_FILE
    try:
        document = path.read_bytes()
        read_genesis(document)
    except FileNotFoundError as error:
        raise UnusableFolder(f"{folder} holds no {GENESIS_FILE}: make one with `tenge init`") from error
    except InvalidGenesis as error:
        raise UnusableFolder(f"{path}: {error}") from error
    return document


def read_log_key(folder: Path) -> PrivateKey:
    """Return the key that signs checkpoints.

    Raises:
        UnusableKeyFile: it is missing, or others can read it.
    """
    return read_key(log_key_path(folder))


def read_folder(folder: Path, plans: Iterable[MemberPlan]) -> Network:
    """Return the network of a folder, with the private keys of the institutions named.

    Raises:
        UnusableFolder: there is no genesis document, or it does not hold.
        UnusableKeyFile: a key is missing, or others can read it.
    """
    members = {plan.participant: read_member(folder, plan) for plan in plans}
    return Network(read_document(folder), read_log_key(folder), members)


def read_member(folder: Path, plan: MemberPlan) -> Member:
    """Return an institution with the private keys that the folder keeps for it.

    Raises:
        UnusableKeyFile: a key is missing, or others can read it.
    """
    names = [f"{plan.participant}-{number}" for number in range(1, plan.signatories + 1)]
    signatories = {name: read_key(key_path(folder, plan.participant, name)) for name in names}
    return Member(
        participant=ParticipantId(plan.participant),
        name=plan.name,
        role=plan.role,
        code=plan.code,
        quorum=plan.quorum,
        signatories=signatories,
        authentication=read_key(key_path(folder, plan.participant, AUTHENTICATION)),
    )


def key_path(folder: Path, participant: str, signatory: str) -> Path:
    """Return where a signatory's private key lies."""
    return folder / KEYS_FOLDER / participant / f"{signatory}{KEY_FILE_SUFFIX}"


def log_key_path(folder: Path) -> Path:
    """Return where the key that signs checkpoints lies."""
    return key_path(folder, LOG_KEY_NAME, LOG_KEY_NAME)
