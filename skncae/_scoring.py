"""From rows to scores.

Three kinds of evidence against a row, each an error that is large when the row is
unlike the normal ones:

==============  ==========================================================
evidence        error
==============  ==========================================================
likelihood      ``|x - g(f(x))|^2 + |f(x) - mu|^2``: the reconstruction error
                of Eq. 9 and the latent distance. Eq. 4 aligns the latent
                features with N(mu, I), so the sum is minus twice a Gaussian
                log-likelihood, up to a constant.
dictionary      distance to the nearest of the rows that a member is sure of
tails           squared surprise of each column alone, summed
==============  ==========================================================

Errors of different kinds are made comparable by their *surprise*, minus the log of
the share of training rows with a larger error, and averaged. (A sum of -log p is
Fisher's way to combine tests.)
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import skew

EVIDENCE = ("likelihood", "dictionary", "tails")

# Dictionaries hold rows of the lowest error only: this share of the rows ...
SURE_SHARE = 0.8
# ... among at most this many.
MAX_DICTIONARY_POOL = 4096

# Rows are scored in blocks of this many, so that memory does not grow with them.
BLOCK = 2048


def blocks(n_rows):
    """Yield the slices of n_rows rows in blocks."""
    for start in range(0, n_rows, BLOCK):
        yield slice(start, min(start + BLOCK, n_rows))


@torch.no_grad()
def member_errors(model, x):
    """Squared residuals and latent distances of every member.

    Parameters
    ----------
    model : Autoencoder
    x : Tensor of shape (members, batch, features)

    Returns
    -------
    residual, latent : Tensor of shape (members, batch)
    """
    z = model.encoder(x)
    residual = (x - model.decoder(z)).square_().sum(-1)
    return residual, (z - model.mu).square_().sum(-1)


@torch.no_grad()
def nearest_distance(x, dictionary):
    """Distance of every row to the nearest row of each member's dictionary.

    Parameters
    ----------
    x : Tensor of shape (members, batch, features)
    dictionary : Tensor of shape (members, size, features)

    Returns
    -------
    distance : Tensor of shape (members, batch)
    """
    # Differences are taken directly: the expanded square loses all digits of the
    # distance between two rows that are far from the origin.
    return torch.cdist(
        x, dictionary, compute_mode="donot_use_mm_for_euclid_dist"
    ).amin(-1)


@dataclass(frozen=True)
class Surprise:
    """Minus the log of the share of training errors that are larger.

    Between the training errors it is interpolated; beyond the largest it follows
    the Pareto tail of the largest ones, so that no two outliers tie.

    Parameters
    ----------
    log_errors, surprises : ndarray of shape (n_knots,)
    tail_index : float
    """

    log_errors: np.ndarray
    surprises: np.ndarray
    tail_index: float

    @classmethod
    def of(cls, errors, n_knots=512):
        """Estimate it from the errors of the training rows."""
        n = len(errors)
        log_errors = np.sort(_log(errors))[::-1]
        # Knots at log-spaced ranks: every one of the largest errors, then fewer.
        ranks = np.unique(np.geomspace(1, n, min(n, n_knots)).astype(int))
        knots, first = np.unique(log_errors[ranks - 1][::-1], return_index=True)
        surprises = -np.log((ranks[::-1][first] - 0.5) / n)
        return cls(knots, surprises, _tail_index(log_errors))

    def __call__(self, errors):
        log_errors = _log(errors)
        beyond = np.maximum(log_errors - self.log_errors[-1], 0.0)
        within = np.interp(log_errors, self.log_errors, self.surprises)
        return within + self.tail_index * beyond


def _log(errors):
    """Log of errors, where zero is a very small number."""
    return np.log(np.maximum(errors, 1e-30))


def _tail_index(log_errors):
    """Hill's estimate from the sqrt(n) largest of the descending log-errors."""
    largest = log_errors[: max(2, int(np.sqrt(len(log_errors))))]
    excess = (largest - largest[-1]).mean()
    # A tail lighter than a normal one's is an artefact of ties.
    return 1.0 / max(excess, 0.05)


@dataclass(frozen=True)
class ColumnTails:
    """How far out each column is, in the direction of its longer tail.

    Parameters
    ----------
    quantiles : ndarray of shape (n_reference, n_features)
        Sorted training values, negated where the longer tail is the lower one.
    sign : ndarray of shape (n_features,)
        +1 or -1, the direction of the longer tail.
    """

    quantiles: np.ndarray
    sign: np.ndarray

    @classmethod
    def of(cls, X, n_reference=4096):
        """Take the quantiles and the skewness of the training rows."""
        with warnings.catch_warnings():
            # A column that is all but constant has no skewness to speak of.
            warnings.simplefilter("ignore", RuntimeWarning)
            skewness = np.nan_to_num(skew(X.astype(np.float64), axis=0))
        sign = np.where(skewness > 0, 1.0, -1.0)
        ordered = np.sort(X * sign, axis=0)
        if len(ordered) > n_reference:
            picked = np.linspace(0, len(ordered) - 1, n_reference).round().astype(int)
            ordered = ordered[picked]
        return cls(ordered, sign)

    def __call__(self, X):
        """Sum over columns of the squared -log P(a training value is as large)."""
        n_reference, n_features = self.quantiles.shape
        total = np.zeros(len(X))
        for column in range(n_features):
            smaller = np.searchsorted(
                self.quantiles[:, column], X[:, column] * self.sign[column], "left"
            )
            # Never zero: a value beyond all is as rare as the largest one.
            share = np.maximum(n_reference - smaller, 1) / n_reference
            total += np.square(np.log(share))
        return total


class Scorer:
    """Errors of rows, from fitted views and networks.

    Networks score in float64: the rounding of float32 would make a small residual
    depend on the rows beside it.

    Parameters
    ----------
    views : list of View
    view_of_member : int Tensor of shape (members,)
    model : Autoencoder
    """

    def __init__(self, views, view_of_member, model):
        self.views = views
        self.view_of_member = view_of_member
        self.model = model.cpu().double()
        self.kinds = None

    def weigh(self, X, kinds, dictionary_size, random_state):
        """Score by these kinds of evidence from now on, compared on training rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Training rows.
        kinds : tuple of str
            Some of `EVIDENCE`.
        dictionary_size : int
        random_state : RandomState
        """
        if "dictionary" in kinds:
            self._fill_dictionaries(X, dictionary_size, random_state)
        if "tails" in kinds:
            self.column_tails = ColumnTails.of(X)
        self.kinds = kinds
        self.surprises = [Surprise.of(errors) for errors in self._evidence(X, kinds)]

    def errors(self, X):
        """Error of each row: its mean surprise, or the reconstruction error.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        if self.kinds is None:
            return self._evidence(X, ("reconstruction",)).mean(0)
        evidence = self._evidence(X, self.kinds)
        surprises = zip(self.surprises, evidence, strict=True)
        return np.mean([surprise(errors) for surprise, errors in surprises], axis=0)

    def reconstruct(self, X):
        """Mean reconstruction of the members, in the units of X."""
        expected = np.zeros(X.shape)
        for block in blocks(len(X)):
            with torch.no_grad():
                x_hat = self.model(self._member_rows(X[block])).numpy()
            for member, index in enumerate(self.view_of_member):
                expected[block] += self.views[index].inverse_transform(x_hat[member])
        return expected / len(self.view_of_member)

    def _evidence(self, X, kinds):
        """Errors of each kind, and of each view within a kind, block by block."""
        evidence = [self._block_evidence(X[block], kinds) for block in blocks(len(X))]
        return np.concatenate(evidence, axis=1)

    def _block_evidence(self, X, kinds):
        """Errors of some rows, (kinds and views, n_samples)."""
        x = self._member_rows(X)
        residual, latent = member_errors(self.model, x)
        errors = []
        for kind in kinds:
            if kind == "reconstruction":
                errors.append(residual.mean(0, keepdim=True))
            elif kind == "likelihood":
                errors.append(self._mean_by_view(residual + latent))
            elif kind == "dictionary":
                errors.append(self._mean_by_view(nearest_distance(x, self.dictionary)))
            else:
                errors.append(torch.from_numpy(self.column_tails(X))[None])
        return torch.cat(errors).numpy()

    def _member_rows(self, X):
        """Rows in the view of each member, (members, n_samples, n_features)."""
        views = np.stack([view.transform(X) for view in self.views])
        return torch.from_numpy(views)[self.view_of_member]

    def _mean_by_view(self, errors):
        """Average errors over the members of each view, (views, n_samples)."""
        n_views = len(self.views)
        return torch.stack(
            [errors[self.view_of_member == view].mean(0) for view in range(n_views)]
        )

    def _fill_dictionaries(self, X, size, random_state):
        """Give each member its own random rows out of those of low error."""
        X = X[random_state.permutation(len(X))[:MAX_DICTIONARY_POOL]]
        likelihood = self._evidence(X, ("likelihood",))
        doubt = np.mean([Surprise.of(errors)(errors) for errors in likelihood], axis=0)
        sure = np.argsort(doubt)[: math.ceil(SURE_SHARE * len(X))]
        # At most half of them: a dictionary of all rows would hold every outlier
        # that got past the networks, for every member.
        size = min(size, math.ceil(len(sure) / 2))
        picked = np.stack(
            [random_state.permutation(sure)[:size] for _ in self.view_of_member]
        )
        member = torch.arange(len(picked))[:, None]
        self.dictionary = self._member_rows(X)[member, torch.from_numpy(picked)]
