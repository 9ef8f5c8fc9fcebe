"""The sequencer: what ends its work, and that nobody is left waiting."""

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from ledger.crypto.canonical import b64url
from ledger.log import answers, group, opening, sequencer
from ledger.log.answers import Unavailable
from ledger.log.outcomes import Authorship, KeptOutcome, Postings, leaves
from ledger.model.outcome import Outcome
from ledger.model.transactions import SignedTransaction
from ledger.rules.invariants import InvariantBroken
from ledger.rules.keys import LogKeyRotate
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES
from ledger.state import Overlay
from tests.book import key_of
from tests.log.node import (
    A_ONE,
    A_OWN,
    ANSWER_S,
    Loop,
    Node,
    pilot_node,
)
from tests.log.stage import Gate, HandClock, day_close, hold, refusal_of, set_rulebook, transfer, wait_for_lines


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
    clock = HandClock()
    with pilot_node(url, clock=clock) as node:
        raw = transfer(node)
        clock.has_jumped = True
        assert node.problem(raw) == "clock_jumped"
        clock.has_jumped = False
        assert node.problem(raw) == "clock_jumped"
        assert node.sequencer.failure is not None
        assert node.sequencer.failure.retry_after_s is None


def test_a_clock_a_little_behind_the_last_block_is_bridged_and_one_far_behind_is_not(url: str) -> None:
    clock = HandClock()
    with pilot_node(url, clock=clock) as node:
        last = node.sequencer.position.time_us
        near, far = transfer(node), transfer(node)
        clock.time_us = last - sequencer.CLOCK_BEHIND_MAX_US
        assert node.receipt(near).time_us == last + 1
        clock.time_us = last - sequencer.CLOCK_BEHIND_MAX_US - 2_000
        assert node.problem(far) == "clock_jumped"


def test_rules_this_program_lacks_stop_the_node_before_anything_is_decided_by_others(url: str) -> None:
    with pilot_node(url) as node:
        assert _move_to_rulebook(node, 2) == "accepted"
        failure = node.sequencer.failure
        assert failure is not None
        assert failure.code == "node_broken"
        assert "rulebook 2" in failure.detail
        assert node.problem(transfer(node)) == "node_broken"


def _move_to_rulebook(node: Node, version: int) -> str:
    assert set_rulebook(node, version) == "accepted"
    return node.end("day_close", day_close(), by="operator")


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


def test_a_transaction_the_rules_fail_on_concerns_its_sender_only(
    url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = Rulebook.decide

    def fault(self: Rulebook, overlay: Overlay, signed: SignedTransaction, *rest: Any, **more: Any) -> Outcome:
        if signed.transaction.kind == "transfer" and signed.body.amount == 666:
            raise ZeroDivisionError("a defect")
        return decide(self, overlay, signed, *rest, **more)

    with pilot_node(url, around=gate.around) as node:
        monkeypatch.setattr(Rulebook, "decide", fault)
        held = hold(node, gate)
        sent = [node.send(transfer(node, amount)) for amount in (1, 2, 666, 3, 666, 666, 4)]
        wait_for_lines(node, 7)
        gate.open()
        held.result(ANSWER_S)
        codes = [error.code if (error := each.exception(ANSWER_S)) is not None else "" for each in sent]  # type: ignore[attr-defined]
        assert codes == ["", "", "undecidable", "", "undecidable", "undecidable", ""]
        assert node.problem(transfer(node, 666)) == "undecidable"
        assert node.sequencer.failure is None
        assert node.state.get(BALANCES, A_ONE) == 1 + 1 + 2 + 3 + 4
        monkeypatch.undo()
        assert node.replayed().state.digest() == node.state.digest()


def test_a_transaction_whose_leaves_cannot_be_made_concerns_its_sender_only(
    url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url, around=gate.around) as node:
        held = hold(node, gate)
        poison = transfer(node, 666)
        transaction_id = b64url(node.open(poison).transaction_id)

        def fault(kept: KeptOutcome, postings: Postings, author: Authorship, *rest: Any) -> list[bytes]:
            assert author.transaction != transaction_id, "a leaf stays within its length"
            return leaves(kept, postings, author, *rest)

        monkeypatch.setattr(group, "leaves", fault)
        sent = [node.send(raw) for raw in (transfer(node, 1), poison, transfer(node, 2))]
        wait_for_lines(node, 3)
        gate.open()
        assert held.result(ANSWER_S).outcome == "accepted"
        assert refusal_of(sent[1]) == "undecidable"
        assert {sent[0].result(ANSWER_S).outcome, sent[2].result(ANSWER_S).outcome} == {"accepted"}
        assert node.state.get(BALANCES, A_ONE) == 1 + 1 + 2


def test_a_broken_invariant_stops_the_node_even_inside_a_decision(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pilot_node(url) as node:

        def fault(*_: object, **__: object) -> None:
            raise InvariantBroken("a balance is below zero")

        with monkeypatch.context() as patch:
            patch.setattr(Rulebook, "decide", fault)
            assert node.problem(transfer(node)) == "node_broken"
        assert node.sequencer.failure is not None


def test_a_fault_in_the_opening_concerns_one_sender_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pilot_node(url) as node:

        def fault(*_: object, **__: object) -> None:
            raise ZeroDivisionError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(opening, "open_transaction", fault)
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
            noted = Noted(job.raw, job.loop, job.respond)
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
    clock = HandClock()
    with pilot_node(url, clock=clock) as node:
        raw = transfer(node)
        clock.has_jumped = True
        for _ in range(3):
            node.problem(raw)
        assert node.sequencer.failure is not None
        assert node.sequencer.failure.__traceback__ is None
