"""Rows that arrive in pieces: partial_fit, and the sample that it keeps."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from skncae import _fitting
from skncae.data._sample import Sample
from skncae.training._trainer import Trainer


def in_pieces(detector, X, size):
    for start in range(0, len(X), size):
        detector.partial_fit(X[start : start + size])
    return detector


def kept_of(n_rows, size, seed=0, piece=100):
    """Indices kept of n_rows rows that arrive in pieces."""
    rows = np.arange(n_rows)[:, None]
    sample = Sample.empty(size, seed, rows)
    for start in range(0, n_rows, piece):
        sample = sample.extended(rows[start : start + piece])
    assert sample.n_seen == n_rows
    return sample.rows[:, 0]


@pytest.fixture
def room_for_50(monkeypatch):
    monkeypatch.setattr(_fitting, "MAX_TRAINING_ROWS", 50)


# --- the sample ----------------------------------------------------------------


def test_sample_with_room_keeps_every_row_in_order():
    assert kept_of(250, size=250).tolist() == list(range(250))


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_full_sample_keeps_its_size_and_no_row_twice(piece):
    kept = kept_of(300, size=40, piece=piece)
    assert len(set(kept)) == len(kept) == 40
    assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize("piece", [10, 64, 200])
def test_every_row_is_as_likely_to_be_kept(piece):
    counts = np.zeros(200)
    n_draws, share = 2000, 0.25
    for seed in range(n_draws):
        counts[kept_of(200, size=50, seed=seed, piece=piece)] += 1
    deviation = np.sqrt(n_draws * share * (1 - share))
    # 200 draws from a normal distribution stay within 4.5 deviations.
    assert np.abs(counts - n_draws * share).max() < 4.5 * deviation
    # What arrives early is not favoured either.
    assert abs(counts[:100].sum() - n_draws * 25) < 4.5 * deviation * np.sqrt(100)


def test_extending_a_sample_leaves_it_as_it_was():
    rows = np.arange(60.0)[:, None]
    sample = Sample.empty(20, 0, rows).extended(rows[:30])
    before = sample.rows.copy()
    sample.extended(rows[30:])
    np.testing.assert_array_equal(sample.rows, before)
    assert sample.n_seen == 30


# --- the detector --------------------------------------------------------------


@pytest.mark.parametrize("size", [60, 199, 200])
def test_pieces_that_fit_into_the_sample_give_what_fit_gives(fast, X, size):
    detector, expected = in_pieces(fast(), X, size), fast().fit(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))
    assert detector.threshold_ == expected.threshold_
    np.testing.assert_array_equal(detector.training_scores_, expected.training_scores_)
    assert detector.n_samples_seen_ == expected.n_samples_seen_ == len(X)


def test_planted_outliers_are_found_in_pieces_when_the_sample_is_full(
    fast, X, y, room_for_50
):
    detector = in_pieces(fast(n_estimators=4, max_iter=50), X, 40)
    assert len(detector.training_scores_) == 50
    assert detector.n_samples_seen_ == 200
    assert roc_auc_score(y, -detector.score_samples(X)) > 0.95


def test_first_piece_of_one_row_is_fitted_as_fit_does(fast):
    row = [[1.0, 2.0]]
    detector = fast().partial_fit(row)
    np.testing.assert_array_equal(
        detector.score_samples([[5.0, 5.0]]),
        fast().fit(row).score_samples([[5.0, 5.0]]),
    )


def test_threshold_flags_the_contamination_among_the_sample(fast, X, room_for_50):
    detector = in_pieces(fast(contamination=0.2), X, 40)
    scores = detector.training_scores_
    assert np.count_nonzero(scores < detector.offset_) == 10


@pytest.mark.filterwarnings("ignore:contamination=0.1 asks for more rows")
def test_first_pieces_are_not_forgotten(fast, X, room_for_50):
    detector = in_pieces(fast(), np.repeat(np.arange(4.0), 100)[:, None], 100)
    assert set(detector._sample.rows[:, 0]) == {0.0, 1.0, 2.0, 3.0}


def test_same_pieces_and_seed_give_identical_scores(fast, X, room_for_50):
    first, second = (in_pieces(fast(), X, 40).score_samples(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_other_seed_keeps_other_rows(fast, X, room_for_50):
    first, second = (in_pieces(fast(random_state=s), X, 40) for s in (0, 1))
    assert not np.array_equal(first._sample.rows, second._sample.rows)


def test_pieces_of_float32_and_float64_are_learnt_from_like_float64(fast, X):
    detector = fast().partial_fit(X[:80].astype(np.float32)).partial_fit(X[80:])
    rows = np.concatenate([X[:80].astype(np.float32).astype(np.float64), X[80:]])
    np.testing.assert_array_equal(
        detector.score_samples(X), fast().fit(rows).score_samples(X)
    )


def test_pieces_of_float32_alone_are_kept_as_float32(fast, X):
    detector = in_pieces(fast(), X.astype(np.float32), 100)
    assert detector._sample.rows.dtype == np.float32


def test_later_changes_of_the_caller_do_not_reach_the_sample(fast, X):
    piece = X.copy()
    detector = fast().partial_fit(piece)
    piece[:] = 0
    np.testing.assert_array_equal(detector._sample.rows, X)


def test_pieces_of_frames_keep_their_names_and_other_names_are_refused(fast, X):
    frame = pd.DataFrame(X, columns=list("abcde"))
    detector = fast().partial_fit(frame[:100]).partial_fit(frame[100:])
    assert detector.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        detector.partial_fit(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize(
    ("piece", "message"),
    [([[1.0, np.nan, 3.0, 4.0, 5.0]], "NaN"), ([[1.0, 2.0]], "2 features")],
)
def test_refused_piece_leaves_the_detector_as_it_was(fast, X, piece, message):
    detector = fast().partial_fit(X)
    before, scores = vars(detector).copy(), detector.score_samples(X)
    with pytest.raises(ValueError, match=message):
        detector.partial_fit(piece)
    assert vars(detector) == before
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_refused_parameter_leaves_an_unfitted_detector_unfitted(fast, X):
    detector = fast(max_iter=0)
    before = vars(detector).copy()
    with pytest.raises(ValueError, match="max_iter"):
        detector.partial_fit(X)
    assert vars(detector) == before


def test_interrupted_piece_can_be_handed_in_again(fast, X, monkeypatch):
    detector = fast().partial_fit(X[:100])
    before = vars(detector).copy()
    with monkeypatch.context() as patch:

        def interrupted(*args):
            raise KeyboardInterrupt

        patch.setattr(Trainer, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            detector.partial_fit(X[100:])
    assert vars(detector) == before
    np.testing.assert_array_equal(
        detector.partial_fit(X[100:]).score_samples(X), fast().fit(X).score_samples(X)
    )


def test_loaded_detector_sees_more_pieces(fast, X, room_for_50):
    detector = in_pieces(fast(), X[:120], 40)
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(
        loaded.partial_fit(X[120:]).score_samples(X),
        detector.partial_fit(X[120:]).score_samples(X),
    )


def test_fit_forgets_the_pieces(fast, X):
    detector = fast().partial_fit(X * 3).fit(X[:100])
    assert detector.n_samples_seen_ == 100
    np.testing.assert_array_equal(
        detector.score_samples(X), fast().fit(X[:100]).score_samples(X)
    )
    assert detector._sample is None


def test_first_piece_after_fit_warns_that_the_rows_of_fit_are_gone(fast, X):
    detector = fast().fit(X * 3)
    with pytest.warns(UserWarning, match="fit keeps no rows") as caught:
        detector.partial_fit(X[:100])
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(
        detector.partial_fit(X[100:]).score_samples(X), fast().fit(X).score_samples(X)
    )


def test_warm_start_does_not_change_partial_fit(fast, X):
    warm, cold = (in_pieces(fast(warm_start=w), X, 100) for w in (True, False))
    np.testing.assert_array_equal(warm.score_samples(X), cold.score_samples(X))


def test_tol_stops_each_call_early(fast, X):
    assert fast(max_iter=200, tol=3.0).partial_fit(X).n_iter_ == 75


def test_clone_has_seen_no_piece(fast, X):
    assert not hasattr(clone(fast().partial_fit(X)), "n_samples_seen_")


def test_piece_is_refused_when_nan_was_kept_that_is_no_longer_allowed(fast, X):
    incomplete = X[:100].copy()
    incomplete[3, 1] = np.nan
    detector = fast(allow_nan=True).partial_fit(incomplete)
    with pytest.raises(ValueError, match="Earlier pieces had NaN.*allow_nan=True"):
        detector.set_params(allow_nan=False).partial_fit(X[100:])
    detector.set_params(allow_nan=True).partial_fit(X[100:])
    assert detector.n_samples_seen_ == 200


def test_pieces_of_arrays_with_categories_give_what_fit_gives(fast, X):
    coded = np.c_[np.digitize(X[:, 0], [-1, 1]), X[:, 1:]]
    whole = fast(categorical_features=[0]).fit(coded)
    detector = fast(categorical_features=[0])
    for piece in np.array_split(coded, 3):
        detector.partial_fit(piece)
    np.testing.assert_array_equal(
        detector.score_samples(coded), whole.score_samples(coded)
    )
    # Arrays have no names, and none are made up.
    assert not hasattr(detector, "feature_names_in_")


@pytest.mark.parametrize("kind", ["typed", "numbers", "array", "categories"])
def test_piece_without_rows_is_refused_whatever_holds_it(fast, X, kind):
    typed = pd.DataFrame({"a": X[:, 0], "b": np.resize(["x", "y", "z"], len(X))})
    rows = {"typed": typed, "numbers": pd.DataFrame(X)}.get(kind, X)
    chosen = {"categorical_features": [1]} if kind == "categories" else {}
    if kind == "categories":
        rows = np.column_stack([X[:, 0], np.arange(len(X)) % 3])
    for detector in (
        fast(max_iter=1, **chosen),
        fast(max_iter=1, **chosen).partial_fit(rows),
    ):
        before = dict(vars(detector))
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            detector.partial_fit(rows[:0])
        assert vars(detector) == before
