"""A simulated year of the market on the real rules: dozens of miners, a hundred thousand sales, and what comes of it.

Everything is signed, decided, sealed into blocks in this process, as a node would; nothing travels and nothing is kept
on disk. The same seed plays the same year.
"""

import datetime
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ledger.rules.invariants import check_conservation
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.statement import QuotaStatement
from settlement.rules.levy import levy_of
from settlement.rules.tables import CLAIM_DECISIONS, QUOTA_FLAGS
from settlement.views.statements import quota_statement
from wallet_api.sandbox.network import keys_from_seed, make_network
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.pilot_stage import local_time_us
from wallet_api.sandbox.year_days import Days
from wallet_api.sandbox.year_ledger import YearLedger
from wallet_api.sandbox.year_levy import Levy, quarter_before
from wallet_api.sandbox.year_opening import YearTown, close_day, open_year
from wallet_api.sandbox.year_plan import DAY_BEFORE, FIRST_DAY, QUARTER_DAY, YearScale, make_plan, price_path
from wallet_api.sandbox.year_sales import Trading
from wallet_api.sandbox.year_search import Search

NETWORK: Final = "year"
"""Name of the network of every simulated year."""

Progress = Callable[[datetime.date, int], None]
"""Told each day that is over, and how many sales were tried so far."""


class MinerYear(msgspec.Struct, frozen=True, kw_only=True):
    """Where a miner stands in the end, in satoshi."""

    miner: str
    produced: int
    unlicensed: int
    corrected: int
    obligation: int
    counted: int
    counted_obligation: int
    shortfall: int
    sold: int
    held: int
    disqualified: int
    is_met: bool


class LevyQuarter(msgspec.Struct, frozen=True, kw_only=True):
    """The levy of a quarter, all miners together, in tiyn."""

    quarter: str
    energy_kwh: int
    due: int
    paid: int
    outstanding: int
    miners_outstanding: int


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast it went, on this machine with everything else running on it."""

    seconds: float
    """The whole year, participants' work included."""
    deciding_s: float
    """Signatures checked, rules, leaves, tree, checkpoint: the ledger's work."""
    signing_s: float
    transactions: int
    transactions_per_s: float
    """Of the ledger's work."""
    sales_per_s: float
    """Sales tried by the second of all the ledger's work, everything else it decided included."""
    statements_per_s: float
    leaves: int
    blocks: int


class YearReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the year came to."""

    seed: int
    miners: tuple[MinerYear, ...]
    sales_tried: int
    sales_settled: int
    settled_tiyn: int
    fees_tiyn: int
    reversed: int
    """Satoshi moved back."""
    met: int
    """Miners without a shortfall."""
    shortfall: int
    held_claims: tuple[str, ...]
    shams: int
    """Sales whose tenge went round."""
    shams_flagged: int
    flagged: int
    """Claims flagged, those that were no shams included."""
    searched: int
    disqualified: int
    restored: int
    levy: tuple[LevyQuarter, ...]
    coverage: dict[str, tuple[int, int]]
    """The least coverage by exchange and asset, as an exact fraction."""
    reconciled: int
    suspended: tuple[tuple[str, str, str], ...]
    reports: int
    corrections: int
    accepted: dict[str, int]
    refused: dict[str, int]
    """By kind and code."""
    basis_note: str
    speed: Speed


@dataclass(frozen=True, slots=True)
class Year:
    """A year that was played."""

    report: YearReport
    ledger: YearLedger


def play_year(scale: YearScale, *, keeps_blocks: bool = False, progress: Progress | None = None) -> Year:
    """Play a year and report.

    Args:
        scale: how much.
        keeps_blocks: whether the blocks are kept, for who wants to read them back.
        progress: told each day that is over.

    Raises:
        UnexpectedEnd: something was decided otherwise than it must be.
    """
    started = time.perf_counter()
    plan, prices = make_plan(scale), price_path(scale)
    network = make_network(
        NETWORK,
        clock="scripted",
        time_us=local_time_us(DAY_BEFORE.isoformat(), 8),
        keys=keys_from_seed(f"year {scale.seed}"),
        others=plan.members,
    )
    ledger = YearLedger(network, scale.seed, keeps_blocks)
    town = YearTown(plan, ledger, keys_from_seed(f"year {scale.seed} holders"))
    open_year(town)
    chance = random.Random(f"days {scale.seed}")  # noqa: S311 - a simulation that can be repeated, no secret
    trading = Trading(town, random.Random(f"sales {scale.seed}"), prices)  # noqa: S311 - the same
    days, levy, search = Days(town, chance, prices, trading), Levy(town, chance), Search(town)
    days.reconcile(DAY_BEFORE.isoformat())
    close_day(town, DAY_BEFORE.isoformat(), FIRST_DAY.isoformat())
    for date in scale.dates():
        began_us = ledger.now_us
        if date.day == QUARTER_DAY and date.month in (4, 7, 10):
            ledger.move_to(date.isoformat(), 8)
            quarter = quarter_before(date)
            levy.collect(quarter, date.replace(day=1), days.counts.by_quarter)
        days.play(date)
        search.finish_day(date, TimestampUs(began_us))
        close_day(town, date.isoformat(), (date + datetime.timedelta(days=1)).isoformat())
        if progress is not None:
            progress(date, trading.deals.tried)
    after = scale.last_day + datetime.timedelta(days=1)
    ledger.move_to(after.isoformat(), 9)
    levy.collect(quarter_of_day(scale.last_day), after, days.counts.by_quarter)
    check_conservation(ledger.state)
    return Year(_report(town, trading, days, levy, search, started), ledger)


def quarter_of_day(date: datetime.date) -> str:
    """Return the quarter of a day."""
    return f"{date.year}-Q{(date.month + 2) // 3}"


def _report(town: YearTown, trading: Trading, days: Days, levy: Levy, search: Search, started: float) -> YearReport:
    ledger, deals, counts, findings = town.ledger, trading.deals, days.counts, search.findings
    asked = time.perf_counter()
    statements = [_statement(town, miner.name) for miner in town.plan.miners]
    statements_s = time.perf_counter() - asked
    miners = tuple(_miner(statement) for statement in statements)
    speeds = ledger.speeds
    return YearReport(
        seed=town.plan.scale.seed,
        miners=miners,
        sales_tried=deals.tried,
        sales_settled=deals.settled,
        settled_tiyn=deals.settled_tiyn,
        fees_tiyn=deals.fees_tiyn,
        reversed=deals.reversed,
        met=sum(miner.is_met for miner in miners),
        shortfall=sum(miner.shortfall for miner in miners),
        held_claims=_held(town),
        shams=len(deals.shams),
        shams_flagged=len(deals.shams.keys() & findings.flagged.keys()),
        flagged=len(findings.flagged),
        searched=findings.searched,
        disqualified=findings.disqualified,
        restored=findings.restored,
        levy=tuple(_levy_quarter(town, quarter) for quarter in sorted(levy.books.energy_kwh)),
        coverage={key: (each.numerator, each.denominator) for key, each in sorted(counts.coverage.items())},
        reconciled=counts.reconciled,
        suspended=tuple(counts.suspended),
        reports=counts.reports,
        corrections=counts.corrections,
        accepted=dict(sorted(ledger.accepted.items())),
        refused={f"{kind}: {code}": count for (kind, code), count in sorted(ledger.refused.items())},
        basis_note=statements[0].basis_note,
        speed=Speed(
            seconds=round(time.perf_counter() - started, 1),
            deciding_s=round(speeds.deciding_s, 1),
            signing_s=round(speeds.signing_s, 1),
            transactions=speeds.transactions,
            transactions_per_s=round(speeds.transactions / speeds.deciding_s, 1),
            sales_per_s=round(deals.tried / speeds.deciding_s, 1),
            statements_per_s=round(len(statements) / statements_s, 2),
            leaves=speeds.leaves,
            blocks=speeds.blocks,
        ),
    )


def _statement(town: YearTown, miner: str) -> QuotaStatement:
    as_of = BusinessDate(town.plan.scale.last_day.isoformat())
    return quota_statement(town.ledger.state, ParticipantId(miner), COIN, as_of=as_of)


def _miner(statement: QuotaStatement) -> MinerYear:
    members: dict[str, Any] = {
        name: getattr(statement, name) for name in MinerYear.__struct_fields__ if name != "is_met"
    }
    return MinerYear(**members, is_met=statement.shortfall == 0)


def _held(town: YearTown) -> tuple[str, ...]:
    """Claims with a flag that nobody has decided on."""
    state = town.ledger.state
    return tuple(
        sorted(key for key, flags in state.items(QUOTA_FLAGS) if flags and not state.get(CLAIM_DECISIONS, key))
    )


def _levy_quarter(town: YearTown, quarter: str) -> LevyQuarter:
    rows = [levy_of(town.ledger.state, ParticipantId(miner.name), quarter) for miner in town.plan.miners]
    return LevyQuarter(
        quarter=quarter,
        energy_kwh=sum(row.energy_kwh for row in rows),
        due=sum(row.levy for row in rows),
        paid=sum(row.paid for row in rows),
        outstanding=sum(row.outstanding for row in rows),
        miners_outstanding=sum(row.outstanding > 0 for row in rows),
    )
