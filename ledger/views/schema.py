"""The tables of the views database, for SQLite and PostgreSQL (design D21).

What grows with every payment is appended in the order of the log, and never changed: an index by account would be
written at random places and slow down as it grows. An account instead has a chain: its lines, sixteen to a link, each
link naming the one before it, and the newest link and the lines that do not fill one yet in ``view_account_heads``,
which one batch of blocks touches once for each account. A line is no more than a leaf index and what moved; everything
else is found by the leaf index, in tables ordered by it.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 3
"""Version of these tables and of what is projected into them; another one is rebuilt, never migrated."""

LINES_PER_LINK: Final = 16
"""Lines of an account that are written together. More would make fewer links, and longer heads, which are written anew
with every batch that touches the account."""

LINES_PER_ANCHOR: Final = 16 * LINES_PER_LINK
"""Every so many lines of an account the link that ends there is noted, so that a statement can start at an old line."""

ENTRIES_PER_RUN: Final = 32
"""Entries of a bulk in one row: few enough that reading one entry reads little else."""

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
    Column("id_key", BigInteger, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("leaf_count", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    UniqueConstraint("participant", "reference"),
)
"""One row per decided transaction, known by its first leaf. ``code`` is empty if it was accepted, ``place`` its index
among the block's submissions, ``reference`` the 16 bytes of the UUID: those of one sender ascend with time. ``id_key``
is the first 8 bytes of the transaction id, as a signed number: ids come in no order, and a short key keeps their index
small. ``debit`` and ``credit`` are the accounts of its only entry, if that is a pair, and empty otherwise."""

ENTRY_RUNS: Final = Table(
    "view_entry_runs",
    METADATA,
    Column("sequence", _ROW, primary_key=True, autoincrement=False),
    Column("debits", Text, nullable=False),
    Column("credits", Text, nullable=False),
    Column("labels", Text, nullable=False),
)
"""Who pays whom in transactions of several entries: a row for each ``ENTRIES_PER_RUN`` of them, known by the first
one's leaf, refused lines included. Each column has a line of text per entry, empty for one that is no pair; ``labels``
are the sender's names of the lines of a bulk, and empty where there are none."""

ACCOUNT_HEADS: Final = Table(
    "view_account_heads",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("line_count", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("credit_sign", Integer, nullable=False),
    Column("link", BigInteger, nullable=False),
    Column("tail", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Each account that has a statement line: how many, the balance after the newest, what a credit does to the balance (1
adds, -1 takes: the contra account of an asset), its newest link (0: none), and the lines after that, as in a link."""

ACCOUNT_LINKS: Final = Table(
    "view_account_links",
    METADATA,
    Column("leaf", BigInteger, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),
    Column("previous", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("lines", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Lines of an account, ``LINES_PER_LINK`` at a time, known by the leaf of the last one, and so in the order of the log.
``previous`` is that of the account's link before (0: none), ``number`` the last line's, counted from 1 in the account,
``balance`` what the account held after it. ``lines`` are MessagePack: for each line its leaf index and what was
credited, less than zero if it was debited."""

ACCOUNT_ANCHORS: Final = Table(
    "view_account_anchors",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The leaf of every ``LINES_PER_ANCHOR``-th line of an account: a link ends with it."""

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
