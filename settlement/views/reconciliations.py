"""Reconciliations of an exchange day by day, the days without one, and its published liabilities."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from msgspec import Meta

from ledger.model.assets import TENGE
from ledger.model.record import Record
from ledger.state import View
from ledger.units import (
    AssetField,
    AssetId,
    BusinessDate,
    DateField,
    DigestField,
    ParticipantField,
    ParticipantId,
    TimestampField,
    TotalField,
)
from settlement.model.reconciliation import Cut, Liabilities, Reconciliation, Requirement, Result, coverage
from settlement.rules.tables import CUTS, LIABILITIES, RECONCILIATIONS, REQUIREMENTS
from settlement.views.history import Decided

FractionField = Annotated[tuple[int, ...], Meta(min_length=2, max_length=2)]
"""Numerator and denominator, in lowest terms."""


class DayReconciled(Record, frozen=True, kw_only=True):
    """One reconciliation of one asset, in its smallest unit."""

    date: DateField
    asset: AssetField
    reconciled_us: TimestampField
    result: Result
    books: TotalField
    """What the exchange owed its clients by its own books."""
    owed: TotalField
    """By the books, and never less than the ledger showed."""
    backing: TotalField
    """What stood behind it."""
    coverage: FractionField | None = None
    """Backing by what was owed; absent where nothing was."""
    breaks: dict[str, int]
    """Amount by reason; none where the three sides agreed."""
    unexplained: TotalField
    auditor: ParticipantField | None = None
    """The auditor that signed too."""


class DayMissed(Record, frozen=True, kw_only=True):
    """A closed business date for which an asset was not reconciled, though the order asked for it."""

    date: DateField
    asset: AssetField


class RootPublished(Record, frozen=True, kw_only=True):
    """A root of a proof of liabilities."""

    date: DateField
    asset: AssetField
    published_us: TimestampField
    root: DigestField
    total: TotalField
    leaves: TotalField
    """Clients in the tree."""
    backing: TotalField
    coverage: FractionField | None = None
    auditor: ParticipantField | None = None


class ReconciliationHistory(Record, frozen=True, kw_only=True):
    """What an exchange did under the order to reconcile."""

    order: Requirement | None = None
    """The order that stands; None: there is none."""
    days: tuple[DayReconciled, ...]
    """In the order of the log; a correction of a day stands after it."""
    missed: tuple[DayMissed, ...]
    roots: tuple[RootPublished, ...]


class AssetStanding(Record, frozen=True, kw_only=True):
    """How one asset of an exchange stands now."""

    asset: AssetField
    cut: Cut | None = None
    reconciliation: Reconciliation | None = None
    coverage: FractionField | None = None
    """Backing by what was owed at the last reconciliation; absent where nothing was."""
    liabilities: Liabilities | None = None


def reconciliation_history(
    view: View, exchange: ParticipantId, sent: Iterable[Decided], closed: Sequence[BusinessDate]
) -> ReconciliationHistory:
    """Return the reconciliations in a history.

    Args:
        view: the state.
        exchange: whose.
        sent: what it sent.
        closed: business dates of the period that are over.
    """
    sent = tuple(sent)
    order = view.get(REQUIREMENTS, exchange)
    days = tuple(day for each in sent if each.row.kind == "reconcile_day" for day in _days(each))
    return ReconciliationHistory(
        order=order,
        days=days,
        missed=() if order is None else tuple(_missed(view, exchange, order, days, closed)),
        roots=tuple(_root(each) for each in sent if each.row.kind == "liabilities_publish"),
    )


def standing(view: View, exchange: ParticipantId) -> tuple[AssetStanding, ...]:
    """Return how the assets of an exchange stand that were ever cut."""
    found = []
    for asset in _assets(view, exchange):
        key = f"{exchange}/{asset}"
        reconciliation = view.get(RECONCILIATIONS, key)
        found.append(
            AssetStanding(
                asset=asset,
                cut=view.get(CUTS, key),
                reconciliation=reconciliation,
                coverage=None if reconciliation is None else fraction_of(reconciliation.backing, reconciliation.owed),
                liabilities=view.get(LIABILITIES, key),
            )
        )
    return tuple(found)


def is_covered(view: View, exchange: ParticipantId) -> bool:
    """Whether every asset that an exchange has cut was balanced when it was last reconciled."""
    results = [view.get(RECONCILIATIONS, f"{exchange}/{asset}") for asset in _assets(view, exchange)]
    return bool(results) and all(result is not None and result.result is Result.BALANCED for result in results)


def fraction_of(backing: int, owed: int) -> tuple[int, ...] | None:
    """Return a coverage as numerator and denominator; None where nothing is owed."""
    covered = coverage(backing, owed)
    return None if covered is None else (covered.numerator, covered.denominator)


def _assets(view: View, exchange: ParticipantId) -> tuple[AssetId, ...]:
    keys = (key.partition("/") for key, _ in view.items(CUTS))
    return tuple(sorted(AssetId(asset) for owner, _, asset in keys if owner == exchange))


def _days(each: Decided) -> Iterator[DayReconciled]:
    verdicts = each.record["assets"]
    for books in each.body.assets:
        verdict = verdicts[books.asset]
        yield DayReconciled(
            date=each.body.date,
            asset=books.asset,
            reconciled_us=each.row.time_us,
            result=Result(verdict["result"]),
            books=books.books,
            owed=verdict["owed"],
            backing=verdict["backing"],
            coverage=fraction_of(verdict["backing"], verdict["owed"]),
            breaks=dict(verdict["breaks"]),
            unexplained=verdict["unexplained"],
            auditor=each.body.auditor,
        )


def _missed(
    view: View,
    exchange: ParticipantId,
    order: Requirement,
    days: Iterable[DayReconciled],
    closed: Iterable[BusinessDate],
) -> Iterator[DayMissed]:
    done = {(day.date, day.asset) for day in days}
    assets = _assets(view, exchange) or (TENGE,)
    for date in sorted(closed):
        if date >= order.from_date:
            yield from (DayMissed(date=date, asset=asset) for asset in assets if (date, asset) not in done)


def _root(each: Decided) -> RootPublished:
    body, backing = each.body, each.record["backing"]
    return RootPublished(
        date=body.date,
        asset=body.asset,
        published_us=each.row.time_us,
        root=body.root,
        total=body.total,
        leaves=body.leaves,
        backing=backing,
        coverage=fraction_of(backing, body.total),
        auditor=body.auditor,
    )
