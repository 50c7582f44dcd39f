"""The distance to the median row."""

from dataclasses import dataclass

import numpy as np

from skncae.evidence._base import Evidence


@dataclass(frozen=True)
class Distance(Evidence):
    """Squared distance to the median of the training rows, as the networks see them.

    In the whitened view it is a robust Mahalanobis distance (MCD is kin): large where
    a row is far out along directions in which the columns vary little.

    Parameters
    ----------
    median : ndarray of shape (n_features,)
    """

    median: np.ndarray

    name = "distance"

    @classmethod
    def learn(cls, block, settings, random_state):
        """Take the median of the scaled rows."""
        return cls(block.median)

    def errors(self, block):
        """Squared distance of each row, (n_samples,)."""
        difference = block.scaled - self.median
        if block.missing is None:
            return np.square(difference).sum(1)
        difference = block.to_column_axes(difference)
        return np.square(difference).sum(1, where=~block.missing)

    def contributions(self, block):
        """Squared distance of each column, (n_samples, n_features)."""
        return np.square(block.to_column_axes(block.scaled - self.median))

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op = graph.op
        return graph.sum_of_squares(op.sub(graph.scaled, op.const(self.median)))
