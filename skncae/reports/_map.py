"""A map of the rows: two components of the scaled columns."""

import numpy as np
from sklearn.decomposition import PCA

# Of a column of categories, so many are told apart.
MOST_CATEGORIES = 12
# So many spreads from the middle a value is at the edge of the map: one that is drawn
# further out would be the whole variance, and squeeze the other rows to a line.
EDGE = 1e3


def coordinates(layout, cells):
    """Rows as numbers: of categories, which of the common ones a row has.

    Parameters
    ----------
    layout : Layout or None
        None for a table of numbers, whose cells are what is returned.
    cells : ndarray of shape (n_samples, n_cells)

    Returns
    -------
    numbers : ndarray of shape (n_samples, n_numbers)
    """
    if layout is None:
        return cells
    blocks = []
    for column, codes in zip(layout.used, cells.T, strict=True):
        if column.family == "category":
            common = np.argsort(-column.counts, kind="stable")[:MOST_CATEGORIES]
            blocks.append((codes[:, None] == common).astype(float))
        else:
            blocks.append(column.numbers(codes))
    return np.concatenate(blocks, axis=1)


def row_map(ordinary, top):
    """Place rows in two dimensions, so that those that vary together lie together.

    The components are those of the ordinary rows; what is far out is drawn in.

    Parameters
    ----------
    ordinary : ndarray of shape (n_samples, n_features)
        Rows as numbers.
    top : ndarray of shape (n_top, n_features)
        The rows that stand out.

    Returns
    -------
    places : ndarray of shape (n_samples, 2)
    top_places : ndarray of shape (n_top, 2)
    share : float
        Of the variance of the ordinary rows, what the two components show.
    """
    center, spread = _center_and_spread(ordinary)
    scaled = [_drawn_in((rows - center) / spread) for rows in (ordinary, top)]
    n_components = min(2, *scaled[0].shape)
    with np.errstate(invalid="ignore"):
        # Rows that are all alike have no variance to share out.
        components = PCA(n_components, random_state=0)
        components.set_output(transform="default").fit(scaled[0])
    share = components.explained_variance_ratio_
    places = [
        np.pad(components.transform(rows), ((0, 0), (0, 2 - n_components)))
        for rows in scaled
    ]
    return *places, float(np.nan_to_num(share).sum())


def _center_and_spread(rows):
    """Median, and the deviation of a normal distribution with the middle 80 %."""
    with np.errstate(all="ignore"):
        rows = np.where(np.isfinite(rows), rows, np.nan)
        empty = np.isnan(rows).all(0)
        low, center, high = np.nanquantile(
            np.where(empty, 0.0, rows), [0.1, 0.5, 0.9], axis=0
        )
        deviation = np.nanstd(np.where(empty, 0.0, rows), axis=0)
    spread = np.where(high > low, (high - low) / 2.56, deviation)
    return center, np.where(spread > 0, spread, 1.0)


def _drawn_in(scaled):
    """Scaled rows whose tails grow with the logarithm; missing values in the middle."""
    return np.arcsinh(np.clip(np.nan_to_num(scaled, nan=0.0), -EDGE, EDGE))
