"""Private keys in files: an RFC 8037 JSON Web Key each, for its owner's eyes only."""

import os
import stat
from pathlib import Path
from typing import Any, Final

import msgspec

from ledger.crypto.keys import InvalidKey, PrivateKey

KEY_FILE_MODE: Final = 0o600
"""Read and written by the owner, by nobody else."""

KEY_FILE_BYTES_MAX: Final = 16_384
"""Longest key file: a JSON Web Key takes about 200 bytes, and members that are passed over have room."""

KEY_FILE_SUFFIX: Final = ".jwk"


class UnusableKeyFile(Exception):
    """The file does not hold a private key, or others can read it; says which file, what was expected and got."""


def write_key(path: Path, key: PrivateKey) -> None:
    """Write a private key to a new file that only its owner can read.

    Raises:
        UnusableKeyFile: there is a file of this name; keys are never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_FILE_MODE)
    except FileExistsError as error:
        raise UnusableKeyFile(f"{path} exists; keys are never overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(key.to_jwk()) + b"\n")


def read_key(path: Path) -> PrivateKey:
    """Read a private key from a file.

    Raises:
        UnusableKeyFile: there is no such file, others can read it, or it does not hold a key.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(KEY_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UnusableKeyFile(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise UnusableKeyFile(f"{path}: expected mode 0600, got {mode:04o}; others can read this private key")
    if len(data) > KEY_FILE_BYTES_MAX:
        raise UnusableKeyFile(f"{path}: expected at most {KEY_FILE_BYTES_MAX} bytes")
    try:
        return PrivateKey.from_jwk(msgspec.json.decode(data, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidKey) as error:
        raise UnusableKeyFile(f"{path}: {error}") from error
