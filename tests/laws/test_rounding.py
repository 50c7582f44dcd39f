"""Rounding is no evidence, and a row's score is its own."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skncae import NCAEDetector


def categories(seed, n=300):
    """Categories after a rotation: every value is rounded in another way."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return rng.integers(0, 3, (n, 4)) @ rotation


def numbers(seed, n=300):
    rng = np.random.default_rng(seed)
    X = rng.normal(3, 1, size=(n, 4))
    X[:6] += 5
    return X


def mostly_nothing(seed, n=300):
    """Many values within a billionth of each other."""
    return np.random.default_rng(seed).beta(0.02, 5, (n, 3))


def counts(seed, n=300):
    return np.random.default_rng(seed).poisson(2, (n, 4)) + 0.7


TABLES = (categories, numbers, mostly_nothing, counts)

ROUNDED = {
    "float32": lambda X, rng: X.astype(np.float32),
    "15 digits": lambda X, rng: np.vectorize(lambda x: float(f"{x:.15g}"))(X),
    "one ulp": lambda X, rng: np.nextafter(X, np.inf * rng.choice([-1, 1], X.shape)),
}


def fitted(X, **parameters):
    return NCAEDetector(random_state=0, n_estimators=2, max_iter=25, **parameters).fit(
        X
    )


def moved(scores, others):
    return np.abs(scores - others).max()


@settings(max_examples=12, deadline=None)
@given(
    table=st.sampled_from(TABLES),
    rounding=st.sampled_from(sorted(ROUNDED)),
    seed=st.integers(0, 9),
)
def test_rounded_rows_have_the_scores_of_the_rows(table, rounding, seed):
    X = table(seed)
    detector = fitted(X)
    rounded = ROUNDED[rounding](X, np.random.default_rng(seed))
    assert moved(detector.score_samples(X), detector.score_samples(rounded)) < 1e-3


# Of such a table no training row has an error in what looks for rows nearby, and any
# error at all is beyond those.
@pytest.mark.filterwarnings("ignore:contamination=0.1")
@pytest.mark.parametrize(("n", "d", "seed"), [(6, 5, 6), (5, 2, 48), (5, 40, 147)])
def test_rounded_rows_have_the_scores_of_rows_that_all_have_equals(n, d, seed):
    X = np.repeat(np.random.default_rng(seed).normal(size=(n, d)), 10, axis=0)
    scores = fitted(X).score_samples
    assert moved(scores(X), scores(X.astype(np.float32))) < 1e-3


@pytest.mark.parametrize("seed", [0, 1])
def test_fit_on_images_in_float32_gives_the_scores_of_a_fit_in_float64(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 8, 8))
    in_64, in_32 = pixels / 255, pixels.astype(np.float32) / np.float32(255)
    scores = [fitted(X).score_samples(X) for X in (in_64, in_32)]
    assert moved(*scores) < 1e-3


FEW_VALUES = {
    "two of each": np.array([[a, b] for a in (0.7, 0.3) for b in (0.1, 1 / 3)] * 20),
    "one row": np.full((60, 2), 0.7),
    "few rows": np.random.default_rng(0).normal(size=(6, 3)),
}


@pytest.mark.filterwarnings("ignore:All training rows", "ignore:contamination=0.1")
@pytest.mark.parametrize("evidence", ["neighbors", "dictionary", "distance"])
@pytest.mark.parametrize("X", FEW_VALUES.values(), ids=FEW_VALUES)
def test_rounded_rows_are_inliers_where_the_threshold_is_no_error(X, evidence):
    detector = NCAEDetector(
        evidence=evidence, n_estimators=1, max_iter=1, random_state=0
    ).fit(X)
    rng = np.random.default_rng(0)
    for rounded in ROUNDED.values():
        labels = detector.predict(rounded(X, rng))
        np.testing.assert_array_equal(labels, detector.predict(X))


@settings(max_examples=6, deadline=None)
@given(table=st.sampled_from(TABLES), seed=st.integers(0, 9))
def test_score_of_a_row_alone_is_its_score_in_a_batch(table, seed):
    X = table(seed)[:60]
    detector = fitted(X)
    alone = np.concatenate([detector.score_samples(row[None]) for row in X[::3]])
    together = detector.score_samples(X)[::3]
    np.testing.assert_allclose(alone, together, rtol=1e-9, atol=1e-9)


def test_score_of_a_frozen_image_alone_is_its_score_in_a_batch():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.random((1, 8, 8)), 60, axis=0)
    X[:10] = rng.random((10, 8, 8))
    detector = fitted(X, batch_size=16)
    # Five images of noise, and three of the fifty that are one image.
    some = [0, 2, 4, 6, 8, 10, 30, 59]
    alone = np.concatenate([detector.score_samples(X[i : i + 1]) for i in some])
    np.testing.assert_allclose(alone, detector.score_samples(X)[some], rtol=1e-9)


@pytest.mark.parametrize("factor", [1000.0, 1 / 2.54, 1e-9])
def test_another_unit_is_no_evidence(factor):
    X = numbers(0)
    detector, other = fitted(X), fitted(X * factor)
    assert moved(detector.score_samples(X), other.score_samples(X * factor)) < 1e-3


def test_another_order_of_the_columns_is_no_evidence():
    X, order = numbers(0), [2, 0, 3, 1]
    detector, other = fitted(X), fitted(X[:, order])
    assert moved(detector.score_samples(X), other.score_samples(X[:, order])) < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_another_order_of_the_columns_of_a_frame_is_no_evidence(seed):
    rng = np.random.default_rng(seed)
    city = rng.choice(list("abcde"), 150)
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, 150),
            "visits": rng.poisson(3, 150),
            "city": city,
            "country": np.where(np.isin(city, ["a", "b"]), "north", "south"),
            "is_new": rng.random(150) < 0.1,
            "day": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 365, 150), "D"),
        }
    )
    frame.loc[rng.random(150) < 0.1, "height"] = np.nan
    frame.loc[rng.random(150) < 0.1, "city"] = None
    detector = fitted(frame, allow_nan=True)
    other = fitted(frame[rng.permutation(frame.columns)], allow_nan=True)
    assert moved(detector.score_samples(frame), other.score_samples(frame)) < 1e-3


def test_fit_on_float32_scores_float64_of_a_constant_table_as_inliers():
    detector = fitted(np.full((10, 1), 0.7, np.float32))
    assert detector.predict([[0.7]])[0] == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("n", "d", "share"), [(60, 20, 0.0), (300, 20, 0.0), (300, 20, 0.1), (50, 80, 0.3)]
)
def test_fit_on_float32_gives_the_scores_of_a_fit_on_float64(n, d, share, seed):
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((n, d)) < share, np.nan, rng.normal(size=(n, d)))
    detector = fitted(X, allow_nan=True)
    other = fitted(X.astype(np.float32), allow_nan=True)
    assert moved(detector.training_scores_, other.training_scores_) < 1e-3
    np.testing.assert_array_equal(detector.predict(X), other.predict(X))


CHANGED = {
    "unit": lambda X, rng: X * 10.0 ** rng.integers(-6, 7, X.shape[1]),
    "order": lambda X, rng: X[:, rng.permutation(X.shape[1])],
    "one ulp": lambda X, rng: np.nextafter(X, np.inf),
}


def on_a_lattice(seed):
    """Amounts in cents, mostly small, nine tenths of which reach ten units from 0."""
    rng = np.random.default_rng(seed)
    small = rng.geometric(0.02, 440) / 1000
    large = rng.integers(10_001, 15_000, 49) / 1000
    middle = [0.0] * 20 + [-10.0, 10.0]
    return np.concatenate([small, -small, middle, large, -large])


@pytest.mark.parametrize("kind", ["tails", "rarity"])
@pytest.mark.parametrize("factor", [1 / 2.54, 0.3, 7e-7])
def test_values_on_a_lattice_are_grouped_alike_in_any_unit(kind, factor):
    X = np.column_stack([on_a_lattice(seed) for seed in range(3)])
    parameters = {"evidence": kind}
    scores = fitted(X, **parameters).score_samples(X)
    changed = fitted(factor * X, **parameters).score_samples(factor * X)
    assert moved(scores, changed) < 1e-3


EXCHANGEABLE = {
    "flags": lambda rng, n, d: (rng.random((n, d)) < 0.1).astype(float),
    "one-hot": lambda rng, n, d: np.eye(d)[rng.integers(0, d, n)],
    "repeated rows": lambda rng, n, d: rng.normal(size=(n, d))[
        rng.integers(0, n // 2, n)
    ],
    "counts": lambda rng, n, d: rng.poisson(1.0, (n, d)).astype(float),
    "few directions": lambda rng, n, d: (
        rng.normal(size=(n, 3)) @ rng.normal(size=(3, d))
    ),
}


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("repeated", [0, 5])
@pytest.mark.parametrize(("n", "d"), [(20, 20), (30, 25), (20, 40), (100, 90)])
def test_few_rows_are_whitened_alike_however_they_are_rounded(n, d, repeated, change):
    # The normal rows span fewer directions than there are, which then are as good as
    # any others to them.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    X[:repeated] = X[repeated : 2 * repeated]
    changed = CHANGED[change](X, rng)
    scores = fitted(X).score_samples(X)
    assert moved(scores, fitted(changed).score_samples(changed)) < 1e-3


def test_two_rare_flags_are_whitened_alike_in_any_order():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:, 2:] = 0.0
    X[:12, 2], X[9:20, 3] = 1.0, 1.0
    scores = fitted(X).score_samples(X)
    changed = X[:, [3, 0, 2, 1]]
    assert moved(scores, fitted(changed).score_samples(changed)) < 1e-3


@pytest.mark.parametrize("column", [[-2, -1, 1, 2], [0.1, 0.2, 0.4, 0.5]])
def test_both_tails_of_a_symmetric_column_are_as_far_out_in_any_unit(column):
    X = np.repeat(np.array(column, dtype=float), [5, 45, 45, 5])[:, None]
    parameters = {"evidence": "tails", "contamination": 0.1}
    scores = fitted(X, **parameters).score_samples(X)
    assert moved(scores, scores[::-1]) < 1e-3
    for factor in (1e-3, 0.7, 3.1, 1e5):
        changed = fitted(factor * X, **parameters).score_samples(factor * X)
        assert moved(scores, changed) < 1e-3


def changed_alike(change, *tables):
    """Tables of the same columns, changed in the same way."""
    return [CHANGED[change](X, np.random.default_rng(5)) for X in tables]


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(sorted(EXCHANGEABLE)),
    shape=st.sampled_from([(20, 20), (30, 25), (40, 12), (100, 30), (200, 8)]),
    missing=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    change=st.sampled_from(sorted(CHANGED)),
    seed=st.integers(0, 9),
)
@example(kind="one-hot", shape=(20, 20), missing=0.3, change="one ulp", seed=4)
def test_columns_that_could_be_exchanged_are_told_apart_by_their_rows(
    kind, shape, missing, change, seed
):
    # Equal eigenvalues have no directions of their own, and symmetric ones no sign.
    rng = np.random.default_rng(seed)
    X = EXCHANGEABLE[kind](rng, *shape)
    X[rng.random(shape) < missing] = np.nan
    (changed,) = changed_alike(change, X)
    detector, other = fitted(X, allow_nan=True), fitted(changed, allow_nan=True)
    assert moved(detector.score_samples(X), other.score_samples(changed)) < 1e-3


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("kind", EXCHANGEABLE)
def test_a_later_row_that_lies_where_none_did_scores_alike(kind, change):
    rng = np.random.default_rng(0)
    X = EXCHANGEABLE[kind](rng, 100, 12)
    later = np.column_stack([rng.choice(column, 50) for column in X.T])
    changed, changed_later = changed_alike(change, X, later)
    scores = fitted(X).score_samples(later)
    assert moved(scores, fitted(changed).score_samples(changed_later)) < 1e-3


def test_a_constant_of_nothing_but_rounding_is_a_zero():
    X = numbers(0)
    X[:, 1] = 0.0
    almost = X.copy()
    almost[:, 1] = 5e-324
    later = X[:20] + 0.1
    scores = fitted(X).score_samples(later)
    assert moved(scores, fitted(almost).score_samples(later)) < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_what_rounding_leaves_of_a_difference_is_a_zero(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 300)).round(2)
    is_something = rng.random(300) < 0.15
    X = rng.normal(size=(300, 4))
    X[:8, 0] += 7
    X[:, 3] = np.where(is_something, rng.exponential(1, 300), 0)
    almost = X.copy()
    almost[:, 3] += np.where(is_something, 0, (a + b) - a - b)
    assert 0 < np.abs(almost - X).max() < 1e-15
    scores = fitted(X).training_scores_
    assert moved(scores, fitted(almost).training_scores_) < 1e-3


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["flags", "counts", "sparse"])
def test_zero_and_the_numbers_beside_it_are_one(kind, missing):
    rng = np.random.default_rng(0)
    X = {
        "flags": (rng.random((300, 6)) < 0.1).astype(float),
        "counts": rng.poisson(0.3, (300, 4)).astype(float),
        "sparse": np.where(rng.random((300, 8)) < 0.9, 0, rng.normal(size=(300, 8))),
    }[kind]
    X[rng.random(X.shape) < missing] = np.nan
    almost = np.where(X == 0, rng.choice([-5e-324, 0, 5e-324], X.shape), X)
    scores = fitted(X, allow_nan=True).training_scores_
    assert moved(scores, fitted(almost, allow_nan=True).training_scores_) < 1e-3
