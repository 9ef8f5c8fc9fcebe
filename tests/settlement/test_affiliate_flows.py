"""What a house pays its affiliates, counted from postings, over a day, a week and a month."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.units import AccountId, AssetId, ParticipantId, TimestampUs
from settlement.affiliate_flows import DAY_US, WINDOWS_DAYS, Exposure, Flow, exposures, house_flows

ONE = ParticipantId("aix-one")
TWO = ParticipantId("aix-two")
NOW = TimestampUs(100 * DAY_US)


def kept_by(account: AccountId) -> tuple[ParticipantId, str]:
    """Accounts are named ``<exchange> <class> <number>`` here."""
    exchange, account_class, *_ = account.split()
    return ParticipantId(exchange), account_class


def posting(account: str, amount: int, side: Side, asset: AssetId = TENGE) -> Posting:
    return Posting(account=AccountId(account), asset=asset, amount=amount, side=side)


def paid(amount: int, at_us: int, exchange: ParticipantId = ONE, asset: AssetId = TENGE) -> Flow:
    return Flow(TimestampUs(at_us), exchange, "house", "affiliate_client", asset, amount)


def returned(amount: int, at_us: int) -> Flow:
    return Flow(TimestampUs(at_us), ONE, "affiliate_client", "house", TENGE, amount)


def test_the_five_payments_of_ftx_stand_in_their_windows() -> None:
    flows = [paid(25_000_000_000, NOW - days * DAY_US) for days in (0, 3, 6, 20, 40)]
    flows.append(returned(1_000_000_000, NOW - 2 * DAY_US))
    found = exposures(flows, NOW)

    assert found[ONE, TENGE, 1] == Exposure(paid=25_000_000_000)
    assert found[ONE, TENGE, 7] == Exposure(paid=75_000_000_000, returned=1_000_000_000)
    assert found[ONE, TENGE, 30].net == 99_000_000_000


def test_a_window_ends_with_its_moment_and_begins_just_after_its_start() -> None:
    flows = [paid(1, NOW - DAY_US), paid(2, NOW - DAY_US + 1), paid(4, NOW), paid(8, NOW + 1)]

    assert exposures(flows, NOW)[ONE, TENGE, 1] == Exposure(paid=6)


def test_exchanges_and_assets_are_never_netted() -> None:
    coin = AssetId("BTC:aix-one")
    found = exposures([paid(1, NOW), paid(2, NOW, exchange=TWO), paid(4, NOW, asset=coin)], NOW)

    assert {key: each.paid for key, each in found.items() if key[2] == 1} == {
        (ONE, TENGE, 1): 1,
        (TWO, TENGE, 1): 2,
        (ONE, coin, 1): 4,
    }


def test_flows_between_others_are_no_exposure() -> None:
    client = Flow(NOW, ONE, "house", "client_segregated", TENGE, 5)

    assert exposures([client], NOW) == {}


def test_a_payment_from_the_house_to_an_affiliate_is_one_flow() -> None:
    postings = (
        posting("aix-one house", 5, Side.DEBIT),
        posting("aix-one affiliate_client", 5, Side.CREDIT),
    )

    assert house_flows(postings, kept_by, NOW) == (paid(5, NOW),)


def test_a_payment_by_an_affiliate_to_the_house_is_a_return() -> None:
    postings = (
        posting("aix-one affiliate_client", 5, Side.DEBIT),
        posting("aix-one fee", 5, Side.CREDIT),
    )

    assert house_flows(postings, kept_by, NOW) == (returned(5, NOW),)


def test_an_entry_of_many_postings_never_counts_less_than_what_was_paid() -> None:
    postings = (
        posting("aix-one own", 30, Side.DEBIT),
        posting("aix-one house", 20, Side.DEBIT),
        posting("bank-a wallet", 50, Side.DEBIT),
        posting("aix-one affiliate_client", 60, Side.CREDIT),
        posting("aix-one client_segregated", 40, Side.CREDIT),
    )

    assert house_flows(postings, kept_by, NOW) == (paid(50, NOW),)


def test_coins_and_tenge_of_one_sale_are_looked_at_apart() -> None:
    coin = AssetId("BTC:aix-one")
    postings = (
        posting("aix-one client_segregated", 7, Side.DEBIT),
        posting("aix-one affiliate_client", 7, Side.CREDIT),
        posting("aix-one house", 9, Side.DEBIT, coin),
        posting("aix-one client_segregated", 9, Side.CREDIT, coin),
    )

    assert house_flows(postings, kept_by, NOW) == ()


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 40 * DAY_US), st.booleans()), max_size=20))
def test_longer_windows_hold_all_of_the_shorter_ones(rows: list[tuple[int, int, bool]]) -> None:
    flows = [(returned if back else paid)(amount, NOW - age) for amount, age, back in rows]
    found = exposures(flows, NOW)

    for days in WINDOWS_DAYS:
        inside = [row for row in rows if row[1] < days * DAY_US]
        each = found.get((ONE, TENGE, days), Exposure())
        assert each.net == sum(-amount if back else amount for amount, _, back in inside)
