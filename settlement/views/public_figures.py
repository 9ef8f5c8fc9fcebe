"""What everybody may know of the market: sums over all firms as of the last closed day, and nothing of one firm.

A sum is withheld where fewer than ``FIRMS_MIN`` firms stand behind it, or one of them makes up most of it: who knows
its own part could work out another's. The figures change once a day, so that nobody sees one sale as a difference
between two of them.
"""

import datetime
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.assets import TENGE
from ledger.model.record import Record
from ledger.rules.tables import ASSETS, BALANCES, THE, UTC_OFFSETS, ledger_of
from ledger.state import View
from ledger.units import BusinessDate, DateField, ParticipantId, TimestampUs, TotalField
from settlement.model.intervals import was_active
from settlement.model.local_time import start_of
from settlement.model.production import LotState
from settlement.model.registers import CoinField
from settlement.rules.tables import (
    CLAIMS,
    COINS,
    EXCHANGES,
    LEVY_PAID,
    LOTS,
    REQUIREMENTS,
    REVERSALS,
)
from settlement.views.reconciliations import is_covered
from settlement.views.statements import quota_statement

FIRMS_MIN: Final = 5
"""Fewest firms behind a figure (k-anonymity). Below it, one firm's part could be guessed from what others know."""

DOMINANT_PPM: Final = 800_000
"""A sum of which one firm makes up this part or more, in parts per million, is withheld too."""

MILLION: Final = 1_000_000

SumField = Annotated[int, Meta(ge=0)]
"""A sum over many rows, which no single bound holds for."""


class CoinFigures(Record, frozen=True, kw_only=True):
    """One coin over all miners, in its smallest unit."""

    coin: CoinField
    scale: int
    produced: SumField | None = None
    """Under licence, since the beginning; absent: withheld."""
    sold: SumField | None = None
    """Settled on this ledger, less what was undone; absent: withheld."""


class PublicFigures(Record, frozen=True, kw_only=True):
    """The figures as of the end of a business date."""

    as_of: DateField
    firms_min: int = FIRMS_MIN
    """Fewest firms behind a figure; a figure of fewer, or of one that outweighs the rest, is absent."""
    coins: tuple[CoinFigures, ...]
    miners_with_duty: SumField | None = None
    """Miners that had to sell something."""
    miners_met: SumField | None = None
    """Those of them without a shortfall in any coin, by what is settled here; absent too where all or none are."""
    levy_paid: SumField | None = None
    """Tiyn, for all quarters."""
    tenge_in_circulation: TotalField
    """Tiyn."""
    exchanges: SumField
    """Exchanges that are active in the register, which is public."""
    exchanges_reconciling: SumField
    """Those under an order to reconcile daily."""
    exchanges_covered: SumField | None = None
    """Those of them whose every asset balanced last time."""


def public_figures(view: View) -> PublicFigures:
    """Return the figures as of the last closed business date. It goes through all that there is: once a day."""
    as_of = last_closed(view)
    lots: dict[str, dict[str, int]] = {}
    sold: dict[str, dict[str, int]] = {}
    for _, lot in view.items(LOTS):
        if lot.distributed_on <= as_of and lot.state is LotState.OPEN:
            _add(lots, lot.coin, lot.miner, lot.quantity)
    for key, claim in view.items(CLAIMS):
        if claim.executed_on <= as_of:
            reversal = view.get(REVERSALS, key)
            _add(sold, claim.coin, claim.miner, claim.quantity - (0 if reversal is None else reversal.quantity))
    paid: dict[str, int] = {}
    for key, levy in view.items(LEVY_PAID):
        miner = key.partition("/")[0]
        paid[miner] = paid.get(miner, 0) + levy.amount
    with_duty, met = _quotas(view, lots, as_of)
    reconciling = [ParticipantId(exchange) for exchange, _ in view.items(REQUIREMENTS)]
    covered = sum(is_covered(view, exchange) for exchange in reconciling)
    tenge = view.get(ASSETS, TENGE)
    assert tenge is not None, "genesis writes the tenge"
    return PublicFigures(
        as_of=as_of,
        coins=tuple(
            CoinFigures(
                coin=coin,
                scale=row.scale,
                produced=told(lots.get(coin, {})),
                sold=told(sold.get(coin, {})),
            )
            for coin, row in sorted(view.items(COINS))
        ),
        miners_with_duty=with_duty if with_duty >= FIRMS_MIN else None,
        miners_met=met if with_duty >= FIRMS_MIN and 0 < met < with_duty else None,
        levy_paid=told(paid),
        tenge_in_circulation=view.get(BALANCES, tenge.contra) or 0,
        exchanges=_active(view, as_of),
        exchanges_reconciling=len(reconciling),
        exchanges_covered=covered if len(reconciling) >= FIRMS_MIN else None,
    )


def told(by_firm: Mapping[str, int]) -> int | None:
    """Return a sum over firms, or None where it would tell of one of them."""
    parts = [part for part in by_firm.values() if part]
    total = sum(parts)
    is_dominated = bool(parts) and max(parts) * MILLION >= DOMINANT_PPM * total
    return None if len(parts) < FIRMS_MIN or is_dominated else total


def last_closed(view: View) -> BusinessDate:
    """Return the last closed business date; before the first close, the date before the first."""
    ledger = ledger_of(view)
    if ledger.former_business_date is not None:
        return ledger.former_business_date
    first = datetime.date.fromisoformat(ledger.business_date)
    return BusinessDate((first - datetime.timedelta(days=1)).isoformat())


def _add(sums: dict[str, dict[str, int]], coin: str, miner: str, quantity: int) -> None:
    of_coin = sums.setdefault(coin, {})
    of_coin[miner] = of_coin.get(miner, 0) + quantity


def _quotas(view: View, lots: Mapping[str, Mapping[str, int]], as_of: BusinessDate) -> tuple[int, int]:
    """How many miners had a duty, and how many of those met it in every coin."""
    coins_of: dict[str, list[str]] = {}
    for coin, miners in sorted(lots.items()):
        for miner in miners:
            coins_of.setdefault(miner, []).append(coin)
    with_duty = met = 0
    for miner, coins in coins_of.items():
        statements = [quota_statement(view, ParticipantId(miner), coin, as_of=as_of) for coin in coins]
        if any(statement.obligation for statement in statements):
            with_duty += 1
            met += not any(statement.shortfall for statement in statements)
    return with_duty, met


def _active(view: View, as_of: BusinessDate) -> int:
    """How many exchanges were active when the date ended."""
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    after = start_of(offsets, datetime.date.fromisoformat(as_of) + datetime.timedelta(days=1))
    return sum(was_active(row.history, TimestampUs(after - 1)) for _, row in view.items(EXCHANGES))
