"""Normality-calibrated views.

Location and scale of a view are estimated on the rows that look normal in it, over and
over: contamination inflates a standard deviation and tilts a covariance just as it
misleads a network. Missing entries (NaN) are left out of these statistics.
"""

import numpy as np

from skncae.scaling._location import (
    least_scale,
    location_and_scale,
    reach_of,
    without_absurd,
)
from skncae.scaling._missing import (
    expectation,
    factor_expectation,
    over_all_columns,
    pairwise_precision,
)
from skncae.scaling._scaler import (
    FURTHEST,
    LARGEST,
    View,
    light_of,
    normalized,
    standardized,
)
from skncae.scaling._whitening import (
    factors,
    in_few_directions,
    is_wide,
    mahalanobis,
    rotation,
    whitening,
    wide_mahalanobis,
)

VIEWS = ("whitened", "standardized", "minmax")
# For rows of one unit, such as images; they must be complete.
IMAGE_VIEWS = ("pixels", "contrast")

# Share of the rows that count as normal in a calibration round. Correlations break
# down at lower contamination than variances do, hence a smaller share (as in MCD).
NORMAL_SHARE = {"standardized": 0.8, "whitened": 0.6, "pixels": 0.8, "contrast": 0.8}

# Scaled values beyond the knee grow with their logarithm.
KNEE = {"standardized": 1.0, "whitened": 100.0}

# Steps of expectation and maximisation that a covariance of incomplete rows starts
# with; each calibration round adds one.
FIRST_STEPS = 3

# Scales of a column that differ by more have another unit.
SAME_UNIT = 1e8

# Squared distances whose ratio is closer to 1 are one distance.
SAME_DISTANCE = 1e-9


def calibrated_view(kind, X, rounds):
    """Fit a view to X, then again on the rows that look normal in it, and so on.

    Entries that are NaN are left out.

    Parameters
    ----------
    kind : {"standardized", "whitened", "minmax", "pixels", "contrast"}
    X : ndarray of shape (n_samples, n_features)
    rounds : int
        How often the statistics are estimated again. Ignored by "minmax", which
        is the range of all rows.

    Returns
    -------
    view : View
    """
    X = np.asarray(X, dtype=np.float64)
    if kind == "minmax":
        X = np.clip(X, -LARGEST, LARGEST)
        # Unlike min and max these pass NaN over; a column of nothing else is 0.
        low, high = np.nan_to_num([np.fmin.reduce(X), np.fmax.reduce(X)])
        return View(low, np.where(high > low, high - low, 1.0))
    n_missing = np.isnan(X).sum(1)
    if kind == "whitened" and not n_missing.any():
        return _whitened_view(X, rounds)
    if kind == "whitened" and is_wide(X):
        return _wide_view(X, n_missing, rounds)
    if kind in IMAGE_VIEWS:
        X, least, beyond = np.clip(X, -LARGEST, LARGEST), None, None
    else:
        X, least, beyond = _ordinary(X)
    n_first = FIRST_STEPS if kind == "whitened" else 1
    view = _fit_view(kind, X, X, least, None, is_last=n_first + rounds == 1)
    for n_left in reversed(range(n_first - 1)):
        view = _fit_view(kind, X, X, least, view, is_last=n_left + rounds == 0)
    for n_left in reversed(range(rounds)):
        rows = view.complete(X) if n_missing.any() else X
        Z = view.transform(rows)
        distance = np.square(Z, out=Z).sum(1)
        # A table may be large.
        del Z
        if beyond is not None:
            distance += _squared(beyond, view.scale)
        distance = over_all_columns(distance, n_missing, X.shape[1])
        is_normal = _nearest(distance, NORMAL_SHARE[kind])
        view = _fit_view(kind, X, X[is_normal], least, view, is_last=n_left == 0)
    return view


def _ordinary(X):
    """Rows without absurd values, least scales of columns, and how far those are."""
    median, reach = reach_of(X)
    X, beyond = without_absurd(X, median, reach)
    return X, least_scale(X, median), beyond


def _squared(beyond, scale):
    """Squared distance that the absurd values of each row add, (n_samples,)."""
    far = beyond.copy()
    with np.errstate(over="ignore"):
        far.data = np.square(far.data / scale[far.indices])
    return far.sum(1)


def _whitened_view(X, rounds):
    """Whiten complete rows: their own directions are sought in the last round only."""
    # Not handed in: who calls would keep them.
    X, least, beyond = _ordinary(X)
    is_normal = np.ones(len(X), bool)
    for _ in range(rounds):
        center, scale = location_and_scale(X, X[is_normal], least)
        distance = mahalanobis(standardized(X, center, scale), is_normal)
        distance += _squared(beyond, scale)
        is_normal = _nearest(distance, NORMAL_SHARE["whitened"])
    center, scale = location_and_scale(X, X[is_normal], least)
    Z = standardized(X, center, scale)
    # A table may be large, and there are several as large from here on.
    del X
    turned, deviations = rotation(Z, is_normal)
    return View(center, scale, turned, deviations, KNEE["whitened"])


def _wide_view(X, n_missing, rounds):
    """Whiten incomplete rows that have more columns than there are rows.

    No covariance of the columns is written down. So the conditional variance of what is
    missing counts as that of all columns alike.
    """
    X, least, beyond = _ordinary(X)
    is_normal, rows, spread = np.ones(len(X), bool), X, 0.0
    for n_left in reversed(range(FIRST_STEPS + rounds)):
        center, scale = location_and_scale(X, X[is_normal], least)
        # What is missing is at the centre, at first.
        normal = np.nan_to_num(standardized(rows, center, scale)[is_normal])
        Z = standardized(X, center, scale)
        Z, spread = factor_expectation(Z, *in_few_directions(*factors(normal, spread)))
        rows = Z * scale + center
        if 0 < n_left <= rounds:
            distance = wide_mahalanobis(Z, *factors(Z[is_normal], spread))
            distance += _squared(beyond, scale)
            distance = over_all_columns(distance, n_missing, X.shape[1])
            is_normal = _nearest(distance, NORMAL_SHARE["whitened"])
    turned, deviations = rotation(Z, is_normal, spread)
    return View(center, scale, turned, deviations, KNEE["whitened"])


def _nearest(distance, share):
    """Mark this share of the rows, those of least distance, and all that tie."""
    n_normal = int(np.ceil(share * len(distance)))
    furthest = np.partition(distance, n_normal - 1)[n_normal - 1]
    # Rows that are equal but for rounding are in or out together.
    return distance <= furthest * (1.0 + SAME_DISTANCE)


def _fit_view(kind, X, X_normal, least, before, is_last):
    """Estimate the statistics of a view from its normal rows.

    Incomplete rows count for a covariance as they are completed by the view `before`.
    Distances are the same along any directions that the normal rows do not tell apart:
    only those of the last view are sought.
    """
    if kind in IMAGE_VIEWS:
        return _pixel_view(X_normal, is_normalized=kind == "contrast")
    center, scale = location_and_scale(X, X_normal, least)
    if kind == "standardized":
        return View(center, scale, knee=KNEE[kind])
    Z, spread = standardized(X_normal, center, scale), 0.0
    if np.isnan(Z).any():
        if before is None or not _is_same_unit(scale, before.scale):
            precision = pairwise_precision(Z)
        else:
            turned = before.rotation * (scale / before.scale)[:, None]
            precision = turned @ turned.T
        Z, spread = expectation(Z, precision)
    rows = None
    if is_last:
        # To tell directions apart by: what is missing tells columns apart, too.
        rows = np.nan_to_num(standardized(X, center, scale), nan=FURTHEST)
    turned, deviations = whitening(Z.T @ Z / len(Z), Z, rows, spread=spread)
    return View(center, scale, turned, deviations, KNEE[kind])


def _is_same_unit(scale, before):
    """Say whether no column has another unit than before."""
    change = scale / before
    return change.max() <= SAME_UNIT and change.min() >= 1 / SAME_UNIT


def _pixel_view(X, is_normalized):
    """One scale for all columns, since pixels are of one kind."""
    light = None
    if is_normalized:
        light = np.array([np.median(part) for part in light_of(X)])
        X = normalized(X)
    center = X.mean(0)
    scale = float(np.sqrt(np.square(X - center).mean()))
    # Images that are all the same have no scale.
    scale = scale if scale > 1e-12 * np.abs(X).max() else 1.0
    return View(center, np.full(X.shape[1], scale), light=light)
