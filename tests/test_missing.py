"""Missing entries: left out of the scales, of the loss and of the scores."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import nan_euclidean_distances

from skncae import NCAEDetector
from skncae.evidence._base import Block
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.evidence._reference_rows import observed_distances
from skncae.evidence._tails import Tails
from skncae.scaling import _missing
from skncae.scaling._calibration import VIEWS, View, calibrated_view
from skncae.training import _losses
from tests.evidence.test_scorer import block

METHODS = ("score_samples", "decision_function", "predict", "reconstruct")
EVERY_VIEW = pytest.mark.parametrize("scaling", VIEWS)


@pytest.fixture
def make(fast):
    """Make small detectors that accept NaN."""
    return lambda **parameters: fast(**{"allow_nan": True} | parameters)


@pytest.fixture
def holes(X):
    """Return the rows of X with a fifth of the entries missing."""
    return np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)


@pytest.fixture
def gaussian():
    """Return 4,000 rows of four correlated columns of different scales."""
    rng = np.random.default_rng(0)
    mixing = np.array(
        [[1, 0.8, 0.3, 0], [0, 0.6, -0.5, 0], [0, 0, 0.8, 0], [0, 0, 0, 1]]
    )
    return rng.normal(size=(4000, 4)) @ mixing * [1, 10, 0.1, 2] + [0, 5, -1, 3]


# --- what is accepted ----------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_nan_is_refused_by_default_with_the_remedy(fast, X, holes, method):
    detector = fast() if method == "fit" else fast().fit(X)
    with pytest.raises(ValueError, match="contains NaN.*allow_nan=True"):
        getattr(detector, method)(holes)


@pytest.mark.parametrize("method", ["fit", *METHODS])
def test_infinity_is_refused_also_where_nan_is_not(make, holes, method):
    detector = make() if method == "fit" else make().fit(holes)
    rows = holes.copy()
    rows[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        getattr(detector, method)(rows)


@EVERY_VIEW
def test_every_method_takes_rows_with_nan(make, holes, scaling):
    detector = make(scaling=scaling).fit(holes)
    for method in METHODS:
        assert np.isfinite(getattr(detector, method)(holes)).all(), method


@EVERY_VIEW
def test_nan_is_scored_by_a_detector_fitted_on_complete_rows(make, X, holes, scaling):
    assert np.isfinite(make(scaling=scaling).fit(X).score_samples(holes)).all()


def test_allow_nan_set_after_fit_asks_for_another_fit(fast, X, holes):
    detector = fast().fit(X).set_params(allow_nan=True)
    with pytest.raises(ValueError, match="Fit again with allow_nan=True"):
        detector.score_samples(holes)


@pytest.mark.parametrize("allow_nan", [True, False])
def test_tag_follows_the_parameter(allow_nan):
    tags = NCAEDetector(allow_nan=allow_nan).__sklearn_tags__()
    assert tags.input_tags.allow_nan is allow_nan


@EVERY_VIEW
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_complete_rows_are_scored_to_the_bit_as_without(fast, X, scaling, dtype):
    rows = X.astype(dtype)
    strict, lenient = (
        fast(scaling=scaling, allow_nan=allow_nan).fit(rows)
        for allow_nan in (False, True)
    )
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(lenient, method)(rows), getattr(strict, method)(rows)
        )


def test_float32_rows_are_scored_like_float64_rows(make, holes):
    single = holes.astype(np.float32)
    detector = make().fit(single)
    np.testing.assert_allclose(
        detector.score_samples(single),
        detector.score_samples(single.astype(np.float64)),
        rtol=1e-9,
    )


def test_memory_map_with_nan_is_scored_like_an_array(make, holes, tmp_path):
    np.save(tmp_path / "rows.npy", holes)
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        make().fit(rows).score_samples(rows), make().fit(holes).score_samples(holes)
    )


@pytest.mark.parametrize(
    "frame_of",
    [
        lambda holes: pd.DataFrame(holes).astype("Float64"),
        lambda holes: pd.DataFrame(holes).astype("float64[pyarrow]"),
        lambda holes: pd.DataFrame(
            [[None if np.isnan(x) else x for x in row] for row in holes], dtype=object
        ),
        lambda holes: pl.DataFrame(
            [[None if np.isnan(x) else x for x in row] for row in holes], orient="row"
        ),
    ],
    ids=["pandas NA", "pyarrow", "None", "polars null"],
)
def test_missing_values_of_frames_are_nan(make, holes, frame_of):
    frame = frame_of(holes)
    if hasattr(frame, "set_axis"):
        frame = frame.set_axis(list("abcde"), axis=1)
    with warnings.catch_warnings():
        # pandas warns of its own conversions in some versions.
        warnings.simplefilter("ignore", FutureWarning)
        scores = make().fit(frame).score_samples(frame)
    # Columns in another order in memory are summed in another order.
    np.testing.assert_allclose(scores, make().fit(holes).score_samples(holes), 1e-9)


def test_fit_and_scores_do_not_change_rows_with_nan(make, holes):
    before = holes.copy()
    detector = make().fit(holes)
    for method in METHODS:
        getattr(detector, method)(holes)
    np.testing.assert_array_equal(holes, before)


def test_training_scores_are_those_of_the_training_rows(make, holes):
    detector = make().fit(holes)
    np.testing.assert_allclose(
        detector.training_scores_, detector.score_samples(holes), rtol=1e-9
    )


def test_score_of_an_incomplete_row_does_not_depend_on_its_neighbours(make, holes):
    detector = make().fit(holes)
    alone = np.concatenate([detector.score_samples(row[None]) for row in holes[:20]])
    np.testing.assert_allclose(alone, detector.score_samples(holes)[:20], rtol=1e-7)


# --- little or nothing there ---------------------------------------------------


@EVERY_VIEW
@pytest.mark.parametrize(
    "rows",
    [
        [[np.nan, 1.0]],
        [[1.0], [np.nan], [2.0]],
        [[1.0, np.nan], [np.nan, 2.0], [3.0, np.nan]],
    ],
    ids=["one row", "one column", "no complete row"],
)
@pytest.mark.filterwarnings("ignore:X has no value at all:UserWarning")
# Three rows of one value each may all look alike.
@pytest.mark.filterwarnings("ignore:All training rows have the same score")
def test_hardly_any_rows_can_be_fitted(make, scaling, rows):
    detector = make(scaling=scaling).fit(np.array(rows))
    assert np.isfinite(detector.score_samples(np.array(rows))).all()


@EVERY_VIEW
@pytest.mark.parametrize(
    "evidence", [*TABLE_EVIDENCE, TABLE_EVIDENCE], ids=[*TABLE_EVIDENCE, "all"]
)
def test_row_without_any_value_looks_typical(make, X, holes, scaling, evidence):
    nothing = np.full((1, X.shape[1]), np.nan)
    for rows in (X, holes, np.concatenate([holes, nothing])):
        detector = make(scaling=scaling, evidence=evidence).fit(rows)
        share = np.mean(detector.training_scores_ < detector.score_samples(nothing))
        assert 0.3 < share < 0.7


def test_column_without_any_value_is_named_in_a_warning(make, holes):
    holes[:, [1, 3]] = np.nan
    with pytest.warns(
        UserWarning, match="in columns 1, 3: they are left out.*Drop them"
    ):
        make().fit(holes)


def test_column_of_a_frame_without_any_value_is_named(make, X):
    frame = pd.DataFrame(X, columns=list("abcdefghij")[: X.shape[1]])
    frame["b"] = np.nan
    with pytest.warns(UserWarning, match="no value at all in column b: "):
        make().fit(frame)


@EVERY_VIEW
@pytest.mark.filterwarnings("ignore:X has no value at all:UserWarning")
def test_column_without_any_value_in_fit_never_counts(make, holes, scaling):
    holes[:, 1] = np.nan
    detector = make(scaling=scaling).fit(holes)
    later = holes.copy()
    later[:, 1] = 1e6
    np.testing.assert_array_equal(
        detector.score_samples(later), detector.score_samples(holes)
    )
    assert np.isnan(detector.reconstruct(later)).all(0).tolist() == [
        column == 1 for column in range(5)
    ]


@pytest.mark.filterwarnings("ignore:X has no value at all:UserWarning")
def test_rows_without_any_value_can_be_fitted_without_a_warning_of_collapse(make):
    rows = np.full((20, 3), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "X has no value", UserWarning)
        detector = make().fit(rows)
    assert (detector.predict(rows) == 1).all()


def test_column_missing_in_all_rows_that_look_normal_is_judged_by_the_others():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X[:, 2] = np.nan
    X[:20] = 30 + rng.normal(size=(20, 3))
    for kind in ("standardized", "whitened"):
        view = calibrated_view(kind, X, 3)
        assert view.center[2] == pytest.approx(X[:20, 2].mean())
        assert view.scale[2] == pytest.approx(X[:20, 2].std())


# --- views ---------------------------------------------------------------------


def squared_distance(location, covariance, rows):
    """Mahalanobis distance of each row over what is observed, one by one."""
    distances = []
    for row in rows:
        seen = ~np.isnan(row)
        difference = row[seen] - location[seen]
        block = covariance[np.ix_(seen, seen)]
        distances.append(difference @ np.linalg.solve(block, difference))
    return np.array(distances)


def test_distance_of_a_completed_row_is_that_of_its_observed_part(gaussian):
    view = calibrated_view("whitened", gaussian, 0)
    holes = gaussian[:200].copy()
    holes[np.random.default_rng(1).random(holes.shape) < 0.4] = np.nan
    completed = view.complete(holes)
    observed = ~np.isnan(holes)
    np.testing.assert_array_equal(completed[observed], holes[observed])
    unscaled = (view.rotation * view.deviations**2).T * view.scale
    np.testing.assert_allclose(
        # The soft limit moves a distance by less than this.
        np.square(view.transform(completed)).sum(1),
        squared_distance(view.center, unscaled.T @ unscaled, holes),
        rtol=2e-3,
        atol=1e-9,
    )


def test_rows_are_completed_alike_whatever_the_size_of_the_parts(gaussian, monkeypatch):
    view = calibrated_view("whitened", gaussian, 0)
    holes = gaussian[:50].copy()
    holes[np.random.default_rng(1).random(holes.shape) < 0.4] = np.nan
    expected = view.complete(holes)
    monkeypatch.setattr(_missing, "MAX_BLOCK", 5)
    np.testing.assert_allclose(view.complete(holes), expected, rtol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_covariance_of_incomplete_rows_is_close_to_that_of_complete_ones(
    gaussian, share
):
    rng = np.random.default_rng(1)
    holes = np.where(rng.random(gaussian.shape) < share, np.nan, gaussian)
    Z = calibrated_view("whitened", holes, 0).transform(gaussian)
    covariance = EmpiricalCovariance().fit(Z).covariance_
    np.testing.assert_allclose(covariance, np.eye(4), atol=0.12)


def test_calibration_undoes_what_far_outliers_do_also_to_incomplete_rows(gaussian):
    rng = np.random.default_rng(1)
    dirty = gaussian.copy()
    dirty[:400] += 20 * gaussian.std(0)
    dirty[rng.random(dirty.shape) < 0.2] = np.nan
    for kind in ("standardized", "whitened"):
        view = calibrated_view(kind, dirty, 5)
        assert (np.abs(view.center - gaussian.mean(0)) < 0.2 * gaussian.std(0)).all()
        assert (view.scale < 1.1 * gaussian.std(0)).all()


def test_range_of_a_column_is_that_of_its_observed_entries(holes):
    view = calibrated_view("minmax", holes, 0)
    np.testing.assert_array_equal(view.center, np.nanmin(holes, 0))
    np.testing.assert_allclose(view.center + view.scale, np.nanmax(holes, 0))


def test_by_column_keeps_the_length_and_is_the_symmetric_whitening(gaussian):
    view = calibrated_view("whitened", gaussian, 0)
    residual = np.random.default_rng(1).normal(size=(3, 7, 4))
    turned = view.to_column_axes(residual)
    np.testing.assert_allclose(
        np.square(turned).sum(-1), np.square(residual).sum(-1), rtol=1e-12
    )
    # ZCA-cor: the inverse square root of the correlation, which is symmetric.
    zca = view.to_column_axes(view.rotation)
    np.testing.assert_allclose(zca, zca.T, atol=1e-12)
    assert (np.linalg.eigvalsh(zca) > 0).all()


def test_by_column_of_a_view_that_mixes_no_columns_is_the_identity():
    residual = np.ones((2, 3))
    view = View(np.zeros(3), np.ones(3))
    assert view.to_column_axes(residual) is residual


# --- loss ----------------------------------------------------------------------


def test_target_differs_from_the_reconstruction_in_observed_columns_only():
    rng = np.random.default_rng(0)
    x, x_hat = torch.from_numpy(rng.normal(size=(2, 1, 6, 4)))
    is_observed = torch.from_numpy(rng.random((1, 6, 4)) < 0.5)
    by_column = torch.from_numpy(np.linalg.qr(rng.normal(size=(4, 4)))[0])
    x_hat.requires_grad_()
    target = _losses.observed_target(x, x_hat, ~is_observed, by_column)
    residual = ((x_hat - target) @ by_column).detach()
    expected = ((x_hat - x) @ by_column).detach()
    torch.testing.assert_close(residual, expected * is_observed)

    # The gradient is that of the sum of squares over what is observed.
    (found,) = torch.autograd.grad(
        _losses.reconstruction_error(target, x_hat).sum(), x_hat
    )
    masked = ((x_hat - x) @ by_column * is_observed).square().sum()
    (by_hand,) = torch.autograd.grad(masked, x_hat)
    torch.testing.assert_close(found, by_hand)


@pytest.mark.filterwarnings("ignore:X has no value at all:UserWarning")
def test_missing_entries_are_left_out_of_the_training_loss(make, X):
    detector = make(mining_rate=0.0).fit(np.full_like(X, np.nan))
    assert not detector.history_["reconstruction_loss"].any()


# --- scores --------------------------------------------------------------------


def test_observed_distances_are_over_the_observed_columns():
    rng = np.random.default_rng(0)
    x, dictionary = rng.normal(size=(8, 3)), rng.normal(size=(2, 5, 3))
    holes = x.copy()
    holes[rng.random(x.shape) < 0.4] = np.nan
    seen = ~np.isnan(holes)
    distance = observed_distances(
        torch.from_numpy(x), torch.from_numpy(seen), torch.from_numpy(dictionary)
    )
    for member in range(2):
        # scikit-learn scales up to all columns.
        expected = nan_euclidean_distances(holes, dictionary[member])
        expected = np.nan_to_num(expected * np.sqrt(seen.mean(1, keepdims=True)))
        np.testing.assert_allclose(distance[member], expected, rtol=1e-9)


def test_column_tails_are_of_the_observed_entries(holes):
    def tails_of(rows):
        return Tails.learn(block(rows), None, None).errors(block(rows))

    expected = np.zeros(len(holes))
    for column in holes.T:
        seen = ~np.isnan(column)
        expected[seen] += tails_of(column[seen, None])
    np.testing.assert_allclose(tails_of(holes), expected)


@pytest.mark.parametrize("evidence", TABLE_EVIDENCE)
def test_error_of_a_row_is_scaled_up_from_the_observed_columns_to_all(
    make, X, holes, evidence
):
    scorer = make(evidence=evidence).fit(X)._scorer
    power = 2 if evidence in ("dictionary", "neighbors") else 1
    component = scorer.components[0]
    block = Block(scorer.ensemble, holes)
    observed, n_missing = component.evidence.errors(block), block.n_missing
    assert n_missing.tolist() == np.isnan(holes).sum(1).tolist()
    np.testing.assert_allclose(
        scorer.errors(holes) ** power, observed**power * 5 / (5 - n_missing)
    )


def test_reconstruction_error_leaves_out_the_missing_columns_of_the_residual(make, X):
    scorer = make(scaling="standardized", evidence="reconstruction").fit(X)._scorer
    missing = np.random.default_rng(1).random(X.shape) < 0.3
    view = scorer.ensemble.view
    x = torch.from_numpy(view.transform(X))
    near = torch.from_numpy(view.transform(view.winsorized(X)))
    with torch.no_grad():
        residual = (scorer.ensemble.model(near.expand(2, *x.shape)) - x).numpy()
    block = Block(scorer.ensemble, X)
    block.__dict__["_completion"] = X, missing
    np.testing.assert_allclose(
        block.member_errors, np.where(missing, 0, residual**2).sum(-1)
    )


def test_planted_outliers_are_found_among_incomplete_rows(X, y, holes):
    detector = NCAEDetector(n_estimators=8, allow_nan=True, random_state=0).fit(holes)
    assert roc_auc_score(y, -detector.score_samples(holes)) > 0.9


def test_rows_with_many_missing_entries_are_not_flagged_for_that(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 8))
    X += 0.3 * rng.normal(size=X.shape)
    sparse = np.arange(1000) < 300
    X[sparse] = np.where(rng.random((300, 8)) < 0.6, np.nan, X[sparse])
    flagged = make().fit(X).predict(X) == -1
    assert flagged[sparse].mean() < 1.5 * flagged[~sparse].mean()


def test_missing_entries_are_reconstructed_near_their_values(X):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 1)) * [1.0, 2.0, -3.0] + 0.1 * rng.normal(size=(500, 3))
    holes = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    detector = NCAEDetector(n_estimators=4, allow_nan=True, random_state=0).fit(holes)
    lost = np.isnan(holes)
    error = np.abs(detector.reconstruct(holes) - X)[lost]
    assert np.median(error) < 0.5 * np.median(np.abs(X - np.median(X, 0))[lost])
