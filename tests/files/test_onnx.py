"""ONNX models against the detectors that they were made of."""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skncae import NCAEDetector
from skncae.evidence._kinds import TABLE_EVIDENCE
from skncae.files import _onnx as _export
from skncae.files._onnx_ops import Graph

OUTPUTS = ["score_samples", "decision_function", "label"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "detector.onnx"


def far_rows(X):
    """Rows beside, far from and very far from those of X."""
    return np.concatenate([X, 100 * X[:20], -1e20 * X[:9], 1e300 * X[:9], 0 * X[:1]])


def outputs_of(path, X):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    assert [output.name for output in session.get_outputs()] == OUTPUTS
    return session.run(None, {"X": X.astype(np.float64)})


def assert_model_agrees(detector, X, path):
    detector.to_onnx(path)
    scores, decision, label = outputs_of(path, X)
    assert scores.dtype == decision.dtype == np.float64 and label.dtype == np.int64
    assert scores.shape == decision.shape == label.shape == (len(X),)
    expected = detector.score_samples(X)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        decision, expected - detector.offset_, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_array_equal(label, detector.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"scaling": "standardized", "evidence": "reconstruction"},
        {"scaling": "minmax", "evidence": ("tails", "reconstruction")},
        {"evidence": "dictionary", "hidden_units": (4,), "latent_dim": 1},
        {"evidence": "tails"},
    ],
    ids=str,
)
def test_model_gives_the_scores_and_labels_of_the_detector(fast, X, path, parameters):
    assert_model_agrees(fast(**parameters).fit(X), far_rows(X), path)


def test_model_scores_one_row_and_no_row(fast, X, path):
    detector = fast().fit(X)
    assert_model_agrees(detector, X[:1], path)
    assert [len(output) for output in outputs_of(path, X[:0])] == [0, 0, 0]


def test_model_of_one_column_and_a_constant_one_agree(fast, path):
    X = np.random.default_rng(0).normal(size=(100, 1))
    assert_model_agrees(fast().fit(X), far_rows(X), path)
    X = np.column_stack([X, np.full(100, 7.0)])
    assert_model_agrees(fast().fit(X), far_rows(X), path)


def test_model_of_a_detector_of_one_row_agrees(fast, path):
    X = np.array([[1.0, 2.0]])
    assert_model_agrees(fast().fit(X), far_rows(X), path)


def test_model_of_a_detector_of_float32_rows_agrees(fast, X, path):
    X = X.astype(np.float32)
    assert_model_agrees(fast().fit(X), np.concatenate([X, 1e30 * X[:9]]), path)


def test_model_agrees_on_rows_that_are_equal_and_on_the_threshold(fast, path):
    # Of at most 81 kinds; the threshold is the error of one of them.
    X = np.random.default_rng(0).integers(0, 3, size=(500, 4)).astype(float)
    assert_model_agrees(fast(n_estimators=4, max_iter=30).fit(X), X, path)


def test_model_agrees_where_there_are_more_rows_than_quantiles(fast, path):
    X = np.random.default_rng(0).exponential(size=(5000, 2))
    assert_model_agrees(fast(max_iter=1).fit(X), far_rows(X[:300]), path)


@pytest.mark.parametrize(
    "parameters", [{}, {"evidence": "tails"}, {"scaling": "minmax"}], ids=str
)
def test_model_of_a_detector_of_incomplete_rows_agrees_on_complete_ones(
    fast, X, path, parameters
):
    incomplete = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    detector = fast(allow_nan=True, **parameters).fit(incomplete)
    assert_model_agrees(detector, far_rows(X), path)


@pytest.mark.parametrize("evidence", TABLE_EVIDENCE)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_model_gives_a_row_that_is_not_finite_no_score(fast, X, path, evidence, value):
    fast(allow_nan=True, evidence=evidence).fit(X).to_onnx(path)
    rows = X[100:103].copy()
    rows[1, 2] = value
    scores, decision, label = outputs_of(path, rows)
    assert np.isnan(scores).tolist() == [False, True, False]
    assert np.isnan(decision).tolist() == [False, True, False]
    assert label[1] == -1


def test_export_refuses_a_column_that_had_no_value(fast, X, path):
    rows = X.copy()
    rows[:, 3] = np.nan
    with pytest.warns(UserWarning, match="column 3"):
        detector = fast(allow_nan=True).fit(rows)
    with pytest.raises(ValueError, match="no value at all in column 3"):
        detector.to_onnx(path)
    assert not path.exists()


def test_arcsinh_keeps_its_digits_for_every_size():
    spox, op = _export._spox()
    x = spox.argument(spox.Tensor(np.float64, ("n",)))
    model = spox.build({"x": x}, {"y": Graph(op, x, None).arcsinh(x)})
    size = np.geomspace(1e-20, 1e300, 999)
    values = np.concatenate([-size, [0.0], size])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    [found] = session.run(None, {"x": values})
    np.testing.assert_allclose(found, np.arcsinh(values), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_count_smaller_is_searchsorted_from_the_left(n):
    spox, op = _export._spox()
    rng = np.random.default_rng(n)
    table = np.sort(rng.integers(0, 9, size=(n, 2)), axis=0).astype(float)
    values = rng.integers(-1, 11, size=(50, 2)).astype(float)
    x = spox.argument(spox.Tensor(np.float64, ("n", 2)))
    model = spox.build({"x": x}, {"y": Graph(op, x, None).count_smaller(table, x)})
    [found] = onnxruntime.InferenceSession(model.SerializeToString()).run(
        None, {"x": values}
    )
    for column in range(2):
        np.testing.assert_array_equal(
            found[:, column], np.searchsorted(table[:, column], values[:, column])
        )


def test_model_is_valid_and_says_where_it_comes_from(fast, X, path):
    fast().fit(pd.DataFrame(X, columns=list("abcdé"))).to_onnx(path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "skncae"
    assert [opset.version for opset in model.opset_import] == [18]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["skncae_version"] == model.producer_version
    assert json.loads(properties["feature_names"]) == list("abcdé")


def test_export_prints_nothing_and_leaves_no_setting_changed(fast, X, path, capfd):
    detector = fast().fit(X)
    before = torch.get_rng_state(), np.random.get_state()[1], torch.get_default_dtype()
    state = detector.__getstate__()
    detector.to_onnx(path)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == torch.get_default_dtype()
    assert state.keys() == detector.__getstate__().keys()


def test_export_that_fails_leaves_the_old_file(fast, X, path, monkeypatch):
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fast(evidence="tails").fit(X).to_onnx(path)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == b"old"


def test_export_refuses_a_detector_that_is_not_fitted(path):
    with pytest.raises(NotFittedError):
        NCAEDetector().to_onnx(path)


def test_without_spox_the_error_says_what_to_install(fast, X, path, monkeypatch):
    detector = fast().fit(X)
    monkeypatch.setitem(sys.modules, "spox", None)
    with pytest.raises(ImportError, match=r"pip install \"skncae\[onnx\]\""):
        detector.to_onnx(path)
