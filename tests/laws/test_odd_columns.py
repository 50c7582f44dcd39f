"""Columns of huge offset, tiny spread or tiny values neither blind nor outvote."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector
from skncae.scaling._calibration import calibrated_view

N = 400
FILL = 1e20 + 2e5
LARGEST = np.finfo(np.float64).max


def odd_columns(rng):
    """Columns that say nothing about a row, by name."""
    return {
        "timestamps in ns": 1.7e18 + 1e6 * rng.normal(size=N),
        "1e20": np.full(N, 1e20),
        "1e20 or the next number": np.where(
            rng.random(N) < 0.5, 1e20, np.nextafter(1e20, 2e20)
        ),
        "likelihoods": 1e-310 * (1 + rng.random(N)),
        "subnormal": 5e-324 * rng.integers(0, 9, N),
        "beyond 1e100": 1e150 * (2 + rng.normal(size=N)),
        "beyond 1e300": 1e307 * rng.normal(size=N),
        "the largest of all": np.full(N, LARGEST),
        "up to the largest of all": LARGEST * rng.uniform(-1, 1, N),
        "constant": np.full(N, 0.1),
        "nothing": np.zeros(N),
        "fill value": np.where(rng.random(N) < 0.05, FILL, rng.normal(size=N)),
    }


def auroc(X, is_outlier):
    detector = NCAEDetector(random_state=0, n_estimators=2, max_iter=25).fit(X)
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    # A fill value makes a row an outlier of another kind.
    asked = X[:, -1] != FILL
    return roc_auc_score(is_outlier[asked], -scores[asked])


def planted(rng):
    """Rows of which ten are out in one of three columns."""
    X = rng.normal(size=(N, 3))
    X[:10, 0] += 8
    return X, np.arange(N) < 10


@cache
def plain_auroc(seed):
    """AUROC with a usual column in the place of an odd one; all odd ones ask for it."""
    rng = np.random.default_rng(seed)
    X, is_outlier = planted(rng)
    return auroc(np.c_[X, rng.normal(size=N)], is_outlier)


@pytest.mark.parametrize("name", odd_columns(np.random.default_rng(0)))
def test_odd_column_does_not_hide_what_the_others_say(name):
    plain, odd = [], []
    for seed in range(1, 4):
        rng = np.random.default_rng(seed)
        X, is_outlier = planted(rng)
        rng.normal(size=N)
        plain.append(plain_auroc(seed))
        odd.append(auroc(np.c_[X, odd_columns(rng)[name]], is_outlier))
    # A twentieth of fill values are outliers of another kind, which share the ranks.
    allowed = 0.015 if name == "fill value" else 0.01
    assert np.mean(odd) > np.mean(plain) - allowed


def test_what_is_expected_beside_the_largest_of_all_is_a_number():
    rng = np.random.default_rng(0)
    column = np.where(rng.random(N) < 0.6, LARGEST, rng.normal(size=N))
    X = np.c_[rng.normal(size=(N, 2)), column]
    detector = NCAEDetector(random_state=0, n_estimators=2, max_iter=2).fit(X)
    assert np.isfinite(detector.reconstruct(X)).all()
    assert np.isfinite(detector.generate(20, random_state=0)).all()


@pytest.mark.parametrize("name", ["timestamps in ns", "likelihoods", "beyond 1e100"])
def test_odd_column_is_seen_itself(name):
    rng = np.random.default_rng(1)
    X = np.c_[rng.normal(size=(N, 2)), odd_columns(rng)[name]]
    spread = np.quantile(X[:, 2], 0.75) - np.quantile(X[:, 2], 0.25)
    X[:10, 2] = np.median(X[:, 2]) + 8 * spread
    assert auroc(X, np.arange(N) < 10) > 0.95


def test_value_beyond_all_others_is_no_normal_one():
    X = np.c_[np.random.default_rng(0).normal(size=(N, 2)), np.full(N, 1e100)]
    X[:, 2] *= 1 + 0.1 * X[:, 0]
    detector = NCAEDetector(random_state=0, n_estimators=2, max_iter=25).fit(X)
    usual = detector.score_samples(X).min()
    rows = [[0.0, 0.0, 1e300], [0.0, 0.0, -1e300], [1e300, 0.0, 1e100]]
    assert (detector.score_samples(rows) < usual).all()


@settings(max_examples=30, deadline=None)
@given(
    offset=st.sampled_from([0.0, 1.0, 1e9, -1e12]),
    exponent=st.integers(-300, 100),
    kind=st.sampled_from(["standardized", "whitened"]),
)
def test_view_does_not_depend_on_offset_and_unit(offset, exponent, kind):
    rng = np.random.default_rng(0)
    X = rng.integers(-50, 50, size=(100, 2)).astype(float)
    unit = 2.0**exponent
    plain = calibrated_view(kind, X, 5).transform(X)
    moved = (X + offset) * unit
    got = calibrated_view(kind, moved, 5).transform(moved)
    np.testing.assert_allclose(got, plain, atol=1e-4)


def test_small_numbers_are_what_they_are_in_a_larger_unit():
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(N, 2)), np.exp(-690 - 20 * rng.random(N))]
    scores = [
        NCAEDetector(random_state=0, n_estimators=2, max_iter=25)
        .fit(X * [1.0, 1.0, unit])
        .training_scores_
        for unit in (1.0, 2.0**900)
    ]
    np.testing.assert_allclose(*scores, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_column_that_underflows_is_fitted_beside_missing_entries(seed):
    rng = np.random.default_rng(seed)
    usual, tiny = 0.2 + 0.5 * rng.random(N), np.exp(-rng.uniform(400, 740, N))
    X = np.c_[rng.normal(size=(N, 3)), np.where(rng.random(N) < 0.14, usual, tiny)]
    X[rng.random(X.shape) < 0.1] = np.nan
    detector = NCAEDetector(random_state=0, n_estimators=2, max_iter=25, allow_nan=True)
    assert np.isfinite(detector.fit(X).training_scores_).all()
