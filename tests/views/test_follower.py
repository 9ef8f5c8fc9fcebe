"""Whatever happens to a follower, its views are those of a prefix of the log, and say which."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy import event, inspect

from ledger.log.block import Block
from ledger.log.replay import Replay, ReplayFault
from ledger.model.accounts import iban
from ledger.model.outcome import Refused
from ledger.views import follower as follower_module
from ledger.views import writer as writer_module
from ledger.views.applied import ViewsFault
from ledger.views.database import write_engine
from ledger.views.follower import SNAPSHOT_PAUSE, Follower
from ledger.views.queries import ViewReader
from ledger.views.schema import ACCOUNT_HEADS, METADATA
from tests.book import CORE_RULEBOOK, genesis_document
from tests.views.chain import BANK_OWN, WALLET_1, Chain, random_blocks
from tests.views.comparing import Altered, dump, expected_dump

NewFollower = Callable[..., Follower]


def test_batches_and_restarts_leave_no_trace(
    chain: Chain, new_follower: NewFollower, views_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "HEADS_IN_MEMORY", 2)
    chain.pilot()
    for seed in range(6):
        new_follower(snapshot_every=60).catch_up()
        random_blocks(chain, seed, seed=seed)
    follower = new_follower()
    random_blocks(chain, 40, seed=9)
    monkeypatch.setattr(follower_module, "LEAVES_PER_BATCH", 50)
    heights: list[int] = []
    follower.catch_up(lambda applied: heights.append(applied.height))
    assert len(heights) > 2
    assert heights[-1] == chain.position.height
    assert dump(views_url) == expected_dump(chain, tmp_path)


def test_a_restart_replays_from_the_newest_snapshot_the_views_have_reached(
    chain: Chain, new_follower: NewFollower, tmp_path: Path
) -> None:
    chain.pilot()
    new_follower(snapshot_every=1).catch_up()
    random_blocks(chain, 3)
    refuse = Altered(chain.reader(), 1, lambda block: pytest.fail("the block was read again"))
    views_url = f"sqlite:///{tmp_path / 'second.db'}"
    # A snapshot stands at height 3, but views that are empty need every block.
    follower = Follower(chain.reader(), chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots")
    follower.catch_up()
    follower.close()
    follower = Follower(refuse, chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots")
    assert follower.open().height == chain.position.height
    follower.close()


@pytest.mark.parametrize(("seconds", "snapshots"), [(1 + SNAPSHOT_PAUSE, 2), (SNAPSHOT_PAUSE, 1)])
def test_a_snapshot_waits_for_some_times_as_long_as_the_last_one_took(
    chain: Chain,
    new_follower: NewFollower,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    snapshots: int,
) -> None:
    clock = iter((0, 10, 11, 10 + seconds, 30, 31))
    monkeypatch.setattr(follower_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    chain.pilot()
    follower = new_follower(snapshot_every=1)
    follower.apply_batch()
    random_blocks(chain, 1)
    follower.apply_batch()
    assert len(list((tmp_path / "snapshots").glob("*.snapshot"))) == snapshots


def test_a_rebuild_gives_the_same_views(
    chain: Chain, new_follower: NewFollower, views_url: str, tmp_path: Path
) -> None:
    chain.pilot()
    random_blocks(chain, 10)
    new_follower().catch_up()
    before = dump(views_url)
    heights: list[int] = []
    engine = write_engine(views_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE view_of_an_older_version (x INTEGER)")
        connection.exec_driver_sql("CREATE TABLE of_somebody_else (x INTEGER)")
    follower = new_follower()
    follower.rebuild(lambda applied: heights.append(applied.height))
    assert heights[-1] == chain.position.height
    assert dump(views_url) == before == expected_dump(chain, tmp_path)
    with engine.begin() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    assert names == {table.name for table in METADATA.sorted_tables} | {"of_somebody_else"}
    random_blocks(chain, 1)
    follower.catch_up()
    assert follower.apply_batch() is None


@pytest.mark.parametrize(
    "alter",
    [
        lambda block: msgspec.structs.replace(block, leaf_hashes=bytes(32) + block.leaf_hashes[32:]),
        lambda block: msgspec.structs.replace(block, time_us=block.time_us + 1),
        lambda block: msgspec.structs.replace(block, body=b""),
    ],
    ids=["leaf", "time", "body"],
)
def test_a_block_that_does_not_follow_stops_the_follower_where_it_stands(
    chain: Chain,
    new_follower: NewFollower,
    views: ViewReader,
    views_url: str,
    tmp_path: Path,
    alter: Callable[[Block], Block],
) -> None:
    chain.pilot()
    random_blocks(chain, 4)
    reader = Altered(chain.reader(), 5, alter)
    follower = Follower(reader, chain.replay(), database_url=views_url, snapshots=tmp_path / "snapshots")
    with pytest.raises(ReplayFault, match="block 5"):
        follower.catch_up()
    assert views.applied().height == 4, "what came before it was applied"
    with pytest.raises(AssertionError, match="a follower that failed"):
        follower.apply_batch()
    follower.close()
    reader.close()
    new_follower().catch_up()
    assert dump(views_url) == expected_dump(chain, tmp_path)


def test_a_transaction_that_fails_at_any_statement_applies_nothing(
    chain: Chain, new_follower: NewFollower, views: ViewReader, views_url: str, tmp_path: Path
) -> None:
    chain.pilot()
    new_follower().catch_up()
    before = dump(views_url)
    random_blocks(chain, 5)
    chain.block(chain.redeem(1, "RTGS-9"), chain.close_day("2024-12-24", "2024-12-25"))
    failing_statement = 0
    while True:
        failing_statement += 1
        follower = new_follower()
        follower.open()
        count = _fail_at(follower, failing_statement)
        try:
            follower.catch_up()
        except _Killed:
            assert dump(views_url) == before
            assert count() == failing_statement
            continue
        assert count() < failing_statement, "every statement of the transaction failed once"
        break
    assert failing_statement >= 8, "the lock, the heads, the upserts, the commit"
    assert dump(views_url) == expected_dump(chain, tmp_path)


class _Killed(Exception):
    pass


def _fail_at(follower: Follower, statement: int) -> Callable[[], int]:
    """Make the follower's database fail before its nth statement from now, its commit being one; count them."""
    seen = 0

    def fail(*_arguments: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            raise _Killed

    engine = follower._writer._engine
    event.listen(engine, "before_cursor_execute", fail)
    event.listen(engine, "commit", fail)
    return lambda: seen


def test_readers_never_see_a_size_without_all_its_rows(
    chain: Chain, new_follower: NewFollower, views: ViewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.pilot()
    random_blocks(chain, 25)
    line_counts: dict[int, int] = {}
    lines = 0
    for block, recorded in zip(chain.blocks, chain.recorded, strict=True):
        for transaction in recorded:
            outcome = transaction.outcome
            if isinstance(outcome, Refused):
                continue
            for number, entry in enumerate(outcome.all_entries()):
                lines += number not in outcome.refused_lines and any(
                    posting.account == BANK_OWN for posting in entry.postings
                )
        line_counts[block.size] = lines
    monkeypatch.setattr(follower_module, "BLOCKS_PER_BATCH", 1)
    follower = new_follower()
    follower.open()
    seen: list[tuple[int, int]] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not seen or seen[-1][0] < chain.position.range.size:
                answer = views.statement(BANK_OWN, limit=1)
                seen.append((answer.size, answer.value.line_count))
        except BaseException as error:
            failures.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    follower.catch_up()
    reading.join(timeout=60)
    assert not failures
    assert {count for size, count in seen if size} <= set(line_counts.values())
    assert all(line_counts.get(size, 0) == count for size, count in seen)


def test_two_followers_do_not_write_over_each_other(
    chain: Chain, new_follower: NewFollower, views_url: str, tmp_path: Path
) -> None:
    chain.pilot()
    first, second = new_follower(), new_follower()
    first.open()
    second.open()
    first.catch_up()
    with pytest.raises(ViewsFault, match="the views are no longer at block -1: another follower writes them"):
        second.catch_up()
    assert dump(views_url) == expected_dump(chain, tmp_path)


def test_a_statement_that_disagrees_with_the_state_stops_the_follower(
    chain: Chain, new_follower: NewFollower, views: ViewReader, views_url: str
) -> None:
    chain.pilot()
    new_follower().catch_up()
    engine = write_engine(views_url)
    with engine.begin() as connection:
        connection.execute(ACCOUNT_HEADS.update().where(ACCOUNT_HEADS.c.account == BANK_OWN).values(balance=7))
    engine.dispose()
    chain.block(chain.pay(BANK_OWN, WALLET_1, 1))
    with pytest.raises(ViewsFault, match=f"account {BANK_OWN} holds 999999, its statement says 6; rebuild the views"):
        new_follower().catch_up()
    assert views.applied().height == 3


def test_views_of_another_log_are_refused(
    chain: Chain, new_follower: NewFollower, views_url: str, tmp_path: Path
) -> None:
    chain.pilot()
    new_follower().catch_up()
    other = Chain(tmp_path / "other")

    def open_follower(replay: Replay) -> None:
        with (
            closing(other.reader()) as reader,
            closing(Follower(reader, replay, database_url=views_url, snapshots=tmp_path / "snapshots")) as follower,
        ):
            follower.open()

    with pytest.raises(ViewsFault, match="the views are at block 3, which the log does not have; rebuild"):
        open_follower(other.replay())
    other.block(other.admit("bank-x", "777"))
    other.block(other.admit("bank-y", "778"))
    other.block(other.admit("bank-z", "779"))
    with pytest.raises(ViewsFault, match="the views are of another log, block 3 differs; rebuild"):
        open_follower(other.replay())
    stranger = Replay(genesis_document(cap_per_day=1), {1: CORE_RULEBOOK})
    with pytest.raises(ViewsFault, match="expected views of network test:"):
        open_follower(stranger)
    other.store.close()


def test_accounts_beyond_one_query_are_found_again(
    chain: Chain, new_follower: NewFollower, views: ViewReader, tmp_path: Path, views_url: str
) -> None:
    chain.pilot()
    wallets = [iban("601", f"{number:013d}") for number in range(100, 1_300)]
    chain.block(chain.open_accounts(*wallets))
    for _ in range(2):
        chain.block(chain.bulk([(BANK_OWN, wallet, 2) for wallet in wallets]))
        new_follower().catch_up()
    page = views.statement(wallets[700]).value
    assert [(line.number, line.balance) for line in page.lines] == [(2, 4), (1, 2)]
    assert dump(views_url) == expected_dump(chain, tmp_path)
