"""The columns of a row, each by itself: how far out a value is, and how rare."""

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import skew

from skncae.scaling._scaler import LARGEST


class _Columns:
    """Evidence from each column alone: the sum of what its values are worth.

    A subclass says what that is, in `_worth(column, values)`, of values in ascending
    order. They are sorted since each search then begins where the last one ended, which
    makes it several times as fast.
    """

    name: ClassVar[str]
    power = 1
    images_only = complete_only = False
    by_column_alone = True

    def errors(self, block):
        """Sum over the columns of each row, (n_samples,)."""
        if self.name in block.kept:
            return block.kept[self.name].sum(1)
        total = np.zeros(len(block))
        for _, rows, worth in self._worths(block):
            total[rows] += worth
        return total

    def contributions(self, block):
        """What every value is worth; missing ones nothing."""
        worths = np.zeros(block.rows.shape)
        for column, rows, worth in self._worths(block):
            worths[rows, column] = worth
        block.kept[self.name] = worths
        return worths

    def state(self):
        """Everything learnt, as a dictionary of arrays."""
        return vars(self).copy()

    @classmethod
    def from_state(cls, state):
        """Build the evidence that `state` was taken from."""
        return cls(**state)

    def _worth(self, column, values):
        """What ascending values of a column are worth."""
        raise NotImplementedError

    def _worths(self, block):
        """Yield each column, the rows that have a value there, and what it is worth."""
        for column, rows in enumerate(block.ascending):
            yield column, rows, self._worth(column, block.rows[rows, column])


@dataclass(frozen=True)
class Tails(_Columns):
    """How far out each column is, in the direction of its longer tail.

    The squared -log P(a training value is as large), summed over the columns: many
    columns are far out, or a few very far. Kin of ECOD and COPOD, which sum the -log
    tail probability itself, of both tails or of the one that the skewness picks.

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

    name = "tails"

    @classmethod
    def learn(cls, block, settings, random_state):
        """Take the quantiles and the skewness of the training rows."""
        return cls.of(block.rows)

    @classmethod
    def of(cls, X, n_reference=4096):
        """Take the quantiles and the skewness of rows."""
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

    def usual_range(self):
        """Between what values 98 % of each column lie: (low, high)."""
        n_last = np.maximum((~np.isnan(self.quantiles)).sum(0) - 1, 0)
        columns = np.arange(len(self.sign))
        ends = [
            self.quantiles[(share * n_last).round().astype(int), columns] * self.sign
            for share in (0.01, 0.99)
        ]
        return np.minimum(*ends), np.maximum(*ends)

    def _worth(self, column, values):
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

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        op = graph.op
        # NaN at the end of a column is smaller than nothing, and counts for nothing.
        n_reference = (~np.isnan(self.quantiles)).sum(0)
        signed = op.mul(graph.X, op.const(self.sign))
        smaller = graph.count_smaller(self.quantiles, signed)
        places = np.arange(len(self.quantiles) + 1)[:, None]
        counts = np.maximum(n_reference - places, 1)
        worth = op.const(np.square(np.log(counts / n_reference)))
        worth = op.gather_elements(worth, smaller, axis=0)
        return op.reduce_sum(worth, op.const([1]), keepdims=0)


@dataclass(frozen=True)
class Rarity(_Columns):
    """How rare values such as a row's are in each column.

    -log P(a training value is as rare), summed over the columns: gaps, and rare values
    among few. Kin of HBOS, which sums the -log density of a histogram. A column has a
    histogram of as many bins as the square root of its values, or one bin for each
    value where there are no more than that. Between the centres of the bins it is
    interpolated, so that rows do not tie.

    Parameters
    ----------
    values : ndarray of shape (n_knots, n_features)
        Centres of the bins, between two values that are beyond all of them; NaN at
        the end of a column that has fewer.
    minus_logs : ndarray of shape (n_knots, n_features)
        Minus the log of the share of training values in a bin as rare.
    """

    values: np.ndarray
    minus_logs: np.ndarray

    name = "rarity"

    @classmethod
    def learn(cls, block, settings, random_state):
        """Count the training values."""
        return cls.of(block.rows)

    @classmethod
    def of(cls, X):
        """Count the values of rows."""
        columns = [_rarity(column[~np.isnan(column)]) for column in X.T]
        n_knots = max(len(knots) for knots, _ in columns)
        values = np.full((n_knots, len(columns)), np.nan)
        minus_logs = np.full((n_knots, len(columns)), np.nan)
        for column, (knots, minus_log) in enumerate(columns):
            values[: len(knots), column] = knots
            minus_logs[: len(knots), column] = minus_log
        return cls(values, minus_logs)

    def _worth(self, column, values):
        """What ascending values of a column are worth."""
        knots, minus_logs = self.values[:, column], self.minus_logs[:, column]
        n_knots = np.count_nonzero(~np.isnan(knots))
        return np.interp(values, knots[:n_knots], minus_logs[:n_knots])

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        worth = graph.interpolated(graph.X, self.values, self.minus_logs)
        return graph.op.reduce_sum(worth, graph.op.const([1]), keepdims=0)


def _rarity(column):
    """Return the knots of one column, and minus the log of the share as rare."""
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
    minus_log = -np.log(np.maximum(as_rare, 1) / n)
    width = (centres[-1] - centres[0]) / max(len(centres) - 1, 1)
    # Where the width is nothing, or lost in rounding: the next number.
    below = min(centres[0] - width, np.nextafter(centres[0], -np.inf))
    beyond = max(centres[-1] + width, np.nextafter(centres[-1], np.inf))
    unseen = np.log(n)
    return np.r_[below, centres, beyond], np.r_[unseen, minus_log, unseen]
