"""What an authority, or the exchange itself, reads of an exchange over some dates.

Each part is there if it was asked for, and absent otherwise. What stands in the state is read there; what happened day
by day, in the history of what the exchange sent.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from ledger.model.record import Record
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import BusinessDate, DateField, LabelField, ParticipantField, ParticipantId, TimestampUs
from settlement.affiliate_flows import DAY_US, WINDOWS_DAYS
from settlement.model.authorities import Part
from settlement.model.intervals import History
from settlement.model.local_time import local_date, start_of
from settlement.model.registers import Activity
from settlement.rules.tables import EXCHANGE_PERMISSIONS, EXCHANGES, PERMISSIONS
from settlement.views.client_assets import ClientAssets, client_assets
from settlement.views.history import Decided
from settlement.views.reconciliations import ReconciliationHistory, reconciliation_history
from settlement.views.trades import DayOfTrades, Doubt, VenueActivity, days_of, doubts_at, trades_of, venue_activity

EXCHANGE_PARTS: Final = frozenset({Part.VENUE, Part.CLIENT_ASSETS, Part.RECONCILIATION, Part.TENGE, Part.CASES})
"""The parts that an exchange's statement has."""

KINDS: Final = frozenset({"dvp_settle", "reconciliation_cut", "reconcile_day", "liabilities_publish"})
"""Kinds whose history a statement needs, besides all that move money where affiliates are looked at."""


class HeldPermission(Record, frozen=True, kw_only=True):
    """A permission of the exchange, with its history."""

    permission: LabelField
    activity: Activity
    history: History


class ExchangeStatement(Record, frozen=True, kw_only=True):
    """An exchange's statement over some dates, both included."""

    exchange: ParticipantField
    from_date: DateField
    until_date: DateField
    parts: tuple[Part, ...]
    """Those that this reader reads, in alphabetical order."""
    licence: LabelField
    history: History
    """Status of the exchange in the register."""
    permissions: tuple[HeldPermission, ...] = ()
    venue: VenueActivity | None = None
    client_assets: ClientAssets | None = None
    reconciliation: ReconciliationHistory | None = None
    tenge: tuple[DayOfTrades, ...] | None = None
    """Digital tenge that sales moved, day by day."""
    cases: tuple[Doubt, ...] | None = None
    """Miners' sales at the exchange within the dates that something speaks against."""


def kinds_for(parts: Iterable[Part]) -> frozenset[str] | None:
    """Return the kinds whose history a statement of these parts needs; None: all."""
    return None if Part.CLIENT_ASSETS in parts else KINDS


def moments_of(view: View, from_date: BusinessDate, until_date: BusinessDate) -> tuple[TimestampUs, TimestampUs]:
    """Return the first moment of a date, and the first one after another date, in Kazakhstan."""
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    after = datetime.date.fromisoformat(until_date) + datetime.timedelta(days=1)
    return start_of(offsets, datetime.date.fromisoformat(from_date)), start_of(offsets, after)


def history_from(parts: Iterable[Part], from_us: TimestampUs, until_us: TimestampUs) -> TimestampUs:
    """Return from when on the history is needed: exposures look back by the longest of their windows."""
    if Part.CLIENT_ASSETS not in parts:
        return from_us
    return TimestampUs(max(0, min(from_us, until_us - max(WINDOWS_DAYS) * DAY_US)))


def exchange_statement(
    view: View,
    exchange: ParticipantId,
    *,
    from_date: BusinessDate,
    until_date: BusinessDate,
    parts: Iterable[Part],
    sent: Sequence[Decided],
    closed: Sequence[BusinessDate],
) -> ExchangeStatement:
    """Return the statement of a registered exchange.

    Args:
        view: the state.
        exchange: participant id.
        from_date: first local date.
        until_date: last local date; not before the first.
        parts: those to be in it; what no exchange's statement has is passed over.
        sent: what the exchange sent of `kinds_for` these parts, from `history_from` on.
        closed: business dates that are over, in any order.
    """
    registered = view.get(EXCHANGES, exchange)
    offsets = view.get(UTC_OFFSETS, THE)
    assert registered is not None, "the caller has looked the exchange up"
    assert offsets is not None, "genesis writes the offsets"
    own = frozenset(parts) & EXCHANGE_PARTS
    from_us, until_us = moments_of(view, from_date, until_date)
    within = [each for each in sent if each.row.time_us >= from_us]
    trades = trades_of(view, exchange, within, from_us, until_us) if own & {Part.VENUE, Part.TENGE} else ()
    days = days_of(trades, lambda moment: local_date(offsets, moment))
    dates = [date for date in closed if from_date <= date <= until_date]
    return ExchangeStatement(
        exchange=exchange,
        from_date=from_date,
        until_date=until_date,
        parts=tuple(sorted(own)),
        licence=registered.licence,
        history=registered.history,
        permissions=permissions_of(view, exchange),
        venue=venue_activity(view, exchange, trades, from_date, until_date) if Part.VENUE in own else None,
        client_assets=client_assets(view, exchange, sent, from_us, until_us) if Part.CLIENT_ASSETS in own else None,
        reconciliation=reconciliation_history(view, exchange, within, dates) if Part.RECONCILIATION in own else None,
        tenge=days if Part.TENGE in own else None,
        cases=doubts_at(view, exchange, from_date, until_date) if Part.CASES in own else None,
    )


def permissions_of(view: View, exchange: ParticipantId) -> tuple[HeldPermission, ...]:
    """Return the permissions of an exchange, in the order in which they were registered."""
    held = []
    for number in view.get(EXCHANGE_PERMISSIONS, exchange) or ():
        permission = view.get(PERMISSIONS, number)
        assert permission is not None, "the index is written with the permission"
        held.append(HeldPermission(permission=number, activity=permission.activity, history=permission.history))
    return tuple(held)
