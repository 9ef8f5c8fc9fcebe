import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import jws
from ledger.crypto.keys import InvalidSignature
from wallet_api.bench.payments import HOT, UNIFORM, Draw, Mix, bulks, singles, split
from wallet_api.bench.world import World, funds_tiyn, make_world

COUNT = 2_000


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(20)


def holds(world: World, submission: bytes) -> bool:
    keys = {key.public.kid: key.public for key in world.bank.signatories.values()}
    envelope = jws.parse(submission, typ=jws.TYP_TRANSACTION)
    try:
        for signature in envelope.signatures:
            jws.verify_signature(envelope, signature, keys[signature.kid])
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.3, 400, 900), (1.0, COUNT, COUNT)])
def test_so_many_payments_are_invalid_as_were_asked_for(world: World, share: float, low: int, high: int) -> None:
    draw = Draw(world, Mix(invalid=share), seed=1)
    poor = sum(draw.pair()[0] == world.poor for _ in range(COUNT))
    assert low <= poor <= high


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 50, 200), (0.5, 900, 1_300), (1.0, COUNT, COUNT)])
def test_so_many_payments_are_of_the_hot_account_as_were_asked_for(
    world: World, share: float, low: int, high: int
) -> None:
    draw = Draw(world, Mix(contention=share), seed=1)
    hot = sum(draw.pair()[0] == world.wallets[0] for _ in range(COUNT))
    assert low <= hot <= high


@given(seed=st.integers(0, 2**32), contention=st.floats(0, 1), invalid=st.floats(0, 1))
def test_every_payment_is_between_two_wallets_and_none_fills_the_poor_one(
    world: World, seed: int, contention: float, invalid: float
) -> None:
    draw = Draw(world, Mix(contention, invalid), seed)
    for _ in range(20):
        debit, credit, amount = draw.pair()
        assert debit != credit
        assert credit in world.wallets
        assert 0 < amount < funds_tiyn(world)


def test_the_same_seed_draws_the_same_payments(world: World) -> None:
    first, second = (Draw(world, Mix(0.2, 0.2), seed=7) for _ in range(2))
    assert [first.pair() for _ in range(50)] == [second.pair() for _ in range(50)]


def test_singles_say_how_many_must_end_in_which_way(world: World) -> None:
    made = singles(world, 200, Mix(contention=0.5, invalid=0.3, bad_signatures=0.2), seed=3)
    good = [submission for submission in made.submissions if holds(world, submission)]
    assert len(made.submissions) == 200
    assert made.unsigned == 200 - len(good) > 0
    assert made.refused > 0
    assert made.accepted == len(good) - made.refused > 0
    assert made.last_accepted in good


def test_uniform_and_hot_payments_are_all_good(world: World) -> None:
    for mix in (UNIFORM, HOT):
        made = singles(world, 5, mix, seed=3)
        assert (made.accepted, made.refused, made.unsigned) == (5, 0, 0)
        assert made.last_accepted == made.submissions[-1]


def test_where_nothing_can_be_accepted_there_is_no_last_one(world: World) -> None:
    assert singles(world, 5, Mix(invalid=1.0), seed=3).last_accepted is None


def test_bulks_say_how_many_lines_must_be_refused(world: World) -> None:
    made = list(bulks(world, [50, 30], Mix(invalid=0.5), seed=3))
    assert [bulk.lines for bulk in made] == [50, 30]
    assert all(0 < bulk.refused_lines < bulk.lines for bulk in made)
    assert all(holds(world, bulk.submission) for bulk in made)


@given(lines=st.integers(1, 100_000), most=st.integers(1, 8_192))
def test_lines_are_divided_into_few_and_even_bulks(lines: int, most: int) -> None:
    sizes = split(lines, most)
    assert sum(sizes) == lines
    assert len(sizes) == -(-lines // most)
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
