"""Outliers planted where the centre of the rows is, or beside."""

import numpy as np
import pytest

from benchmarks.sets import planted
from benchmarks.suites import planted as suite


@pytest.mark.parametrize("shape", planted.CENTRAL)
@pytest.mark.parametrize("d", planted.COLUMNS)
def test_outliers_are_nearer_to_the_centre_than_other_rows(shape, d):
    X, is_planted = planted.plant(shape, d, 0.04, seed=0)
    assert X.shape == (1000, d) and is_planted.sum() == 40
    # In the columns that tell them from the others.
    telling = {"ring": 2, "three_clusters": 2, "one_bimodal_column": 1}.get(shape, d)
    center = (X[:, :telling].max(0) + X[:, :telling].min(0)) / 2
    distance = np.abs(X[:, :telling] - center).mean(1)
    assert distance[is_planted].mean() < 0.6 * distance[~is_planted].mean()


@pytest.mark.parametrize("shape", planted.BESIDE)
@pytest.mark.parametrize("d", planted.COLUMNS)
def test_outliers_beside_the_centre_stand_together(shape, d):
    X, is_planted = planted.plant(shape, d, 0.04, seed=0)
    # Of a code and a number alike in these two; the other columns are noise.
    X = X[:, : 2 if shape == "code_and_number" else d]
    within = X[is_planted].std(0).mean()
    assert within < 0.2 * X[~is_planted].std(0).mean()


def test_tables_are_counted_where_a_detector_is_below_the_forest(monkeypatch, run):
    monkeypatch.setattr(planted, "COLUMNS", (2,))
    monkeypatch.setattr(planted, "SHARES", (0.04,))
    frame = run(suite.SUITE, "--detectors", "ECOD", "--seeds", "0", "--here")
    assert set(frame.detector) == {"IForest", "ECOD"}
    aurocs = frame.pivot(index="shape", columns="detector", values="auroc")
    missed = (aurocs.ECOD < aurocs.IForest - 0.05).sum()
    # It measures from one centre.
    assert missed > 6
    lines = [" ".join(line.split()) for line in suite.table(frame).splitlines()]
    mean, worst = aurocs.ECOD.mean(), (aurocs.ECOD - aurocs.IForest).min()
    assert f"ECOD all {100 * mean:.1f} {missed} of 15 {worst:+.2f}" in lines
