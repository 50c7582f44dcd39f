"""NCAEDetector among the tools of scikit-learn."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skncae import NCAEDetector

METHODS = ("score_samples", "decision_function", "predict", "reconstruct")


@parametrize_with_checks(
    [
        NCAEDetector(n_estimators=2, max_iter=5),
        NCAEDetector(n_estimators=2, max_iter=5, allow_nan=True),
    ]
)
def test_detector_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def assert_same(copied, detector, X):
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(copied, method)(X), getattr(detector, method)(X)
        )
    assert copied.get_params() == detector.get_params()


# --- copies --------------------------------------------------------------------


def test_pickle_keeps_a_fitted_detector(fast, X):
    detector = fast().fit(X)
    assert_same(pickle.loads(pickle.dumps(detector)), detector, X)


def test_joblib_keeps_a_fitted_detector(fast, X, tmp_path):
    detector = fast().fit(X)
    joblib.dump(detector, tmp_path / "detector.joblib")
    assert_same(joblib.load(tmp_path / "detector.joblib"), detector, X)


def test_deepcopy_is_independent_of_the_original(fast, X):
    detector = fast().fit(X)
    copied, scores = copy.deepcopy(detector), detector.score_samples(X)
    assert_same(copied, detector, X)
    copied.fit(X[:50] * 3)
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_refit_does_not_change_a_shallow_copy(fast, X):
    detector = fast().fit(X)
    shallow, scores = copy.copy(detector), detector.score_samples(X)
    detector.fit(X[:50] * 3)
    np.testing.assert_array_equal(shallow.score_samples(X), scores)


def test_pickle_does_not_hold_the_training_rows(fast):
    X = np.random.default_rng(0).normal(size=(50_000, 5))
    few, many = (
        len(pickle.dumps(fast(max_iter=1).fit(rows))) for rows in (X[:5000], X)
    )
    # A float64 for each training score.
    assert many - few < 1.2 * 8 * 45_000


def test_clone_is_unfitted_and_has_the_parameters(fast, X):
    detector = fast(contamination=0.2, hidden_units=(4,)).fit(X)
    cloned = clone(detector)
    assert cloned.get_params() == detector.get_params()
    assert not hasattr(cloned, "offset_")


def test_set_params_after_fit_does_not_change_the_scores(fast, X):
    detector = fast().fit(X)
    before = [getattr(detector, method)(X) for method in METHODS]
    detector.set_params(
        contamination=0.4,
        n_estimators=5,
        hidden_units=(3,),
        latent_dim=1,
        scaling="minmax",
        calibration_rounds=0,
        mining="latent_distance",
        mining_rate=0.5,
        evidence="tails",
        dictionary_size=3,
        max_iter=1,
        batch_size=3,
        random_state=7,
    )
    for method, result in zip(METHODS, before, strict=True):
        np.testing.assert_array_equal(getattr(detector, method)(X), result)


# --- frames --------------------------------------------------------------------

COLUMNS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    "frame_of",
    [
        lambda X: pd.DataFrame(X, columns=COLUMNS),
        lambda X: pl.DataFrame(X, schema=COLUMNS),
    ],
    ids=["pandas", "polars"],
)
def test_frame_is_scored_like_its_values_and_leaves_its_names(fast, X, frame_of):
    frame = frame_of(X)
    detector, expected = fast().fit(frame), fast().fit(X)
    assert detector.feature_names_in_.tolist() == COLUMNS
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(detector, method)(frame), getattr(expected, method)(X)
        )


def test_frame_of_mixed_dtypes_is_scored_like_float64(fast):
    frame = pd.DataFrame(
        {
            "float": np.linspace(0, 1, 40, dtype=np.float32),
            "int": np.arange(40) % 7,
            "bool": np.arange(40) % 3 == 0,
        }
    )
    np.testing.assert_array_equal(
        fast().fit(frame).score_samples(frame),
        fast().fit(frame.astype(float)).score_samples(frame.astype(float)),
    )


def test_refit_on_rows_without_names_forgets_the_names(fast, X):
    detector = fast().fit(pd.DataFrame(X, columns=COLUMNS))
    assert not hasattr(detector.fit(X), "feature_names_in_")


# --- pipelines -----------------------------------------------------------------


def orders():
    """Return orders, of which the last is unlike the others."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "price": rng.lognormal(size=120),
            "amount": rng.integers(1, 6, size=120).astype(float),
            "country": rng.choice(["DE", "FR", "IT"], size=120),
            "channel": rng.choice(["web", "shop"], size=120),
        }
    )
    frame.loc[119] = [900.0, 400.0, "XX", "fax"]
    return frame


def test_pipeline_after_a_column_transformer_with_one_hot_columns(fast):
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["price", "amount"]),
            (
                "words",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ["country", "channel"],
            ),
        ]
    )
    frame = orders()
    pipeline = make_pipeline(columns, fast(max_iter=30, contamination=0.02))
    assert pipeline.fit_predict(frame)[119] == -1
    scores = pipeline.score_samples(frame)
    assert scores.argmin() == 119
    np.testing.assert_array_equal(
        pipeline.decision_function(frame), scores - pipeline[-1].offset_
    )
    unseen = frame.assign(country="SE")
    assert np.isfinite(pipeline.score_samples(unseen)).all()


def test_pipeline_hands_pandas_names_to_the_detector(fast):
    pipeline = make_pipeline(
        OneHotEncoder(sparse_output=False).set_output(transform="pandas"), fast()
    )
    with pytest.warns(UserWarning, match="asks for more rows"):
        # Rows of three kinds: the ninety at the threshold are inliers.
        pipeline.fit(orders()[["channel"]])
    names = pipeline[-1].feature_names_in_.tolist()
    assert names == ["channel_fax", "channel_shop", "channel_web"]


# --- search and cross-validation -----------------------------------------------


def outlier_auroc(detector, X, y):
    """Score a detector by the labels, of which the rarer one is the outlier."""
    values, counts = np.unique(y, return_counts=True)
    outlier = values[counts.argmin()]
    return roc_auc_score(y == outlier, -detector.score_samples(X))


@pytest.fixture(params=["0/1", "-1/1"])
def labels(request, y):
    """Labels as people write them: 1 is an outlier, or -1 is."""
    return y if request.param == "0/1" else np.where(y == 1, -1, 1)


@pytest.fixture
def folds():
    return KFold(3, shuffle=True, random_state=0)


@pytest.mark.parametrize("search_in", [GridSearchCV, RandomizedSearchCV])
def test_search_with_two_jobs_finds_the_same_as_one_by_one(
    fast, X, labels, folds, search_in
):
    grid = {"latent_dim": [1, 2], "mining_rate": [0.0, 0.1]}
    extra = {} if search_in is GridSearchCV else {"n_iter": 3, "random_state": 0}
    results = [
        search_in(
            fast(), grid, scoring=outlier_auroc, cv=folds, n_jobs=n_jobs, **extra
        ).fit(X, labels)
        for n_jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in results)
    np.testing.assert_allclose(one, two)
    assert len(one) == (4 if search_in is GridSearchCV else 3)
    assert np.isfinite(one).all() and one.min() > 0.8
    assert results[0].best_params_ == results[1].best_params_
    np.testing.assert_array_equal(
        results[1].predict(X), fast(**results[1].best_params_).fit(X).predict(X)
    )


def test_search_by_predicted_labels_of_minus_1_and_1(fast, X, y, folds):
    recall = make_scorer(lambda y, labels: np.mean(labels[y == -1] == -1))
    search = GridSearchCV(
        fast(max_iter=30), {"contamination": [0.01, 0.15]}, scoring=recall, cv=folds
    ).fit(X, np.where(y == 1, -1, 1))
    assert search.best_params_ == {"contamination": 0.15}


def test_search_over_the_detector_inside_a_pipeline(fast, X, y, folds):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), fast()),
        {"ncaedetector__latent_dim": [1, 2]},
        scoring=outlier_auroc,
        cv=folds,
    ).fit(X, y)
    assert search.best_score_ > 0.8


def test_cross_val_predict_is_a_loop_of_fit_and_score(fast, X, folds):
    by_hand = np.empty(len(X))
    for train, test in folds.split(X):
        by_hand[test] = fast().fit(X[train]).decision_function(X[test])
    found = cross_val_predict(fast(), X, cv=folds, method="decision_function")
    np.testing.assert_array_equal(found, by_hand)


def test_cross_val_score_with_two_jobs_is_that_with_one(fast, X, labels, folds):
    one, two = (
        cross_val_score(
            fast(), X, labels, scoring=outlier_auroc, cv=folds, n_jobs=n_jobs
        )
        for n_jobs in (1, 2)
    )
    np.testing.assert_allclose(one, two)


def test_scores_of_a_worker_process_are_those_of_this_one(fast, X):
    def scores(detector, X):
        return detector.fit(X).score_samples(X)

    first, second = joblib.Parallel(n_jobs=2)(
        joblib.delayed(scores)(fast(), np.array(X)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, scores(fast(), X), rtol=1e-6)


def test_labels_are_ignored_in_fit(fast, X, y):
    np.testing.assert_array_equal(
        fast().fit(X, y).score_samples(X), fast().fit(X).score_samples(X)
    )


# --- representation ------------------------------------------------------------


def test_text_representation_shows_the_changed_parameters():
    assert repr(NCAEDetector(latent_dim=7)) == "NCAEDetector(latent_dim=7)"


def test_html_representation_shows_the_parameters(fast, X):
    detector = fast(latent_dim=7)
    for html in (detector._repr_html_(), detector.fit(X)._repr_html_()):
        assert "NCAEDetector" in html and "latent_dim" in html and "7" in html
