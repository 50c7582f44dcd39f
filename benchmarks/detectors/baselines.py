"""Detectors of the benchmark that no package has: bars that learning must clear."""

import numpy as np


class SquaredZ:
    """Sum of squared z-scores: the bar that learning must clear."""

    def fit(self, X, y=None):
        """Remember mean and deviation of the columns."""
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(self.scale_ > 0, self.scale_, 1.0)
        return self

    def decision_function(self, X):
        """Score rows; higher is more abnormal."""
        return np.square((X - self.mean_) / self.scale_).sum(axis=1)


class NoLearning:
    """Our score with networks that reconstruct every row as the centre of all.

    The reconstruction error is then the distance to the centre of the whitened
    rows. What `NCAEDetector` has above this is what training is worth.
    """

    def __init__(self, seed, n_members=4):
        self.seed = seed
        self.n_members = n_members

    def fit(self, X, y=None):
        """Learn scales, dictionaries and tails as `NCAEDetector` does."""
        from skncae import NCAEDetector
        from skncae._settings import settings_of
        from skncae.evidence._scorer import Scorer
        from skncae.networks._ensemble import MAX_DIRECTIONS, Ensemble
        from skncae.scaling._calibration import calibrated_view

        self.row_shape = (min(X.shape[1], MAX_DIRECTIONS),)
        detector = NCAEDetector()
        detector.image_shape_ = None
        view = calibrated_view("whitened", X, rounds=5)
        ensemble = Ensemble(self, view, None, np.zeros(X.shape[1], bool))
        draw = np.random.RandomState(self.seed)
        self.scorer_, _ = Scorer.learn(ensemble, X, settings_of(detector), draw)
        return self

    def decision_function(self, X):
        """Score rows; higher is more abnormal."""
        return self.scorer_.errors(X)

    def __call__(self, x):
        """Reconstruct rows of the whitened view, in place of the networks."""
        return x.new_zeros(x.shape)

    def feature_major(self):
        """There is no faster way."""

    def cpu(self):
        """Stay here, in place of the networks."""
        return self

    double = cpu


class InPieces:
    """`NCAEDetector.partial_fit` on pieces of some rows, in their order.

    By name: ``benchmarks.detectors.baselines:InPieces(rows=500)``.
    """

    def __init__(self, random_state, rows=500):
        self.random_state = random_state
        self.rows = rows

    def fit(self, X, y=None):
        """Hand in the pieces one after the other."""
        from skncae import NCAEDetector

        self.detector_ = NCAEDetector(random_state=self.random_state)
        for start in range(0, len(X), self.rows):
            self.detector_.partial_fit(X[start : start + self.rows])
        return self

    def decision_function(self, X):
        """Score rows; higher is more abnormal."""
        return -self.detector_.score_samples(X)
