"""How far an image is from the images that are like it, in one of three views.

Contamination of many kinds forms small crowds: the nearest rows of an outlier may be
outliers of its kind. So the nearest ones do not count, and neither do those further
away than a tenth of the rows, which would make it a distance to the centre.
"""

import math
from dataclasses import dataclass

import numpy as np

from skncae.data._images import Edges
from skncae.scaling._calibration import View, calibrated_view

# The view of each kind; edges have their own.
VIEWS = {"pixel_neighbors": "pixels", "contrast_neighbors": "contrast"}

# Rows are compared with this many training rows at most ...
MAX_REFERENCES = 1024
# ... and judged by those of them that rank between these shares by distance.
NEAREST, FURTHEST = 0.05, 0.1


@dataclass(frozen=True)
class Neighbors:
    """Distance to the training rows that are near, but not the nearest.

    Parameters
    ----------
    view : View or Edges
    references : ndarray of shape (n_references, n_view_features)
        Training rows in that view.
    """

    view: View | Edges
    references: np.ndarray

    @classmethod
    def of(cls, kind, X, rounds, random_state, image_shape):
        """Draw the references from training rows."""
        view: View | Edges
        if kind == "edge_neighbors":
            view = Edges(image_shape)
        else:
            view = calibrated_view(VIEWS[kind], X, rounds)
        picked = random_state.permutation(len(X))[:MAX_REFERENCES]
        return cls(view, view.transform(X[picked]))

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {"view": vars(self.view).copy(), "references": self.references}

    @classmethod
    def from_state(cls, state):
        """Build the neighbors that `state` was taken from."""
        view = Edges if "image_shape" in state["view"] else View
        return cls(view(**state["view"]), state["references"])

    def __call__(self, X):
        """Root mean square distance of each row to its neighbors, (n_samples,)."""
        square = self._squares(self.view.transform(X))
        first, last = self._ranks()
        return np.sqrt(
            np.sort(np.partition(square, last - 1)[:, :last])[:, first:].mean(1)
        )

    def by_column(self, X):
        """What each column adds to the distance, (n_samples, n_features)."""
        Z = self.view.transform(X)
        first, last = self._ranks()
        order = np.argsort(self._squares(Z), axis=1)[:, first:last]
        weight = np.zeros((len(Z), len(self.references)))
        np.put_along_axis(weight, order, 1.0 / (last - first), axis=1)
        # The mean of (z - r)^2 over the neighbors r, in two matrix products.
        square = Z**2 - 2.0 * Z * (weight @ self.references)
        square = np.maximum(square + weight @ self.references**2, 0.0)
        # A distance is its square over itself; nothing adds to a distance of zero.
        distance = np.sqrt(square.sum(1, keepdims=True))
        parts = square / np.where(distance > 0, distance, 1.0)
        return self.view.by_column(parts) if isinstance(self.view, Edges) else parts

    def _squares(self, Z):
        """Squared distances to all references, (n_samples, n_references)."""
        square = np.square(Z).sum(1)[:, None] + np.square(self.references).sum(1)
        square -= 2.0 * Z @ self.references.T
        return np.maximum(square, 0.0)

    def _ranks(self):
        """First and last rank of the neighbors; there is one at least."""
        n = len(self.references)
        last = math.ceil(FURTHEST * n)
        return min(math.ceil(NEAREST * n), last - 1), last
