"""Published liabilities: one root for each reconciliation, never less than the ledger shows."""

from typing import Any

import pytest

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url
from ledger.crypto.merkle import InvalidProof
from ledger.model.assets import TENGE
from ledger.model.outcome import Inadmissible, Outcome
from ledger.units import AssetId, BusinessDate, ParticipantId
from settlement.model.liabilities import LEAVES_MAX, Published
from settlement.model.reconciliation import AssetBooks
from settlement.rules.liabilities import LiabilitiesPublish
from settlement.rules.reconciliation import ReconcileDay, ReconciliationCut
from settlement.rules.reconciliation_order import ReconciliationRequire
from settlement.rules.tables import LIABILITIES
from settlement.solvency import Owed, Scope, SumTree, verify_inclusion
from tests.book import Book, refused_with
from tests.settlement.market import BTC, COIN, accepted, attest, market

TODAY = BusinessDate("2024-12-27")
MAKERS = ("aix-one-1", "aix-one-2")
COINS = (Owed("miner-one", 10 * BTC, bytes([1]) * 16), Owed("client-b", 5 * BTC, bytes([2]) * 16))


@pytest.fixture
def book() -> Book:
    """A market under a supervisor's order."""
    book = market()
    order = ReconciliationRequire(exchange=ParticipantId("aix-one"), order="AFSA-1")
    accepted(book.submit("reconciliation_require", order, by="ministry"))
    return book


def reconcile(book: Book, asset: AssetId, owed: int) -> None:
    accepted(book.submit("reconciliation_cut", ReconciliationCut(assets=(asset,)), by="aix-one"))
    body = ReconcileDay(date=TODAY, assets=(AssetBooks(asset=asset, books=owed),))
    accepted(book.submit("reconcile_day", body, by="aix-one", signers=MAKERS))


def published(*clients: Owed, asset: AssetId = COIN) -> Published:
    return SumTree(Scope(ParticipantId("aix-one"), asset, TODAY), clients).published()


def publish(book: Book, tree: Published, *, signers: tuple[str, ...] = MAKERS, **members: Any) -> Outcome:
    whole: dict[str, Any] = {
        "asset": tree.asset,
        "date": tree.date,
        "root": tree.root,
        "total": tree.total,
        "leaves": tree.leaves,
    } | members
    return book.submit("liabilities_publish", LiabilitiesPublish(**whole), by="aix-one", signers=signers)


def test_a_client_checks_its_leaf_against_what_the_ledger_shows(book: Book) -> None:
    reconcile(book, COIN, 15 * BTC)
    tree = SumTree(Scope(ParticipantId("aix-one"), COIN, TODAY), COINS)
    outcome = accepted(publish(book, tree.published()))

    assert outcome.record == {"backing": 100 * BTC, "ledger": 15 * BTC, "coverage": [20, 3]}
    stands = book.state.get(LIABILITIES, f"aix-one/{COIN}")
    assert stands is not None
    shown = Published(
        exchange=ParticipantId("aix-one"),
        asset=COIN,
        date=stands.date,
        root=stands.root,
        total=stands.total,
        leaves=stands.leaves,
    )
    verify_inclusion(tree.proof("client-b"), shown, client="client-b", balance=5 * BTC)
    with pytest.raises(InvalidProof):
        verify_inclusion(tree.proof("client-b"), shown, client="client-b", balance=6 * BTC)


def test_coverage_is_of_one_asset_and_of_tenge_what_clients_hold(book: Book) -> None:
    reconcile(book, TENGE, 91_000_000)
    tree = published(Owed("a", 90_000_000, bytes(16)), Owed("c", 1_000_000, bytes([1]) * 16), asset=TENGE)

    assert accepted(publish(book, tree)).record == {"backing": 91_000_000, "ledger": 91_000_000, "coverage": [1, 1]}


def test_bad_news_is_published_too(book: Book) -> None:
    accepted(attest(book, 5 * BTC))
    reconcile(book, COIN, 15 * BTC)

    record = accepted(publish(book, published(*COINS))).record
    assert record is not None
    assert record["coverage"] == [1, 3]


def test_where_nothing_is_owed_there_is_no_coverage() -> None:
    book = market()
    order = ReconciliationRequire(exchange=ParticipantId("aix-two"), order="AFSA-1")
    accepted(book.submit("reconciliation_require", order, by="ministry"))
    makers = ("aix-two-1", "aix-two-2")
    accepted(book.submit("reconciliation_cut", ReconciliationCut(assets=(TENGE,)), by="aix-two"))
    body = ReconcileDay(date=TODAY, assets=(AssetBooks(asset=TENGE, books=0),))
    accepted(book.submit("reconcile_day", body, by="aix-two", signers=makers))
    root = SumTree(Scope(ParticipantId("aix-two"), TENGE, TODAY), ()).published()
    publication = LiabilitiesPublish(asset=TENGE, date=TODAY, root=root.root, total=0, leaves=0)

    outcome = accepted(book.submit("liabilities_publish", publication, by="aix-two", signers=makers))
    assert outcome.record == {"backing": 0, "ledger": 0}


def test_liabilities_follow_a_reconciliation_of_that_date(book: Book) -> None:
    assert refused_with(publish(book, published(*COINS))) == "liabilities_date_differs"
    reconcile(book, COIN, 15 * BTC)
    other = publish(book, published(*COINS), date=BusinessDate("2024-12-26"))
    assert refused_with(other) == "liabilities_date_differs"


def test_no_two_roots_are_shown_for_one_reconciliation(book: Book) -> None:
    reconcile(book, COIN, 15 * BTC)
    accepted(publish(book, published(*COINS)))
    assert refused_with(publish(book, published(*COINS), root=b64url(bytes(32)))) == "liabilities_published"

    reconcile(book, COIN, 15 * BTC)
    accepted(publish(book, published(*COINS)))


def test_no_client_is_left_out_below_what_the_ledger_shows(book: Book) -> None:
    """The books themselves leave a client out: the reconciliation is broken, and the total is refused."""
    reconcile(book, COIN, 10 * BTC)

    assert refused_with(publish(book, published(COINS[0]))) == "liabilities_understated"


def test_the_total_is_that_of_the_books(book: Book) -> None:
    reconcile(book, COIN, 16 * BTC)

    assert refused_with(publish(book, published(*COINS))) == "liabilities_differ"
    more = (*COINS, Owed("client-z", BTC, bytes([3]) * 16))
    accepted(publish(book, published(*more)))


def test_two_people_publish_and_an_auditor_may_sign_too(book: Book) -> None:
    reconcile(book, COIN, 15 * BTC)
    root = published(*COINS)

    assert isinstance(publish(book, root, signers=("aix-one-1",)), Inadmissible)
    assert isinstance(publish(book, root, auditor=ParticipantId("auditor")), Inadmissible)
    unfit = publish(book, root, auditor=ParticipantId("bank-a"), signers=(*MAKERS, "bank-a-1"))
    assert refused_with(unfit) == "auditor_unfit"
    accepted(publish(book, root, auditor=ParticipantId("auditor"), signers=(*MAKERS, "auditor-1")))
    stands = book.state.get(LIABILITIES, f"aix-one/{COIN}")
    assert stands is not None
    assert stands.auditor == "auditor"


def test_a_tree_has_a_largest_number_of_leaves() -> None:
    for leaves in (LEAVES_MAX, LEAVES_MAX + 1):
        body = LiabilitiesPublish(asset=COIN, date=TODAY, root=b64url(bytes(32)), total=1, leaves=leaves)
        if leaves == LEAVES_MAX:
            assert canonical.decode(canonical.encode(body), LiabilitiesPublish) == body
        else:
            with pytest.raises(canonical.NotCanonical, match="leaves"):
                canonical.decode(canonical.encode(body), LiabilitiesPublish)
