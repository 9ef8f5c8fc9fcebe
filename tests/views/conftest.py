"""A log, and the databases its views are kept in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.views.follower import Follower
from ledger.views.queries import ViewReader
from tests.views.chain import Chain


@pytest.fixture(params=["sqlite", "postgres"])
def views_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database for views, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'views.db'}"
    url: str = request.getfixturevalue("postgres_database_url")
    return url


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A log with its genesis block."""
    made = Chain(tmp_path / "log")
    yield made
    made.store.close()


@pytest.fixture
def new_follower(chain: Chain, views_url: str, tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    """Makes followers of the log, as after a restart; snapshots are kept between them."""
    made: list[Follower] = []
    reader = chain.reader()

    def make(**options: int) -> Follower:
        follower = Follower(reader, chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots", **options)
        made.append(follower)
        return follower

    yield make
    for follower in made:
        follower.close()
    reader.close()


@pytest.fixture
def views(views_url: str) -> Iterator[ViewReader]:
    """A reader of the views."""
    reader = ViewReader(views_url)
    yield reader
    reader.close()
