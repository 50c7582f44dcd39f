"""The distance to the training rows that are near a row, wherever those are.

Every other kind that looks at whole rows measures from one centre, or trusts rows that
are near it. Rows between two clusters, or inside a ring, are near to all centres and
near to nobody.

Beside a narrow cluster a distance is far that is near beside a wide one. So distances
count in the units of the training row that they are to: a root of how far it has its
own neighbors (kin of the local scales of Zelnik-Manor and Perona, "Self-Tuning Spectral
Clustering", NIPS 2004). The fourth root: with the whole of it, rows that scatter widely
would be no outliers.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from skncae.evidence._base import Evidence
from skncae.evidence._neighbors import LOST, squared_distances
from skncae.scaling._scaler import View

# Rows are compared with this many training rows at most, drawn at random ...
MAX_REFERENCES = 128
# ... by the distance within which this share of them lies: more than outliers that
# stand together may be.
SHARE = 0.15

# To what power that distance of a training row is the unit of distances to it ...
LOCALITY = 0.25
# ... and what is added to it, of each column: rows that are all equal have none.
LEAST_REACH = 0.01


@dataclass(frozen=True)
class RowNeighbors(Evidence):
    """Distance within which 15 % of the training rows lie, in standardized columns.

    Kin of the distance to the k-th neighbor (kNN), with a k that grows with the rows,
    and distances in units of the row that they are to.

    Parameters
    ----------
    view : View
    references : ndarray of shape (n_references, n_features)
        Training rows in that view.
    units : ndarray of shape (n_references,)
        Of squared distances to each of them.
    """

    view: View
    references: np.ndarray
    units: np.ndarray

    name = "neighbors"
    power = 2

    @classmethod
    def learn(cls, block, settings, random_state):
        """Draw the references from training rows."""
        view = block.standardized_view(settings.calibration_rounds)
        picked = block.take(random_state.permutation(len(block))[:MAX_REFERENCES])
        references = view.transform(picked.completed)
        return cls(view, references, _units(references))

    def errors(self, block):
        """Distance of each row in its observed columns, (n_samples,)."""
        z, lengths = block.standardized(self.view)
        k = self._rank()
        if block.missing is None:
            return kth_distances(z, lengths, self.references, self.units, k)
        square = squared_distances(z[:-1].T, self.references, block.is_observed)
        return np.sqrt(np.partition(square / self.units, k - 1)[:, k - 1])

    def contributions(self, block):
        """Squared distance of each column over the distance."""
        Z = self.view.transform(block.completed)
        is_observed = None if block.missing is None else block.is_observed
        squares = squared_distances(Z, self.references, is_observed) / self.units
        kth = np.argpartition(squares, self._rank() - 1)[:, self._rank() - 1]
        square = np.square(Z - self.references[kth]) / self.units[kth, None]
        # A distance is its square over itself; nothing adds to a distance of zero.
        distance = np.sqrt(square.sum(1, keepdims=True))
        return square / np.where(distance > 0, distance, 1.0)

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {**vars(self), "view": vars(self.view).copy()}

    @classmethod
    def from_state(cls, state):
        """Build the neighbors that `state` was taken from."""
        # A copy: the array may be read-only.
        references = np.array(state["references"])
        return cls(View(**state["view"]), references, state["units"])

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op, k = graph.op, self._rank()
        z = self.view.onnx(graph, graph.X)
        length = op.unsqueeze(graph.sum_of_squares(z), op.const([1]))
        product = op.matmul(z, op.const(np.ascontiguousarray(-2.0 * self.references.T)))
        square = op.add(product, op.const(np.square(self.references).sum(1)))
        square = op.max([op.add(square, length), op.const(0.0)])
        square = op.div(square, op.const(self.units))
        _, nearest = op.top_k(square, op.const([k]), axis=1, largest=0)
        last = op.slice(nearest, op.const([k - 1]), op.const([k]), op.const([1]))
        # The expanded square loses the digits of a small distance.
        last = op.squeeze(last, op.const([1]))
        square = graph.sum_of_squares(
            op.sub(z, op.gather(op.const(self.references), last))
        )
        return op.sqrt(op.div(square, op.gather(op.const(self.units), last)))

    def _rank(self):
        """Which neighbor the distance is to; the first is 1."""
        return _rank(len(self.references))


def _rank(n_references):
    """Which of so many neighbors has the share of the rows within its distance."""
    return math.ceil(SHARE * n_references)


def _units(references):
    """Units of squared distances to each of the references, (n_references,)."""
    squares = np.sort(squared_distances(references, references), axis=1)
    # The nearest of each is itself.
    k = min(_rank(len(references)), len(references) - 1)
    reach = np.sqrt(squares[:, k] / references.shape[1])
    return (reach + LEAST_REACH) ** (2 * LOCALITY)


def kth_distances(z, lengths, references, units, k):
    """Distance of each row to its k-th nearest reference, (n_samples,).

    Parameters
    ----------
    z : ndarray of shape (n_features + 1, n_samples)
        The last entry of each row is 1.
    lengths : ndarray of shape (n_samples,)
        Squared lengths of the rows.
    references : ndarray of shape (n_references, n_features)
    units : ndarray of shape (n_references,)
        Of squared distances to each of them.
    k : int
        1 for the nearest.
    """
    # The expanded square in one product.
    length = np.square(references).sum(1)
    weights = np.vstack([-2.0 * references.T, length, np.ones(len(units))]) / units
    rows = np.vstack([z, lengths])
    square = (torch.from_numpy(rows).mT @ torch.from_numpy(weights)).numpy()
    # As fast as a partition of so few.
    square.sort(axis=1)
    square = square[:, k - 1]
    # It loses the digits of a distance that is small beside lengths.
    near = np.flatnonzero(square * units.min() < LOST * (lengths + length.max()))
    if len(near):
        squares = squared_distances(z[:-1, near].T, references) / units
        square[near] = np.partition(squares, k - 1)[:, k - 1]
    return np.sqrt(square)
