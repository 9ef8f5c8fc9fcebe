"""Writes the pages of the reference that follow from the code: ``python -m wallet_api.reference docs/reference``.

A page that is written by hand goes stale; these are made from the rulebook, the table of problems, the settings and
the description of the API, and a test compares them with what is in the repository.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter
from fastapi.routing import APIRoute
from msgspec import inspect as types
from typer.core import TyperGroup
from typer.main import get_command

from ledger.config import Settings
from ledger.model.participants import Policy
from ledger.rules.default_policies import CORE_POLICIES
from ledger.rules.module import Kind
from ledger.rules.posting import POSTING_REFUSALS
from settlement.rules import RULEBOOK
from settlement.rules.policies import SETTLEMENT_POLICIES
from wallet_api import cli, routes
from wallet_api.problems import PROBLEMS, REFUSED
from wallet_api.schemas import attribute_texts

MADE: Final = "<!-- Made by scripts/docs from the code; change the code, not this page. -->\n"

POLICIES: Final[Mapping[str, Policy]] = {**CORE_POLICIES, **SETTLEMENT_POLICIES}


def kinds_page() -> str:
    """Every transaction kind: its body, who may send it, what may refuse it."""
    lines = [
        "# Transaction kinds",
        MADE,
        "Who may send a kind, and with whose signatures, is policy: dated data that the issuer's quorum changes. The"
        " policies below are those of a new network. Refusal codes stand in order of precedence; kinds that post are"
        " followed by the [codes of posting and guards](refusal_codes.md#of-every-entry).",
        "",
    ]
    for module in RULEBOOK.modules:
        if not module.kinds:
            continue
        lines += [f"## {module.name}", "", module.meaning, ""]
        for kind in module.kinds:
            lines += _kind(kind)
    lines += ["## Account classes", "", "| class | meaning | may be opened by | client money |", "|---|---|---|---|"]
    for name, account_class in sorted(RULEBOOK.classes.items()):
        roles = ", ".join(sorted(account_class.roles))
        lines.append(f"| `{name}` | {account_class.meaning} | {roles} | {'yes' if account_class.is_client else ''} |")
    lines.append(
        "| `contra` | The contra account of an asset: its balance is what is in circulation. | genesis, "
        "`coin_admit` | |"
    )
    return _page(lines)


def refusal_codes_page() -> str:
    """Every refusal code, and which kinds it may refuse."""
    lines = [
        "# Refusal codes",
        MADE,
        "A refusal is a rule's no to an admissible transaction: final, a leaf of the log, with a receipt. Over HTTP it"
        f" is a problem with status {REFUSED}. *Transient* means that the same business, signed anew under a new"
        " reference, may succeed later. The ISO 20022 column is the external status reason code that fits.",
        "",
        "## Of a kind",
        "",
        "| code | meaning | transient | ISO 20022 | kinds |",
        "|---|---|---|---|---|",
    ]
    of_kinds: dict[str, list[str]] = {}
    for kind in RULEBOOK.kinds.values():
        for code in kind.refusals:
            of_kinds.setdefault(code.code, []).append(f"`{kind.name}`")
    codes = RULEBOOK.refusal_codes()
    for name in sorted(of_kinds):
        lines.append(_refusal_row(codes[name], ", ".join(of_kinds[name])))
    lines += [
        "",
        "## Of every entry",
        "",
        "In this order, after the kind's own codes: each debit posting in turn, each credit posting in turn, the"
        " balances that would result, then the guards.",
        "",
        "| code | meaning | transient | ISO 20022 | by |",
        "|---|---|---|---|---|",
    ]
    lines += [_refusal_row(code, "posting") for code in POSTING_REFUSALS]
    lines += [_refusal_row(code, f"guard of {m.name}") for m in RULEBOOK.modules for code in m.guard_refusals]
    return _page(lines)


def problem_codes_page() -> str:
    """Every problem that is not a refusal."""
    lines = [
        "# Problem codes",
        MADE,
        "Every failure is a problem document (RFC 9457) with a stable `code`; the node explains each at"
        " `/problems/<code>`. Refusals have [their own page](refusal_codes.md). *Transient* means that the very same"
        " bytes may succeed later. None of these leaves a trace in the ledger: the reference stays unspent.",
        "",
        "| code | status | meaning | transient | ISO 20022 |",
        "|---|---|---|---|---|",
    ]
    for code, problem in PROBLEMS.items():
        if problem.status != REFUSED:
            transient = "yes" if problem.is_transient else ""
            lines.append(f"| `{code}` | {problem.status} | {problem.title} | {transient} | {problem.iso or ''} |")
    return _page(lines)


def settings_page() -> str:
    """Every setting of a node."""
    lines = [
        "# Settings",
        MADE,
        "A node is set by environment variables. What must be the same on every node of a network stands in its"
        " genesis document instead.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    prefix = str(Settings.model_config.get("env_prefix"))
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{field.default}`"
        lines.append(f"| `{(prefix + name).upper()}` | {default} | {' '.join((field.description or '').split())} |")
    return _page(lines)


def api_page() -> str:
    """Every route."""
    lines = [
        "# HTTP API",
        MADE,
        "The running node serves the full description, with schemas and examples, as `/openapi.json` and as pages at"
        " `/docs`. Amounts are integers in the asset's smallest unit. Reading needs a bearer token; sending needs only"
        " signatures. Every failure is a [problem document](problem_codes.md).",
        "",
    ]
    by_tag: dict[str, list[APIRoute]] = {}
    for route in _routes():
        by_tag.setdefault(str(route.tags[0]) if route.tags else "Other", []).append(route)
    for tag in sorted(by_tag):
        lines += [f"## {tag}", ""]
        for route in by_tag[tag]:
            lines += _route(route)
    return _page(lines)


def commands_page() -> str:
    """Every command."""
    lines = [
        "# Commands",
        MADE,
        "`tenge` writes results to standard output, as a table or with `--json` as one JSON object, and everything else"
        " to standard error. Exit codes: 0 done; 1 the answer is no; 2 not possible as given; 3 could not be found"
        " out, try later.",
        "",
    ]
    for name, command in _commands(get_command(cli.app), "tenge"):
        lines += [f"## `{name}`", "", command.help or "", "", "| argument | meaning |", "|---|---|"]
        for parameter in command.params:
            if "--help" in parameter.opts:
                continue
            shown = ", ".join(f"`{option}`" for option in parameter.opts)
            lines.append(f"| {shown} | {getattr(parameter, 'help', None) or ''} |")
        lines.append("")
    return _page(lines)


def _routes() -> Iterable[APIRoute]:
    for module in pkgutil.iter_modules(routes.__path__):
        router = getattr(importlib.import_module(f"{routes.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            yield from (route for route in router.routes if isinstance(route, APIRoute) and route.include_in_schema)


def _route(route: APIRoute) -> list[str]:
    method = ", ".join(sorted(route.methods or ()))
    lines = [f"### `{method} {route.path}`", "", f"**{route.summary}.** {route.description}".replace("?.**", "?**"), ""]
    parameters = [*route.dependant.path_params, *route.dependant.query_params]
    if parameters:
        lines += ["| parameter | in | meaning |", "|---|---|---|"]
        for field in parameters:
            place = "path" if field in route.dependant.path_params else "query"
            optional = "" if field.field_info.is_required() else ", optional"
            lines.append(f"| `{field.alias}` | {place}{optional} | {field.field_info.description or ''} |")
        lines.append("")
    return lines


def _commands(command: Any, name: str) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - typer's own
    if isinstance(command, TyperGroup):
        for inner, subcommand in command.commands.items():
            yield from _commands(subcommand, f"{name} {inner}")
    else:
        yield name, command


def _kind(kind: Kind) -> list[str]:
    body: Any = kind.body  # a class, which a cache may hold
    texts = attribute_texts(body)
    lines = [f"### `{kind.name}`", "", f"{inspect.cleandoc(kind.body.__doc__ or '')}", ""]
    policy = POLICIES.get(kind.name)
    if policy is not None:
        lines += [_policy(policy), ""]
    info = types.type_info(kind.body)
    assert isinstance(info, types.StructType), "a body is a struct"
    lines += ["| member | type | meaning |", "|---|---|---|"]
    for field in info.fields:
        optional = "" if field.required else ", optional"
        lines.append(f"| `{field.encode_name}` | {_type(field.type)}{optional} | {texts.get(field.name, '')} |")
    refusals = ", ".join(f"`{code.code}`" for code in kind.refusals) or "none of its own"
    lines += ["", f"Refused with: {refusals}.", ""]
    return lines


def _policy(policy: Policy) -> str:
    own = f"{policy.own} of its signatories" if policy.own else "its own quorum"
    cosigners = "".join(
        f", and {cosigner.threshold} of {cosigner.role or cosigner.participant}" for cosigner in policy.cosigners
    )
    return f"Sent by: {', '.join(policy.roles)}; signed by {own}{cosigners}."


def _type(info: types.Type) -> str:
    match info:
        case types.UnionType(types=members):
            return " or ".join(_type(member) for member in members if not isinstance(member, types.NoneType))
        case types.StrType(pattern=pattern, max_length=longest):
            if pattern is not None:
                return f"text `{pattern.removeprefix(chr(92) + 'A').removesuffix(chr(92) + 'Z')}`".replace("|", "\\|")
            return f"text, up to {longest} characters" if longest is not None else "text"
        case types.IntType(ge=low, le=high):
            return f"integer, {low} to {high}" if high is not None else "integer"
        case types.BoolType():
            return "true or false"
        case types.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values)
        case types.EnumType(cls=cls):
            return " or ".join(f"`{member.value}`" for member in cls)
        case types.VarTupleType(item_type=item, min_length=low, max_length=high):
            return f"list of {low or 0} to {high if high is not None else 'any number'}: {_type(item)}"
        case types.StructType(cls=cls):
            return f"object: {', '.join(_member(field) for field in msgspec.structs.fields(cls))}"
        case _:
            raise TypeError(f"expected a type that bodies have, got {info}")


def _member(field: Any) -> str:  # noqa: ANN401 - msgspec's own
    return f"`{field.encode_name}`{'' if field.required else ' (optional)'}"


def _refusal_row(code: Any, last: str) -> str:  # noqa: ANN401 - a RefusalCode
    return f"| `{code.code}` | {code.meaning} | {'yes' if code.is_transient else ''} | {code.iso or ''} | {last} |"


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "kinds.md": kinds_page,
    "refusal_codes.md": refusal_codes_page,
    "problem_codes.md": problem_codes_page,
    "settings.md": settings_page,
    "api.md": api_page,
    "commands.md": commands_page,
}
"""Pages by file name."""


def write(folder: Path) -> None:
    """Write every page into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
