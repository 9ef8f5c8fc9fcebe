"""Snapshots and starting: a restart from a snapshot and a full replay come to the same state."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.genesis import InvalidGenesis
from ledger.log import snapshot
from ledger.log.block import Block
from ledger.log.block_store import HeadBehind, StoreInUse
from ledger.log.group import UnknownRulebook
from ledger.log.replay import Replay, ReplayFault
from ledger.log.snapshot import load_newest, write_snapshot
from ledger.log.startup import LogKeyMissing, open_log
from ledger.log.stores import open_store
from ledger.rules.core import CORE_MODULES
from ledger.rules.day_close import RulebookSet
from ledger.rules.keys import LogKeyRotate
from ledger.rules.rulebook import Rulebook
from ledger.state import Table
from tests.book import CORE_RULEBOOK, genesis_document, key_of
from tests.log.exports import RULEBOOKS
from tests.log.node import A_ONE, A_OWN, Node, log_keyring, pilot_node, populate
from tests.log.scribe import MemoryReader, Scribe
from tests.log.stage import day_close


def replay_of(pilot: Scribe, height: int | None = None) -> Replay:
    """A full replay up to a height."""
    replay = Replay(pilot.document, pilot.replay.rulebooks)
    for block in pilot.blocks[: None if height is None else height + 1]:
        replay.apply(block)
    return replay


def loaded(directory: Path, pilot: Scribe, **options: Any) -> Replay | None:
    """A replay put at the newest snapshot that is believed, if there is one."""
    replay = Replay(pilot.document, pilot.replay.rulebooks)
    return replay if load_newest(directory, replay, MemoryReader(pilot.blocks), **options) else None


def test_a_restart_from_a_snapshot_equals_a_full_replay(store_url: str, tmp_path: Path) -> None:
    snapshots = tmp_path / "snapshots"
    with pilot_node(store_url, snapshots=snapshots) as node:
        write_snapshot(snapshots, node.replayed())
        for amount in range(1, 4):
            node.pay("bank-a", A_OWN, A_ONE, amount)
        raw = node.signed("day_close", day_close(), by="operator")
        receipt = node.receipt(raw)
        node.restart()
        assert node.opened.replayed_blocks == 4
        full = node.replayed()
        assert node.state.digest() == full.state.digest()
        assert node.sequencer.position == full.position
        assert node.sequencer.checkpoint == full.checkpoint
        assert node.receipt(raw) == receipt
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
        node.replayed()


def test_a_snapshot_tells_the_whole_position(pilot: Scribe, tmp_path: Path) -> None:
    full = replay_of(pilot)
    write_snapshot(tmp_path, full)
    resumed = loaded(tmp_path, pilot)
    assert resumed is not None
    assert (resumed.position, resumed.epoch, resumed.checkpoint) == (full.position, full.epoch, full.checkpoint)
    assert resumed.state.digest() == full.state.digest()


def test_decisions_that_look_through_tables_do_not_depend_on_a_snapshot(pilot: Scribe, tmp_path: Path) -> None:
    """Tables come back from a snapshot in another order; the trial balance of a day close goes through them."""
    write_snapshot(tmp_path, replay_of(pilot))
    pilot.close_day("2024-12-25")
    resumed = loaded(tmp_path, pilot)
    assert resumed is not None
    resumed.apply(pilot.blocks[-1])
    assert resumed.state.digest() == pilot.state.digest()


def test_there_need_not_be_a_snapshot(pilot: Scribe, tmp_path: Path) -> None:
    assert loaded(tmp_path / "nowhere", pilot) is None
    assert loaded(tmp_path, pilot) is None


def test_two_snapshots_are_kept_and_those_above_are_not_touched(pilot: Scribe, tmp_path: Path) -> None:
    foreign = tmp_path / "000000009999.snapshot"
    foreign.write_bytes(b"of another network")
    for height in (1, 3, 5, 7):
        write_snapshot(tmp_path, replay_of(pilot, height))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000005.snapshot",
        "000000000007.snapshot",
        foreign.name,
    ]


def test_a_height_may_be_asked_for(pilot: Scribe, tmp_path: Path) -> None:
    for height in (3, 6):
        write_snapshot(tmp_path, replay_of(pilot, height))
    newest = loaded(tmp_path, pilot, height_max=5)
    assert newest is not None
    assert newest.position.height == 3
    assert loaded(tmp_path, pilot, height_max=2) is None


def _torn(data: bytes) -> bytes:
    return data[:-7]


def _flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


def _rewritten(**members: Any) -> Callable[[bytes], bytes]:
    """The snapshot with other members and a digest that holds."""

    def rewrite(data: bytes) -> bytes:
        content = msgspec.msgpack.decode(data[32:])
        content.update(members)
        encoded = msgspec.msgpack.encode(content)
        return hashlib.sha256(encoded).digest() + encoded

    return rewrite


def _sealed(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _data: hashlib.sha256(content).digest() + content


@pytest.mark.parametrize(
    "damage",
    [
        _torn,
        _flipped,
        lambda _data: b"",
        _sealed(b"\xc1"),
        _sealed(msgspec.msgpack.encode({})),
        _rewritten(version=0),
        _rewritten(network="other:" + "A" * 43),
        _rewritten(rulebook=9),
        _rewritten(block_digest=bytes(32)),
        _rewritten(height=4),
        _rewritten(height=99),
        _rewritten(range=bytes(8)),
        _rewritten(range=b"torn"),
        _rewritten(state=[b""]),
        _rewritten(state=[b"no tables", b"{}", b""]),
    ],
)
def test_a_snapshot_that_does_not_hold_is_passed_over_for_the_one_before(
    pilot: Scribe, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    write_snapshot(tmp_path, replay_of(pilot, 3))
    newest = write_snapshot(tmp_path, replay_of(pilot, 6))
    newest.write_bytes(damage(newest.read_bytes()))
    replay = loaded(tmp_path, pilot)
    assert replay is not None
    assert replay.position.height == 3
    assert replay.state.digest() == replay_of(pilot, 3).state.digest()


def test_a_snapshot_whose_tables_were_others_is_passed_over(pilot: Scribe, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, replay_of(pilot, 6))
    content = msgspec.msgpack.decode(path.read_bytes()[32:])
    accounts = content["state"].index(b"accounts") + 1
    content["state"][accounts] = b'{"KZ":{"unknown":1}}'
    path.write_bytes(_rewritten(state=content["state"])(path.read_bytes()))
    assert loaded(tmp_path, pilot) is None


def test_a_snapshot_that_goes_while_it_is_looked_at_is_passed_over(pilot: Scribe, tmp_path: Path) -> None:
    write_snapshot(tmp_path, replay_of(pilot, 3))
    newest = write_snapshot(tmp_path, replay_of(pilot, 6))
    newest.unlink()
    newest.symlink_to(tmp_path / "gone")
    replay = loaded(tmp_path, pilot)
    assert replay is not None
    assert replay.position.height == 3


def test_a_snapshot_of_a_history_that_was_lost_is_passed_over(pilot: Scribe, tmp_path: Path) -> None:
    write_snapshot(tmp_path, replay_of(pilot))
    other = Scribe()
    populate(other, amount=77)
    assert other.network == pilot.network
    assert loaded(tmp_path, other) is None


def test_an_empty_store_gets_the_genesis_block_and_an_existing_one_keeps_its_own(store_url: str) -> None:
    document = genesis_document()
    digests = []
    for replayed in (1, 1):
        store = open_store(store_url)
        opened = open_log(store, document, RULEBOOKS, snapshots=Path("/nonexistent"), keyring=log_keyring())
        assert opened.replayed_blocks == replayed
        digests.append(opened.replay.position.digest)
        block = store.read(0)
        assert block is not None
        assert block.leaf_count == 2
        store.close()
    assert digests[0] == digests[1]


def test_a_store_of_another_network_is_refused_at_its_first_block(url: str) -> None:
    with Node(url):
        pass
    with pytest.raises(ReplayFault, match="block 0"):
        Node(url, document=genesis_document(cap_per_day=1))


def test_a_document_that_does_not_hold_is_refused_before_the_store_is_touched(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidGenesis):
        open_log(open_store(url), b"{}", RULEBOOKS, snapshots=tmp_path, keyring=log_keyring())
    with pytest.raises(UnknownRulebook, match="known are"):
        open_log(open_store(url), genesis_document(), {}, snapshots=tmp_path, keyring=log_keyring())
    assert not (tmp_path / "ledger.db").exists()


def test_a_node_without_the_log_key_in_force_does_not_start(url: str) -> None:
    with pytest.raises(LogKeyMissing, match=key_of("log").public.kid):
        Node(url, keyring=log_keyring("log-2"))
    with pilot_node(url, keyring=log_keyring("log", "log-2")) as node:
        rotate = LogKeyRotate(x=key_of("log-2").public.x)
        node.submit("log_key_rotate", rotate, by="operator", signers=("operator-1", "operator-2", "log", "log-2"))
    with pytest.raises(LogKeyMissing, match=key_of("log-2").public.kid):
        Node(url, keyring=log_keyring("log"))
    # The key of genesis may be destroyed once it was rotated.
    with Node(url, keyring=log_keyring("log-2")) as node:
        assert node.sequencer.failure is None


def test_a_node_without_the_rules_in_force_does_not_start(url: str) -> None:
    both = {1: CORE_RULEBOOK, 2: Rulebook(2, CORE_MODULES)}
    with pilot_node(url, rulebooks=both) as node:
        node.submit("rulebook_set", RulebookSet(version=2), by="central-bank")
        node.close_day("2024-12-25")
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
    with pytest.raises(UnknownRulebook, match="rulebook 2"):
        Node(url, rulebooks=RULEBOOKS)
    with Node(url, rulebooks=both) as node:
        assert node.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"


def test_a_node_that_comes_second_is_refused_before_it_reads_anything(url: str) -> None:
    with Node(url) as node:
        store = open_store(url)
        with pytest.raises(StoreInUse):
            open_log(store, node.document, RULEBOOKS, snapshots=Path("/nonexistent"), keyring=log_keyring())


def test_a_database_put_back_from_an_old_copy_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    document = genesis_document()
    store = open_store(url, checkpoint_path=kept)
    open_log(store, document, RULEBOOKS, snapshots=tmp_path, keyring=log_keyring())
    store.close()
    kept.write_text(kept.read_text().replace("\n2\n", "\n9\n"))
    with pytest.raises(HeadBehind):
        open_log(open_store(url, checkpoint_path=kept), document, RULEBOOKS, snapshots=tmp_path, keyring=log_keyring())


def test_blocks_that_do_not_follow_stop_a_start(pilot: Scribe) -> None:
    replay = replay_of(pilot, 3)
    with pytest.raises(ReplayFault, match="block 4: expected block 4, got block 6"):
        replay.apply(pilot.blocks[6])
    block = pilot.blocks[4]
    for changed, cause in (
        ({"first_sequence": block.first_sequence + 1}, "expected first leaf"),
        ({"before": bytes(8)}, "compact range"),
        ({"body": b"\xc1"}, "cannot be read"),
        ({"leaf_hashes": block.leaf_hashes[:-1]}, "a salt for each"),
    ):
        with pytest.raises(ReplayFault, match=cause):
            replay.apply(msgspec.structs.replace(block, **changed))
    replay.apply(block)


def test_a_genesis_block_is_checked_as_every_other(pilot: Scribe) -> None:
    genesis, first = pilot.blocks[:2]

    def fault(block: Block) -> str:
        with pytest.raises(ReplayFault) as caught:
            Replay(pilot.document, RULEBOOKS).apply(block)
        assert caught.value.height == 0
        return caught.value.cause

    at_zero = msgspec.structs.replace(first, height=0, first_sequence=0, before=genesis.before)
    assert "genesis leaf" in fault(at_zero)
    assert "time of genesis" in fault(msgspec.structs.replace(genesis, time_us=genesis.time_us + 1))
    assert "not the one decided" in fault(msgspec.structs.replace(genesis, leaf_hashes=bytes(64)))


def test_a_replay_may_leave_signatures_to_the_checkpoint_that_vouches_for_them(pilot: Scribe) -> None:
    trusting = Replay(pilot.document, RULEBOOKS, checks_signatures=False)
    for block in pilot.blocks:
        trusting.apply(block)
    assert trusting.state.digest() == replay_of(pilot).state.digest()


def test_the_version_of_the_format_is_part_of_the_file(pilot: Scribe, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, replay_of(pilot))
    assert msgspec.msgpack.decode(path.read_bytes()[32:])["version"] == snapshot.SNAPSHOT_VERSION


def test_tables_know_their_own_names(pilot: Scribe) -> None:
    tables: tuple[Table[Any], ...] = pilot.rulebook.tables
    assert len({table.name for table in tables}) == len(tables)
