"""What a file says of a fitted detector: checked before it is built, and as a whole.

Whoever forges a file can give any number any value, with the right checksum. What is
refused here would be an error, or a wrong answer, only later: in `predict`, say.
"""

import math

import numpy as np

# Arrays of what rows are scored by are of these types.
SCORING_TYPES = (np.float64, np.bool_, np.int64)
# Arrays of one dictionary that have an entry each for the same things, and arrays that
# are searched in.
TOGETHER = (
    ("log_errors", "minus_logs"),
    ("quantiles", "surprises"),
    ("classes", "as_rare", "slips"),
    ("values", "counts"),
    ("values", "worths"),
    ("references", "units"),
    ("rows", "n_outlier", "n_inlier"),
    ("weight", "n_rows", "n_inliers"),
)
ASCENDING = ("log_errors", "minus_logs", "quantiles", "surprises")


def check_fitted(fitted):
    """Raise a ValueError unless fitted attributes are what a fit leaves behind.

    Parameters
    ----------
    fitted : dict
        Attributes by name, as `NCAEDetector.save` writes them.
    """
    _check_cut(fitted)
    if fitted.get("_unrefined") is not None:
        _check_cut(fitted["_unrefined"])
    _check_shapes(fitted["n_features_in_"], fitted["row_shape_"])
    _check_image(fitted["n_features_in_"], fitted["image_shape_"])
    _check_names(fitted["n_features_in_"], fitted.get("feature_names_in_"))
    _check_scoring("_scorer", fitted["_scorer"])
    _check_numbers("ensemble", fitted["_scorer"]["ensemble"])
    _check_together("_scorer", fitted["_scorer"])
    for fold in fitted.get("_calibration") or ():
        _check_fold(fold)


def check_loaded(detector):
    """Raise a ValueError unless the parts of a detector belong together, and score.

    Parameters
    ----------
    detector : NCAEDetector
        Built from attributes that `check_fitted` has let through.
    """
    scorer, n_columns = detector._scorer, detector.n_features_in_
    ensemble = scorer.ensemble
    width, layout = ensemble.view.center.shape, ensemble.layout
    if width != (n_columns if layout is None else len(layout.owners),):
        raise ValueError(f"the view is of shape {width}")
    if layout is not None and len(layout.columns) != n_columns:
        raise ValueError(f"the layout is of {len(layout.columns)} columns")
    _check_scorer(scorer, detector.image_shape_ is not None)
    calibration = getattr(detector, "_calibration", None)
    for fold in calibration.folds if calibration else ():
        if fold.rows.shape[1] != ensemble.n_cells:
            raise ValueError(f"calibration rows are of {fold.rows.shape[1]} cells")
        if fold.scorer is not None:
            _check_scorer(fold.scorer, fold.scorer.ensemble.is_of_images)


def _check_scorer(scorer, is_of_images):
    """Raise a ValueError unless a scorer scores a row of its kind, and says why."""
    if scorer.ensemble.is_of_images != is_of_images:
        raise ValueError("its networks are of other rows")
    rows = np.zeros((2, scorer.ensemble.n_cells))
    if scorer.ensemble.completion is not None:
        rows[1, 0] = np.nan
    contributions, _ = scorer.explain(rows)
    if not np.isfinite([*scorer.errors(rows), *contributions.flat]).all():
        raise ValueError("the error of a row is not finite")


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
        _check_together("scorer", fold["scorer"])


def _check_cut(fitted):
    """Where the training scores are cut must be the share and the offset that it is."""
    for name in ("threshold_", "offset_", "contamination_"):
        _check_number(name, fitted[name])
    if fitted["offset_"] != -fitted["threshold_"]:
        raise ValueError("offset_ is not minus threshold_")
    if not 0 <= fitted["contamination_"] <= 1:
        raise ValueError(f"contamination_={fitted['contamination_']!r} is no share")
    scores = fitted["training_scores_"]
    is_column = scores.dtype == np.float64 and scores.ndim == 1 and len(scores) > 0
    if not is_column or not np.isfinite(scores).all():
        raise ValueError("training_scores_ are no finite numbers")


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


def _check_image(n_features, image_shape):
    """The shape of an image, if there is one, must be of as many numbers."""
    if image_shape is not None:
        _check_shapes(n_features, image_shape)
        if len(image_shape) != 3:
            raise ValueError(f"image_shape_={image_shape} has no channels")


def _check_names(n_features, names):
    """Each column must have a name, if they have names."""
    if names is None:
        return
    is_text = all(isinstance(name, str) for name in np.ravel(names))
    if np.shape(names) != (n_features,) or not is_text:
        raise ValueError(f"feature_names_in_={names!r} are no {n_features} names")


def _check_together(name, value):
    """Arrays that belong together must be as long, and those that ascend ascend."""
    if isinstance(value, dict):
        for group in TOGETHER:
            if value.keys() >= set(group) and len({len(value[k]) for k in group}) > 1:
                raise ValueError(f"{group} of {name} are not as long as each other")
        for key in value.keys() & set(ASCENDING):
            knots = value[key]
            if knots.ndim != 1 or not np.isfinite(knots).all():
                raise ValueError(f"{key} of {name} are no finite numbers")
            if (np.diff(knots) < 0).any():
                raise ValueError(f"{key} of {name} do not ascend")
    for key, item in _items(value):
        _check_together(f"{name}.{key}", item)


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
