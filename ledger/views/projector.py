"""From blocks to rows: a pure function of the blocks and of the newest line of each account they touch.

Balances are folded from postings, apart from the state that decided them; the follower compares the two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.crypto import canonical
from ledger.log.group import Recorded
from ledger.model.journal import Side
from ledger.model.outcome import Accepted, Refused
from ledger.rules.transfers import BulkTransfer
from ledger.units import AccountId, AssetId
from ledger.views.facts import BlockFacts
from ledger.views.schema import LINES_PER_ANCHOR

AccountHead = tuple[int, int, int]
"""Of an account's newest statement line: its row, its number, the balance after it."""

NO_LINES: AccountHead = (0, 0, 0)
"""Of an account without a line."""

Row = tuple[Any, ...]


@dataclass(slots=True)
class Rows:
    """Rows of a batch of blocks by table, as tuples in the order of the columns."""

    blocks: list[Row] = field(default_factory=list)
    transactions: list[Row] = field(default_factory=list)
    statement_lines: list[Row] = field(default_factory=list)
    anchors: list[Row] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)
    participants: dict[str, Row] = field(default_factory=dict)
    keys: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    supply: dict[tuple[str, AssetId], tuple[int, int]] = field(default_factory=dict)
    """What was issued and redeemed, by business date and asset."""
    heads: dict[AccountId, AccountHead] = field(default_factory=dict)
    """The newest line of each account, touched or given."""


def touched_accounts(blocks: Iterable[BlockFacts]) -> set[AccountId]:
    """Return the accounts that the entries of some blocks post to, refused lines included."""
    return {
        posting.account
        for facts in blocks
        for recorded in facts.replayed.recorded
        if isinstance(recorded.outcome, Accepted)
        for entry in recorded.outcome.entries
        for posting in entry.postings
    }


def project(
    blocks: Sequence[BlockFacts],
    *,
    heads: dict[AccountId, AccountHead],
    statement_rows: int,
    contra: Mapping[AccountId, AssetId],
) -> Rows:
    """Return the rows of some blocks in order.

    Args:
        blocks: consecutive blocks.
        heads: the newest line of each account that has one and is touched; not changed.
        statement_rows: statement lines there were before.
        contra: the contra account of each asset: a debit adds to it.
    """
    rows = Rows(heads=dict(heads))
    for facts in blocks:
        block = facts.replayed.block
        rows.blocks.append((block.height, block.first_sequence, block.time_us, facts.business_date))
        for place, recorded in enumerate(facts.replayed.recorded):
            _transaction(rows, recorded, block.height, place)
            if isinstance(recorded.outcome, Accepted):
                _entries(rows, recorded, recorded.outcome, statement_rows, contra, facts.business_date)
                _day(rows, recorded, block.height)
        _register(rows, facts)
    return rows


def _transaction(rows: Rows, recorded: Recorded, height: int, place: int) -> None:
    transaction = recorded.signed.transaction
    refused = recorded.outcome if isinstance(recorded.outcome, Refused) else None
    rows.transactions.append(
        (
            recorded.first_sequence,
            transaction.participant,
            reference_bytes(transaction.reference),
            recorded.signed.transaction_id,
            transaction.kind,
            height,
            place,
            recorded.leaf_count,
            recorded.kind.weight(transaction.body),
            None if refused is None else refused.code.code,
            0 if refused is None else refused.line,
        )
    )
    if refused is not None:
        rows.refusals.append((recorded.first_sequence, refused.line, refused.code.code))


def reference_bytes(reference: str) -> bytes:
    """Return the 16 bytes of a reference, a UUID in text."""
    return bytes.fromhex(reference.replace("-", ""))


def _entries(
    rows: Rows,
    recorded: Recorded,
    outcome: Accepted,
    rows_before: int,
    contra: Mapping[AccountId, AssetId],
    business_date: str,
) -> None:
    """Append a statement line for each posting. This is the loop that a bulk spends its time in."""
    sequence = recorded.first_sequence
    refused_lines = outcome.refused_lines
    labels = _labels(recorded)
    heads, append = rows.heads, rows.statement_lines.append
    row = rows_before + len(rows.statement_lines)
    credit = Side.CREDIT
    for line, entry in enumerate(outcome.entries):
        if line in refused_lines:
            rows.refusals.append((sequence + line, line, refused_lines[line].code))
            continue
        postings = entry.postings
        is_pair = len(postings) == 2
        label = labels[line] if labels else None
        for place, posting in enumerate(postings):
            account, amount, is_credit = posting.account, posting.amount, posting.side is credit
            previous, number, balance = heads.get(account, NO_LINES)
            row += 1
            number += 1
            # A credit adds to a wallet, a debit to a contra account (design D11).
            is_contra = account in contra
            balance += amount if is_credit is not is_contra else -amount
            if is_contra:
                _issued(rows, business_date, posting.asset, amount, is_credit=is_credit)
            heads[account] = (row, number, balance)
            counterparty = postings[1 - place].account if is_pair else None
            append((row, previous, number, account, counterparty, is_credit, amount, balance, sequence, line, label))
            if number % LINES_PER_ANCHOR == 0:
                rows.anchors.append((account, number, row))


def _labels(recorded: Recorded) -> list[str]:
    """The sender's names of the lines, where there are any."""
    body = recorded.signed.body
    return [line.label for line in body.lines] if isinstance(body, BulkTransfer) else []


def _issued(rows: Rows, business_date: str, asset: AssetId, amount: int, *, is_credit: bool) -> None:
    """Add up a posting to a contra account: a debit issues, a credit redeems."""
    issued, redeemed = rows.supply.get((business_date, asset), (0, 0))
    if is_credit:
        rows.supply[business_date, asset] = (issued, redeemed + amount)
    else:
        rows.supply[business_date, asset] = (issued + amount, redeemed)


def _day(rows: Rows, recorded: Recorded, height: int) -> None:
    record = recorded.kept.record
    if recorded.kind.name != "day_close" or record is None:
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
