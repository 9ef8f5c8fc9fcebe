"""Export and offline verification: whatever is changed, dropped, moved or forged is found, and its place is named."""

import io
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import pytest

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from ledger.crypto.note import Checkpoint, sign_checkpoint
from ledger.log import group as group_module
from ledger.log import verify as verify_module
from ledger.log.block import Block, BlockBody, decode_body, encode_body
from ledger.log.group import Group, decide_group
from ledger.log.outcomes import KeptOutcome, encode_outcome
from ledger.log.verify import Report, VerificationFault, verify_export
from ledger.model.journal import Posting, Side
from ledger.model.participants import Role
from ledger.model.transactions import SignedTransaction
from ledger.rules.core import CORE_MODULES
from ledger.rules.day_close import DayClose, RulebookSet
from ledger.rules.invariants import InvariantBroken
from ledger.rules.keys import LogKeyRotate
from ledger.rules.module import Proposal, Submitted
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES
from ledger.state import View
from ledger.units import BusinessDate, TimestampUs
from tests.book import CORE_RULEBOOK, genesis_document, key_of
from tests.log.node import A_ONE, A_OWN, A_TWO, B_ONE, log_keyring, populate, size_of
from tests.log.scribe import Scribe, decided_otherwise, export_of
from tests.rules.bodies import bulk, entry, pay

FLIPS: Final = int(os.environ.get("TENGE_FLIPS", "500"))
"""Bytes of the export that are changed, one at a time; at random, and all of them if there are no more."""

RULEBOOKS = {1: CORE_RULEBOOK}


@pytest.fixture(scope="module")
def small() -> Scribe:
    """Genesis, a bank admitted, its account opened, money issued, a payment refused, a day closed."""
    scribe = Scribe()
    scribe.admit("bank-a", Role.INTERMEDIARY, "601")
    scribe.open_account("bank-a", A_OWN, account_class="own")
    scribe.issue("bank-a", A_OWN, 1_000)
    assert scribe.pay("bank-a", A_OWN, A_ONE, 1) == "credit_account_not_found"
    scribe.close_day("2024-12-25")
    return scribe


@pytest.fixture
def pilot() -> Scribe:
    scribe = Scribe()
    populate(scribe)
    return scribe


def verified(export: bytes, **options: Any) -> Report:
    options.setdefault("rulebooks", RULEBOOKS)
    return verify_export(io.BytesIO(export), **options)


def fault_in(export: bytes, **options: Any) -> str:
    """The fault that verification must find."""
    with pytest.raises(VerificationFault) as caught:
        verified(export, **options)
    return str(caught.value)


def test_an_honest_export_holds_and_says_what_is_in_it(small: Scribe) -> None:
    report = verified(small.export(), network=small.network)
    assert report.blocks == len(small.blocks) == 6
    assert report.transactions == 5
    assert report.leaves == size_of(report.checkpoint) == small.blocks[-1].size
    assert report.supply == {"KZT": 1_000}
    assert report.business_date == "2024-12-25"
    assert report.is_network_pinned
    assert not verified(small.export()).is_network_pinned


def test_progress_is_told_after_each_block_in_bytes_and_leaves(small: Scribe) -> None:
    told: list[tuple[int, int]] = []
    export = small.export()
    verified(export, progress=lambda read, leaves: told.append((read, leaves)))
    lines = export.splitlines(keepends=True)
    assert [leaves for _, leaves in told] == [block.size for block in small.blocks]
    assert told[-1][0] == sum(map(len, lines[1:-1]))


def test_any_single_byte_changed_is_found(small: Scribe) -> None:
    export = small.export()
    choice = random.SystemRandom()
    for place in choice.sample(range(len(export)), min(FLIPS, len(export))):
        changed = bytearray(export)
        changed[place] ^= choice.randrange(1, 256)
        fault = fault_in(bytes(changed))
        assert fault.startswith(("line ", "block ")), f"byte {place}: {fault}"


def test_a_byte_left_out_or_put_in_is_found(small: Scribe) -> None:
    export = small.export()
    choice = random.SystemRandom()
    for place in choice.sample(range(len(export)), 300):
        fault_in(export[:place] + export[place + 1 :])
        fault_in(export[:place] + bytes([choice.randrange(256)]) + export[place:])


def test_a_tail_dropped_at_any_line_is_found(small: Scribe) -> None:
    lines = small.export().splitlines(keepends=True)
    for kept in range(len(lines)):
        assert f"line {max(kept + 1, 1)}" in fault_in(b"".join(lines[:kept]))


def test_an_export_that_ends_early_and_says_so_is_found_by_a_checkpoint_seen_before(small: Scribe) -> None:
    for kept in range(1, len(small.blocks)):
        cut = export_of(small.document, small.blocks[:kept])
        assert verified(cut).blocks == kept
        for seen in small.blocks[kept:]:
            assert "tail was dropped" in fault_in(cut, at_least=seen.checkpoint)
        for seen in small.blocks[:kept]:
            assert verified(cut, at_least=seen.checkpoint).blocks == kept


def test_an_export_without_a_genesis_block_is_none() -> None:
    assert "genesis block" in fault_in(export_of(genesis_document(), []))


def test_a_checkpoint_between_two_blocks_a_forged_one_and_one_of_another_history_are_told_apart(
    pilot: Scribe,
) -> None:
    export = pilot.export()
    size = pilot.blocks[3].size
    other = Checkpoint(pilot.replay.origin, size, bytes(32))
    assert "two histories" in fault_in(export, at_least=sign_checkpoint(other, key_of("log")))
    assert "given checkpoint" in fault_in(export, at_least=sign_checkpoint(other, key_of("bank-a-1")))
    assert "given checkpoint" in fault_in(export, at_least="not a checkpoint")
    pilot.write(pilot.signed("bulk_transfer", bulk((A_OWN, A_ONE, 1), (A_OWN, A_TWO, 1)), by="bank-a"))
    inside = Checkpoint(pilot.replay.origin, pilot.blocks[-1].size - 1, bytes(32))
    assert "no block that ends at leaf" in fault_in(pilot.export(), at_least=sign_checkpoint(inside, key_of("log")))
    fork = Scribe()
    populate(fork, amount=99)
    fork.close_day("2024-12-25")
    seen = fork.blocks[len(pilot.blocks) - 2].checkpoint
    if size_of(seen) in {block.size for block in pilot.blocks}:
        assert "two histories" in fault_in(pilot.export(), at_least=seen)


def test_the_network_is_the_one_asked_for(small: Scribe) -> None:
    export = small.export()
    assert "expected network other" in fault_in(export, network="other:" + "A" * 43)
    other = Scribe(document=genesis_document(cap_per_day=1))
    head = other.export().splitlines(keepends=True)[0]
    mixed = head + b"".join(export.splitlines(keepends=True)[1:])
    assert fault_in(mixed).startswith("block 0")
    named = export.replace(small.network.encode(), other.network.encode(), 1)
    assert fault_in(named).startswith("line 1")


def test_blocks_swapped_doubled_or_left_out_are_found(small: Scribe) -> None:
    lines = small.export().splitlines(keepends=True)
    for place in range(1, len(lines) - 2):
        swapped = [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
        assert fault_in(b"".join(swapped)).startswith(f"block {place - 1}")
        doubled = [*lines[: place + 1], *lines[place:]]
        assert fault_in(b"".join(doubled)).startswith(f"block {place}")
        left_out = [*lines[:place], *lines[place + 1 :]]
        assert fault_in(b"".join(left_out)).startswith(f"block {place - 1}")


def test_what_follows_the_end_and_lines_of_other_sorts_are_found(small: Scribe) -> None:
    export = small.export()
    lines = export.splitlines(keepends=True)
    assert "nothing after the end" in fault_in(export + lines[-1])
    assert "cannot be read" in fault_in(lines[0] + lines[0])
    assert "cannot be read" in fault_in(b"\xff\n")
    assert "cannot be read" in fault_in(b"")
    assert "cannot be read" in fault_in(lines[0] + b"[" * 100_000 + b"\n")
    assert "canonical" in fault_in(lines[0] + lines[1].replace(b":", b": ", 1))
    assert "canonical" in fault_in(export[:-1])


def edited(export: bytes, number: int, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """An export in which one line was changed and written anew, so that the file itself is well-formed."""
    lines = export.splitlines(keepends=True)
    line = msgspec.json.decode(lines[number])
    edit(line)
    lines[number] = msgspec.json.Encoder(order="sorted").encode(line) + b"\n"
    return b"".join(lines)


EDITS: Sequence[tuple[str, str, Callable[[dict[str, Any]], None]]] = (
    ("height", "expected block 3, got block 4", lambda line: line.update(height=4)),
    ("epoch", "block 3, leaf 7", lambda line: line.update(epoch=2)),
    ("epoch back", "expected an epoch of at least", lambda line: line.update(epoch=0)),
    ("time", "block 3, leaf 7", lambda line: line.update(time_us=line["time_us"] + 1)),
    ("time back", "expected a time above", lambda line: line.update(time_us=1)),
    ("salts", "block 3, leaf 6", lambda line: line.update(salts="B" + line["salts"][1:])),
    ("salts cut", "a salt for each", lambda line: line.update(salts="AAAA")),
    ("salts no base64url", "line 5", lambda line: line.update(salts="=")),
    ("hashes cut", "a salt for each", lambda line: line.update(leaf_hashes="AAAA")),
    ("hashes", "block 3, leaf 6", lambda line: line.update(leaf_hashes="A" + line["leaf_hashes"][1:])),
    ("outcome left out", "expected 1 outcomes", lambda line: line.update(outcomes=[])),
    ("outcome", "submission 0", lambda line: line.update(outcomes=[["insufficient_funds", 0, [], None, None]])),
    ("transaction left out", "expected 1 leaves, got 2", lambda line: line.update(submissions=[], outcomes=[])),
    ("no transaction", "submission 0", lambda line: line.update(submissions=[{}])),
    ("checkpoint", "checkpoint", lambda line: line["checkpoint"].__setitem__(1, "9")),
    ("checkpoint signed by others too", "one signature", lambda line: _cosign(line["checkpoint"])),
    ("checkpoint unsigned", "checkpoint", lambda line: line["checkpoint"].__delitem__(slice(3, None))),
)


def _cosign(lines: list[str]) -> None:
    lines.insert(-1, lines[-2].replace("— digital", "— other", 1))


@pytest.mark.parametrize(("_name", "fault", "edit"), EDITS, ids=[name for name, _, _ in EDITS])
def test_a_line_edited_and_written_well_is_found(
    small: Scribe, _name: str, fault: str, edit: Callable[[dict[str, Any]], None]
) -> None:
    found = fault_in(edited(small.export(), 4, edit))
    assert fault in found
    assert found.startswith(("block 3", "line 5"))


def test_an_amount_changed_in_a_signed_payload_is_found(small: Scribe) -> None:
    def double(line: dict[str, Any]) -> None:
        submission = line["submissions"][0]
        payload = canonical.b64url_decode(submission["payload"]).replace(b":1000,", b":2000,")
        submission["payload"] = canonical.b64url(payload)

    assert "submission 0: signature_invalid" in fault_in(edited(small.export(), 4, double))


def transfer(scribe: Scribe, amount: int = 1, **members: Any) -> SignedTransaction:
    return scribe.open(scribe.signed("transfer", pay(A_OWN, A_ONE, amount), by="bank-a", **members))


def unchanged(_group: Group) -> None:
    """A forgery of something else than the outcome."""


ACCEPTED = KeptOutcome()
OUTCOMES: Sequence[tuple[str, str, Any, KeptOutcome]] = (
    ("a payment without funds, accepted", "transfer", pay(A_TWO, A_ONE, 5), ACCEPTED),
    ("a good payment, refused", "transfer", pay(A_OWN, A_ONE, 5), KeptOutcome(refusal="insufficient_funds")),
    ("refused for another reason", "transfer", pay(A_TWO, A_ONE, 5), KeptOutcome(refusal="account_frozen")),
    (
        "postings that do not balance",
        "transfer",
        pay(A_OWN, A_ONE, 5),
        KeptOutcome(postings=((Posting(account=A_ONE, asset="KZT", amount=5, side=Side.CREDIT),),)),  # type: ignore[arg-type]
    ),
    ("a record nobody decided", "transfer", pay(A_OWN, A_ONE, 5), KeptOutcome(record={})),
    (
        "a line refused that was good",
        "bulk_transfer",
        bulk((A_OWN, A_ONE, 1), (A_OWN, A_TWO, 1), is_atomic=False),
        KeptOutcome(refused_lines=((1, "insufficient_funds"),)),
    ),
)


@pytest.mark.parametrize(("_name", "kind", "body", "kept"), OUTCOMES, ids=[each[0] for each in OUTCOMES])
def test_an_outcome_the_rules_do_not_give_is_found_though_the_log_key_signed_it(
    pilot: Scribe, _name: str, kind: str, body: Any, kept: KeptOutcome
) -> None:
    signed = pilot.open(pilot.signed(kind, body, by="bank-a"))
    block = pilot.forge([transfer(pilot), signed], decided_otherwise(kept, 1))
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 1: the outcome kept")


def test_a_transaction_nobody_signed_is_found(pilot: Scribe) -> None:
    raw = pilot.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a")
    envelope = jws.parse(raw, typ=jws.TYP_TRANSACTION)
    forged = raw.replace(
        canonical.b64url(envelope.signatures[0].signature).encode(), canonical.b64url(bytes(64)).encode()
    )
    block = pilot.forge([pilot.open(forged, checks_signatures=False)], unchanged)
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 0: signature_invalid")


def test_transactions_that_must_not_be_recorded_are_found(pilot: Scribe) -> None:
    first = transfer(pilot)
    pilot.write(first.submission)
    cases: list[tuple[str, SignedTransaction]] = [
        ("Duplicate", first),
        ("reference_reused", transfer(pilot, 2, reference=first.transaction.reference)),
        ("reference_expired", transfer(pilot, reference=pilot.reference(pilot.time_us - 25 * 3_600_000_000))),
        ("signature_unasked", pilot.open(_signed_by(pilot, "bank-b-1"))),
    ]
    for cause, signed in cases:
        export = export_of(pilot.document, [*pilot.blocks, _recorded_all_the_same(pilot, signed)])
        found = fault_in(export)
        assert found.startswith(f"block {len(pilot.blocks)}, submission 0: expected a decision"), found
        assert cause in found


def _signed_by(scribe: Scribe, name: str) -> bytes:
    return scribe.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a", signers=(name,))


def _recorded_all_the_same(pilot: Scribe, signed: SignedTransaction) -> Block:
    """A block of a good transaction in which another stands instead; leaves and tree need not fit any more."""
    good = decide_group(
        pilot.rules, pilot.state, pilot.replay.position, [transfer(pilot, 3)], TimestampUs(pilot.time_us + 1)
    )
    assert good.recorded
    newest = pilot.blocks[-1]
    body = BlockBody(
        submissions=[signed.submission], outcomes=[encode_outcome(ACCEPTED)], salts=decode_body(newest.body).salts
    )
    return msgspec.structs.replace(
        newest,
        height=newest.height + 1,
        time_us=newest.time_us + 1,
        first_sequence=newest.size,
        before=pilot.replay.position.range.to_bytes(),
        body=encode_body(body),
    )


def test_a_submission_written_in_another_form_than_its_own_is_found(small: Scribe) -> None:
    lines = small.export().splitlines(keepends=True)
    spaced = lines[4].replace(b'"submissions":[{"payload":', b'"submissions":[{ "payload":', 1)
    assert spaced != lines[4]
    assert "submission 0" in fault_in(b"".join([*lines[:4], spaced, *lines[5:]]))


def test_what_should_have_waited_for_the_next_block_is_found(pilot: Scribe) -> None:
    close = pilot.open(pilot.signed("day_close", _day_close(), by="operator"))
    payment = transfer(pilot)
    rules = pilot.rules
    pilot.replay.rulebooks = {1: changed_kinds("day_close", ends_block=False)}
    block = pilot.forge([close, payment], unchanged)
    pilot.replay.rulebooks = {1: rules}
    assert fault_in(pilot.export()).startswith(f"block {block.height}: submission 0 ends its block")


def changed_kinds(name: str, **changes: Any) -> Rulebook:
    """The rules of the core with one kind changed."""
    return Rulebook(
        1,
        [
            replace(
                module, kinds=tuple(replace(kind, **changes) if kind.name == name else kind for kind in module.kinds)
            )
            for module in CORE_MODULES
        ],
    )


def _day_close() -> DayClose:
    return DayClose(closes=BusinessDate("2024-12-24"), opens=BusinessDate("2024-12-25"))


def test_a_block_sealed_with_a_key_that_is_not_the_logs_is_found(pilot: Scribe) -> None:
    pilot.keyring = {kid: key_of("somebody") for kid in pilot.keyring}
    block = pilot.forge([transfer(pilot)], unchanged)
    assert fault_in(pilot.export()).startswith(f"block {block.height}: the checkpoint does not hold")


def test_a_checkpoint_of_another_tree_is_found_though_the_log_key_signed_it(pilot: Scribe) -> None:
    newest = pilot.blocks[-1]
    other = sign_checkpoint(Checkpoint(pilot.replay.origin, newest.size, bytes(32)), key_of("log"))
    pilot.blocks[-1] = msgspec.structs.replace(newest, checkpoint=other)
    assert f"block {newest.height}: the checkpoint says size {newest.size}" in fault_in(pilot.export())


def test_time_that_does_not_go_on_is_found(pilot: Scribe) -> None:
    block = pilot.forge([transfer(pilot)], unchanged, time_us=pilot.time_us)
    assert fault_in(pilot.export()).startswith(f"block {block.height}: expected a time above")


def test_money_made_from_nothing_by_rules_with_a_defect_is_found(
    pilot: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(_view: View, _submitted: Submitted) -> Proposal:
        return Proposal(changes=((BALANCES, A_ONE, 1_000_000),), record={})

    defect = changed_kinds("transfer", decide=decide, entries=None)
    pilot.replay.rulebooks = {1: defect}
    with monkeypatch.context() as patch:
        patch.setattr(group_module, "check_block", lambda *_: None)
        block = pilot.forge([transfer(pilot)], unchanged)
    found = fault_in(pilot.export(), rulebooks={1: defect})
    assert found.startswith(f"block {block.height}: the rules do not hold")
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 0: the outcome kept")


def test_sums_are_checked_at_the_end(pilot: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_state: object) -> None:
        raise InvariantBroken("KZT: issued 100, held 99")

    monkeypatch.setattr(verify_module, "check_conservation", broken)
    assert "issued 100, held 99" in fault_in(pilot.export())


def test_rules_this_program_lacks_are_named_with_the_block_that_needs_them(pilot: Scribe) -> None:
    pilot.replay.rulebooks = {1: CORE_RULEBOOK, 2: Rulebook(2, CORE_MODULES)}
    pilot.submit("rulebook_set", RulebookSet(version=2), by="central-bank")
    pilot.close_day("2024-12-25")
    assert pilot.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
    assert verified(pilot.export(), rulebooks=pilot.replay.rulebooks).transactions == len(pilot.blocks) - 1
    assert fault_in(pilot.export()) == (
        f"block {len(pilot.blocks) - 1}: the ledger is under rulebook 2, this program knows [1]"
    )


def test_the_log_key_may_rotate_and_checkpoints_under_either_key_are_known(pilot: Scribe) -> None:
    pilot.submit(
        "log_key_rotate",
        LogKeyRotate(x=key_of("log-2").public.x),
        by="operator",
        signers=("operator-1", "operator-2", "log", "log-2"),
    )
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    export = pilot.export()
    for block in pilot.blocks:
        assert verified(export, at_least=block.checkpoint).blocks == len(pilot.blocks)
    keyring: dict[Any, PrivateKey] = {**log_keyring("log")}
    keyring[key_of("log-2").public.kid] = key_of("log")
    pilot.keyring = keyring
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    assert fault_in(pilot.export()).startswith(f"block {len(pilot.blocks) - 1}: the checkpoint does not hold")


def test_every_sort_of_outcome_passes_through_an_export(pilot: Scribe) -> None:
    lines = [(A_OWN if number % 3 else A_TWO, A_ONE, 7) for number in range(30)]
    pilot.submit("bulk_transfer", bulk(*lines, is_atomic=False), by="bank-a")
    pilot.submit("bulk_transfer", bulk((A_OWN, A_ONE, 7), (A_TWO, A_ONE, 10**9)), by="bank-a")
    pilot.submit("journal_entry", entry((Side.DEBIT, A_OWN, 3), (Side.CREDIT, B_ONE, 3)), by="bank-a")
    pilot.close_day("2024-12-25")
    pilot.write(*(pilot.signed("transfer", pay(A_OWN, A_ONE, amount), by="bank-a") for amount in range(1, 9)))
    report = verified(pilot.export(), network=pilot.network)
    assert report.transactions == len(pilot.blocks) + 6
    assert pilot.state.get(BALANCES, B_ONE) == 3
