"""Where NCAEDetector cuts: a share, an estimate, a thresholder, another cut."""

import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pythresh.thresholds.filter import FILTER
from pythresh.thresholds.iqr import IQR
from pythresh.thresholds.karch import KARCH
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from skncae import NCAEDetector
from skncae._share import (
    TYPICAL_SHARE,
    Estimate,
    bootstrap_interval,
    cells,
    estimate,
    out_of_line,
)
from skncae._threshold import (
    decisions,
    exceeds,
    is_outlier,
    labels_threshold,
    quantile_threshold,
    threshold_at,
)
from skncae.evidence._tail_probability import TailProbability
from tests.conftest import N_OUTLIERS

NO_GAP = "sees no gap"


class Cut:
    """Flag the errors above a value, and remember having been asked."""

    def __init__(self, value=1.0):
        self.value = value

    def eval(self, errors):
        self.seen = len(errors)
        return (errors > self.value).astype(int)


class Answer:
    """Answer with the labels given, whatever the errors."""

    def __init__(self, labels):
        self.labels = labels

    def eval(self, errors):
        return self.labels


class Draw:
    """Flag rows at random, from the global generators, and spoil the errors."""

    def eval(self, errors):
        errors[:] = 0.0
        return np.random.random(len(errors)) < 0.5 * torch.rand(1).item()


class Refuse:
    """Fail."""

    def eval(self, errors):
        raise ZeroDivisionError("no spread")


@pytest.fixture(scope="session")
def X(X):  # noqa: N802
    """Return the rows with outliers that most of the evidence sees a gap before."""
    rows = X.copy()
    rows[:N_OUTLIERS] *= 40
    rows.setflags(write=False)
    return rows


def state_of(detector):
    names = ("threshold_", "offset_", "contamination_", "contamination_interval_")
    return {name: getattr(detector, name, None) for name in names}


def flagged(detector):
    return exceeds(-detector.training_scores_, detector.threshold_)


def tails_of(*errors):
    return [TailProbability.of(np.asarray(kind, dtype=float)) for kind in errors]


def estimated(*errors):
    return estimate(tails_of(*errors), len(errors[0]))


def lognormal_errors(n_outliers, n=2000, seed=0, far=6.0):
    log_errors = np.random.default_rng(seed).normal(size=n)
    log_errors[:n_outliers] += far
    return np.exp(log_errors)


# --- contamination_ ------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.05, 0.25])
def test_contamination_is_the_share_of_training_rows_flagged(fast, X, contamination):
    detector = fast(contamination=contamination).fit(X)
    assert detector.contamination_ == contamination
    assert detector.contamination_interval_ is None


def test_fit_that_flags_none_for_ties_says_so(fast):
    # A tenth is asked for, and three tenths are the same outlier.
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[:30] = 50.0
    with pytest.warns(UserWarning, match="contamination=0.1 asks for more") as caught:
        detector = fast(evidence="distance").fit(X)
    assert caught[0].filename == __file__
    assert detector.contamination_ == 0.0
    assert (detector.predict(X) == 1).all()


def test_contamination_of_rows_that_are_all_alike_is_zero(fast):
    assert fast().fit(np.ones((30, 2))).contamination_ == 0.0


@pytest.mark.parametrize("contamination", ["auto", Cut(), FILTER()])
def test_scores_are_the_same_bits_whatever_the_contamination(fast, X, contamination):
    detector = fast(contamination=contamination).fit(X)
    np.testing.assert_array_equal(
        detector.score_samples(X), fast().fit(X).score_samples(X)
    )


def test_contamination_does_not_change_how_far_a_random_state_moves(fast, X):
    draws = []
    for contamination in (0.1, "auto"):
        random_state = np.random.RandomState(0)
        fast(contamination=contamination, random_state=random_state).fit(X)
        draws.append(random_state.randint(1000))
    assert draws[0] == draws[1]


# --- "auto" --------------------------------------------------------------------


def test_auto_flags_the_planted_outliers(X, y):
    detector = NCAEDetector("auto", n_estimators=4, max_iter=100, random_state=0)
    labels = detector.fit_predict(X)
    assert 0.5 * y.mean() < detector.contamination_ < 1.5 * y.mean()
    assert detector.contamination_ == pytest.approx(np.mean(labels == -1), abs=1 / 200)


def test_auto_flags_the_planted_outliers_by_one_kind_of_evidence(X, y):
    detector = NCAEDetector(
        "auto",
        n_estimators=4,
        max_iter=100,
        evidence="distance",
        random_state=0,
    ).fit(X)
    assert 0.5 * y.mean() < detector.contamination_ < 1.5 * y.mean()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_estimate_is_the_share_of_errors_far_above_lognormal_ones(share):
    found = estimated(lognormal_errors(round(2000 * share)))
    assert found.sees == "gap"
    assert found.share == pytest.approx(share, rel=0.15)


def test_estimate_does_not_depend_on_the_units_of_the_errors():
    errors = lognormal_errors(100)
    assert estimated(errors) == estimated(1e6 * errors**2)


def test_estimate_of_the_errors_of_normally_distributed_rows_is_none():
    rows = np.random.default_rng(0).normal(size=(2000, 5))
    assert estimated(np.square(rows).sum(1)) == Estimate(0.0, "crowd")


def test_estimate_of_a_heavy_tail_without_a_gap_is_the_typical_share():
    errors = np.random.default_rng(0).pareto(0.5, size=2000)
    assert estimated(errors) == Estimate(TYPICAL_SHARE, "neither")


@pytest.mark.parametrize(
    ("errors", "share"),
    [
        (np.ones(50), 0.0),
        (np.zeros(3), 0.0),
        ([1.0], 0.0),
        (np.r_[np.ones(45), np.geomspace(2, 3, 5)], 0.1),
        (np.r_[np.zeros(95), np.full(5, 7.0)], 0.05),
        (np.r_[np.zeros(18), 8, 9], 0.1),
    ],
    ids=["constant", "zero", "one row", "a few above", "two values", "20 rows"],
)
def test_estimate_where_most_errors_are_equal_is_what_is_above_them(errors, share):
    assert estimated(errors).share == pytest.approx(share)


def test_estimate_where_most_errors_are_equal_is_of_those_that_stand_out():
    # 60 % idle rows, 35 % ordinary ones and 5 % outliers.
    rng = np.random.default_rng(0)
    errors = np.r_[np.zeros(600), rng.lognormal(size=350), rng.lognormal(9, size=50)]
    assert estimated(errors).share == pytest.approx(0.05, abs=0.01)


def test_two_large_kinds_of_rows_are_no_outliers():
    errors = np.r_[np.zeros(600), np.random.default_rng(0).lognormal(size=400)]
    assert estimated(errors).sees != "gap"


def test_estimate_is_what_more_than_half_of_the_evidence_sees():
    none, few, many = (lognormal_errors(n) for n in (0, 100, 400))
    shares = [estimated(errors).share for errors in (few, many)]
    assert shares[0] < shares[1]
    assert estimated(none, few, many).share == shares[0]
    assert estimated(none, few, few, many).share == shares[0]
    assert estimated(none, none, few, many).sees != "gap"


def test_rows_out_of_line_are_found_where_they_hide_one_another():
    # They stretch the first scale so far that only some of them are out of line.
    (tail,) = tails_of(lognormal_errors(600, far=5.0))
    assert out_of_line(*cells(tail)) == pytest.approx(0.3, abs=0.02)


def test_interval_is_as_wide_as_90_percent_of_estimates_from_fresh_rows():
    estimates = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        errors = lognormal_errors(rng.binomial(1000, 0.1), n=1000, seed=seed)
        estimates.append(estimated(errors).share)
    low, high = bootstrap_interval(tails_of(errors), 1000, seed=0)
    width = np.subtract(*np.quantile(estimates, (0.95, 0.05)))
    assert low <= estimates[-1] <= high
    assert 0.6 * width < high - low < 1.6 * width


def test_interval_holds_the_estimate_and_is_repeatable(fast, X):
    first, second = (fast(contamination="auto").fit(X) for _ in range(2))
    low, high = first.contamination_interval_
    assert 0.0 <= low <= first.contamination_ <= high <= 0.5 and low < high
    assert state_of(first) == state_of(second)


def test_set_threshold_auto_after_the_fit_is_auto_in_the_fit(fast, X):
    moved = fast().fit(X).set_threshold(contamination="auto")
    assert state_of(moved) == state_of(fast(contamination="auto").fit(X))


def test_auto_of_clean_gaussian_rows_warns_and_flags_none(fast):
    X = np.random.default_rng(0).normal(size=(400, 4))
    # More than "may be" is not known of a few rows, however far out one of them is.
    said = f"{NO_GAP}.*of all 400 may be those of one crowd.*set_threshold"
    with pytest.warns(UserWarning, match=said) as caught:
        detector = fast(contamination="auto").fit(X)
    # The warning points at the caller, in fit and in set_threshold.
    assert caught[0].filename == __file__
    assert detector.contamination_ == 0.0 == flagged(detector).sum()
    assert np.isnan(detector.contamination_interval_).all()
    with pytest.warns(UserWarning, match=NO_GAP) as caught:
        detector.set_threshold(contamination="auto")
    assert caught[0].filename == __file__


def test_auto_of_rows_without_a_gap_warns_and_flags_the_typical_share(fast):
    X = np.random.default_rng(0).standard_t(1.5, size=(400, 4))
    with pytest.warns(UserWarning, match=f"{NO_GAP}.*no.* estimate"):
        detector = fast(contamination="auto").fit(X)
    assert detector.contamination_ == TYPICAL_SHARE == flagged(detector).mean()
    assert np.isnan(detector.contamination_interval_).all()


def test_auto_of_identical_rows_warns_and_flags_none(fast):
    with pytest.warns(UserWarning, match=NO_GAP):
        labels = fast(contamination="auto").fit_predict(np.ones((50, 3)))
    assert (labels == 1).all()


@pytest.mark.filterwarnings(f"ignore:.*{NO_GAP}:UserWarning")
@parametrize_with_checks(
    [NCAEDetector("auto", n_estimators=2, max_iter=5)],
    expected_failed_checks=lambda detector: {
        name: "the rows are one crowd, of which none is flagged"
        for name in ("check_outliers_train", "check_outliers_fit_predict")
    },
)
def test_detector_with_auto_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


# --- thresholders --------------------------------------------------------------


@pytest.mark.parametrize("thresholder", [IQR(), FILTER(), KARCH()])
def test_exactly_the_rows_that_pythresh_flags_are_flagged(fast, X, thresholder):
    detector = fast(contamination=thresholder).fit(X)
    labels = clone(thresholder).eval(-detector.training_scores_)
    assert 0 < labels.sum() < len(X)
    np.testing.assert_array_equal(detector.predict(X) == -1, labels == 1)
    assert detector.contamination_ == labels.mean()


def test_threshold_lies_between_the_flagged_errors_and_the_others():
    errors = np.array([4.0, 1.0, 3.0, 2.0])
    assert labels_threshold(Cut(2.5), errors, seed=0) == 2.5
    assert labels_threshold(Cut(3.5), errors, seed=0) == 3.5


def test_labels_that_divide_rounding_are_no_cut():
    low = 1.0 + np.finfo(float).eps
    errors = np.array([0.5, low, np.nextafter(low, 2.0), 4.0])
    beta = labels_threshold(Cut(low), errors, seed=0)
    assert exceeds(errors, beta).tolist() == [False, False, False, True]


@pytest.mark.parametrize(("value", "share"), [(np.inf, 0.0), (-np.inf, 1.0)])
def test_thresholder_may_flag_none_or_all(fast, X, value, share):
    detector = fast(contamination=Cut(value)).fit(X)
    assert detector.contamination_ == share == np.mean(detector.predict(X) == -1)
    assert np.isfinite(detector.threshold_)


def test_labels_that_are_no_cut_count_by_the_share_they_flag(fast, X):
    labels = np.zeros(len(X), dtype=int)
    labels[::10] = 1
    detector = fast(contamination=Answer(labels)).fit(X)
    assert detector.threshold_ == fast(contamination=0.1).fit(X).threshold_
    assert detector.contamination_ == 0.1


def test_labels_that_divide_equal_errors_are_no_cut():
    errors = np.array([1.0, 2.0, 2.0, 3.0])
    beta = labels_threshold(Answer([0, 0, 1, 1]), errors, seed=0)
    assert beta == quantile_threshold(errors, 0.5)


def test_fit_leaves_the_thresholder_as_it_was(fast, X):
    thresholder = Cut()
    detector = fast(contamination=thresholder).fit(X)
    assert vars(thresholder) == {"value": 1.0}
    assert detector.contamination is thresholder


def test_thresholder_cannot_reach_scores_nor_global_generators(fast, X):
    np.random.seed(7)
    torch.manual_seed(7)
    expected = np.random.random(), torch.rand(1).item()
    np.random.seed(7)
    torch.manual_seed(7)
    detector = fast(contamination=Draw()).fit(X)
    assert (np.random.random(), torch.rand(1).item()) == expected
    np.testing.assert_array_equal(detector.training_scores_, detector.score_samples(X))


def test_thresholder_that_draws_at_random_is_repeatable(fast, X):
    first, second = (fast(contamination=Draw()).fit(X) for _ in range(2))
    assert state_of(first) == state_of(second)
    assert state_of(first.set_threshold(contamination=Draw())) == state_of(second)


@pytest.mark.parametrize(
    ("thresholder", "error", "message"),
    [
        (Refuse(), RuntimeError, "Refuse.*ZeroDivisionError: no spread.*or a number"),
        (Answer([0, 1]), ValueError, r"Answer.*200 training errors.*shape \(2,\)"),
        (Answer(np.full(200, -1)), ValueError, "Answer.*0 or 1.*-1"),
    ],
)
def test_thresholder_that_fails_leaves_the_detector_as_it_was(
    fast, X, thresholder, error, message
):
    detector = fast().fit(X)
    before = vars(detector).copy()
    with pytest.raises(error, match=f"(?s)contamination=.*{message}"):
        detector.set_threshold(contamination=thresholder)
    assert vars(detector) == before
    with pytest.raises(error, match=message):
        detector.set_params(contamination=thresholder).fit(X)
    assert vars(detector) == before | {"contamination": thresholder}


def test_class_of_a_thresholder_is_refused_with_its_instance(fast, X):
    with pytest.raises(TypeError, match=re.escape("Give an instance: KARCH().")):
        fast(contamination=KARCH).fit(X)


@pytest.mark.parametrize("thresholder", [KARCH(method="simple"), Cut(2.0)])
def test_detector_with_a_thresholder_can_be_cloned_and_pickled(fast, X, thresholder):
    detector = fast(contamination=thresholder).fit(X)
    copies = pickle.loads(pickle.dumps(detector)), clone(detector).fit(X)
    for copied in copies:
        assert type(copied.contamination) is type(thresholder)
        assert state_of(copied) == state_of(detector)


def test_text_representation_names_the_thresholder():
    detector = NCAEDetector(KARCH(ndim=3))
    assert repr(detector) == "NCAEDetector(contamination=KARCH(ndim=3))"
    assert detector.get_params()["contamination__ndim"] == 3


@pytest.mark.filterwarnings(f"ignore:.*{NO_GAP}:UserWarning")
def test_search_over_thresholders(fast, X, y):
    def agreement(detector, X, y):
        return np.mean((detector.predict(X) == -1) == y)

    grid = {"contamination": [0.5, Cut(np.inf), KARCH(), "auto"]}
    search = GridSearchCV(fast(), grid, scoring=agreement, cv=2)
    search.fit(X[::-1], y[::-1])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["contamination"] != 0.5


# --- set_threshold -------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.03, "auto", Cut(1.5), IQR()])
def test_set_threshold_is_as_fitted_with_that_contamination(fast, X, contamination):
    moved = fast().fit(X).set_threshold(contamination=contamination)
    fitted = fast(contamination=contamination).fit(X)
    assert state_of(moved) == state_of(fitted)
    for method in ("decision_function", "predict", "score_samples"):
        np.testing.assert_array_equal(
            getattr(moved, method)(X), getattr(fitted, method)(X)
        )


@pytest.mark.parametrize(("quantile", "n"), [(0.0, 199), (0.95, 10), (1.0, 0)])
def test_set_threshold_at_a_quantile_flags_the_rows_above_it(fast, X, quantile, n):
    detector = fast().fit(X).set_threshold(quantile=quantile)
    assert flagged(detector).sum() == n
    assert detector.contamination_ == n / 200


@pytest.mark.parametrize("value", [2.25, 0, np.float32(-1.0)])
def test_set_threshold_at_a_value_is_that_error(fast, X, value):
    detector = fast().fit(X)
    assert detector.set_threshold(value=value) is detector
    assert detector.threshold_ == value == -detector.offset_
    expected = -detector.score_samples(X) > value
    np.testing.assert_array_equal(detector.predict(X) == -1, expected)
    assert detector.contamination_ == expected.mean()


def test_set_threshold_forgets_the_interval_of_auto(fast, X):
    detector = fast(contamination="auto").fit(X).set_threshold(quantile=0.9)
    assert detector.contamination_interval_ is None


def test_refit_uses_the_contamination_of_the_constructor_again(fast, X):
    detector = fast(contamination=0.2).fit(X)
    before = state_of(detector)
    detector.set_threshold(value=1e9)
    assert detector.contamination == 0.2
    assert state_of(detector.fit(X)) == before


@pytest.mark.parametrize(
    ("cut", "error", "message"),
    [
        ({}, ValueError, "exactly one of contamination.*got none of them"),
        ({"quantile": 0.9, "value": 1.0}, ValueError, "one of.*got quantile, value"),
        ({"contamination": 0.6}, ValueError, "contamination must be .*; got 0.6"),
        ({"contamination": "often"}, ValueError, "\"auto\".*got 'often'"),
        ({"contamination": [0.1]}, TypeError, r'"auto".*got \[0.1\]'),
        ({"contamination": True}, TypeError, "got True"),
        ({"quantile": 1.1}, ValueError, "quantile == 1.1"),
        ({"quantile": float("nan")}, ValueError, "quantile must be finite"),
        ({"quantile": "high"}, TypeError, "quantile must be an instance of"),
        ({"value": float("inf")}, ValueError, "value must be finite"),
        ({"value": True}, TypeError, "value must be a number, got True"),
    ],
)
def test_set_threshold_refuses_such_a_cut_and_changes_nothing(
    fast, X, cut, error, message
):
    detector = fast().fit(X)
    before = vars(detector).copy()
    with pytest.raises(error, match=message):
        detector.set_threshold(**cut)
    assert vars(detector) == before


def test_set_threshold_before_fit_is_refused():
    with pytest.raises(NotFittedError):
        NCAEDetector().set_threshold(quantile=0.9)


# --- ties ----------------------------------------------------------------------

values = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8, unique=True)


@st.composite
def tied_errors(draw):
    """Errors of few values, rounded in several ways, and which value each is."""
    levels = np.sort(draw(values))
    # Levels that are further apart than what counts as equal.
    levels = levels[np.diff(levels, prepend=0.0) > 1e-4 * levels]
    which = np.array(
        draw(st.lists(st.integers(0, len(levels) - 1), min_size=1, max_size=60))
    )
    noise = np.random.default_rng(draw(st.integers(0, 99))).uniform(-1, 1, len(which))
    return levels[which] * (1 + 1e-9 * noise), which


@given(tied_errors(), st.floats(0.0, 1.0))
def test_equal_errors_have_one_label_at_any_share(tied, quantile):
    errors, which = tied
    beta = quantile_threshold(errors, quantile)
    flagged = exceeds(errors, beta)
    for level in np.unique(which):
        assert len(set(flagged[which == level])) == 1
    # No error is so near to beta that another rounding of it has another label.
    for sign in (-1, 1):
        np.testing.assert_array_equal(
            exceeds(errors * (1 + sign * 1e-8), beta), flagged
        )
    assert threshold_at(errors, beta).share == flagged.mean()


@given(tied_errors(), st.floats(0.0, 1.0))
def test_error_at_the_quantile_is_kept_with_all_that_are_equal(tied, quantile):
    errors, which = tied
    at = np.sort(errors)[int(np.floor(quantile * (len(errors) - 1)))]
    flagged = exceeds(errors, quantile_threshold(errors, quantile))
    assert not flagged[np.abs(errors - at) <= 1e-8 * at].any()


@given(tied_errors(), st.integers(0, 59))
def test_row_whose_error_is_the_threshold_is_kept_with_its_equals(tied, row):
    errors, which = tied
    row %= len(errors)
    flagged = exceeds(errors, threshold_at(errors, errors[row]).beta)
    assert not flagged[which == which[row]].any()


@given(tied_errors(), st.lists(st.booleans(), min_size=60, max_size=60))
def test_share_of_a_thresholder_is_the_share_flagged(tied, labels):
    errors, which = tied
    beta = labels_threshold(Answer(labels[: len(errors)]), errors, seed=0)
    flagged = exceeds(errors, beta)
    assert threshold_at(errors, beta).share == flagged.mean()
    for level in np.unique(which):
        assert len(set(flagged[which == level])) == 1


def test_nan_is_never_an_inlier():
    assert exceeds(np.array([np.nan, 1.0]), 2.0).tolist() == [True, False]


@pytest.mark.parametrize("beta", [0.0, 1e-300, 1.0, -2.0, 1e12])
def test_sign_of_the_decision_is_the_label(beta):
    errors = beta + np.array([-1.0, -1e-9 * abs(beta), 0.0, 1e-9 * abs(beta), 1.0])
    errors = np.r_[errors, 2 * beta + 1e13, np.nan]
    said = decisions(-errors, -beta)
    np.testing.assert_array_equal(is_outlier(said), exceeds(errors, beta))
    np.testing.assert_array_equal(is_outlier(said)[:-1], said[:-1] < 0)
    assert not exceeds(errors[1:4], beta).any()


def test_equal_rows_have_one_label_alone_and_in_any_batch(fast):
    # 95 % of the rows are idle, and equal; the threshold is their error.
    X = np.r_[np.zeros((190, 4)), np.random.default_rng(0).normal(size=(10, 4))]
    with pytest.warns(UserWarning, match="asks for more rows"):
        detector = fast(contamination=0.2).fit(X)
    assert detector.contamination_ == np.mean(detector.predict(X) == -1) == 0.05
    for n in (1, 2, 3, 7, 10, 100):
        assert (detector.predict(np.zeros((n, 4))) == 1).all()
    alone = [detector.predict(row[None])[0] for row in X[-15:]]
    np.testing.assert_array_equal(detector.predict(X)[-15:], alone)


@pytest.mark.parametrize("seed", range(3))
def test_row_that_sets_the_threshold_is_an_inlier_by_its_own_score(fast, seed):
    X = np.random.default_rng(seed).normal(size=(21, 3))
    detector = fast(random_state=seed).fit(X)
    for row, score in zip(X, detector.score_samples(X), strict=True):
        detector.set_threshold(value=-score)
        assert detector.predict(row[None]) == 1
        assert (detector.predict(np.tile(row, (9, 1))) == 1).all()


IDLE = {
    "95% zeros": lambda rng: np.r_[rng.normal(8, 1, size=(50, 3)), np.zeros((950, 3))],
    "60% zeros": lambda rng: np.r_[
        rng.normal(20, 1, (50, 3)), rng.normal(size=(350, 3)), np.zeros((600, 3))
    ],
    "counts": lambda rng: np.r_[
        rng.poisson(30, (50, 3)), rng.poisson(0.3, (950, 3))
    ].astype(float),
}


@pytest.mark.parametrize("name", IDLE)
def test_auto_sees_the_gap_beside_equal_rows(name):
    X = IDLE[name](np.random.default_rng(0))
    detector = NCAEDetector("auto", random_state=0).fit(X)
    labels = detector.predict(X)
    assert detector.contamination_ == np.mean(labels == -1)
    assert (labels[:50] == -1).all() and np.mean(labels == -1) < 0.1


def test_auto_sees_two_of_twenty_rows():
    X = np.r_[np.zeros(18), 8, 9][:, None]
    detector = NCAEDetector("auto", random_state=0).fit(X)
    assert np.flatnonzero(detector.predict(X) == -1).tolist() == [18, 19]
    assert detector.contamination_ == 0.1
