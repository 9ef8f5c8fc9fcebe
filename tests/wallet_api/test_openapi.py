"""The description of the API: complete, true, and held to by the node."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, unsupported_method

from tests.wallet_api.door import Door, open_door
from wallet_api.problems import PROBLEMS

METHODS = {"get", "post", "put", "patch", "delete"}


BIG = {
    "read_genesis",
    "read_quota",
    "read_what_if",
    "read_levy",
    "read_tax_pack",
    "read_miner_statement",
    "read_exchange_statement",
    "read_reconciliation",
    "read_public_figures",
}
"""Operations whose answers are too long for an example."""


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            assert method in METHODS
            yield f"{method} {path}", operation


@pytest.fixture(scope="module")
def description(door: Door) -> dict[str, Any]:
    found: dict[str, Any] = door.get("/openapi.json").json()
    return found


def test_the_description_is_of_version_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"] == "3.1.0"
    assert "HTTPValidationError" not in description["components"]["schemas"]


def test_every_operation_has_an_id_a_summary_and_an_example(description: dict[str, Any]) -> None:
    ids = []
    for name, operation in operations(description):
        ids.append(operation["operationId"])
        assert operation["summary"], name
        assert operation["tags"], name
        for status, answer in operation["responses"].items():
            for media_type, content in answer["content"].items():
                is_big = operation["operationId"] in BIG
                assert "example" in content or is_big, f"{name} {status} {media_type}"
    assert len(ids) == len(set(ids))


def test_every_operation_names_its_problems(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        statuses = operation["responses"].keys()
        assert {"400", "404", "405", "500"} <= statuses, name
        for status, answer in operation["responses"].items():
            if status >= "4":
                assert set(answer["content"]) == {"application/problem+json"}, name
        if operation.get("security"):
            assert {"401", "429"} <= statuses, name


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    text = json.dumps(description)
    for part in text.split('"$ref": "')[1:]:
        kind, name = part.split('"')[0].removeprefix("#/components/").split("/")
        assert name in description["components"][kind]


def test_every_kind_of_transaction_is_described(description: dict[str, Any]) -> None:
    from settlement.rules import RULEBOOK

    for kind in RULEBOOK.kinds.values():
        schema = description["components"]["schemas"][f"Transaction_{kind.body.__name__}"]
        assert schema["properties"]["body"] == {"$ref": f"#/components/schemas/{kind.body.__name__}"}
        assert "description" in schema


def test_every_problem_of_the_node_is_named_by_some_operation(description: dict[str, Any]) -> None:
    text = json.dumps(description["paths"])
    assert not {code for code in PROBLEMS if f"`{code}`" not in text}


@pytest.fixture(scope="module")
def described_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("described")
    with open_door(folder / "node", view_wait_s=0.0) as opened:
        opened.populate()
        yield opened


@pytest.fixture(scope="module")
def loaded(described_door: Door) -> Any:
    """The description as Schemathesis reads it, which then calls the application itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", described_door.client.app)


NO_SCHEMA_TELLS = {
    "/v1/quota/{miner}",
    "/v1/log/consistency",
    "/v1/log/inclusion",
    "/v1/prices/{coin}/{date}",
    "/v1/surplus/{zone}/{date}",
}
"""That a date is in the calendar, or one size not above the other."""

OPERATIONS = [
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/problems/{code}"),
    ("POST", "/sandbox/v1/clock"),
    ("POST", "/v1/token"),
    ("GET", "/v1/accounts/{account}"),
    ("GET", "/v1/accounts/{account}/statement"),
    ("GET", "/v1/days"),
    ("GET", "/v1/authorities"),
    ("GET", "/v1/exchanges/{exchange}/fails"),
    ("GET", "/v1/exchanges/{exchange}/instructions"),
    ("GET", "/v1/exchanges/{exchange}/liabilities/{asset}"),
    ("GET", "/v1/exchanges/{exchange}/reconciliation"),
    ("GET", "/v1/exchanges/{exchange}/statement"),
    ("GET", "/v1/miners/{miner}/inspection"),
    ("GET", "/v1/miners/{miner}/levy/{quarter}"),
    ("GET", "/v1/miners/{miner}/lots"),
    ("GET", "/v1/miners/{miner}/statement"),
    ("GET", "/v1/miners/{miner}/tax-pack/{quarter}"),
    ("GET", "/v1/prices/{coin}/{date}"),
    ("GET", "/v1/public"),
    ("GET", "/v1/queries"),
    ("GET", "/v1/quota/{miner}/what-if"),
    ("GET", "/v1/registers"),
    ("GET", "/v1/registers/{register}"),
    ("GET", "/v1/surplus/{zone}/{date}"),
    ("GET", "/v1/log/checkpoint"),
    ("GET", "/v1/log/consistency"),
    ("GET", "/v1/log/genesis"),
    ("GET", "/v1/log/inclusion"),
    ("GET", "/v1/participants"),
    ("GET", "/v1/participants/{participant}"),
    ("GET", "/v1/quota/{miner}"),
    ("GET", "/v1/supply"),
    ("GET", "/v1/transactions"),
    ("POST", "/v1/transactions"),
    ("GET", "/v1/transactions/{transaction_id}"),
    ("DELETE", "/v1/transactions/{transaction_id}/annex"),
    ("GET", "/v1/transactions/{transaction_id}/annex"),
    ("POST", "/v1/transactions/{transaction_id}/annex"),
    ("GET", "/v1/transactions/{transaction_id}/refusals"),
]


def test_the_operations_tried_are_all_there_are(description: dict[str, Any]) -> None:
    assert {f"{method.lower()} {path}" for method, path in OPERATIONS} == {name for name, _ in operations(description)}


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
def test_the_node_answers_as_it_is_described(described_door: Door, loaded: Any, method: str, path: str) -> None:
    operation = loaded[path][method]
    headers = described_door.bearer("supervisor")
    # Nor can a schema say that a signature must hold, and that the integer 1 is not written 1.0.
    untold = [positive_data_acceptance] if method == "POST" or path in NO_SCHEMA_TELLS else []
    size = described_door.size

    @given(case=operation.as_strategy())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: schemathesis.Case[Any]) -> None:
        answer = case.call(headers=headers)
        # Other methods and other tokens are tried in tests of their own.
        case.validate_response(answer, excluded_checks=[unsupported_method, ignored_auth, *untold])

    check()
    assert described_door.size == size, "nothing that was made up is recorded"
