"""One populated node for the tests of each module: opening one takes longer than most tests."""

from collections.abc import Iterator

import pytest

from tests.wallet_api.door import Door, open_door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A node with two banks, a supervisor, and money."""
    with open_door(tmp_path_factory.mktemp("node")) as opened:
        opened.populate()
        yield opened
