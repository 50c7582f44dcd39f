"""What a kind of evidence is, and the rows that it sees.

A kind is a class of its own file, listed in `_kinds`. It learns from a block of
training rows and then gives an error for each row: large when the row is unlike the
normal ones.
"""

from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch

from skncae._once import once
from skncae.scaling._calibration import calibrated_view


class Evidence(Protocol):
    """One component score: learnt from a block of rows, then an error for each row.

    A kind inherits what most have in common, and says what it has otherwise.

    Attributes
    ----------
    name : str
        Its name in the parameter `evidence`.
    power : float
        An error to this power is a sum over columns.
    images_only : bool
        It has to know which pixels are side by side.
    complete_only : bool
        It compares whole rows, none of whose entries may be missing.
    typed_only : bool
        It sees the cells of a typed table (`Block.cells`), gives contributions of
        these, and has `expected(block)` and `associates_of(cell)` of them.
    by_column_alone : bool
        It sees each column alone: then many rows are scored at once, since a search for
        many values takes less time for each. Others get blocks that fit into a cache.
    """

    name: ClassVar[str]
    power: ClassVar[float] = 1
    images_only: ClassVar[bool] = False
    complete_only: ClassVar[bool] = False
    by_column_alone: ClassVar[bool] = False
    typed_only: ClassVar[bool] = False

    @classmethod
    def learn(cls, block, settings, random_state) -> Self:
        """Learn from the block of all training rows.

        Parameters
        ----------
        block : Block
        settings : Settings
            The parameters of the detector.
        random_state : RandomState
        """

    def errors(self, block) -> np.ndarray:
        """Error of each row over its observed columns, (n_samples,)."""

    def contributions(self, block) -> np.ndarray:
        """What each column adds to the error to its `power`, (n_samples, n_features).

        In proportion: only the shares of the columns count, and what is said of missing
        entries does not.
        """

    def usual_range(self) -> Any:
        """Between what values nearly all of each column lie; None where not known."""
        return None

    def state(self) -> dict[str, Any]:
        """Everything learnt, as nested dictionaries of arrays."""
        return vars(self).copy()

    @classmethod
    def from_state(cls, state) -> Self:
        """Build the evidence that `state` was taken from."""
        return cls(**state)

    def onnx(self, graph) -> Any:
        """Write `errors` as operations of an ONNX graph; see `skncae.files`."""
        raise ValueError(
            f"evidence={self.name!r} has no form in an ONNX model. Use save and load."
        )


class Block:
    """Some rows: completed, scaled and reconstructed once for all kinds.

    Parameters
    ----------
    ensemble : Ensemble
    cells : ndarray of shape (n_samples, n_features)
        As they came; NaN is missing. Of a typed table the cells that its layout made.
    """

    def __init__(self, ensemble, cells):
        self.ensemble = ensemble
        self.cells = cells
        # What kinds have worked out for `contributions` that `errors` needs too.
        self.kept = {}
        self._in_views = []

    def __len__(self):
        return len(self.cells)

    def take(self, rows):
        """Return the block of some of the rows, by slice or indices."""
        some = Block(self.ensemble, self.cells[rows])
        if "scaled" in vars(self):
            some.scaled = self.scaled[rows]
        return some

    @property
    def layout(self):
        """The layout of a typed table, or None."""
        return self.ensemble.layout

    @once
    def rows(self):
        """The cells, or what components of numbers see of those of a typed table."""
        return self.ensemble.numbers(self.cells)

    @once
    def _completion(self):
        return self.ensemble.complete(self.rows)

    @property
    def completed(self):
        """Rows without NaN."""
        return self._completion[0]

    @property
    def missing(self):
        """Where entries are missing, or None for nowhere."""
        return self._completion[1]

    @once
    def n_missing(self):
        """Number of missing entries of each row."""
        if self.missing is None:
            return np.zeros(len(self.rows), dtype=int)
        return self.missing.sum(1)

    @once
    def is_observed(self):
        """Where entries are not missing."""
        if self.missing is None:
            return np.ones(self.rows.shape, bool)
        return ~self.missing

    @property
    def is_attributed(self):
        """Where contributions are: in a typed table, at each cell with a value."""
        return self.is_observed if self.layout is None else ~np.isnan(self.cells)

    def standardized_view(self, rounds):
        """The view that kinds compare whole rows in, learnt from these once for all."""
        key = "standardized", rounds
        if key not in self.kept:
            self.kept[key] = calibrated_view("standardized", self.rows, rounds)
        return self.kept[key]

    def standardized(self, view):
        """Completed rows in a standardized view and their squared lengths, found once.

        Returns
        -------
        z : ndarray of shape (n_features + 1, n_samples)
            One row after the other, as columns; the last entry of each is 1.
        lengths : ndarray of shape (n_samples,)
        """
        for known, found in self._in_views:
            # A loaded detector has a view of its own for each kind.
            if known is view or (
                np.array_equal(known.center, view.center)
                and np.array_equal(known.scale, view.scale)
            ):
                return found
        z = np.ones((len(view.center) + 1, len(self)))
        z[:-1] = view.transform(self.completed).T
        found = z, np.einsum("ji,ji->i", z[:-1], z[:-1])
        self._in_views.append((view, found))
        return found

    @once
    def scaled(self):
        """Completed rows in the view of the networks."""
        return self.ensemble.view.transform(self.completed)

    @once
    def median(self):
        """Median of the scaled rows, (n_directions,)."""
        return np.median(self.scaled, axis=0)

    @once
    def _reconstruction(self):
        seen = self.ensemble.seen(self.completed, self.scaled)
        return self.ensemble.reconstruct_scaled(seen)

    @once
    def residual(self):
        """Scaled rows less their reconstructions, (members, n_features, n_samples)."""
        return self._reconstruction - torch.from_numpy(self.scaled).mT

    @property
    def member_errors(self):
        """Squared residual of each member in what is observed, (members, n_samples)."""
        if self.missing is None:
            return self.residual.square().sum(1).numpy()
        residual = self.to_column_axes(self.residual.mT.numpy())
        return np.square(residual).sum(-1, where=~self.missing)

    @property
    def expected(self):
        """Mean reconstruction of the members, in the units of the rows."""
        view = self.ensemble.view
        expected = np.zeros(self.rows.shape)
        for z_hat in self._reconstruction.mT.numpy():
            of_member = view.inverse_transform(z_hat, like=self.completed)
            # Each by itself: the sum may be beyond all numbers.
            expected += of_member / self.ensemble.model.n_members
        expected[:, self.ensemble.is_empty] = np.nan
        return expected

    def to_column_axes(self, difference):
        """Rotate differences of scaled rows so that coordinate j is column j's."""
        return self.ensemble.view.to_column_axes(difference)
