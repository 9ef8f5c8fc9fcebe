"""What a participant sent over some time, read back from the blocks: the body it signed and what was decided.

The state holds what stands now: of an asset the last reconciliation, of a root the last one. Statements of a period
need each of them, and the log has them all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.crypto import canonical, jws
from ledger.log.block import BlockBody, decode_body
from ledger.log.outcomes import KeptOutcome, decode_outcome, postings_of
from ledger.model.journal import Posting
from ledger.model.transactions import Transaction
from ledger.rules.rulebook import Rulebook
from ledger.views.answers import TransactionRow

HISTORY_ROWS_MAX: Final = 20_000
"""Most transactions that one statement goes through: a busy month of an exchange, read in a few seconds."""


class ReadsBlocks(Protocol):
    """Where blocks are read from."""

    def read(self, height: int) -> Any:  # noqa: ANN401 - a block of the log
        """Return the block at ``height``, or None."""


@dataclass(frozen=True, slots=True)
class Decided:
    """An accepted transaction as its block has it."""

    row: TransactionRow
    raw: bytes
    """The signed transaction: a JWS."""
    body: Any
    """The body, of its kind's own type."""
    kept: KeptOutcome
    entries: tuple[tuple[Posting, ...], ...]
    """Postings of each journal entry; refused lines of a bulk left out."""

    @property
    def record(self) -> dict[str, Any]:
        """The content of its record leaf; empty where there is none."""
        return self.kept.record or {}


def decided(blocks: ReadsBlocks, rows: Iterable[TransactionRow], rulebook: Rulebook) -> Iterator[Decided]:
    """Read rows back from their blocks; those of one block stand together, and it is read once."""
    height, body = -1, BlockBody(submissions=[], outcomes=[], salts=b"")
    for row in rows:
        if row.height != height:
            block = blocks.read(row.height)
            assert block is not None, "a transaction of the projections stands in a durable block"
            height, body = row.height, decode_body(block.body)
        raw, kept = body.submissions[row.place], decode_outcome(body.outcomes[row.place])
        kind = rulebook.kinds[row.kind]
        payload = jws.parse(raw, typ=jws.TYP_TRANSACTION).payload
        # It was opened once, so only its kind has to be told.
        transaction = canonical.reader_of(Transaction[kind.body]).decode_again(payload)  # type: ignore[name-defined]
        postings = postings_of(kept, kind, transaction.body)
        made = postings if isinstance(postings, tuple) else tuple(entry.postings for entry in postings.entries())
        refused = {line for line, _ in kept.refused_lines}
        entries = tuple(each for line, each in enumerate(made) if line not in refused)
        yield Decided(row, raw, transaction.body, kept, entries)
