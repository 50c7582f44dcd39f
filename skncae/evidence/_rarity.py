"""The columns of a row, each by itself: how rare its values are."""

from dataclasses import dataclass

import numpy as np

from skncae.evidence._base import Evidence
from skncae.evidence._interpolation import interpolated
from skncae.scaling._location import ABSURD, ROUNDING, reach_of
from skncae.scaling._scaler import standardized, standardized_onnx

# Values this close, in units of what nine tenths of the values reach, are one value.
SAME_VALUE = 1e-4

# Cells of that width begin at this share of one, and values further apart than this
# share of one stay apart. Prices and counts lie on a lattice that it is on no edge of.
OFF_LATTICE = (3 - 5**0.5) / 2

# The same beside a column that is constant; float32 has seven digits.
SAME_AS_A_CONSTANT = 1e-5

# Columns that are standardised together: of all it would take the memory of the rows.
TOGETHER = 256
ALL = slice(None)

# Worths are interpolated between the centres of bins. Zeros that most rows have, at the
# end of a column, would so be worth half of what was never seen. So a value that the
# second share of the rows have is worth what its bin is, and one below the first what
# is interpolated. Both ends of a U-shaped column are as common as the lesser bin there.
UNCOMMON, COMMON = 0.25, 0.35

# Bins begin by this share of one below the least value. Values on a lattice then lie
# inside a bin, and not on an edge where rounding would choose.
SHIFT_OF_BINS = 2e-3


@dataclass(frozen=True)
class Rarity(Evidence):
    """How rare values such as a row's are in each column.

    -log P(a training value is as rare), summed over the columns: gaps, and rare values
    among few. Kin of HBOS, which sums the -log density of a histogram. A column has a
    histogram of as many bins as the square root of its values, or one bin for each
    value where there are no more than that. The knots are the centres of the bins, and
    what three of ten rows have, between two values that are beyond all of them. Absurd
    values are in no bin. Between the knots it is interpolated, so that rounding changes
    it as little as it changes the value.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
        Units of the knots: a column's median, and how far nine tenths of it reach.
    values : ndarray of shape (n_knots, n_features)
        Ascending knots, in these units; NaN at the end of a column that has fewer.
    worths : ndarray of shape (n_knots, n_features)
        What these values are worth.
    """

    center: np.ndarray
    scale: np.ndarray
    values: np.ndarray
    worths: np.ndarray

    name = "rarity"
    by_column_alone = True

    @classmethod
    def learn(cls, block, settings, random_state):
        """Learn from the training rows."""
        return cls.of(block.rows)

    @classmethod
    def of(cls, X):
        """Learn from rows."""
        center, scale, ascending, is_first = _distinct(X)
        columns = [
            _learnt(*_counted(*column))
            for column in zip(ascending, is_first, strict=True)
        ]
        n_knots = max(len(knots) for knots, _ in columns)
        values = np.full((n_knots, len(columns)), np.nan)
        worths = np.full((n_knots, len(columns)), np.nan)
        for column, (knots, worth) in enumerate(columns):
            values[: len(knots), column] = knots
            worths[: len(knots), column] = worth
        return cls(center, scale, values, worths)

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

    def onnx(self, graph):
        """Write `errors` as operations of an ONNX graph."""
        z = standardized_onnx(graph, graph.X, self.center, self.scale)
        worth = graph.interpolated(z, self.values, self.worths)
        return graph.op.reduce_sum(worth, graph.op.const([1]), keepdims=0)

    def _worths(self, block):
        """Yield each column, the rows that have a value there, and what it is worth."""
        n_knots = (~np.isnan(self.values)).sum(0)
        for first in range(0, len(n_knots), TOGETHER):
            part = slice(first, first + TOGETHER)
            z = standardized(block.rows[:, part], self.center[part], self.scale[part])
            missing = np.isnan(z)
            # Asked of many columns at once, for the sake of a single row.
            for place, is_incomplete in enumerate(missing.any(0)):
                column, n = first + place, n_knots[first + place]
                rows = np.flatnonzero(~missing[:, place]) if is_incomplete else ALL
                knots, worths = self.values[:n, column], self.worths[:n, column]
                yield column, rows, interpolated(z[rows, place], knots, worths)


def _learnt(z, counts):
    """Return knots and worths of distinct values of a column that came so often."""
    if not len(z):
        return np.zeros(1), np.zeros(1)
    n = counts.sum()
    if len(z) == 1:
        return _of_a_constant(z, np.log(n))
    values, counts = _ordinary(z, counts)
    n_bins = int(np.ceil(np.sqrt(n)))
    if len(values) <= n_bins:
        return _with_unseen(values, _rarity(counts, n), n)
    knots, bins = _bins(values, n_bins)
    of_bins = np.bincount(bins, counts, n_bins)
    worth = _rarity(of_bins, n)
    own = worth[bins]
    knots, worth = _with_unseen(knots, worth, n)
    return _with_common(knots, worth, values, own, _commonness(counts, of_bins))


def _distinct(X):
    """Centre and scale of each column, its ascending values, and which are distinct.

    The last two are of shape (n_features, n_samples).
    """
    X = np.asarray(X, dtype=np.float64)
    center, scale = reach_of(X)
    # A constant is its own unit.
    scale = np.where(scale > 0, scale, np.abs(center))
    scale[scale == 0] = 1.0
    same = np.maximum(SAME_VALUE, ROUNDING * (np.abs(center) / scale))
    # Missing values come last.
    ascending = np.sort(standardized(X, center, scale).T, axis=1)
    is_first = np.zeros(ascending.shape, bool)
    for z, is_one, width in zip(ascending, is_first, same, strict=True):
        is_one[_first_of_each(z[~np.isnan(z)], width)] = True
    return center, scale, ascending, is_first


def _first_of_each(z, same):
    """Places of the distinct values of an ascending column.

    Those that are kept are at least a third of `same` apart, and stand for what is less
    than one and a half of it beyond them: there are no chains.
    """
    cell = np.floor(z / same - OFF_LATTICE)
    first = np.flatnonzero(cell[1:] != cell[:-1]) + 1
    first = np.concatenate([np.zeros(min(len(z), 1), int), first])
    apart = np.ones(len(first), bool)
    apart[1:] = z[first[1:]] - z[first[:-1]] > same * OFF_LATTICE
    return first[apart]


def _counted(z, is_first):
    """Distinct values of an ascending column, and how often each came."""
    n_values = len(z) - np.count_nonzero(np.isnan(z))
    first = np.flatnonzero(is_first)
    return z[first], np.diff(first, append=n_values)


def _ordinary(z, counts):
    """Distinct values but for the absurd ones, and how often each came."""
    is_ordinary = np.abs(z) <= ABSURD
    return z[is_ordinary], counts[is_ordinary]


def _bins(values, n_bins):
    """Centres of bins of ascending values, and which bin each value is in."""
    low = values[0] - SHIFT_OF_BINS * (values[-1] - values[0]) / n_bins
    width = (values[-1] - low) / n_bins
    bins = np.minimum((values - low) / width, n_bins - 1).astype(int)
    return low + width * (0.5 + np.arange(n_bins)), bins


def _rarity(counts, n):
    """Minus the log of the share of n values that are in bins with no more of them.

    At least one is, as if a value that was never seen had been seen once.
    """
    ordered = np.sort(counts)
    as_rare = np.cumsum(ordered)[np.searchsorted(ordered, counts, "right") - 1]
    return -np.log(np.maximum(as_rare, 1) / n)


def _commonness(counts, of_bins):
    """How common distinct values are, 0 to 1; both ends are if the bins of both are."""
    held = counts.copy()
    held[[0, -1]] = np.maximum(held[[0, -1]], min(of_bins[0], of_bins[-1]))
    share = held / counts.sum()
    return np.clip((share - UNCOMMON) / (COMMON - UNCOMMON), 0.0, 1.0)


def _with_unseen(knots, worth, n):
    """Knots between two that are beyond all of them, and what these are worth."""
    width, unseen = _width(knots), np.log(n)
    knots = [[knots[0] - width], knots, [knots[-1] + width]]
    return np.concatenate(knots), np.concatenate([[unseen], worth, [unseen]])


def _with_common(knots, worth, values, own, commonness):
    """Knots with common values among them, which are worth what their bins are.

    The less common, the more they are worth what they were between the knots.
    """
    common = np.flatnonzero(commonness)
    common = common[~np.isin(values[common], knots)]
    added, own, commonness = values[common], own[common], commonness[common]
    before = np.interp(added, knots, worth)
    knots = np.append(knots, added)
    worth = np.append(worth, before + commonness * (own - before))
    order = np.argsort(knots)
    return knots[order], worth[order]


def _of_a_constant(z, unseen):
    """Knots of a column of one value: what differs by more than rounding is unseen."""
    reach = SAME_AS_A_CONSTANT * np.array([-2.0, -1.0, 1.0, 2.0])
    return z + reach, np.array([unseen, 0.0, 0.0, unseen])


def _width(knots):
    """Mean distance of ascending knots, 1 for a single one."""
    return (knots[-1] - knots[0]) / (len(knots) - 1) if len(knots) > 1 else 1.0
