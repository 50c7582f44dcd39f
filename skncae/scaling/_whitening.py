"""Whitening by the covariance of the rows that look normal.

The covariance is shrunk (OAS). Where there are more columns than rows it is never
written down: distances come from the products of rows, directions from their span.
"""

from itertools import pairwise

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from skncae.scaling._location import SYMMETRIC
from skncae.scaling._missing import MAX_FACTORS, ROUNDING, SAME_VALUE, few_factors
from skncae.scaling._scaler import FURTHEST

# Directions of this share of the longest one are none: they are made of rounding.
LEAST_SPAN = 1e-8

# Share of the covariance as it is in one that is shrunk, to nothing maybe, where
# completed rows spread beside.
LITTLE = 1e-6


def _shrinkage(square, trace, n_samples, n_features):
    """Share of the mean variance in a covariance: OAS, Chen et al. (2010), Eq. 23.

    As `sklearn.covariance.oas` has it, from the sum of squares and the trace of the
    covariance, which are also those of the matrix of the rows' products.
    """
    alpha, mu = square / n_features**2, trace / n_features
    excess = (n_samples + 1) * (alpha - mu**2 / n_features)
    return min((alpha + mu**2) / excess, 1.0) if excess > 0 else 1.0


def shrunk(covariance, n_samples, n_features):
    """Covariance of rows in few directions of n_features, shrunk to the mean variance.

    Directions without variance keep the scale of the columns.
    """
    trace = np.trace(covariance)
    share = _shrinkage(np.square(covariance).sum(), trace, n_samples, n_features)
    return (1.0 - share) * covariance + np.diag(
        np.full(len(covariance), share * trace / n_features or 1.0)
    )


def mahalanobis(Z, is_normal):
    """Squared distance of centred rows to 0, by the shrunk covariance of some."""
    normal = Z[is_normal]
    n, n_features = normal.shape
    if is_wide(Z):
        return wide_mahalanobis(Z, *factors(normal))
    covariance = shrunk(normal.T @ normal / n, n, n_features)
    return np.square(_solved(covariance, Z.T)).sum(0)


def is_wide(Z):
    """Say whether a table has more columns than rows."""
    return Z.shape[1] > len(Z)


def factors(normal, spread=0.0):
    """Shrunk covariance of centred rows, as few factors and the rest.

    What completed rows spread beside, in each column alike, is added to the rest. The
    rows are overwritten: they become the factors.

    Returns
    -------
    factor : ndarray of shape (n_features, n_factors)
    gram : ndarray of shape (n_factors, n_factors)
        Products of the factors.
    rest : float
        The covariance is ``factor @ factor.T``, and this along the diagonal.
    """
    n, n_features = normal.shape
    products = normal @ normal.T / n
    trace = np.trace(products)
    share = _shrinkage(np.square(products).sum(), trace, n, n_features)
    normal *= np.sqrt((1.0 - share) / n)
    rest = share * trace / n_features or 1.0
    return normal.T, (1.0 - share) * products, rest + spread


def in_few_directions(factor, gram, rest):
    """Factors of the directions of largest variance; see `few_factors`."""
    if len(gram) <= MAX_FACTORS:
        return factor, gram, rest
    variances, vectors = np.linalg.eigh(gram)
    lengths = np.sqrt(np.where(variances > 0, variances, 1.0))
    return few_factors(factor @ (vectors / lengths), variances, rest)


def wide_mahalanobis(Z, factor, gram, rest):
    """Squared distance of centred rows to 0, by factors (Woodbury's identity)."""
    covariance = gram + rest * np.eye(len(gram))
    inside = _solved(covariance, factor.T @ Z.T)
    return (np.square(Z).sum(1) - np.square(inside).sum(0)) / rest


def _solved(covariance, columns):
    """Columns by the inverse root of a covariance."""
    root = cholesky(covariance, lower=True)
    return solve_triangular(root, columns, lower=True, check_finite=False)


def rotation(Z, is_normal, spread=0.0):
    """Whitening of centred rows by the covariance of some of them, and deviations.

    It has no more directions than there are rows: those that rows lie in. What
    completed rows of a wide table spread beside, in each column alike, is added.
    """
    n_features = Z.shape[1]
    if not is_wide(Z):
        normal = Z[is_normal]
        return whitening(normal.T @ normal / len(normal), normal, Z)
    span = _span(Z)
    inside = Z @ span
    normal = inside[is_normal]
    covariance = normal.T @ normal / len(normal)
    spread = spread * np.eye(len(covariance))
    turned, deviations = whitening(covariance, normal, inside, n_features, spread)
    return span @ turned, deviations


def _span(Z):
    """Orthonormal directions that all rows lie in, (n_features, n_directions)."""
    # A row that is far out would cost the others their digits.
    rows = Z / _lengths(Z)[:, None]
    values, vectors = np.linalg.eigh(rows @ rows.T)
    is_there = values > LEAST_SPAN * max(values[-1], 1.0)
    if not is_there.any():
        # Rows that are all the same: any direction will do.
        return np.eye(Z.shape[1], 1)
    return rows.T @ (vectors[:, is_there] / np.sqrt(values[is_there]))


def _lengths(rows):
    """Lengths of rows; 1 of those that have none."""
    length = np.linalg.norm(rows, axis=1)
    return np.where(length > 0, length, 1.0)


def whitening(covariance, normal, rows, n_features=None, spread=0.0):
    """Return the whitening by the shrunk covariance of normal rows, and deviations.

    The latter are along its directions. What rows spread beside (of completed ones) is
    added to the covariance that is shrunk. Rows are in few directions of n_features,
    unless that is None. All of them tell directions apart that the normal rows do not;
    where there are none, nothing does.
    """
    shrunk_covariance = shrunk(covariance, len(normal), n_features or len(covariance))
    shrunk_covariance += spread
    # Shrinking turns no direction, and takes the digits that tell them apart.
    told = covariance
    if np.any(spread):
        told = shrunk_covariance + LITTLE * covariance
    values, vectors = np.linalg.eigh(told)
    is_told = _turn_to_the_longer_tail(vectors, normal @ vectors)
    groups = [
        alike
        for alike in _alike(values)
        if alike.stop - alike.start > 1 or not is_told[alike]
    ]
    if groups and rows is not None:
        # Rounding would choose among them.
        _tell_apart(groups, vectors, rows, has_columns=n_features is None)
    deviations = np.sqrt(((shrunk_covariance @ vectors) * vectors).sum(0))
    vectors /= deviations
    return vectors, deviations


def _alike(values):
    """Slices of ascending eigenvalues that are one value, up to rounding."""
    same = np.maximum(SAME_VALUE * values[1:], ROUNDING * values[-1])
    gaps = np.flatnonzero(np.diff(values) > same) + 1
    return [slice(*edges) for edges in pairwise([0, *gaps.tolist(), len(values)])]


def _tell_apart(groups, vectors, rows, has_columns):
    """Choose among directions that the normal rows do not tell apart, by all rows.

    There are such groups where columns have the same values, where rows are symmetric,
    and where no normal row lies. No two rows have the same weight. In place.
    """
    # In one product: there may be as many groups as columns.
    places = np.concatenate([np.arange(alike.start, alike.stop) for alike in groups])
    directions = vectors[:, places]
    rng = np.random.default_rng(0)
    turned, squares = _weighted(rows, directions, rng)
    if has_columns:
        # Networks see rows without what is far out.
        near = np.clip(rows, -FURTHEST, FURTHEST)
        near_turned, near_squares = _weighted(near, directions, rng)
        # A later row may lie where none does: there the columns do, as rows have them.
        sizes = np.sqrt((squares + near_squares) / (2 * len(rows)))
        turned = np.vstack([turned, near_turned, sizes[:, None] * directions])
    ends = np.cumsum([alike.stop - alike.start for alike in groups])
    for alike, part in zip(groups, np.split(turned, ends[:-1], axis=1), strict=True):
        _, chosen = np.linalg.eigh(part.T @ part)
        vectors[:, alike] @= chosen
        _turn_to_the_longer_tail(vectors[:, alike], part @ chosen)


def _weighted(rows, directions, rng):
    """Rows of length 1 in some directions, times weights; sums of squares by column."""
    weights = rng.random(len(rows)) / _lengths(rows)
    turned = weights[:, None] * (rows @ directions)
    return turned, np.einsum("i,ij,ij->j", np.square(weights), rows, rows)


def _turn_to_the_longer_tail(vectors, turned):
    """Turn eigenvectors, which have no sign of their own, in place.

    They then point to where rows reach further, which `turned` has in their directions.
    Return whether rows do reach further on one side than on the other.
    """
    turned = np.nan_to_num(turned, copy=False)
    # Without a power of 3, which takes numpy thirty times as long.
    cubes = turned * turned
    cubes *= turned
    skewness = cubes.sum(0)
    size = np.abs(cubes, out=cubes).sum(0)
    vectors[:, skewness < 0] *= -1.0
    is_symmetric = np.abs(skewness) <= SYMMETRIC * size
    return ~is_symmetric & (size > LEAST_SPAN**3 * size.max())
