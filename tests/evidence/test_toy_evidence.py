"""A kind of evidence of one's own: one class, and it goes everywhere."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest

from skncae import NCAEDetector
from skncae.evidence._base import Evidence
from skncae.evidence._kinds import KINDS


@dataclass(frozen=True)
class Size(Evidence):
    """Sum of the absolute values of a row, each over the mean of its column."""

    mean: np.ndarray

    name = "size"

    @classmethod
    def learn(cls, block, settings, random_state):
        return cls(np.abs(block.completed).mean(0))

    def errors(self, block):
        return self.contributions(block).sum(1)

    def contributions(self, block):
        return np.abs(block.completed) / self.mean * block.is_observed

    def onnx(self, graph):
        op = graph.op
        parts = op.div(op.abs(graph.X), op.const(self.mean))
        return op.reduce_sum(parts, op.const([1]), keepdims=0)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(KINDS, Size.name, Size)


def by_hand(X, rows):
    return np.abs(rows) / np.abs(X).mean(0)


def test_registered_kind_scores_and_explains(fast, X):
    detector = fast(evidence="size").fit(X)
    parts = by_hand(X, X[:9])
    np.testing.assert_allclose(-detector.score_samples(X[:9]), parts.sum(1))
    np.testing.assert_allclose(detector.explain(X[:9]).contributions, parts)


def test_registered_kind_is_combined_with_others(fast, X):
    detector = fast(evidence=("size", "distance", "tails")).fit(X)
    contributions = detector.explain(X).contributions
    np.testing.assert_allclose(contributions.sum(1), -detector.score_samples(X))


def test_registered_kind_of_incomplete_rows_is_scaled_up(fast, X):
    detector = fast(evidence="size", allow_nan=True).fit(X)
    holes = X[:1].copy()
    holes[0, 0] = np.nan
    expected = 5 / 4 * by_hand(X, X[:1])[0, 1:].sum()
    assert -detector.score_samples(holes)[0] == pytest.approx(expected)


def test_registered_kind_is_saved_and_loaded(fast, X, tmp_path):
    detector = fast(evidence=("size", "distance")).fit(X)
    detector.save(tmp_path / "size.safetensors")
    loaded = NCAEDetector.load(tmp_path / "size.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))


def test_registered_kind_is_exported(fast, X, tmp_path):
    detector = fast(evidence=("size", "distance", "tails")).fit(X)
    detector.to_onnx(tmp_path / "size.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "size.onnx")
    scores = session.run(["score_samples"], {"X": X})[0]
    np.testing.assert_allclose(scores, detector.score_samples(X), rtol=1e-6)
