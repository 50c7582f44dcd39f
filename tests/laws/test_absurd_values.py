"""One absurd value, or a few, in any column costs nothing."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from skncae import NCAEDetector
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.evidence._reference_rows import drawn_surest
from skncae.scaling._calibration import calibrated_view
from skncae.scaling._location import least_scale, location_and_scale, reach_of

ABSURD = (1e5, 1e6, -9999.0, 1e20, 1e300)


def planted(n, d, seed, n_out=None):
    """Rows of which a few are out by eight deviations in a tenth of the columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    n_outliers = max(5, n // 20)
    X[:n_outliers, : n_out or max(1, d // 10)] += 8
    return X, np.arange(n) < n_outliers


def auroc(X, is_outlier, some, **parameters):
    detector = NCAEDetector(
        random_state=0, n_estimators=2, max_iter=25, **parameters
    ).fit(X)
    return roc_auc_score(is_outlier[some], -detector.score_samples(X)[some])


@cache
def auroc_unspoilt(shape, seed, n_out):
    """AUROC of the outliers of a table without the value: several tests ask for it."""
    X, is_outlier = planted(*shape, seed, n_out)
    return auroc(X, is_outlier, np.arange(len(X) - 1))


def lost(value, column, shape, n_out=None):
    """AUROC of the other outliers that one value costs, the mean of eight tables.

    Networks that see another row are other networks: a single table may move by more.
    """
    lost = []
    for seed in range(8):
        X, is_outlier = planted(*shape, seed, n_out)
        spoilt = X.copy()
        spoilt[-1, column] = value
        others = np.arange(len(X) - 1)
        after = auroc(spoilt, is_outlier, others)
        lost.append(auroc_unspoilt(shape, seed, n_out) - after)
    return np.mean(lost)


@settings(max_examples=4, deadline=None)
@given(
    value=st.sampled_from(ABSURD),
    column=st.integers(0, 2),
    shape=st.sampled_from([(60, 3), (300, 3), (1000, 4), (300, 40)]),
)
def test_absurd_value_does_not_hide_the_other_outliers(value, column, shape):
    assert lost(value, column, shape) < 0.01


@pytest.mark.parametrize("value", [1e6, 1e20])
def test_absurd_value_does_not_hide_outliers_in_a_single_column_of_many(value):
    assert lost(value, 1, (300, 40), n_out=1) < 0.01


@cache
def auroc_of_two_rows(kind, seed, column=None, value=None):
    """AUROC of two rows by the length in a view, of a table with a value or without."""
    X = np.random.default_rng(seed).normal(size=(60, 60))
    X[:2, 0] += 5.0
    X[:2, 1] -= 4.0
    if column is not None:
        X[-1, column] = value
    lengths = np.square(calibrated_view(kind, X, 5).transform(X)).sum(1)[:-1]
    return roc_auc_score(np.arange(59) < 2, lengths)


@settings(max_examples=20, deadline=None)
@given(
    value=st.sampled_from(ABSURD),
    kind=st.sampled_from(["standardized", "whitened"]),
    column=st.integers(0, 59),
)
def test_absurd_value_does_not_make_outliers_in_its_column_normal(value, kind, column):
    lost = [
        auroc_of_two_rows(kind, seed) - auroc_of_two_rows(kind, seed, column, value)
        for seed in range(10)
    ]
    assert np.mean(lost) < 0.01


@pytest.mark.parametrize("kind", TABLE_EVIDENCE)
@pytest.mark.parametrize("value", [-9999.0, 1e20])
def test_no_component_is_blinded_by_five_absurd_values(kind, value):
    X, is_outlier = planted(400, 3, 0)
    spoilt = X.copy()
    spoilt[-5:, 0] = value
    others = np.arange(len(X) - 5)
    before = auroc(X, is_outlier, others, evidence=kind)
    assert auroc(spoilt, is_outlier, others, evidence=kind) > before - 0.01


def test_rows_with_one_absurd_value_of_many_are_the_most_outlying():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 60))
    X[np.arange(20), rng.integers(0, 60, 20)] = 1e6
    assert auroc(X, np.arange(500) < 20, np.arange(500)) > 0.98


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("kind", ["standardized", "whitened"])
def test_rows_with_absurd_values_do_not_count_as_normal(kind, has_missing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    X[:16] += 1.0
    far_out = X.copy()
    X[:16, 4], far_out[:16] = 1e6, 50.0
    if has_missing:
        X[100, 0] = far_out[100, 0] = np.nan
    view, expected = (calibrated_view(kind, rows, 5) for rows in (X, far_out))
    np.testing.assert_allclose(view.center, expected.center, rtol=1e-6)
    np.testing.assert_allclose(view.scale, expected.scale, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    value=st.sampled_from(ABSURD), kind=st.sampled_from(["standardized", "whitened"])
)
def test_scale_is_that_of_the_other_rows(value, kind):
    X = np.random.default_rng(0).normal(size=(200, 3))
    spoilt = np.vstack([X, X[:1]])
    spoilt[-1, 1] = value
    scale = calibrated_view(kind, spoilt, 5).scale
    np.testing.assert_allclose(scale, calibrated_view(kind, X, 5).scale, rtol=0.1)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), one=st.integers(0, 99))
def test_one_row_more_or_less_that_is_sure_changes_one_reference(seed, one):
    errors = np.random.default_rng(seed).random(100)
    changed = errors.copy()
    changed[one] = 1.0 - changed[one]

    def drawn(errors):
        return set(drawn_surest(errors, 80, 32, np.random.RandomState(seed)).tolist())

    references = drawn(errors)
    assert references <= set(np.argsort(errors)[:80]) and len(references) == 32
    assert len(references - drawn(changed)) <= 1


@settings(max_examples=50, deadline=None)
@given(
    n_flagged=st.integers(1, 49),
    n_missing=st.sampled_from([0, 10]),
    normal=st.sampled_from([60, 80]),
    unit=st.sampled_from([1.0, 1e-6, 1e9]),
    seed=st.integers(0, 10**6),
)
def test_flag_is_as_far_out_however_many_normal_rows_have_it(
    n_flagged, n_missing, normal, unit, seed
):
    rng = np.random.default_rng(seed)
    values = np.r_[np.full(n_flagged, unit), np.zeros(100 - n_flagged)]
    values = np.r_[values, np.full(n_missing, np.nan)]
    X = rng.permutation(values)[:, None]
    median, _ = reach_of(X)
    least = least_scale(X, median)
    share = n_flagged / 100
    np.testing.assert_allclose(least, unit * np.sqrt(share * (1 - share)))
    # Those of the flagged rows that look normal, from none to all.
    order = np.argsort(np.nan_to_num(X[:, 0]), kind="stable")
    _, scale = location_and_scale(X, X[order[:normal]], least)
    assert least <= scale <= max(unit / 2, least[0]) * 1.001


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["standardized", "whitened"]),
    value=st.sampled_from(ABSURD),
    seed=st.integers(0, 10**6),
)
def test_absurd_value_does_not_change_how_far_out_flags_are(kind, value, seed):
    rng = np.random.default_rng(seed)
    X = np.hstack([rng.normal(size=(60, 20)), rng.random((60, 20)) < 0.1])
    spoilt = X.copy()
    spoilt[-1, 0] = value
    before, after = (calibrated_view(kind, some, 5).scale for some in (X, spoilt))
    np.testing.assert_allclose(after[20:], before[20:], rtol=0.25)
