"""The body of a bulk: its schema, its lines as columns, and a quick way to read it.

A bulk has thousands of texts, and matching the pattern of each one by one takes longer than everything else that is
read. :func:`read_bulk` reads them as plain text first, and one search over each joined column tells whether all of
them fit. If anything does not, it says nothing: the schema is asked, and its error names the place.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from ledger.crypto import canonical
from ledger.model.journal import Entry, Pairs
from ledger.model.record import Record
from ledger.model.transactions import Transaction
from ledger.units import (
    ACCOUNT_PATTERN,
    BULK_LINES_MAX,
    LABEL_PATTERN,
    AccountField,
    AccountId,
    AmountField,
    AssetField,
    LabelField,
)


class Line(Record, frozen=True, kw_only=True):
    """One transfer of a bulk."""

    debit: AccountField
    credit: AccountField
    amount: AmountField
    label: LabelField
    """The sender's own name of the line, unique in the bulk."""


class BulkTransfer(Record, frozen=True, kw_only=True):
    """Pay many times under one signature. Lines apply in order, each seeing the former."""

    asset: AssetField
    is_atomic: bool
    """True: one refused line refuses all. False: each line stands alone."""
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=BULK_LINES_MAX)]


def bulk_pairs(body: BulkTransfer) -> Pairs:
    """Return the lines of a bulk as columns."""
    return Pairs(
        body.asset,
        [line.debit for line in body.lines],
        [line.credit for line in body.lines],
        [line.amount for line in body.lines],
    )


def bulk_entries(body: BulkTransfer) -> tuple[Entry, ...]:
    """Return the journal entry of each line."""
    return bulk_pairs(body).entries()


class _PlainLine(Line, frozen=True, kw_only=True):
    """A line whose texts are still to be looked at."""

    debit: AccountId
    credit: AccountId
    label: str


class _PlainBulk(BulkTransfer, frozen=True, kw_only=True):
    """A bulk of such lines."""

    lines: Annotated[tuple[_PlainLine, ...], Meta(min_length=1, max_length=BULK_LINES_MAX)]


_READER: Final[canonical.Reader[Transaction[BulkTransfer]]] = canonical.reader_of(Transaction[_PlainBulk])

_ACCOUNTS: Final = re.compile(rf"(?:{ACCOUNT_PATTERN}\n)*+")
_LABELS: Final = re.compile(rf"(?:{LABEL_PATTERN}\n)*+")


def read_bulk(payload: bytes) -> Transaction[BulkTransfer] | None:
    """Return the transaction of a payload, or None if the schema has to say what is wrong with it."""
    try:
        transaction = _READER.decode(payload)
    except canonical.NotCanonical:
        return None
    lines = transaction.body.lines
    if (
        _fits(_ACCOUNTS, (line.debit for line in lines))
        and _fits(_ACCOUNTS, (line.credit for line in lines))
        and _fits(_LABELS, (line.label for line in lines))
    ):
        return transaction
    return None


def read_bulk_again(payload: bytes) -> Transaction[BulkTransfer]:
    """Return the transaction of a payload that was read before."""
    return _READER.decode_again(payload)


def _fits(pattern: re.Pattern[str], texts: Iterable[str]) -> bool:
    """Whether each text fits; none that does holds the line end that parts them."""
    return pattern.fullmatch("\n".join((*texts, ""))) is not None
