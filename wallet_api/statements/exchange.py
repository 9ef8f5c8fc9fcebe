"""An exchange's statement on paper."""

import datetime
from collections.abc import Iterator, Mapping
from fractions import Fraction

from ledger.model.assets import TENGE
from settlement.views.client_assets import ClientAssets
from settlement.views.exchange_statement import ExchangeStatement
from settlement.views.reconciliations import ReconciliationHistory
from settlement.views.trades import DayOfTrades, Doubt, VenueActivity
from wallet_api.statements.document import TENGE_SCALE, Amount, Document, Share, Sheet, columns

Scales = Mapping[str, int]
"""Decimal places by coin."""


def exchange_document(statement: ExchangeStatement, scales: Scales) -> Document:
    """Return the statement as a document; what the reader does not read has no table in it.

    Args:
        statement: what it says.
        scales: decimal places of every coin in it.
    """
    return Document(
        title=f"Statement of exchange {statement.exchange}, {statement.from_date} to {statement.until_date}",
        facts=(
            ("exchange", statement.exchange),
            ("first date", statement.from_date),
            ("last date", statement.until_date),
            ("parts", ", ".join(statement.parts)),
            ("licence", statement.licence),
            ("status", statement.history[-1].status),
            ("permissions", ", ".join(f"{held.permission} ({held.activity})" for held in statement.permissions)),
        ),
        sheets=tuple(_sheets(statement, scales)),
    )


def moment(us: int) -> str:
    """Return a moment as people write it, in UTC to the second."""
    return datetime.datetime.fromtimestamp(us // 1_000_000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _sheets(statement: ExchangeStatement, scales: Scales) -> Iterator[Sheet]:
    if statement.venue is not None:
        yield from _venue(statement.venue, scales)
    if statement.tenge is not None:
        yield _tenge(statement.tenge)
    if statement.reconciliation is not None:
        yield from _reconciliation(statement.reconciliation, scales)
    if statement.client_assets is not None:
        yield from _client_assets(statement.client_assets)
    if statement.cases is not None:
        yield _cases(statement.cases)


def _venue(venue: VenueActivity, scales: Scales) -> Iterator[Sheet]:
    yield Sheet(
        name="totals",
        title=f"Settled sales by coin; the posted fee is {venue.fee_ppm} millionths",
        columns=columns("coin", "#sales", "#quantity", "#amount, KZT", "#fees, KZT"),
        rows=[
            (total.coin, total.trades, Amount(total.quantity, total.scale), Amount(total.amount), Amount(total.fees))
            for total in venue.totals
        ],
    )
    yield Sheet(
        name="trades",
        title="Settled sales",
        columns=columns(
            "trade",
            "final",
            "coin",
            "#quantity",
            "#amount, KZT",
            "#fee, KZT",
            "#tax, KZT",
            "tenge",
            "#undone",
            "#returned, KZT",
            "transaction",
        ),
        rows=[
            (
                line.trade,
                moment(line.settled_us),
                line.coin,
                Amount(line.quantity, scales[line.coin]),
                Amount(line.amount),
                Amount(line.fee),
                Amount(line.tax),
                "net" if line.is_net else "gross",
                Amount(line.undone, scales[line.coin]),
                Amount(line.returned),
                line.transaction,
            )
            for line in venue.trades
        ],
    )
    yield Sheet(
        name="fails",
        title="Sales, or parts of sales, that did not settle",
        columns=columns("trade", "coin", "cause", "#quantity", "settlement date", "failed", "#age, business days"),
        rows=[
            (
                line.trade,
                line.coin,
                line.cause,
                Amount(line.quantity, scales[line.coin]),
                line.settlement_date,
                line.failed_on,
                line.age_days,
            )
            for line in venue.fails
        ],
    )


def _tenge(days: tuple[DayOfTrades, ...]) -> Sheet:
    return Sheet(
        name="tenge",
        title="Digital tenge that sales moved",
        columns=columns("date", "#sales", "#amount, KZT", "#fees, KZT", "#tax, KZT"),
        rows=[(day.date, day.trades, Amount(day.amount), Amount(day.fees), Amount(day.tax)) for day in days],
    )


def _reconciliation(history: ReconciliationHistory, scales: Scales) -> Iterator[Sheet]:
    order = "no order to reconcile" if history.order is None else f"order {history.order.order}"
    yield Sheet(
        name="reconciliations",
        title=f"Reconciliations: books, ledger and attested coins ({order})",
        columns=columns(
            "date",
            "asset",
            "result",
            "#books",
            "#owed",
            "#backing",
            "#coverage, %",
            "breaks",
            "#unexplained",
            "auditor",
        ),
        rows=[
            (
                day.date,
                day.asset,
                day.result,
                *(Amount(units, _scale(day.asset, scales)) for units in (day.books, day.owed, day.backing)),
                _share(day.coverage),
                ", ".join(f"{reason} {amount}" for reason, amount in sorted(day.breaks.items())),
                Amount(day.unexplained, _scale(day.asset, scales)),
                day.auditor or "",
            )
            for day in history.days
        ],
    )
    yield Sheet(
        name="missed",
        title="Closed business dates that were not reconciled",
        columns=columns("date", "asset"),
        rows=[(day.date, day.asset) for day in history.missed],
    )
    yield Sheet(
        name="liabilities",
        title="Published roots of what clients are owed",
        columns=columns("date", "asset", "root", "#total", "#clients", "#backing", "#coverage, %", "auditor"),
        rows=[
            (
                root.date,
                root.asset,
                root.root,
                Amount(root.total, _scale(root.asset, scales)),
                root.leaves,
                Amount(root.backing, _scale(root.asset, scales)),
                _share(root.coverage),
                root.auditor or "",
            )
            for root in history.roots
        ],
    )


def _client_assets(assets: ClientAssets) -> Iterator[Sheet]:
    places = {owed.asset: owed.scale for owed in assets.owed}
    yield Sheet(
        name="owed",
        title="What clients are owed now, by the ledger",
        columns=columns("asset", "#owed", "#attested", "auditor looked"),
        rows=[
            (
                owed.asset,
                Amount(owed.owed, owed.scale),
                "" if owed.attested is None else Amount(owed.attested, owed.scale),
                "" if owed.observed_us is None else moment(owed.observed_us),
            )
            for owed in assets.owed
        ],
    )
    yield Sheet(
        name="exposures",
        title="What the house paid to affiliates, less what came back; assets are never netted",
        columns=columns("asset", "#days", "#paid", "#returned", "#net"),
        rows=[
            (
                each.asset,
                each.days,
                *(Amount(units, places.get(each.asset, TENGE_SCALE)) for units in (each.paid, each.returned, each.net)),
            )
            for each in assets.exposures
        ],
    )
    yield Sheet(
        name="flows",
        title="Movements between house and affiliates",
        columns=columns("time", "asset", "#amount", "direction"),
        rows=[
            (
                moment(flow.at_us),
                flow.asset,
                Amount(flow.amount, places.get(flow.asset, TENGE_SCALE)),
                "to the affiliate" if flow.is_paid else "back",
            )
            for flow in assets.flows
        ],
    )


def _cases(cases: tuple[Doubt, ...]) -> Sheet:
    return Sheet(
        name="cases",
        title="Miners' sales that something speaks against",
        columns=columns("claim", "miner", "executed", "flags", "decisions"),
        rows=[
            (
                doubt.claim,
                doubt.miner,
                doubt.executed_on,
                ", ".join(f"{flag.reason} by {flag.by}" for flag in doubt.flags),
                ", ".join(f"{each.verdict} ({each.order}) by {each.by}" for each in doubt.decisions),
            )
            for doubt in cases
        ],
    )


def _scale(asset: str, scales: Scales) -> int:
    return TENGE_SCALE if asset == TENGE else scales[asset.partition(":")[0]]


def _share(coverage: tuple[int, ...] | None) -> Share:
    return Share(None if coverage is None else Fraction(coverage[0], coverage[1]))
