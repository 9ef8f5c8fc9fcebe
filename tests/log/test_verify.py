"""Export and offline verification: whatever is changed, dropped or moved is found, and its place is named."""

import os
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import pytest

from ledger.crypto import canonical
from ledger.crypto.note import Checkpoint, sign_checkpoint
from ledger.model.journal import Side
from ledger.rules.tables import BALANCES
from tests.book import genesis_document, key_of
from tests.log.exports import fault_in, verified
from tests.log.node import A_ONE, A_OWN, A_TWO, B_ONE, populate, size_of
from tests.log.scribe import Scribe, export_of
from tests.rules.bodies import bulk, entry, pay

FLIPS: Final = int(os.environ.get("TENGE_FLIPS", "500"))
"""Bytes of the export that are changed, one at a time; at random, and all of them if there are no more."""


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


@pytest.mark.parametrize("member", ["blocks", "size"])
def test_an_end_that_counts_otherwise_is_found(small: Scribe, member: str) -> None:
    export = small.export()
    last = len(export.splitlines()) - 1
    changed = edited(export, last, lambda line: line.update({member: line[member] + 1}))
    assert fault_in(changed).startswith(f"line {last + 1}: expected the end after")


def test_an_amount_changed_in_a_signed_payload_is_found(small: Scribe) -> None:
    def double(line: dict[str, Any]) -> None:
        submission = line["submissions"][0]
        payload = canonical.b64url_decode(submission["payload"]).replace(b":1000,", b":2000,")
        submission["payload"] = canonical.b64url(payload)

    assert "submission 0: signature_invalid" in fault_in(edited(small.export(), 4, double))


def test_a_submission_written_in_another_form_than_its_own_is_found(small: Scribe) -> None:
    lines = small.export().splitlines(keepends=True)
    spaced = lines[4].replace(b'"submissions":[{"payload":', b'"submissions":[{ "payload":', 1)
    assert spaced != lines[4]
    assert "submission 0" in fault_in(b"".join([*lines[:4], spaced, *lines[5:]]))


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
