"""How unlikely one cell of a row is, given what a forest says of it.

A number is judged by its distance to the median that was expected, in units of the
spread that was expected; a category by the share of what is no likelier than it. Either
way what is common says nothing. Beyond what most training rows show, surprises are
extrapolated: the outliers among the training rows do not make outliers look usual.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skncae.evidence._trees import Forest

# Between these shares of the training errors the tail is fitted; those above may be
# outliers.
TAIL_FROM, TAIL_TO = 0.8, 0.99

# Spreads are widened by this share of the usual one, since few values say little of
# it, and the usual one is at least so many deviations of the column.
WIDENED, LEAST_SPREAD = 0.5, 0.1

# Trees split numbers within so many deviations; beyond, they are the same.
CLIP = 4.0

# Where zeros are more than this share, they are usual values of a column.
USUAL_ZEROS = 0.02

# What a category that looks like a slip of the keys is more surprising than another of
# its frequency.
SLIP = 5.0

# Categories that are predicted one by one: at most so many, each of so many rows.
MOST_CLASSES, LEAST_ROWS = 40, 3


@dataclass(frozen=True)
class Tail:
    """Minus the log of the share of training errors that are as large.

    Beyond the last quantile it goes on as steeply as it came, and then with the
    logarithm: absurd values are told apart, and no column drowns the others.

    Parameters
    ----------
    quantiles, surprises : ndarray of shape (n_knots,)
    width : float
        Between the two quantiles that the tail is fitted by.
    """

    quantiles: np.ndarray
    surprises: np.ndarray
    width: float

    @classmethod
    def of(cls, errors):
        """Learn the tail from the errors of training rows."""
        if not len(errors):
            return cls(np.zeros(1), np.zeros(1), 1.0)
        shares = np.append(
            np.linspace(0, TAIL_FROM, 64), np.linspace(TAIL_FROM, TAIL_TO, 64)
        )
        quantiles = np.quantile(errors, shares)
        # The last of equal ones: what most rows have is no surprise.
        first = np.flatnonzero(np.diff(quantiles, prepend=-np.inf) > 0)
        knots, surprises = quantiles[first], -np.log1p(-shares)[first]
        width = max(knots[-1] - np.quantile(errors, TAIL_FROM), 1e-3 * knots[-1], 1e-9)
        return cls(knots, surprises, float(width))

    def __call__(self, errors):
        within = np.interp(errors, self.quantiles, self.surprises)
        beyond = np.maximum(errors - self.quantiles[-1], 0.0) / self.width
        steepness = np.log((1 - TAIL_FROM) / (1 - TAIL_TO))
        is_beyond = beyond > 0
        last = np.where(is_beyond, -np.log1p(-TAIL_TO), within)
        return last + steepness * np.log1p(beyond)


NO_TAIL = Tail(np.zeros(1), np.zeros(1), 1.0)


@dataclass(frozen=True)
class NumberCells:
    """The cells of a column of numbers.

    Parameters
    ----------
    forest : Forest
        Predicts the median and the spread.
    is_log : bool
        Whether the logarithm is compared, where its tails are more alike.
    center, scale : float
        Of the column, or of its logarithm.
    offset, floor : float
        What is added before the logarithm is taken, and the least that it is taken of.
    spread : float
        The usual one.
    tail : Tail
    """

    kind: ClassVar[str] = "number"

    forest: Forest
    is_log: bool
    center: float
    scale: float
    offset: float
    floor: float
    spread: float
    tail: Tail = NO_TAIL

    def surprise(self, values, predicted):
        """Surprise of each value, zero where it is missing."""
        surprise = self.tail(self.errors(values, predicted))
        return np.where(np.isnan(values), 0.0, surprise)

    def errors(self, values, predicted):
        """Distance to the median in spreads, zero where a value is missing."""
        median, spread = predicted.T
        scaling = (self.is_log, self.center, self.scale, self.offset, self.floor)
        distance = np.abs(standardized(values, *scaling) - median)
        return np.nan_to_num(distance / (spread + WIDENED * self.spread))

    def expected(self, predicted):
        """The value that was expected, (n_samples,)."""
        median = predicted[:, 0] * self.scale + self.center
        if not self.is_log:
            return median
        return np.exp(np.minimum(median, 700.0)) - self.offset


@dataclass(frozen=True)
class CategoryCells:
    """The cells of a column of categories.

    Their surprise is no larger than the error, which is minus the log of a share: where
    all training rows are certain, a rare one is no more than rare.

    Parameters
    ----------
    forest : Forest
        Predicts the share of each class.
    classes : ndarray of int of shape (n_values + 2,)
        The class of each category and of new ones; the last class is of all those
        that are too few to be predicted.
    as_rare : ndarray of shape (n_values + 2,)
        Share of its class that is as rare as the category.
    slips : bool ndarray of shape (n_values + 2,)
        Which categories look like slips of the keys.
    tail : Tail
    """

    kind: ClassVar[str] = "category"

    forest: Forest
    classes: np.ndarray
    as_rare: np.ndarray
    slips: np.ndarray
    tail: Tail = NO_TAIL

    def surprise(self, values, predicted):
        """Surprise of each value, zero where it is missing."""
        errors = self.errors(values, predicted)
        is_slip = self.slips[self._codes(values)] & ~np.isnan(values)
        return np.minimum(self.tail(errors), errors) + SLIP * is_slip

    def errors(self, values, predicted):
        """Minus the log of the share of what is no likelier, zero where missing."""
        codes = self._codes(values)
        classes, rows = self.classes[codes], np.arange(len(values))
        own = predicted[rows, classes]
        is_less = predicted <= own[:, None] + 1e-12
        is_less[rows, classes] = False
        share = (predicted * is_less).sum(axis=1) + own * self.as_rare[codes]
        errors = -np.log(np.clip(share, 1e-6, 1.0))
        return np.where(np.isnan(values), 0.0, errors)

    def _codes(self, values):
        """Codes as integers, of what is missing the first."""
        codes = np.where(np.isnan(values), 0, values).astype(int)
        return np.minimum(codes, len(self.classes) - 1)

    def expected(self, predicted):
        """The likeliest category, (n_samples,)."""
        # The category of each class; of the last one, the most frequent of its own.
        likeliest = predicted[:, :-1].argmax(axis=1) if predicted.shape[1] > 1 else 0
        return self._category_of(np.broadcast_to(likeliest, len(predicted)))

    def _category_of(self, classes):
        """The category that a class stands for."""
        first = np.zeros(self.classes.max() + 1, dtype=int)
        first[self.classes[::-1]] = np.arange(len(self.classes))[::-1]
        return first[classes].astype(np.float64)


def scaling_of(values):
    """Say how values are compared: the parameters of `NumberCells`."""
    seen = values[~np.isnan(values)]
    is_log, offset, floor = False, 0.0, 0.0
    if len(seen) and seen.min() >= 0 and (seen > 0).any():
        positive = seen[seen > 0]
        if np.mean(seen == 0) > USUAL_ZEROS:
            offset = float(np.median(positive))
        floor = float(0.1 * (np.quantile(positive, 0.01) + offset))
        is_log = _skewness(_compared(seen, True, offset, floor)) < _skewness(seen)
    compared = _compared(seen, is_log, offset, floor)
    if not len(compared):
        compared = np.zeros(1)
    low, high = np.quantile(compared, [0.05, 0.95])
    # Of a normal distribution these are so many deviations apart.
    scale = (high - low) / 3.29
    scale = scale if scale > 0 else float(compared.std())
    return {
        "is_log": bool(is_log),
        "center": float(np.median(compared)),
        "scale": float(scale) or 1.0,
        "offset": offset,
        "floor": floor,
    }


def standardized(values, is_log, center, scale, offset, floor):
    """Values as they are compared, (n_samples,)."""
    return (_compared(values, is_log, offset, floor) - center) / scale


def _compared(values, is_log, offset, floor):
    """Values, or their logarithm, of which there is none below the floor."""
    return np.log(np.maximum(values + offset, floor)) if is_log else values


def _skewness(values):
    """How much further one tail is from the median than the other, in [0, 1]."""
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return abs((high - middle) - (middle - low)) / max(high - low, 1e-300)


def medians_and_spreads(values):
    """Return what a forest of numbers says in its leaves; see `grow`."""

    def of_leaves(at, rows, n_nodes):
        order = np.lexsort((values[rows], at))
        ordered, leaf = values[rows][order], at[order]
        first = np.flatnonzero(np.diff(leaf, prepend=-1))
        size = np.diff(np.append(first, len(leaf)))
        low = ordered[first + (0.16 * size).astype(int)]
        high = ordered[first + np.minimum((0.84 * size).astype(int), size - 1)]
        middle = ordered[first + (size - 1) // 2] + ordered[first + size // 2]
        leaves = np.zeros((n_nodes, 2))
        leaves[leaf[first], 0] = middle / 2
        leaves[leaf[first], 1] = (high - low) / 2
        return leaves

    return of_leaves


def class_shares(classes, n_classes):
    """Return what a forest of classes says in its leaves; see `grow`."""

    def of_leaves(at, rows, n_nodes):
        counts = np.bincount(
            at * n_classes + classes[rows], minlength=n_nodes * n_classes
        ).reshape(n_nodes, n_classes)
        prior = np.bincount(classes[rows], minlength=n_classes) + 0.5 / n_classes
        # As if one row more, of the average, had come to each leaf.
        shares = counts + prior / prior.sum()
        return shares / shares.sum(axis=1, keepdims=True)

    return of_leaves


def classes_of(codes, n_values):
    """Give the frequent categories a class each, and one to all others.

    Parameters
    ----------
    codes : ndarray of int
        Of the rows that have a category.
    n_values : int

    Returns
    -------
    classes : ndarray of int of shape (n_values + 2,)
    as_rare : ndarray of shape (n_values + 2,)
    """
    counts = np.bincount(codes, minlength=n_values + 2)
    frequent = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    frequent = frequent[counts[frequent] >= LEAST_ROWS]
    classes = np.full(n_values + 2, len(frequent))
    classes[frequent] = np.arange(len(frequent))
    is_other = classes == len(frequent)
    others = np.sort(counts[is_other])
    total = max(others.sum(), 1)
    as_rare = np.ones(n_values + 2)
    upto = np.cumsum(others)[np.searchsorted(others, counts[is_other], "right") - 1]
    as_rare[is_other] = np.maximum(upto, 1) / total
    return classes, np.minimum(as_rare, 1.0)
