"""The sequencer: what stands in one block, and who waits for whom."""

import threading

import pytest

from ledger.log import reception, sequencer
from ledger.log.block import decode_body
from ledger.log.queue import FairQueue
from ledger.log.receipts import Receipt
from ledger.rules.keys import KeyRevoke
from ledger.rules.tables import BALANCES
from ledger.units import Kid
from tests.book import key_of
from tests.log.node import (
    A_ONE,
    A_OWN,
    A_TWO,
    ANSWER_S,
    B_ONE,
    Node,
    pilot_node,
    receipt_bytes,
)
from tests.log.stage import Gate, day_close, hold, refusal_of, transfer, wait_for_lines
from tests.rules.bodies import bulk, pay


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
        sent.append(node.send(node.signed("day_close", day_close(), by="operator")))
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
        revoked = node.send(node.signed("key_revoke", KeyRevoke(kid=kid, reason="order-17"), by="bank-a"))
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
