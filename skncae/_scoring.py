"""From rows to scores.

Three kinds of evidence against a row, each an error that is large when the row is
unlike the normal ones:

==============  ==========================================================
evidence        error
==============  ==========================================================
reconstruction  ``|x - g(f(x))|^2`` of Eq. 9, the mean over members: the row breaks
                the way in which the columns vary together
dictionary      distance to the nearest of the rows that a member is sure are
                normal, the mean over members: no normal row is like it (the
                dictionary of Eq. 7, of real rows)
tails           squared surprise of each column alone, summed: many columns are far
                out, or a few very far
==============  ==========================================================

Errors of different kinds are made comparable by their *surprise*, minus the log of
the share of training rows with a larger error. The score is the median surprise: a
row is an outlier when most of the evidence says so.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import skew

from skncae._losses import reconstruction_error

EVIDENCE = ("reconstruction", "dictionary", "tails")

# Dictionaries hold rows of the lowest error only: this share of the rows ...
SURE_SHARE = 0.8
# ... among at most this many.
MAX_DICTIONARY_POOL = 4096

# Rows are scored in blocks of this many, so that memory does not grow with them.
BLOCK = 512


def blocks(n_rows):
    """Yield the slices of n_rows rows in blocks."""
    for start in range(0, n_rows, BLOCK):
        yield slice(start, min(start + BLOCK, n_rows))


def nearest_distance(x, dictionary):
    """Distance of every row to the nearest row of each dictionary.

    Parameters
    ----------
    x : Tensor of shape (batch, features)
    dictionary : Tensor of shape (members, size, features)

    Returns
    -------
    distance : Tensor of shape (members, batch)
    """
    # Differences are taken directly: the expanded square loses all digits of the
    # distance between two rows that are far from the origin.
    distance = torch.cdist(x, dictionary, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.amin(-1)


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
    """Errors of rows, from fitted networks and what the training rows were like.

    Networks score in float64: the rounding of float32 would make a small residual
    depend on the rows beside it.

    Parameters
    ----------
    model : Autoencoder
    view : View
        The view that the networks were trained on.
    kinds : tuple of str
        Some of `EVIDENCE`.
    """

    def __init__(self, model, view, kinds):
        self.model = model.cpu().double()
        self.view = view
        self.kinds = kinds
        self.surprises: list[Surprise] = []

    def learn(self, X, dictionary_view, dictionary_size, random_state):
        """Learn from training rows what an error of each kind is worth.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        dictionary_view : View
            The view that rows are compared with the dictionaries in.
        dictionary_size : int
        random_state : RandomState

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
            What `errors` gives for these rows.
        """
        if "dictionary" in self.kinds:
            self.dictionary_view = dictionary_view
            self._fill_dictionaries(X, dictionary_size, random_state)
        if "tails" in self.kinds:
            self.column_tails = ColumnTails.of(X)
        evidence = self.evidence(X)
        self.surprises = [Surprise.of(errors) for errors in evidence]
        return self._verdict(evidence)

    def errors(self, X):
        """Error of each row: its median surprise, or the error of the only kind.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        errors : ndarray of shape (n_samples,), float64
        """
        return self._verdict(self.evidence(X))

    def evidence(self, X):
        """Errors of each kind, (n_kinds, n_samples)."""
        evidence = np.empty((len(self.kinds), len(X)))
        for block in blocks(len(X)):
            for row, kind in zip(evidence, self.kinds, strict=True):
                row[block] = getattr(self, f"_{kind}")(X[block])
        return evidence

    @torch.no_grad()
    def reconstruct(self, X):
        """Mean reconstruction of the members, in the units of X."""
        expected = np.zeros(X.shape)
        for block in blocks(len(X)):
            for x_hat in self.model(self._rows(X[block])).numpy():
                expected[block] += self.view.inverse_transform(x_hat)
        return expected / self.model.n_members

    def _verdict(self, evidence):
        """Median surprise of (n_kinds, n_samples) errors, or the only errors."""
        if len(self.kinds) == 1:
            return evidence[0]
        surprises = zip(self.surprises, evidence, strict=True)
        return np.median([surprise(errors) for surprise, errors in surprises], axis=0)

    def _reconstruction(self, X):
        return self._member_errors(X).mean(0)

    def _dictionary(self, X):
        x = torch.from_numpy(self.dictionary_view.transform(X))
        return nearest_distance(x, self.dictionaries).mean(0).numpy()

    def _tails(self, X):
        return self.column_tails(X)

    @torch.no_grad()
    def _member_errors(self, X):
        """Squared residual of each member, (members, n_samples)."""
        x = self._rows(X)
        return reconstruction_error(x, self.model(x)).numpy()

    def _rows(self, X):
        """Rows in the view of the networks, (members, n_samples, n_features)."""
        x = torch.from_numpy(self.view.transform(X))
        return x.expand(self.model.n_members, *x.shape)

    def _fill_dictionaries(self, X, size, random_state):
        """Give each member random rows out of those it reconstructs best."""
        X = X[random_state.permutation(len(X))[:MAX_DICTIONARY_POOL]]
        n_sure = math.ceil(SURE_SHARE * len(X))
        # At most half of them: a dictionary of all rows would hold every outlier
        # that got past the networks, for every member.
        size = min(size, math.ceil(n_sure / 2))
        x = torch.from_numpy(self.dictionary_view.transform(X))
        picked = [
            random_state.permutation(np.argsort(errors)[:n_sure])[:size]
            for errors in self._member_errors(X)
        ]
        self.dictionaries = x[torch.from_numpy(np.stack(picked))]
