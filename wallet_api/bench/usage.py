"""What processes take: seconds of processor and bytes written, as the system counts them (Linux, ``/proc``)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")

_USER_TIME: Final = 11
_CHILDREN_SYSTEM_TIME: Final = 14
"""Fields of ``/proc/<pid>/stat`` after the name, from 0 (proc(5): utime is field 14, cstime field 17)."""

_PARENT: Final = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """What was taken; differences of two are what was taken between them."""

    cpu_s: float = 0.0
    """Of the processes and of those of their children that have ended."""
    written_bytes: int = 0
    """Sent towards the disk."""

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(self.cpu_s - earlier.cpu_s, self.written_bytes - earlier.written_bytes)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_s + other.cpu_s, self.written_bytes + other.written_bytes)


@dataclass(frozen=True, slots=True)
class Watched:
    """Processes by what they are there for."""

    groups: Mapping[str, tuple[int, ...]]

    def look(self) -> dict[str, Usage]:
        """Return what each group has taken so far."""
        return {name: sum(map(usage_of, pids), Usage()) for name, pids in self.groups.items()}


def usage_of(pid: int) -> Usage:
    """Return what a process has taken so far; nothing if there is none by now."""
    try:
        fields = _stat(PROC / str(pid))
        io = (PROC / str(pid) / "io").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return Usage()
    ticks = sum(map(int, fields[_USER_TIME : _CHILDREN_SYSTEM_TIME + 1]))
    written = next(int(line.split()[1]) for line in io.splitlines() if line.startswith("write_bytes:"))
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), written)


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started, as of now."""
    parents = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(_stat(folder)[_PARENT])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]


def is_running_module(pid: int, module: str) -> bool:
    """Whether a process runs ``python -m module``."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return module.encode() in words


def resident_bytes(pid: int) -> int:
    """Return the bytes a process has in memory now."""
    return int((PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stat(folder: Path) -> list[str]:
    """Return the fields after the name, which may itself hold anything."""
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
