"""Missing entries: completed rows, and errors over the columns that are there.

Rows are completed by the conditional expectation of what is missing given what is
there, which makes their distance to the centre that of the observed part alone.
"""

import math

import numpy as np

# Least eigenvalue of the correlations that estimates start from, which are estimated
# pair by pair and need not be those of any rows.
LEAST_EIGENVALUE = 0.03

# With more columns than MANY rows are completed by the directions of largest variance:
# each row is a system of so many equations, or of as many as it misses.
MANY, MAX_FACTORS = 128, 64

# Eigenvalues that differ by less than this share of their own, or by rounding of the
# largest one, are one value.
SAME_VALUE, ROUNDING = 1e-5, 1e-12

# Numbers in the matrices of incomplete rows that are held at once.
MAX_BLOCK = 2**21


def over_all_columns(errors, n_missing, n_features, power=1, typical=None):
    """Scale errors over the observed columns of each row up to all columns.

    As scikit-learn's `nan_euclidean_distances` does; `power` is what turns an error
    into a sum over columns. Of a row without any value nothing is known: it gets the
    `typical` error, by default the median of the others.
    """
    if not n_missing.any():
        return errors
    n_observed = n_features - n_missing
    seen = n_observed > 0
    errors = errors * (n_features / np.maximum(n_observed, 1)) ** (1 / power)
    if typical is None:
        typical = np.median(errors[seen]) if seen.any() else 0.0
    return np.where(seen, errors, typical)


def pairwise_precision(Z):
    """Inverse covariance of centred rows, from the rows that have both columns."""
    is_observed = (~np.isnan(Z)).astype(float)
    Z = np.nan_to_num(Z)
    counts = np.maximum(is_observed.T @ is_observed, 1.0)
    values, vectors = np.linalg.eigh(Z.T @ Z / counts)
    return (vectors / np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T


def are_many(n_features):
    """Say whether so many columns are completed by few factors."""
    return n_features > MANY


def expectation(Z, precision):
    """Complete centred rows by their conditional expectation: the E of EM.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Rows with NaN for what is missing.
    precision : ndarray of shape (n_features, n_features)
        Inverse covariance.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_features)
    spread : ndarray of shape (n_features, n_features)
        Conditional covariance of what was missing, the mean over rows: what the
        covariance of the completed rows lacks.
    """
    n_features = Z.shape[1]
    if are_many(n_features):
        values, vectors = np.linalg.eigh(precision)
        variances = 1.0 / np.maximum(values, ROUNDING * values[-1])
        Z, spread = factor_expectation(Z, *few_factors(vectors, variances))
        return Z, spread * np.eye(n_features)
    missing = np.isnan(Z)
    Z = np.where(missing, 0.0, Z)
    pull = Z @ precision
    spread = np.zeros(n_features**2)
    for rows, columns in _solved_together(missing, lambda count: count**2):
        pairs = columns[:, :, None] * n_features + columns[:, None, :]
        covariance = np.linalg.inv(precision.ravel()[pairs])
        entries = rows[:, None], columns
        Z[entries] = -(covariance @ pull[entries][..., None])[..., 0]
        spread += np.bincount(pairs.ravel(), covariance.ravel(), len(spread))
    return Z, spread.reshape(n_features, n_features) / len(Z)


def _solved_together(missing, size_of):
    """Yield incomplete rows that miss equally many columns, and which each misses.

    So many of them that what each needs, which is `size_of` that number, fits in.
    """
    n_missing = missing.sum(1)
    for count in np.unique(n_missing[n_missing > 0]):
        rows = np.flatnonzero(n_missing == count)
        n_parts = math.ceil(len(rows) * size_of(count) / MAX_BLOCK)
        for part in np.array_split(rows, n_parts):
            yield part, np.nonzero(missing[part])[1].reshape(len(part), count)


def few_factors(directions, variances, rest=0.0):
    """Covariance of the directions of largest variance: all others have one variance.

    Parameters
    ----------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal.
    variances : ndarray of shape (n_directions,)
        Along them, beside the rest.
    rest : float
        Variance in each direction of all.

    Returns
    -------
    factor, gram, rest
        As `factor_expectation` takes them.
    """
    n_features, n_directions = directions.shape
    least = 0.0
    if n_directions > MAX_FACTORS:
        # Rounding would choose among directions of the same variance.
        cut = np.partition(variances, -MAX_FACTORS - 1)[-MAX_FACTORS - 1]
        least = (1.0 + SAME_VALUE) * cut
    is_few = variances > least
    others = variances[~is_few].sum() / max(n_features - is_few.sum(), 1)
    variances = variances[is_few] - others
    return directions[:, is_few] * np.sqrt(variances), np.diag(variances), rest + others


def factor_expectation(Z, factor, gram, rest):
    """Complete centred rows by a covariance of few factors, which is not written down.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Rows with NaN for what is missing.
    factor : ndarray of shape (n_features, n_factors)
    gram : ndarray of shape (n_factors, n_factors)
        Products of its columns, ``factor.T @ factor``.
    rest : float
        The covariance is ``factor @ factor.T``, and this along the diagonal.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_features)
    spread : float
        Conditional variance of what was missing, the mean over rows and columns.
    """
    missing = np.isnan(Z)
    Z = np.where(missing, 0.0, Z)
    n_factors = factor.shape[1]
    whole = gram + rest * np.eye(n_factors)
    weights = factor @ np.linalg.inv(whole)
    spread = 0.0

    def size_of(count):
        return max(count, n_factors) * max(n_factors, 1)

    for rows, columns in _solved_together(missing, size_of):
        there, seen = factor[columns], (Z[rows] @ factor)[..., None]
        turned = np.swapaxes(there, 1, 2)
        count = columns.shape[1]
        # By the smaller of two matrices: of what is missing, or of the factors.
        if count < n_factors:
            weighted = weights[columns]
            around = np.linalg.inv(np.eye(count) - weighted @ turned)
            filled = around @ (weighted @ seen)
            traces = np.trace(around, axis1=1, axis2=2)
        else:
            inside = turned @ there
            around = np.linalg.inv(whole - inside)
            filled = there @ (around @ seen)
            traces = count + (around * inside).sum((1, 2))
        Z[rows[:, None], columns] = filled[..., 0]
        spread += rest * traces.sum()
    return Z, spread / Z.size
