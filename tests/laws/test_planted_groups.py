"""No planted group of outliers is ranked most normal."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.sets import planted
from skncae import NCAEDetector


@pytest.mark.parametrize("share", [0.01, 0.04, 0.1])
@pytest.mark.parametrize(
    ("shape", "d"),
    [
        ("two_clusters", 2),
        ("two_clusters", 6),
        ("two_clusters", 20),
        ("unequal_clusters", 2),
        ("unequal_clusters", 5),
        ("three_clusters", 2),
        ("ring", 2),
        ("shell", 2),
        ("bimodal_columns", 2),
        ("bimodal_columns", 20),
        ("four_modes", 5),
        ("zero_inflated", 5),
        ("zero_inflated", 20),
        ("u_shaped", 2),
        ("u_shaped", 5),
        ("u_shaped", 20),
    ],
)
def test_planted_group_is_found_as_by_an_isolation_forest(shape, d, share):
    X, is_planted = planted.plant(shape, d, share, seed=0, n=500)
    forest = IsolationForest(random_state=0).fit(X)
    detector = NCAEDetector(random_state=0, n_estimators=4, max_iter=50).fit(X)
    ours = roc_auc_score(is_planted, -detector.score_samples(X))
    assert ours > roc_auc_score(is_planted, -forest.score_samples(X)) - 0.05


@pytest.mark.parametrize("d", [2, 6])
def test_row_alone_between_two_clusters_is_among_the_first(d):
    X = planted.two_clusters(np.random.default_rng(0), 500, d, 1)
    errors = -NCAEDetector(random_state=0).fit(X).score_samples(X)
    assert (errors > errors[0]).sum() < 3
