"""How far out the columns of a row are, each by itself."""

from dataclasses import dataclass

import numpy as np

from skncae.evidence._base import Evidence
from skncae.scaling._location import percentiles
from skncae.scaling._scaler import standardized, standardized_onnx

# Degrees of freedom of the distribution that columns are compared with.
DEGREES_OF_FREEDOM = 4

# Percentiles between which a column usually lies.
USUAL = (1.0, 99.0)


@dataclass(frozen=True)
class Tails(Evidence):
    """How unlikely the columns are if each has heavy tails, Student's t.

    Minus its log density, up to a constant and a factor: summed over the columns, many
    are far out, or a few very far. Beyond a few deviations it grows with the logarithm,
    so one absurd value says no more than some large ones do.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
        Mean and deviation of each column, its absurd values left out.
    low, high : ndarray of shape (n_features,)
        Between which 98 % of each column lie.
    """

    center: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray

    name = "tails"

    @classmethod
    def learn(cls, block, settings, random_state):
        """Learn from the training rows."""
        view = block.standardized_view(rounds=0)
        # What later rows have in a column without any value says nothing.
        scale = np.where(np.isnan(block.rows).all(0), np.inf, view.scale)
        return cls(view.center, scale, *percentiles(block.rows, USUAL))

    def errors(self, block):
        """Sum over the columns of each row, (n_samples,)."""
        total = np.zeros(len(block))
        # One after the other, in whatever order they lie in memory.
        for worth in self._worths(block).T:
            total += worth
        return total

    def contributions(self, block):
        """What every value is worth; missing ones nothing."""
        # Sums of them come out alike, too.
        return np.ascontiguousarray(self._worths(block))

    def _worths(self, block):
        """What every value is worth, in the order in which they lie in memory."""
        z = standardized(block.rows, self.center, self.scale)
        z *= z
        z *= 1.0 / DEGREES_OF_FREEDOM
        # numpy takes several times as long for log1p.
        z += 1.0
        worths = np.log(z, out=z)
        worths[np.isnan(worths)] = 0.0
        return worths

    def usual_range(self):
        """Between what values 98 % of each column lie: (low, high)."""
        return self.low, self.high

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op = graph.op
        z = standardized_onnx(graph, graph.X, self.center, self.scale)
        squares = op.mul(op.mul(z, z), op.const(1.0 / DEGREES_OF_FREEDOM))
        worth = op.log(op.add(squares, op.const(1.0)))
        return op.reduce_sum(worth, op.const([1]), keepdims=0)
