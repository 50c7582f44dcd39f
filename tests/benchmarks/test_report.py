"""Tables and figures of results on tables."""

import pandas as pd
import pytest

from benchmarks.harness import records
from benchmarks.reports import _figures as figures
from benchmarks.reports import tables as report
from benchmarks.suites.tables import KEY, SUITE


@pytest.fixture
def results(tmp_path):
    """Write results of three detectors on two sets; one fit of C crashed."""
    path = tmp_path / "results.csv"
    records.append_provenance(path, "somewhere")
    values = {"A": (0.9, 0.8), "B": (0.7, 0.6), "C": (0.95, None)}
    for detector, (cardio, thyroid) in values.items():
        for dataset, value in (("cardio", cardio), ("thyroid", thyroid)):
            row = {"dataset": dataset, "n": 9, "d": 2, "outlier_share": 0.1, "seed": 0}
            row |= {"detector": detector, "protocol": "clean", "rows": "max-10000"}
            row |= {"status": "crash", "note": "exit code -9"}
            if value is not None:
                row |= {"status": "ok", "note": "", "auroc": value, "ap": value}
                row |= {"fit_s": 1.0, "fit_cpu_s": 1.0, "score_s": 0.1, "peak_mb": 1.0}
            records.append(path, row, SUITE.columns)
    return path


def test_failed_fit_counts_as_worst_rank_and_as_chance_in_the_mean(results):
    completed = report.filled(records.read(results, KEY))
    ranks = report.ranks(completed, "auroc")
    assert ranks.loc["cardio"].to_dict() == {"A": 2, "B": 3, "C": 1}
    assert ranks.loc["thyroid"].to_dict() == {"A": 1, "B": 2, "C": 3}
    summary = report.summary(completed)
    assert summary.auroc["C"] == pytest.approx((0.95 + 0.5) / 2)
    # Chance: 10 % outliers in all, beside 40 % of the normal rows when scored.
    assert summary.ap["C"] == pytest.approx((0.95 + 0.1 / (0.1 + 0.4 * 0.9)) / 2)


def test_fit_that_never_ran_counts_as_worst_rank(results):
    frame = records.read(results, KEY)
    completed = report.filled(
        frame[(frame.detector != "A") | (frame.dataset != "cardio")]
    )
    assert report.ranks(completed, "ap").loc["cardio", "A"] == 3
    assert "not run" in report.render_failures(frame, completed)


def test_parts_are_compared_on_the_seeds_that_all_of_them_have(results):
    frame = records.read(results, KEY)
    more = pd.concat([frame, frame[frame.detector == "A"].assign(seed=1)])
    kept = report.on_common_seeds(more)
    assert set(kept.seed) == {0} and set(kept.detector) == {"A", "B", "C"}


def test_report_writes_tables_and_lists_failures(results):
    report.main([str(results), "--no-figures"])
    text = results.with_suffix(".md").read_text()
    assert "| A | 85.0 | 85.0 | 1.5 | 1.5 |" in text
    assert "| C | thyroid | 0 | crash | exit code -9 |" in text
    assert "| cardio | 90.0 | **95.0** | 70.0 |" in text


def test_figures_are_written(results, tmp_path):
    completed = report.filled(records.read(results, KEY))
    figures.box_plot(report.per_set(completed, "ap"), "AP", tmp_path / "box.png")
    figures.accuracy_against_time(
        report.summary(completed), "ap", "AP", tmp_path / "time.png"
    )
    for name in ("box.png", "time.png"):
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"
