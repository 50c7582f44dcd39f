"""From networks to scores, against slow versions."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import rankdata, t

from skncae.evidence._base import Block
from skncae.evidence._distance import Distance
from skncae.evidence._interpolation import interpolated
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.evidence._rarity import SHIFT_OF_BINS, Rarity
from skncae.evidence._reference_rows import nearest_distances, nearest_rows
from skncae.evidence._row_neighbors import kth_distances
from skncae.evidence._tail_probability import TailProbability
from skncae.evidence._tails import Tails
from skncae.networks import _ensemble


def block(X):
    """Rows for kinds that ask no network."""
    return Block(SimpleNamespace(layout=None, numbers=np.asarray), X)


@pytest.fixture
def errors():
    return np.random.default_rng(0).lognormal(size=1000)


# --- surprise ------------------------------------------------------------------


def test_surprise_of_a_training_error_is_minus_log_of_the_share_that_is_larger(errors):
    surprise = TailProbability.of(errors)
    for rank in (1, 2, 10, 100, 500):
        error = np.sort(errors)[-rank]
        share = (np.count_nonzero(errors >= error) - 0.5) / len(errors)
        assert surprise(np.array([error]))[0] == pytest.approx(
            -math.log(share), abs=0.02
        )


def test_surprise_grows_with_the_error_within_and_beyond_the_training_errors(errors):
    within = np.geomspace(np.sort(errors)[20], errors.max(), 200)
    beyond = np.geomspace(errors.max() * 1.001, errors.max() * 1e6, 50)
    assert (
        np.diff(TailProbability.of(errors)(np.concatenate([within, beyond]))) > 0
    ).all()


def test_surprise_never_falls(errors):
    everywhere = np.concatenate([[0.0], np.geomspace(1e-40, 1e40, 999)])
    assert (np.diff(TailProbability.of(errors)(everywhere)) >= 0).all()


def test_surprise_beyond_the_largest_error_follows_the_pareto_tail():
    # P(error > t) = t^-2, so a tenfold error is 2 log 10 more surprising.
    errors = np.random.default_rng(0).pareto(2.0, size=20_000) + 1
    far = TailProbability.of(errors)(errors.max() * np.array([10.0, 100.0]))
    assert far[1] - far[0] == pytest.approx(2 * math.log(10), rel=0.2)


@pytest.mark.parametrize("errors", [[3.0], [0.0, 0.0], [2.0] * 50, [0.0] * 50 + [1.0]])
def test_surprise_of_one_error_or_of_ties_is_finite(errors):
    surprise = TailProbability.of(np.array(errors))
    assert np.isfinite(surprise(np.array([0.0, 1.0, 2.0, 3.0, 1e30]))).all()


def test_tied_errors_get_one_surprise_and_larger_ones_get_more():
    surprise = TailProbability.of(np.repeat([1.0, 2.0, 4.0], [70, 20, 10]))
    low, middle, high = surprise(np.array([1.0, 2.0, 4.0]))
    assert low < middle < high


def test_surprise_of_equal_rows_does_not_hang_on_the_last_bits_of_their_error(errors):
    equal = 2.0 * (1 + 1e-15 * np.arange(-40, 40))
    surprise = TailProbability.of(np.concatenate([errors, equal]))
    assert np.ptp(surprise(equal)) < 1e-5


# --- column tails --------------------------------------------------------------


def tails_of(X):
    return Tails.learn(block(X), None, None)


def test_column_tails_are_densities_of_student_t():
    X = np.random.default_rng(0).normal([3.0, -9.0], [0.1, 40.0], size=(60, 2))
    z = (X - X.mean(0)) / X.std(0)
    # Less that of the mean, over half of one more than the degrees of freedom.
    density = t(4).logpdf(0.0) - t(4).logpdf(z)
    np.testing.assert_allclose(
        tails_of(X).errors(block(X)), density.sum(1) / 2.5, rtol=1e-9
    )


@given(st.floats(1e3, 1e300), st.sampled_from([-1.0, 1.0]))
def test_one_absurd_value_leaves_column_tails_as_they_were(size, sign):
    X = np.random.default_rng(0).normal(size=(200, 2))
    with_one = X.copy()
    with_one[7, 0] = sign * size
    before, after = tails_of(X), tails_of(with_one)
    others = block(np.delete(X, 7, axis=0))
    np.testing.assert_allclose(after.errors(others), before.errors(others), atol=0.02)
    assert after.errors(block(with_one[[7]])) > after.errors(others).max()


def test_usual_range_is_what_98_percent_of_a_column_are_between():
    X = np.random.default_rng(0).exponential(size=(1000, 2)) * [1.0, -5.0]
    low, high = tails_of(X).usual_range()
    assert ((X >= low) & (X <= high)).mean(0) == pytest.approx(0.98, abs=0.002)


def test_column_tails_of_a_constant_column_are_zero():
    assert not tails_of(np.ones((9, 1))).errors(block(np.ones((4, 1)))).any()


def test_column_tails_take_rows_in_any_order_and_pass_missing_values_over():
    X = np.random.default_rng(0).exponential(size=(60, 3)) * [1.0, -1.0, 1.0]
    holes = X.copy()
    holes[::3, 0] = holes[5, :] = np.nan
    tails = tails_of(X)
    apart = np.array([tails.contributions(block(row[None]))[0] for row in X])
    np.testing.assert_array_equal(tails.contributions(block(X)), apart)
    expected = np.where(np.isnan(holes), 0.0, apart)
    np.testing.assert_array_equal(tails.contributions(block(holes)), expected)
    np.testing.assert_allclose(tails.errors(block(holes)), expected.sum(1))


# --- column rarity -------------------------------------------------------------


def test_column_rarity_of_few_values_is_the_log_share_of_values_as_rare():
    column = np.repeat([1.0, 2.0, 5.0, 6.0], [50, 30, 10, 10])[:, None]
    rarity = Rarity.of(column).errors(block(np.array([[1.0], [2.0], [5.0], [6.0]])))
    np.testing.assert_allclose(rarity, -np.log([1.0, 0.5, 0.2, 0.2]))


def test_column_rarity_of_many_values_is_that_of_bins_at_their_centres():
    X = np.random.default_rng(0).normal(size=(400, 2))
    for column, values in enumerate(X.T):
        shift = SHIFT_OF_BINS * np.ptp(values) / 20
        ends = values.min() - shift, values.max()
        counts, edges = np.histogram(values, bins=20, range=ends)
        centres = np.zeros((20, 2))
        centres[:, column] = (edges[:-1] + edges[1:]) / 2
        rarity = Rarity.of(X).contributions(block(centres))[:, column]
        for count, surprise in zip(counts, rarity, strict=True):
            as_rare = max(counts[counts <= count].sum(), 1) / 400
            assert surprise == pytest.approx(-np.log(as_rare))


def test_rows_of_many_values_do_not_tie_in_rarity():
    X = np.random.default_rng(0).normal(size=(400, 1))
    # Two bins of one height, side by side, have one surprise.
    assert len(np.unique(Rarity.of(X).errors(block(X)))) > 350


@pytest.mark.parametrize("values", [[0.0] * 99 + [9.0], np.linspace(0, 9, 100)])
@pytest.mark.parametrize("unseen", [-9.0, 10.0, 1e300, -1e300])
def test_value_beyond_all_training_values_is_as_rare_as_one_seen_once(values, unseen):
    rarity = Rarity.of(np.array(values)[:, None]).errors(block(np.array([[unseen]])))
    assert rarity == pytest.approx(math.log(100))


def test_value_in_a_gap_is_rarer_than_those_on_either_side():
    rng = np.random.default_rng(0)
    column = np.concatenate([rng.normal(-9, 1, 200), rng.normal(9, 1, 200)])
    low, gap, high = Rarity.of(column[:, None]).errors(
        block(np.array([[-9.0], [0.0], [9.0]]))
    )
    assert gap > 2 * max(low, high)


@given(
    share=st.floats(0.55, 0.95),
    place=st.sampled_from(["first", "last", "inside"]),
    kind=st.sampled_from(["normal", "exponential", "cauchy"]),
    seed=st.integers(0, 99),
)
def test_value_that_most_rows_have_is_no_rarer_than_its_share(share, place, kind, seed):
    rng = np.random.default_rng(seed)
    column = getattr(rng, f"standard_{kind}")(400)
    value = {"first": column.min(), "last": column.max(), "inside": 0.5}[place]
    column[rng.permutation(400)[: round(share * 400)]] = value
    (rarity,) = Rarity.of(column[:, None]).errors(block(np.array([[value]])))
    # A value close beside may stand for it.
    assert rarity < -math.log(share) + 0.01


def test_value_of_three_in_ten_rows_is_as_rare_as_its_bin():
    rng = np.random.default_rng(0)
    # Halfway between a bin and none, it would be among the rarest.
    column = np.concatenate([np.zeros(160), rng.normal(8.0, 1.0, 240)])
    rarity = Rarity.of(column[:, None])
    (zero,) = rarity.errors(block(np.array([[0.0]])))
    assert zero == pytest.approx(0.0, abs=1e-9)


@given(shape=st.floats(0.05, 0.1), n=st.integers(200, 2000), seed=st.integers(0, 99))
def test_both_ends_of_a_u_shaped_column_are_as_rare_as_their_bins(shape, n, seed):
    column = np.random.default_rng(seed).beta(shape, shape, n)
    rarity = Rarity.of(column[:, None])
    ends_and_middle = np.array([[column.min()], [column.max()], [0.5]])
    first, last, middle = rarity.errors(block(ends_and_middle))
    # Halfway between a bin and none, they would be rarer than what lies between.
    assert max(first, last) < middle


def test_common_values_of_one_bin_are_worth_the_same():
    rng = np.random.default_rng(0)
    column = np.concatenate([np.full(360, 0.0), np.full(360, 0.02), rng.random(280)])
    both = np.array([[0.0], [0.02]])
    rarity = Rarity.of(column[:, None]).errors(block(both))
    np.testing.assert_allclose(rarity, 0.0, atol=1e-9)


@given(n_common=st.integers(200, 400), seed=st.integers(0, 9))
def test_one_row_more_with_a_common_value_changes_its_rarity_by_little(n_common, seed):
    values = np.random.default_rng(seed).random(1000)

    def rarity_of_zero(n):
        column = np.concatenate([np.zeros(n), values[n:]])
        return Rarity.of(column[:, None]).errors(block(np.zeros((1, 1))))[0]

    assert abs(rarity_of_zero(n_common) - rarity_of_zero(n_common + 1)) < 0.1


def test_column_rarity_of_missing_values_is_zero():
    X = np.array([[1.0, np.nan], [2.0, np.nan], [2.0, np.nan]])
    rarity = Rarity.of(X)
    assert rarity.errors(block(np.array([[np.nan, 3.0]]))) == 0.0
    assert rarity.errors(block(np.array([[1.0, np.nan]]))) == pytest.approx(math.log(3))


# --- distance ------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["whitened", "standardized", "minmax"])
def test_distance_is_the_squared_one_to_the_median_of_the_scaled_rows(fast, X, scaling):
    detector = fast(evidence="distance", scaling=scaling).fit(X)
    Z = detector._scorer.ensemble.view.transform(X)
    expected = np.square(Z - np.median(Z, axis=0)).sum(1)
    np.testing.assert_allclose(-detector.training_scores_, expected)


# --- dictionary ----------------------------------------------------------------


def test_nearest_rows_are_those_of_a_search_through_all():
    rng = np.random.default_rng(0)
    x, dictionary = rng.normal(size=(7, 4)), rng.normal(size=(3, 5, 4))
    distance, nearest = nearest_rows(torch.from_numpy(x), torch.from_numpy(dictionary))
    for member in range(3):
        for i in range(7):
            all_distances = np.linalg.norm(dictionary[member] - x[i], axis=1)
            assert nearest[member, i] == all_distances.argmin()
            assert distance[member, i] == pytest.approx(all_distances.min())


def test_distance_to_the_nearest_row_keeps_its_digits_far_from_the_origin():
    x = 1e6 + torch.eye(3, dtype=torch.float64)
    dictionary = 1e6 + torch.eye(3, dtype=torch.float64).roll(1, 0)[None, :1]
    distance, _ = nearest_rows(x, dictionary)
    assert distance[0].tolist() == [math.sqrt(2), math.sqrt(2), 0.0]


def test_dictionaries_hold_training_rows_of_low_error_and_distance_only(fast, X, y):
    detector = fast(n_estimators=3, dictionary_size=1000, evidence="dictionary").fit(X)
    scorer = detector._scorer
    evidence = scorer.components[0].evidence
    x = evidence.view.transform(X)
    seen = Block(scorer.ensemble, X)
    far = Distance(np.median(seen.scaled, axis=0)).errors(seen)
    n_sure = math.ceil(0.8 * len(X))
    for member, dictionary in enumerate(evidence.references.numpy()):
        distance = cdist(dictionary, x)
        assert distance.min(1).max() < 1e-9
        rows = distance.argmin(1)
        assert len(set(rows)) == len(rows) == math.ceil(n_sure / 2)
        ranks = rankdata([seen.member_errors[member], far], axis=1).max(0)
        assert ranks[rows].max() <= np.sort(ranks)[n_sure - 1]


def test_dictionary_has_the_size_asked_for(fast, X):
    detector = fast(dictionary_size=7, evidence="dictionary").fit(X)
    references = detector._scorer.components[0].evidence.references
    assert references.shape == (2, 7, X.shape[1])


def test_distance_to_the_nearest_reference_is_that_of_a_search_through_all():
    rng = np.random.default_rng(0)
    x, references = rng.normal(size=(40, 4)), rng.normal(size=(3, 5, 4))
    # Some rows are references, or all but.
    x[0], x[1] = references[1, 2], references[2, 4] + 1e-9
    found = nearest_distances(*with_ones(x), torch.from_numpy(references))
    slow = [cdist(x, some).min(1) for some in references]
    np.testing.assert_allclose(found, slow, rtol=1e-9)


# --- neighbors -----------------------------------------------------------------


def with_ones(x):
    """Rows as columns that end with a 1, and their squared lengths."""
    return np.vstack([x.T, np.ones(len(x))]), np.square(x).sum(1)


@pytest.mark.parametrize("k", [1, 3])
def test_distance_to_the_kth_reference_is_that_of_a_search_through_all(k):
    rng = np.random.default_rng(0)
    z, references = rng.normal(size=(40, 4)), rng.normal(size=(9, 4))
    z[0], z[1], z[2:5] = references[1], references[2] + 1e-9, 1e3 + references[:3]
    references[3:6] += 1e3
    units = rng.uniform(0.1, 2.0, 9)
    found = kth_distances(*with_ones(z), references, units, k)
    slow = np.sort(cdist(z, references) / np.sqrt(units), axis=1)[:, k - 1]
    np.testing.assert_allclose(found, slow, rtol=1e-8, atol=1e-12)


# --- interpolation -------------------------------------------------------------


@pytest.mark.parametrize("n_knots", [1, 2, 3, 50, 600])
@pytest.mark.parametrize("spread", ["even", "heavy", "close", "absurd"])
def test_interpolation_is_that_of_numpy(n_knots, spread):
    rng = np.random.default_rng(0)
    knots = {
        "even": rng.normal(size=n_knots),
        "heavy": np.exp(5 * rng.normal(size=n_knots)),
        "close": rng.integers(0, 3, n_knots) + 1e-9 * rng.random(n_knots),
        "absurd": np.geomspace(1e-300, 1e300, n_knots),
    }[spread]
    knots = np.unique(knots)
    values = rng.normal(size=len(knots))
    x = [knots, np.nextafter(knots, np.inf), np.nextafter(knots, -np.inf)]
    x = np.concatenate([*x, rng.normal(size=5000), [1e300, -1e300, np.inf, -np.inf]])
    np.testing.assert_array_equal(
        interpolated(x, knots, values), np.interp(x, knots, values)
    )


# --- scorer --------------------------------------------------------------------


def residuals_by_hand(detector, X):
    """Squared residuals of every member, with plain numpy, row by row."""
    scorer, view = detector._scorer, detector._scorer.ensemble.view
    near = X
    if detector.scaling != "minmax":
        near = np.clip(X, view.center - 3 * view.scale, view.center + 3 * view.scale)
    x = view.transform(X)
    errors = np.empty((detector.n_estimators, len(X)))
    for member in range(detector.n_estimators):
        for i, row in enumerate(x):
            h = view.transform(near[i : i + 1])[0]
            for network in (
                scorer.ensemble.model.encoder,
                scorer.ensemble.model.decoder,
            ):
                for layer in network.layers:
                    weight = layer.weight[member].detach().numpy()
                    h = h @ weight + layer.bias[member, 0].detach().numpy()
                    if layer is not network.layers[-1]:
                        h = np.where(h > 0, h, 0.1 * h)
            errors[member, i] = ((row - h) ** 2).sum()
    return errors


@pytest.mark.parametrize("scaling", ["whitened", "standardized", "minmax"])
def test_reconstruction_evidence_is_the_mean_squared_residual_of_the_members(
    fast, X, scaling
):
    detector = fast(evidence="reconstruction", scaling=scaling, n_estimators=3).fit(X)
    expected = -residuals_by_hand(detector, X[:20]).mean(0)
    np.testing.assert_allclose(detector.score_samples(X[:20]), expected, rtol=1e-9)


def test_score_of_several_kinds_is_their_median_unless_local_kinds_overrule(fast, X):
    detector = fast().fit(X)
    scores = detector.score_samples(X)
    surprises = [
        TailProbability.of(alone)(alone)
        for alone in detector._scorer.component_errors(X)
    ]
    median = np.median(surprises[:-1], axis=0)
    local = 0.6 * surprises[-2] + 0.4 * surprises[-1]
    assert TABLE_EVIDENCE[-2:] == ("rarity", "neighbors")
    witness = surprises[TABLE_EVIDENCE.index("dictionary")]
    local = np.minimum(local, np.maximum(np.log(20), witness))
    assert 0 < (local > median).sum() < len(X)
    np.testing.assert_allclose(
        scores, -np.maximum(median, local) - np.mean(surprises, 0) / 1000
    )


def test_rows_on_which_no_two_kinds_agree_do_not_tie(fast):
    X = np.random.default_rng(0).normal(size=(400, 4))
    scores = fast().fit(X).training_scores_
    assert len(np.unique(scores)) == len(X)


def test_reconstruction_is_the_mean_of_the_members_in_the_units_of_x(fast, X):
    detector = fast(n_estimators=3, scaling="standardized").fit(X)
    view, model = detector._scorer.ensemble.view, detector._scorer.ensemble.model
    # Networks see no value further out than three scales.
    near = np.clip(X, view.center - 3 * view.scale, view.center + 3 * view.scale)
    x = torch.from_numpy(view.transform(near)).expand(3, *X.shape)
    with torch.no_grad():
        members = [view.inverse_transform(x_hat.numpy()) for x_hat in model(x)]
    np.testing.assert_allclose(detector.reconstruct(X), np.mean(members, 0), rtol=1e-9)


@pytest.mark.parametrize("method", ["score_samples", "reconstruct"])
@pytest.mark.parametrize("block", [1, 7, 199, 200])
def test_result_does_not_depend_on_the_size_of_the_blocks(
    fast, X, monkeypatch, method, block
):
    detector = fast().fit(X)
    expected = getattr(detector, method)(X)
    monkeypatch.setattr(_ensemble, "BLOCK", block)
    np.testing.assert_allclose(getattr(detector, method)(X), expected, rtol=1e-9)


def test_more_rows_than_a_block_are_scored_as_each_part_is(fast, X):
    detector = fast().fit(X)
    rows = np.tile(X, (_ensemble.BLOCK // len(X) + 1, 1))[: _ensemble.BLOCK + 1]
    scores = detector.score_samples(rows)
    np.testing.assert_allclose(scores[: len(X)], detector.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(
        scores[-1:], detector.score_samples(rows[-1:]), rtol=1e-9
    )
