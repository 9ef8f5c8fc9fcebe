"""The sequencer: who is answered what, and what stands in one block."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ledger.clock import ClockJumped
from ledger.crypto.keys import PublicKey
from ledger.log import answers, reception, sequencer
from ledger.log.answers import Unavailable
from ledger.log.block import Block, decode_body
from ledger.log.block_store import BlockStore, StoreBroken
from ledger.log.group import origin_of
from ledger.log.queue import FairQueue
from ledger.log.receipts import InvalidReceipt, Receipt, verify_receipt
from ledger.model.outcome import Accepted
from ledger.model.transactions import SignedTransaction
from ledger.rules.core import CORE_MODULES
from ledger.rules.day_close import DayClose, RulebookSet
from ledger.rules.keys import KeyRevoke, LogKeyRotate
from ledger.rules.opening import NotAdmissible
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES
from ledger.units import BusinessDate, Kid, Reference, TimestampUs
from tests.book import CORE_RULEBOOK, START_US, key_of
from tests.log.node import (
    A_ONE,
    A_OWN,
    A_TWO,
    ANSWER_S,
    B_ONE,
    Loop,
    Node,
    log_keyring,
    pilot_node,
    receipt_bytes,
)
from tests.rules.bodies import bulk, pay


class Gate:
    """A store whose appends wait, so that a queue can form behind one."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self._is_open.set()
        self.reached = threading.Event()

    def around(self, store: BlockStore) -> BlockStore:
        append = store.append

        def gated(block: Block) -> None:
            self.reached.set()
            assert self._is_open.wait(ANSWER_S)
            append(block)

        store.append = gated  # type: ignore[method-assign]
        return store

    def close(self) -> None:
        self.reached.clear()
        self._is_open.clear()

    def open(self) -> None:
        self._is_open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def transfer(node: Node, amount: int = 1, **members: Any) -> bytes:
    return node.signed("transfer", pay(A_OWN, A_ONE, amount), by="bank-a", **members)


def hold(node: Node, gate: Gate) -> "Future[Receipt]":
    """Send one transfer whose append waits at the gate."""
    gate.close()
    sent = node.send(transfer(node))
    assert gate.reached.wait(ANSWER_S)
    return sent


def wait_for_lines(node: Node, lines: int) -> None:
    """Return when as many lines wait behind the gate."""
    arrived = threading.Event()
    while node.sequencer.waiting_lines < lines:
        arrived.wait(0.001)


def refusal_of(sent: "Future[Receipt]") -> str:
    error = sent.exception(ANSWER_S)
    assert isinstance(error, NotAdmissible | Unavailable), f"expected a problem, got {error!r}"
    return error.code


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
        transaction = node.transaction("day_close", _day_close(), by="operator")
        short = node.sign(transaction, [key_of("bank-a-1")])
        with pytest.raises(NotAdmissible, match="signature_unasked"):
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


def test_a_retry_that_overtakes_its_first_answer_gets_the_same_one(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        raw = transfer(node, 5)
        twice = [node.send(raw), node.send(raw)]
        wait_for_lines(node, 2)
        gate.open()
        held.result(ANSWER_S)
        first, second = (sent.result(ANSWER_S) for sent in twice)
        assert receipt_bytes(first) == receipt_bytes(second)
        assert node.state.get(BALANCES, A_ONE) == 6


def test_a_reference_used_for_another_payload_is_refused_by_name(url: str) -> None:
    with pilot_node(url) as node:
        reference = node.reference()
        node.receipt(transfer(node, 1, reference=reference))
        with pytest.raises(NotAdmissible, match="reference_reused"):
            node.receipt(transfer(node, 2, reference=reference))


def test_what_waits_together_is_decided_as_one_block(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        sent = [node.send(transfer(node, amount)) for amount in range(1, 21)]
        wait_for_lines(node, 20)
        gate.open()
        receipts = [each.result(ANSWER_S) for each in sent]
        assert {receipt.height for receipt in receipts} == {held.result(ANSWER_S).height + 1}
        assert len({receipt.sequence for receipt in receipts}) == 20


def test_alone_in_the_queue_a_transaction_has_a_block_to_itself(url: str) -> None:
    with pilot_node(url) as node:
        heights = [node.receipt(transfer(node)).height for _ in range(3)]
        assert heights == list(range(heights[0], heights[0] + 3))


def test_a_block_takes_no_more_lines_than_the_limit(url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "GROUP_LINES_MAX", 5)
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        sent = [node.send(transfer(node, amount)) for amount in range(1, 13)]
        wait_for_lines(node, 12)
        gate.open()
        first = held.result(ANSWER_S).height + 1
        heights = sorted(each.result(ANSWER_S).height - first for each in sent)
        assert heights == [0] * 5 + [1] * 5 + [2] * 2


def test_a_kind_that_ends_its_block_leaves_the_rest_to_the_next(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        sent = [node.send(transfer(node))]
        wait_for_lines(node, 1)
        # The queue takes turns, so the operator's day close comes between the bank's two transfers.
        sent.append(node.send(node.signed("day_close", _day_close(), by="operator")))
        wait_for_lines(node, 2)
        sent.append(node.send(transfer(node)))
        wait_for_lines(node, 3)
        gate.open()
        first = held.result(ANSWER_S).height + 1
        assert [each.result(ANSWER_S).height - first for each in sent] == [0, 0, 1]


def test_a_revocation_overtakes_what_waits(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        sent = [node.send(transfer(node)) for _ in range(3)]
        wait_for_lines(node, 3)
        kid = Kid(key_of("bank-a-1").public.kid)
        revoked = node.send(node.signed("key_revoke", KeyRevoke(kid=kid, reason="Device lost"), by="bank-a"))
        while not node.sequencer._queue._urgent:
            threading.Event().wait(0.001)
        gate.open()
        assert revoked.result(ANSWER_S).height == held.result(ANSWER_S).height + 1
        assert [refusal_of(each) for each in sent] == ["key_revoked"] * 3


def test_a_participant_that_fills_its_share_hears_so_and_keeps_nobody_out(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around, queue=FairQueue(participant_items_max=2)) as node:
        node.pay("bank-a", A_OWN, B_ONE, 100)
        held = hold(node, gate)
        sent = [node.send(transfer(node)) for _ in range(2)]
        wait_for_lines(node, 2)
        assert node.problem(transfer(node)) == "queue_full"
        other = node.send(node.signed("transfer", pay(B_ONE, A_ONE, 1), by="bank-b"))
        wait_for_lines(node, 3)
        gate.open()
        for each in (held, other, *sent):
            assert each.result(ANSWER_S).outcome == "accepted"


def test_more_than_may_wait_to_be_opened_is_turned_away_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Node(url, starts=False) as node:
        monkeypatch.setattr(reception, "RECEIVED_ITEMS_MAX", 2)
        sent = [node.send(b"{}") for _ in range(3)]
        assert refusal_of(sent[2]) == "queue_full"
        monkeypatch.setattr(reception, "RECEIVED_ITEMS_MAX", 10)
        monkeypatch.setattr(reception, "RECEIVED_BYTES_MAX", 6)
        assert node.problem(b"123") == "queue_full"
        sent.append(node.send(b"12"))
        node.sequencer.start()
        for each in (sent[0], sent[1], sent[3]):
            assert refusal_of(each).startswith("jws")


def test_stopping_finishes_the_group_in_hand_and_answers_all_others(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        sent = [node.send(transfer(node)) for _ in range(40)]
        wait_for_lines(node, 40)
        stop = threading.Thread(target=node.sequencer.stop)
        stop.start()
        while not node.sequencer._queue._is_closed:
            threading.Event().wait(0.001)
        gate.open()
        stop.join(ANSWER_S)
        assert held.result(ANSWER_S).outcome == "accepted"
        assert {refusal_of(each) for each in sent} == {"node_stopping"}
        assert node.problem(transfer(node)) == "node_stopping"


def test_what_waits_for_a_sequencer_that_never_started_is_answered_at_its_stop(url: str) -> None:
    with Node(url, starts=False) as node:
        sent = [node.send(b"{}") for _ in range(50)]
        while len(node.sequencer._reception._received) < 50:
            threading.Event().wait(0.001)
        node.sequencer.stop()
        assert {refusal_of(each) for each in sent} == {"node_stopping"}


def test_nobody_is_left_waiting_when_a_node_stops_under_load(url: str) -> None:
    with pilot_node(url) as node:
        raws = [transfer(node) for _ in range(300)]
        sent = [node.send(raw) for raw in raws]
        sent[20].result(ANSWER_S)
        node.sequencer.stop()
        ends = [each.exception(ANSWER_S) for each in sent]
        assert all(end is None or (isinstance(end, Unavailable) and end.code == "node_stopping") for end in ends)


def test_stopping_twice_is_stopping_once(url: str) -> None:
    with pilot_node(url) as node:
        node.sequencer.stop()
        node.sequencer.stop()


def test_a_clock_that_jumped_stops_acceptance_for_good(url: str) -> None:
    clock = BrokenClock()
    with pilot_node(url, clock=clock) as node:
        raw = transfer(node)
        clock.has_jumped = True
        assert node.problem(raw) == "clock_jumped"
        clock.has_jumped = False
        assert node.problem(raw) == "clock_jumped"
        assert node.sequencer.failure is not None
        assert node.sequencer.failure.retry_after_s is None


def test_a_clock_a_little_behind_the_last_block_is_bridged_and_one_far_behind_is_not(url: str) -> None:
    clock = BrokenClock()
    with pilot_node(url, clock=clock) as node:
        last = node.sequencer.position.time_us
        near, far = transfer(node), transfer(node)
        clock.time_us = last - sequencer.CLOCK_BEHIND_MAX_US
        assert node.receipt(near).time_us == last + 1
        clock.time_us = last - sequencer.CLOCK_BEHIND_MAX_US - 2_000
        assert node.problem(far) == "clock_jumped"


class BrokenClock:
    """A clock in the test's hands; it moves a millisecond at each look."""

    def __init__(self) -> None:
        self.time_us = START_US + 1_000_000
        self.has_jumped = False

    def now_us(self) -> TimestampUs:
        if self.has_jumped:
            raise ClockJumped("the wall clock jumped")
        self.time_us += 1_000
        return TimestampUs(self.time_us)


def test_rules_this_program_lacks_stop_the_node_before_anything_is_decided_by_others(url: str) -> None:
    with pilot_node(url) as node:
        assert _move_to_rulebook(node, 2) == "accepted"
        failure = node.sequencer.failure
        assert failure is not None
        assert failure.code == "node_broken"
        assert "rulebook 2" in failure.detail
        assert node.problem(transfer(node)) == "node_broken"


def test_what_waited_while_the_rules_changed_is_opened_by_the_new_ones(url: str, gate: Gate) -> None:
    successor = Rulebook(2, [module for module in CORE_MODULES if module.name != "transfers"])
    rulebooks = {1: CORE_RULEBOOK, 2: successor}
    with pilot_node(url, around=gate.around, rulebooks=rulebooks) as node:
        first = node.receipt(raw := transfer(node))
        _set_rulebook(node, 2)
        held = hold(node, gate)
        close = node.send(node.signed("day_close", _day_close(), by="operator"))
        wait_for_lines(node, 1)
        gone = node.send(transfer(node))
        wait_for_lines(node, 2)
        stays = node.send(node.signed("day_close", _day_close("2024-12-25", "2024-12-26"), by="operator"))
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


def _day_close(closes: str = "2024-12-24", opens: str = "2024-12-25") -> DayClose:
    return DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))


def _set_rulebook(node: Node, version: int) -> str:
    return node.end("rulebook_set", RulebookSet(version=version), by="central-bank")


def _move_to_rulebook(node: Node, version: int) -> str:
    assert _set_rulebook(node, version) == "accepted"
    return node.end("day_close", _day_close(), by="operator")


def test_a_reference_older_than_the_window_is_looked_up(url: str) -> None:
    found: dict[Reference, tuple[bytes, int, int]] = {}
    asked: list[tuple[str, Reference]] = []

    def older(participant: str, reference: Reference) -> tuple[bytes, int, int] | None:
        asked.append((participant, reference))
        return found.get(reference)

    clock = BrokenClock()
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


def test_rotation_to_a_log_key_the_node_lacks_stops_it_at_once(url: str) -> None:
    with pilot_node(url) as node:
        node.submit(
            "log_key_rotate",
            LogKeyRotate(x=key_of("log-2").public.x),
            by="operator",
            signers=("operator-1", "operator-2", "log", "log-2"),
        )
        assert node.sequencer.failure is not None
        assert key_of("log-2").public.kid in node.sequencer.failure.detail
        assert node.problem(transfer(node)) == "node_broken"


def test_whoever_follows_the_blocks_hears_of_each_and_its_trouble_is_its_own(url: str) -> None:
    heights: list[int] = []

    def follow(block: Block) -> None:
        heights.append(block.height)
        raise BrokenPipeError("the follower has gone")

    with pilot_node(url, on_block=follow) as node:
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
        assert heights == list(range(1, node.sequencer.position.height + 1))
        assert node.sequencer.failure is None


def test_a_fault_in_the_sequencer_is_answered_and_nothing_more_is_decided(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url) as node:
        height = node.sequencer.position.height

        def fault(*_: object, **__: object) -> None:
            raise ZeroDivisionError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(sequencer, "decide_group", fault)
            assert node.problem(raw := transfer(node)) == "node_broken"
        assert node.problem(raw) == "node_broken"
        assert node.store.head().height == height


def test_a_fault_in_the_opening_concerns_one_sender_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pilot_node(url) as node:

        def fault(*_: object, **__: object) -> None:
            raise ZeroDivisionError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(sequencer, "open_transaction", fault)
            assert node.problem(transfer(node)) == "node_broken"
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"


def test_a_sender_whose_store_hangs_is_told_that_the_outcome_is_unknown(
    url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url, around=gate.around) as node:
        gate.close()
        raw = transfer(node)
        monkeypatch.setattr(sequencer, "ANSWER_WAIT_MAX_S", 0.05)
        monkeypatch.setattr(sequencer, "STOP_WAIT_MAX_S", 0.05)
        assert node.problem(raw) == "outcome_unknown"
        node.sequencer.stop()
        gate.open()
        assert node.sequencer._thread is not None
        node.sequencer._thread.join(ANSWER_S)
        assert node.state.get(BALANCES, A_ONE) == 1


def test_a_sender_that_hangs_up_or_whose_loop_is_gone_disturbs_nobody(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        cancelled = node.send(transfer(node))
        gone = Loop()
        lost = asyncio.run_coroutine_threadsafe(node.sequencer.submit(transfer(node)), gone.loop)
        wait_for_lines(node, 2)
        cancelled.cancel()
        gone.close()
        gate.open()
        assert held.result(ANSWER_S).outcome == "accepted"
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
        assert lost.cancelled()
        assert node.state.get(BALANCES, A_ONE) == 4


def test_nothing_of_an_answered_submission_is_kept(url: str) -> None:
    jobs: list[weakref.ref[answers.Job]] = []

    class Noted(answers.Job):
        __slots__ = ("__weakref__",)

    with pilot_node(url) as node:
        original = node.sequencer._reception.receive

        def note(job: answers.Job) -> None:
            noted = Noted(job.raw, job.loop, job.future)
            jobs.append(weakref.ref(noted))
            original(noted)

        node.sequencer._reception.receive = note  # type: ignore[method-assign]
        for _ in range(5):
            node.receipt(transfer(node))
        # The threads hold the last one they worked on until they get the next.
        node.receipt(transfer(node))
        gc.collect()
        assert sum(ref() is not None for ref in jobs) <= 3


def test_the_same_failure_told_to_many_does_not_grow(url: str) -> None:
    clock = BrokenClock()
    with pilot_node(url, clock=clock) as node:
        raw = transfer(node)
        clock.has_jumped = True
        for _ in range(3):
            node.problem(raw)
        assert node.sequencer.failure is not None
        assert node.sequencer.failure.__traceback__ is None


def test_64_senders_debiting_one_wallet_never_take_more_than_it_holds(store_url: str) -> None:
    with pilot_node(store_url) as node:
        node.pay("bank-a", A_OWN, A_ONE, 1_000)
        raws = [node.signed("transfer", pay(A_ONE, A_TWO, 7), by="bank-a") for _ in range(256)]
        with_retries = [raws[number // 2] for number in range(2 * len(raws))]
        receipts: list[Receipt] = []
        lock = threading.Lock()

        def sender(own: list[bytes]) -> None:
            for raw in own:
                receipt = node.receipt(raw)
                with lock:
                    receipts.append(receipt)

        senders = [threading.Thread(target=sender, args=(with_retries[number::64],)) for number in range(64)]
        for each in senders:
            each.start()
        for each in senders:
            each.join(ANSWER_S)
        first = {receipt.transaction_id: receipt for receipt in receipts}
        assert len(receipts) == 512
        assert len(first) == 256
        assert all(first[receipt.transaction_id] == receipt for receipt in receipts)
        accepted = [receipt for receipt in first.values() if receipt.outcome == "accepted"]
        assert len(accepted) == 1_000 // 7
        assert {receipt.code for receipt in first.values() if receipt.outcome == "refused"} == {"insufficient_funds"}
        assert node.state.get(BALANCES, A_ONE) == 1_000 % 7
        assert node.state.get(BALANCES, A_TWO) == 1_000 - 1_000 % 7
        assert node.replayed().state.digest() == node.state.digest()


def test_a_bulk_that_fills_a_block_and_single_transfers_take_turns(
    url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "GROUP_LINES_MAX", 8)
    with pilot_node(url, around=gate.around) as node:
        node.pay("bank-a", A_OWN, B_ONE, 100)
        held = hold(node, gate)
        full = [node.send(node.signed("bulk_transfer", bulk(*[(A_OWN, A_ONE, 1)] * 8), by="bank-a")) for _ in range(3)]
        wait_for_lines(node, 24)
        single = node.send(node.signed("transfer", pay(B_ONE, A_ONE, 1), by="bank-b"))
        wait_for_lines(node, 25)
        gate.open()
        first = held.result(ANSWER_S).height + 1
        assert single.result(ANSWER_S).height <= first + 1
        for each in full:
            assert each.result(ANSWER_S).outcome == "accepted"


def test_each_leaf_has_a_salt_of_its_own(url: str) -> None:
    with pilot_node(url) as node:
        salts = [decode_body(block.body).salts for block in node.store.blocks()]
        each = [salt[at : at + 16] for salt in salts for at in range(0, len(salt), 16)]
        assert len(set(each)) == len(each) == node.sequencer.position.range.size
