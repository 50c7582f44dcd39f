"""Rows in, scaled rows out: validation and normality-calibrated views.

A *view* is an affine map of the columns followed by a soft limit on what is far
out. Its location and scale are estimated on the rows that look normal in it, over
and over: contamination inflates a standard deviation and tilts a covariance just as
it misleads a network.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import OAS
from sklearn.utils.validation import validate_data

VIEWS = ("whitened", "standardized", "minmax")

# Share of the rows that count as normal in a calibration round. Correlations break
# down at lower contamination than variances do, hence a smaller share (as in MCD).
NORMAL_SHARE = {"standardized": 0.8, "whitened": 0.6}

# Scaled values beyond the knee grow with their logarithm.
KNEE = {"standardized": 1.0, "whitened": 100.0}

# Squares of scaled values must stay finite in float64.
LARGEST = 1e100


# Validation sums X, which for huge values of both signs is inf - inf.
@np.errstate(invalid="ignore")
def check_rows(estimator, X, *, reset):
    """Validate X as scikit-learn does, keeping float32 and a memmap as they are."""
    return validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse=False,
        dtype=[np.float64, np.float32],
        order=None,
        ensure_all_finite=True,
        ensure_min_samples=1,
    )


@dataclass(frozen=True)
class View:
    """An affine map of the columns with a soft limit.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
    rotation, inverse_rotation : ndarray of shape (n_features, n_features) or None
    knee : float or None
    """

    center: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray | None = None
    inverse_rotation: np.ndarray | None = None
    knee: float | None = None

    def transform(self, X):
        """Map rows, (n_samples, n_features), to this view in float64."""
        Z = np.clip(X, -LARGEST, LARGEST, dtype=np.float64) - self.center
        Z /= self.scale
        if self.rotation is not None:
            Z = Z @ self.rotation
        if self.knee is not None:
            Z = self.knee * np.arcsinh(Z / self.knee)
        return Z

    def inverse_transform(self, Z):
        """Map rows of this view back to the units of X."""
        if self.knee is not None:
            Z = self.knee * np.sinh(Z / self.knee)
        if self.inverse_rotation is not None:
            Z = Z @ self.inverse_rotation
        return Z * self.scale + self.center


def calibrated_view(kind, X, rounds):
    """Fit a view to X, then again on the rows that look normal in it, and so on.

    Parameters
    ----------
    kind : {"standardized", "whitened", "minmax"}
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
        low, high = X.min(0), X.max(0)
        return View(low, np.where(high > low, high - low, 1.0))
    n_normal = int(np.ceil(NORMAL_SHARE[kind] * len(X)))
    view = _fit_view(kind, X, X)
    for _ in range(rounds):
        distance = np.square(view.transform(X)).sum(1)
        normal = np.argpartition(distance, n_normal - 1)[:n_normal]
        view = _fit_view(kind, X, X[normal])
    return view


def _fit_view(kind, X, X_normal):
    """Estimate the statistics of a view from its normal rows."""
    center, scale = X_normal.mean(0), X_normal.std(0)
    overall = X.std(0)
    # A column that is constant among the normal rows is judged by all rows.
    scale = np.where(scale > 1e-3 * overall, scale, overall)
    # Below this a deviation is rounding: the column is constant.
    scale[scale <= 1e-12 * np.abs(X).max(0)] = 1.0
    if kind == "standardized":
        return View(center, scale, knee=KNEE[kind])
    rotation, inverse_rotation = _whitening((X_normal - center) / scale)
    return View(center, scale, rotation, inverse_rotation, KNEE[kind])


def _whitening(Z):
    """Return the whitening of centred rows, by shrunk covariance, and its inverse."""
    with warnings.catch_warnings():
        # One row or one column: there is nothing to shrink, which is no news.
        warnings.simplefilter("ignore")
        covariance = OAS(store_precision=False, assume_centered=True).fit(Z).covariance_
    values, vectors = np.linalg.eigh(covariance)
    # Directions without variance keep their scale.
    deviations = np.sqrt(np.where(values > 1e-10, values, 1.0))
    return vectors / deviations, (vectors * deviations).T
