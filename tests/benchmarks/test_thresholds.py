"""Rules for how many rows to flag."""

import numpy as np
import pytest

from benchmarks.harness import suite
from benchmarks.suites import thresholds


@pytest.mark.parametrize(
    "rule", [name for name in thresholds.OURS if not name.startswith("fixed")]
)
def test_rule_finds_the_share_of_errors_that_are_far_from_the_others(rule):
    errors = np.exp(np.random.default_rng(0).normal(scale=0.2, size=500))
    errors[:50] *= 20
    assert thresholds.OURS[rule](errors) == pytest.approx(0.1, abs=0.02)


def test_planted_rows_hold_the_share_of_outliers_that_they_say():
    options = suite.parse(
        thresholds.SUITE, ["--suites", "real,planted", "--seeds", "1"]
    )
    for case in thresholds.cases(options):
        _, (X, y) = thresholds.prepare(case, options)
        assert X.shape[0] == len(y)
        share = float(case["dataset"].split()[-1])
        assert y.mean() == pytest.approx(share, abs=0.01)


def test_rows_of_a_case_do_not_depend_on_the_suites_that_are_asked_for():
    case = {"suite": "planted", "dataset": "gauss wide 0.1", "seed": 0}
    _, (X, _) = thresholds.prepare(case, None)
    thresholds._mixtures.cache_clear()
    _, (again, _) = thresholds.prepare(case, None)
    np.testing.assert_array_equal(X, again)


def test_thresholds_are_judged_by_every_rule_on_the_same_fit(monkeypatch, run):
    rng = np.random.default_rng(0)
    normal, far = rng.normal(size=(190, 3)), 40 + rng.normal(size=(10, 3))

    def mixtures(seed, share):
        rows = thresholds.mixed(normal, far, share, np.random.default_rng(1))
        return {("planted", f"set {share}"): rows}

    monkeypatch.setattr(thresholds, "_mixtures", mixtures)
    monkeypatch.setattr(thresholds, "SHARES", (0.0, 0.05))
    frame = run(thresholds.SUITE, "--suites", "planted", "--seeds", "0", "--here")
    with_outliers = frame[frame.true_share > 0].set_index("rule")
    assert with_outliers.f1["oracle"] == 1.0
    assert with_outliers.share["fixed 0.1"] == 0.1
    assert with_outliers.low["auto"] <= 0.05 <= with_outliers.high["auto"]
    text = thresholds.table(frame)
    assert "planted, no outliers, 1 fits" in text and "PyThresh FILTER" in text
