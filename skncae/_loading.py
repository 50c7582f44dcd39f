"""What a file says of a fitted detector: checked before it is built, and as a whole.

Whoever forges a file can give any number any value, with the right checksum. What is
refused here would be an error, or a wrong answer, only later: in `predict`, say.
"""

import math

import numpy as np

# Arrays of what rows are scored by are of these types.
SCORING_TYPES = (np.float64, np.bool_, np.int64)


def check_fitted(fitted):
    """Raise a ValueError unless fitted attributes are what a fit leaves behind.

    Parameters
    ----------
    fitted : dict
        Attributes by name, as `NCAEDetector.save` writes them.
    """
    for name in ("threshold_", "offset_", "contamination_"):
        _check_number(name, fitted[name])
    if fitted["offset_"] != -fitted["threshold_"]:
        raise ValueError("offset_ is not minus threshold_")
    if not 0 <= fitted["contamination_"] <= 1:
        raise ValueError(f"contamination_={fitted['contamination_']!r} is no share")
    _check_shapes(fitted["n_features_in_"], fitted["row_shape_"])
    scores = fitted["training_scores_"]
    if scores.dtype != np.float64 or scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError("training_scores_ are no finite numbers")
    _check_scoring("_scorer", fitted["_scorer"])
    _check_numbers("ensemble", fitted["_scorer"]["ensemble"])
    for fold in fitted.get("_calibration") or ():
        _check_fold(fold)


def check_loaded(detector):
    """Raise a ValueError unless the parts of a detector belong together, and score.

    Parameters
    ----------
    detector : NCAEDetector
        Built from attributes that `check_fitted` has let through.
    """
    ensemble, n_columns = detector._scorer.ensemble, detector.n_features_in_
    width, layout = ensemble.view.center.shape, ensemble.layout
    if width != (n_columns if layout is None else len(layout.owners),):
        raise ValueError(f"the view is of shape {width}")
    if layout is not None and len(layout.columns) != n_columns:
        raise ValueError(f"the layout is of {len(layout.columns)} columns")
    row = np.zeros((1, ensemble.n_cells))
    detector._scorer.errors(row)
    calibration = getattr(detector, "_calibration", None)
    for fold in calibration.folds if calibration else ():
        if fold.rows.shape[1] != row.shape[1]:
            raise ValueError(f"calibration rows are of {fold.rows.shape[1]} cells")
        if fold.scorer is not None:
            fold.scorer.errors(row)


def _check_fold(fold):
    """Rows of a calibration and their errors must belong together."""
    _check_scoring("errors", fold["errors"])
    _check_numbers("errors", fold["errors"])
    n_rows = len(fold["errors"])
    rows = fold["rows"]
    if rows.ndim != 2 or len(rows) != n_rows or rows.dtype.kind not in "fiu":
        raise ValueError(f"{n_rows} errors are not of rows {rows.shape}")
    if fold["scorer"] is not None:
        _check_scoring("scorer", fold["scorer"])
        _check_numbers("ensemble", fold["scorer"]["ensemble"])


def _check_number(name, value):
    """Value must be a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}={value!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is not finite")


def _check_shapes(n_features, row_shape):
    """Rows must be of as many numbers as there are columns."""
    sizes = (n_features, *row_shape)
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(f"{sizes} are no shapes")
    if math.prod(row_shape) != n_features:
        raise ValueError(f"rows of shape {row_shape} have not {n_features} columns")


def _check_scoring(name, value):
    """Arrays must hold numbers of a type that scores are computed in."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        if value.dtype not in SCORING_TYPES or value.size == 0:
            raise ValueError(f"{name} is {value.dtype} of shape {value.shape}")
    elif isinstance(value, float):
        _check_number(name, value)
    for key, item in _items(value):
        _check_scoring(f"{name}.{key}", item)


def _check_numbers(name, value):
    """No array may hold NaN or infinity."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    for key, item in _items(value):
        _check_numbers(f"{name}.{key}", item)


def _items(value):
    """What a dictionary or a sequence holds, by its keys or places."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()
