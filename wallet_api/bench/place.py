"""Places: where a ledger of the benchmark keeps its blocks and projections, in SQLite or in PostgreSQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ledger.config import Settings

Store = Literal["sqlite", "postgresql"]
"""Kind of database."""

DATABASES: Final = ("blocks", "views", "annex")
"""What a node keeps in databases, each in one of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a node, and its databases where they are not in it."""

    folder: Path
    urls: Mapping[str, str]
    """Database by name (of ``DATABASES``); empty: SQLite in the folder."""

    @property
    def store(self) -> Store:
        """Kind of the databases."""
        return "postgresql" if self.urls else "sqlite"

    @property
    def settings(self) -> Settings:
        """The node's settings."""
        return Settings(
            node=self.folder,
            blocks_url=self.urls.get("blocks"),
            views_url=self.urls.get("views"),
            annex_url=self.urls.get("annex"),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The same for a node in a process of its own."""
        return {f"TENGE_{name.upper()}_URL": url for name, url in self.urls.items()}


def stored_bytes(place: Place) -> dict[str, int]:
    """Return the bytes of each database of a node that has stopped; SQLite only, which then has no other files."""
    files = {name: place.folder / f"{name}.db" for name in DATABASES}
    return {name: path.stat().st_size for name, path in files.items() if path.exists()}
