"""The parts of the client that need no node."""

import uuid

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import jws
from ledger.crypto.keys import PrivateKey
from ledger.crypto.merkle import CompactRange, leaf_hash
from ledger.crypto.note import Checkpoint, sign_checkpoint
from ledger.log.receipts import BlockProof, InvalidReceipt, Receipt
from ledger.model.transactions import reference_time_us
from ledger.units import TimestampUs
from tests.client.transports import Failing, problem
from wallet_api.client import ForkedLog, MemoryStore, Retry, Unreachable, new_reference, prepare, sign
from wallet_api.client.checkpoints import PENDING_MAX, CheckpointMemory
from wallet_api.client.connection import Connection
from wallet_api.client.proof import checkpoint_of

LOG = PrivateKey.from_seed(b"l" * 32)
OLD_LOG = PrivateKey.from_seed(b"o" * 32)
ORIGIN = "digital-tenge/town"


@given(st.integers(min_value=0, max_value=2**48 * 1_000 - 1))
def test_a_reference_is_a_uuid_of_version_7_that_carries_its_time(time_us: int) -> None:
    reference = new_reference(TimestampUs(time_us))
    parsed = uuid.UUID(reference)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, reference)
    assert reference_time_us(reference) == time_us // 1_000 * 1_000


def test_references_of_one_moment_differ() -> None:
    assert len({new_reference(TimestampUs(1)) for _ in range(1_000)}) == 1_000


def test_a_transaction_is_made_and_signed_without_a_connection() -> None:
    payload = prepare("day_close", {"closes": "2025-01-01", "opens": "2025-01-02"}, network="n", participant="operator")
    envelope = jws.parse(sign(payload, [LOG]), typ=jws.TYP_TRANSACTION)
    assert envelope.payload == payload
    assert [signature.kid for signature in envelope.signatures] == [LOG.public.kid]


def _checkpoint(size: int, *, salt: bytes = b"", key: PrivateKey = LOG) -> str:
    root = CompactRange().append_many([leaf_hash(b"%d%b" % (leaf, salt)) for leaf in range(size)]).root()
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), key)


def _memory(
    *, first: str | None = None, proof: tuple[bytes, ...] = (), calls: list[tuple[int, int]]
) -> CheckpointMemory:
    def fetch(one: int, other: int) -> tuple[bytes, ...]:
        calls.append((one, other))
        return proof

    return CheckpointMemory(
        origin=ORIGIN, keys=(OLD_LOG.public, LOG.public), store=MemoryStore(first), fetch_proof=fetch
    )


def test_two_roots_of_one_size_are_a_fork() -> None:
    calls: list[tuple[int, int]] = []
    memory = _memory(first=_checkpoint(3), calls=calls)
    with pytest.raises(ForkedLog, match="one size"):
        memory.note(_checkpoint(3, salt=b"x"), checks_now=True)
    waiting = _memory(calls=calls)
    waiting.note(_checkpoint(3), checks_now=False)
    with pytest.raises(ForkedLog, match="one size"):
        waiting.note(_checkpoint(3, salt=b"x"), checks_now=False)
    assert not calls


def test_a_checkpoint_signed_by_the_log_before_its_key_was_rotated_still_counts() -> None:
    memory = _memory(calls=[])
    memory.note(_checkpoint(3, key=OLD_LOG), checks_now=True)
    memory.note(_checkpoint(3), checks_now=True)
    assert memory.newest is not None


def test_checkpoints_that_wait_are_checked_before_there_are_too_many() -> None:
    calls: list[tuple[int, int]] = []
    memory = _memory(calls=calls)
    for size in range(1, PENDING_MAX):
        memory.note(_checkpoint_of_any_root(size), checks_now=False)
    assert not calls
    with pytest.raises(ForkedLog):
        # The proofs fetched here prove nothing, so the first link already breaks.
        memory.note(_checkpoint_of_any_root(PENDING_MAX), checks_now=False)
    assert calls == [(1, 2)]


def _checkpoint_of_any_root(size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, size.to_bytes(32, "big")), LOG)


def test_the_wait_that_the_node_asks_for_is_kept() -> None:
    slept: list[float] = []
    transport = Failing(
        [
            problem(429, "queue_full", **{"retry-after": "3"}),
            problem(503, "store_unavailable", **{"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
            httpx2.Response(204),
        ]
    )
    connection = Connection(
        "http://node",
        retry=Retry(give_up_after_s=60.0, first_wait_s=0.5, longest_wait_s=1.0),
        http=httpx2.Client(base_url="http://node", transport=transport),
        sleep=slept.append,
        monotonic=lambda: 0.0,
    )
    assert connection.send("GET", "/x").status_code == 204
    connection.close()
    assert slept[0] == 3.0
    assert 0.0 <= slept[1] <= 1.0


def test_a_client_gives_up_in_its_own_time() -> None:
    now = [0.0]
    transport = Failing([httpx2.ConnectError("away")] * 1_000)

    def sleep(seconds: float) -> None:
        now[0] += seconds + 1.0

    connection = Connection(
        "http://node",
        retry=Retry(give_up_after_s=10.0),
        http=httpx2.Client(base_url="http://node", transport=transport),
        sleep=sleep,
        monotonic=lambda: now[0],
    )
    with pytest.raises(Unreachable, match="ConnectError"):
        connection.send("GET", "/x")
    connection.close()
    assert 5 < len(transport.sent) < 12


def test_a_receipt_without_a_proof_has_no_checkpoint() -> None:
    empty = Receipt(
        network="n",
        participant="bank-a",  # type: ignore[arg-type]
        reference="r",  # type: ignore[arg-type]
        transaction_id="t",
        kind="transfer",
        outcome="accepted",
        height=1,
        time_us=TimestampUs(1),
        sequence=0,
        leaf_count=0,
        block=BlockProof(leaf="", path=()),
    )
    with pytest.raises(InvalidReceipt):
        checkpoint_of(empty)
