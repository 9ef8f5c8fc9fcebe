"""The posted fee starts on the next business day and has a ceiling."""

import pytest

from ledger.crypto import canonical
from ledger.units import BusinessDate, ParticipantId
from settlement.model.custody import FEE_PPM_MAX, Tariff
from settlement.rules.tariff import TariffSet, fee_ppm_on
from tests.book import refused_with
from tests.settlement.market import accepted, bare_market, close_day, market, registered_market, settle


def test_without_a_tariff_there_is_no_fee() -> None:
    book = registered_market()

    assert fee_ppm_on(book.state, ParticipantId("aix-one"), BusinessDate("2024-12-24")) == 0


def test_a_change_starts_on_the_next_business_day() -> None:
    book = market()
    outcome = accepted(book.submit("tariff_set", TariffSet(fee_ppm=20_000), by="aix-one"))

    assert outcome.record == {"from": "2024-12-28"}
    assert refused_with(settle(book, fee=97_551)) == "fee_above_tariff"
    close_day(book, "2024-12-27", "2024-12-28")
    accepted(settle(book, fee=975_507))
    assert refused_with(settle(book, fee=975_508)) == "fee_above_tariff"


def test_an_exchange_that_is_not_registered_posts_nothing() -> None:
    outcome = bare_market().submit("tariff_set", TariffSet(fee_ppm=1), by="aix-one")

    assert refused_with(outcome) == "venue_licence_invalid"


def test_a_tariff_has_a_ceiling() -> None:
    assert canonical.decode(b'{"fee_ppm":20000}', TariffSet).fee_ppm == FEE_PPM_MAX
    with pytest.raises(canonical.NotCanonical, match="fee_ppm"):
        canonical.decode(b'{"fee_ppm":20001}', TariffSet)


def test_a_tariff_without_a_following_one_holds_for_ever() -> None:
    tariff = Tariff(fee_ppm=5)

    assert tariff.on(BusinessDate("2999-01-01")) == 5
