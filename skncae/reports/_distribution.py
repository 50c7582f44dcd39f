"""How the errors of rows are distributed, on an axis that shows a gap."""

import numpy as np

N_BINS = 60
# Positions that differ by no more than this share of them are in one bin.
SAME = 1e-9
# Positions that the slider of the threshold can take.
N_STEPS = 400
# What is further to the left, rows that fit perfectly, is drawn here.
LEAST = -3.0


def distribution(errors, threshold, position_of):
    """Count rows along the axis, and those that each threshold would flag.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
    threshold : float
    position_of : callable
        Positions of errors on the axis; it does not change their order.

    Returns
    -------
    distribution : dict
        "edges" and "counts" of the bins; "threshold", a position; "steps", a list of
        (position, error, number of rows beyond it).
    """
    positions = np.maximum(position_of(errors), LEAST)
    at = float(position_of(np.array([threshold]))[0])
    low, high = min(positions.min(), at), max(positions.max(), at)
    # Up to rounding, which has no place for so many bins.
    if high - low <= SAME * max(abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(positions, N_BINS, (low, high))
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "threshold": at,
        "steps": _steps(errors, threshold, position_of),
        "n_rows": len(errors),
    }


def _steps(errors, threshold, position_of):
    """Thresholds from the median error to the highest, and how many rows each flags."""
    ascending = np.sort(errors)
    upper = ascending[len(ascending) // 2 :]
    positions = position_of(upper)
    at = np.linspace(positions[0], positions[-1], N_STEPS)
    # Errors change where positions do, and a threshold lies between two of them.
    cuts = np.interp(at, positions, upper)
    cuts = np.unique(np.append(cuts, threshold))
    beyond = len(errors) - np.searchsorted(ascending, cuts, "right")
    steps = zip(position_of(cuts).tolist(), cuts.tolist(), beyond.tolist(), strict=True)
    return [list(step) for step in steps]
