"""More columns than rows cost no more than the rows do."""

import numpy as np
import pytest

from skncae.scaling._calibration import calibrated_view
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
