"""No planted group of outliers is ranked most normal."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector

N = 500


def two_clusters(rng, d, m):
    X = rng.normal(size=(N, d)) + np.where(np.arange(N)[:, None] % 2, 6, -6)
    X[:m] = 0.5 * rng.normal(size=(m, d))
    return X


def unequal_clusters(rng, d, m):
    direction = rng.normal(size=d)
    direction *= 8 / np.linalg.norm(direction)
    side = np.where(np.arange(N) % 10 < 3, 1.0, -1.0)
    X = rng.normal(size=(N, d)) + side[:, None] * direction
    X[:m] = 0.7 * rng.normal(size=(m, d))
    return X


def ring(rng, d, m):
    angle = rng.uniform(0, 2 * np.pi, N)
    X = 0.05 * rng.normal(size=(N, d))
    X[:, :2] += np.c_[np.cos(angle), np.sin(angle)]
    X[:m, :2] = 0.15 * rng.normal(size=(m, 2))
    return X


def modes_of_columns(rng, d, m):
    X = 5.0 * rng.choice([-1, 1], (N, d)) + rng.normal(size=(N, d))
    X[:m] = 0.5 * rng.normal(size=(m, d))
    return X


@pytest.mark.parametrize("share", [0.01, 0.04, 0.1])
@pytest.mark.parametrize(
    ("table", "d"),
    [
        (two_clusters, 2),
        (two_clusters, 6),
        (two_clusters, 20),
        (unequal_clusters, 2),
        (unequal_clusters, 5),
        (ring, 2),
        (modes_of_columns, 2),
        (modes_of_columns, 20),
    ],
)
def test_planted_group_is_found_as_by_an_isolation_forest(table, d, share):
    m = round(share * N)
    X, is_planted = table(np.random.default_rng(0), d, m), np.arange(N) < m
    forest = IsolationForest(random_state=0).fit(X)
    detector = NCAEDetector(random_state=0, n_estimators=4, max_iter=50).fit(X)
    ours = roc_auc_score(is_planted, -detector.score_samples(X))
    assert ours > roc_auc_score(is_planted, -forest.score_samples(X)) - 0.05


@pytest.mark.parametrize("d", [2, 6])
def test_row_alone_between_two_clusters_is_among_the_first(d):
    X = two_clusters(np.random.default_rng(0), d, 1)
    errors = -NCAEDetector(random_state=0).fit(X).score_samples(X)
    assert (errors > errors[0]).sum() < 3
