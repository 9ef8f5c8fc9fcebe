"""The sequencer: who is answered what."""

import threading

import pytest

from ledger.crypto.keys import PublicKey
from ledger.log import sequencer
from ledger.log.answers import Unavailable
from ledger.log.block import Block
from ledger.log.block_store import StoreBroken
from ledger.log.group import origin_of
from ledger.log.receipts import InvalidReceipt, Receipt, verify_receipt
from ledger.model.outcome import Accepted
from ledger.model.transactions import SignedTransaction
from ledger.rules.core import CORE_MODULES
from ledger.rules.keys import LogKeyRotate
from ledger.rules.opening import NotAdmissible
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES
from ledger.units import Reference
from tests.book import CORE_RULEBOOK, key_of
from tests.log.node import (
    A_ONE,
    A_OWN,
    A_TWO,
    ANSWER_S,
    Node,
    log_keyring,
    pilot_node,
    receipt_bytes,
)
from tests.log.stage import Gate, HandClock, day_close, hold, refusal_of, set_rulebook, transfer, wait_for_lines
from tests.rules.bodies import pay


def test_an_accepted_transaction_is_durable_when_its_sender_hears_of_it(store_url: str) -> None:
    with pilot_node(store_url) as node:
        receipt = node.receipt(transfer(node, 250))
        assert receipt.outcome == "accepted"
        block = node.store.read(receipt.height)
        assert block is not None
        assert block.first_sequence == receipt.sequence
        assert node.state.get(BALANCES, A_ONE) == 250
        assert node.store.head().height == node.sequencer.position.height == receipt.height


def test_a_refused_transaction_has_a_receipt_too_and_stays_refused(store_url: str) -> None:
    with pilot_node(store_url) as node:
        raw = node.signed("transfer", pay(A_TWO, A_ONE, 1), by="bank-a")
        receipt = node.receipt(raw)
        assert (receipt.outcome, receipt.code) == ("refused", "insufficient_funds")
        assert node.pay("bank-a", A_OWN, A_TWO, 10) == "accepted"
        assert node.receipt(raw) == receipt


def test_an_inadmissible_transaction_leaves_no_trace_and_may_come_again_signed_well(url: str) -> None:
    with pilot_node(url) as node:
        before = node.sequencer.position
        transaction = node.transaction("day_close", day_close(), by="operator")
        short = node.sign(transaction, [key_of("bank-a-1")])
        with pytest.raises(NotAdmissible, match="signatures_insufficient"):
            node.receipt(short)
        assert node.sequencer.position == before
        assert node.receipt(node.sign(transaction, [key_of("operator-1")])).outcome == "accepted"


def test_bytes_that_are_no_transaction_go_no_further_than_the_opening(url: str) -> None:
    with pilot_node(url) as node:
        for raw, code in ((b"", "jws"), (b"{}", "jws"), (b"\xff" * 100, "jws")):
            with pytest.raises(NotAdmissible, match=code):
                node.receipt(raw)
        assert node.sequencer.waiting_lines == 0


def test_the_same_bytes_get_the_first_answer_again(store_url: str) -> None:
    with pilot_node(store_url) as node:
        raw = transfer(node)
        first = node.receipt(raw)
        transfer_again = node.receipt(raw)
        assert receipt_bytes(transfer_again) == receipt_bytes(first)
        assert node.state.get(BALANCES, A_ONE) == 1


def test_a_reference_used_for_another_payload_is_refused_by_name(url: str) -> None:
    with pilot_node(url) as node:
        reference = node.reference()
        node.receipt(transfer(node, 1, reference=reference))
        with pytest.raises(NotAdmissible, match="reference_reused"):
            node.receipt(transfer(node, 2, reference=reference))


def test_what_waited_while_the_rules_changed_is_opened_by_the_new_ones(url: str, gate: Gate) -> None:
    successor = Rulebook(2, [module for module in CORE_MODULES if module.name != "transfers"])
    rulebooks = {1: CORE_RULEBOOK, 2: successor}
    with pilot_node(url, around=gate.around, rulebooks=rulebooks) as node:
        first = node.receipt(raw := transfer(node))
        set_rulebook(node, 2)
        held = hold(node, gate)
        close = node.send(node.signed("day_close", day_close(), by="operator"))
        wait_for_lines(node, 1)
        gone = node.send(transfer(node))
        wait_for_lines(node, 2)
        stays = node.send(node.signed("day_close", day_close("2024-12-25", "2024-12-26"), by="operator"))
        wait_for_lines(node, 3)
        gate.open()
        assert held.result(ANSWER_S).outcome == close.result(ANSWER_S).outcome == "accepted"
        # The queue takes turns, so the bank's transfer was still decided by the old rules, or not at all.
        assert stays.result(ANSWER_S).outcome == "accepted"
        assert refusal_of(gone) == "kind_unknown"
        with pytest.raises(NotAdmissible, match="kind_unknown"):
            node.receipt(raw)
        # Receipts of old blocks are made by the rules of their time.
        assert receipt_bytes(node.sequencer.first_answer(first.height, 0)) == receipt_bytes(first)
        assert node.replayed().state.digest() == node.state.digest()


def test_a_reference_older_than_the_window_is_looked_up(url: str) -> None:
    found: dict[Reference, tuple[bytes, int, int]] = {}
    asked: list[tuple[str, Reference]] = []

    def older(participant: str, reference: Reference) -> tuple[bytes, int, int] | None:
        asked.append((participant, reference))
        return found.get(reference)

    clock = HandClock()
    with pilot_node(url, clock=clock, older=older) as node:
        raw, other = transfer(node), transfer(node)
        first = node.receipt(raw)
        day = 24 * 3_600_000_000
        clock.time_us += 2 * day
        node.pay("bank-a", A_OWN, A_ONE, 1)
        with pytest.raises(NotAdmissible, match="reference_expired"):
            node.receipt(raw)
        found[first.reference] = (node.open(raw).transaction_id[:16], first.height, 0)
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(first)
        found[_reference(node, other)] = (bytes(16), first.height, 0)
        with pytest.raises(NotAdmissible, match="reference_reused"):
            node.receipt(other)
        assert asked[0] == ("bank-a", first.reference)

        def behind(_participant: str, _reference: Reference) -> None:
            raise Unavailable("store_unavailable", "the projections are behind")

        node.sequencer.older = behind
        assert node.problem(raw) == "store_unavailable"


def _reference(node: Node, raw: bytes) -> Reference:
    signed: SignedTransaction = node.open(raw)
    return signed.transaction.reference


def test_a_first_answer_that_cannot_be_read_now_is_no_failure_of_the_sender(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url) as node:
        raw = transfer(node)
        node.receipt(raw)

        def damaged(_height: int) -> Block | None:
            raise StoreBroken("damaged")

        monkeypatch.setattr(node.store, "read", damaged)
        assert node.problem(raw) == "store_unavailable"


def test_a_first_answer_that_does_not_come_is_not_waited_for_for_ever(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url) as node:
        raw = transfer(node)
        node.receipt(raw)
        read, is_over = node.store.read, threading.Event()

        def hanging(height: int) -> Block | None:
            assert is_over.wait(ANSWER_S)
            return read(height)

        monkeypatch.setattr(node.store, "read", hanging)
        monkeypatch.setattr(sequencer, "ANSWER_WAIT_MAX_S", 0.1)
        assert node.problem(raw) == "store_unavailable"
        is_over.set()


def test_log_key_rotation_signs_from_the_next_block_and_old_receipts_keep_their_key(store_url: str) -> None:
    with pilot_node(store_url, keyring=log_keyring("log", "log-2")) as node:
        raw = transfer(node)
        before = node.receipt(raw)
        rotated = node.submit(
            "log_key_rotate",
            LogKeyRotate(x=key_of("log-2").public.x),
            by="operator",
            signers=("operator-1", "operator-2", "log", "log-2"),
        )
        assert isinstance(rotated, Accepted)
        after = node.receipt(other := transfer(node))
        old, new = key_of("log").public, key_of("log-2").public
        assert_proves(before, raw, node, old)
        assert_proves(after, other, node, new)
        with pytest.raises(InvalidReceipt):
            assert_proves(after, other, node, old)
        node.restart()
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(before)
        assert node.replayed().state.digest() == node.state.digest()


def assert_proves(receipt: Receipt, raw: bytes, node: Node, key: PublicKey) -> None:
    verify_receipt(receipt, origin=origin_of(node.network), log_key=key, submission=raw, rulebook=node.rulebook)


def test_whoever_follows_the_blocks_hears_of_each_and_its_trouble_is_its_own(url: str) -> None:
    heights: list[int] = []

    def follow(block: Block) -> None:
        heights.append(block.height)
        raise BrokenPipeError("the follower has gone")

    with pilot_node(url, on_block=follow) as node:
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
        assert heights == list(range(1, node.sequencer.position.height + 1))
        assert node.sequencer.failure is None
