"""One absurd value, or a few, in any column costs nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.scaling._calibration import calibrated_view

ABSURD = (1e5, 1e6, -9999.0, 1e20, 1e300)


def planted(n, d, seed, n_out=None):
    """Rows of which a few are out by eight deviations in a tenth of the columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    n_outliers = max(5, n // 20)
    X[:n_outliers, : n_out or max(1, d // 10)] += 8
    return X, np.arange(n) < n_outliers


def auroc(X, is_outlier, some, **parameters):
    detector = NCAEDetector(
        random_state=0, n_estimators=2, max_iter=25, **parameters
    ).fit(X)
    return roc_auc_score(is_outlier[some], -detector.score_samples(X)[some])


def lost(value, column, shape, n_out=None):
    """AUROC of the other outliers that one value costs, the mean of eight tables.

    Networks that see another row are other networks: a single table may move by more.
    """
    lost = []
    for seed in range(8):
        X, is_outlier = planted(*shape, seed, n_out)
        spoilt = X.copy()
        spoilt[-1, column] = value
        others = np.arange(len(X) - 1)
        before = auroc(X, is_outlier, others)
        lost.append(before - auroc(spoilt, is_outlier, others))
    return np.mean(lost)


@settings(max_examples=4, deadline=None)
@given(
    value=st.sampled_from(ABSURD),
    column=st.integers(0, 2),
    shape=st.sampled_from([(60, 3), (300, 3), (1000, 4), (300, 40)]),
)
def test_absurd_value_does_not_hide_the_other_outliers(value, column, shape):
    assert lost(value, column, shape) < 0.01


@pytest.mark.parametrize("value", [1e6, 1e20])
def test_absurd_value_does_not_hide_outliers_in_a_single_column_of_many(value):
    assert lost(value, 1, (300, 40), n_out=1) < 0.01


@pytest.mark.parametrize("kind", TABLE_EVIDENCE)
@pytest.mark.parametrize("value", [-9999.0, 1e20])
def test_no_component_is_blinded_by_five_absurd_values(kind, value):
    X, is_outlier = planted(400, 3, 0)
    spoilt = X.copy()
    spoilt[-5:, 0] = value
    others = np.arange(len(X) - 5)
    before = auroc(X, is_outlier, others, evidence=kind)
    assert auroc(spoilt, is_outlier, others, evidence=kind) > before - 0.01


def test_rows_with_one_absurd_value_of_many_are_the_most_outlying():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 60))
    X[np.arange(20), rng.integers(0, 60, 20)] = 1e6
    assert auroc(X, np.arange(500) < 20, np.arange(500)) > 0.98


@settings(max_examples=20, deadline=None)
@given(
    value=st.sampled_from(ABSURD), kind=st.sampled_from(["standardized", "whitened"])
)
def test_scale_is_that_of_the_other_rows(value, kind):
    X = np.random.default_rng(0).normal(size=(200, 3))
    spoilt = np.vstack([X, X[:1]])
    spoilt[-1, 1] = value
    scale = calibrated_view(kind, spoilt, 5).scale
    np.testing.assert_allclose(scale, calibrated_view(kind, X, 5).scale, rtol=0.1)
