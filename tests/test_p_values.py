"""P-values of new rows, calibrated on rows that were not trained on."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    LeavePOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from skncae import Chunks, NCAEDetector
from skncae._p_values import Calibration, Fold, selected


class Identity:
    """A scorer whose errors are the first column."""

    def errors(self, rows):
        return np.asarray(rows, float)[:, 0]


def p_values(calibration_errors, errors):
    rows = np.asarray(calibration_errors, float)[:, None]
    calibration = Calibration.split(rows, Identity())
    return calibration.p_values(np.asarray(errors, float)[:, None], Identity())


def rows_of(seed, n, n_outliers=0):
    X = np.random.default_rng(seed).normal(size=(n, 4))
    X[:n_outliers] += 8
    return X


@pytest.fixture(scope="module")
def calibrated():
    small = NCAEDetector(n_estimators=2, max_iter=10, random_state=0)
    return small.fit(rows_of(0, 300)).calibrate(rows_of(1, 199))


@pytest.fixture(scope="module")
def cross_fitted():
    small = NCAEDetector(n_estimators=2, max_iter=10, random_state=0)
    X = rows_of(0, 200)
    return small.fit(X).calibrate(X, cv=4)


# --- laws ----------------------------------------------------------------------

numbers = st.floats(1e-3, 1e6)
many = st.lists(numbers, min_size=1, max_size=30)


@given(many, many)
def test_p_value_counts_calibration_errors_at_least_as_large(known, new):
    expected = [(1 + sum(k >= x for k in known)) / (1 + len(known)) for x in new]
    apart = [[abs(k - x) > 2e-6 * x or k == x for k in known] for x in new]
    found = p_values(known, new)
    for p, e, clear in zip(found, expected, apart, strict=True):
        if all(clear):
            assert p == pytest.approx(e)


@given(many, numbers, st.floats(-1e-9, 1e-9))
def test_errors_that_are_equal_up_to_rounding_have_one_p_value(known, x, noise):
    # Where another is a millionth off, rounding says whether they are equal.
    assume(all(abs(abs(k - x) - 1e-6 * x) > 1e-7 * x for k in known))
    # Also where a calibration row has the same error.
    known = [*known, x]
    assert p_values(known, [x]) == p_values(known, [x * (1 + noise)])


@given(many, many)
def test_larger_error_has_no_larger_p_value(known, new):
    assert (np.diff(p_values(known, np.sort(new))) <= 0).all()


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_p_values_of_exchangeable_rows_are_uniform_or_larger(n, n_values, seed):
    # All n + 1 places of a new row among the calibration rows are as likely.
    errors = np.random.default_rng(seed).integers(n_values, size=n + 1) + 1.0
    found = np.array(
        [p_values(np.delete(errors, i), errors[[i]])[0] for i in range(n + 1)]
    )
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(found <= alpha) <= alpha + 1e-9


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.5))
def test_selection_is_the_rule_of_benjamini_and_hochberg(p, alpha):
    p = np.array(p)
    order = np.sort(p)
    passed = np.flatnonzero(order <= alpha * (np.arange(len(p)) + 1) / max(len(p), 1))
    n_selected = passed[-1] + 1 if len(passed) else 0
    limit = order[n_selected - 1] if n_selected else -1.0
    close = np.abs(order - alpha * (np.arange(len(p)) + 1) / max(len(p), 1)) < 1e-12
    if not close.any():
        np.testing.assert_array_equal(selected(p, alpha), p <= limit)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2, 0.3, 0.7])
def test_single_row_out_of_m_is_selected_by_m_over_alpha_calibration_rows(alpha):
    for m in range(1, 200):
        # The least p-value that there is, where rounding puts some beyond alpha.
        least = 1 / round(m / alpha)
        if np.isclose(least * m, alpha, rtol=1e-14, atol=0):
            assert selected(np.append(np.ones(m - 1), least), alpha)[-1], m


def test_nan_is_as_rare_as_can_be():
    assert p_values([1.0, 2.0, 3.0], [np.nan]) == 0.25


def test_p_value_of_a_fold_is_by_the_scorer_of_the_fold():
    class Shifted(Identity):
        def errors(self, rows):
            return super().errors(rows) + 10

    rows = np.array([[1.0], [2.0]])
    folds = (Fold.of(None, rows, Identity()), Fold.of(Shifted(), rows, None))
    calibration = Calibration(folds)
    # 1.5 is below one row of each fold, whatever the units of the fold's errors.
    assert calibration.p_values(np.array([[1.5]]), Identity()) == 3 / 5


# --- detectors -----------------------------------------------------------------


@pytest.mark.parametrize("which", ["calibrated", "cross_fitted"])
def test_p_values_of_new_rows_are_uniform(which, request):
    detector = request.getfixturevalue(which)
    found = detector.p_values(rows_of(2, 2000))
    for alpha in (0.05, 0.1, 0.2, 0.5):
        # The calibration rows deviate too: by the root of alpha (1 - alpha) / 200.
        spread = np.sqrt(alpha * (1 - alpha) * (1 / 2000 + 1 / 200))
        assert abs(np.mean(found <= alpha) - alpha) < 3 * spread + 1 / 200


@pytest.mark.parametrize("which", ["calibrated", "cross_fitted"])
def test_select_finds_the_outliers_and_few_others(which, request):
    detector = request.getfixturevalue(which)
    X = rows_of(3, 300, n_outliers=60)
    found = detector.select(X, alpha=0.1)
    assert found.dtype == bool and found[:60].all()
    assert found[60:].sum() <= binom.ppf(0.999, 240, 0.1 * 60 / 240)


@pytest.mark.parametrize("which", ["calibrated", "cross_fitted"])
def test_p_value_of_a_row_does_not_depend_on_the_rows_beside_it(which, request):
    detector = request.getfixturevalue(which)
    X = rows_of(4, 20)
    alone = [detector.p_values(row[None])[0] for row in X]
    np.testing.assert_array_equal(detector.p_values(X), alone)
    np.testing.assert_array_equal(detector.p_values(Chunks([X[:7], X[7:]])), alone)


def test_outliers_among_the_calibration_rows_make_p_values_larger(calibrated):
    dirty = pickle.loads(pickle.dumps(calibrated)).calibrate(rows_of(1, 199, 20))
    X = rows_of(3, 100, n_outliers=20)
    assert (dirty.p_values(X) >= calibrated.p_values(X)).all()
    assert dirty.select(X).sum() <= calibrated.select(X).sum()


@pytest.mark.parametrize("which", ["calibrated", "cross_fitted"])
def test_calibration_is_kept_in_pickles_and_files(which, request, tmp_path):
    detector = request.getfixturevalue(which)
    X = rows_of(5, 30)
    detector.save(tmp_path / "detector")
    loaded = NCAEDetector.load(tmp_path / "detector")
    for copied in (pickle.loads(pickle.dumps(detector)), loaded):
        np.testing.assert_array_equal(copied.p_values(X), detector.p_values(X))


ASIDE = {
    "identifier": lambda n: [f"row number {i} of them" for i in range(n)],
    "nothing": lambda n: [None] * n,
    "NaN": lambda n: np.full(n, np.nan),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("cv", [None, 2])
@pytest.mark.parametrize("column", ASIDE)
def test_calibration_of_a_frame_with_a_column_set_aside_is_kept_in_files(
    fast, column, cv, tmp_path
):
    frame = pd.DataFrame(rows_of(0, 150)[:, :2], columns=["a", "b"])
    frame["c"] = ASIDE[column](150)
    frame["d"] = ["x", "y", "z"] * 50
    detector = fast(max_iter=2).fit(frame[:100]).calibrate(frame[100:], cv=cv)
    for _ in range(2):
        detector.save(tmp_path / "detector")
        loaded = NCAEDetector.load(tmp_path / "detector")
        np.testing.assert_array_equal(loaded.p_values(frame), detector.p_values(frame))
        detector.refine(frame[:3], [-1, 1, 1]).calibrate(frame[100:], cv=cv)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cv", [None, 2])
def test_calibration_rows_are_kept_though_their_array_is_filled_anew(fast, dtype, cv):
    X, new = rows_of(0, 100), rows_of(2, 20)
    buffer = rows_of(1, 50).astype(dtype)
    detectors = [
        fast(max_iter=2).fit(X).calibrate(rows, cv=cv)
        for rows in (buffer, buffer.copy())
    ]
    buffer[:] = 9
    one, other = (
        detector.refine(X, np.repeat([-1, 1, 0], [2, 2, 96])).p_values(new)
        for detector in detectors
    )
    np.testing.assert_array_equal(one, other)


def test_calibration_changes_neither_scores_nor_threshold(fast):
    X = rows_of(0, 100)
    detector = fast().fit(X)
    before = detector.score_samples(X), detector.threshold_
    detector.calibrate(X, cv=KFold(2))
    np.testing.assert_array_equal(detector.score_samples(X), before[0])
    assert detector.threshold_ == before[1]


def test_cross_fitted_calibration_is_repeatable(fast):
    X, new = rows_of(0, 100), rows_of(1, 50)
    first, second = (fast().fit(X).calibrate(X, cv=2).p_values(new) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_images_have_p_values(fast):
    images = np.random.default_rng(0).random((60, 8, 8))
    detector = fast(max_iter=2).fit(images[:20]).calibrate(images[20:40])
    assert detector.p_values(images[40:]).shape == (20,)
    assert detector.calibrate(images[:20], cv=2).p_values(images[40:]).shape == (20,)


def test_another_fit_forgets_the_calibration(fast):
    detector = fast().fit(rows_of(0, 100)).calibrate(rows_of(1, 50))
    detector.fit(rows_of(2, 100))
    with pytest.raises(NotFittedError, match=r"Call calibrate\(X\)"):
        detector.p_values(rows_of(3, 5))


@pytest.mark.parametrize("method", ["p_values", "select"])
def test_without_calibration_there_are_no_p_values(fast, method):
    detector = fast().fit(rows_of(0, 50))
    with pytest.raises(NotFittedError, match="calibrate"):
        getattr(detector, method)(rows_of(1, 5))


def test_training_rows_are_refused_after_answers_about_other_rows(fast):
    # Of so many a sample is kept, and refined training scores are of it.
    X = rows_of(0, 2_100)
    detector = fast().fit(X).refine(rows_of(1, 3), [-1, 1, 0])
    with pytest.raises(ValueError, match="training rows.*cv=5"):
        detector.calibrate(X)


def test_training_rows_are_refused(fast):
    X = rows_of(0, 100)
    detector = fast().fit(X)
    with pytest.raises(ValueError, match="training rows.*cv=5"):
        detector.calibrate(X)
    with pytest.raises(NotFittedError):
        detector.p_values(X)


@pytest.mark.parametrize(
    ("cv", "error"), [(1, ValueError), (True, TypeError), ("many", TypeError)]
)
def test_cv_that_is_no_number_of_folds_is_refused(fast, cv, error):
    X = rows_of(0, 50)
    with pytest.raises(error, match="cv must be"):
        fast().fit(X).calibrate(X, cv=cv)


class OfMasks:
    """A splitter of somebody's own, which gives masks."""

    def split(self, rows):
        is_first = np.arange(len(rows)) < len(rows) // 2
        return [(is_first, ~is_first), (~is_first, is_first)]


class OfItself(OfMasks):
    """A splitter that fits on the rows to judge too."""

    def split(self, rows):
        return [(slice(None), fold) for _, fold in super().split(rows)]


class Beyond(OfMasks):
    """A splitter that gives rows that are not there."""

    def split(self, rows):
        return [([0, 1], [len(rows)])]


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (StratifiedKFold(3), "StratifiedKFold.*no labels and no groups"),
        (GroupKFold(3), "GroupKFold.*no labels and no groups"),
        (KFold, "cannot split these 40 rows"),
        (41, r"KFold\(n_splits=41.*cannot split these 40 rows"),
        (Beyond(), "cannot split these 40 rows"),
        (RepeatedKFold(n_splits=3, n_repeats=2), "in 2 test folds.*exactly one"),
        (LeavePOut(2), "row 0 in 2 test folds.*exactly one"),
        (ShuffleSplit(1, random_state=0), "in no test fold,.*exactly one"),
        (TimeSeriesSplit(3), "row 0 in no test fold,.*exactly one"),
        (OfItself(), "fits on rows of the fold"),
    ],
)
def test_cv_that_does_not_judge_each_row_once_is_refused(fast, cv, message):
    X = rows_of(0, 40)
    with pytest.raises(ValueError, match=f"^cv=.*{message}.*KFold"):
        fast(max_iter=1).fit(X).calibrate(X, cv=cv)


@pytest.mark.parametrize(
    "cv", [PredefinedSplit(np.arange(8) % 3), LeaveOneOut(), OfMasks()]
)
def test_cv_that_judges_each_row_once_is_taken(fast, cv):
    X = rows_of(0, 8)
    detector = fast(max_iter=1, n_estimators=1).fit(X).calibrate(X, cv=cv)
    assert detector._calibration.n_rows == 8


def test_chunks_are_refused(fast):
    X = rows_of(0, 50)
    with pytest.raises(TypeError, match="Chunks"):
        fast().fit(X).calibrate(Chunks([X]))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1])
def test_alpha_that_is_no_share_is_refused(calibrated, alpha):
    with pytest.raises(ValueError, match="alpha"):
        calibrated.select(rows_of(0, 5), alpha=alpha)


def test_too_few_calibration_rows_for_alpha_are_named(fast):
    detector = fast().fit(rows_of(0, 50)).calibrate(rows_of(1, 8))
    with pytest.warns(UserWarning, match="with 8 calibration rows") as caught:
        assert not detector.select(rows_of(2, 5), alpha=0.1).any()
    assert caught[0].filename == __file__
