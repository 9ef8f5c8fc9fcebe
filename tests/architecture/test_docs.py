"""The reference is complete: whatever a user can meet by name has a place where it is explained.

A name is explained where it stands in code quotes in a heading, or in the first cell of a table row, of a
page under `docs/reference/`. The other way round, a page that names what does not exist is wrong.
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Final

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from typer.core import TyperGroup
from typer.main import get_command

from ledger.config import Settings
from settlement.rules import RULEBOOK
from tests.architecture.repository import ROOT, files, text_of
from wallet_api import cli, routes
from wallet_api.problems import PROBLEMS
from wallet_api.reference import PAGES

HEADING: Final = re.compile(r"^#{2,6} .*$", re.MULTILINE)
FIRST_CELL: Final = re.compile(r"^\|([^|]*)\|", re.MULTILINE)
IN_CODE: Final = re.compile(r"`([^`]+)`")

NO_SETTINGS: Final = {"TENGE_COVERAGE", "TENGE_FAIL_ON_SKIP", "TENGE_HYPOTHESIS_PROFILE", "TENGE_TEST_PG_URL"}
"""Variables of the scripts and tests, which no node reads."""


@functools.cache
def _reference() -> str:
    """Put all pages of the reference one after the other."""
    return "\n".join(text_of(name) for name in files() if re.fullmatch(r"docs/reference/.*\.md", name))


@functools.cache
def _explained() -> frozenset[str]:
    """Collect every name in code quotes that stands in a heading or leads a table row."""
    leading = HEADING.findall(_reference()) + FIRST_CELL.findall(_reference())
    return frozenset(name for line in leading for name in IN_CODE.findall(line))


def _mentioned(pattern: str) -> set[str]:
    """Collect the names of one form that the reference uses anywhere in code quotes."""
    return {name for name in IN_CODE.findall(_reference()) if re.fullmatch(pattern, name)}


def _settings() -> set[str]:
    return {f"{Settings.model_config['env_prefix']}{field}".upper() for field in Settings.model_fields}


def _commands() -> set[str]:
    def walk(command: object, name: str) -> Iterator[str]:
        if isinstance(command, TyperGroup):
            for inner, subcommand in command.commands.items():
                yield from walk(subcommand, f"{name} {inner}")
        else:
            yield name

    return set(walk(get_command(cli.app), "tenge"))


def _routes() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(routes.__path__):
        router = getattr(importlib.import_module(f"{routes.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            described = (route for route in router.routes if isinstance(route, APIRoute) and route.include_in_schema)
            found |= {f"{method} {route.path}" for route in described for method in route.methods or ()}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_what_is_made_from_the_code_is_what_the_code_says(page: str) -> None:
    assert text_of(f"docs/reference/{page}") == PAGES[page](), "run scripts/docs"


def test_every_route_is_explained() -> None:
    assert sorted(_routes() - _explained()) == []


def test_every_setting_is_explained() -> None:
    assert sorted(_settings() - _explained()) == []


def test_every_command_is_explained() -> None:
    assert sorted(_commands() - _explained()) == []


def test_every_refusal_code_is_explained() -> None:
    assert sorted(set(RULEBOOK.refusal_codes()) - _explained()) == []


def test_every_transaction_kind_is_explained() -> None:
    assert sorted(set(RULEBOOK.kinds) - _explained()) == []


def test_every_problem_code_is_explained() -> None:
    assert sorted(set(PROBLEMS) - _explained()) == []


def test_no_setting_is_explained_that_does_not_exist() -> None:
    assert not _mentioned(r"TENGE_[A-Z_]+") - _settings() - NO_SETTINGS


def test_no_route_is_explained_that_does_not_exist() -> None:
    assert not _mentioned(r"(GET|POST|PUT|PATCH|DELETE) /[^ ?]*") - _routes()


def test_no_command_is_explained_that_does_not_exist() -> None:
    known = {command.split()[1] for command in _commands()}
    assert not {name for name in _mentioned(r"tenge [a-z].*") if name.split()[1] not in known}


def test_every_link_between_files_leads_somewhere() -> None:
    broken = []
    for page in (name for name in files() if name.endswith(".md")):
        targets = re.findall(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)", text_of(page))
        broken += [f"{page}: {target}" for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert not broken
