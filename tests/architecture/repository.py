"""The repository as its tests see it: which files there are, and what stands in them."""

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder that holds `pyproject.toml`."""

PACKAGES: Final = ("ledger", "settlement", "wallet_api")
"""The folders that are shipped."""

VENDORED: Final = "wallet_api/static/vendor"
"""Other people's files, kept as they came."""


@functools.cache
def files() -> tuple[str, ...]:
    """Name every file that is tracked, or would be if it were added; skip the test where git cannot tell."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is known to git only, and this is no git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    # A file that was deleted but not yet committed is still listed.
    names = sorted({name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()})
    return tuple(name for name in names if not name.startswith(VENDORED))


def python_files(*folders: str) -> list[str]:
    """Name the Python files under these folders (all, when none is given)."""
    return [name for name in files() if name.endswith(".py") and (not folders or name.split("/", 1)[0] in folders)]


def text_of(name: str) -> str:
    """Read a file of the repository; empty when it is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def places(name: str, text: str, starts: list[int]) -> list[str]:
    """Turn offsets into what an editor opens: `file:line: the line`."""
    lines = text.splitlines()
    numbers = [text.count("\n", 0, start) for start in starts]
    return [f"{name}:{number + 1}: {lines[number].strip()[:120]}" for number in numbers]
