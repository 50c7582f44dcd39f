"""What comes in, as flat rows of numbers.

Everything but the networks works on flat rows; what shape a row came in is remembered
by the estimator, so that rows that go out have it too.
"""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from sklearn import config_context
from sklearn.utils.validation import validate_data

from skncae._surroundings import warn_caller
from skncae.data import _images, _layout
from skncae.data._arrays import as_array, no_frame, note_if_text, read_array
from skncae.data._chunks import Chunks
from skncae.data._layout import Layout
from skncae.data._reading import (
    columns_of,
    frame_instead_of,
    is_all_numeric,
    library_of,
    names_of,
)

# Whether rows that are read were taken before, together with others.
_ARE_KNOWN = ContextVar("are_known", default=False)


@contextmanager
def known_rows():
    """Read again some of the rows that were read before, all together.

    Whether a column is of its type shows in all of its values, not in a few, and what
    of it counts as missing has been said.
    """
    before = _ARE_KNOWN.set(True)
    try:
        yield
    finally:
        _ARE_KNOWN.reset(before)


def check_rows(estimator, X, *, reset):
    """Validate X as scikit-learn does, keeping float32 and a memmap as they are.

    Returns flat rows: of a frame with columns of more types than numbers, the cells of
    its layout. With `reset` the estimator remembers their shape, whether they are
    images, whether entries may be missing, and the layout.
    """
    if isinstance(X, Chunks):
        raise TypeError(
            "Chunks can be fitted on and scored; this takes rows in memory. Go over "
            "them: for chunk in chunks."
        )
    if reset:
        # By default entries of a frame may be missing, and those of an array not.
        is_auto = _is_auto(estimator.allow_nan)
        is_frame = library_of(X) is not None
        estimator._allow_nan = is_frame if is_auto else estimator.allow_nan
    if library_of(X) is not None and not len(names_of(X)):
        _refuse_empty(len(X), 0)
    raws = typed_columns(estimator, X, reset)
    if raws is not None:
        return _checked_columns(estimator, raws, reset, library_of(X) is not None)
    X = _plain_frame(X, reset) if library_of(X) is not None else as_array(X)
    if reset:
        image_shape = _images.image_shape_of(X, estimator.image_shape)
    else:
        image_shape = estimator.image_shape_
        _images.check_row_shape(X, estimator.row_shape_)
    if image_shape is not None and allows_nan(estimator):
        raise ValueError(
            "allow_nan=True is for tables, and X holds images. Fill missing pixels in, "
            "and set allow_nan=False."
        )
    rows = _checked_rows(estimator, _images.flat(X), reset, image_shape)
    if reset:
        _images.check_width(rows.shape[1], image_shape)
        estimator._layout = None
        estimator.image_shape_ = image_shape
        estimator.row_shape_ = X.shape[1:] if _images.is_folded(X) else rows.shape[1:]
    return rows


def set_layout(estimator, raws, is_named=True):
    """Learn the layout of a typed table from its columns; the estimator keeps it."""
    layout = Layout.of(raws, estimator.categorical_features)
    allow_nan = estimator.allow_nan
    estimator._allow_nan = True if _is_auto(allow_nan) else allow_nan
    estimator._layout = layout
    estimator.image_shape_ = None
    estimator.row_shape_ = (len(raws),)
    estimator.n_features_in_ = len(raws)
    if is_named:
        estimator.feature_names_in_ = np.array(layout.names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return layout


def read_columns(X, is_named):
    """Read the columns of a frame, or of an array, whose columns have no names.

    Returns
    -------
    raws : list of Raw
    """
    return _layout.read(X) if is_named else read_array(X)


def check_not_empty(raws):
    """Raise a ValueError unless columns that were read hold a row."""
    n_rows = len(raws[0].values) if raws else 0
    if not n_rows:
        _refuse_empty(n_rows, len(raws))


def typed_columns(estimator, X, reset):
    """Read the columns of a typed table; None where X is none.

    Returns
    -------
    raws : list of Raw or None
    """
    is_frame = library_of(X) is not None
    if not reset:
        layout = getattr(estimator, "_layout", None)
        if layout is None:
            return None
        is_named = hasattr(estimator, "feature_names_in_")
        if is_named and not is_frame:
            way = frame_instead_of(X)
            raise TypeError(
                f"This {type(estimator).__name__} was fitted on a frame with the "
                f"columns {', '.join(map(repr, layout.names))}; got "
                f"{type(X).__name__}. Give it a frame with these"
                f"{f': {way}' if way else ''}."
            )
        raws = read_columns(X, is_named)
        if not is_named:
            # The number of columns, and a warning where they have names now.
            validate_data(estimator, as_array(X), reset=False, skip_check_array=True)
        return raws
    forces = not _is_default(estimator.categorical_features)
    if not is_frame:
        return read_array(X) if forces else None
    if not forces and is_all_numeric(X):
        return None
    raws = _layout.read(X)
    is_typed = any(raw.kind not in ("number", "boolean") for raw in raws)
    return raws if forces or is_typed else None


def allows_nan(estimator):
    """Say whether entries may be missing."""
    allow_nan = estimator.allow_nan
    if _is_auto(allow_nan):
        return getattr(estimator, "_allow_nan", False)
    if getattr(allow_nan, "ndim", 0):
        # Here it is asked first, and an array is neither true nor false.
        raise TypeError(f'allow_nan must be True, False or "auto", got {allow_nan!r}.')
    return allow_nan


def _is_auto(allow_nan):
    return isinstance(allow_nan, str) and allow_nan == "auto"


def _is_default(categorical_features):
    """Say whether no column is named to hold categories."""
    if categorical_features is None:
        return True
    if isinstance(categorical_features, str):
        return categorical_features == "from_dtype"
    return len(np.ravel(np.asarray(categorical_features, dtype=object))) == 0


def _checked_columns(estimator, raws, reset, is_named):
    """Validate the columns of a typed table and return its cells."""
    check_not_empty(raws)
    if reset:
        if estimator.image_shape is not None:
            raise ValueError(
                "image_shape is for arrays of pixels, and X is a frame with columns of "
                "more types than numbers. Set image_shape=None."
            )
        set_layout(estimator, raws, is_named)
    is_known = not reset and _ARE_KNOWN.get()
    cells = estimator._layout.encode(raws, is_known)
    # What fit lost is said once its rows are all known.
    is_said = reset or is_known
    lost = "" if is_said else estimator._layout.lost_later(raws, cells)
    if lost:
        warn_caller(lost)
    if not allows_nan(estimator) and np.isnan(cells).any():
        names = [column.name for column in estimator._layout.used]
        first = names[int(np.isnan(cells).any(axis=0).argmax())]
        raise ValueError(
            f"Input X contains NaN: column {first!r} has missing entries, which "
            "allow_nan=False refuses. Leave allow_nan at its default."
        )
    return cells


def _refuse_empty(n_rows, n_columns):
    """Say that a frame holds nothing."""
    raise ValueError(
        f"Found array with {n_rows} sample(s) and {n_columns} feature(s), where at "
        "least one of each is required. Give a frame with rows and columns."
    )


def _plain_frame(X, reset):
    """Return a frame of numbers as one that scikit-learn reads rightly."""
    _layout.check_names_differ(list(map(str, names_of(X))))
    if is_all_numeric(X):
        return X
    if not reset:
        # numpy takes dates and durations for numbers, text it refuses.
        _raise_if_changed(X, None, ("number", "boolean", "text", "other"))
    if library_of(X) != "pandas":
        return X
    # scikit-learn takes a frame for sparse where all of its columns are.
    if all(str(dtype).startswith("Sparse[") for dtype in X.dtypes):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. Give "
            "X.sparse.to_dense()."
        )
    if not any(str(dtype) == "object" for dtype in X.dtypes):
        return X
    # Objects may be the NA of pandas, which is no number.
    values = as_array(X.to_numpy(dtype=object))
    # Without a type an old pandas looks for one, and meets numbers that none holds.
    return type(X)(values, columns=X.columns, index=X.index, dtype=values.dtype)


# Validation sums X, which for huge values of both signs is inf - inf. It looks for NaN
# also where the caller has told scikit-learn that there is none: networks that were
# trained on it would say nothing of any row.
@np.errstate(invalid="ignore")
@config_context(assume_finite=False)
def _checked_rows(estimator, X, reset, image_shape):
    """Validate flat rows, of a table or, with the shape of one, of images."""
    try:
        return validate_data(
            estimator,
            X,
            reset=reset,
            accept_sparse=False,
            dtype=[np.float64, np.float32],
            order=None,
            ensure_all_finite="allow-nan" if allows_nan(estimator) else True,
            ensure_min_samples=1,
        )
    except (TypeError, ValueError, OverflowError) as error:
        if "contains NaN" in str(error):
            raise ValueError(
                f"Input X contains NaN{_first_place(X, np.isnan, image_shape)}. "
                + (
                    "Fit with allow_nan=True to leave missing entries out of the "
                    "training and of the scores, or fill them in, for example with "
                    "sklearn.impute.SimpleImputer."
                    if image_shape is None
                    else "Fill missing pixels in, for example with np.nan_to_num(X)."
                )
            ) from error
        if "contains infinity" in str(error) or isinstance(error, OverflowError):
            other = ", or by NaN with allow_nan=True" if image_shape is None else ""
            raise ValueError(
                f"Input X contains infinity{_first_place(X, np.isinf, image_shape)}. "
                f"Replace it by a number{other}."
            ) from error
        way = frame_instead_of(X)
        if way:
            raise no_frame(X, way) from error
        if not reset and library_of(X) is not None:
            _raise_if_changed(X, error)
        note_if_text(error)
        raise


def _first_place(X, is_bad, image_shape):
    """Say in which column and row of X, or where in which image, one such value is."""
    if library_of(X) is None:
        names, values = None, np.asarray(X, dtype=np.float64)
    else:
        names = names_of(X)
        # A column without a value holds None.
        values = np.stack([raw.values for raw in columns_of(X)], axis=1)
        values = values.astype(np.float64)
    columns, rows = np.nonzero(is_bad(values).T)
    if not len(columns):
        return ""
    # Rows of another width are refused later, and have no place in an image.
    if image_shape is not None and values.shape[1] == np.prod(image_shape):
        place = tuple(map(int, np.unravel_index(columns[0], image_shape)))
        return f" in image {rows[0]}, at {place} of {image_shape}"
    column = columns[0] if names is None else repr(names[columns[0]])
    return f" in column {column}, first in row {rows[0]}"


def _raise_if_changed(X, error, kinds=("number", "boolean")):
    """Name the first column of a frame that held numbers in fit and does not now."""
    for raw in _layout.read(X):
        if raw.kind in kinds:
            continue
        values = [value for value in raw.values.tolist() if value is not None]
        # Others than text are seconds here.
        such_as = f", such as {values[0]!r}" if values and raw.kind == "text" else ""
        raise ValueError(
            f"column {raw.name!r} held numbers in fit and has the type {raw.dtype} "
            f"now{such_as}. Give it numbers, or fit again."
        ) from error


def feature_names(estimator):
    """Names of the columns that a fitted estimator has seen; x0, x1, ... without."""
    if hasattr(estimator, "feature_names_in_"):
        return estimator.feature_names_in_
    unnamed = [f"x{column}" for column in range(estimator.n_features_in_)]
    return np.array(unnamed, dtype=object)
