"""Receipts: what each proves offline, and that nothing in one can be changed unseen."""

import random
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.merkle import BlockProver, CompactRange, inclusion_proof, leaf_hash, range_proof, verify_inclusion
from ledger.crypto.note import TlogProof, format_proof, parse_proof
from ledger.log.block import LEAF_HASH_BYTES
from ledger.log.bulk_receipts import RangeReader, leaf_receipts, single_proof, verify_leaf
from ledger.log.group import origin_of
from ledger.log.receipt_maker import LEAVES_INLINE_MAX, ReceiptMaker
from ledger.log.receipts import (
    InvalidReceipt,
    LeafProof,
    Receipt,
    authored,
    bulk_leaves,
    canonical_kind,
    verify_receipt,
)
from ledger.model.journal import BlockLeaf, EntryLeaf, RefusalLeaf, Side
from ledger.rules.rulebook import Rulebook
from tests.book import key_of
from tests.log.node import A_ONE, A_OWN, A_TWO, B_ONE, populate
from tests.log.scribe import Scribe, decided_otherwise
from tests.rules.bodies import bulk, entry, pay

MANY: Final = LEAVES_INLINE_MAX + 4
FLIPS: Final = 12
"""Characters changed in each text of a receipt, one at a time."""

Case = tuple[bytes, Receipt]


@pytest.fixture(scope="module")
def scribe() -> Scribe:
    made = Scribe()
    populate(made)
    return made


@pytest.fixture(scope="module")
def cases(scribe: Scribe) -> dict[str, Case]:
    """One receipt of each sort."""
    lines = [(A_OWN if number % 7 else A_TWO, A_ONE, 10**7 if number % 7 == 0 else 1) for number in range(MANY)]
    good = [(A_OWN, A_ONE, number + 1) for number in range(MANY)]
    return {
        "payment": scribe.receipt("transfer", pay(A_OWN, A_ONE, 5), by="bank-a"),
        "refusal": scribe.receipt("transfer", pay(A_TWO, A_ONE, 10**9), by="bank-a"),
        "entry": scribe.receipt("journal_entry", entry((Side.DEBIT, A_OWN, 3), (Side.CREDIT, B_ONE, 3)), by="bank-a"),
        "record": scribe.receipt("day_close", _day_close(), by="operator"),
        "issue": scribe.receipt("issue", _issue(), by="bank-a", signers=("bank-a-1", "issuer-1", "issuer-2")),
        "atomic bulk": scribe.receipt("bulk_transfer", bulk(*good), by="bank-a"),
        "independent bulk": scribe.receipt("bulk_transfer", bulk(*lines, is_atomic=False), by="bank-a"),
        "small bulk": scribe.receipt("bulk_transfer", bulk(*lines[:9], is_atomic=False), by="bank-a"),
        "refused bulk": scribe.receipt("bulk_transfer", bulk(*good, (A_TWO, A_ONE, 10**9)), by="bank-a"),
        "bulk of one refused line": scribe.receipt(
            "bulk_transfer", bulk((A_TWO, A_ONE, 10**9), is_atomic=False), by="bank-a"
        ),
    }


def _day_close() -> Any:
    from ledger.rules.day_close import DayClose
    from ledger.units import BusinessDate

    return DayClose(closes=BusinessDate("2024-12-24"), opens=BusinessDate("2024-12-25"))


def _issue() -> Any:
    from ledger.rules.issuance import Issue

    return Issue(account=A_OWN, amount=10, reserve_payment="RTGS-77")


SORTS: Final = (
    "payment",
    "refusal",
    "entry",
    "record",
    "issue",
    "atomic bulk",
    "independent bulk",
    "small bulk",
    "refused bulk",
    "bulk of one refused line",
)


def proven(scribe: Scribe, receipt: Receipt, submission: bytes | None) -> tuple[bytes, ...]:
    leaves, checkpoint = verify_receipt(
        receipt,
        origin=origin_of(scribe.network),
        log_key=key_of("log").public,
        submission=submission,
        rulebook=scribe.rulebook,
    )
    assert checkpoint.size == scribe.blocks[receipt.height].size
    return leaves


def fault(scribe: Scribe, receipt: Receipt, submission: bytes | None) -> str:
    with pytest.raises(InvalidReceipt) as caught:
        proven(scribe, receipt, submission)
    return str(caught.value)


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
    from ledger.log.group import decide_group
    from ledger.log.outcomes import KeptOutcome
    from ledger.units import TimestampUs

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


@pytest.mark.parametrize("sort", ["atomic bulk", "independent bulk"])
def test_each_line_of_a_bulk_has_a_proof_of_its_own_that_shows_no_other(
    scribe: Scribe, cases: dict[str, Case], sort: str
) -> None:
    submission, receipt = cases[sort]
    leaves = proven(scribe, receipt, submission)
    assert bulk_leaves(receipt, submission, scribe.rulebook) == list(leaves)
    proofs = leaf_receipts(receipt, submission, scribe.rulebook)
    assert len(proofs) == MANY
    for line, proof in enumerate(proofs):
        leaf, checkpoint = verify_leaf(proof, origin=origin_of(scribe.network), log_key=key_of("log").public)
        assert isinstance(leaf, EntryLeaf | RefusalLeaf)
        assert leaf.line == line
        assert checkpoint.size == scribe.blocks[receipt.height].size
        assert proof.leaf.encode() == leaves[line]
        assert all(other.decode() not in proof.proof for other in leaves)
    assert single_proof(receipt, submission, 3, scribe.rulebook) == proofs[3]


def test_a_receipt_that_spells_its_leaves_out_gives_them_away_one_by_one(
    scribe: Scribe, cases: dict[str, Case]
) -> None:
    submission, receipt = cases["small bulk"]
    assert single_proof(receipt, submission, 2, scribe.rulebook) == receipt.leaves[2]
    for line in (-1, receipt.leaf_count):
        with pytest.raises(ValueError, match=f"expected a line from 0 to {receipt.leaf_count - 1}"):
            single_proof(receipt, submission, line, scribe.rulebook)
    with pytest.raises(ValueError, match="receipt of a bulk"):
        leaf_receipts(receipt, submission, scribe.rulebook)


def test_a_proof_of_one_line_that_was_changed_proves_nothing(scribe: Scribe, cases: dict[str, Case]) -> None:
    submission, receipt = cases["atomic bulk"]
    options: dict[str, Any] = {"origin": origin_of(scribe.network), "log_key": key_of("log").public}
    one, two = leaf_receipts(receipt, submission, scribe.rulebook)[:2]
    for proof in (
        LeafProof(leaf=two.leaf, proof=one.proof),
        LeafProof(leaf=one.leaf, proof=two.proof),
        LeafProof(leaf=one.leaf.replace("KZT", "KZX"), proof=one.proof),
        LeafProof(leaf=one.leaf, proof=one.proof[:-5]),
        LeafProof(leaf="{}", proof=one.proof),
    ):
        with pytest.raises(InvalidReceipt):
            verify_leaf(proof, **options)


def test_a_leaf_that_names_another_place_than_its_own_is_not_believed(scribe: Scribe) -> None:
    """A log that numbers its leaves wrongly, and proves them all the same."""
    from ledger.crypto.note import Checkpoint, sign_checkpoint

    leaf = canonical.encode(
        BlockLeaf(v=1, sequence=5, salt="A" * 22, height=0, epoch=1, time_us=1, rulebook=1)  # type: ignore[arg-type]
    )
    prover = BlockProver(CompactRange(), [leaf_hash(leaf)])
    checkpoint = sign_checkpoint(Checkpoint(origin_of(scribe.network), 1, prover.after.root()), key_of("log"))
    proof = LeafProof(leaf=leaf.decode(), proof=format_proof(TlogProof(0, (), checkpoint)))
    with pytest.raises(InvalidReceipt, match="expected the leaf with sequence 0, got 5"):
        verify_leaf(proof, origin=origin_of(scribe.network), log_key=key_of("log").public)


@given(data=st.data())
def test_a_range_proof_holds_every_path_of_its_leaves(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first + 1, size))
    hashes = [leaf_hash(index.to_bytes(8)) for index in range(size)]
    tree = BlockProver(CompactRange(), hashes)
    reader = RangeReader(hashes[first:last], first, size, range_proof(tree, first, last, size))
    for index in range(first, last):
        path = inclusion_proof(reader, index, size)
        assert path == tree.path(index)
        verify_inclusion(hashes[index], index, size, path, tree.after.root())


def test_a_range_proof_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a range proof of 1 hashes, got 0"):
        RangeReader([bytes(32)], 0, 2, ())


def test_what_is_no_submission_is_said_to_be_none(scribe: Scribe) -> None:
    with pytest.raises(ValueError, match="no transaction"):
        canonical_kind(b"[]")
    raw = scribe.signed("transfer", pay(A_OWN, A_ONE, 5), by="bank-a")
    with pytest.raises(ValueError, match="kind that this rulebook does not have"):
        authored(raw, Rulebook(1, []))


def test_many_leaves_that_do_not_follow_from_the_transaction_are_spelled_out(scribe: Scribe) -> None:
    """A kind whose postings the rules compute: no client could derive its leaves."""
    from dataclasses import replace

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
