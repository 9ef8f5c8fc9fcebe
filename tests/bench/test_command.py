import json
from pathlib import Path

from typer.testing import CliRunner

from wallet_api.cli import app


def test_the_command_writes_the_report_and_the_plots_where_it_is_told(tmp_path: Path) -> None:
    report, plots = tmp_path / "report.json", tmp_path / "plots"
    arguments = ["--only", "growth", "--quick", "--sizes", "32,64", "--out", str(report), "--plots", str(plots)]
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == 0, done.output
    assert "growth_64_vs_32" in done.stdout
    assert "growth_64_vs_32" in {figure["name"] for figure in json.loads(report.read_bytes())["figures"]}
    assert [path.name for path in plots.iterdir()] == ["throughput_against_size.svg"]


def test_as_json_the_report_alone_is_on_standard_output() -> None:
    arguments = ["--only", "restart", "--quick", "--contention", "1", "--json"]
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["options"]["contention"] == 1.0
    assert "restart_s_1m" in {figure["name"] for figure in report["figures"]}


def test_what_is_no_size_and_no_share_is_refused() -> None:
    for arguments in (["--sizes", "many"], ["--invalid", "1.5"], ["--store", "paper"]):
        assert CliRunner().invoke(app, ["bench", *arguments]).exit_code == 2
