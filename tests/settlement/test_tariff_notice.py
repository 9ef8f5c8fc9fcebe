"""A fee is raised after notice only, and lowered the next day."""

import pytest

from ledger.crypto import canonical
from ledger.units import BusinessDate
from settlement.model.custody import NOTICE_DAYS_MAX
from settlement.rules.tariff import TariffNoticeSet, TariffSet, notice_days_on
from tests.book import Book, refused_with
from tests.settlement.market import accepted, close_day, market, settle


@pytest.fixture
def book() -> Book:
    """Three days' notice hold from 28 December 2024; a fee of 2,000 ppm is posted."""
    book = market()
    accepted(book.submit("tariff_notice_set", TariffNoticeSet(days=3, order="DAA-2.5.1"), by="ministry"))
    close_day(book, "2024-12-27", "2024-12-28")
    return book


def post(book: Book, fee_ppm: int) -> object:
    record = accepted(book.submit("tariff_set", TariffSet(fee_ppm=fee_ppm), by="aix-one")).record
    assert record is not None
    return record["from"]


def test_a_notice_holds_from_the_next_business_day() -> None:
    book = market()
    outcome = accepted(book.submit("tariff_notice_set", TariffNoticeSet(days=3, order="DAA-2.5.1"), by="ministry"))

    assert outcome.record == {"from": "2024-12-28"}
    assert post(book, 3_000) == "2024-12-28"
    assert notice_days_on(book.state, BusinessDate("2024-12-27")) == 1
    assert notice_days_on(book.state, BusinessDate("2024-12-28")) == 3


def test_a_higher_fee_waits_for_its_notice(book: Book) -> None:
    assert post(book, 2_001) == "2024-12-31"
    assert refused_with(settle(book, fee=97_551)) == "fee_above_tariff"
    close_day(book, "2024-12-28", "2024-12-30")
    assert refused_with(settle(book, fee=97_551)) == "fee_above_tariff"
    close_day(book, "2024-12-30", "2024-12-31")
    accepted(settle(book, fee=97_551))


@pytest.mark.parametrize("fee_ppm", [0, 1_999, 2_000])
def test_a_fee_that_is_not_higher_starts_the_next_day(book: Book, fee_ppm: int) -> None:
    assert post(book, fee_ppm) == "2024-12-29"


def test_a_higher_fee_that_is_still_to_come_is_not_the_measure(book: Book) -> None:
    """Else a fee could creep up: each step would be lower than the last one posted."""
    assert post(book, 20_000) == "2024-12-31"
    assert post(book, 19_000) == "2024-12-31"
    close_day(book, "2024-12-28", "2024-12-30")
    assert post(book, 19_000) == "2025-01-02"


def test_a_shorter_notice_does_not_hasten_what_is_posted(book: Book) -> None:
    assert post(book, 3_000) == "2024-12-31"
    accepted(book.submit("tariff_notice_set", TariffNoticeSet(days=1, order="DAA-2"), by="ministry"))
    close_day(book, "2024-12-28", "2024-12-30")
    assert refused_with(settle(book, fee=97_551)) == "fee_above_tariff"
    assert post(book, 3_000) == "2024-12-31"


def test_a_notice_is_a_day_at_least_and_a_year_at_most() -> None:
    assert canonical.decode(b'{"days":366,"order":"a"}', TariffNoticeSet).days == NOTICE_DAYS_MAX
    for days in (b"0", b"367"):
        with pytest.raises(canonical.NotCanonical, match="days"):
            canonical.decode(b'{"days":' + days + b',"order":"a"}', TariffNoticeSet)


def test_no_exchange_sets_its_notice(book: Book) -> None:
    assert book.end("tariff_notice_set", TariffNoticeSet(days=1, order="x"), by="aix-one") == "kind_not_permitted"
