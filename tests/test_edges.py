"""Rows and parameters at the edges of what is possible, and beyond them."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn

from skncae import NCAEDetector, _fitting
from skncae.training._trainer import Trainer

SCALINGS = ("whitened", "standardized", "minmax")
EVERY_SCALING = pytest.mark.parametrize("scaling", SCALINGS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def assert_finite(detector, X):
    """Assert that everything said about X is a number."""
    for method in ("score_samples", "decision_function", "predict", "reconstruct"):
        result = getattr(detector, method)(X)
        assert len(result) == len(X)
        assert np.isfinite(result).all(), method


def assert_works(detector, X):
    """Assert that X can be fitted and scored; return its scores."""
    detector.fit(X)
    assert np.isfinite(detector.threshold_)
    assert_finite(detector, X)
    return detector.score_samples(X)


# --- shapes --------------------------------------------------------------------


@EVERY_SCALING
def test_one_row_can_be_fitted_and_is_an_inlier(fast, rng, scaling):
    X = rng.normal(size=(1, 4))
    detector = fast(scaling=scaling)
    assert_works(detector, X)
    assert detector.predict(X) == [1]
    assert_finite(detector, rng.normal(size=(5, 4)))


# Each of two rows may be as far out as the other.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@EVERY_SCALING
@pytest.mark.parametrize("n_rows", [2, 3])
def test_two_or_three_rows_can_be_fitted(fast, rng, scaling, n_rows):
    assert_works(fast(scaling=scaling), rng.normal(size=(n_rows, 4)))


@EVERY_SCALING
def test_one_column_can_be_fitted_and_its_extreme_value_is_flagged(fast, rng, scaling):
    X = rng.normal(size=(100, 1))
    X[3] = 30
    scores = assert_works(fast(scaling=scaling), X)
    assert scores.argmin() == 3


def test_one_row_of_one_column_can_be_fitted(fast):
    assert_works(fast(), np.array([[5.0]]))


def test_fit_with_fewer_rows_than_batch_size(fast, rng):
    assert_works(fast(batch_size=128), rng.normal(size=(17, 3)))


def test_fit_with_one_row_more_than_batch_size(fast, rng):
    assert_works(fast(batch_size=32), rng.normal(size=(33, 3)))


@pytest.mark.parametrize("mining", ["similarity", "latent_density"])
def test_fit_with_batches_of_one_row(fast, rng, mining):
    assert_works(fast(batch_size=1, mining=mining), rng.normal(size=(20, 3)))


def test_fit_with_more_columns_than_rows(fast, rng):
    assert_works(fast(), rng.normal(size=(10, 60)))


def test_fit_with_everything_mined(fast, rng):
    detector = fast(mining_rate=0.99, batch_size=8)
    assert_works(detector, rng.normal(size=(30, 3)))
    assert detector.mining_share_ == 1.0


def test_fit_with_one_of_everything(rng):
    detector = NCAEDetector(
        n_estimators=1,
        hidden_units=(1,),
        latent_dim=1,
        dictionary_size=1,
        max_iter=1,
        batch_size=1,
    )
    assert_works(detector, rng.normal(size=(9, 2)))


# --- values --------------------------------------------------------------------


@EVERY_SCALING
def test_constant_columns_can_be_fitted(fast, rng, scaling):
    X = rng.normal(size=(80, 4))
    X[:, 1], X[:, 3] = 0.0, 1e6
    assert_works(fast(scaling=scaling), X)


def test_other_value_in_a_constant_column_is_an_outlier(fast, rng):
    X = rng.normal(size=(100, 3))
    X[:, 1] = 5.0
    changed = X[:1] + [[0.0, 50.0, 0.0]]
    detector = fast().fit(X)
    assert detector.score_samples(changed) < detector.score_samples(X).min()


@EVERY_SCALING
def test_identical_rows_get_one_score_and_are_inliers(fast, scaling):
    X = np.tile([1.0, -2.0, 1e5], (50, 1))
    detector = fast(scaling=scaling)
    scores = assert_works(detector, X)
    assert np.ptp(scores) == 0
    assert (detector.predict(X) == 1).all()


@EVERY_SCALING
def test_row_unlike_all_identical_ones_is_an_outlier(fast, scaling):
    X = np.tile([1.0, -2.0, 3.0], (50, 1))
    detector = fast(scaling=scaling).fit(X)
    assert detector.predict([[1.0, 50.0, -40.0]]) == [-1]


@EVERY_SCALING
def test_duplicates_that_carry_most_of_the_data_are_inliers(fast, rng, scaling):
    X = rng.normal(size=(200, 3)) + 5
    X[:180] = [1.0, 2.0, 3.0]
    detector = fast(scaling=scaling, contamination=0.05)
    scores = assert_works(detector, X)
    assert np.ptp(scores[:180]) == 0
    assert (detector.predict(X[:180]) == 1).all()


def test_columns_whose_scales_differ_by_1e9_count_alike(X, y):
    detector = NCAEDetector(n_estimators=2, max_iter=50, random_state=0)
    scaled = X * [1e-9, 1.0, 1e9, 1e-3, 1e5] + [0.0, 0.0, 1e9, 0.0, -1e5]
    for rows in (X, scaled):
        scores = assert_works(detector, rows)
        # The 15 planted outliers are among the 20 rows that are flagged.
        assert (y[scores.argsort()[:20]] == 1).sum() >= 13


@EVERY_SCALING
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_at_the_float32_limit_are_scored_as_outliers(fast, rng, scaling, dtype):
    X = rng.normal(size=(100, 3)).astype(dtype)
    limit = np.finfo(np.float32).max
    far = np.array([[limit] * 3, [-limit] * 3, [limit, 0, -limit]], dtype=dtype)
    detector = fast(scaling=scaling).fit(X)
    assert_finite(detector, far)
    assert (detector.predict(far) == -1).all()


@EVERY_SCALING
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_at_the_float32_limit_can_be_fitted(fast, rng, scaling, dtype):
    X = rng.normal(size=(100, 3)).astype(dtype)
    limit = np.finfo(np.float32).max
    X[:2] = limit
    X[2] = -limit
    scores = assert_works(fast(scaling=scaling), X)
    assert scores[:3].max() < np.median(scores)


@EVERY_SCALING
def test_rows_all_near_the_float32_limit_can_be_fitted(fast, rng, scaling):
    X = (rng.uniform(-1, 1, size=(100, 3)) * np.finfo(np.float32).max).astype("f4")
    assert_works(fast(scaling=scaling), X)


@EVERY_SCALING
def test_values_at_the_float64_limit_are_scored(fast, rng, scaling):
    X = rng.normal(size=(100, 3))
    X[0] = np.finfo(np.float64).max
    assert_works(fast(scaling=scaling), X)


@EVERY_SCALING
def test_tiny_values_can_be_fitted(fast, rng, scaling):
    assert_works(fast(scaling=scaling), 1e-30 * rng.normal(size=(50, 3)))


# --- types and memory ----------------------------------------------------------


def test_float32_rows_are_scored_like_float64_rows(fast, rng):
    X = rng.normal(size=(100, 4)).astype(np.float32)
    single, double = (assert_works(fast(), X.astype(t)) for t in ("f4", "f8"))
    assert single.dtype == double.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.float16])
def test_numbers_of_other_types_are_scored_like_float64(fast, rng, dtype):
    X = rng.integers(0, 50, size=(100, 3)).astype(dtype)
    np.testing.assert_array_equal(
        assert_works(fast(), X), assert_works(fast(), X.astype(np.float64))
    )


def test_bools_are_scored_like_0_and_1(fast, rng):
    X = rng.random(size=(100, 5)) < 0.3
    np.testing.assert_array_equal(
        assert_works(fast(), X), assert_works(fast(), X.astype(np.float64))
    )


def test_lists_are_scored_like_arrays(fast, rng):
    X = rng.normal(size=(30, 2))
    np.testing.assert_array_equal(
        fast().fit(X.tolist()).score_samples(X.tolist()), fast().fit(X).score_samples(X)
    )


def test_read_only_rows_can_be_fitted(fast, rng):
    X = rng.normal(size=(30, 2))
    expected = assert_works(fast(), X)
    X.setflags(write=False)
    np.testing.assert_array_equal(assert_works(fast(), X), expected)


def test_memory_map_can_be_fitted(fast, rng, tmp_path, monkeypatch):
    X = rng.normal(size=(60, 2))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for limit in (10, 1000):
        monkeypatch.setattr(_fitting, "MAX_TRAINING_ROWS", limit)
        np.testing.assert_array_equal(
            assert_works(fast(), mapped), assert_works(fast(), X)
        )


@pytest.mark.parametrize(
    "view",
    [
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    ],
    ids=["fortran", "strided", "reversed"],
)
def test_rows_that_are_not_contiguous_are_scored_like_those_that_are(fast, rng, view):
    X = rng.normal(size=(60, 4))
    assert not view(X).flags.c_contiguous
    np.testing.assert_allclose(
        assert_works(fast(), view(X)), assert_works(fast(), X), rtol=1e-6
    )


# --- rows that are refused -----------------------------------------------------


@pytest.fixture
def no_training(monkeypatch):
    """Fail when anything is scaled or trained."""

    def work(*args, **kwargs):
        raise AssertionError("work began before the error")

    monkeypatch.setattr(_fitting, "calibrated_view", work)
    monkeypatch.setattr(Trainer, "__init__", work)


def with_value(value, dtype=float):
    X = np.ones((5, 2), dtype=dtype)
    X[3, 1] = value
    return X


REFUSED = {
    "nan": (with_value(np.nan), ValueError, "contains NaN in column 1, first in row 3"),
    "inf": (with_value(np.inf), ValueError, "infinity in column 1, first in row 3"),
    "minus inf": (with_value(-np.inf), ValueError, "infinity in column 1, first"),
    "none": (with_value(None, object), ValueError, "NaN"),
    "sparse": (scipy.sparse.csr_array(np.eye(4)), TypeError, "[Ss]parse"),
    "text": (with_value("red", object), ValueError, "could not convert.*'red'"),
    "complex": (with_value(1j, complex), ValueError, "Complex data not supported"),
    "one axis": (np.ones(5), ValueError, "Expected 2D array, got 1D"),
    "three axes": (np.ones((5, 2, 2)), ValueError, "at least 8 x 8|fitted on rows of"),
    "no rows": (np.ones((0, 2)), ValueError, "0 sample.*minimum of 1 is required"),
    "no columns": (np.ones((5, 0)), ValueError, "0 feature.*minimum of 1 is required"),
    "number": (3.0, ValueError, "Expected 2D array, got scalar"),
    "nothing": (None, ValueError, "array"),
}
REFUSED_ROWS = pytest.mark.parametrize(
    ("rows", "error", "message"), REFUSED.values(), ids=REFUSED.keys()
)


@REFUSED_ROWS
def test_fit_refuses_such_rows_before_any_work(fast, no_training, rows, error, message):
    detector = fast()
    before = vars(detector).copy()
    with pytest.raises(error, match=message):
        detector.fit(rows)
    assert vars(detector) == before


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_are_looked_at_also_where_scikit_learn_is_told_not_to(
    fast, no_training, value
):
    with (
        sklearn.config_context(assume_finite=True),
        pytest.raises(ValueError, match="in column 1, first in row 3"),
    ):
        fast().fit(with_value(value))


def test_infinity_in_a_frame_is_named_by_its_column(fast, rng):
    frame = pd.DataFrame(rng.normal(size=(20, 2)), columns=["depth", "width"])
    frame.loc[4, "width"] = -np.inf
    with pytest.raises(ValueError, match="infinity in column 'width', first in row 4"):
        fast().fit(frame)


def test_column_without_a_value_is_named_when_rows_are_scored(fast, rng):
    frame = pd.DataFrame(rng.normal(size=(20, 2)), columns=["depth", "width"])
    detector = fast(allow_nan=False).fit(frame)
    with pytest.raises(ValueError, match="NaN in column 'width', first in row 0"):
        detector.score_samples(frame.assign(width=None))


@REFUSED_ROWS
@pytest.mark.parametrize("method", ["score_samples", "reconstruct"])
def test_scoring_refuses_such_rows(fast, rng, rows, error, message, method):
    detector = fast().fit(rng.normal(size=(20, 2)))
    with pytest.raises(error, match=message):
        getattr(detector, method)(rows)


@pytest.mark.parametrize("n_columns", [1, 3])
@pytest.mark.parametrize("method", ["score_samples", "predict", "reconstruct"])
def test_scoring_refuses_rows_of_another_width(fast, rng, n_columns, method):
    detector = fast().fit(rng.normal(size=(20, 2)))
    with pytest.raises(
        ValueError, match=f"X has {n_columns} features.*is expecting 2 features"
    ):
        getattr(detector, method)(np.ones((4, n_columns)))


def test_scoring_refuses_other_column_names(fast, rng):
    frame = pd.DataFrame(rng.normal(size=(20, 2)), columns=["height", "weight"])
    detector = fast().fit(frame)
    for columns in (["height", "age"], ["weight", "height"]):
        with pytest.raises(ValueError, match="(?s)feature names should match.*"):
            detector.predict(frame.set_axis(columns, axis=1))


# --- parameters that are refused -----------------------------------------------

POSITIVE_INT = (0, -1, 2.5, "2", None, float("nan"), True)
INVALID = {
    "contamination": (0.0, -0.1, 0.51, float("nan"), "often", None, True, object),
    "n_estimators": POSITIVE_INT,
    "hidden_units": ((), (8, 0), (8, 2.5), 8, 2.5, "8", None, {8, 4}, {8: 4}),
    "latent_dim": POSITIVE_INT,
    "scaling": ("zscore", None, ("whitened",), 3),
    "calibration_rounds": (-1, 0.5, "2", None),
    "mining": ("similar", None, 3, ["similarity"], {"similarity"}),
    "mining_rate": (-0.1, 1.0, 2, float("nan"), "0.1", None, False),
    "generation_scale": (-0.1, 1e300, float("inf"), float("nan"), "0.1", None),
    "sample_discriminator": ("yes", None, 2),
    "latent_discriminator": ("yes", None, 2),
    "evidence": (
        {"tails": 1},
        "error",
        (),
        ("tails", "tails"),
        ("tails", "error"),
        None,
        3,
        ([],),
    ),
    "dictionary_size": POSITIVE_INT,
    "max_iter": POSITIVE_INT,
    "batch_size": POSITIVE_INT,
    "learning_rate": (0.0, -1e-3, 1e300, float("inf"), float("nan"), "fast", None),
    "decay_steps": (0, -1, 2.5, "2", True),
    "tol": (0.0, -0.1, float("inf"), float("nan"), "small", True),
    "warm_start": ("yes", None, 2),
    "allow_nan": ("yes", None, 2),
    "categorical_features": ("by magic", 3.5),
    "image_shape": (8, (8,), (2, 2), (8, 8, 9), (8.0, 8.0), "8x8", True),
    "device": ("gpu", "cuda:99", 3.5),
    "precision": ("float16", "float64", None, 16),
    "random_state": (-1, "seed", 2.5, True, np.True_),
    "verbose": (-1, 0.5, "loud", None),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in INVALID.items() for value in values],
)
def test_fit_refuses_such_a_parameter_by_name_before_any_work(
    fast, X, no_training, name, value
):
    with pytest.raises((TypeError, ValueError)) as caught:
        fast(**{name: value}).fit(X)
    message = str(caught.value)
    assert name in message
    # The value, or where its type is wrong, the type.
    assert any(
        text in message for text in (repr(value), str(value), type(value).__name__)
    ) or (name == "hidden_units" and "each of" in message)


@pytest.mark.parametrize("name", INVALID)
def test_fit_refuses_an_iterator_by_name_and_leaves_it_whole(
    fast, X, no_training, name
):
    iterator = iter([8])
    with pytest.raises((TypeError, ValueError), match=name):
        fast(**{name: iterator}).fit(X)
    assert list(iterator) == [8]


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("value", [np.array([[7, 8]]), np.array(["one", "other"])])
def test_fit_refuses_an_array_where_it_says_nothing(fast, X, no_training, name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        fast(**{name: value}).fit(X)


def test_going_on_refuses_an_array_for_warm_start(fast, X):
    detector = fast().fit(X).set_params(warm_start=np.array([True, False]))
    with pytest.raises(TypeError, match="warm_start must be True or False"):
        detector.fit(X)


def test_every_parameter_has_values_that_are_refused():
    assert set(INVALID) == set(NCAEDetector().get_params())


def test_parameters_are_checked_in_fit_and_not_before():
    detector = NCAEDetector(contamination=7, n_estimators="many")
    assert detector.get_params()["contamination"] == 7


def test_numpy_numbers_are_as_good_as_python_ones(fast, X):
    expected = fast(mining_rate=0.25, hidden_units=(8, 4)).fit(X).score_samples(X)
    detector = fast(
        n_estimators=np.int64(2),
        max_iter=np.int32(10),
        mining_rate=np.float32(0.25),
        hidden_units=np.array([8, 4]),
        random_state=np.int64(0),
        sample_discriminator=np.bool_(True),
    )
    np.testing.assert_array_equal(detector.fit(X).score_samples(X), expected)
