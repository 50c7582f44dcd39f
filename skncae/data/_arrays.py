"""Rows in containers of others as arrays, with nothing lost on the way.

numpy takes almost anything for an array, and drops what an array has no place for: the
mask of a masked array, say. What is taken here is right, all else an error.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real

import numpy as np
import torch
from sklearn.utils.validation import check_array

from skncae.data._reading import frame_instead_of
from skncae.data._values import Raw, as_float, is_missing

_DATES = np.datetime64 | np.timedelta64 | datetime.date | datetime.time
_DATES |= datetime.timedelta
_NUMBERS = Real | Decimal
# What numpy reads wrongly where it is within a list.
_FOREIGN = np.ma.MaskedArray | torch.Tensor
# What numpy can read has one of these; what has none gives its rows once, or in no
# order.
_IS_ROWS = ("__getitem__", "__array__", "__array_interface__", "shape")


def as_array(X):
    """Return rows as an array that numpy reads rightly; what it does already, as it is.

    Parameters
    ----------
    X : object
        Rows in memory.

    Returns
    -------
    X : object
        A masked array with NaN for what is masked, objects with NaN for what is
        missing, a tensor as an array, whatever has an array interface and is no frame
        as an array.

    Raises
    ------
    TypeError
        If X cannot be an array of rows, or holds dates.
    """
    rows = _converted(X)
    kind = getattr(getattr(rows, "dtype", None), "kind", None)
    if kind is not None and kind in "mM":
        raise _no_numbers(rows.dtype)
    is_of_objects = kind == "O" and isinstance(rows, np.ndarray)
    return _of_objects(rows) if is_of_objects else rows


def entries(values, name):
    """Return what is given for each row as an array; NaN for what is masked.

    Parameters
    ----------
    values : object
        One entry a row, as an array, a tensor or a list.
    name : str
        Of the argument, for errors.

    Returns
    -------
    values : ndarray
        Of masked entries that are no numbers, objects.

    Raises
    ------
    TypeError
        Of a tensor without numbers.
    """
    if isinstance(values, torch.Tensor):
        return _of_tensor(values, name)
    if np.ma.is_masked(values) and values.dtype.kind not in "iuf":
        # A truth value stays one.
        return np.where(values.mask, np.nan, values.data.astype(object))
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values)
    if isinstance(values, list | tuple):
        values = [entries(v, name) if isinstance(v, _FOREIGN) else v for v in values]
    return np.asarray(values)


def is_series(values):
    """Say whether what is given for each row has an index, which names the rows."""
    return hasattr(values, "index") and hasattr(values, "iloc")


def _converted(X):
    """Rows as an array, whatever it holds."""
    way = "" if hasattr(X, "__array__") else frame_instead_of(X)
    if way:
        raise no_frame(X, way)
    if isinstance(X, np.ma.MaskedArray):
        return _unmasked(X)
    if isinstance(X, torch.Tensor):
        return _of_tensor(X)
    # Sparse matrices by keys are mappings too, and refused as sparse.
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        raise TypeError(
            f"X is a {type(X).__name__}, and no rows; give an array or a frame, "
            "such as pandas.DataFrame(X)."
        )
    if isinstance(X, Iterable) and not any(hasattr(X, name) for name in _IS_ROWS):
        raise TypeError(
            f"X is a {type(X).__name__}, and no rows; give an array or a list of rows, "
            "such as list(X)."
        )
    if isinstance(X, Sequence) and not isinstance(X, str | bytes | memoryview):
        return _of_list(X)
    if getattr(getattr(X, "dtype", None), "names", None):
        raise TypeError(
            "X is a structured array, whose rows are records; give "
            "numpy.lib.recfunctions.structured_to_unstructured(X) or "
            "pandas.DataFrame(X)."
        )
    if isinstance(X, np.ndarray) or hasattr(X, "columns"):
        return X
    # What has no type of its own says what it holds as an array alone.
    is_array = hasattr(X, "__array__") and not hasattr(X, "dtype")
    return np.asarray(X) if is_array or hasattr(X, "__array_interface__") else X


def _of_objects(X):
    """Objects with NaN for what is missing, and infinity for what no float holds."""
    missing = np.array([is_missing(value) for value in X.flat], bool).reshape(X.shape)
    for value in X[~missing]:
        if isinstance(value, _DATES):
            raise _no_numbers(type(value).__name__)
    X = np.where(missing, np.nan, X)
    sizes = [as_float(v) if isinstance(v, _NUMBERS) else 0.0 for v in X.flat]
    floats = np.array(sizes, np.float64).reshape(X.shape)
    return np.where(np.isinf(floats), floats, X)


def _of_list(X):
    """A list of rows, or of images."""
    if any(isinstance(row, _FOREIGN) for row in X):
        X = [as_array(row) if isinstance(row, _FOREIGN) else row for row in X]
    rows = np.asarray(X)
    # Beside text numpy takes numbers for text too.
    return X if rows.dtype.kind in "SU" and rows.ndim < 3 else rows


def no_frame(X, way):
    """Say that this is nearly a frame, and how to make one of it."""
    return TypeError(
        f"X is a {type(X).__name__}, which is not taken as it is. Give {way}."
    )


def _no_numbers(dtype):
    """Say that dates are no numbers: their unit, and what is missing, would be lost."""
    return TypeError(
        f"X is an array of {dtype}, which is no number. Give a frame, such as "
        "pandas.DataFrame(X), and fit on it too."
    )


def read_array(X):
    """Read the columns of an array of numbers, named x0, x1, ...

    Parameters
    ----------
    X : object
        Rows in any container that is no frame, as `as_array` takes them.

    Returns
    -------
    raws : list of Raw
    """
    X = as_array(X)
    dtype = str(getattr(X, "dtype", "float64"))
    try:
        # Infinity is refused by its column, once the columns are known.
        rows = check_array(
            X,
            dtype=np.float64,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            allow_nd=True,
            input_name="X",
        )
    except (TypeError, ValueError) as error:
        note_if_text(error)
        raise
    if rows.ndim != 2:
        raise ValueError(
            "categorical_features names columns of a table, and X has "
            f"{rows.ndim} axes. Give X as (n_samples, n_features)."
        )
    return [
        Raw(f"x{j}", "number", values, False, dtype) for j, values in enumerate(rows.T)
    ]


def note_if_text(error):
    """Add to an error about text or objects in an array where they are taken from."""
    if "could not convert" in str(error) or "float() argument" in str(error):
        error.add_note(
            "Text, dates and categories are taken from frames: give X as a DataFrame "
            "of pandas or polars or a Table of pyarrow, and fit on it too."
        )


def _unmasked(X):
    """A masked array with NaN for what is masked."""
    if not np.ma.is_masked(X):
        return X.data
    if X.dtype.kind not in "biuf":
        raise TypeError(
            f"X is a masked array of {X.dtype}, where nothing stands for a missing "
            "entry; give X.astype(float)."
        )
    dtype = X.dtype if X.dtype.kind == "f" else np.float64
    return X.astype(dtype).filled(np.nan)


def refuse_other_layouts(X, name="X"):
    """Raise a TypeError unless a tensor is dense, and has numbers."""
    if X.is_nested:
        # It has no shape, which all else would ask for first.
        raise TypeError(
            f"{name} is a nested tensor, whose rows differ in length; give rows of one "
            f"length, such as {name}.to_padded_tensor(float('nan'))."
        )
    if X.device.type == "meta" or X.layout != torch.strided or X.is_quantized:
        raise TypeError(
            f"{name} is a tensor of {X.dtype} with the layout {X.layout} on the device "
            f"{X.device}; give a dense one with numbers, such as {name}.to_dense()."
        )


def _of_tensor(X, name="X"):
    """The numbers of a tensor, wherever it is, and whether or not gradients need it."""
    refuse_other_layouts(X, name)
    X = X.detach().cpu().resolve_conj().resolve_neg()
    # numpy has none of torch's own types.
    is_narrow = X.dtype.is_floating_point and X.dtype.itemsize < 4
    return (X.float() if is_narrow else X).numpy()
