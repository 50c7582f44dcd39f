"""Where the values of a column are, and how far apart, whatever a few of them are.

Columns come in any units: time stamps in nanoseconds, likelihoods of 1e-310, a fill
value of 1e20 among small numbers. What is rounding, what is constant and what is absurd
is judged by the column itself.
"""

import numpy as np
from scipy.sparse import csr_array

# Values that differ by less than this share of their size are one value, rounded in
# several ways.
ROUNDING = 64 * float(np.finfo(np.float64).eps)

# The least number of all digits: what is smaller has no relative precision.
SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)

# Sums of two numbers up to here, and of two distances between such, are finite. Larger
# ones, such as the largest of all as a fill value, count as this.
LARGEST_VALUE = 2.0**1021

# Nine tenths of a column say how far its values reach; beyond so many times that a
# value is absurd: it says nothing about the others.
REACH, ABSURD = 0.9, 20.0

# A column has a value that most have where fewer than this share have another.
MOST = 0.5

# A column, or a direction, whose skewness is less than this share of what either side
# adds to it is symmetric, but for rounding.
SYMMETRIC = 1e-6

# Numbers that are looked at together.
MAX_BLOCK = 2**21

# Rows that a column is shifted by, before it is summed: the median of so many.
N_SHIFT = 15


def reach_of(X):
    """Median of each column, and how far from it the nearest nine tenths reach.

    Where nine tenths are equal, how far out the others are, in the median; 0 in a
    column that is constant up to rounding, or has no value.
    """
    return _by_columns(_reach_of, X)


def _reach_of(X):
    """`reach_of` of some columns."""
    X, _ = _without_empty(np.clip(X, -LARGEST_VALUE, LARGEST_VALUE))
    with np.errstate(over="ignore"):
        has_missing = np.isnan(X).any()
        median = np.nanmedian(X, axis=0) if has_missing else np.median(X, axis=0)
        median = np.nan_to_num(median)
        far = np.abs(X - median)
        quantile = np.nanquantile if has_missing else np.quantile
        reach = np.nan_to_num(quantile(far, REACH, axis=0, method="higher"))
    is_rounding = ROUNDING * np.maximum(np.abs(median), SMALLEST_NORMAL)
    for column in np.flatnonzero(reach <= is_rounding):
        others = far[:, column]
        others = others[others > is_rounding[column]]
        reach[column] = np.median(others) if len(others) else 0.0
    return median, reach


def percentiles(X, percents):
    """Values of each column that so many percent are not above; 0 where it has none."""

    def of_some(X):
        X, _ = _without_empty(X)
        return np.nanpercentile(X, percents, axis=0, method="inverted_cdf")

    return _by_columns(of_some, X)


def _without_empty(X):
    """Rows with zeros in columns of nothing but NaN, and which columns these are.

    numpy warns of such columns, and filters of warnings belong to all threads.
    """
    is_empty = np.isnan(X).all(0)
    return (np.where(is_empty, 0.0, X) if is_empty.any() else X), is_empty


def without_absurd(X, median, reach):
    """Rows with the median of the column in place of absurd values, and of rounding.

    All rows count as normal at first. Where one value says what the scale of a column
    is, outliers in that column are normal too, and remain so. Where the normal rows of
    a column are one value but for rounding, that is no scale.

    Returns
    -------
    ordinary : ndarray of shape (n_samples, n_features)
    beyond : sparse array of shape (n_samples, n_features)
        How far from the median an absurd value is at least, where one is.
    """
    with np.errstate(over="ignore"):
        limit = np.where(reach > 0, ABSURD * reach, np.inf)
        is_absurd = (X < median - limit) | (X > median + limit)
        far = np.abs(X - median)
    is_median = far <= ROUNDING * np.maximum(np.abs(median), reach)
    beyond = csr_array(is_absurd).multiply(limit).tocsr()
    ordinary = np.where(is_absurd | is_median, median, X)
    return np.clip(ordinary, -LARGEST_VALUE, LARGEST_VALUE, out=ordinary), beyond


def least_scale(X, median):
    """Least scale of flags, columns of two values of which most have one; 0 of others.

    What the rows beside have, and not how many of them still count as normal: without
    the last of these, or with one left, a flag would be several times as far out.
    """
    return _by_columns(_least_scale, X, median[None])[0]


def _least_scale(X, median):
    """`least_scale` of some columns."""
    with np.errstate(over="ignore"):
        far = np.abs(X - median)
    is_far = far > ROUNDING * np.maximum(np.abs(median), SMALLEST_NORMAL)
    share = is_far.sum(0) / np.maximum((~np.isnan(far)).sum(0), 1)
    scale = np.zeros_like(median)
    for column in np.flatnonzero((share > 0) & (share < MOST)):
        others = far[is_far[:, column], column]
        if np.ptp(others) <= ROUNDING * others[0]:
            scale[:, column] = _rare_scale(others, share[column])
    return scale


def location_and_scale(X, X_normal, least):
    """Centre and scale of each column, as the normal rows have them.

    A scale is no less than `least`. What is constant among those rows is judged by the
    other rows; a column of nothing but NaN has centre 0 and scale 1.
    """
    return _by_columns(_location_and_scale, X, X_normal, least[None])


def _by_columns(function, *tables):
    """Call a function of tables on a few of their columns at a time.

    What it needs beside is as large as what it is given. Sums come out alike in
    whatever order the tables lie in memory.
    """
    n_rows, n_columns = tables[0].shape
    size = max(1, MAX_BLOCK // max(n_rows, 1))
    found = [
        function(
            *(np.ascontiguousarray(table[:, first : first + size]) for table in tables)
        )
        for first in range(0, max(n_columns, 1), size)
    ]
    return np.concatenate(found, axis=1)


def _location_and_scale(X, X_normal, least):
    """`location_and_scale` of some columns."""
    center, scale = _moments(X_normal)
    if np.isnan(center).any():
        is_seen = ~np.isnan(center)
        overall_center, overall = _moments(X)
        center = np.where(is_seen, center, overall_center)
        scale = np.where(is_seen, scale, overall)
    size = np.fmax.reduce(np.abs(X_normal))
    size = np.where(np.isnan(size), np.abs(center), size)
    scale = np.fmax(scale, least[0])
    # Below this a deviation is rounding.
    for column in np.flatnonzero(~(scale > ROUNDING * size)):
        scale[column] = _scale_of_constant(X[:, column], center[column])
    return np.nan_to_num(center), np.nan_to_num(scale, nan=1.0)


def _scale_of_constant(values, center):
    """Scale of a column that is constant among the normal rows."""
    if np.isnan(center):
        return 1.0
    with np.errstate(over="ignore"):
        far = np.abs(values - center)
    is_far = far > ROUNDING * max(abs(center), SMALLEST_NORMAL)
    if is_far.any():
        return _rare_scale(far[is_far], is_far.mean())
    # A constant is its own unit, unless it is nothing but rounding.
    return abs(float(center)) if abs(center) >= SMALLEST_NORMAL else 1.0


def _rare_scale(far, share):
    """Scale of a column whose values are one, but for a share that is so far from it.

    The deviation of all if each of the share were as far out as their median: one of
    them alone, however far out, does not set it.
    """
    return float(np.median(far) * np.sqrt(share * (1.0 - share)))


def _moments(X):
    """Mean and deviation of each column; NaN where nothing is observed.

    Columns are shifted and scaled by powers of two first: neither the digits of a large
    offset are lost, nor the square of a value that is very large or very small.
    """
    picked = np.linspace(0, len(X) - 1, min(len(X), N_SHIFT)).astype(int)
    X, is_empty = _without_empty(X)
    with np.errstate(over="ignore", under="ignore"):
        shift = np.nanmedian(_without_empty(X[picked])[0], axis=0)
        Y = X - shift
        _, exponent = np.frexp(np.fmax.reduce(np.abs(Y)))
        np.ldexp(Y, -exponent, out=Y)
        has_missing = np.isnan(Y).any()
        mean = np.nanmean(Y, axis=0) if has_missing else Y.mean(0)
        deviation = np.nanstd(Y, axis=0) if has_missing else Y.std(0)
        mean, deviation = (
            shift + np.ldexp(mean, exponent),
            np.ldexp(deviation, exponent),
        )
    return np.where(is_empty, np.nan, [mean, deviation])
