"""The columns of a row, each by itself: how far out a value is, and how rare."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import skew

from skncae.scaling._calibration import LARGEST


class _Columns:
    """Evidence from each column alone: the sum of the surprises of its values.

    A subclass says what these are, in `_surprise(column, values)`, of values in
    ascending order. They are sorted since each search then begins where the last one
    ended, which makes it several times as fast.
    """

    def _surprise(self, column, values):
        """What ascending values of a column are worth."""
        raise NotImplementedError

    def __call__(self, X):
        """Sum over the columns of each row, (n_samples,)."""
        total = np.zeros(len(X))
        for _, rows, surprise in self._surprises(X):
            total[rows] += surprise
        return total

    def by_column(self, X):
        """Surprise of every value of X; that of missing ones is zero."""
        surprises = np.zeros(X.shape)
        for column, rows, surprise in self._surprises(X):
            surprises[rows, column] = surprise
        return surprises

    def _surprises(self, X):
        """Yield each column, the rows that have a value there, and their surprises."""
        for column, values in enumerate(X.T):
            rows = np.argsort(values)
            # Missing values come last.
            rows = rows[: len(rows) - np.count_nonzero(np.isnan(values))]
            yield column, rows, self._surprise(column, values[rows])


@dataclass(frozen=True)
class ColumnTails(_Columns):
    """How far out each column is, in the direction of its longer tail.

    The surprise is the squared -log P(a training value is as large).

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

    def _surprise(self, column, values):
        """What ascending values of a column are worth."""
        if self.sign[column] < 0:
            # Those that are smaller, from the largest on, become those that are larger.
            values = -values[::-1]
        quantiles = self.quantiles[:, column]
        if np.isnan(quantiles[-1]):
            quantiles = quantiles[~np.isnan(quantiles)]
        n_reference = max(len(quantiles), 1)
        smaller = np.searchsorted(quantiles, values, "left")
        # Never zero: a value beyond all is as rare as the largest one.
        share = np.maximum(n_reference - smaller, 1) / n_reference
        square = np.square(np.log(share))
        return square if self.sign[column] > 0 else square[::-1]


@dataclass(frozen=True)
class ColumnRarity(_Columns):
    """How rare values such as a row's are in each column.

    The surprise is -log P(a training value is as rare).

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

    def _surprise(self, column, values):
        """What ascending values of a column are worth."""
        knots, surprises = self.values[:, column], self.surprises[:, column]
        n_knots = np.count_nonzero(~np.isnan(knots))
        return np.interp(values, knots[:n_knots], surprises[:n_knots])


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
