"""Style as a test: the rules that a machine can hold, so that reviews can be about the rest."""

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import Final

import pytest

from tests.architecture.repository import PACKAGES, ROOT, files, places, python_files, text_of

LINES_PER_FILE_MAX: Final = 400
"""A module holds one idea; past this it holds two."""

LINES_PER_FUNCTION_MAX: Final = 70
"""A function fits one screen, its docstring included."""

LONGER_FILES: Final[dict[str, int]] = {}
"""Files that are longer, with the length they may not grow beyond. The list only gets shorter."""

LONGER_FUNCTIONS: Final[dict[str, int]] = {}
"""Functions that are longer (`file:qualified.name`), with the length they may not grow beyond."""

NAMES_THAT_SAY_NOTHING: Final = {"common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}
"""A module with such a name has room for anything; name the idea instead."""

REPLACED_WORDS: Final = {
    r"\bmint(s|ed|ing)?\b(?!-)|\bmint_": "issue, issuance",
    r"\bburn(s|ed|ing|t)?\b|\bburn_": "redeem, redemption",
    r"\breject(ed|ion|ions)\b|\brejection_|[a-z]Reject(ed|ion)\b|\bReject(ed|ion)[A-Z]": "refused, refusal",
    r"\b(txn|txns|txid)\b|\btxn_|_txn\b": "transaction, transaction_id",
    r"\b(acct|acc_no|amt)\b|_(acct|amt)\b": "account, amount",
    r"\b(white|black)list": "allow, refuse",
}
"""One word per thing, and the field's own word: what stands here has another name in this project."""

UNFINISHED: Final = "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"])
"""What marks work as not done; put together here, so that this file does not hold it."""


def _elsewhere() -> str:
    """Build the pattern of addresses and paths that mean something on one machine only."""
    registries = [
        "py" + r"pi\.org",
        "python" + r"hosted\.",
        "npm" + r"js\.(org|com)",
        "debian" + r"\.org/debian",
        "crates" + r"\.io",
    ]
    folders = ["/work" + "/main", "/work" + "/shared", "/" + "root/", "/" + r"home/\w+/", "/" + r"Users/\w+/"]
    return "|".join(registries + folders)


def _found(pattern: str, names: list[str], flags: re.RegexFlag = re.NOFLAG) -> list[str]:
    found = []
    for name in names:
        text = text_of(name)
        found += places(name, text, [match.start() for match in re.finditer(pattern, text, flags)])
    return found


def _functions(name: str) -> Iterator[tuple[str, int]]:
    """Walk a file's functions: the qualified name and the number of lines."""

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}" if within else child.name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                assert child.end_lineno is not None, "the parser sets it for every statement"
                yield f"{name}:{inner}", child.end_lineno - child.lineno + 1
            yield from walk(child, inner)

    yield from walk(ast.parse(text_of(name)), "")


def _assert_within(lengths: dict[str, int], usual: int, exceptions: dict[str, int]) -> None:
    """Hold each length to the usual limit or its own, and each exception to being one still."""
    over = {where: length for where, length in lengths.items() if length > exceptions.get(where, usual)}
    assert not over, f"longer than {usual} lines: split it where it holds a second idea"
    needless = {where: lengths.get(where) for where in exceptions if lengths.get(where, 0) <= usual}
    assert not needless, "no longer exceptions: take them off the list"


def test_no_module_is_longer_than_one_idea() -> None:
    lengths = {name: len(text_of(name).splitlines()) for name in python_files()}
    _assert_within(lengths, LINES_PER_FILE_MAX, LONGER_FILES)


def test_every_function_fits_one_screen() -> None:
    lengths = {where: length for name in python_files() for where, length in _functions(name)}
    _assert_within(lengths, LINES_PER_FUNCTION_MAX, LONGER_FUNCTIONS)


def test_every_module_is_named_after_its_idea() -> None:
    vague = [name for name in python_files() if NAMES_THAT_SAY_NOTHING & set(name.removesuffix(".py").split("/"))]
    assert not vague, "name the one idea the module holds"


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name in python_files(*PACKAGES) if not ast.get_docstring(ast.parse(text_of(name)))]
    assert not silent, "the first line of a module says what it means in the world"


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    assert not _found(_elsewhere(), list(files())), "these mean nothing to who clones the repository"


@pytest.mark.parametrize("pattern", REPLACED_WORDS, ids=REPLACED_WORDS.values())
def test_one_word_per_thing(pattern: str) -> None:
    found = _found(pattern, python_files(*PACKAGES))
    assert not found, f"the word of this project is: {REPLACED_WORDS[pattern]}"


def test_nothing_is_marked_as_unfinished() -> None:
    names = [name for name in files() if name.endswith((".py", ".md", ".toml")) or name.startswith("scripts/")]
    assert not _found(rf"\b({UNFINISHED})\b", names), "finish it, or write it down where plans are kept"


def test_every_script_stops_at_the_first_error_and_can_be_run() -> None:
    scripts = [name for name in files() if name.startswith(("scripts/", ".ci/"))]
    assert scripts
    for name in scripts:
        assert "\nset -euo pipefail\n" in text_of(name), name
        assert (ROOT / name).stat().st_mode & 0o111, f"{name} is not executable"


def test_what_must_stay_pure_is_what_must_be_covered_whole() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    pure = [
        {module.replace(".", "/") for module in contract["source_modules"]}
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "forbidden"
    ]
    lists = re.findall(r'^pure="(?:\$pure,)?(.*)"$', text_of("scripts/check"), re.MULTILINE)
    covered = {path.removesuffix("/*").removesuffix(".py") for path in ",".join(lists).split(",")}
    assert pure == [covered]


def test_every_decision_is_in_the_index_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert records, "decisions are written down"
    missing = [name for name in records if f"({name})" not in index]
    assert not missing, "link these from docs/decisions/README.md"
    unknown = [name for name in re.findall(r"\]\(([0-9][^)#]*\.md)", index) if name not in records]
    assert not unknown, "the index names records that do not exist"
