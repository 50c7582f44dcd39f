"""Images as rows: shapes in, shapes out.

Everything but the networks works on flat rows, one column a pixel and channel. What
shape a row came in is remembered, so that rows that go out have it too.
"""

import math
from collections.abc import Sequence

import numpy as np

from skncae._checks import is_integer

# What the networks of images are built for, in pixels a side.
LEAST_PIXELS, MOST_PIXELS = 8, 64
MOST_CHANNELS = 4


def is_folded(X):
    """Say whether the rows of X have more than one axis."""
    return getattr(X, "ndim", 2) > 2


def flat(X):
    """Rows of any shape as (n_samples, n_features)."""
    return np.reshape(X, (len(X), math.prod(X.shape[1:]))) if is_folded(X) else X


def image_shape_of(X, image_shape):
    """Return the (height, width, channels) of the images in X; None for a table.

    Parameters
    ----------
    X : array-like
    image_shape : tuple of int or None
        The parameter of `NCAEDetector`.

    Raises
    ------
    ValueError
        If X and `image_shape` do not fit, or the networks are not built for images of
        that size.
    """
    if getattr(X, "ndim", 2) > 4:
        raise ValueError(
            f"X has {X.ndim} axes; images have 3, (n_samples, height, width), or 4, "
            "(n_samples, height, width, channels). Reshape X."
        )
    given = None
    if image_shape is not None:
        given = checked_image_shape(image_shape, "image_shape")
    if not is_folded(X):
        return given
    shape = checked_image_shape(X.shape[1:], "The shape of a row of X")
    if given not in (None, shape):
        raise ValueError(
            f"X has rows of shape {X.shape[1:]}, but image_shape={image_shape!r}. "
            "Leave image_shape=None for rows that have their shape, or reshape X."
        )
    return shape


def checked_image_shape(shape, name):
    """Return an image shape with its channels, or raise a ValueError or TypeError."""
    # An array without axes has nothing to go over.
    is_array = isinstance(shape, np.ndarray) and shape.ndim > 0
    sizes = tuple(shape) if is_array or isinstance(shape, Sequence) else ()
    if len(sizes) not in (2, 3) or not all(map(is_integer, sizes)):
        raise TypeError(
            f"{name} must be (height, width) or (height, width, channels), three ints "
            f"at most; got {shape!r}."
        )
    sizes = tuple(map(int, sizes))
    height, width, channels = sizes if len(sizes) == 3 else (*sizes, 1)
    if channels > MOST_CHANNELS:
        hint = "Images have their channels last"
        if height <= MOST_CHANNELS:
            hint += "; np.moveaxis(X, 1, -1) moves them there"
        raise ValueError(
            f"{name} is {shape}: {channels} channels, where at most {MOST_CHANNELS} "
            f"are supported. {hint}. Of more, pick some or take their mean."
        )
    if max(height, width) > MOST_PIXELS:
        raise ValueError(
            f"{name} is {shape}, where at most {MOST_PIXELS} x {MOST_PIXELS} pixels "
            "are supported. Scale the images down first, for example by the mean of "
            "blocks of pixels, or cut them into tiles "
            "(sklearn.feature_extraction.image.extract_patches_2d)."
        )
    if min(height, width) < LEAST_PIXELS:
        raise ValueError(
            f"{name} is {shape}, where at least {LEAST_PIXELS} x {LEAST_PIXELS} pixels "
            "are needed. Pad the images with np.pad, or use them as a table: "
            "X.reshape(len(X), -1) with image_shape=None."
        )
    return height, width, channels


def check_row_shape(X, row_shape):
    """Raise a ValueError unless the rows of X have the shape seen in fit."""
    shape = tuple(np.shape(X)[1:]) if is_folded(X) or len(row_shape) > 1 else row_shape
    if shape != row_shape:
        raise ValueError(
            f"X has rows of shape {shape}, but this NCAEDetector was fitted on rows "
            f"of shape {row_shape}. Reshape X, or fit again."
        )


def check_width(n_features, image_shape):
    """Raise a ValueError unless flat rows can be folded to the image shape."""
    if image_shape is not None and n_features != math.prod(image_shape):
        raise ValueError(
            f"X has {n_features} columns, but image_shape={image_shape} folds rows of "
            f"{math.prod(image_shape)}. Change image_shape, or reshape X."
        )
