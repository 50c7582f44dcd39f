"""Scorers that know which label is the outlier, and which end of a score."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skncae.metrics import (
    average_precision_scorer,
    f1_scorer,
    make_outlier_scorer,
    precision_at_n_score,
    precision_at_n_scorer,
    pseudo_outlier_scorer,
    roc_auc_scorer,
)

SCORERS = {
    "roc_auc": roc_auc_scorer,
    "average_precision": average_precision_scorer,
    "precision_at_n": precision_at_n_scorer,
    "f1": f1_scorer,
}
ENCODINGS = {
    "0/1": lambda y: y,
    "-1/1": lambda y: np.where(y == 1, -1, 1),
    "bool": lambda y: y == 1,
    "float": lambda y: y.astype(float),
    "list": lambda y: y.tolist(),
    "Series": pd.Series,
    "nullable": lambda y: pd.Series(y, dtype="Int64"),
}


class Given(OutlierMixin, BaseEstimator):
    """A detector whose normality is the first column of X."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def decision_function(self, X):
        return np.asarray(X, dtype=float)[:, 0]

    def predict(self, X):
        return np.where(self.decision_function(X) < 0, -1, 1)


class GivenOutlyingness(BaseEstimator):
    """The same in PyOD's way: outliers are high, and labelled 1."""

    def fit(self, X, y=None):
        self.decision_scores_ = self.decision_function(X)
        return self

    def decision_function(self, X):
        return -np.asarray(X, dtype=float)[:, 0]

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)


DETECTORS = {
    "scikit-learn": IsolationForest(n_estimators=20, random_state=0),
    "pyod": IForest(n_estimators=20, random_state=0),
    "pyod in a pipeline": make_pipeline(StandardScaler(), ECOD()),
    "pipeline in a pipeline": make_pipeline(make_pipeline(StandardScaler(), ECOD())),
    "local outlier factor": LocalOutlierFactor(novelty=True),
    "scikit-learn in a pipeline": make_pipeline(
        StandardScaler(), LocalOutlierFactor(novelty=True)
    ),
}


@pytest.fixture
def given(y):
    """Make a column of normality that is right for most rows, and its two readers."""
    rng = np.random.default_rng(1)
    X = (np.where(y == 1, -0.4, 0.6) + rng.normal(0, 0.5, len(y)))[:, None]
    return X, [Given().fit(X), GivenOutlyingness().fit(X)]


# --- the value -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_score_is_that_of_the_metric_for_either_encoding_and_sign(given, y, encoding):
    X, detectors = given
    expected = {
        "roc_auc": roc_auc_score(y, -X[:, 0]),
        "average_precision": average_precision_score(y, -X[:, 0]),
        "precision_at_n": y[np.argsort(X[:, 0])[: y.sum()]].mean(),
        "f1": f1_score(y, X[:, 0] < 0),
    }
    assert all(0.2 < value < 0.99 for value in expected.values())
    for detector in detectors:
        found = {
            name: scorer(detector, X, encoding(y)) for name, scorer in SCORERS.items()
        }
        assert found == pytest.approx(expected)
        assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_that_finds_the_outliers_scores_high(name, X, y):
    detector = clone(DETECTORS[name]).fit(X)
    assert roc_auc_scorer(detector, X, y) > 0.9
    assert roc_auc_scorer(detector, X, np.where(y == 1, -1, 1)) > 0.9
    assert f1_scorer(detector, X, y) > 0.5


def test_ncae_scores_high(fast, X, y):
    detector = fast(max_iter=30).fit(X)
    assert roc_auc_scorer(detector, X, y) > 0.9
    assert f1_scorer(detector, X, y) > 0.5


def test_frozen_detector_of_pyod_keeps_its_sign(X, y):
    assert roc_auc_scorer(FrozenEstimator(ECOD().fit(X)), X, y) > 0.9


def test_extra_arguments_reach_the_metric(given, y):
    X, (detector, _) = given
    scorer = make_outlier_scorer(precision_at_n_score, n=5)
    assert scorer(detector, X, y) == y[np.argsort(X[:, 0])[:5]].mean()
    recall = make_outlier_scorer(recall_score, response_method="predict")
    assert recall(detector, X, y) == np.mean(X[y == 1, 0] < 0)


def test_named_label_is_the_outlier_whatever_the_other_one(given, y):
    X, (detector, _) = given
    words = np.where(y == 1, "attack", "normal")
    scorer = make_outlier_scorer(roc_auc_score, outlier_label="attack")
    assert scorer(detector, X, words) == roc_auc_scorer(detector, X, y)
    turned = make_outlier_scorer(roc_auc_score, outlier_label=0)
    assert turned(detector, X, y) == pytest.approx(1 - roc_auc_scorer(detector, X, y))


def test_precision_at_n_takes_the_mean_over_orders_of_tied_rows():
    # One place for three tied rows, of which two are outliers.
    y, scores = [1, 0, 1, 1, 0], [9, 5, 5, 5, 1]
    assert precision_at_n_score(y, scores, n=2) == pytest.approx((1 + 2 / 3) / 2)
    assert precision_at_n_score(y, scores) == pytest.approx((1 + 2 * 2 / 3) / 3)
    assert precision_at_n_score(y, np.zeros(5)) == pytest.approx(3 / 5)


# --- with scikit-learn ---------------------------------------------------------


# scikit-learn hands labels to `fit`; PyOD's detectors warn, and ignore them.
IGNORED_LABELS = pytest.mark.filterwarnings("ignore:y should not be presented")


@pytest.fixture
def folds():
    return StratifiedKFold(3, shuffle=True, random_state=0)


@IGNORED_LABELS
@pytest.mark.parametrize(
    "encode", [ENCODINGS["0/1"], ENCODINGS["-1/1"]], ids=["0/1", "-1/1"]
)
def test_cross_validation_takes_several_scorers(X, y, folds, encode):
    found = cross_validate(
        DETECTORS["pyod"], X, encode(y), scoring=SCORERS, cv=folds, error_score="raise"
    )
    for name in SCORERS:
        assert found[f"test_{name}"].shape == (3,)
        assert found[f"test_{name}"].mean() > 0.5


@IGNORED_LABELS
def test_search_chooses_by_the_outliers_and_can_itself_be_scored(X, y, folds):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), IForest(random_state=0)),
        {"iforest__max_samples": [2, 64]},
        scoring=roc_auc_scorer,
        cv=folds,
    ).fit(X, y)
    assert search.best_params_ == {"iforest__max_samples": 64}
    assert search.best_score_ > 0.9
    assert roc_auc_scorer(search, X, y) > 0.9
    assert search.score(X, np.where(y == 1, -1, 1)) > 0.9


def test_search_can_be_cloned_with_its_scorer(X, y, folds):
    search = GridSearchCV(Given(), {}, scoring=precision_at_n_scorer, cv=folds)
    cloned = clone(search)
    assert repr(cloned.scoring) == repr(precision_at_n_scorer)
    assert cloned.fit(X, y).best_score_ == search.fit(X, y).best_score_


@IGNORED_LABELS
def test_cross_validation_works_with_metadata_routing(X, y, folds):
    with sklearn.config_context(enable_metadata_routing=True):
        # scikit-learn 1.6 cannot route its own default, None.
        found = cross_val_score(
            ECOD(), X, y, scoring=roc_auc_scorer, cv=folds, params={}
        )
    assert found.min() > 0.9


def test_pickled_scorer_scores_the_same(given, y):
    X, (detector, _) = given
    scorer = make_outlier_scorer(precision_at_n_score, n=3, outlier_label=1)
    copied = pickle.loads(pickle.dumps(scorer))
    assert copied(detector, X, y) == scorer(detector, X, y)


def test_representation_is_the_call_that_makes_the_scorer():
    assert repr(roc_auc_scorer) == "make_outlier_scorer(roc_auc_score)"
    scorer = make_outlier_scorer(
        recall_score, response_method="predict", outlier_label="x", zero_division=0
    )
    assert repr(scorer) == (
        "make_outlier_scorer(recall_score, response_method='predict', "
        "outlier_label='x', zero_division=0)"
    )


def test_rows_and_labels_are_not_mutated(given, y):
    X, (detector, _) = given
    X.setflags(write=False)
    labels = y.copy()
    labels.setflags(write=False)
    for scorer in SCORERS.values():
        scorer(detector, X, labels)


# --- without labels ------------------------------------------------------------


class Centred(Given):
    """A detector that finds rows normal where their columns sum to zero."""

    def decision_function(self, X):
        return -np.abs(np.asarray(X, dtype=float).sum(axis=1))


class Constant(Given):
    """A detector that finds all rows alike."""

    def decision_function(self, X):
        return np.zeros(len(X))


class ByName(Given):
    """A detector that reads its column by name."""

    def decision_function(self, X):
        return X["first"].to_numpy()


@pytest.fixture
def balanced():
    """Return rows of five columns whose sum is zero."""
    X = np.random.default_rng(0).normal(size=(300, 5))
    X[:, 4] = -X[:, :4].sum(axis=1)
    X.setflags(write=False)
    return X


def test_detector_that_knows_the_rows_tells_all_spoilt_copies(balanced):
    # One of five columns is replaced, so that no copy sums to zero.
    assert pseudo_outlier_scorer(Centred().fit(balanced), balanced) == 1.0


def test_detector_that_knows_nothing_tells_half_of_the_spoilt_copies(balanced):
    assert pseudo_outlier_scorer(Constant().fit(balanced), balanced) == 0.5


def test_sign_of_the_detector_does_not_matter_without_labels(balanced):
    found = [
        pseudo_outlier_scorer(detector().fit(balanced), balanced)
        for detector in (Given, GivenOutlyingness)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[0] != 0.5


def test_spoilt_copies_are_the_same_for_every_call_and_move_no_global_state(balanced):
    detector, before = Given().fit(balanced), np.random.get_state()[1].copy()
    first, second = (pseudo_outlier_scorer(detector, balanced) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_frame_keeps_its_names_in_the_spoilt_copies(balanced):
    frame = pd.DataFrame(balanced, columns=["first", "b", "c", "d", "e"])
    found = pseudo_outlier_scorer(ByName().fit(frame), frame)
    assert found == pseudo_outlier_scorer(Given().fit(balanced), balanced)


def test_search_without_labels_prefers_the_setting_that_knows_the_rows(balanced):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), IsolationForest(random_state=0)),
        {"isolationforest__max_features": [1], "isolationforest__max_samples": [2, 64]},
        scoring=pseudo_outlier_scorer,
        cv=3,
    ).fit(balanced)
    assert search.best_params_["isolationforest__max_samples"] == 64


def test_scorer_without_labels_ignores_them(balanced):
    detector, labels = Given().fit(balanced), np.arange(300)
    assert pseudo_outlier_scorer(detector, balanced, labels) == pseudo_outlier_scorer(
        detector, balanced
    )


@pytest.mark.parametrize("value", [np.inf, "word"])
def test_rows_that_are_no_numbers_cannot_be_spoilt(balanced, value):
    X = balanced.astype(object)
    X[3, 2] = value
    with pytest.raises(ValueError, match="infinity|could not convert"):
        pseudo_outlier_scorer(Given().fit(balanced), X)


def test_missing_entries_stay_missing_in_spoilt_copies(balanced):
    X = np.where(
        np.random.default_rng(1).random(balanced.shape) < 0.2, np.nan, balanced
    )
    X[:, 1] = np.nan
    seen = []

    class Watched(Given):
        def decision_function(self, X):
            seen.append(X)
            return np.zeros(len(X))

    assert pseudo_outlier_scorer(Watched().fit(balanced), X) == 0.5
    rows, copies = seen
    np.testing.assert_array_equal(np.isnan(copies), np.isnan(rows))
    assert ((copies != rows) & ~np.isnan(rows)).any(axis=1).mean() > 0.5


def test_search_without_labels_takes_rows_with_missing_entries(fast, balanced):
    X = np.where(
        np.random.default_rng(1).random(balanced.shape) < 0.1, np.nan, balanced
    )
    grid = {"evidence": ["tails", "reconstruction"]}
    search = GridSearchCV(
        fast(allow_nan=True), grid, scoring=pseudo_outlier_scorer, cv=2
    ).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --- errors --------------------------------------------------------------------


def test_search_without_scoring_or_labels_ends_as_the_guide_says(fast, balanced):
    grid = {"contamination": [0.05, 0.1]}
    with pytest.raises(TypeError, match="If no scoring is specified"):
        GridSearchCV(fast(), grid).fit(balanced)
    search = GridSearchCV(fast(), grid, scoring="roc_auc", error_score="raise")
    with pytest.raises(TypeError, match="y_true"):
        search.fit(balanced)
    ours = GridSearchCV(fast(), grid, scoring=roc_auc_scorer, error_score="raise")
    with pytest.raises(ValueError, match="skncae.metrics.pseudo_outlier_scorer needs"):
        ours.fit(balanced)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"y is None. Pass y"),
        ([1, 1, 1], r"only 1 \(all normal rows in scikit-learn's.*all outliers in Py"),
        ([True, True, True], r"only True \(all normal rows"),
        ([0, 0, 0], r"holds only 0. Pass rows of both kinds.*StratifiedKFold"),
        ([-1, -1, -1], r"holds only -1. Pass rows of both kinds"),
        ([], r"holds only no label"),
        ([0, 1, 2], r"got 0, 1, 2. Name the outlier's label"),
        ([-1, 0, 1], r"got -1, 0, 1"),
        ([-1, 0, 0], r"got -1, 0. "),
        ([0, 1, np.nan], r"got 0.0, 1.0, nan"),
        ([0, 1, None], r"got 0, 1, None"),
        (["no", "yes", "no"], r"outlier_label"),
        (np.arange(9), r"got 0, 1, 2, 3, 4, \.\.\."),
        ([[0, 1], [1, 0]], r"1d array"),
    ],
)
def test_labels_that_say_nothing_are_refused(given, scorer, labels, message):
    X, (detector, _) = given
    with pytest.raises(ValueError, match=message):
        scorer(detector, X[:3], labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"], "outlier_label='a' and one other label, got 'a', 'b', 'c'"),
        (["b", "c", "c"], "outlier_label='a' and one other label, got 'b', 'c'"),
        (["a", "a", "a"], "holds only 'a'"),
    ],
)
def test_labels_without_the_named_one_and_one_other_are_refused(given, labels, message):
    X, (detector, _) = given
    scorer = make_outlier_scorer(roc_auc_score, outlier_label="a")
    with pytest.raises(ValueError, match=message):
        scorer(detector, X[:3], labels)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(given, y, value):
    X, (detector, _) = given
    X[3] = value
    with pytest.raises(ValueError, match="decision_function of Given .* 1 of 200 are"):
        roc_auc_scorer(detector, X, y)
    with pytest.raises(ValueError, match="y_score must be finite, but 1 of 200"):
        precision_at_n_score(y, X[:, 0])


@pytest.mark.parametrize(
    "other",
    [LogisticRegression(), KMeans(2), make_pipeline(StandardScaler()), object()],
    ids=lambda other: type(other).__name__,
)
def test_what_is_no_outlier_detector_is_refused(X, y, other):
    with pytest.raises(TypeError, match="Expected a fitted outlier detector.*got"):
        roc_auc_scorer(other, X, y)


def test_local_outlier_factor_without_novelty_is_refused_with_the_remedy(X, y):
    with pytest.raises(TypeError, match="no decision_function .* novelty=True"):
        roc_auc_scorer(LocalOutlierFactor().fit(X), X, y)


def test_response_method_must_be_known():
    with pytest.raises(ValueError, match="response_method must be .*'predict_proba'"):
        make_outlier_scorer(roc_auc_score, response_method="predict_proba")


@pytest.mark.parametrize("n", [0, 6])
def test_precision_at_n_needs_n_rows(n):
    with pytest.raises(ValueError, match=f"n == {n}"):
        precision_at_n_score([0, 1, 0, 0, 1], np.arange(5), n=n)


def test_precision_at_n_needs_a_score_for_each_label():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        precision_at_n_score([0, 1, 0], np.arange(4))


MASKED = np.ma.masked_array([0.0, 1.0, 0.0, 1.0], [False, True, False, False])


@pytest.mark.parametrize(
    "call",
    [
        lambda: precision_at_n_score(MASKED, np.arange(4)),
        lambda: precision_at_n_score([0, 1, 0, 1], MASKED),
        lambda: pseudo_outlier_scorer(Given(), MASKED.reshape(2, 2)),
    ],
)
def test_masked_entries_are_refused(call):
    with pytest.raises(ValueError, match="masked array with masked entries"):
        call()


def test_dates_are_no_scores():
    with pytest.raises(
        TypeError, match=r"y_score must be numbers, got datetime64\[s\]"
    ):
        precision_at_n_score([0, 1, 0], np.arange(3).astype("M8[s]"))
