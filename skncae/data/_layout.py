"""What comes in, as flat rows of numbers.

Everything but the networks works on flat rows; what shape a row came in is remembered
by the estimator, so that rows that go out have it too.
"""

import numpy as np
from sklearn.utils.validation import validate_data

from skncae.data import _images
from skncae.data._arrays import as_array
from skncae.data._chunks import Chunks


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
    X = as_array(X)
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
