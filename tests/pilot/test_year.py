"""The simulated year in small: its report is what a recount of its blocks comes to; a seed plays it again."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from settlement.model.levy_regimes import LEVY_REGIMES
from tests.cli.test_offline import answer, tenge
from tests.machine.market_log import Decided, LogReader
from tests.machine.market_quota import recomputed
from tests.machine.market_recount import Recount
from tests.machine.market_watch import check_conservation, watch
from wallet_api.sandbox.year import MinerYear, Year, YearReport, play_year
from wallet_api.sandbox.year_plan import YearScale, make_plan, price_path

SMALL = YearScale(sales=300, seed=7, miners=6, exchanges=2, days=40)


@pytest.fixture(scope="module")
def played() -> Year:
    return play_year(SMALL, keeps_blocks=True)


@pytest.fixture(scope="module")
def decided(played: Year) -> list[Decided]:
    """What the blocks of the year hold, as plain JSON."""
    return list(LogReader(played.ledger.network.document).read(played.ledger.blocks))


@pytest.fixture(scope="module")
def recount(played: Year, decided: list[Decided]) -> Recount:
    """What the blocks alone come to; client money is watched on the way."""
    log = Recount(played.ledger.network.document)
    for each in decided:
        if not each.refusal:
            watch(log, each)
        log.fold([each])
    check_conservation(log)
    return log


def test_every_miner_stands_where_a_recount_of_the_blocks_puts_it(played: Year, recount: Recount) -> None:
    names = [name for name in MinerYear.__struct_fields__ if name not in ("miner", "is_met")]
    for row in played.report.miners:
        told = recomputed(recount, row.miner, "BTC", SMALL.last_day.isoformat())
        assert {name: getattr(row, name) for name in names} == {name: told[name] for name in names}
        assert row.is_met is (told["shortfall"] == 0)
    assert played.report.shortfall == sum(row.shortfall for row in played.report.miners)


def test_sales_and_fees_are_the_sums_of_the_entries(played: Year, decided: list[Decided], recount: Recount) -> None:
    report = played.report
    kinds = ("dvp_settle", "dvp_complete", "dvp_batch")
    settled = [each for each in decided if each.kind in kinds and not each.refusal]
    fees = {name for name, account in recount.accounts.items() if account["class"] == "fee"}
    taken = returned = 0
    for each in decided:
        for entry in each.entries:
            for posting in entry["postings"]:
                if posting["account"] in fees:
                    taken += posting["amount"] if posting["side"] == "credit" else 0
                    returned += posting["amount"] if posting["side"] == "debit" else 0
    assert report.sales_settled == sum(len(each.body.get("trades", [0])) for each in settled)
    assert report.fees_tiyn == taken
    assert returned > 0
    assert report.reversed == sum(recount.undone.values()) > 0
    assert report.sales_tried == SMALL.sales


def test_shams_are_found_held_and_decided(played: Year, recount: Recount) -> None:
    report = played.report
    assert report.shams == report.shams_flagged > 0
    assert set(report.held_claims) == set(recount.flags) - set(recount.decisions)
    verdicts = [decision["verdict"] for decisions in recount.decisions.values() for decision in decisions]
    assert (report.disqualified, report.restored) == (verdicts.count("disqualify"), verdicts.count("restore"))


def test_the_levy_is_energy_by_rate_and_what_was_paid(played: Year, decided: list[Decided]) -> None:
    (row,) = played.report.levy
    due, energy = 0, 0
    bands = LEVY_REGIMES[-1].bands
    for each in (each for each in decided if each.kind == "meter_reading"):
        (line,) = each.body["lines"]
        rate = next(band.rate for band in bands if band.below is None or line["price"] < band.below)
        due += line["energy_kwh"] * rate
        energy += line["energy_kwh"]
    paid = sum(each.body["amount"] for each in decided if each.kind == "levy_pay" and not each.refusal)
    assert (row.energy_kwh, row.due, row.paid) == (energy, due, paid)
    assert row.outstanding == due - paid


def test_books_balance_every_day_and_coverage_is_never_below_one(played: Year, decided: list[Decided]) -> None:
    report = played.report
    verdicts = [
        verdict
        for each in decided
        if each.kind == "reconcile_day" and each.record is not None
        for verdict in each.record["assets"].values()
    ]
    assert {verdict["result"] for verdict in verdicts} == {"balanced"}
    assert report.reconciled == len(verdicts) == (SMALL.days + 1) * SMALL.exchanges * 2
    assert all(backing >= owed for backing, owed in report.coverage.values())
    assert len(report.coverage) == 2 * SMALL.exchanges


def test_accepted_and_refused_are_counted_as_the_log_has_them(played: Year, decided: list[Decided]) -> None:
    accepted: dict[str, int] = {}
    refused: dict[str, int] = {}
    for each in decided:
        if each.refusal:
            refused[f"{each.kind}: {each.refusal}"] = refused.get(f"{each.kind}: {each.refusal}", 0) + 1
        else:
            accepted[each.kind] = accepted.get(each.kind, 0) + 1
    assert played.report.accepted == dict(sorted(accepted.items()))
    assert played.report.refused == dict(sorted(refused.items()))
    assert "dvp_settle: miner_licence_invalid" in refused


def test_the_same_seed_plays_the_same_year(played: Year) -> None:
    again = play_year(SMALL)
    assert _without_speed(again.report) == _without_speed(played.report)
    assert make_plan(SMALL) != make_plan(YearScale(sales=300, seed=8, miners=6, exchanges=2, days=40))
    assert price_path(SMALL) == price_path(SMALL)


def test_a_run_over_a_quarters_end_reads_each_quarter_once() -> None:
    report = play_year(YearScale(sales=30, seed=1, miners=2, exchanges=1, days=101)).report
    assert [row.quarter for row in report.levy] == ["2025-Q1", "2025-Q2"]


def test_the_command_writes_the_report(tmp_path: Path) -> None:
    arguments = ("year", "--sales", 40, "--miners", 3, "--exchanges", 1, "--days", 12, "-o", tmp_path / "year.json")
    told: Any = answer(*arguments)
    assert json.loads((tmp_path / "year.json").read_bytes())["miners"] == told["miners"]
    shown = tenge(*arguments)
    assert shown.exit_code == 0, shown.output
    for expected in ("Quota, in BTC", "Levy, in tenge", "Least coverage", "sales decided a second"):
        assert expected in shown.stdout


def _without_speed(report: YearReport) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(report)
    del told["speed"]
    return told
