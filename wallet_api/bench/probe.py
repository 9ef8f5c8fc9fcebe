"""Probes: measurements that need a fresh process, as programs that read a line of JSON and write one."""

import subprocess
import sys
from typing import Final, TypeVar

import msgspec

Answer = TypeVar("Answer")

WITHIN_S: Final = 600
"""How long a probe may take, in seconds."""


def run(module: str, question: msgspec.Struct, answer: type[Answer]) -> Answer:
    """Run ``python -m module`` on a question; returns its answer."""
    done = subprocess.run(  # noqa: S603 - a module of this program, under this very interpreter
        [sys.executable, "-m", module],
        input=msgspec.json.encode(question),
        stdout=subprocess.PIPE,
        timeout=WITHIN_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=answer)


def question(kind: type[Answer]) -> Answer:
    """Return the question that this probe was asked."""
    return msgspec.json.decode(sys.stdin.buffer.read(), type=kind)


def answer(value: msgspec.Struct) -> None:
    """Give the probe's answer."""
    sys.stdout.buffer.write(msgspec.json.encode(value))
