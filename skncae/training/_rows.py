"""The rows that networks are trained on."""

import math

import numpy as np

# Values further from the centre than so many scales are moved to there.
FURTHEST = 3.0

# None is longer than so many rows of unit deviations; they are rounded to this grid.
LONGEST, GRID = 3.0, 2.0**-10


def winsorized(X, view):
    """Complete rows of a table whose values are no further out than FURTHEST scales.

    One absurd value would else move the whole row, and a row cut to its length has lost
    what its other values say.
    """
    # Pixels have one scale for all, and a normalised image is in other units.
    if view.knee is None:
        return X
    with np.errstate(over="ignore"):
        reach = FURTHEST * view.scale
        return np.clip(X, view.center - reach, view.center + reach)


def training_rows(Z):
    """Rows of a view as networks are trained on them, float32.

    One row that is absurdly far out would take over every batch that it is in, and the
    size of the steps after it: none is longer than LONGEST typical ones. On a grid the
    last bits, which depend on the units and on the order of the columns, do not make
    another network.
    """
    length = np.linalg.norm(Z, axis=1, keepdims=True)
    longest = LONGEST * math.sqrt(Z.shape[1])
    Z = Z * np.minimum(1.0, longest / np.maximum(length, longest))
    return (np.round(Z / GRID) * GRID).astype(np.float32)
