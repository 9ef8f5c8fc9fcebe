"""Verification of an inspection export, with public keys only.

In this order: (1) the genesis document names the network and the log's key, and that key signed the checkpoint;
(2) each transaction is the one that its leaves name, was signed by those they name, and each leaf is in the log;
(3) each lot and claim says what such a transaction says; (4) the digests of the registers hold; (5) the statement is
what the inputs come to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.crypto import canonical
from ledger.crypto.canonical import NotCanonical, b64url, b64url_decode, encode
from ledger.crypto.digest import tagged
from ledger.crypto.keys import InvalidKey, PublicKey
from ledger.crypto.merkle import HASH_BYTES, InvalidProof, leaf_hash, verify_inclusion
from ledger.crypto.note import Checkpoint, InvalidNote, verify_checkpoint
from ledger.genesis import InvalidGenesis, network_id, read_genesis
from ledger.log.group import origin_of
from ledger.log.receipts import authored
from ledger.model.journal import EntryLeaf, Leaf, RecordLeaf, Side
from ledger.model.transactions import Transaction
from ledger.rules.rulebook import Rulebook
from ledger.units import ParticipantId
from settlement.model.claims import AttestedSale, ClaimDecision
from settlement.model.production import ProductionLot, ProductionRow
from settlement.model.trades import QuotaClaim
from settlement.quota import quota_statement
from settlement.views.inspection import (
    PRODUCTION_KINDS,
    InspectionFault,
    InspectionHead,
    InspectionInputs,
    InspectionRegisters,
    InspectionStatement,
    ProvenTransaction,
    read_inspection,
)

ASSERTED: Final = ("status of licences and exchanges", "flags", "that nothing was left out")
"""What a file shows on the node's word alone; an export of the whole log proves it."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a verified file holds."""

    network: str
    is_network_pinned: bool
    """False if the network id was not given from outside: then the file is self-consistent, and no more is known."""
    size: int
    """Leaves in the log under whose checkpoint everything is proved."""
    miner: str
    coin: str
    as_of: str
    transactions: int
    lots: int
    claims: int
    attested: int
    obligation: int
    counted: int
    shortfall: int
    inputs: str


@dataclass(frozen=True, slots=True)
class _Proven:
    """A transaction that is in the log."""

    transaction: Transaction[Any]
    leaves: tuple[EntryLeaf | RecordLeaf, ...]


@dataclass(slots=True)
class _File:
    """The parts of a file, each with its line."""

    head: InspectionHead
    transactions: list[tuple[int, ProvenTransaction]] = field(default_factory=list)
    registers: tuple[int, InspectionRegisters] | None = None
    inputs: tuple[int, InspectionInputs] | None = None
    statement: tuple[int, InspectionStatement] | None = None


def verify_inspection(
    data: bytes, *, rulebook: Rulebook, network: str | None = None, log_keys: Sequence[PublicKey] = ()
) -> Inspected:
    """Verify a file.

    Args:
        data: the file.
        rulebook: tells how bodies are read.
        network: the network id from a source other than the file; without it a forged network passes.
        log_keys: further public keys of the log, after a rotation.

    Raises:
        InspectionFault: at the first thing that does not hold.
    """
    file = _sorted(data)
    checkpoint = _checkpoint(file.head, network, log_keys)
    proven = dict(_proven(line, each, checkpoint, file.head.network, rulebook) for line, each in file.transactions)
    if file.registers is None or file.inputs is None or file.statement is None:
        raise InspectionFault(1, "expected registers, inputs and a statement in the file")
    line, inputs = file.inputs
    for key, lot in inputs.lots.items():
        _check_lot(line, key, lot, proven)
    for key, claim in inputs.claims.items():
        _check_claim(line, key, claim, proven)
    for key, sale in inputs.facts.attested.items():
        _check_attested(line, key, sale, proven)
    for key, decisions in inputs.facts.decisions.items():
        for decision in decisions:
            _check_decision(line, key, decision, proven)
    _check_registers(*file.registers)
    _check_statement(*file.statement, file.head, inputs)
    statement = file.statement[1].statement
    return Inspected(
        network=file.head.network,
        is_network_pinned=network is not None,
        size=checkpoint.size,
        miner=file.head.miner,
        coin=file.head.coin,
        as_of=file.head.as_of,
        transactions=len(proven),
        lots=len(inputs.lots),
        claims=len(inputs.claims),
        attested=len(inputs.facts.attested),
        obligation=statement.obligation,
        counted=statement.counted,
        shortfall=statement.shortfall,
        inputs=statement.inputs,
    )


def _sorted(data: bytes) -> _File:
    """The parts of a file, each once and in its order."""
    lines = read_inspection(data)
    _, head = next(lines, (0, None))
    if not isinstance(head, InspectionHead):
        raise InspectionFault(1, "expected the head of an inspection")
    file = _File(head)
    for number, line in lines:
        match line:
            case ProvenTransaction() if file.registers is None:
                file.transactions.append((number, line))
            case InspectionRegisters() if file.registers is None:
                file.registers = number, line
            case InspectionInputs() if file.registers is not None and file.inputs is None:
                file.inputs = number, line
            case InspectionStatement() if file.inputs is not None and file.statement is None:
                file.statement = number, line
            case _:
                raise InspectionFault(number, f"expected no {type(line).__name__} here")
    return file


def _checkpoint(head: InspectionHead, network: str | None, log_keys: Sequence[PublicKey]) -> Checkpoint:
    """(1) The checkpoint, signed by the log of the network."""
    try:
        document = b64url_decode(head.genesis)
        expected = network_id(document)
        keys = (PublicKey.from_x(read_genesis(document).log_key), *log_keys)
    except (ValueError, InvalidGenesis, InvalidKey) as error:
        raise InspectionFault(1, f"expected a genesis document: {error}") from error
    if head.network != expected:
        raise InspectionFault(1, f"expected the network of the genesis document, {expected}, got {head.network}")
    if network is not None and network != expected:
        raise InspectionFault(1, f"expected network {network}, got {expected}")
    text = "\n".join(head.checkpoint)
    fault = ""
    for key in keys:
        try:
            return verify_checkpoint(text, origin=origin_of(expected), key=key)
        except InvalidNote as error:
            fault = str(error)
    raise InspectionFault(1, fault)


def _proven(
    number: int, line: ProvenTransaction, checkpoint: Checkpoint, network: str, rulebook: Rulebook
) -> tuple[str, _Proven]:
    """(2) The transaction id and the transaction, which its leaves name and the log holds."""
    try:
        transaction, author = authored(bytes(line.submission), rulebook)
        leaves = tuple(_leaf(each.leaf, each.path, checkpoint) for each in line.leaves)
    except (ValueError, InvalidProof) as error:
        raise InspectionFault(number, str(error)) from error
    if transaction.network != network:
        raise InspectionFault(number, f"expected a transaction of {network}, got one of {transaction.network}")
    if not leaves:
        raise InspectionFault(number, "expected a leaf of the transaction")
    for leaf in leaves:
        named = (leaf.transaction, leaf.authorised_by, leaf.kind)
        if named != (author.transaction, author.authorised_by, author.kind):
            raise InspectionFault(number, f"leaf {leaf.sequence} is of another transaction, kind or signatures")
    return author.transaction, _Proven(transaction, leaves)


def _leaf(text: str, path: Sequence[str], checkpoint: Checkpoint) -> EntryLeaf | RecordLeaf:
    leaf = canonical.decode(text.encode(), Leaf)
    if not isinstance(leaf, EntryLeaf | RecordLeaf):
        raise NotCanonical(f"expected the leaf of what was accepted, got a {type(leaf).__name__}")
    hashes = [b64url_decode(each, length=HASH_BYTES) for each in path]
    verify_inclusion(leaf_hash(text.encode()), leaf.sequence, checkpoint.size, hashes, checkpoint.root)
    return leaf


def _check_lot(line: int, key: str, lot: ProductionLot, proven: Mapping[str, _Proven]) -> None:
    """(3) A row of a report or a correction by the pool says what the lot says."""
    pool, report, number, *_ = (*key.split("/"), "", "")
    says = (lot.miner, lot.coin, lot.quantity, lot.distributed_us, lot.licence, lot.receipt_value)
    rows = _rows(proven, pool, report, number)
    if not any(
        says == (row.miner, row.coin, row.quantity, row.distributed_us, row.licence, row.receipt_value) for row in rows
    ):
        raise InspectionFault(line, f"no proven report of {pool} has lot {key}")


def _rows(proven: Mapping[str, _Proven], pool: str, report: str, number: str) -> Iterator[ProductionRow]:
    for each in proven.values():
        transaction = each.transaction
        if transaction.participant != pool or transaction.kind not in PRODUCTION_KINDS:
            continue
        named = transaction.body.sequence if transaction.kind == "production_report" else transaction.body.report
        if str(named) == report:
            yield from (row for row in transaction.body.rows if str(row.row) == number)


def _check_claim(line: int, key: str, claim: QuotaClaim, proven: Mapping[str, _Proven]) -> None:
    """(3) The transaction that the claim names settled that trade of that exchange, with that quantity."""
    exchange, _, trade = key.partition("/")
    found = proven.get(claim.transaction)
    if found is None or found.transaction.participant != exchange or not _settles(found, trade, claim):
        raise InspectionFault(line, f"no proven sale of {exchange} is claim {key}")


def _settles(found: _Proven, trade: str, claim: QuotaClaim) -> bool:
    body = found.transaction.body
    credited = {
        posting.amount
        for leaf in found.leaves
        if isinstance(leaf, EntryLeaf)
        for posting in leaf.postings
        if posting.side is Side.CREDIT and posting.asset.partition(":")[0] == claim.coin
    }
    match found.transaction.kind:
        case "dvp_settle":
            is_said = (body.trade, body.coin, body.quantity, body.price, body.executed_us) == (
                trade,
                claim.coin,
                claim.quantity,
                claim.price,
                claim.executed_us,
            )
        case "dvp_complete":
            is_said = body.trade == trade
        case "dvp_batch":
            is_said = trade in body.trades
        case _:
            is_said = False
    return is_said and claim.quantity in credited


def _check_attested(line: int, key: str, sale: AttestedSale, proven: Mapping[str, _Proven]) -> None:
    exchange, _, trade = key.partition("/")
    found = proven.get(sale.transaction)
    if found is not None and found.transaction.kind == "sale_attest" and found.transaction.participant == exchange:
        body = found.transaction.body
        said = (body.trade, body.miner, body.coin, body.quantity, body.price, body.executed_us)
        if said == (trade, sale.miner, sale.coin, sale.quantity, sale.price, sale.executed_us):
            return
    raise InspectionFault(line, f"no proven attestation of {exchange} is sale {key}")


def _check_decision(line: int, key: str, decision: ClaimDecision, proven: Mapping[str, _Proven]) -> None:
    found = proven.get(decision.transaction)
    if found is not None and found.transaction.kind == "claim_decide" and found.transaction.participant == decision.by:
        body = found.transaction.body
        if (body.claim, body.verdict, body.order) == (key, decision.verdict, decision.order):
            return
    raise InspectionFault(line, f"no proven decision of {decision.by} is that on {key}")


def _check_registers(line: int, registers: InspectionRegisters) -> None:
    """(4) The digest of the registers is that of their rows."""
    snapshot = registers.snapshot
    content = encode([snapshot.as_of_us, [row.digest for row in snapshot.rows]])
    expected = b64url(tagged("register-snapshot", content))
    if snapshot.digest != expected:
        raise InspectionFault(line, f"expected registers of digest {expected}, got {snapshot.digest}")


def _check_statement(line: int, given: InspectionStatement, head: InspectionHead, inputs: InspectionInputs) -> None:
    """(5) The statement is what the inputs come to."""
    made = quota_statement(
        inputs.policies,
        inputs.lots,
        inputs.claims,
        miner=ParticipantId(head.miner),
        coin=head.coin,
        as_of=head.as_of,
        facts=inputs.facts,
    )
    if made != given.statement:
        raise InspectionFault(
            line,
            f"expected the statement of inputs {made.inputs} with a shortfall of {made.shortfall}, "
            f"got {given.statement.inputs}, {given.statement.shortfall}",
        )
