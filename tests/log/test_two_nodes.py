"""Two nodes on one store: the second waits or takes over; what either acknowledged is in the log."""

import pytest

from ledger.log.block_store import StoreInUse
from ledger.log.receipts import Receipt
from ledger.rules.tables import BALANCES
from tests.log.faults import Point, paused
from tests.log.node import A_ONE, A_OWN, ANSWER_S, Node, pilot_node, receipt_bytes
from tests.rules.bodies import pay


def transfer(node: Node) -> bytes:
    return node.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a")


def assert_in_log(node: Node, answered: dict[bytes, Receipt]) -> None:
    """Each retry gets the first answer, and nothing else was decided."""
    for raw, receipt in answered.items():
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(receipt)
    assert node.state.get(BALANCES, A_ONE) == len(answered)
    assert node.replayed().state.digest() == node.state.digest()


def test_a_second_node_refuses_to_start_beside_a_live_one(store_url: str) -> None:
    with pilot_node(store_url) as first:
        with pytest.raises(StoreInUse):
            Node(store_url, clock=first.clock)
        assert first.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"


def test_a_node_that_is_taken_over_from_says_so_and_decides_nothing_more(store_url: str) -> None:
    with pilot_node(store_url) as first:
        answered = {raw: first.receipt(raw) for raw in (transfer(first) for _ in range(3))}
        with Node(store_url, clock=first.clock, take_over=True) as second:
            assert second.opened.epoch == first.opened.epoch + 1
            raw = transfer(second)
            answered[raw] = second.receipt(raw)
            assert first.problem(transfer(first)) == "node_deposed"
            assert first.problem(transfer(first)) == "node_deposed"
            assert_in_log(second, answered)


@pytest.mark.parametrize("point", [Point.BEFORE, Point.AFTER_COMMIT])
def test_a_node_deposed_in_the_middle_of_an_append_never_writes_again(store_url: str, point: Point) -> None:
    with pilot_node(store_url) as first:
        answered = {raw: first.receipt(raw) for raw in (transfer(first) for _ in range(3))}
        in_doubt = transfer(first)
        with paused(first.store, point) as pause:
            sent = first.send(in_doubt)
            pause.wait_until_reached()
            with Node(store_url, clock=first.clock, take_over=True) as second:
                raw = transfer(second)
                answered[raw] = second.receipt(raw)
                pause.release()
                error = sent.exception(ANSWER_S)
                if error is None:
                    # The commit had happened before the second node came: it was acknowledged rightly.
                    assert point is Point.AFTER_COMMIT
                    answered[in_doubt] = sent.result()
                assert first.problem(transfer(first)) == "node_deposed"
                height = second.store.head().height
                assert first.problem(in_doubt) == "node_deposed"
                assert second.store.head().height == height
                if error is not None:
                    answered[in_doubt] = second.receipt(in_doubt)
                assert_in_log(second, answered)
