"""Surplus energy: published a day ahead, bought by licensed miners, never more than offered, paid for at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.model.outcome import Outcome
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.energy import HOURS_MAX, KWH_MAX, PRICE_MAX, PayeePurpose
from settlement.model.registers import Register
from settlement.model.sites import Zone
from settlement.rules.miners import RegistryLicence
from settlement.rules.surplus import SurplusBid, SurplusBuy
from settlement.rules.tables import SURPLUS, SURPLUS_BOUGHT, SURPLUS_SOLD
from tests.book import Book, own_account, refused_with
from tests.settlement.market import accepted, suspend
from tests.settlement.power import (
    DAY,
    HOUR_US,
    MINER_OWN,
    MINER_TWO_WALLET,
    PURCHASER,
    bid,
    buy,
    moment,
    payee,
    power_market,
    publish,
    purchase,
)


@pytest.fixture
def book() -> Book:
    return power_market()


@pytest.fixture
def offered(book: Book) -> Book:
    accepted(publish(book))
    return book


def test_the_system_operator_offers_hours_of_a_day(book: Book) -> None:
    outcome = accepted(publish(book))

    assert outcome.record == {"energy_kwh": 24_000}
    offer = book.state.get(SURPLUS, "north_south/2024-12-25")
    assert offer is not None
    assert (offer.floor, offer.limits[23], offer.publisher) == (1_500, 1_000, "operator-kz")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"by": "grid-one"}, "surplus_publisher_unfit"),
        ({"date": BusinessDate("2025-02-29")}, "surplus_date_invalid"),
        ({"date": BusinessDate("2024-12-24")}, "surplus_too_late"),
        ({"limits": (1,) * 23}, "surplus_hours_wrong"),
        ({"limits": (1,) * 25}, "surplus_hours_wrong"),
        ({"gate_us": TimestampUs(1)}, "surplus_gate_wrong"),
        ({"payee": MINER_OWN}, "surplus_payee_unfit"),
    ],
)
def test_an_offer_that_cannot_be_is_refused(book: Book, members: dict[str, Any], code: str) -> None:
    assert refused_with(publish(book, **members)) == code


def test_an_offer_is_published_once(offered: Book) -> None:
    assert refused_with(publish(offered)) == "surplus_published"
    accepted(publish(offered, zone=Zone.WEST))


def test_an_offer_is_published_until_just_before_its_day(book: Book) -> None:
    start_us = moment(book, DAY)
    book.time_us = start_us - 2_000_000
    accepted(publish(book, gate_us=start_us))
    # The next block is stamped with the first moment of the day.
    assert refused_with(publish(book, zone=Zone.WEST, gate_us=start_us)) == "surplus_too_late"


def test_the_gate_closes_after_now_and_not_after_the_start_of_the_day(book: Book) -> None:
    start_us = moment(book, DAY)

    assert refused_with(publish(book, gate_us=TimestampUs(start_us + 1))) == "surplus_gate_wrong"
    assert refused_with(publish(book, gate_us=TimestampUs(book.time_us + 1_000_000))) == "surplus_gate_wrong"
    accepted(publish(book, gate_us=TimestampUs(book.time_us + 1_000_001)))


def test_the_day_whose_clocks_were_set_back_has_25_hours() -> None:
    book = power_market()
    book.time_us = moment(book, "2024-02-28")
    day: dict[str, Any] = {"date": BusinessDate("2024-02-29"), "gate_us": moment(book, "2024-02-29")}

    assert refused_with(publish(book, **day)) == "surplus_hours_wrong"
    accepted(publish(book, limits=(7,) * 25, **day))
    accepted(buy(book, bid(hour=24, energy_kwh=7), date=BusinessDate("2024-02-29")))


def test_a_licensed_miner_buys_and_pays_its_own_bid(offered: Book) -> None:
    before = offered.balance(MINER_OWN)
    outcome = accepted(buy(offered, bid(0, 100, 1_500), bid(5, 1_000, 1_840)))

    assert outcome.record == {"energy_kwh": 1_100, "amount": 1_990_000, "floor": 1_500}
    assert before - offered.balance(MINER_OWN) == offered.balance(PURCHASER) == 1_990_000
    assert offered.state.get(SURPLUS_SOLD, "north_south/2024-12-25/5") == 1_000
    assert offered.state.get(SURPLUS_BOUGHT, "miner-one/2024-Q4") == 1_100


def test_what_is_left_of_an_hour_is_sold_and_no_more(offered: Book) -> None:
    accepted(buy(offered, bid(energy_kwh=600)))
    assert refused_with(buy(offered, bid(energy_kwh=401))) == "surplus_exceeded"
    accepted(buy(offered, bid(energy_kwh=400)))
    assert refused_with(buy(offered, bid(energy_kwh=1))) == "surplus_exceeded"


def test_one_hour_too_much_and_nothing_is_bought(offered: Book) -> None:
    before = offered.balance(MINER_OWN)

    assert refused_with(buy(offered, bid(0), bid(1, 1_001))) == "surplus_exceeded"
    assert (offered.balance(MINER_OWN), offered.state.get(SURPLUS_SOLD, "north_south/2024-12-25/0")) == (before, None)


@pytest.mark.parametrize(
    ("bids", "members", "code"),
    [
        ((), {"zone": Zone.WEST}, "surplus_unknown"),
        ((bid(24),), {}, "surplus_hour_unknown"),
        ((bid(1), bid(0)), {}, "surplus_hour_unknown"),
        ((bid(1), bid(1)), {}, "surplus_hour_unknown"),
        ((bid(price=1_499),), {}, "surplus_below_floor"),
        ((), {"payer": PURCHASER}, "accounts_must_differ"),
        ((), {"payer": own_account("601")}, "debit_account_not_found"),
        ((bid(energy_kwh=1_000, price=PRICE_MAX),), {}, "accepted"),
    ],
)
def test_a_bid_that_cannot_be_is_refused(
    offered: Book, bids: tuple[SurplusBid, ...], members: dict[str, Any], code: str
) -> None:
    assert offered.end("surplus_buy", purchase(*bids, **members), by="miner-one") == code


def test_no_bid_is_taken_once_the_gate_has_closed(offered: Book) -> None:
    gate_us = moment(offered, "2024-12-24") + 10 * HOUR_US
    offered.time_us = gate_us - 1_000_001
    accepted(buy(offered))
    offered.time_us = gate_us - 1_000_000
    assert refused_with(buy(offered)) == "surplus_gate_closed"


def test_nothing_is_bought_without_the_money(book: Book) -> None:
    accepted(publish(book, limits=(KWH_MAX,) * 24))

    assert refused_with(buy(book, bid(energy_kwh=KWH_MAX, price=10_000))) == "insufficient_funds"


def test_a_purchaser_that_is_off_the_register_is_not_paid(offered: Book) -> None:
    accepted(payee(offered, PURCHASER, PayeePurpose.SINGLE_PURCHASER, is_active=False))

    assert refused_with(buy(offered)) == "surplus_payee_unfit"


def test_a_miner_without_a_licence_buys_nothing(offered: Book) -> None:
    suspend(offered, Register.LICENCE, "L-1", offered.time_us)

    assert refused_with(buy(offered)) == "surplus_licence_invalid"


def test_the_licence_must_hold_in_the_hour_that_is_bought(offered: Book) -> None:
    suspend(offered, Register.LICENCE, "L-1", moment(offered, DAY) + HOUR_US)

    accepted(buy(offered, bid(0)))
    assert refused_with(buy(offered, bid(0), bid(1))) == "surplus_licence_invalid"


def test_a_miner_in_another_s_data_centre_buys_no_surplus(offered: Book) -> None:
    licence = RegistryLicence(
        licence="L-2", miner=ParticipantId("miner-two"), subtype=2, issued=BusinessDate("2024-01-01")
    )
    accepted(offered.submit("registry_licence", licence, by="ministry"))

    assert refused_with(_by_the_bank(offered)) == "surplus_licence_invalid"


def test_a_bank_pays_from_the_miner_s_wallet_with_the_miner_s_signature(offered: Book) -> None:
    _license_miner_two(offered)
    before = offered.balance(MINER_TWO_WALLET)

    accepted(_by_the_bank(offered))
    assert before - offered.balance(MINER_TWO_WALLET) == 184_000


@pytest.mark.parametrize(
    "signers", [("bank-a-1", "holder-key-m-2"), ("bank-a-1", "miner-two-1"), ("miner-two-1", "holder-key-m-2")]
)
def test_bank_miner_and_holder_key_must_all_sign(offered: Book, signers: tuple[str, ...]) -> None:
    _license_miner_two(offered)

    assert offered.end("surplus_buy", _of_miner_two(), by="bank-a", signers=signers) == "signatures_insufficient"


def test_no_bank_buys_in_the_name_of_a_miner_nobody_knows(offered: Book) -> None:
    body = purchase(miner=ParticipantId("nobody"), payer=own_account("601"))

    assert offered.end("surplus_buy", body, by="bank-a") == "signatures_insufficient"


def test_a_key_of_no_account_asks_nobody_to_sign(offered: Book) -> None:
    body = purchase(payer=own_account("699"))

    assert offered.end("surplus_buy", body, by="miner-one") == "debit_account_not_found"


@pytest.mark.parametrize(("hour", "energy_kwh", "price"), [(0, 1, 1), (HOURS_MAX - 1, KWH_MAX, PRICE_MAX)])
def test_a_bid_at_its_limits_is_read(hour: int, energy_kwh: int, price: int) -> None:
    text = b'{"energy_kwh":%d,"hour":%d,"price":%d}' % (energy_kwh, hour, price)

    assert canonical.decode(text, SurplusBid) == SurplusBid(hour=hour, energy_kwh=energy_kwh, price=price)


@pytest.mark.parametrize(
    ("hour", "energy_kwh", "price"),
    [(0, 0, 1), (0, 1, 0), (HOURS_MAX, 1, 1), (0, KWH_MAX + 1, 1), (0, 1, PRICE_MAX + 1)],
)
def test_a_bid_past_its_limits_is_not_read(hour: int, energy_kwh: int, price: int) -> None:
    with pytest.raises(canonical.NotCanonical):
        canonical.decode(b'{"energy_kwh":%d,"hour":%d,"price":%d}' % (energy_kwh, hour, price), SurplusBid)


def test_an_offer_or_purchase_of_more_hours_than_a_day_can_have_is_not_read() -> None:
    full = purchase(*(bid(hour) for hour in range(HOURS_MAX)))
    one_more = canonical.encode(purchase(*full.bids, bid()))

    assert canonical.decode(canonical.encode(full), SurplusBuy) == full
    with pytest.raises(canonical.NotCanonical, match="bids"):
        canonical.decode(one_more, SurplusBuy)


def test_the_most_one_purchase_can_cost_is_a_posting() -> None:
    assert HOURS_MAX * KWH_MAX * PRICE_MAX <= 10**15


@given(bids=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 700), st.integers(1_400, 1_600)), max_size=8))
def test_never_more_is_sold_than_was_offered_and_every_tiyn_arrives(bids: list[tuple[int, int, int]]) -> None:
    book = power_market()
    accepted(publish(book))
    sold = [0, 0, 0]
    paid = 0
    for hour, energy_kwh, price in bids:
        is_taken = price >= 1_500 and sold[hour] + energy_kwh <= 1_000
        assert book.end("surplus_buy", purchase(bid(hour, energy_kwh, price)), by="miner-one") == (
            "accepted" if is_taken else "surplus_below_floor" if price < 1_500 else "surplus_exceeded"
        )
        if is_taken:
            sold[hour] += energy_kwh
            paid += energy_kwh * price
    assert book.balance(PURCHASER) == paid
    assert [book.state.get(SURPLUS_SOLD, f"north_south/{DAY}/{hour}") or 0 for hour in range(3)] == sold


def _license_miner_two(book: Book) -> None:
    licence = RegistryLicence(
        licence="L-2", miner=ParticipantId("miner-two"), subtype=1, issued=BusinessDate("2024-01-01")
    )
    accepted(book.submit("registry_licence", licence, by="ministry"))


def _of_miner_two() -> SurplusBuy:
    return purchase(miner=ParticipantId("miner-two"), payer=MINER_TWO_WALLET)


def _by_the_bank(book: Book) -> Outcome:
    return book.submit(
        "surplus_buy", _of_miner_two(), by="bank-a", signers=("bank-a-1", "miner-two-1", "holder-key-m-2")
    )
