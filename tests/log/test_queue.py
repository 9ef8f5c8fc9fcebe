"""The queue of verified transactions: bounded, fair, urgent ones first."""

import threading

import pytest

from ledger.log.queue import FairQueue, QueueFull


def put(queue: FairQueue[str], *items: str, weight: int = 1, size: int = 0) -> None:
    """Add items named after their participant: `a1` is a's."""
    for item in items:
        queue.put(item[0], item, weight=weight, size=size)


def test_within_a_participant_first_come_is_first_served() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a1", "a2", "a3")
    assert queue.take(10) == ["a1", "a2", "a3"]


def test_participants_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a1", "a2", "a3", "b1", "c1", "c2")
    assert queue.take(10) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_turns_go_on_from_one_block_to_the_next() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, *(f"a{number}" for number in range(5)), weight=8)
    put(queue, "b0", "b1")
    assert queue.take(8) == ["a0"]
    put(queue, "a5", weight=8)
    assert queue.take(8) == ["b0"]
    assert queue.take(8) == ["a1"]
    assert queue.take(8) == ["b1"]


def test_a_block_takes_no_more_than_its_lines_and_bytes_but_always_one() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a1", "a2", "a3", weight=4, size=10)
    assert queue.take(3) == ["a1"]
    assert queue.take(8, 15) == ["a2"]
    assert queue.take(8, 15) == ["a3"]
    put(queue, "a1", "a2", "a3", weight=4, size=10)
    assert queue.take(8, 100) == ["a1", "a2"]
    assert queue.lines == 4


def test_a_block_takes_no_more_than_so_many() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a1", "b1", "a2")
    assert queue.take(10, items_max=2) == ["a1", "b1"]
    assert queue.take(10, items_max=2) == ["a2"]


def test_the_queue_knows_whose_share_is_full() -> None:
    queue: FairQueue[str] = FairQueue(participant_items_max=2)
    put(queue, "a1", "a2", "b1")
    assert queue.crowded == {"a"}
    queue.take(1)
    assert not queue.crowded
    put(queue, "a3")
    assert queue.crowded == {"a"}
    queue.take(10)
    assert not queue.crowded


def test_each_bound_is_told_from_the_others() -> None:
    queue: FairQueue[str] = FairQueue(
        participant_items_max=2, participant_lines_max=10, participant_bytes_max=100, lines_max=15, bytes_max=150
    )
    put(queue, "a1", "a2")
    with pytest.raises(QueueFull, match="2 transactions of a"):
        put(queue, "a3")
    put(queue, "b1", weight=8)
    with pytest.raises(QueueFull, match="1 transactions of b with 8 lines"):
        put(queue, "b2", weight=3)
    with pytest.raises(QueueFull, match="too much is waiting in all"):
        put(queue, "c1", weight=6)
    put(queue, "d1", size=90)
    with pytest.raises(QueueFull, match="90 bytes"):
        put(queue, "d2", size=11)
    with pytest.raises(QueueFull, match="too much is waiting in all"):
        put(queue, "e1", size=61)
    assert queue.take(100) == ["a1", "b1", "d1", "a2"]
    assert queue.lines == 0
    put(queue, "c1", weight=15, size=150)


def test_one_that_is_larger_than_a_share_may_wait_alone() -> None:
    queue: FairQueue[str] = FairQueue(participant_lines_max=5)
    put(queue, "a1", weight=9)
    with pytest.raises(QueueFull):
        put(queue, "a2")


def test_urgent_ones_go_first_past_full_lanes() -> None:
    queue: FairQueue[str] = FairQueue(participant_items_max=1, urgent_max=3, participant_urgent_max=2)
    put(queue, "a1")
    queue.put("a", "a!", weight=1, is_urgent=True)
    queue.put("a", "a!!", weight=1, is_urgent=True)
    with pytest.raises(QueueFull, match="2 urgent transactions of a"):
        queue.put("a", "a!!!", weight=1, is_urgent=True)
    queue.put("b", "b!", weight=1, is_urgent=True)
    with pytest.raises(QueueFull, match="0 urgent transactions of c are waiting, or too many in all"):
        queue.put("c", "c!", weight=1, is_urgent=True)
    assert queue.take(10) == ["a!", "a!!", "b!", "a1"]
    queue.put("a", "a!", weight=1, is_urgent=True)
    assert queue.take(10) == ["a!"]


def test_whoever_waits_is_woken_by_the_first_to_come_and_by_the_end() -> None:
    queue: FairQueue[str] = FairQueue()
    taken: list[list[str]] = []

    def consume() -> None:
        while items := queue.take(10):
            taken.append(items)

    consumer = threading.Thread(target=consume)
    consumer.start()
    put(queue, "a1")
    queue.put("b", "b!", weight=1, is_urgent=True)
    queue.close()
    consumer.join(60)
    assert sorted(item for items in taken for item in items) == ["a1", "b!"]
    assert queue.take(10) == []


def test_nothing_comes_after_the_end() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a1")
    queue.close()
    with pytest.raises(AssertionError):
        put(queue, "a2")
    assert queue.take(10) == ["a1"]
    assert queue.take(10) == []
