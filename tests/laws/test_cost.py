"""More columns than rows cost no more than the rows do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skncae.scaling._calibration import calibrated_view
from skncae.scaling._missing import (
    MANY,
    MAX_FACTORS,
    expectation,
    factor_expectation,
    few_factors,
)
from skncae.scaling._whitening import mahalanobis, shrunk


def test_whitened_view_of_a_wide_table_has_as_many_directions_as_rows():
    X = np.random.default_rng(0).normal(size=(30, 500))
    view = calibrated_view("whitened", X, 3)
    assert view.rotation.shape[1] < 30
    np.testing.assert_allclose(view.inverse_transform(view.transform(X)), X, atol=1e-8)


@pytest.mark.parametrize("n", [20, 60])
def test_distances_of_a_wide_table_are_those_of_its_covariance(n):
    Z = np.random.default_rng(0).normal(size=(n, 61))
    is_normal = np.arange(n) < 0.6 * n
    normal = Z[is_normal]
    covariance = shrunk(normal.T @ normal / len(normal), *normal.shape)
    slow = (Z @ np.linalg.inv(covariance) * Z).sum(1)
    np.testing.assert_allclose(mahalanobis(Z, is_normal), slow)


def correlated(n, d, noise=0.3, seed=0):
    """Two tables of n rows of d columns that five numbers a row explain."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 5)) @ rng.normal(size=(5, d))
    X += noise * rng.normal(size=X.shape)
    return X[:n], X[n:]


def with_holes(X, share, seed=0):
    """Rows in which a share of the entries is missing."""
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5])
def test_whitened_view_of_incomplete_wide_rows_has_no_more_directions(share):
    X = with_holes(correlated(30, 500)[0], share)
    assert calibrated_view("whitened", X, 3).rotation.shape[1] <= 30


@given(
    n_factors=st.integers(0, 6),
    share=st.floats(0.0, 1.0),
    rest=st.floats(1e-3, 10.0),
    seed=st.integers(0, 999),
)
def test_rows_completed_by_factors_are_those_of_the_whole_covariance(
    n_factors, share, rest, seed
):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(9, n_factors))
    Z = with_holes(rng.normal(size=(8, 9)), share, seed)
    precision = np.linalg.inv(factor @ factor.T + rest * np.eye(9))
    found, spread = factor_expectation(Z, factor, factor.T @ factor, rest)
    slow, covariance = expectation(Z, precision)
    np.testing.assert_allclose(found, slow, rtol=1e-6, atol=1e-8)
    assert spread == pytest.approx(np.trace(covariance) / 9, rel=1e-6, abs=1e-9)


def completed(Z, covariance):
    """Complete centred rows one after the other, as the textbook says."""
    Z = Z.copy()
    for row in Z:
        missing = np.isnan(row)
        across = covariance[np.ix_(missing, ~missing)]
        there = covariance[np.ix_(~missing, ~missing)]
        row[missing] = across @ np.linalg.solve(there, row[~missing])
    return Z


@given(
    n_factors=st.integers(0, 6),
    share=st.floats(0.0, 1.0),
    rest=st.floats(1e-3, 10.0),
    seed=st.integers(0, 999),
)
@settings(max_examples=20)
def test_rows_of_many_columns_are_completed_by_few_factors(
    n_factors, share, rest, seed
):
    rng, d = np.random.default_rng(seed), MANY + 1
    factor = rng.normal(size=(d, n_factors))
    covariance = factor @ factor.T + rest * np.eye(d)
    Z = with_holes(rng.normal(size=(4, d)), share, seed)
    found, _ = expectation(Z, np.linalg.inv(covariance))
    np.testing.assert_allclose(found, completed(Z, covariance), rtol=1e-5, atol=1e-6)


def test_directions_of_the_same_variance_are_all_among_the_few_or_none():
    variances = np.repeat([3.0, 2.0, 1.0], [MAX_FACTORS - 9, 10, 1])
    factor, gram, rest = few_factors(np.eye(len(variances)), variances)
    assert factor.shape[1] == MAX_FACTORS - 9
    # All directions together vary as much as before.
    assert np.trace(gram) + rest * len(factor) == pytest.approx(variances.sum())


@pytest.mark.parametrize("n", [60, 200])
def test_incomplete_rows_of_many_columns_in_another_order_and_unit(n):
    X = with_holes(correlated(n, 150)[0], 0.2)
    order = np.random.default_rng(1).permutation(150)
    units = np.exp2(np.arange(150) % 7)
    view = calibrated_view("whitened", X, 3)
    other = calibrated_view("whitened", (X * units)[:, order], 3)
    np.testing.assert_allclose(
        other.complete((X * units)[:, order]), (view.complete(X) * units)[:, order]
    )


@pytest.mark.parametrize("training_share", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
def test_later_rows_of_a_wide_table_are_completed_by_what_they_have(
    training_share, share
):
    X, later = correlated(40, 150)
    view = calibrated_view("whitened", with_holes(X, training_share), 3)
    holes = with_holes(later, share, seed=1)
    missing = np.isnan(holes)
    off = (view.complete(holes) - later)[missing]
    # A tenth of the variance is noise. They were off by a thousand deviations.
    assert np.square(off).mean() < 0.3 * later[missing].var()
