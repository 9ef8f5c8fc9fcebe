from pathlib import Path

import msgspec

from wallet_api.bench.figures import Axis, Report, Series, encode_report, figure, ratio
from wallet_api.bench.open_loop import goodput_per_s, turned_away, unsent
from wallet_api.bench.percentiles import percentiles_ms
from wallet_api.bench.plan import Result
from wallet_api.bench.plots import draw

SERIES = Series(
    plot="latency_against_load",
    name="p99",
    x=Axis(meaning="transfers asked for", unit="1/s"),
    y=Axis(meaning="latency", unit="ms"),
    points=((100.0, 2.0), (200.0, 30.0)),
)
OTHER = Series(
    plot="throughput_against_size",
    name="answered",
    x=Axis(meaning="size", unit="entries"),
    y=Axis(meaning="throughput", unit="lines/s"),
    points=((1_000.0, 50_000.0), (10_000.0, 60_000.0)),
)
REPORT = Report(
    machine={"cores": 2}, options={"runs": 1}, figures=(figure("speed", "1/s", [1.0]),), series=(SERIES, OTHER)
)


def test_a_figure_is_the_median_of_its_runs_with_the_smallest_and_the_largest() -> None:
    made = figure("speed", "1/s", [3.0, 1.0, 2.0])
    assert (made.median, made.min, made.max, made.runs) == (2.0, 1.0, 3.0, 3)


def test_a_figure_keeps_four_digits() -> None:
    assert figure("speed", "1/s", [12_345.678]).median == 12_350.0


def test_a_ratio_is_formed_run_by_run() -> None:
    made = ratio("faster", [10.0, 100.0, 30.0], [10.0, 50.0, 10.0])
    assert (made.median, made.min, made.max) == (2.0, 1.0, 3.0)


def test_a_report_has_the_form_that_the_documentation_reads() -> None:
    report = msgspec.structs.replace(REPORT, series=(SERIES,))
    assert msgspec.json.decode(encode_report(report)) == {
        "machine": {"cores": 2},
        "options": {"runs": 1},
        "figures": [{"name": "speed", "unit": "1/s", "median": 1.0, "min": 1.0, "max": 1.0, "runs": 1}],
        "series": [
            {
                "plot": "latency_against_load",
                "name": "p99",
                "x": {"meaning": "transfers asked for", "unit": "1/s"},
                "y": {"meaning": "latency", "unit": "ms"},
                "points": [[100.0, 2.0], [200.0, 30.0]],
            }
        ],
    }


def test_goodput_counts_what_was_decided_in_time() -> None:
    result = Result(
        started_s=0.0,
        seconds=3.0,
        window_s=2.0,
        sent=100,
        statuses={"201": 60, "422": 10, "429": 20, "503": 10},
        in_window={"201": 40, "422": 10, "429": 20},
        latencies_ms=percentiles_ms([]),
        cpu_s=0.1,
    )
    assert goodput_per_s(result) == 25.0
    assert turned_away(result) == 0.3
    assert unsent(result, 400.0) == 0.75


def test_every_plot_is_drawn_with_its_axes_their_units_and_its_curves(tmp_path: Path) -> None:
    paths = draw(REPORT, tmp_path / "plots")
    assert [path.name for path in paths] == ["latency_against_load.svg", "throughput_against_size.svg"]
    text = paths[0].read_text(encoding="utf-8")
    assert all(part in text for part in ("transfers asked for (1/s)", "latency (ms)", "p99"))


def test_the_same_report_gives_the_same_plots(tmp_path: Path) -> None:
    first, second = (draw(REPORT, tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_plot_names_neither_the_machine_nor_the_day(tmp_path: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in draw(REPORT, tmp_path))
    assert str(tmp_path) not in text
    assert "dc:date" not in text
