"""The settings of a node: environment variables that start with ``TENGE_``, each with one meaning and one unit."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

KIBIBYTE: Final = 1024
"""Bytes."""


class Settings(BaseSettings):
    """Everything that may differ between two nodes of one network. What must not differ stands in genesis."""

    model_config = SettingsConfigDict(
        env_prefix="TENGE_", frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    node: Path = Path("tenge-node")
    """Folder of the node: genesis document, keys, snapshots and, with SQLite, the databases."""
    blocks_url: str | None = None
    """Database of the blocks, `postgresql+psycopg://...` or `sqlite:///...`; unset: `blocks.db` in the folder."""
    views_url: str | None = None
    """Database of the projections, of the same two kinds; unset: `views.db` in the folder. Never that of the blocks."""
    annex_url: str | None = None
    """Database of the erasable openings of commitments, of the same two kinds; unset: `annex.db` in the folder. One of
    its own, so that what is erased is in no backup of the blocks or views."""
    queries_url: str | None = None
    """Database of what those that watch others asked, of the same two kinds; unset: `queries.db` in the folder. It is
    only appended to; what cannot be put on record there is not answered."""
    checkpoint_path: Path | None = None
    """File that keeps the newest checkpoint outside the database, best on another disk; unset: in the folder."""
    take_over: bool = False
    """Whether to start although another node holds the ledger; that node never writes again."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port to listen on; 0 lets the system choose one."""
    trusted_proxies: str = ""
    """Addresses, divided by commas, whose `X-Forwarded-For` is believed; empty: nobody's."""
    openers: Annotated[int, Field(ge=0, le=64)] = 1
    """Processes that check signatures beside the node; with 0 it does so in threads of its own."""
    connections_max: Annotated[int, Field(ge=16)] = 4_096
    """Connections open at once; further ones are closed at once. Fewer where the system grants too few descriptors."""
    head_within_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long the head of a request may take to arrive, from the connection or its first byte on, in seconds."""
    stop_within_s: Annotated[int, Field(ge=1, le=600)] = 20
    """How long requests in hand may take when the node is told to stop, in seconds."""

    audience: str | None = None
    """What a client names as `aud` when it asks for a token; unset: the network id."""
    token_lifetime_s: Annotated[int, Field(ge=1, le=3_600)] = 300
    """How long a bearer token is good for, in seconds."""
    body_bytes_max: Annotated[int, Field(ge=KIBIBYTE)] = 64 * KIBIBYTE
    """Longest request body without a token, in bytes."""
    body_bytes_max_with_token: Annotated[int, Field(ge=KIBIBYTE)] = 4 * KIBIBYTE * KIBIBYTE
    """Longest request body with a token, in bytes: a bulk of 8,192 lines fits."""
    body_within_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """How long a request body may take to arrive, in seconds."""
    failures_burst: Annotated[int, Field(ge=1)] = 200
    """Failed requests without a token that one address may make at once."""
    failures_per_s: Annotated[float, Field(gt=0)] = 10.0
    """Failed requests without a token that one address may make for ever, per second."""

    view_wait_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    """How long a read waits for the projections to reach the sequence number it asks for, in seconds."""
    snapshot_every: Annotated[int, Field(ge=1)] = 100_000
    """Least entries between two snapshots; a restart replays what came after the newest."""

    @property
    def block_store_url(self) -> str:
        """Database of the blocks."""
        return self.blocks_url or f"sqlite:///{self.node / 'blocks.db'}"

    @property
    def view_store_url(self) -> str:
        """Database of the projections."""
        return self.views_url or f"sqlite:///{self.node / 'views.db'}"

    @property
    def annex_store_url(self) -> str:
        """Database of the annex."""
        return self.annex_url or f"sqlite:///{self.node / 'annex.db'}"

    @property
    def query_log_url(self) -> str:
        """Database of the query log."""
        return self.queries_url or f"sqlite:///{self.node / 'queries.db'}"

    @property
    def checkpoint_file(self) -> Path:
        """File of the newest checkpoint."""
        return self.checkpoint_path or self.node / "checkpoint"

    @property
    def genesis_file(self) -> Path:
        """The genesis document."""
        return self.node / "genesis.json"

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots."""
        return self.node / "snapshots"

    @property
    def keys(self) -> Path:
        """Folder of private keys: ``log/`` holds the log's own."""
        return self.node / "keys"
