"""Cuts and books: what is compared, who signs, and where the sides differ."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.model.assets import TENGE
from ledger.model.outcome import Inadmissible
from ledger.model.participants import Role
from ledger.units import BALANCE_MAX, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.reconciliation import (
    ASSETS_PER_CUT_MAX,
    ATTESTATION_HOURS_MAX,
    CUTS_PER_DAY_MAX,
    HOUR_US,
    LISTED_BY_ORDER_MAX,
    REPORTED_BREAKS_MAX,
    AssetBooks,
    Break,
    BreakReason,
    Cut,
    Excess,
    ReportedBreak,
    ReportedReason,
    Result,
    backing_of,
    breaks_of,
    coverage,
    unexplained,
)
from settlement.rules import RULEBOOK
from settlement.rules.reconciliation import ReconciliationCut
from settlement.rules.reconciliation_order import ClientAccountsList, ReconciliationRequire
from settlement.rules.tables import CUTS
from tests.book import Book, refused_with
from tests.settlement.market import (
    COIN,
    accepted,
    account,
    market,
)
from tests.settlement.reconciling import (
    COINS_OWED,
    TENGE_OWED,
    TODAY,
    cut,
    last,
    next_day,
    put,
    reconcile,
    require,
    stated,
)
from tests.settlement.test_winddown import relate


@pytest.fixture
def book() -> Book:
    """A market under a supervisor's order."""
    book = market()
    accepted(require(book))
    return book


@pytest.mark.parametrize("asset", ["LTC:aix-one", "BTC:aix-two"])
def test_an_exchange_cuts_what_it_owes_itself(book: Book, asset: str) -> None:
    assert refused_with(cut(book, COIN, AssetId(asset))) == "coin_not_admitted"
    assert book.state.get(CUTS, f"aix-one/{COIN}") is None


def test_an_asset_is_named_once(book: Book) -> None:
    assert refused_with(cut(book, COIN, COIN)) == "cut_asset_repeated"
    accepted(cut(book))
    assert refused_with(reconcile(book, *stated(), *stated())) == "cut_asset_repeated"


def test_a_day_has_so_many_cuts_and_the_next_day_its_own(book: Book) -> None:
    accepted(cut(book, COIN))
    standing = book.state.get(CUTS, f"aix-one/{COIN}")
    assert standing is not None
    put(book, CUTS, f"aix-one/{COIN}", msgspec.structs.replace(standing, number=CUTS_PER_DAY_MAX - 1))
    accepted(cut(book, COIN))

    assert refused_with(cut(book, COIN)) == "cuts_too_many"
    accepted(reconcile(book, AssetBooks(asset=COIN, books=COINS_OWED)))
    next_day(book)
    accepted(cut(book, COIN))


def test_books_without_a_cut_are_compared_with_nothing(book: Book) -> None:
    assert refused_with(reconcile(book)) == "cut_date_differs"


def test_one_person_reconciles_nothing(book: Book) -> None:
    accepted(cut(book))
    outcome = reconcile(book, signers=("aix-one-1",))

    assert isinstance(outcome, Inadmissible)
    assert outcome.code == "signatures_insufficient"


def test_an_auditor_may_sign_too_and_then_stands_in_the_record(book: Book) -> None:
    accepted(cut(book))
    makers = ("aix-one-1", "aix-one-2")
    unsigned = reconcile(book, auditor="auditor", signers=makers)
    assert isinstance(unsigned, Inadmissible)
    assert refused_with(reconcile(book, auditor="bank-a", signers=(*makers, "bank-a-1"))) == "auditor_unfit"
    accepted(book.admit("auditor-two", Role.AUDITOR, "703"))
    relate(book, "auditor-two")
    related = reconcile(book, auditor="auditor-two", signers=(*makers, "auditor-two-1"))
    assert refused_with(related) == "auditor_related"
    accepted(reconcile(book, auditor="auditor", signers=(*makers, "auditor-1")))

    assert last(book).auditor == "auditor"


def test_a_reported_break_explains_and_does_not_cure(book: Book) -> None:
    deposit = ReportedBreak(reason=ReportedReason.UNCREDITED_DEPOSIT, excess=Excess.BOOKS, amount=70)
    error = ReportedBreak(reason=ReportedReason.POSTING_ERROR, excess=Excess.LEDGER, amount=20)
    accepted(cut(book))
    accepted(reconcile(book, *stated(tenge=TENGE_OWED + 60, breaks=(deposit, error))))

    assert last(book, TENGE).result is Result.BROKEN
    assert last(book, TENGE).breaks == (Break(reason=BreakReason.BOOKS_ABOVE_LEDGER, amount=60),)
    assert last(book, TENGE).unexplained == 10


def test_the_limits_of_the_bodies() -> None:
    one = ReportedBreak(reason=ReportedReason.FEE_DIFFERENCE, excess=Excess.BOOKS, amount=1)
    for value, room in (
        (AssetBooks(asset=TENGE, books=0, breaks=(one,) * REPORTED_BREAKS_MAX), True),
        (AssetBooks(asset=TENGE, books=0, breaks=(one,) * (REPORTED_BREAKS_MAX + 1)), False),
        (ReconciliationCut(assets=(TENGE,) * ASSETS_PER_CUT_MAX), True),
        (ReconciliationCut(assets=(TENGE,) * (ASSETS_PER_CUT_MAX + 1)), False),
        (ReconciliationRequire(exchange=ParticipantId("ex"), attestation_hours=ATTESTATION_HOURS_MAX, order="1"), True),
        (
            ReconciliationRequire(exchange=ParticipantId("ex"), attestation_hours=ATTESTATION_HOURS_MAX + 1, order="1"),
            False,
        ),
    ):
        encoded = canonical.encode(value)
        if room:
            assert canonical.decode(encoded, type(value)) == value
        else:
            with pytest.raises(canonical.NotCanonical):
                canonical.decode(encoded, type(value))


def test_acut_of_the_tenge_weighs_more_than_one_of_coins() -> None:
    weight = RULEBOOK.kinds["reconciliation_cut"].weight

    assert weight(ReconciliationCut(assets=(COIN,))) < weight(ReconciliationCut(assets=(TENGE,)))
    order = ReconciliationRequire(exchange=ParticipantId("aix-one"), order="AFSA-1")
    assert RULEBOOK.kinds["reconciliation_require"].weight(order) == LISTED_BY_ORDER_MAX
    assert RULEBOOK.kinds["client_accounts_list"].weight(ClientAccountsList(accounts=(account("A"), account("B")))) == 2


amounts = st.integers(0, 10**9)


@given(amounts, amounts, st.none() | amounts, st.booleans(), st.integers(0, 48 * HOUR_US))
def test_what_balances_is_covered(owed: int, ledger: int, attested: int | None, is_coin: bool, age_us: int) -> None:
    """Balanced means: books equal the ledger, and for coins a fresh look that saw that many."""
    taken_us = 100 * HOUR_US
    seen = Cut(
        date=BusinessDate(TODAY),
        taken_us=TimestampUs(taken_us),
        number=1,
        ledger=ledger,
        attested=attested,
        observed_us=None if attested is None else TimestampUs(taken_us - age_us),
    )
    for books in (owed, ledger):
        breaks = breaks_of(seen, books, is_coin=is_coin, attestation_hours=24)
        backing = backing_of(seen, is_coin=is_coin, attestation_hours=24)
        fresh = attested if attested is not None and age_us <= 24 * HOUR_US else 0
        assert backing == (fresh if is_coin else ledger)
        assert (not breaks) == (books == ledger and backing >= books)
        assert all(each.amount > 0 for each in breaks)
        if not breaks and books:
            covered = coverage(backing, books)
            assert covered is not None
            assert covered >= 1


def test_coverage_is_an_exact_fraction() -> None:
    assert coverage(1, 3) == Fraction(1, 3)
    assert coverage(0, 5) == 0
    assert coverage(5, 0) is None


def test_invented_breaks_are_recorded_as_unexplained_up_to_what_a_record_carries() -> None:
    seen = Cut(date=BusinessDate(TODAY), taken_us=TimestampUs(1), number=1, ledger=BALANCE_MAX)
    invented = ReportedBreak(reason=ReportedReason.POSTING_ERROR, excess=Excess.BOOKS, amount=10**15)

    assert unexplained(seen, AssetBooks(asset=TENGE, books=0, breaks=(invented,))) == BALANCE_MAX
