import msgspec

from wallet_api.bench.figures import Report, encode_report, figure, ratio


def test_a_figure_is_the_median_of_its_runs_with_the_smallest_and_the_largest() -> None:
    made = figure("speed", "1/s", [3.0, 1.0, 2.0])
    assert (made.median, made.min, made.max, made.runs) == (2.0, 1.0, 3.0, 3)


def test_a_figure_keeps_four_digits() -> None:
    assert figure("speed", "1/s", [12_345.678]).median == 12_350.0


def test_a_ratio_is_formed_run_by_run() -> None:
    made = ratio("faster", [10.0, 100.0, 30.0], [10.0, 50.0, 10.0])
    assert (made.median, made.min, made.max) == (2.0, 1.0, 3.0)


def test_a_report_has_the_form_that_the_documentation_reads() -> None:
    report = Report(machine={"cores": 2}, figures=(figure("speed", "1/s", [1.0]),))
    assert msgspec.json.decode(encode_report(report)) == {
        "machine": {"cores": 2},
        "figures": [{"name": "speed", "unit": "1/s", "median": 1.0, "min": 1.0, "max": 1.0, "runs": 1}],
    }
