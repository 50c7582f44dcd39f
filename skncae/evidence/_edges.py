"""The edges of images."""

from dataclasses import dataclass

import numpy as np

# Edges are counted by direction in cells of so many pixels, which overlap.
DIRECTIONS, CELL, STRIDE = 8, 5, 3


@dataclass(frozen=True)
class Edges:
    """How much edge of each direction is where: a histogram of oriented gradients.

    It has the length 1, so that neither brightness nor contrast is in it, and coarse
    cells, so that a stroke may move by a pixel or two (Dalal & Triggs, 2005).

    Parameters
    ----------
    image_shape : tuple of (height, width, channels)
    """

    image_shape: tuple

    def transform(self, X):
        """Histograms of images, (n_samples, directions * rows * columns of cells)."""
        grey = np.reshape(X, (len(X), *self.image_shape)).astype(np.float64).mean(-1)
        down, right = np.gradient(grey, axis=(1, 2))
        strength = np.maximum(np.hypot(down, right), 1e-12)
        angles = 2.0 * np.pi * np.arange(DIRECTIONS)[:, None, None, None] / DIRECTIONS
        along = np.maximum(np.cos(angles) * right + np.sin(angles) * down, 0.0)
        rows, columns = map(_cell_pixels, self.image_shape[:2])
        counts = rows @ (along**2 / strength) @ columns.T
        edges = np.sqrt(counts).transpose(1, 0, 2, 3).reshape(len(X), -1)
        length = np.linalg.norm(edges, axis=1, keepdims=True)
        return edges / np.where(length > 0.0, length, 1.0)

    def cells_to_pixels(self, parts):
        """Share what each histogram entry adds out among the pixels of its cell."""
        rows, columns = map(_cell_pixels, self.image_shape[:2])
        parts = parts.reshape(len(parts), DIRECTIONS, len(rows), len(columns)).sum(1)
        pixels = (rows / rows.sum(1, keepdims=True)).T @ parts
        pixels = pixels @ (columns / columns.sum(1, keepdims=True))
        n_channels = self.image_shape[2]
        return np.repeat(pixels.reshape(len(parts), -1) / n_channels, n_channels, 1)


def _cell_pixels(n_pixels):
    """Which pixels each cell takes the mean of, (n_cell_pixels, n_pixels)."""
    first = np.arange(0, n_pixels, STRIDE)[:, None] - CELL // 2
    pixel = np.arange(n_pixels)
    return ((first <= pixel) & (pixel < first + CELL)) / CELL
