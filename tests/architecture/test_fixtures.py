"""The fixtures of conftest.py give what they promise."""

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text


def test_each_test_gets_an_empty_database_of_its_own(postgres_database_url: str) -> None:
    engine = create_engine(postgres_database_url)
    try:
        with engine.connect() as connection:
            tables = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert connection.execute(tables).scalar_one() == 0
    finally:
        engine.dispose()


@pytest.mark.parametrize("profile", ["dev", "ci", "nightly"])
def test_no_profile_tries_the_same_examples_each_time(profile: str) -> None:
    assert not settings.get_profile(profile).derandomize
