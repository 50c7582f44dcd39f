"""Normality-calibrated views.

Location and scale of a view are estimated on the rows that look normal in it, over and
over: contamination inflates a standard deviation and tilts a covariance just as it
misleads a network. Missing entries (NaN) are left out of these statistics.
"""

import warnings

import numpy as np
from sklearn.covariance import OAS

from skncae.scaling._missing import expectation, over_all_columns, pairwise_precision
from skncae.scaling._scaler import LARGEST, View, evened, light_of

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
    X = np.clip(X, -LARGEST, LARGEST, dtype=np.float64)
    if kind == "minmax":
        # Unlike min and max these pass NaN over; a column of nothing else is 0.
        low, high = np.nan_to_num([np.fmin.reduce(X), np.fmax.reduce(X)])
        return View(low, np.where(high > low, high - low, 1.0))
    n_normal = int(np.ceil(NORMAL_SHARE[kind] * len(X)))
    n_missing = np.isnan(X).sum(1)
    view = _fit_view(kind, X, X)
    if kind == "whitened" and n_missing.any():
        for _ in range(FIRST_STEPS - 1):
            view = _fit_view(kind, X, X, view)
    for _ in range(rounds):
        rows = view.complete(X) if n_missing.any() else X
        distance = np.square(view.transform(rows)).sum(1)
        distance = over_all_columns(distance, n_missing, X.shape[1])
        normal = np.argpartition(distance, n_normal - 1)[:n_normal]
        view = _fit_view(kind, X, X[normal], view)
    return view


def _fit_view(kind, X, X_normal, before=None):
    """Estimate the statistics of a view from its normal rows.

    Incomplete rows count for a covariance as they are completed by the view `before`.
    """
    if kind in IMAGE_VIEWS:
        return _pixel_view(X_normal, is_evened=kind == "contrast")
    center, scale = _moments(X_normal)
    overall_center, overall = _moments(X)
    # A column that is constant among the normal rows is judged by all rows, and so
    # is one that is missing in all of those.
    center = np.where(np.isnan(center), overall_center, center)
    scale = np.where(scale > 1e-3 * overall, scale, overall)
    # Below this a deviation is rounding: the column is constant.
    scale[scale <= 1e-12 * np.fmax.reduce(np.abs(X))] = 1.0
    # A column of nothing but NaN.
    center, scale = np.nan_to_num(center), np.nan_to_num(scale, nan=1.0)
    if kind == "standardized":
        return View(center, scale, knee=KNEE[kind])
    Z, spread = (X_normal - center) / scale, 0.0
    if np.isnan(Z).any():
        if before is None:
            precision = pairwise_precision(Z)
        else:
            rotation = before.rotation * (scale / before.scale)[:, None]
            precision = rotation @ rotation.T
        Z, spread = expectation(Z, precision)
    rotation, inverse_rotation = _whitening(Z, spread)
    return View(center, scale, rotation, inverse_rotation, KNEE[kind])


def _pixel_view(X, is_evened):
    """One scale for all columns, since pixels are of one kind."""
    light = None
    if is_evened:
        light = np.array([np.median(part) for part in light_of(X)])
        X = evened(X)
    center = X.mean(0)
    scale = float(np.sqrt(np.square(X - center).mean()))
    # Images that are all the same have no scale.
    scale = scale if scale > 1e-12 * np.abs(X).max() else 1.0
    return View(center, np.full(X.shape[1], scale), light=light)


def _moments(X):
    """Mean and deviation of each column; NaN where nothing is observed."""
    if not np.isnan(X).any():
        return X.mean(0), X.std(0)
    with warnings.catch_warnings():
        # A column of nothing but NaN, which the caller looks after.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(X, axis=0), np.nanstd(X, axis=0)


def _whitening(Z, spread):
    """Return the whitening of centred rows, by shrunk covariance, and its inverse."""
    with warnings.catch_warnings():
        # One row or one column: there is nothing to shrink, which is no news.
        warnings.simplefilter("ignore")
        covariance = OAS(store_precision=False, assume_centered=True).fit(Z).covariance_
    covariance = covariance + spread
    values, vectors = np.linalg.eigh(covariance)
    # Directions without variance keep their scale.
    deviations = np.sqrt(np.where(values > 1e-10, values, 1.0))
    return vectors / deviations, (vectors * deviations).T
