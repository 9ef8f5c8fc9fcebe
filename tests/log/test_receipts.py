"""Receipts: what each proves offline, and that nothing in one can be changed unseen."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ledger.crypto import canonical
from ledger.crypto.merkle import BlockProver, CompactRange, leaf_hash
from ledger.crypto.note import TlogProof, format_proof, parse_proof
from ledger.log.block import LEAF_HASH_BYTES
from ledger.log.group import decide_group, origin_of
from ledger.log.outcomes import KeptOutcome
from ledger.log.receipt_maker import ReceiptMaker
from ledger.log.receipts import (
    InvalidReceipt,
    LeafProof,
    Receipt,
    authored,
    canonical_kind,
    verify_receipt,
)
from ledger.rules.rulebook import Rulebook
from ledger.units import TimestampUs
from tests.book import key_of
from tests.log.node import A_ONE, A_OWN, A_TWO, populate
from tests.log.receipt_cases import FLIPS, MANY, SORTS, Case, fault, proven
from tests.log.scribe import Scribe, decided_otherwise
from tests.rules.bodies import bulk, pay


@pytest.mark.parametrize("sort", SORTS)
def test_a_receipt_proves_its_leaves_offline(scribe: Scribe, cases: dict[str, Case], sort: str) -> None:
    submission, receipt = cases[sort]
    leaves = proven(scribe, receipt, submission)
    assert len(leaves) == receipt.leaf_count
    hashes = b"".join(map(leaf_hash, leaves))
    start = (receipt.sequence - scribe.blocks[receipt.height].first_sequence) * LEAF_HASH_BYTES
    assert scribe.blocks[receipt.height].leaf_hashes[start : start + len(hashes)] == hashes
    if receipt.bulk is None:
        assert proven(scribe, receipt, None) == leaves


def test_outcome_code_and_line_are_those_decided(cases: dict[str, Case]) -> None:
    told = {sort: (receipt.outcome, receipt.code, receipt.line) for sort, (_, receipt) in cases.items()}
    refused = {
        "refusal": ("refused", "insufficient_funds", None),
        "refused bulk": ("refused", "insufficient_funds", MANY),
        "bulk of one refused line": ("refused", "insufficient_funds", None),
    }
    assert told == dict.fromkeys(SORTS, ("accepted", None, None)) | refused
    independent = cases["independent bulk"][1].bulk
    assert independent is not None
    assert independent.refused_lines == dict.fromkeys(("0", "7", "14"), "insufficient_funds")


@pytest.mark.parametrize("sort", SORTS)
def test_a_receipt_read_back_from_the_store_is_the_same(scribe: Scribe, cases: dict[str, Case], sort: str) -> None:
    _, receipt = cases[sort]
    again = ReceiptMaker.of_block(scribe.network, scribe.blocks[receipt.height], scribe.replay.rulebooks)
    assert canonical.encode(again.of_submission(0)) == canonical.encode(receipt)
    with pytest.raises(IndexError, match="1 submissions"):
        again.of_submission(1)


def test_a_block_of_rules_nobody_has_has_no_receipts(scribe: Scribe, cases: dict[str, Case]) -> None:
    block = scribe.blocks[cases["payment"][1].height]
    with pytest.raises(AssertionError, match="block"):
        ReceiptMaker.of_block(scribe.network, block, {2: Rulebook(2, scribe.rulebook.modules)})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything in a tree of builtins, with the way to it."""
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from places(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from places(member, (*path, index))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the tree with another value at one place."""
    copy = msgspec.json.decode(msgspec.json.encode(tree))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


def tampered(tree: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The tree with one thing changed, in many ways."""
    choice = random.SystemRandom()
    for path, value in places(tree):
        if not path:
            continue
        if isinstance(value, str):
            positions = choice.sample(range(len(value)), min(FLIPS, len(value)))
            for at in positions:
                other = choice.choice([each for each in "Ab0_-z1 \n" if each != value[at]])
                yield path, changed(tree, path, value[:at] + other + value[at + 1 :])
            yield path, changed(tree, path, value + "A")
            yield path, changed(tree, path, value[:-1])
        elif isinstance(value, int):
            yield path, changed(tree, path, value + 1)
            yield path, changed(tree, path, value - 1)
        elif isinstance(value, list) and value:
            yield path, changed(tree, path, value[:-1])
            yield path, changed(tree, path, value[1:])
            yield path, changed(tree, path, [*value, value[-1]])
        elif isinstance(value, dict):
            yield path, changed(tree, path, {**value, "9": "insufficient_funds"})


@pytest.mark.parametrize("sort", SORTS)
def test_nothing_in_a_receipt_can_be_changed_unseen(scribe: Scribe, cases: dict[str, Case], sort: str) -> None:
    submission, receipt = cases[sort]
    tree = msgspec.json.decode(msgspec.json.encode(receipt))
    count = 0
    for path, other in tampered(tree):
        count += 1
        try:
            read = msgspec.json.decode(msgspec.json.encode(other), type=Receipt)
        except msgspec.MsgspecError:
            continue
        try:
            proven(scribe, read, submission)
        except InvalidReceipt:
            continue
        pytest.fail(f"changed at {path} unseen: {other}")
    assert count > 50


@pytest.mark.parametrize("sort", SORTS)
def test_optional_members_put_in_or_left_out_are_seen(scribe: Scribe, cases: dict[str, Case], sort: str) -> None:
    submission, receipt = cases[sort]
    replace = msgspec.structs.replace
    others = cases["payment" if sort != "payment" else "entry"][1]
    for other in (
        replace(receipt, code="insufficient_funds" if receipt.code is None else None),
        replace(receipt, outcome="refused" if receipt.outcome == "accepted" else "accepted"),
        replace(receipt, line=0 if receipt.line is None else None),
        replace(receipt, leaves=others.leaves),
        replace(receipt, leaves=(), bulk=None),
        replace(receipt, block=others.block),
        replace(receipt, leaf_count=0, leaves=(), bulk=None),
    ):
        fault(scribe, other, submission)


def test_a_receipt_is_for_one_submission_and_no_other(scribe: Scribe, cases: dict[str, Case]) -> None:
    payment, receipt = cases["payment"]
    assert fault(scribe, receipt, cases["refusal"][0]).startswith("step 2: expected a receipt for bank-a")
    assert "step 1" in fault(scribe, cases["atomic bulk"][1], None)
    assert "no transaction" in fault(scribe, receipt, b"{}") or fault(scribe, receipt, b"{}")
    again = scribe.sign(scribe.open(payment).transaction, [key_of("bank-a-2")])
    assert "other signatures" in fault(scribe, receipt, again)


def test_a_receipt_of_another_log_or_under_another_key_proves_nothing(scribe: Scribe, cases: dict[str, Case]) -> None:
    submission, receipt = cases["payment"]
    options: dict[str, Any] = {"submission": submission, "rulebook": scribe.rulebook}
    with pytest.raises(InvalidReceipt, match="expected a receipt of the log"):
        verify_receipt(receipt, origin="digital-tenge/other:x", log_key=key_of("log").public, **options)
    with pytest.raises(InvalidReceipt, match="expected a signature by key"):
        verify_receipt(receipt, origin=origin_of(scribe.network), log_key=key_of("log-2").public, **options)


def test_leaves_left_out_at_either_end_are_seen(scribe: Scribe, cases: dict[str, Case]) -> None:
    submission, receipt = cases["small bulk"]
    replace = msgspec.structs.replace
    front = replace(
        receipt, leaves=receipt.leaves[1:], sequence=receipt.sequence + 1, leaf_count=receipt.leaf_count - 1
    )
    assert "line 0" in fault(scribe, front, None)
    back = replace(receipt, leaves=receipt.leaves[:-1], leaf_count=receipt.leaf_count - 1)
    assert "do not post what was signed" in fault(scribe, back, submission)


def test_leaves_of_other_sorts_are_no_outcome(scribe: Scribe, cases: dict[str, Case]) -> None:
    _, receipt = cases["payment"]
    block = scribe.blocks[receipt.height]
    hashes = [block.leaf_hashes[at : at + 32] for at in range(0, len(block.leaf_hashes), 32)]
    prover = BlockProver(CompactRange.from_bytes(block.before), hashes)
    closing = block.size - 1
    proof = format_proof(TlogProof(closing, prover.path(closing), block.checkpoint))
    leaf = LeafProof(leaf=receipt.block.leaf, proof=proof)
    other = msgspec.structs.replace(receipt, leaves=(leaf,), sequence=closing)
    assert "of type BlockLeaf" in fault(scribe, other, None)
    as_block = msgspec.structs.replace(receipt.block, leaf=receipt.leaves[0].leaf)
    assert "step 5" in fault(scribe, msgspec.structs.replace(receipt, block=as_block), None)


def test_what_nothing_vouches_for_is_not_let_through(scribe: Scribe, cases: dict[str, Case]) -> None:
    _, receipt = cases["small bulk"]
    first, second, *rest = receipt.leaves
    parsed = parse_proof(second.proof)
    extra = msgspec.structs.replace(
        second, proof=format_proof(TlogProof(parsed.index, parsed.path, parsed.checkpoint_text, b"extra"))
    )
    assert "nothing else" in fault(scribe, msgspec.structs.replace(receipt, leaves=(first, extra, *rest)), None)
    newer = scribe.blocks[-1].checkpoint
    other = msgspec.structs.replace(second, proof=format_proof(TlogProof(parsed.index, parsed.path, newer)))
    assert "another checkpoint" in fault(scribe, msgspec.structs.replace(receipt, leaves=(first, other, *rest)), None)


def test_refused_lines_are_written_in_one_way(scribe: Scribe, cases: dict[str, Case]) -> None:
    submission, receipt = cases["independent bulk"]
    assert receipt.bulk is not None
    for line in ("00", " 0", "-1", "x", "²", str(MANY)):
        lines = {line: "insufficient_funds", "7": "insufficient_funds", "14": "insufficient_funds"}
        other = msgspec.structs.replace(receipt, bulk=msgspec.structs.replace(receipt.bulk, refused_lines=lines))
        assert "refused lines from 0" in fault(scribe, other, submission)


def test_a_ledger_that_posts_something_else_than_was_signed_is_found_out_by_the_sender() -> None:
    scribe = Scribe()
    populate(scribe)
    raw = scribe.signed("transfer", pay(A_OWN, A_ONE, 5), by="bank-a")
    group = decide_group(
        scribe.rules, scribe.state, scribe.replay.position, [scribe.open(raw)], TimestampUs(scribe.time_us + 1)
    )
    other = pay(A_OWN, A_TWO, 5)
    entries = scribe.rulebook.kinds["transfer"].entries
    assert entries is not None
    decided_otherwise(KeptOutcome(postings=tuple(each.postings for each in entries(other))))(group)
    receipt = scribe.receipts(scribe.seal(group))[0]
    proven(scribe, receipt, None)
    assert "do not post what was signed" in fault(scribe, receipt, raw)


def test_what_is_no_submission_is_said_to_be_none(scribe: Scribe) -> None:
    with pytest.raises(ValueError, match="no transaction"):
        canonical_kind(b"[]")
    raw = scribe.signed("transfer", pay(A_OWN, A_ONE, 5), by="bank-a")
    with pytest.raises(ValueError, match="kind that this rulebook does not have"):
        authored(raw, Rulebook(1, []))


def test_many_leaves_that_do_not_follow_from_the_transaction_are_spelled_out(scribe: Scribe) -> None:
    """A kind whose postings the rules compute: no client could derive its leaves."""
    kinds = scribe.rulebook.kinds
    computed = Rulebook(
        1,
        [
            replace(
                module,
                kinds=tuple(
                    replace(kind, entries=None) if kind is kinds["bulk_transfer"] else kind for kind in module.kinds
                ),
            )
            for module in scribe.rulebook.modules
        ],
    )
    other = Scribe(computed)
    populate(other)
    body = bulk(*[(A_OWN, A_ONE, 1)] * MANY)
    submission, receipt = other.receipt("bulk_transfer", body, by="bank-a")
    assert receipt.bulk is None
    assert len(receipt.leaves) == MANY
    proven(other, receipt, submission)
