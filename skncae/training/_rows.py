"""The rows that networks are trained on."""

import math

import numpy as np

# None is longer than so many rows of unit deviations.
LONGEST = 3.0

# They are rounded to this grid, in deviations; or to the finer one in other units, of
# columns between 0 and 1 or of pixels.
GRID, FINE_GRID = 2.0**-3, 2.0**-10


def training_rows(Z, view):
    """Rows of a view as networks are trained on them, float32.

    One row that is absurdly far out would take over every batch that it is in, and the
    size of the steps after it: none is longer than LONGEST typical ones. On a grid the
    last bits, which depend on the units and on the order of the columns, do not make
    another network; on a coarse one those of float32 seldom do.
    """
    grid = FINE_GRID if view.knee is None else GRID
    length = np.linalg.norm(Z, axis=1, keepdims=True)
    longest = LONGEST * math.sqrt(Z.shape[1])
    Z = Z * np.minimum(1.0, longest / np.maximum(length, longest))
    return (np.round(Z / grid) * grid).astype(np.float32)
