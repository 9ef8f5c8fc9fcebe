"""A running node for the tests of the client."""

from collections.abc import Iterator

import pytest

from tests.client.town import Town, new_folder, run, settle


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / "node"
    node, town = run(folder, new_folder(folder))
    with node:
        settle(town)
        yield town
