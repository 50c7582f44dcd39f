"""Rows in containers of others as arrays, with nothing lost on the way.

numpy takes almost anything for an array, and drops what an array has no place for: the
mask of a masked array, say. What is taken here is right, all else an error.
"""

from collections.abc import Mapping

import numpy as np
import torch


def as_array(X):
    """Return rows as an array that numpy reads rightly; what it does already, as it is.

    Parameters
    ----------
    X : object
        Rows in memory.

    Returns
    -------
    X : object
        A masked array with NaN for what is masked, a tensor as an array, whatever has
        an array interface and is no frame as an array.

    Raises
    ------
    TypeError
        If X cannot be an array of rows.
    """
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
    if isinstance(X, list | tuple):
        foreign = np.ma.MaskedArray | torch.Tensor
        if any(isinstance(row, foreign) for row in X):
            X = [as_array(row) if isinstance(row, foreign) else row for row in X]
        # A list of images.
        return np.asarray(X) if len(X) and np.ndim(X[0]) > 1 else X
    if getattr(getattr(X, "dtype", None), "names", None):
        raise TypeError(
            "X is a structured array, whose rows are records; give "
            "numpy.lib.recfunctions.structured_to_unstructured(X) or "
            "pandas.DataFrame(X)."
        )
    if hasattr(X, "__array_interface__") and not isinstance(X, np.ndarray):
        return np.asarray(X)
    return X


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


def _of_tensor(X):
    """The numbers of a tensor, wherever it is, and whether or not gradients need it."""
    if X.device.type == "meta" or X.layout != torch.strided or X.is_quantized:
        raise TypeError(
            f"X is a tensor of {X.dtype} with the layout {X.layout} on the device "
            f"{X.device}; give a dense one with numbers, such as X.to_dense()."
        )
    X = X.detach().cpu().resolve_conj().resolve_neg()
    # numpy has none of torch's own types.
    is_narrow = X.dtype.is_floating_point and X.dtype.itemsize < 4
    return (X.float() if is_narrow else X).numpy()
