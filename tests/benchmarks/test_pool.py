"""The report that compares one detector with every other on many tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from benchmarks.harness import records
from benchmarks.reports import pool
from benchmarks.suites.tables import KEY, SUITE

N_TABLES = 40


def rows(gains, seed=0):
    """Give results of detectors that are better than the others by so much."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.4, 0.6, size=N_TABLES)
    for i in range(N_TABLES):
        for name, gain in gains.items():
            value = base[i] + gain + 0.02 * rng.normal()
            yield {
                **{"dataset": f"table{i}", "n": 9, "d": 2, "outlier_share": 0.1},
                **{"detector": name, "protocol": "contaminated", "rows": "max-10000"},
                **{"seed": 0, "status": "ok", "auroc": value, "ap": value / 2},
                **{"fit_s": 1.0, "fit_cpu_s": 1.0, "score_s": 0.1, "peak_mb": 1.0},
            }


GAINS = {"NCAEDetector": 0.1, "Worse": 0.0, "Same": 0.1, "Better": 0.2}


@pytest.fixture
def path(tmp_path):
    """Write a result file."""
    path = tmp_path / "results.csv"
    for row in rows(GAINS):
        records.append(path, row, SUITE.columns)
    return path


def test_difference_error_and_counts_are_paired_by_table():
    frame = pd.DataFrame(rows(GAINS))
    compared = pool.comparison(frame, "auroc")
    assert list(compared.index) == ["Better", "Same", "Worse"]
    wide = frame.pivot(index="dataset", columns="detector", values="auroc")
    gain = wide.NCAEDetector - wide.Worse
    row = compared.loc["Worse"]
    assert row.difference == pytest.approx(gain.mean())
    assert row.error == pytest.approx(np.std(gain, ddof=1) / np.sqrt(N_TABLES))
    assert (row.higher, row.equal) == ((gain > 0).sum(), 0)
    assert row.higher + row.lower == N_TABLES
    # Holm: the smallest of three p-values is tripled.
    ps = [wilcoxon(wide.NCAEDetector - wide[name]).pvalue for name in compared.index]
    assert compared.p.min() == pytest.approx(3 * min(ps))
    assert compared.p["Same"] > 0.05


def test_comparison_the_other_way_round_has_the_other_sign():
    frame = pd.DataFrame(rows({"A": 0.0, "B": 0.03}))
    there = pool.comparison(frame, "ap", "A").loc["B"]
    back = pool.comparison(frame, "ap", "B").loc["A"]
    assert there.difference == pytest.approx(-back.difference)
    assert there.p == pytest.approx(back.p)
    assert (there.higher, there.lower) == (back.lower, back.higher)


def test_detector_with_the_same_scores_ties_on_every_table():
    frame = pd.DataFrame(rows({"A": 0.0}))
    both = pd.concat([frame, frame.assign(detector="B")])
    row = pool.comparison(both, "auroc", "A").loc["B"]
    assert (row.difference, row.equal, row.p) == (0.0, N_TABLES, 1.0)


# A few: statsmodels collects garbage at each call, of all that the tests have made.
@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_procedure(p_values):
    order = np.argsort(p_values)
    expected, largest = np.empty(len(order)), 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - step) * p_values[i]))
        expected[i] = largest
    np.testing.assert_allclose(pool.holm(p_values), expected)


def test_verdict_names_what_is_better_worse_and_level():
    text = pool.verdict(pd.DataFrame(rows(GAINS)), "auroc")
    assert "has place" in text and "better than 1 of 3 detectors" in text
    assert "is worse than `Better`" in text and "cannot be told from `Same`" in text


def test_report_is_one_file_with_the_losses_in_its_first_paragraphs(path):
    pytest.importorskip("scikit_posthocs")
    pool.main([str(path)])
    text = path.with_suffix(".md").read_text()
    assert "4 detectors on 40 tables" in text.split("##")[0]
    assert "is worse than `Better`" in text.split("##")[0]
    assert "## The value of each part" not in text
    for metric in ("auroc", "ap"):
        figure = path.with_name(f"results_{metric}_ranks.png")
        assert figure.read_bytes()[1:4] == b"PNG"


def test_parts_are_compared_with_the_whole_and_do_not_change_the_ranks(path):
    before = pool.document(path, records.read(path, KEY))[1]
    parts = {"NCAEDetector": 0.1, "NCAE-no-mining": 0.0, "NCAE-no-rounds": 0.1}
    for row in rows(parts, seed=0):
        if row["detector"] != "NCAEDetector":
            records.append(path, row, SUITE.columns)
    text, rivals = pool.document(path, records.read(path, KEY))
    value = text.split("## The value of each part")[1]
    assert value.index("| mining |") < value.index("| the calibration of scales |")
    assert set(rivals.detector) == set(before.detector) == set(GAINS)


def test_detector_that_lacks_tables_has_no_rank_and_is_compared_on_its_own(path):
    frame = records.read(path, KEY)
    is_same = frame.detector == "Same"
    few = [f"table{i}" for i in range(10)]
    frame = frame[~is_same | frame.dataset.isin(few)]
    text, rivals = pool.document(path, frame)
    assert "Same" not in set(rivals.detector)
    assert rivals.dataset.nunique() == N_TABLES
    line = text.split("## On fewer tables")[1].strip().splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["`Same`", "10", "9"]
    on_few = frame[frame.dataset.isin(few)].groupby("detector").auroc.mean()
    assert cells[3:5] == [f"{100 * on_few[name]:.1f}" for name in ("Same", pool.OURS)]


def test_missing_results_of_ours_are_counted(path, capsys):
    with pytest.raises(SystemExit):
        pool.main([str(path), "--ours", "IForest"])
    assert "has IForest on 0 of its 40 tables" in capsys.readouterr().err


def test_every_variant_of_the_registry_is_named_as_a_part():
    assert set(pool.PARTS) == set(pool.registry.NCAE) - {pool.OURS}
