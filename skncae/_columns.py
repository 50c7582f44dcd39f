"""The columns of a row, each by itself: how far out a value is, and how rare."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import skew

from skncae._inputs import LARGEST


@dataclass(frozen=True)
class ColumnTails:
    """How far out each column is, in the direction of its longer tail.

    Parameters
    ----------
    quantiles : ndarray of shape (n_reference, n_features)
        Sorted training values, negated where the longer tail is the lower one; NaN
        at the end of a column that has fewer.
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
            skewness = skew(X.astype(np.float64), axis=0, nan_policy="omit")
        skewness = np.nan_to_num(skewness)
        sign = np.where(skewness > 0, 1.0, -1.0)
        ordered = np.sort(X * sign, axis=0)
        if len(ordered) > n_reference:
            picked = np.linspace(0, len(ordered) - 1, n_reference).round().astype(int)
            ordered = ordered[picked]
        return cls(ordered, sign)

    def __call__(self, X):
        """Sum over columns of the squared -log P(a training value is as large)."""
        return self.by_column(X).sum(1)

    def by_column(self, X):
        """Squared -log P(a training value is as large), of every value of X."""
        # Column by column in memory, as it is filled.
        surprise = np.empty(X.shape, order="F")
        for column, (quantiles, sign) in enumerate(
            zip(self.quantiles.T, self.sign, strict=True)
        ):
            if np.isnan(quantiles[-1]):
                quantiles = quantiles[~np.isnan(quantiles)]
            n_reference = max(len(quantiles), 1)
            values = X[:, column] * sign
            smaller = np.searchsorted(quantiles, values, "left")
            # Never zero: a value beyond all is as rare as the largest one.
            share = np.maximum(n_reference - smaller, 1) / n_reference
            # Missing values are behind all others.
            square = np.square(np.log(share))
            surprise[:, column] = np.where(np.isnan(values), 0.0, square)
        return surprise


@dataclass(frozen=True)
class ColumnRarity:
    """How rare values such as a row's are in each column.

    A column has a histogram of as many bins as the square root of its values, or one
    bin for each value where there are no more than that. Between the centres of the
    bins the surprise is interpolated, so that rows do not tie.

    Parameters
    ----------
    values : ndarray of shape (n_knots, n_features)
        Centres of the bins, between two values that are beyond all of them; NaN at
        the end of a column that has fewer.
    surprises : ndarray of shape (n_knots, n_features)
        Minus the log of the share of training values in a bin as rare.
    """

    values: np.ndarray
    surprises: np.ndarray

    @classmethod
    def of(cls, X):
        """Count the training values."""
        columns = [_rarity(column[~np.isnan(column)]) for column in X.T]
        n_knots = max(len(knots) for knots, _ in columns)
        values = np.full((n_knots, len(columns)), np.nan)
        surprises = np.full((n_knots, len(columns)), np.nan)
        for column, (knots, surprise) in enumerate(columns):
            values[: len(knots), column] = knots
            surprises[: len(knots), column] = surprise
        return cls(values, surprises)

    def __call__(self, X):
        """Sum over columns of -log P(a training value is as rare)."""
        return self.by_column(X).sum(1)

    def by_column(self, X):
        """-log P(a training value is as rare), of every value of X."""
        # Column by column in memory, as it is filled.
        surprise = np.empty(X.shape, order="F")
        columns = zip(self.values.T, self.surprises.T, strict=True)
        for column, (knots, surprises) in enumerate(columns):
            n_knots = np.count_nonzero(~np.isnan(knots))
            values = np.interp(X[:, column], knots[:n_knots], surprises[:n_knots])
            # Missing values are not rare.
            surprise[:, column] = np.where(np.isnan(X[:, column]), 0.0, values)
        return surprise


def _rarity(column):
    """Return the knots of the values of one column and the surprise at each."""
    n = len(column)
    if n == 0:
        return np.zeros(1), np.zeros(1)
    column = np.clip(column, -LARGEST, LARGEST, dtype=np.float64)
    n_bins = int(np.ceil(np.sqrt(n)))
    centres, counts = np.unique(column, return_counts=True)
    if len(centres) > n_bins:
        counts, edges = np.histogram(column, n_bins)
        centres = (edges[:-1] + edges[1:]) / 2
    # How many values are in bins with no more of them: at least one, as if a value
    # that was never seen had been seen once.
    ordered = np.sort(counts)
    as_rare = np.cumsum(ordered)[np.searchsorted(ordered, counts, "right") - 1]
    surprise = -np.log(np.maximum(as_rare, 1) / n)
    width = (centres[-1] - centres[0]) / max(len(centres) - 1, 1)
    # Where the width is nothing, or lost in rounding: the next number.
    below = min(centres[0] - width, np.nextafter(centres[0], -np.inf))
    beyond = max(centres[-1] + width, np.nextafter(centres[-1], np.inf))
    unseen = np.log(n)
    return np.r_[below, centres, beyond], np.r_[unseen, surprise, unseen]
