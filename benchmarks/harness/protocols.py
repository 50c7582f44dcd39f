"""Which rows a detector is fitted on, and which it is judged on.

============  ==================================  =====================
name          training rows                       scored rows
============  ==================================  =====================
contaminated  all rows, unlabelled                the same rows
split         60 % of normals, 60 % of outliers   the other 40 %
clean         60 % of the normals                 all other rows
============  ==================================  =====================

Labels choose rows and compute metrics; no detector sees them. Rows are
standardised with the mean and the deviation of the training rows.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

PROTOCOLS = ("contaminated", "split", "clean")
ROW_LIMIT = 10_000
TRAIN_SHARE = 0.6


@dataclass(frozen=True)
class Task:
    """Standardised rows, the same for every detector.

    ``X_score`` and ``X_train`` are the same object where the protocol scores the
    rows that it fits.
    """

    X_train: np.ndarray
    X_score: np.ndarray
    y_score: np.ndarray
    n: int
    d: int
    outlier_share: float
    depends_on_seed: bool


def prepare(X, y, protocol, seed, full=False):
    """Choose rows by `protocol` and `seed`, and standardise them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : int ndarray of shape (n,)
        1 is an outlier.
    protocol : {"contaminated", "split", "clean"}
    seed : int
        Chooses the subsample and the split.
    full : bool, default=False
        Whether to keep all rows of sets with more than 10,000.

    Returns
    -------
    task : Task
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}; choose one of {PROTOCOLS}.")
    rng = np.random.default_rng(seed)
    is_subsampled = not full and len(X) > ROW_LIMIT
    if is_subsampled:
        X, y = at_most(ROW_LIMIT, X, y, rng)
    train, score = _rows_of(protocol, y, rng)
    scaler = StandardScaler().fit(X[train])
    X_train = scaler.transform(X[train])
    same = protocol == "contaminated"
    return Task(
        X_train=X_train,
        X_score=X_train if same else scaler.transform(X[score]),
        y_score=y[score],
        n=len(X),
        d=X.shape[1],
        outlier_share=float(y.mean()),
        depends_on_seed=is_subsampled or not same,
    )


def at_most(size, X, y, rng):
    """Give all rows and labels, or where there are more a `subsample` of that size."""
    if len(X) <= size:
        return X, y
    rows = subsample(y, size, rng)
    return X[rows], y[rows]


def subsample(y, size, rng):
    """Draw `size` rows at random that keep the share of outliers, in their order.

    A plain draw would leave smtp (30 outliers in 95,156 rows) with none at all in
    one seed of twenty.
    """
    outliers, normals = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    n_outliers = max(2, round(size * len(outliers) / len(y)))
    chosen = (
        rng.choice(outliers, n_outliers, replace=False),
        rng.choice(normals, size - n_outliers, replace=False),
    )
    return np.sort(np.concatenate(chosen))


def _rows_of(protocol, y, rng):
    everything = np.arange(len(y))
    if protocol == "contaminated":
        return everything, everything
    train = _share(np.flatnonzero(y == 0), rng)
    if protocol == "split":
        train = np.concatenate([train, _share(np.flatnonzero(y == 1), rng)])
    # Shuffled, so that no detector finds the outliers at the end of its rows.
    return rng.permutation(train), np.setdiff1d(everything, train)


def _share(rows, rng):
    return rng.permutation(rows)[: round(TRAIN_SHARE * len(rows))]
