"""The machine that figures belong to: what a reader needs to judge them, and nothing that names its owner."""

import os
import platform
import sqlite3
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

SYNCS: Final = 50
"""Synced appends that the speed of the disk is told from."""

BLOCK_BYTES: Final = 4_096
"""Bytes of one append."""


def describe(folder: Path, store: str) -> dict[str, str | int | float]:
    """Describe this machine.

    Args:
        folder: lies on the disk that is measured.
        store: the databases that the ledger is measured on.
    """
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("cryptography", "pynacl", "msgspec", "uvloop", "uvicorn")},
        "fsync_ms": round(_fsync_ms(folder), 3),
        "store": store,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _fsync_ms(folder: Path) -> float:
    """Milliseconds of the median append that waits for the disk: what one commit costs at least."""
    samples = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(bytes(BLOCK_BYTES))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            samples.append(1_000 * (time.perf_counter() - started))
    return median(samples)
