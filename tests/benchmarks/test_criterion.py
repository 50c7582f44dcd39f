"""Criteria that need no labels."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

from benchmarks.sets import tables as datasets
from benchmarks.suites import criterion as criterion_suite


def _normality(n_inside):
    """Scores of 100 rows, and of 100 uniform ones of which n_inside score as high."""
    return np.linspace(1, 2, 100), np.repeat([1.5, 0.0], [n_inside, 100 - n_inside])


def test_smaller_level_sets_give_more_excess_mass_and_less_volume():
    small, large = _normality(1), _normality(30)
    assert criterion_suite.excess_mass(*small) > criterion_suite.excess_mass(*large)
    assert criterion_suite.mass_volume(*small) == pytest.approx(0.01)
    assert criterion_suite.mass_volume(*large) == pytest.approx(0.3)


def test_excess_mass_is_that_of_the_best_level_set():
    scores, uniform = _normality(10)
    # EM(t) = 1 - 0.1 t while that level set is the best one; it ends at EM = 0.9.
    assert criterion_suite.excess_mass(scores, uniform) == pytest.approx(
        trapezoid(1 - 0.1 * np.arange(0, 1, 0.1), dx=0.1)
    )


def test_consensus_ranks_far_rows_as_least_normal(tiny):
    X, y = datasets.load("tiny")
    agreed = criterion_suite.consensus(X)
    assert agreed[y == 1].mean() < agreed[y == 0].mean()


def test_criterion_chooses_the_auroc_of_its_best_setting_and_shares_ties():
    frame = pd.DataFrame(
        {"dataset": "tiny", "seed": 0, "setting": ["default", "a", "b"]}
        | dict.fromkeys(criterion_suite.CRITERIA, [1.0, 1.0, 0.0])
        | {"mv": [-2.0, -3.0, -1.0], "auroc": [0.5, 0.7, 0.9]}
    )
    chosen = criterion_suite.choices(frame).iloc[0]
    assert chosen.uniform == pytest.approx(0.6)
    assert chosen.mv == chosen.best == 0.9
    assert chosen.default == chosen.worst == 0.5
    assert chosen["rho mv"] == pytest.approx(0.5)


def test_criterion_suite_writes_a_row_a_setting(tiny, monkeypatch, run):
    settings = {"default": {"max_iter": 2}, "tau=0": {"max_iter": 2, "mining_rate": 0}}
    monkeypatch.setattr(criterion_suite, "SETTINGS", settings)
    frame = run(criterion_suite.SUITE, "--datasets", "tiny", "--seeds", "0", "--here")
    assert list(frame.setting) == list(settings) and set(frame.status) == {"ok"}
    assert frame[["auroc", *criterion_suite.CRITERIA]].notna().all(axis=None)
    assert "tau and sigma only, 2 settings" in criterion_suite.table(frame)
