"""An exchange under a supervisor's order to reconcile, for tests: what it and others send, on top of ``market``."""

from typing import Any

from ledger.model.assets import TENGE
from ledger.model.outcome import Outcome
from ledger.rules.tables import ledger_of
from ledger.rules.transfers import Transfer
from ledger.state import Overlay, Table
from ledger.units import AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.reconciliation import (
    AssetBooks,
    Cut,
    Reconciliation,
)
from settlement.rules.reconciliation import ReconcileDay, ReconciliationCut
from settlement.rules.reconciliation_order import ClientAccountsList, ReconciliationRequire
from settlement.rules.tables import CUTS, RECONCILIATIONS
from tests.book import Book
from tests.settlement.market import (
    BTC,
    COIN,
    account,
    close_day,
)
from tests.settlement.market import (
    settle as settle_sale,
)

TENGE_OWED = 91_000_000
"""Client tenge at ``aix-one`` in the morning of the market: client-a 900,000.00 and client-c 10,000.00."""

COINS_OWED = 15 * BTC

FEE = 97
"""Tiyn, of a sale of 487.75 tenge."""

TODAY = "2024-12-27"
MONDAY = "2024-12-30"


def settle(book: Book) -> Outcome:
    """A sale small enough for several."""
    return settle_sale(book, quantity=BTC // 100_000, fee=FEE)


def require(book: Book, exchange: str = "aix-one", hours: int = 24) -> Outcome:
    body = ReconciliationRequire(exchange=ParticipantId(exchange), attestation_hours=hours, order="AFSA-1")
    return book.submit("reconciliation_require", body, by="ministry")


def cut(book: Book, *assets: AssetId, by: str = "aix-one") -> Outcome:
    return book.submit("reconciliation_cut", ReconciliationCut(assets=assets or (TENGE, COIN)), by=by)


def stated(tenge: int = TENGE_OWED, coins: int = COINS_OWED, **members: Any) -> tuple[AssetBooks, ...]:
    return (AssetBooks(asset=TENGE, books=tenge, **members), AssetBooks(asset=COIN, books=coins))


def reconcile(
    book: Book, *assets: AssetBooks, date: str = TODAY, auditor: str | None = None, signers: tuple[str, ...] = ()
) -> Outcome:
    body = ReconcileDay(
        date=BusinessDate(date), assets=assets or stated(), auditor=None if auditor is None else ParticipantId(auditor)
    )
    return book.submit("reconcile_day", body, by="aix-one", signers=signers or ("aix-one-1", "aix-one-2"))


def listed(book: Book, *names: str, by: str = "aix-one") -> Outcome:
    body = ClientAccountsList(accounts=tuple(account(name) for name in names))
    return book.submit("client_accounts_list", body, by=by)


def last(book: Book, asset: AssetId = COIN) -> Reconciliation:
    """What stands of the last reconciliation."""
    result = book.state.get(RECONCILIATIONS, f"aix-one/{asset}")
    assert result is not None
    return result


def put(book: Book, table: Table[Any], key: str, value: object) -> None:
    """Set a row that would take a million transactions to come about."""
    overlay = Overlay(book.state)
    overlay.put(table, key, value)
    book.state.advance(overlay, TimestampUs(book.time_us))


def pay_in(book: Book, debit: str, credit: str, amount: int) -> Outcome:
    """The exchange moves tenge between its own accounts."""
    body = Transfer(debit=account(debit), credit=account(credit), asset=TENGE, amount=amount)
    return book.submit("transfer", body, by="aix-one")


def next_day(book: Book, opens: str = MONDAY) -> None:
    close_day(book, ledger_of(book.state).business_date, opens)


def cut_of(book: Book, asset: AssetId = TENGE) -> Cut:
    """The cut that stands."""
    standing = book.state.get(CUTS, f"aix-one/{asset}")
    assert standing is not None
    return standing
