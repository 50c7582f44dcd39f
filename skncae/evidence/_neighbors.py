"""How far an image is from the images that are like it, in one of three views.

Contamination of many kinds forms small crowds: the nearest rows of an outlier may be
outliers of its kind. So the nearest ones do not count, and neither do those further
away than a tenth of the rows, which would make it a distance to the centre.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skncae.evidence._base import Evidence
from skncae.evidence._edges import Edges
from skncae.scaling._calibration import calibrated_view
from skncae.scaling._scaler import View

# Rows are compared with this many training rows at most ...
MAX_REFERENCES = 1024
# ... and judged by those of them that rank between these shares by distance.
NEAREST, FURTHEST = 0.05, 0.1

# Squared distances of less than this share of the lengths have lost too many digits;
# they are taken again, so many numbers at once.
LOST, PIECE = 1e-6, 2**21


def squared_distances(Z, references, is_observed=None):
    """Squared distance of every row to every reference, (n_samples, n_references).

    In the observed columns of each row. Small ones have all their digits too, so that
    they do not depend on the rows beside.
    """
    if is_observed is None:
        of_reference = np.square(references).sum(1)
    else:
        Z = Z * is_observed
        of_reference = is_observed @ np.square(references).T
    of_row = np.square(Z).sum(1)[:, None]
    square = Z @ (-2.0 * references.T)
    square += of_row
    square += of_reference
    # The expanded square loses the digits of a distance that is small beside lengths.
    # Few rows are near to any reference; only these are looked through.
    nearest, longest = square.min(1), of_row[:, 0] + of_reference.max(-1)
    near = np.flatnonzero(nearest < LOST * longest)
    lengths = of_row[near] + np.broadcast_to(of_reference, square.shape)[near]
    row, reference = np.nonzero(square[near] < LOST * lengths)
    row = near[row]
    for some in np.array_split(np.arange(len(row)), 1 + len(row) * Z.shape[1] // PIECE):
        pair = row[some], reference[some]
        difference = Z[pair[0]] - references[pair[1]]
        if is_observed is not None:
            difference *= is_observed[pair[0]]
        square[pair] = np.square(difference).sum(1)
    return square


@dataclass(frozen=True)
class _Neighbors(Evidence):
    """Distance to the training rows that are near, but not the nearest.

    Parameters
    ----------
    view : View or Edges
    references : ndarray of shape (n_references, n_view_features)
        Training rows in that view.
    """

    view: Any
    references: np.ndarray

    power = 2
    view_type: ClassVar[type] = View
    # Of `calibrated_view`.
    view_kind: ClassVar[str]

    @classmethod
    def learn(cls, block, settings, random_state):
        """Draw the references from training rows."""
        view = cls._learnt_view(block.rows, settings)
        picked = random_state.permutation(len(block))[:MAX_REFERENCES]
        return cls(view, view.transform(block.rows[picked]))

    @classmethod
    def _learnt_view(cls, X, settings):
        """The view that training rows are compared in."""
        return calibrated_view(cls.view_kind, X, settings.calibration_rounds)

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {"view": vars(self.view).copy(), "references": self.references}

    @classmethod
    def from_state(cls, state):
        """Build the neighbors that `state` was taken from."""
        return cls(cls.view_type(**state["view"]), state["references"])

    def errors(self, block):
        """Root mean square distance of each row to its neighbors, (n_samples,)."""
        square = self._squares(self.view.transform(block.completed))
        first, last = self._ranks()
        return np.sqrt(
            np.sort(np.partition(square, last - 1)[:, :last])[:, first:].mean(1)
        )

    def contributions(self, block):
        """What each column adds to the distance, (n_samples, n_features)."""
        Z = self.view.transform(block.completed)
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
        return self._in_pixels(parts)

    def _in_pixels(self, parts):
        """Turn what each coordinate of the view adds into what each pixel adds."""
        return parts

    def _squares(self, Z):
        """Squared distances to all references, (n_samples, n_references)."""
        return squared_distances(Z, self.references)

    def _ranks(self):
        """First and last rank of the neighbors; there is one at least."""
        n = len(self.references)
        last = math.ceil(FURTHEST * n)
        return min(math.ceil(NEAREST * n), last - 1), last


class PixelNeighbors(_Neighbors):
    """Images are compared as they are."""

    name = "pixel_neighbors"
    complete_only = True
    view_kind = "pixels"


class ContrastNeighbors(_Neighbors):
    """Images are compared at the same brightness and contrast."""

    name = "contrast_neighbors"
    complete_only = True
    view_kind = "contrast"


class EdgeNeighbors(_Neighbors):
    """Images are compared in histograms of the directions of their edges."""

    name = "edge_neighbors"
    images_only = True
    view_type = Edges

    @classmethod
    def _learnt_view(cls, X, settings):
        return Edges(settings.image_shape)

    def _in_pixels(self, parts):
        return self.view.cells_to_pixels(parts)
