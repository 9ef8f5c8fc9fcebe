"""Making an inspection export of a node: the statement, its inputs, and a proof of each transaction behind them."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.note import parse_checkpoint
from ledger.log.answers import Unavailable
from ledger.log.block import decode_body
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from ledger.views.answers import AsOf, TransactionRow, ViewsBehind
from ledger.views.queries import ViewReader
from settlement.model.claims import ClaimFacts
from settlement.rules import RULEBOOK
from settlement.rules.quota_policies import rate_policies
from settlement.rules.register_snapshot import register_snapshot
from settlement.rules.tables import LOTS
from settlement.views.claims import claims_of
from settlement.views.history import decided
from settlement.views.inspection import (
    INSPECTION_VERSION,
    PRODUCTION_KINDS,
    TRANSACTIONS_MAX,
    InspectionHead,
    InspectionInputs,
    InspectionRegisters,
    InspectionStatement,
    ProvenLeaf,
    ProvenTransaction,
    inspection_file,
)
from settlement.views.statements import quota_statement
from settlement.views.steady import Steady
from wallet_api.parts import Parts


class InspectionTooLarge(ValueError):
    """More transactions stand behind the statement than one file holds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose statement is exported."""

    miner: ParticipantId
    coin: str
    as_of: BusinessDate


def make_inspection(node: Parts, views: ViewReader, subject: Subject, checkpoint: str) -> AsOf[bytes]:
    """Return the file; to be called in a thread, with projections that include the checkpoint's leaves.

    Raises:
        InspectionTooLarge: as it says.
        Unavailable: the block store cannot be read now.
        And what ``ViewReader`` raises.
    """
    size = parse_checkpoint(checkpoint)[0].size
    applied = views.applied()
    view = Steady(node.sequencer.state)
    made_us = node.now_us()
    claims, facts = claims_of(view, subject.miner)
    lots = dict(view.group(LOTS, subject.miner))
    statement = quota_statement(view, subject.miner, subject.coin, as_of=subject.as_of)
    wanted = _transactions(facts, {claim.transaction for claim in claims.values()})
    rows = {row.sequence: row for row in _reports(node, views, subject.miner, made_us)}
    if len(rows) + len(wanted) > TRANSACTIONS_MAX:
        raise InspectionTooLarge(f"expected at most {TRANSACTIONS_MAX} transactions behind the statement")
    for name in sorted(wanted):
        row = views.transaction_by_id(b64url_decode(name)).value
        if row is None:
            raise ViewsBehind("the projections do not include all that the state names yet")
        rows[row.sequence] = row
    if any(row.sequence + row.leaf_count > size for row in rows.values()):
        raise ViewsBehind("the ledger went on while the file was made")
    lines = (
        InspectionHead(
            v=INSPECTION_VERSION,
            network=node.sequencer.network,
            genesis=b64url(node.document),
            miner=subject.miner,
            coin=subject.coin,
            as_of=subject.as_of,
            made_us=made_us,
            checkpoint=tuple(checkpoint.split("\n")),
        ),
        *(_proven(node, views, row, size) for _, row in sorted(rows.items())),
        InspectionRegisters(snapshot=register_snapshot(view, made_us)),
        InspectionInputs(policies=rate_policies(view), lots=lots, claims=claims, facts=facts),
        InspectionStatement(statement=statement),
    )
    return AsOf(applied.size, applied.height, inspection_file(lines))


def _transactions(facts: ClaimFacts, settled: set[str]) -> set[str]:
    """The ids of all transactions that claims and what is said of them rest on."""
    attested = {sale.transaction for sale in facts.attested.values()}
    decisions = {decision.transaction for each in facts.decisions.values() for decision in each}
    return settled | attested | decisions


def _reports(node: Parts, views: ViewReader, miner: ParticipantId, until_us: TimestampUs) -> Iterator[TransactionRow]:
    """The reports and corrections that name the miner, of each pool that ever did."""
    pools = {key.partition("/")[0] for key, _ in Steady(node.sequencer.state).group(LOTS, miner)}
    for pool in sorted(pools):
        found = views.transactions_of(
            ParticipantId(pool),
            from_us=TimestampUs(0),
            until_us=TimestampUs(until_us + 1),
            kinds=PRODUCTION_KINDS,
            limit=TRANSACTIONS_MAX + 1,
        ).value
        if len(found) > TRANSACTIONS_MAX:
            raise InspectionTooLarge(f"expected at most {TRANSACTIONS_MAX} reports of {pool}")
        for each in decided(node.blocks, found, RULEBOOK):
            if any(row.miner == miner for row in each.body.rows):
                yield each.row


def _proven(node: Parts, views: ViewReader, row: TransactionRow, size: int) -> ProvenTransaction:
    receipt = node.sequencer.first_answer(row.height, row.place)
    block = node.blocks.read(row.height)
    if block is None:
        raise Unavailable("store_unavailable", f"block {row.height} cannot be read now")
    return ProvenTransaction(
        submission=msgspec.Raw(decode_body(block.body).submissions[row.place]),
        leaves=tuple(
            ProvenLeaf(
                leaf=leaf.leaf, path=tuple(map(b64url, views.inclusion_proof(receipt.sequence + place, size).value))
            )
            for place, leaf in enumerate(receipt.leaves)
        ),
    )
