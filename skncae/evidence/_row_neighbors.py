"""The distance to the training rows that are near a row, wherever those are.

Every other kind that looks at whole rows measures from one centre, or trusts rows that
are near it. Rows between two clusters, or inside a ring, are near to all centres and
near to nobody.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from skncae.scaling._calibration import calibrated_view
from skncae.scaling._scaler import View

# Rows are compared with this many training rows at most, drawn at random ...
MAX_REFERENCES = 512
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
        view = calibrated_view("standardized", block.rows, settings.calibration_rounds)
        picked = block.take(random_state.permutation(len(block))[:MAX_REFERENCES])
        return cls(view, view.transform(picked.completed))

    def errors(self, block):
        """Distance of each row in its observed columns, (n_samples,)."""
        return np.sqrt(self._square_by_column(block).sum(1))

    def contributions(self, block):
        """Squared distance of each column over the distance."""
        square = self._square_by_column(block)
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
        smallest, _ = op.top_k(square, op.const([k]), axis=1, largest=0)
        last = op.slice(smallest, op.const([k - 1]), op.const([k]), op.const([1]))
        return op.sqrt(op.squeeze(last, op.const([1])))

    def _square_by_column(self, block):
        """Squares that sum to the squared distance of each row to its neighbor."""
        Z = self.view.transform(block.completed)
        # The expanded square finds the neighbor fast, and loses the digits of a small
        # distance. So the distance to that one is taken directly.
        if block.missing is None:
            length = torch.from_numpy(np.square(self.references).sum(1))
            product = torch.from_numpy(Z), torch.from_numpy(self.references).mT
            square = torch.addmm(length, *product, alpha=-2.0).numpy()
        else:
            Z = Z * block.is_observed
            square = block.is_observed @ np.square(self.references).T
            square -= 2.0 * Z @ self.references.T
        k = self._rank() - 1
        neighbor = self.references[np.argpartition(square, k, axis=1)[:, k]]
        return np.square(Z - neighbor, where=block.is_observed, out=np.zeros(Z.shape))

    def _rank(self):
        """Which neighbor the distance is to; the first is 1."""
        return math.ceil(SHARE * len(self.references))
