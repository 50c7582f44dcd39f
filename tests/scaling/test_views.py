"""Views of the rows: there and back, and what contamination does to them."""

import numpy as np
import pytest

from skncae.scaling._calibration import VIEWS, View, calibrated_view

EVERY_VIEW = pytest.mark.parametrize("kind", VIEWS)


@pytest.fixture
def clean():
    """Return 2,000 rows of four correlated columns of different scales."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(2000, 4))
    Z[:, 1] = 0.8 * Z[:, 0] + 0.6 * Z[:, 1]
    return Z * [1.0, 100.0, 1e-3, 5.0] + [0.0, 50.0, 2.0, -3.0]


def contaminate(clean, share=0.1):
    """Move a share of the rows far away."""
    rng = np.random.default_rng(1)
    dirty = clean.copy()
    n_far = int(share * len(clean))
    far = 20 + rng.normal(size=(n_far, clean.shape[1]))
    dirty[:n_far] = clean.mean(0) + far * clean.std(0)
    return dirty


@EVERY_VIEW
@pytest.mark.parametrize("rounds", [0, 3])
def test_inverse_transform_undoes_transform(clean, kind, rounds):
    dirty = contaminate(clean)
    view = calibrated_view(kind, dirty, rounds)
    np.testing.assert_allclose(
        view.inverse_transform(view.transform(dirty)), dirty, rtol=1e-8, atol=1e-8
    )


@EVERY_VIEW
def test_view_of_a_row_does_not_depend_on_the_rows_beside_it(clean, kind):
    view = calibrated_view(kind, clean, 2)
    alone = np.concatenate([view.transform(row[None]) for row in clean[:5]])
    np.testing.assert_allclose(alone, view.transform(clean)[:5], rtol=1e-12, atol=1e-12)


@EVERY_VIEW
def test_transform_does_not_change_the_rows(clean, kind):
    before = clean.copy()
    calibrated_view(kind, clean, 2).transform(clean)
    np.testing.assert_array_equal(clean, before)


@EVERY_VIEW
def test_view_of_float32_rows_is_close_to_that_of_float64_rows(clean, kind):
    view = calibrated_view(kind, clean.astype(np.float32), 2)
    assert view.transform(clean.astype(np.float32)).dtype == np.float64
    np.testing.assert_allclose(
        view.transform(clean),
        calibrated_view(kind, clean, 2).transform(clean),
        atol=2e-3,
    )


def test_standardized_columns_have_mean_0_and_variance_1_before_the_soft_limit(clean):
    view = calibrated_view("standardized", clean, 0)
    np.testing.assert_allclose(view.center, clean.mean(0))
    np.testing.assert_allclose(view.scale, clean.std(0))


def test_whitened_clean_rows_have_identity_covariance(clean):
    Z = calibrated_view("whitened", clean, 0).transform(clean)
    np.testing.assert_allclose(np.cov(Z.T), np.eye(4), atol=0.05)


def test_calibrated_whitening_leaves_no_correlation_although_outliers_tilt_it(clean):
    dirty = contaminate(clean)

    def correlation(rounds):
        # Of the clean rows, in the view that all rows set.
        Z = calibrated_view("whitened", dirty, rounds).transform(clean)
        return np.abs(np.corrcoef(Z.T) - np.eye(4)).max()

    assert correlation(0) > 0.25
    assert correlation(5) < 0.1


@pytest.mark.parametrize("kind", ["standardized", "whitened"])
def test_calibration_undoes_what_far_outliers_do_to_location_and_scale(clean, kind):
    dirty = contaminate(clean)
    trusting, calibrated = (calibrated_view(kind, dirty, rounds) for rounds in (0, 5))
    scale = clean.std(0)
    assert (trusting.scale > 5 * scale).all()
    assert (calibrated.scale < 1.1 * scale).all()
    assert (calibrated.scale > 0.5 * scale).all()
    assert (np.abs(trusting.center - clean.mean(0)) > 1.5 * scale).all()
    assert (np.abs(calibrated.center - clean.mean(0)) < 0.2 * scale).all()


def test_minmax_maps_the_range_of_the_training_rows_to_0_and_1(clean):
    Z = calibrated_view("minmax", clean, 5).transform(clean)
    np.testing.assert_allclose(Z.min(0), 0, atol=1e-12)
    np.testing.assert_allclose(Z.max(0), 1)


@EVERY_VIEW
def test_constant_column_stays_finite_and_keeps_its_value(clean, kind):
    clean[:, 2] = 7.5
    view = calibrated_view(kind, clean, 3)
    Z = view.transform(clean)
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(view.inverse_transform(Z)[:, 2], 7.5)


@pytest.mark.parametrize("kind", ["standardized", "whitened"])
def test_column_that_varies_by_rounding_only_counts_as_constant(clean, kind):
    clean[:, 2] = 0.1
    clean[0, 2] += np.spacing(0.1)
    rows = clean[[0, 0]]
    rows[1, 2] = 0.1
    first, second = calibrated_view(kind, clean, 3).transform(rows)
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_column_constant_among_the_normal_rows_is_scaled_by_all_rows(clean):
    # A rare indicator: zero in all rows that look normal.
    clean[:, 3] = 0.0
    clean[:40, 3] = 1.0
    view = calibrated_view("standardized", clean, 5)
    assert view.scale[3] == pytest.approx(clean[:, 3].std())


@EVERY_VIEW
@pytest.mark.parametrize("n_rows", [1, 2])
def test_view_of_one_or_two_rows_is_finite(clean, kind, n_rows):
    view = calibrated_view(kind, clean[:n_rows], 3)
    assert np.isfinite(view.transform(clean)).all()


@EVERY_VIEW
def test_view_of_one_column_is_finite_and_monotone(clean, kind):
    column = np.sort(clean[:, :1], axis=0)
    steps = np.diff(calibrated_view(kind, column, 3).transform(column), axis=0)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert steps.any()


@pytest.mark.parametrize("knee", [1.0, 100.0])
def test_soft_limit_is_the_identity_inside_and_grows_like_a_logarithm_outside(knee):
    view = View(np.zeros(1), np.ones(1), knee=knee)
    far = np.array([[1e-3], [1e6], [1e7], [1e8]]) * knee
    small, *large = (view.transform(far) / knee).ravel()
    assert small == pytest.approx(1e-3, rel=1e-5)
    np.testing.assert_allclose(np.diff(large), np.log(10), rtol=1e-6)


@EVERY_VIEW
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_of_scaled_values_at_the_float32_limit_are_finite(clean, kind, dtype):
    limit = np.finfo(np.float32).max
    rows = np.array([[limit] * 4, [-limit] * 4], dtype=dtype)
    for training in (clean, np.concatenate([clean.astype(dtype), rows])):
        Z = calibrated_view(kind, training, 3).transform(rows)
        assert np.isfinite(np.square(Z).sum())


@EVERY_VIEW
def test_squares_of_scaled_values_at_the_float64_limit_are_finite(clean, kind):
    limit = np.finfo(np.float64).max
    rows = np.array([[limit] * 4, [-limit] * 4])
    Z = calibrated_view(kind, np.concatenate([clean, rows]), 3).transform(rows)
    assert np.isfinite(np.square(Z).sum())
