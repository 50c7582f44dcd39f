"""Known outliers before the fit: what they change, and what they must not."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skncae import Chunks, NCAEDetector

N_ROWS = 200
# A group of odd rows that is large enough to pass for normal.
GROUP = np.arange(30)


def rows():
    X = np.random.default_rng(0).normal(size=(N_ROWS, 4))
    X[GROUP] = 3 + 0.3 * X[GROUP]
    return X


def mask_of(known):
    return np.isin(np.arange(N_ROWS), known)


def small(**parameters):
    return NCAEDetector(n_estimators=2, max_iter=30, random_state=0, **parameters)


@pytest.fixture(scope="module")
def fitted_without():
    return small().fit(rows())


@pytest.mark.parametrize("outliers", [None, np.zeros(N_ROWS, dtype=bool)])
def test_no_known_outliers_change_no_bit(fitted_without, outliers):
    detector = small().fit(rows(), outliers=outliers)
    np.testing.assert_array_equal(
        detector.training_scores_, fitted_without.training_scores_
    )


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(known=st.sets(st.sampled_from(GROUP.tolist()), min_size=15))
def test_known_outliers_rank_higher_than_without(fitted_without, known):
    known = sorted(known)
    detector = small().fit(rows(), outliers=mask_of(known))
    ranks = [
        d.training_scores_.argsort().argsort()[known].mean()
        for d in (detector, fitted_without)
    ]
    assert ranks[0] < ranks[1]


def test_rows_like_known_outliers_rank_higher_too(fitted_without):
    detector = small().fit(rows(), outliers=mask_of(GROUP[:20]))
    ranks = [
        d.training_scores_.argsort().argsort()[GROUP[20:]].mean()
        for d in (detector, fitted_without)
    ]
    assert ranks[0] < ranks[1]


def test_known_outliers_are_mined_in_every_batch(fitted_without):
    detector = small().fit(rows(), outliers=mask_of(GROUP))
    assert detector.mining_share_ > fitted_without.mining_share_ + 0.05


def test_training_scores_are_of_all_rows():
    X = rows()
    detector = small().fit(X, outliers=mask_of(GROUP))
    np.testing.assert_allclose(
        detector.training_scores_, detector.score_samples(X), rtol=1e-9
    )


def test_what_is_normal_is_learnt_from_the_other_rows():
    X = rows()
    far = X.copy()
    far[GROUP] += 1e3 + GROUP[:, None]
    one, other = (
        small().fit(Z, outliers=mask_of(GROUP))._scorer.ensemble.view for Z in (X, far)
    )
    np.testing.assert_array_equal(one.center, other.center)
    np.testing.assert_array_equal(one.scale, other.scale)


def test_known_outliers_beyond_all_other_rows_are_flagged():
    X = rows()
    X[GROUP] += 1e3 + GROUP[:, None]
    detector = small(contamination=0.1).fit(X, outliers=mask_of(GROUP))
    flagged = np.flatnonzero(detector.predict(X) == -1)
    assert len(flagged)
    assert set(flagged) <= set(GROUP)


def test_fit_predict_takes_them():
    labels = small().fit_predict(rows(), outliers=mask_of(GROUP))
    np.testing.assert_array_equal(
        labels, small().fit(rows(), outliers=mask_of(GROUP)).predict(rows())
    )


def test_pyod_takes_them():
    NCAE = pytest.importorskip("skncae.pyod").NCAE
    clf = NCAE(n_estimators=2, max_iter=30, random_state=0)
    clf.fit(rows(), outliers=mask_of(GROUP))
    detector = small().fit(rows(), outliers=mask_of(GROUP))
    np.testing.assert_array_equal(clf.decision_scores_, -detector.training_scores_)


def test_known_outliers_of_a_frame_with_categories():
    frame = pd.DataFrame(rows(), columns=list("abcd"))
    frame["kind"] = np.where(np.arange(N_ROWS) % 2, "x", "y")
    mask = pd.Series(mask_of(GROUP), frame.index)
    detector = small().fit(frame, outliers=mask)
    assert np.isfinite(detector.training_scores_).all()


def test_known_outliers_among_more_rows_than_are_learnt_from(monkeypatch):
    monkeypatch.setattr("skncae._fitting.MAX_TRAINING_ROWS", 100)
    detector = small().fit(rows(), outliers=mask_of(GROUP))
    assert len(detector.training_scores_) == N_ROWS
    assert detector.training_scores_.argsort().argsort()[GROUP].mean() < 40


def test_pipelines_and_searches_route_them():
    with sklearn.config_context(enable_metadata_routing=True):
        detector = small().set_fit_request(outliers=True)
        pipeline = make_pipeline(StandardScaler(), detector)
        pipeline.fit(rows(), outliers=mask_of(GROUP))
        search = GridSearchCV(
            pipeline,
            {"ncaedetector__mining_rate": [0.05, 0.1]},
            scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
            cv=2,
        )
        search.fit(rows(), outliers=mask_of(GROUP[::2]))
    assert pipeline[-1].mining_share_ > 0.12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("outliers", "message"),
    [
        (np.zeros(3, dtype=bool), r"outliers has shape \(3,\), but X has 200 rows"),
        (np.zeros(N_ROWS), r"outliers holds 0\.0\. Give one bool a row"),
        (np.full(N_ROWS, -1), "outliers holds -1. Give one bool a row"),
        (np.full(N_ROWS, "yes"), "outliers holds 'yes'"),
        (np.ones(N_ROWS, dtype=bool), "outliers leaves 0 of 200 rows"),
        (
            np.ma.masked_array(mask_of(GROUP), mask_of(GROUP[:1])),
            r"masked entries.*give outliers\.filled\(False\)",
        ),
    ],
)
def test_what_is_no_mask_is_refused_by_name(outliers, message):
    with pytest.raises(ValueError, match=message):
        small().fit(rows(), outliers=outliers)


@pytest.mark.parametrize(
    "known",
    [np.ma.masked_array(mask_of(GROUP)), torch.tensor(mask_of(GROUP))],
    ids=type,
)
def test_mask_of_another_container_is_that_mask(known):
    expected = small().fit(rows(), outliers=mask_of(GROUP)).training_scores_
    detector = small().fit(rows(), outliers=known)
    np.testing.assert_array_equal(detector.training_scores_, expected)


def test_mask_of_another_index_is_refused():
    frame = pd.DataFrame(rows(), columns=list("abcd"))
    mask = pd.Series(mask_of(GROUP), frame.index[::-1])
    with pytest.raises(ValueError, match=r"Give outliers\.loc\[X\.index\]"):
        small().fit(frame, outliers=mask)


def test_chunks_are_refused():
    with pytest.raises(ValueError, match="outliers names rows of X by their place"):
        small().fit(Chunks([rows()]), outliers=mask_of(GROUP))
