"""Which columns speak against a row: agreement with the score, and blame."""

import sys
from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skncae import Explanation, NCAEDetector
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.evidence._tail_probability import TailProbability
from skncae.networks import _ensemble
from skncae.scaling._calibration import calibrated_view

SUBSETS = list(chain(*(combinations(TABLE_EVIDENCE, k) for k in (1, 2, 3))))


@pytest.fixture
def frame(X):
    columns = ["a", "b", "c", "d", "e"]
    return pd.DataFrame(X, columns=columns, index=np.arange(len(X)) + 1000)


@pytest.mark.parametrize("first, step", [(0, 1), (-50, 1), (0.1, 0.1), (1e6, 0.01)])
def test_end_of_the_usual_values_is_no_value_out_of_range(fast, first, step):
    rows = pd.DataFrame({"v": first + step * np.arange(100)})
    explanation = fast().fit(rows).explain(rows)
    whys = [explanation.sentence(row) for row in range(100)]
    assert not any("below" in why for why in whys[:2])
    (column,) = explanation.columns
    assert column.low in rows.v.round(6).tolist()


# --- agreement with the score --------------------------------------------------


@pytest.mark.parametrize("evidence", SUBSETS, ids="+".join)
def test_contributions_sum_to_the_error_and_are_not_negative(fast, X, evidence):
    detector = fast(evidence=evidence, n_estimators=3).fit(X)
    rows = np.concatenate([X, 50 * X[:20], np.zeros((1, 5))])
    contributions = detector.explain(rows).contributions
    assert contributions.shape == rows.shape and contributions.dtype == np.float64
    assert (contributions >= 0).all()
    np.testing.assert_allclose(
        contributions.sum(1), -detector.score_samples(rows), rtol=1e-9
    )


@pytest.mark.parametrize("scaling", ["whitened", "standardized", "minmax"])
@pytest.mark.parametrize("rows", [1e30, 1e100])
def test_contributions_of_rows_far_out_sum_to_the_error(fast, X, scaling, rows):
    detector = fast(scaling=scaling, evidence="reconstruction").fit(X)
    rows = rows * np.eye(5)
    np.testing.assert_allclose(
        detector.explain(rows).contributions.sum(1),
        -detector.score_samples(rows),
        rtol=1e-9,
    )


@pytest.mark.parametrize("evidence", SUBSETS, ids="+".join)
def test_contributions_to_an_error_of_rows_all_alike_are_finite(fast, evidence):
    X = np.ones((40, 3))
    detector = fast(evidence=evidence).fit(X)
    contributions = detector.explain(X).contributions
    np.testing.assert_allclose(
        contributions.sum(1), -detector.score_samples(X), rtol=1e-9, atol=1e-300
    )


def test_contributions_of_duplicates_sum_to_their_error(fast):
    # Errors that differ in the last digit only may differ much in surprise.
    X = np.random.default_rng(0).integers(0, 2, size=(700, 4)).astype(float)
    detector = fast().fit(X)
    np.testing.assert_allclose(
        detector.explain(X).contributions.sum(1), -detector.score_samples(X), rtol=1e-9
    )


@pytest.mark.parametrize("method", ["explain", "encode"])
@pytest.mark.parametrize("block", [1, 7, 199])
def test_explanation_does_not_depend_on_the_size_of_the_blocks(
    fast, X, monkeypatch, method, block
):
    detector = fast().fit(X)

    def result():
        found = getattr(detector, method)(X)
        return found.contributions if method == "explain" else found

    expected = result()
    monkeypatch.setattr(_ensemble, "BLOCK", block)
    np.testing.assert_allclose(result(), expected, rtol=1e-8, atol=1e-12)


# --- what each witness says, slowly --------------------------------------------


def test_contributions_to_the_tails_are_those_of_each_column_alone(fast, X):
    detector = fast(evidence="tails").fit(X)
    for column in range(5):
        alone = fast(evidence="tails").fit(X[:, [column]])
        np.testing.assert_allclose(
            detector.explain(X).contributions[:, column],
            -alone.score_samples(X[:, [column]]),
            rtol=1e-12,
        )


def test_contributions_to_the_dictionary_are_squares_over_the_distance(fast, X):
    detector = fast(evidence="dictionary", n_estimators=3).fit(X)
    evidence = detector._scorer.components[0].evidence
    rows = evidence.view.transform(X[:20])
    expected = np.zeros(rows.shape)
    for dictionary in evidence.references.numpy():
        for i, row in enumerate(rows):
            distances = np.linalg.norm(dictionary - row, axis=1)
            nearest = dictionary[distances.argmin()]
            if distances.min() > 0:
                expected[i] += (row - nearest) ** 2 / distances.min() / 3
    np.testing.assert_allclose(
        detector.explain(X[:20]).contributions, expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["whitened", "standardized", "minmax"])
def test_turning_by_column_keeps_lengths(X, kind):
    difference = np.random.default_rng(0).normal(size=(3, 50, 5))
    turned = calibrated_view(kind, X, 2).to_column_axes(difference)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=-1), np.linalg.norm(difference, axis=-1)
    )


def test_whitened_difference_turned_by_column_is_that_of_the_symmetric_whitening(X):
    # Z (cov^-1/2), the whitening whose coordinates correlate most with the columns.
    view = calibrated_view("whitened", X, 0)
    Z = (X - view.center) / view.scale
    basis = view.rotation * view.deviations**2
    covariance = basis @ basis.T
    values, vectors = np.linalg.eigh(covariance)
    symmetric = Z @ (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(
        view.to_column_axes(Z @ view.rotation), symmetric, rtol=1e-8, atol=1e-8
    )


def test_of_several_witnesses_each_is_heard_by_its_surprise(fast, X):
    # So few that neighbors are sought among all: a kind draws after those before it.
    X = X[-120:]
    detector = fast().fit(X)
    said = np.zeros(X.shape)
    for kind in TABLE_EVIDENCE:
        alone = fast(evidence=kind).fit(X).explain(X).contributions
        error = alone.sum(1, keepdims=True)
        surprise = TailProbability.of(error[:, 0])(error[:, 0])[:, None]
        shares = np.full(X.shape, 1 / 5)
        np.divide(alone, error, out=shares, where=error > 0)
        said += surprise * shares
    expected = -detector.score_samples(X)[:, None] * said / said.sum(1, keepdims=True)
    np.testing.assert_allclose(
        detector.explain(X).contributions, expected, rtol=1e-7, atol=1e-12
    )


# --- blame ---------------------------------------------------------------------


@pytest.mark.parametrize("column", range(5))
def test_column_that_is_spoilt_contributes_most(X, y, column):
    detector = NCAEDetector(n_estimators=4, max_iter=100, random_state=0).fit(X)
    rows = X[y == 0][:40].copy()
    rows[:, column] += 10 * X[:, column].std()
    top = detector.explain(rows).contributions.argmax(1)
    assert np.mean(top == column) > 0.9


# --- the explanation -----------------------------------------------------------


def test_expected_is_the_reconstruction_and_residual_what_is_above_it(fast, X):
    detector = fast().fit(X)
    explanation = detector.explain(X)
    assert isinstance(explanation, Explanation)
    np.testing.assert_array_equal(explanation.values, X)
    np.testing.assert_array_equal(explanation.expected, detector.reconstruct(X))
    np.testing.assert_array_equal(explanation.residual, X - detector.reconstruct(X))


def test_explanation_does_not_share_memory_with_the_rows(fast, X):
    detector, rows = fast().fit(X), X.copy()
    explanation = detector.explain(rows)
    rows[:] = 0
    np.testing.assert_array_equal(explanation.values, X)


def test_frame_has_the_columns_and_the_index_of_the_rows(fast, frame):
    explanation = fast().fit(frame).explain(frame)
    contributions = explanation.to_frame()
    assert contributions.columns.tolist() == frame.columns.tolist()
    assert contributions.index.equals(frame.index)
    np.testing.assert_array_equal(contributions, explanation.contributions)


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist])
def test_frame_of_rows_without_names_counts_columns_and_rows(fast, X, convert):
    contributions = fast().fit(X).explain(convert(X)).to_frame()
    assert contributions.columns.tolist() == ["x0", "x1", "x2", "x3", "x4"]
    assert contributions.index.tolist() == list(range(len(X)))


def test_cells_list_the_largest_contributions_of_each_row_first(fast, frame):
    explanation = fast().fit(frame).explain(frame)
    top = explanation.cells(k=2)
    assert top.row.tolist() == np.repeat(frame.index, 2).tolist()
    for i, (_, rows) in enumerate(top.groupby("row")):
        largest = np.sort(explanation.contributions[i])[::-1][:2]
        assert rows.contribution.tolist() == largest.tolist()
        for _, found in rows.iterrows():
            j = frame.columns.get_loc(found.feature)
            assert found.contribution == explanation.contributions[i, j]
            assert found.value == frame.iloc[i, j]
            assert found.expected == explanation.expected[i, j]
            assert found.residual == found.value - found.expected


def test_cells_of_more_columns_than_there_are_lists_all(fast, X):
    assert len(fast().fit(X).explain(X[:3]).cells(k=99)) == 3 * 5


def test_cells_of_no_column_raise(fast, X):
    with pytest.raises(ValueError, match="k == 0, must be >= 1"):
        fast().fit(X).explain(X).cells(k=0)


@pytest.mark.parametrize("k", [1.5, "2", None])
def test_cells_of_what_is_no_number_of_columns_raise(fast, X, k):
    with pytest.raises(TypeError, match="k must be an integer, got"):
        fast().fit(X).explain(X).cells(k)


def test_frames_without_pandas_say_what_to_install(fast, X, monkeypatch):
    explanation = fast().fit(X).explain(X)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install .skncae\[pandas\]"):
        explanation.to_frame()


# --- latent features and generated rows ----------------------------------------


@pytest.mark.parametrize("method", ["explain", "encode", "generate"])
def test_method_before_fit_raises_not_fitted(fast, X, method):
    with pytest.raises(NotFittedError, match="NCAEDetector"):
        getattr(fast(), method)(X)
    assert not hasattr(fast(), "latent_mean_")


def test_encode_gives_what_the_decoders_reconstruct_from(fast, X):
    detector = fast(n_estimators=3, latent_dim=2).fit(X)
    Z = detector.encode(X)
    assert Z.shape == (3, len(X), 2) and Z.dtype == np.float64
    with torch.no_grad():
        decoded = detector._scorer.ensemble.model.decoder(torch.from_numpy(Z)).numpy()
    rows = np.mean(
        [detector._scorer.ensemble.view.inverse_transform(z) for z in decoded], 0
    )
    np.testing.assert_allclose(rows, detector.reconstruct(X), rtol=1e-9)


def test_latent_mean_is_what_noise_free_rows_are_generated_from(fast, X):
    detector = fast(n_estimators=1, generation_scale=0.0).fit(X)
    assert detector.latent_mean_.shape == (1, 3)
    rows = detector.generate(5)
    with torch.no_grad():
        z = torch.from_numpy(detector.latent_mean_)[None]
        decoded = detector._scorer.ensemble.model.decoder(z).numpy()[0, 0]
    expected = detector._scorer.ensemble.view.inverse_transform(decoded)
    np.testing.assert_allclose(rows, np.tile(expected, (5, 1)))


def test_generated_rows_of_every_member_are_drawn(fast, X):
    detector = fast(n_estimators=4, generation_scale=0.0).fit(X)
    rows, counts = np.unique(
        detector.generate(1000, random_state=0).round(9), axis=0, return_counts=True
    )
    assert len(rows) == 4 and counts.min() > 200


def test_generated_rows_are_normal_rows_in_the_units_of_x(X, y):
    detector = NCAEDetector(n_estimators=4, max_iter=150, random_state=0)
    detector.fit(100 + 1000 * X)
    rows = (detector.generate(700, random_state=0) - 100) / 1000
    assert rows.shape == (700, 5)
    normal = X[y == 0]
    assert (np.abs(rows.mean(0) - normal.mean(0)) < 2 * normal.std(0)).all()
    assert (detector.predict(100 + 1000 * rows) == 1).mean() > 0.9


def test_generate_repeats_itself_with_a_seed_only(fast, X):
    detector = fast().fit(X)
    first, second = (detector.generate(9, random_state=3) for _ in "ab")
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(detector.generate(9), detector.generate(9))


def test_generate_and_explain_leave_global_generators_untouched(fast, X):
    detector = fast().fit(X)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    detector.generate(9)
    detector.explain(X)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_generate_no_row_raises(fast, X):
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        fast().fit(X).generate(0)
