"""An append that failed may have happened (design D20): no outcome is lost or doubled, no size signed twice."""

import itertools
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ledger.log import commit
from ledger.log.answers import Unavailable
from ledger.log.block import Block
from ledger.log.block_store import AppendUncertain, BlockStore, Deposed, Head, StoreBroken
from ledger.log.receipts import Receipt
from ledger.rules.tables import BALANCES
from tests.log.faults import POINTS_WITHOUT_TRACE, Point, failing
from tests.log.node import A_ONE, A_OWN, ANSWER_S, Node, RecordingKey, pilot_node, receipt_bytes, recording_keyring
from tests.rules.bodies import pay

STEPS: Final = ("well", "before", "after")
"""What becomes of one call: it works; it fails and does nothing; it fails after it was done."""


class FlakyStore:
    """Goes between a sequencer and its store and makes calls fail as scripted; unscripted ones work."""

    def __init__(self) -> None:
        self.script: deque[str | Exception] = deque()

    def around(self, store: BlockStore) -> BlockStore:
        append, reopen = store.append, store.reopen

        def scripted_append(block: Block) -> None:
            with_step = self._step()
            self._fail(with_step, "before")
            append(block)
            self._fail(with_step, "after")

        def scripted_reopen() -> Head:
            with_step = self._step()
            self._fail(with_step, "before")
            head = reopen()
            self._fail(with_step, "after")
            return head

        store.append = scripted_append  # type: ignore[method-assign]
        store.reopen = scripted_reopen  # type: ignore[method-assign]
        return store

    def _step(self) -> str | Exception:
        return self.script.popleft() if self.script else "well"

    def _fail(self, step: str | Exception, when: str) -> None:
        if step == when:
            raise AppendUncertain(f"scripted, {when}")
        if isinstance(step, Exception) and when == "before":
            raise step


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "RESOLVE_WAIT_S", 0.0)


@pytest.fixture
def flaky() -> FlakyStore:
    return FlakyStore()


@pytest.fixture
def recorded() -> Iterator[RecordingKey]:
    """The log key; when the test ends, it has signed one root for each size."""
    _, key = recording_keyring()
    yield key
    assert all(len(roots) == 1 for roots in key.checkpoints().values())


def keyring(key: RecordingKey) -> dict[str, object]:
    return {"keyring": {key.public.kid: key}}


def transfer(node: Node) -> bytes:
    return node.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a")


def insist(node: Node, raw: bytes) -> Receipt:
    """Send the same bytes until there is an answer, as a client does."""
    for _ in range(20):
        error = (sent := node.send(raw)).exception()
        if error is None:
            return sent.result()
        assert isinstance(error, Unavailable)
        assert error.code in ("outcome_unknown", "store_unavailable")
        assert error.retry_after_s is not None
    raise AssertionError("the doubt was never settled")


@pytest.mark.parametrize("point", Point)
def test_an_append_that_fails_is_settled_and_its_sender_gets_one_outcome(
    store_url: str, point: Point, recorded: RecordingKey
) -> None:
    with pilot_node(store_url, **keyring(recorded)) as node:
        epoch = node.opened.epoch
        raw = transfer(node)
        with failing(node.store, point):
            # In PostgreSQL a trigger fails every append, so there the doubt may outlast the first answer.
            node.send(raw).exception(ANSWER_S)
        receipt = insist(node, raw)
        assert receipt.outcome == "accepted"
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(receipt)
        assert node.state.get(BALANCES, A_ONE) == 1
        assert node.receipt(transfer(node)).height == receipt.height + 1
        head = node.store.head()
        assert head.epoch > epoch
        assert head.checkpoint == node.sequencer.checkpoint
        node.restart()
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(receipt)
        assert node.replayed().state.digest() == node.state.digest()


def test_whatever_fails_in_whatever_order_no_outcome_is_lost_or_doubled(
    tmp_path: Path, flaky: FlakyStore, recorded: RecordingKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "RESOLVE_ATTEMPTS", 2)
    with pilot_node(f"sqlite:///{tmp_path / 'ledger.db'}", around=flaky.around, **keyring(recorded)) as node:
        answered: dict[bytes, bytes] = {}
        # A call may be an append or a reopening, as the calls before it came out.
        for script in itertools.product(STEPS, repeat=4):
            flaky.script = deque(script)
            raw = transfer(node)
            answered[raw] = receipt_bytes(insist(node, raw))
            flaky.script.clear()
        assert node.state.get(BALANCES, A_ONE) == len(answered) == 3**4
        for raw, first in answered.items():
            assert receipt_bytes(node.receipt(raw)) == first
        replayed = node.replayed()
        assert replayed.state.digest() == node.state.digest()
        assert replayed.checkpoint == node.sequencer.checkpoint
        assert set(recorded.checkpoints()) == {block.size for block in node.store.blocks()}


def test_while_the_doubt_lasts_nothing_is_decided_and_the_senders_are_told_apart(
    store_url: str, flaky: FlakyStore, recorded: RecordingKey
) -> None:
    with pilot_node(store_url, around=flaky.around, **keyring(recorded)) as node:
        position = node.sequencer.position
        raw, other = transfer(node), transfer(node)
        flaky.script = deque(["before", *["before"] * commit.RESOLVE_ATTEMPTS, "before", "after"])
        assert node.problem(raw) == "outcome_unknown"
        assert node.sequencer.position == position
        assert node.problem(other) == "store_unavailable"
        assert node.problem(raw) == "store_unavailable"
        assert node.sequencer.position == position
        assert node.sequencer.failure is None
        first = node.receipt(raw)
        assert node.receipt(other).height == first.height + 1


def test_an_append_that_came_through_unseen_is_found_at_the_next_look(
    store_url: str, flaky: FlakyStore, recorded: RecordingKey
) -> None:
    with pilot_node(store_url, around=flaky.around, **keyring(recorded)) as node:
        raw = transfer(node)
        flaky.script = deque(["after", *["before"] * commit.RESOLVE_ATTEMPTS])
        assert node.problem(raw) == "outcome_unknown"
        height = node.store.head().height
        assert node.receipt(raw).height == height
        assert node.state.get(BALANCES, A_ONE) == 1


@pytest.mark.parametrize("calls_before", [0, 1, 2])
@pytest.mark.parametrize(
    ("failure", "code"),
    [(StoreBroken("the disk is full"), "node_broken"), (Deposed("another node took over"), "node_deposed")],
)
def test_a_store_that_breaks_or_is_taken_over_ends_all_deciding(
    store_url: str, flaky: FlakyStore, recorded: RecordingKey, calls_before: int, failure: Exception, code: str
) -> None:
    with pilot_node(store_url, around=flaky.around, **keyring(recorded)) as node:
        raw = transfer(node)
        height = node.store.head().height
        flaky.script = deque([*["before", "well"][:calls_before], failure])
        known = code == "node_deposed" and calls_before == 0
        assert node.problem(raw) == (code if known else "outcome_unknown")
        assert node.sequencer.failure is not None
        assert node.sequencer.failure.code == code
        assert node.problem(raw) == node.problem(transfer(node)) == code
        assert node.store.head().height == height
        assert len(recorded.checkpoints()) == height + 2


def test_a_store_that_breaks_while_others_wait_tells_them_so(
    store_url: str, flaky: FlakyStore, recorded: RecordingKey
) -> None:
    with pilot_node(store_url, around=flaky.around, **keyring(recorded)) as node:
        flaky.script = deque([*["before"] * (1 + commit.RESOLVE_ATTEMPTS), StoreBroken("the disk is full")])
        assert node.problem(transfer(node)) == "outcome_unknown"
        assert node.problem(transfer(node)) == "store_unavailable"
        assert node.problem(transfer(node)) == "node_broken"


def test_a_strange_block_in_the_place_of_the_doubtful_one_is_another_nodes(
    tmp_path: Path, flaky: FlakyStore, recorded: RecordingKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(f"sqlite:///{tmp_path / 'ledger.db'}", around=flaky.around, **keyring(recorded)) as node:
        flaky.script = deque(["after"])
        reopen = node.store.reopen

        def reopen_elsewhere() -> Head:
            head = reopen()
            return Head(
                epoch=head.epoch, height=head.height, digest=bytes(32), size=head.size, checkpoint=head.checkpoint
            )

        monkeypatch.setattr(node.store, "reopen", reopen_elsewhere)
        assert node.problem(transfer(node)) == "outcome_unknown"
        assert node.problem(transfer(node)) == "node_deposed"


@pytest.mark.parametrize("point", [*POINTS_WITHOUT_TRACE, Point.AFTER_COMMIT])
def test_a_node_that_stops_in_doubt_leaves_one_outcome_behind(
    store_url: str, flaky: FlakyStore, recorded: RecordingKey, point: Point
) -> None:
    with pilot_node(store_url, around=flaky.around, **keyring(recorded)) as node:
        raw = transfer(node)
        height = node.store.head().height
        flaky.script = deque(["well", *["before"] * commit.RESOLVE_ATTEMPTS])
        with failing(node.store, point):
            assert node.problem(raw) == "outcome_unknown"
        is_there = node.store.head().height > height
        assert is_there is (point is Point.AFTER_COMMIT)
        node.sequencer.stop()
        node.store.close()
        if not is_there:
            # Its checkpoint was seen by nobody: it neither left the node nor stands in the store.
            recorded.signed.pop()
        node._open(take_over=False, starts=True)
        receipt = node.receipt(raw)
        assert receipt.height == height + 1
        assert receipt_bytes(node.receipt(raw)) == receipt_bytes(receipt)
        assert node.state.get(BALANCES, A_ONE) == 1
