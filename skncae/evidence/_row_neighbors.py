"""The distance to the training rows that are near a row, wherever those are.

Every other kind that looks at whole rows measures from one centre, or trusts rows that
are near it. Rows between two clusters, or inside a ring, are near to all centres and
near to nobody.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from skncae.evidence._neighbors import LOST, squared_distances
from skncae.scaling._scaler import View

# Rows are compared with this many training rows at most, drawn at random ...
MAX_REFERENCES = 128
# ... by the distance within which this share of them lies: more than outliers that
# stand together may be.
SHARE = 0.15


@dataclass(frozen=True)
class RowNeighbors:
    """Distance within which 15 % of the training rows lie, in standardized columns.

    Kin of the distance to the k-th neighbor (kNN), with a k that grows with the rows.

    Parameters
    ----------
    view : View
    references : ndarray of shape (n_references, n_features)
        Training rows in that view.
    """

    view: View
    references: np.ndarray

    name = "neighbors"
    power = 2
    images_only = complete_only = by_column_alone = typed_only = False

    @classmethod
    def learn(cls, block, settings, random_state):
        """Draw the references from training rows."""
        view = block.standardized_view(settings.calibration_rounds)
        picked = block.take(random_state.permutation(len(block))[:MAX_REFERENCES])
        return cls(view, view.transform(picked.completed))

    def errors(self, block):
        """Distance of each row in its observed columns, (n_samples,)."""
        z, lengths = block.standardized(self.view)
        k = self._rank()
        if block.missing is None:
            return kth_distances(z, lengths, self.references, k)
        square = squared_distances(z[:-1].T, self.references, block.is_observed)
        return np.sqrt(np.partition(square, k - 1)[:, k - 1])

    def contributions(self, block):
        """Squared distance of each column over the distance."""
        Z = self.view.transform(block.completed)
        is_observed = None if block.missing is None else block.is_observed
        squares = squared_distances(Z, self.references, is_observed)
        nearest = np.argpartition(squares, self._rank() - 1)
        square = np.square(Z - self.references[nearest[:, self._rank() - 1]])
        # A distance is its square over itself; nothing adds to a distance of zero.
        distance = np.sqrt(square.sum(1, keepdims=True))
        return square / np.where(distance > 0, distance, 1.0)

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {"view": vars(self.view).copy(), "references": self.references}

    @classmethod
    def from_state(cls, state):
        """Build the neighbors that `state` was taken from."""
        # A copy: the array may be read-only.
        return cls(View(**state["view"]), np.array(state["references"]))

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op, k = graph.op, self._rank()
        z = self.view.onnx(graph, graph.X)
        length = op.unsqueeze(graph.sum_of_squares(z), op.const([1]))
        product = op.matmul(z, op.const(np.ascontiguousarray(-2.0 * self.references.T)))
        square = op.add(product, op.const(np.square(self.references).sum(1)))
        square = op.max([op.add(square, length), op.const(0.0)])
        _, nearest = op.top_k(square, op.const([k]), axis=1, largest=0)
        last = op.slice(nearest, op.const([k - 1]), op.const([k]), op.const([1]))
        # The expanded square loses the digits of a small distance.
        rows = op.gather(op.const(self.references), op.squeeze(last, op.const([1])))
        return op.sqrt(graph.sum_of_squares(op.sub(z, rows)))

    def _rank(self):
        """Which neighbor the distance is to; the first is 1."""
        return math.ceil(SHARE * len(self.references))


def kth_distances(z, lengths, references, k):
    """Distance of each row to its k-th nearest reference, (n_samples,).

    Parameters
    ----------
    z : ndarray of shape (n_features + 1, n_samples)
        The last entry of each row is 1.
    lengths : ndarray of shape (n_samples,)
        Squared lengths of the rows.
    references : ndarray of shape (n_references, n_features)
    k : int
        1 for the nearest.
    """
    # The expanded square, less |z|^2, in one product.
    length = np.square(references).sum(1)
    weights = np.vstack([-2.0 * references.T, length])
    square = (torch.from_numpy(z).mT @ torch.from_numpy(weights)).numpy()
    # As fast as a partition of so few.
    square.sort(axis=1)
    square = square[:, k - 1] + lengths
    # It loses the digits of a distance that is small beside lengths.
    near = np.flatnonzero(square < LOST * (lengths + length.max()))
    if len(near):
        squares = squared_distances(z[:-1, near].T, references)
        square[near] = np.partition(squares, k - 1)[:, k - 1]
    return np.sqrt(square)
