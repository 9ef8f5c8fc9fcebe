"""What the views say is what the log says: look-ups, register, supply, proofs."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.crypto import merkle
from ledger.crypto.merkle import CompactRange
from ledger.log.block import LEAF_HASH_BYTES
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.outcome import Refused
from ledger.model.participants import KeyUse
from ledger.rules import day_close, keys
from ledger.rules.admission import ParticipantReinstate, ParticipantSuspend
from ledger.seen import Seen
from ledger.units import Kid, ParticipantId, TimestampUs
from ledger.views.answers import (
    RefusalRow,
    Supply,
    TransactionRow,
    ViewsBehind,
    ViewsUnavailable,
)
from ledger.views.applied import ViewsFault
from ledger.views.database import write_engine
from ledger.views.follower import Follower
from ledger.views.queries import ViewReader
from ledger.views.schema import APPLIED
from tests.book import key_of
from tests.views.chain import BANK_OWN, WALLET_1, WALLET_2, Chain, random_blocks

NewFollower = Callable[..., Follower]

BANK = ParticipantId("bank-a")


def test_transactions_are_found_by_reference_and_by_id(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    random_blocks(chain, 5)
    new_follower().catch_up()
    for height, block in enumerate(chain.recorded):
        for place, recorded in enumerate(block):
            transaction = recorded.signed.transaction
            found = views.transaction_by_reference(transaction.participant, transaction.reference).value
            assert found is not None
            assert found == views.transaction_by_id(recorded.signed.transaction_id).value
            assert (found.height, found.place, found.sequence) == (height, place, recorded.first_sequence)
            assert (found.kind, found.leaf_count) == (transaction.kind, recorded.leaf_count)
            refused = recorded.outcome if isinstance(recorded.outcome, Refused) else None
            assert found.code == (None if refused is None else refused.code.code)
            assert found.line == (0 if refused is None else refused.line)
            assert found.time_us == chain.blocks[height].time_us
            seen = views.first_outcome(transaction.participant, transaction.reference, head_height=99)
            assert seen == Seen(recorded.signed.transaction_id[:16], height, place)
    # A reference belongs to its sender; an unknown one is nobody's.
    assert views.transaction_by_reference(ParticipantId("bank-b"), transaction.reference).value is None
    assert views.transaction_by_id(bytes(32)).value is None


def test_an_outcome_is_said_to_be_absent_only_when_it_must_be(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    new_follower().catch_up()
    day_us = 24 * 3_600_000_000
    fresh = chain.book.reference()
    old = chain.book.reference(chain.book.time_us - day_us - 2_000)
    assert views.first_outcome(BANK, fresh, head_height=3) is None
    assert views.first_outcome(BANK, old, head_height=4) is None, "no later block may decide it"
    with pytest.raises(ViewsBehind, match="expected views at block 4"):
        views.first_outcome(BANK, fresh, head_height=4)


def test_refusals_are_listed_by_transaction(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    lines = [(WALLET_1, WALLET_2, 1), (BANK_OWN, WALLET_1, 1), (WALLET_2, WALLET_1, 1)]
    independent = chain.block(chain.bulk(lines)).first_sequence
    atomic = chain.block(chain.bulk([lines[1], *lines[2:]], is_atomic=True)).first_sequence
    new_follower().catch_up()
    code = "insufficient_funds"
    assert views.refusals(independent).value == (
        RefusalRow(sequence=independent, line=0, code=code),
        RefusalRow(sequence=independent + 2, line=2, code=code),
    )
    assert views.refusals(atomic).value == (RefusalRow(sequence=atomic, line=1, code=code),)
    assert views.refusals(0).value == ()
    assert views.refusals(10_000).value == ()


def test_participants_follow_the_register(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    follower = new_follower()
    follower.catch_up()
    assert [(row.participant, row.role) for row in views.participants().value] == [
        ("central-bank", "issuer"),
        ("operator", "operator"),
    ]
    chain.block(chain.admit())
    suspend = ParticipantSuspend(participant=BANK, reason="order-17")
    chain.block(chain.signed("participant_suspend", suspend, by="operator", signers=("operator-1", "operator-2")))
    follower.catch_up()
    row = views.participant(BANK).value
    assert row is not None
    assert (row.name, row.role, row.code, row.quorum) == ("Bank", "intermediary", "601", 1)
    assert (row.is_suspended, row.changed_height) == (True, 2)
    reinstate = ParticipantReinstate(participant=BANK, reason="order-17")
    chain.block(chain.signed("participant_reinstate", reinstate, by="operator", signers=("operator-1", "operator-2")))
    # A restarted follower knows who was there.
    new_follower().catch_up()
    row = views.participant(BANK).value
    assert row is not None
    assert (row.is_suspended, row.changed_height) == (False, 3)
    assert views.participant(ParticipantId("nobody")).value is None


def test_key_history_has_each_change(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.block(chain.admit())
    first, second = (Kid(key_of(f"bank-a-{number}").public.kid) for number in (1, 2))
    new = key_of("bank-a-new")
    rotate = keys.KeyRotate(replaces=second, x=new.public.x)
    chain.block(chain.signed("key_rotate", rotate, by="bank-a", signers=("bank-a-1", "bank-a-new")))
    revoke = keys.KeyRevoke(kid=first, reason="order-17")
    chain.block(chain.signed("key_revoke", revoke, by="bank-a"))
    new_follower().catch_up()
    history = {(change.kid, change.height, change.is_revoked) for change in views.key_changes(BANK).value}
    assert history == {
        (first, 1, False),
        (second, 1, False),
        (Kid(key_of("bank-a-api").public.kid), 1, False),
        (second, 2, True),
        (Kid(new.public.kid), 2, False),
        (first, 3, True),
    }
    operator = views.key_changes(ParticipantId("operator")).value
    assert KeyUse.LOG.value in {change.use for change in operator}, "the log key is the operator's"


def test_holder_keys_stay_out_of_the_key_history(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    chain.block(chain.open_bound_account(iban("601", "0000000000003"), "holder"))
    new_follower().catch_up()
    assert {change.height for change in views.key_changes(BANK).value} == {1}


def test_supply_and_days_add_up(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    follower = new_follower()
    follower.catch_up()
    chain.block(chain.redeem(300, "RTGS-2"), chain.close_day("2024-12-24", "2024-12-25"))
    chain.block(chain.issue(50, "RTGS-3"), chain.close_day("2024-12-25", "2024-12-27"))
    follower.catch_up()
    assert views.supply().value == (Supply(asset=TENGE, issued=1_000_050, redeemed=300),)
    assert views.supply().value[0].in_circulation == 999_750
    newest, oldest = views.days().value
    assert (oldest.business_date, oldest.opens, oldest.height) == ("2024-12-24", "2024-12-25", 4)
    assert oldest.supply == (Supply(asset=TENGE, issued=1_000_000, redeemed=300),)
    assert oldest.trial_balance is not None
    assert oldest.trial_balance["KZT"]["own"] == {"accounts": 1, "sum": 999_700}
    assert (newest.business_date, newest.opens) == ("2024-12-25", "2024-12-27")
    assert newest.supply == (Supply(asset=TENGE, issued=50, redeemed=0),)
    assert newest.sequence == chain.recorded[-1][1].first_sequence
    assert views.days(before="2024-12-25").value == (oldest,)
    assert views.applied().business_date == "2024-12-27"


def test_a_day_whose_trial_balance_is_recorded_by_digest_is_followed(
    chain: Chain, new_follower: NewFollower, views: ViewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.pilot()
    follower = new_follower()
    with monkeypatch.context() as patch:
        patch.setattr(day_close, "TRIAL_BALANCE_BYTES_MAX", 10)
        chain.block(chain.close_day("2024-12-24", "2024-12-25"))
        follower.catch_up()
    chain.block(chain.close_day("2024-12-25", "2024-12-26"))
    follower.catch_up()
    newest, oldest = views.days().value
    assert oldest.trial_balance is None
    assert oldest.trial_balance_digest is not None
    assert len(oldest.trial_balance_digest) == 43
    assert newest.trial_balance is not None
    assert newest.trial_balance_digest is None


def test_an_asset_has_a_supply_of_nothing_from_its_start(
    new_follower: NewFollower, views: ViewReader, chain: Chain
) -> None:
    new_follower().catch_up()
    assert views.supply().value == (Supply(asset=TENGE, issued=0, redeemed=0),)


def test_proofs_and_places_cover_every_applied_size(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    chain.pilot()
    random_blocks(chain, 20)
    follower = new_follower()
    follower.catch_up()
    hashes = [
        block.leaf_hashes[at : at + LEAF_HASH_BYTES]
        for block in chain.blocks
        for at in range(0, len(block.leaf_hashes), LEAF_HASH_BYTES)
    ]
    size = len(hashes)
    assert size > 256
    for smaller in (1, 2, 255, 256, size // 2, size):
        root = CompactRange().append_many(hashes[:smaller]).root()
        for index in {0, smaller // 3, smaller - 1}:
            path = views.inclusion_proof(index, smaller).value
            merkle.verify_inclusion(hashes[index], index, smaller, path, root)
        path = views.consistency_proof(smaller, size).value
        merkle.verify_consistency(smaller, size, root, chain.position.range.root(), path)
    tile = views.tile(0, 0).value
    assert tile == b"".join(hashes[:256])
    assert views.tile(5, 0).value is None


def test_a_proof_beyond_what_is_applied_is_refused(chain: Chain, new_follower: NewFollower, views: ViewReader) -> None:
    new_follower().catch_up()
    with pytest.raises(ViewsBehind, match="expected views of 3 leaves, got 2"):
        views.inclusion_proof(0, 3)
    with pytest.raises(ViewsBehind, match="expected views of 3 leaves, got 2"):
        views.consistency_proof(1, 3)


def test_views_that_were_never_made_are_unavailable(views: ViewReader) -> None:
    with pytest.raises(ViewsUnavailable, match="the views cannot be read"):
        views.applied()


def test_views_of_another_version_are_refused(
    chain: Chain, new_follower: NewFollower, views: ViewReader, views_url: str
) -> None:
    new_follower().catch_up()
    engine = write_engine(views_url)
    with engine.begin() as connection:
        connection.execute(APPLIED.update().values(schema_version=99))
    engine.dispose()
    with pytest.raises(ViewsFault, match="expected views of version 3, got version 99; rebuild the views"):
        views.applied()
    with pytest.raises(ViewsFault, match="got version 99"):
        new_follower().catch_up()
    new_follower().rebuild()
    assert views.applied().height == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "expected a URL of sqlite or postgresql"),
        ("sqlite://", "expected an SQLite URL with a file"),
    ],
)
def test_a_url_that_names_no_views_database_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViewReader(url)


def test_what_a_participant_sent_is_found_by_the_time_of_its_blocks(
    chain: Chain, new_follower: NewFollower, views: ViewReader
) -> None:
    chain.pilot()
    new_follower().catch_up()
    everything = views.transactions_of(BANK, from_us=TimestampUs(0), until_us=TimestampUs(2**52), limit=1_000)
    times = [row.time_us for row in everything.value]
    first, last = times[0], times[-1]

    assert times == sorted(times)
    assert {row.participant for row in everything.value} == {BANK}
    assert all(row.code is None for row in everything.value)
    assert everything.size == views.applied().size

    def between(from_us: int, until_us: int, **more: Any) -> list[TransactionRow]:
        found = views.transactions_of(
            BANK, from_us=TimestampUs(from_us), until_us=TimestampUs(until_us), limit=more.pop("limit", 1_000), **more
        )
        return list(found.value)

    assert [row.time_us for row in between(first, last)] == [time_us for time_us in times if time_us < last]
    assert [row.time_us for row in between(first + 1, last + 1)] == [time_us for time_us in times if time_us > first]
    assert between(last + 1, 2**52) == between(0, first) == []
    assert between(0, 2**52, limit=1) == list(everything.value[:1])
    kind = everything.value[0].kind
    assert between(0, 2**52, kinds={kind}) == [row for row in everything.value if row.kind == kind]
    assert between(0, 2**52, kinds=set()) == []
