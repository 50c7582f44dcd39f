"""Rows in, scaled rows out: validation and normality-calibrated views.

A *view* is an affine map of the columns followed by a soft limit on what is far
out. Its location and scale are estimated on the rows that look normal in it, over
and over: contamination inflates a standard deviation and tilts a covariance just as
it misleads a network.

Missing entries (NaN) are left out of these statistics. Rows are completed by the
conditional expectation of what is missing given what is there, which makes their
distance to the centre that of the observed part alone.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import OAS
from sklearn.utils.validation import validate_data

from skncae.data import _images
from skncae.data._chunks import Chunks

VIEWS = ("whitened", "standardized", "minmax")
# For rows of one unit, such as images; they must be complete.
IMAGE_VIEWS = ("pixels", "contrast")

# Share of the rows that count as normal in a calibration round. Correlations break
# down at lower contamination than variances do, hence a smaller share (as in MCD).
NORMAL_SHARE = {"standardized": 0.8, "whitened": 0.6, "pixels": 0.8, "contrast": 0.8}

# Scaled values beyond the knee grow with their logarithm.
KNEE = {"standardized": 1.0, "whitened": 100.0}

# Squares of scaled values must stay finite in float64.
LARGEST = 1e100

# Steps of expectation and maximisation that a covariance of incomplete rows starts
# with; each calibration round adds one.
FIRST_STEPS = 3

# Least eigenvalue of the correlations that they start from, which are estimated pair
# by pair and need not be those of any rows.
LEAST_EIGENVALUE = 0.03

# Numbers in the matrices of incomplete rows that are held at once.
MAX_BLOCK = 2**21


def check_rows(estimator, X, *, reset):
    """Validate X as scikit-learn does, keeping float32 and a memmap as they are.

    Returns flat rows. With `reset` the estimator remembers their shape, and whether
    they are images.
    """
    if isinstance(X, Chunks):
        raise TypeError(
            "Chunks can be fitted on and scored; this takes rows in memory. Go over "
            "them: for chunk in chunks."
        )
    X = _images.as_array(X)
    if reset:
        image_shape = _images.image_shape_of(X, estimator.image_shape)
    else:
        image_shape = estimator.image_shape_
        _images.check_row_shape(X, estimator.row_shape_)
    if image_shape is not None and estimator.allow_nan:
        raise ValueError(
            "allow_nan=True is for tables, and X holds images. Fill missing pixels in, "
            "and set allow_nan=False."
        )
    rows = _checked_rows(estimator, _images.flat(X), reset)
    if reset:
        _images.check_width(rows.shape[1], image_shape)
        estimator.image_shape_ = image_shape
        estimator.row_shape_ = X.shape[1:] if _images.is_folded(X) else rows.shape[1:]
    return rows


# Validation sums X, which for huge values of both signs is inf - inf.
@np.errstate(invalid="ignore")
def _checked_rows(estimator, X, reset):
    """Validate rows of a table."""
    try:
        return validate_data(
            estimator,
            X,
            reset=reset,
            accept_sparse=False,
            dtype=[np.float64, np.float32],
            order=None,
            ensure_all_finite="allow-nan" if estimator.allow_nan else True,
            ensure_min_samples=1,
        )
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(
            "Input X contains NaN. Fit with allow_nan=True to leave missing entries "
            "out of the training and of the scores, or fill them in, for example "
            "with sklearn.impute.SimpleImputer."
        ) from error


def feature_names(estimator):
    """Names of the columns that a fitted estimator has seen; x0, x1, ... without."""
    unnamed = [f"x{column}" for column in range(estimator.n_features_in_)]
    return getattr(estimator, "feature_names_in_", np.array(unnamed, dtype=object))


@dataclass(frozen=True)
class View:
    """An affine map of the columns with a soft limit.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
    rotation, inverse_rotation : ndarray of shape (n_features, n_features) or None
    knee : float or None
    light : ndarray of shape (2,) or None
        Where rows are evened out first, to mean 0 and deviation 1 each: the median of
        their means and deviations.
    """

    center: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray | None = None
    inverse_rotation: np.ndarray | None = None
    knee: float | None = None
    light: np.ndarray | None = None

    def transform(self, X):
        """Map complete rows, (n_samples, n_features), to this view in float64."""
        X = np.clip(X, -LARGEST, LARGEST, dtype=np.float64)
        if self.light is not None:
            X = _evened(X)
        Z = X - self.center
        Z /= self.scale
        if self.rotation is not None:
            Z = Z @ self.rotation
        if self.knee is not None:
            Z = self.knee * np.arcsinh(Z / self.knee)
        return Z

    def complete(self, X):
        """Return X in float64 with what the rest of a row predicts in place of NaN."""
        X = np.clip(X, -LARGEST, LARGEST, dtype=np.float64)
        missing = np.isnan(X)
        Z = (X - self.center) / self.scale
        if self.rotation is None:
            Z[missing] = 0.0
        else:
            Z, _ = _expectation(Z, self.rotation @ self.rotation.T)
        return np.where(missing, Z * self.scale + self.center, X)

    def inverse_transform(self, Z, like=None):
        """Map rows of this view back to the units of X.

        Rows that were evened out get the light of the rows that they are `like`, or
        the typical one.
        """
        if self.knee is not None:
            Z = self.knee * np.sinh(Z / self.knee)
        if self.inverse_rotation is not None:
            Z = Z @ self.inverse_rotation
        X = Z * self.scale + self.center
        if self.light is None:
            return X
        mean, deviation = self.light if like is None else _light(like)
        return X * deviation + mean

    def by_column(self, difference):
        """Turn differences of rows of this view so that coordinate j is column j's.

        Lengths stay what they are. Whitening mixes the columns; its directions,
        turned back without their scale, are as close to the columns as uncorrelated
        coordinates can be ("corr-max" of Garthwaite & Koch, 2016, or ZCA-cor).
        """
        if self.rotation is None:
            return difference
        directions = self.rotation / np.linalg.norm(self.rotation, axis=0)
        return difference @ directions.T


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
            precision = _pairwise_precision(Z)
        else:
            rotation = before.rotation * (scale / before.scale)[:, None]
            precision = rotation @ rotation.T
        Z, spread = _expectation(Z, precision)
    rotation, inverse_rotation = _whitening(Z, spread)
    return View(center, scale, rotation, inverse_rotation, KNEE[kind])


def _pixel_view(X, is_evened):
    """One scale for all columns, since pixels are of one kind."""
    light = None
    if is_evened:
        light = np.array([np.median(part) for part in _light(X)])
        X = _evened(X)
    center = X.mean(0)
    scale = float(np.sqrt(np.square(X - center).mean()))
    # Images that are all the same have no scale.
    scale = scale if scale > 1e-12 * np.abs(X).max() else 1.0
    return View(center, np.full(X.shape[1], scale), light=light)


def _light(X):
    """Mean and deviation of each row, (n_samples, 1), the deviation of none is 1."""
    deviation = X.std(1, keepdims=True)
    is_flat = deviation <= 1e-6 * np.abs(X).max(1, keepdims=True)
    return X.mean(1, keepdims=True), np.where(is_flat, 1.0, deviation)


def _evened(X):
    """Rows of mean 0 and deviation 1."""
    mean, deviation = _light(X)
    return (X - mean) / deviation


def _moments(X):
    """Mean and deviation of each column; NaN where nothing is observed."""
    if not np.isnan(X).any():
        return X.mean(0), X.std(0)
    with warnings.catch_warnings():
        # A column of nothing but NaN, which the caller looks after.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(X, axis=0), np.nanstd(X, axis=0)


def _pairwise_precision(Z):
    """Inverse covariance of centred rows, from the rows that have both columns."""
    is_observed = (~np.isnan(Z)).astype(float)
    Z = np.nan_to_num(Z)
    counts = np.maximum(is_observed.T @ is_observed, 1.0)
    values, vectors = np.linalg.eigh(Z.T @ Z / counts)
    return (vectors / np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T


def _expectation(Z, precision):
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
    missing = np.isnan(Z)
    n_features = Z.shape[1]
    Z = np.where(missing, 0.0, Z)
    pull = Z @ precision
    spread = np.zeros(n_features**2)
    n_missing = missing.sum(1)
    # Rows that miss equally many columns are solved together.
    for count in np.unique(n_missing[n_missing > 0]):
        rows = np.flatnonzero(n_missing == count)
        for part in np.array_split(rows, math.ceil(len(rows) * count**2 / MAX_BLOCK)):
            columns = np.nonzero(missing[part])[1].reshape(len(part), count)
            pairs = columns[:, :, None] * n_features + columns[:, None, :]
            covariance = np.linalg.inv(precision.ravel()[pairs])
            entries = part[:, None], columns
            Z[entries] = -(covariance @ pull[entries][..., None])[..., 0]
            spread += np.bincount(pairs.ravel(), covariance.ravel(), len(spread))
    return Z, spread.reshape(n_features, n_features) / len(Z)


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
