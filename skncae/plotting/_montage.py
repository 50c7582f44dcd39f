"""Images side by side as one image, for the displays."""

import numpy as np


def montage(rows_of_images, gap):
    """Put images of shape (height, width, channels) side by side, row by row.

    Parameters
    ----------
    rows_of_images : sequence of sequences of ndarray
        One sequence for each row, all of the same length.
    gap : ndarray of shape (channels,) or float
        What is between them.

    Returns
    -------
    picture : ndarray of shape (height, width, channels)
    """
    rows = []
    for images in rows_of_images:
        padded = [_with_gap(np.asarray(image, dtype=float), gap) for image in images]
        rows.append(np.concatenate(padded, axis=1))
    return np.concatenate(rows, axis=0)[:-1, :-1]


def shown(images, low, high):
    """Images between 0 and 1, as matplotlib draws them: grey, or red, green, blue.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, channels)
    low, high : float
        What is drawn black and white.

    Returns
    -------
    images : ndarray of shape (n_images, height, width, 1 or 3)
        Of two channels the mean; of four the first three.
    """
    images = np.clip((images - low) / (high - low if high > low else 1.0), 0.0, 1.0)
    if images.shape[-1] >= 3:
        return images[..., :3]
    return images.mean(-1, keepdims=True)


def _with_gap(image, gap):
    """Add a line of pixels below and to the right."""
    height, width, channels = image.shape
    padded = np.empty((height + 1, width + 1, channels))
    padded[:] = gap
    padded[:height, :width] = image
    return padded
