"""Fitted networks in the units of X: encode, reconstruct, generate.

They score in float64: the rounding of float32 would make a small residual depend on the
rows beside it.
"""

import math
from contextlib import nullcontext

import numpy as np
import torch
from torch.nn import functional as F

from skncae._once import once
from skncae._threads import one_thread
from skncae.data._layout import Layout
from skncae.networks._autoencoder import Autoencoder, latent_noise
from skncae.networks._state import network_from_state, network_state
from skncae.scaling._scaler import View

# Networks see no more directions of a whitened view than this, those in which the rows
# vary most. They explain a few; more of them would cost time, and change nothing.
MAX_DIRECTIONS = 128

# Rows are taken in blocks of this many, so that memory does not grow with them.
BLOCK = 512


def blocks(n_rows, together=1):
    """Yield the slices of n_rows rows in blocks, or in so many blocks together."""
    size = together * BLOCK
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def seen_directions(Z, view):
    """The part of rows of a view that networks see, (n_samples, n_seen)."""
    return Z if view.rotation is None else Z[:, -MAX_DIRECTIONS:]


def seen_rows(X, view):
    """What networks see of complete rows: no value further out than FURTHEST scales."""
    return view.transform(view.winsorized(X), n_last=MAX_DIRECTIONS)


class Ensemble:
    """The autoencoders of all members, with the view of rows that they see.

    Parameters
    ----------
    model : Autoencoder
    view : View
        The view that the networks were trained on.
    completion : View or None
        Completes rows that hold NaN; without it they are refused.
    is_empty : bool ndarray of shape (n_features,)
        Columns without any value in the training rows.
    layout : Layout or None
        Of a typed table, whose cells become the numbers that the networks see.
    """

    def __init__(self, model, view, completion, is_empty, layout=None):
        self.model = model.cpu().double()
        self.view = view
        self.completion = completion
        self.is_empty = is_empty
        self.layout = layout

    @property
    def n_directions(self):
        """Number of columns of the view."""
        rotation = self.view.rotation
        return len(self.view.center) if rotation is None else rotation.shape[1]

    @property
    def n_seen(self):
        """How many of them the networks see: the last ones."""
        return min(math.prod(self.model.row_shape), self.n_directions)

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {
            "networks": network_state(self.model),
            "view": vars(self.view).copy(),
            "completion": self.completion and vars(self.completion).copy(),
            "is_empty": self.is_empty,
            "layout": self.layout and self.layout.state(),
        }

    @classmethod
    def from_state(cls, state):
        """Build the ensemble that `state` was taken from."""
        return cls(
            network_from_state(Autoencoder, state["networks"]),
            View(**state["view"]),
            state["completion"] and View(**state["completion"]),
            state["is_empty"],
            state.get("layout") and Layout.from_state(state["layout"]),
        )

    @property
    def is_of_images(self):
        """Whether the networks see images, by convolutions."""
        return len(self.model.row_shape) > 1

    @once
    def _feature_major(self):
        """The networks for many rows, or None."""
        return self.model.feature_major()

    def __getstate__(self):
        # It is made of the weights again.
        return {k: v for k, v in vars(self).items() if k != "_feature_major"}

    @property
    def n_cells(self):
        """Number of columns of the rows that are scored."""
        return len(self.view.center if self.layout is None else self.layout.used)

    def numbers(self, cells):
        """What the networks see of cells, which without a layout are numbers."""
        return cells if self.layout is None else self.layout.numbers(cells)

    def complete(self, X):
        """Return rows without NaN, and where there was some: None for nowhere."""
        if self.is_empty.any():
            # Nothing is known of these columns, whatever comes in them now.
            X = np.where(self.is_empty, np.nan, X)
        missing = np.isnan(X)
        if not missing.any():
            return X, None
        if self.completion is None:
            raise ValueError(
                "X contains NaN, but this NCAEDetector was fitted with "
                "allow_nan=False. Fit again with allow_nan=True."
            )
        return self.completion.complete(X), missing

    def seen(self, X, Z):
        """What the networks see of rows: none is further out than those in training.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Complete rows.
        Z : ndarray of shape (n_samples, n_directions)
            The same in the view.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_seen)
        """
        Z = seen_directions(Z, self.view)
        near = self.view.winsorized(X)
        is_far = (near != X).any(1)
        if is_far.any():
            Z = Z.copy(order="K")
            Z[is_far] = self.view.transform(near[is_far], n_last=MAX_DIRECTIONS)
        return Z

    @torch.no_grad()
    def reconstruct_scaled(self, Z):
        """Reconstruct what the networks see of rows, (n_samples, n_seen).

        Returns
        -------
        z_hat : Tensor of shape (members, n_directions, n_samples)
        """
        # The networks' inputs end with a 1.
        z = torch.ones(Z.shape[1] + 1, len(Z), dtype=torch.float64)
        z[:-1] = torch.from_numpy(Z).mT
        if self._feature_major is not None:
            z_hat = self._feature_major(z)
        else:
            x = z[:-1].mT
            z_hat = self.model(x.expand(self.model.n_members, *x.shape)).mT
        n_unseen = self.n_directions - self.n_seen
        if n_unseen:
            # Directions that the networks do not see are reconstructed as the centre.
            z_hat = F.pad(z_hat, (0, 0, n_unseen, 0))
        return z_hat

    @torch.no_grad()
    def encode(self, X):
        """Latent features of each member, (members, n_samples, latent)."""
        latent = []
        with self._threads():
            for block in blocks(len(X)):
                rows, _ = self.complete(self.numbers(X[block]))
                z = torch.from_numpy(seen_rows(rows, self.view))
                z = z.expand(self.model.n_members, *z.shape)
                latent.append(self.model.encoder(z))
        return torch.cat(latent, 1).numpy()

    @torch.no_grad()
    def generate(self, n_samples, variance, random_state):
        """Draw rows in the units of X, g(omega) of Eq. 6, each of a random member."""
        generator = torch.Generator().manual_seed(
            int(random_state.randint(np.iinfo(np.int32).max))
        )
        mu = self.model.mu
        rows = np.empty((n_samples, len(self.view.center)))
        with self._threads():
            for block in blocks(n_samples):
                size = block.stop - block.start
                shape = (len(mu), size, mu.shape[-1])
                noise = torch.randn(shape, generator=generator, dtype=mu.dtype)
                generated = self.model.decoder(latent_noise(mu, variance, noise))
                members = random_state.randint(len(mu), size=size)
                generated = generated[members, np.arange(size)]
                generated = F.pad(generated, (self.n_directions - self.n_seen, 0))
                rows[block] = self.view.inverse_transform(generated.numpy())
        rows[:, self.is_empty] = np.nan
        return rows

    def _threads(self):
        """What small products run in; convolutions are worth sharing out."""
        return nullcontext() if self.is_of_images else one_thread()
