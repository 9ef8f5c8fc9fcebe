"""The tables of the views database, for SQLite and PostgreSQL (design D21).

What grows with every payment is appended in the order of the log, and never changed: an index by account would be
written at random places and slow down as it grows. A statement line instead names its account's line before it, and
the account's newest line stands in ``account_heads``, which one batch of blocks touches once for each account.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 2
"""Version of these tables and of what is projected into them; another one is rebuilt, never migrated."""

LINES_PER_ANCHOR: Final = 256
"""Every so many lines of an account its place is noted, so that a statement can also start at an old line."""

TABLE_PREFIX: Final = "view_"
"""Every table of views, of this version or another, is named so; a rebuild drops them all."""

METADATA: Final = MetaData()

# SQLite knows a row by its key only when the column is called INTEGER there.
_ROW: Final = BigInteger().with_variant(Integer, "sqlite")

APPLIED: Final = Table(
    "view_applied",
    METADATA,
    Column("only", Integer, CheckConstraint('"only" = 1'), primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("network", Text, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("business_date", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("statement_rows", BigInteger, nullable=False),
)
"""One row: the newest block whose rows are all here. It changes in the transaction that brings them."""

BLOCKS: Final = Table(
    "view_blocks",
    METADATA,
    Column("height", _ROW, primary_key=True, autoincrement=False),
    Column("first_sequence", BigInteger, nullable=False, unique=True),
    Column("time_us", BigInteger, nullable=False),
    Column("business_date", Text, nullable=False),
)
"""One row per block: when it was, on which business date it was decided, and where its leaves start."""

TRANSACTIONS: Final = Table(
    "view_transactions",
    METADATA,
    Column("sequence", _ROW, primary_key=True, autoincrement=False),
    Column("participant", Text, nullable=False),
    Column("reference", LargeBinary, nullable=False),
    Column("transaction_id", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("leaf_count", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("code", Text),
    Column("line", Integer, nullable=False),
    UniqueConstraint("participant", "reference"),
    Index("view_transactions_by_id", "transaction_id"),
)
"""One row per decided transaction, known by its first leaf. ``code`` is null if it was accepted, ``place`` its index
among the block's submissions, ``reference`` the 16 bytes of the UUID: those of one sender ascend with time."""

STATEMENT_LINES: Final = Table(
    "view_statement_lines",
    METADATA,
    Column("row", _ROW, primary_key=True, autoincrement=False),
    Column("previous", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("counterparty", Text),
    Column("is_credit", Boolean, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("transaction_sequence", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("label", Text),
)
"""One row per posting, ``row`` from 1 in the order of the log. ``previous`` is the account's line before (0: none),
``number`` counts the account's lines from 1. The posting's leaf is ``transaction_sequence + line``."""

ACCOUNT_HEADS: Final = Table(
    "view_account_heads",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("row", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The newest statement line of each account that has one."""

ACCOUNT_ANCHORS: Final = Table(
    "view_account_anchors",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("row", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Where every ``LINES_PER_ANCHOR``-th line of an account stands."""

REFUSALS: Final = Table(
    "view_refusals",
    METADATA,
    Column("sequence", _ROW, primary_key=True, autoincrement=False),
    Column("line", Integer, nullable=False),
    Column("code", Text, nullable=False),
)
"""One row per refusal leaf: of a whole transaction, or of one line of an independent bulk."""

PARTICIPANTS: Final = Table(
    "view_participants",
    METADATA,
    Column("participant", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("is_suspended", Boolean, nullable=False),
    Column("changed_height", BigInteger, nullable=False),
)
"""One row per participant, as of now."""

KEY_CHANGES: Final = Table(
    "view_key_changes",
    METADATA,
    Column("kid", Text, primary_key=True),
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("participant", Text, nullable=False, index=True),
    Column("signatory", Text, nullable=False),
    Column("use", Text, nullable=False),
    Column("x", Text, nullable=False),
    Column("active_from_us", BigInteger, nullable=False),
    Column("active_from_date", Text, nullable=False),
    Column("is_revoked", Boolean, nullable=False),
)
"""One row for each block that changed a key: its state after the block. Holder keys stand with their accounts."""

SUPPLY: Final = Table(
    "view_supply",
    METADATA,
    Column("asset", Text, primary_key=True),
    Column("issued", BigInteger, nullable=False),
    Column("redeemed", BigInteger, nullable=False),
)
"""Sums of each asset since genesis."""

DAY_SUPPLY: Final = Table(
    "view_day_supply",
    METADATA,
    Column("business_date", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("issued", BigInteger, nullable=False),
    Column("redeemed", BigInteger, nullable=False),
)
"""Sums of each asset that was issued or redeemed on a business date."""

DAYS: Final = Table(
    "view_days",
    METADATA,
    Column("business_date", Text, primary_key=True),
    Column("opens", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("trial_balance", Text),
    Column("trial_balance_digest", Text),
)
"""One row per closed business date; ``trial_balance`` is the JSON of the day close's record, or null where the record
holds but its digest, base64url, because it would not fit."""

TILES: Final = Table(
    "view_tiles",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""Hashes of the Merkle tree by 256 (C2SP tlog-tiles): a tile of level L holds nodes of the tree's level 8 L."""
