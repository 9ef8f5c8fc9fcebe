"""Whoever a transaction claims to be from: only its own keys take its place in the queue and hear its first answers."""

from typing import Any

import pytest

from ledger.log.answers import Unavailable
from ledger.log.queue import FairQueue
from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.keys import KeyRevoke
from ledger.rules.opening import NotAdmissible
from ledger.units import Kid
from tests.book import key_of, wallet
from tests.log.node import A_ONE, A_OWN, ANSWER_S, Node, pilot_node, receipt_bytes
from tests.log.stage import Gate, HandClock, hold, refusal_of, transfer
from tests.rules.bodies import pay


def problem(node: Node, raw: bytes) -> str:
    """The code of the problem a submission must come to."""
    error = node.send(raw).exception(ANSWER_S)
    assert isinstance(error, NotAdmissible), f"expected a problem, got {error!r}"
    return error.code


def claimed(node: Node, *signers: str, by: str = "bank-a", **members: Any) -> bytes:
    """A payment that claims to be from a participant."""
    return node.signed("transfer", pay(A_OWN, A_ONE, 1), by=by, signers=signers, **members)


def revocation(node: Node, key: str, signer: str, *, by: str) -> bytes:
    body = KeyRevoke(kid=Kid(key_of(key).public.kid), reason="lost")
    return node.signed("key_revoke", body, by=by, signers=(signer,))


def test_a_stranger_takes_no_place_of_another_in_the_queue(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around, queue=FairQueue(participant_items_max=1)) as node:
        held = hold(node, gate)
        for _ in range(3):
            assert problem(node, claimed(node, "bank-b-1")) == "signatures_insufficient"
        assert node.sequencer.waiting_lines == 0
        own = node.send(transfer(node))
        gate.open()
        assert held.result(ANSWER_S).outcome == own.result(ANSWER_S).outcome == "accepted"


def test_a_stranger_takes_no_place_of_another_in_the_urgent_lane(url: str, gate: Gate) -> None:
    queue: FairQueue[Any] = FairQueue(participant_urgent_max=1)
    with pilot_node(url, around=gate.around, queue=queue) as node:
        held = hold(node, gate)
        assert problem(node, revocation(node, "bank-a-1", "bank-b-1", by="bank-a")) == "signatures_insufficient"
        assert problem(node, revocation(node, "bank-b-1", "bank-b-1", by="bank-a")) == "key_unknown"
        own = node.send(revocation(node, "bank-a-api", "bank-a-api", by="bank-a"))
        gate.open()
        assert held.result(ANSWER_S).outcome == own.result(ANSWER_S).outcome == "accepted"


def test_each_way_of_not_being_the_sender_has_its_code(url: str) -> None:
    with pilot_node(url) as node:
        node.revoke("bank-a", "bank-a-2")
        assert problem(node, claimed(node, "bank-a-1", by="bank-z")) == "participant_unknown"
        assert problem(node, claimed(node, "bank-a-2")) == "key_revoked"
        assert problem(node, claimed(node, "bank-a-api")) == "key_use_wrong"
        assert problem(node, claimed(node, "nobody")) == "key_unknown"
        assert problem(node, claimed(node, "bank-b-1", "operator-1")) == "signatures_insufficient"


def bound_account(number: int) -> NewAccount:
    return NewAccount(
        account=wallet("601", number),
        asset=TENGE,
        account_class="wallet",
        holder=f"holder-{number}",
        holder_key=key_of(f"holder-{number}").public.x,
    )


def test_a_key_that_the_body_brings_along_does_not_speak_for_the_sender(url: str) -> None:
    with pilot_node(url) as node:
        body = AccountOpen(accounts=(bound_account(7),))
        assert problem(node, node.signed("account_open", body, by="bank-a", signers=("holder-7",))) == (
            "signatures_insufficient"
        )


def test_more_keys_than_can_sign_are_refused_before_any_is_looked_at(url: str) -> None:
    with pilot_node(url) as node:
        body = AccountOpen(accounts=tuple(bound_account(number) for number in range(10, 26)))
        with pytest.raises(NotAdmissible, match="expected at most 15 keys"):
            node.receipt(node.signed("account_open", body, by="bank-a"))


def test_a_retry_whose_key_was_revoked_since_still_gets_its_first_answer(url: str) -> None:
    with pilot_node(url) as node:
        reference = node.reference()
        raw = claimed(node, "bank-a-2", reference=reference)
        first = node.receipt(raw)
        node.revoke("bank-a", "bank-a-2")
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(first)
        other = node.signed("transfer", pay(A_OWN, A_ONE, 2), by="bank-a", signers=("bank-a-2",), reference=reference)
        assert problem(node, other) == "reference_reused"
        assert problem(node, claimed(node, "bank-a-2")) == "key_revoked"


def test_a_first_answer_is_not_given_to_a_stranger(url: str) -> None:
    with pilot_node(url) as node:
        reference = node.reference()
        node.receipt(claimed(node, "bank-a-1", reference=reference))
        assert problem(node, claimed(node, "bank-b-1", reference=reference)) == "signatures_insufficient"
        # Nor is it told that there is one.
        assert problem(node, claimed(node, "bank-b-1")) == "signatures_insufficient"


def test_a_holder_gets_the_first_answer_of_what_it_signed(url: str) -> None:
    with pilot_node(url) as node:
        transaction = node.transaction("account_open", AccountOpen(accounts=(bound_account(8),)), by="bank-a")
        first = node.receipt(node.sign(transaction, [key_of("bank-a-1"), key_of("holder-8")]))
        assert receipt_bytes(node.receipt(node.sign(transaction, [key_of("holder-8")]))) == receipt_bytes(first)


def test_an_old_retry_whose_key_was_revoked_since_is_looked_up(url: str) -> None:
    found: dict[str, tuple[bytes, int, int]] = {}
    clock = HandClock()
    with pilot_node(url, clock=clock, older=lambda _, reference: found.get(reference)) as node:
        raw = claimed(node, "bank-a-2")
        first = node.receipt(raw)
        node.revoke("bank-a", "bank-a-2")
        clock.time_us += 48 * 3_600_000_000
        node.pay("bank-a", A_OWN, A_ONE, 1)
        assert refusal_of(node.send(raw)) == "reference_expired"
        found[first.reference] = (node.open(raw).transaction_id[:16], first.height, 0)
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(first)


def test_what_others_have_waiting_is_told_to_nobody(url: str, gate: Gate) -> None:
    with pilot_node(url, around=gate.around, queue=FairQueue(lines_max=1)) as node:
        held = hold(node, gate)
        waiting = node.send(transfer(node))
        while node.sequencer.waiting_lines < 1:
            gate.reached.wait(0.001)
        error = node.send(node.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-b")).exception(ANSWER_S)
        assert isinstance(error, Unavailable)
        assert (error.code, error.detail) == ("queue_full", "too much is waiting in all")
        gate.open()
        assert held.result(ANSWER_S).outcome == waiting.result(ANSWER_S).outcome == "accepted"


def test_a_holder_key_alone_is_no_signature_of_the_bank(url: str) -> None:
    with pilot_node(url) as node:
        node.submit(
            "account_open", AccountOpen(accounts=(bound_account(9),)), by="bank-a", signers=("bank-a-1", "holder-9")
        )
        assert problem(node, claimed(node, "holder-9")) == "key_use_wrong"
        raw = node.signed("transfer", pay(wallet("601", 9), A_ONE, 1), by="bank-a", signers=("holder-9",))
        assert problem(node, raw) == "signatures_insufficient"
