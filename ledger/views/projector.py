"""From blocks to rows: a pure function of the blocks.

What needs to know more than the blocks, the chains of accounts, is left to ``ledger.views.account_lines``: here only
the new lines of each account are gathered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

from ledger.crypto import canonical
from ledger.log.group import Recorded
from ledger.model.journal import Entry, Pairs, Side
from ledger.model.outcome import Accepted, Refused
from ledger.rules.bulk import BulkTransfer
from ledger.units import AccountId, AssetId
from ledger.views.account_lines import Lines
from ledger.views.facts import BlockFacts
from ledger.views.schema import ENTRIES_PER_RUN

Row = tuple[Any, ...]

_ID_KEY_BYTES: Final = 8


@dataclass(slots=True)
class Rows:
    """Rows of a batch of blocks by table, as tuples in the order of the columns.

    Where there are many, they hold numbers, texts and byte arrays: Python's SQLite driver takes those in at once, and
    looks for an adapter for each ``bytes``, ``bool`` and ``None``, which takes half as long as storing the row.
    """

    blocks: list[Row] = field(default_factory=list)
    transactions: list[Row] = field(default_factory=list)
    entry_runs: list[Row] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)
    participants: dict[str, Row] = field(default_factory=dict)
    keys: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    supply: dict[tuple[str, AssetId], tuple[int, int]] = field(default_factory=dict)
    """What was issued and redeemed, by business date and asset."""
    lines: defaultdict[AccountId, Lines] = field(default_factory=lambda: defaultdict(list))
    """The new lines of each account."""


def project(blocks: Sequence[BlockFacts], *, contra: Mapping[AccountId, AssetId]) -> Rows:
    """Return the rows of some blocks in order.

    Args:
        blocks: consecutive blocks.
        contra: the contra account of each asset: a debit issues, a credit redeems.
    """
    rows = Rows()
    counted = dict.fromkeys(contra, 0)
    for facts in blocks:
        block = facts.replayed.block
        rows.blocks.append((block.height, block.first_sequence, block.time_us, facts.business_date))
        for place, recorded in enumerate(facts.replayed.recorded):
            _transaction(rows, recorded, block.height, place)
        for account, asset in contra.items():
            lines = rows.lines.get(account, ())
            if len(lines) > counted[account]:
                _add_supply(rows, (facts.business_date, asset), lines[counted[account] + 1 :: 2])
                counted[account] = len(lines)
        _register(rows, facts)
    return rows


def reference_bytes(reference: str) -> bytearray:
    """Return the 16 bytes of a reference, a UUID in text."""
    return bytearray.fromhex(reference.replace("-", ""))


def id_key(transaction_id: bytes) -> int:
    """Return the short key under which a transaction id is looked up."""
    return int.from_bytes(transaction_id[:_ID_KEY_BYTES], signed=True)


def _transaction(rows: Rows, recorded: Recorded, height: int, place: int) -> None:
    signed, outcome, sequence = recorded.signed, recorded.outcome, recorded.first_sequence
    transaction = signed.transaction
    code, line, debit, credit = "", 0, "", ""
    if isinstance(outcome, Refused):
        code, line = outcome.code.code, outcome.line
        rows.refusals.append((sequence, line, code))
    else:
        if outcome.pairs is not None:
            _pairs(rows, recorded, outcome, outcome.pairs)
        elif len(outcome.entries) == 1:
            (entry,) = outcome.entries
            _entry(rows, sequence, entry)
            debit, credit = _pair(entry)
        elif outcome.entries:
            _entries(rows, recorded, outcome)
        if outcome.refused_lines:
            for refused_line, refusal in sorted(outcome.refused_lines.items()):
                rows.refusals.append((sequence + refused_line, refused_line, refusal.code))
        if outcome.record is not None:
            _day(rows, recorded, outcome.record, height)
    rows.transactions.append(
        (
            sequence,
            transaction.participant,
            reference_bytes(transaction.reference),
            bytearray(signed.transaction_id),
            id_key(signed.transaction_id),
            transaction.kind,
            height,
            place,
            recorded.leaf_count,
            code,
            line,
            debit,
            credit,
        )
    )


def _pairs(rows: Rows, recorded: Recorded, outcome: Accepted, pairs: Pairs) -> None:
    """Add a line to both accounts of each entry. This is the loop that a bulk spends its time in."""
    sequence = recorded.first_sequence
    entries: Iterable[tuple[int, AccountId, AccountId, int]]
    leaves = range(sequence, sequence + len(pairs))
    entries = zip(leaves, pairs.debits, pairs.credits, pairs.amounts, strict=True)
    if outcome.refused_lines:
        refused_lines = outcome.refused_lines
        entries = compress(entries, [line not in refused_lines for line in range(len(pairs))])
    new_lines = rows.lines
    for leaf, debit, credit, amount in entries:
        lines = new_lines[debit]
        lines.append(leaf)
        lines.append(-amount)
        lines = new_lines[credit]
        lines.append(leaf)
        lines.append(amount)
    _runs(rows, recorded, pairs.debits, pairs.credits)


def _entries(rows: Rows, recorded: Recorded, outcome: Accepted) -> None:
    """Add the lines of several entries, each of any number of postings."""
    for line, entry in enumerate(outcome.entries):
        if line not in outcome.refused_lines:
            _entry(rows, recorded.first_sequence + line, entry)
    pairs = [_pair(entry) for entry in outcome.entries]
    _runs(rows, recorded, [debit for debit, _ in pairs], [credit for _, credit in pairs])


def _entry(rows: Rows, sequence: int, entry: Entry) -> None:
    """Add a line to each account of an entry."""
    for posting in entry.postings:
        lines = rows.lines[posting.account]
        lines.append(sequence)
        lines.append(posting.amount if posting.side is Side.CREDIT else -posting.amount)


def _pair(entry: Entry) -> tuple[str, str]:
    """The debited and the credited account of an entry of two postings; two empty names for any other."""
    if len(entry.postings) != 2:
        return "", ""
    first, second = entry.postings
    return (first.account, second.account) if second.side is Side.CREDIT else (second.account, first.account)


def _runs(rows: Rows, recorded: Recorded, debits: Sequence[str], credits: Sequence[str]) -> None:
    body = recorded.signed.body
    labels = [line.label for line in body.lines] if isinstance(body, BulkTransfer) else []
    for start in range(0, len(debits), ENTRIES_PER_RUN):
        stop = start + ENTRIES_PER_RUN
        rows.entry_runs.append(
            (
                recorded.first_sequence + start,
                "\n".join(debits[start:stop]),
                "\n".join(credits[start:stop]),
                "\n".join(labels[start:stop]),
            )
        )


def _add_supply(rows: Rows, key: tuple[str, AssetId], credited: Sequence[int]) -> None:
    """Add up what moved on a contra account: a debit issues, a credit redeems."""
    issued, redeemed = rows.supply.get(key, (0, 0))
    redeemed_now = sum(amount for amount in credited if amount > 0)
    rows.supply[key] = (issued + redeemed_now - sum(credited), redeemed + redeemed_now)


def _day(rows: Rows, recorded: Recorded, record: dict[str, Any], height: int) -> None:
    if recorded.kind.name != "day_close":
        return
    balance = record.get("trial_balance")
    trial_balance = None if balance is None else canonical.encode(balance).decode()
    digest = record.get("trial_balance_digest")
    rows.days.append((record["closes"], record["opens"], recorded.first_sequence, height, trial_balance, digest))


def _register(rows: Rows, facts: BlockFacts) -> None:
    height = facts.replayed.block.height
    for participant_id, participant in facts.participants:
        rows.participants[participant_id] = (
            participant_id,
            participant.name,
            participant.role.value,
            participant.code,
            participant.quorum,
            participant.is_suspended,
            height,
        )
    for kid, key in facts.keys:
        rows.keys.append(
            (
                kid,
                height,
                key.participant,
                key.signatory,
                key.use.value,
                key.x,
                key.active_from_us,
                key.active_from_date,
                key.is_revoked,
            )
        )
