"""What is installed is what was pinned, and what was pinned is what the project says it needs."""

import re
import tomllib
from typing import Final

from tests.architecture.repository import ROOT

PIN: Final = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==([^\s;\\]+)", re.MULTILINE)


def _pins(group: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")))


def _wanted(group: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{group}.in").read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))}


def _declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dependencies: list[str] = project["dependencies"]
    return dependencies


def test_the_development_packages_hold_the_runtime_in_the_same_versions() -> None:
    assert _pins("runtime").items() <= _pins("dev").items(), "run scripts/lock"


def test_every_pin_carries_hashes() -> None:
    for group in ("build", "dev", "lock", "runtime"):
        text = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=\S)", text.strip())
        assert blocks
        assert all("--hash=sha256:" in block for block in blocks), group


def test_everything_asked_for_is_pinned() -> None:
    for group in ("build", "dev", "lock", "runtime"):
        names = {re.sub(r"\[.*", "", name) for name in _wanted(group)}
        assert names <= _pins(group).keys(), f"run scripts/lock: {group}"


def test_the_project_declares_what_the_runtime_pins() -> None:
    declared = {re.split(r"[>;]", dependency)[0].strip() for dependency in _declared()}
    assert declared == _wanted("runtime")


def test_every_pin_is_at_or_above_the_declared_bound() -> None:
    pins = _pins("runtime")
    for dependency in _declared():
        found = re.match(r"([a-z0-9-]+)(?:\[.*\])?>=([0-9.]+)", dependency)
        assert found, f"a lower bound is missing: {dependency}"
        name, bound = found.groups()
        pinned = [int(part) for part in pins[name].split(".")]
        assert pinned >= [int(part) for part in bound.split(".")], name
