"""Uniform random samples: of rows at hand, and of rows that arrive in pieces."""

from dataclasses import dataclass

import numpy as np


def subsample(X, n_rows, random_state):
    """Return X, or a random n_rows of its rows, as an array in memory."""
    if len(X) <= n_rows:
        return np.asarray(X)
    picked = random_state.choice(len(X), n_rows, replace=False)
    # Sorted: a memmap is then read in one pass.
    return np.asarray(X[np.sort(picked)])


@dataclass(frozen=True)
class Sample:
    """At most `size` of all rows seen, each subset of them as likely as any other.

    Every row gets a random key, and the rows of the smallest keys stay. So pieces
    may have any size and come in any order.

    Parameters
    ----------
    size : int
    seed : int
    rows : ndarray of shape (n_kept, n_features)
        In the order of their arrival.
    keys : ndarray of shape (n_kept,)
    n_seen : int
    """

    size: int
    seed: int
    rows: np.ndarray
    keys: np.ndarray
    n_seen: int = 0

    @classmethod
    def empty(cls, size, seed, piece):
        """Make the sample that has seen no row yet, for rows such as the piece's."""
        return cls(size, seed, np.asarray(piece[:0]), np.empty(0))

    def extended(self, piece):
        """Return the sample that has seen the rows of a piece too.

        This one stays as it is, so that a fit on the other may fail.
        """
        # Seeded anew for each piece: a sample has no generator that could move.
        keys = np.random.default_rng([self.seed, self.n_seen]).random(len(piece))
        rows = np.concatenate([self.rows, piece])
        keys = np.concatenate([self.keys, keys])
        if len(rows) > self.size:
            kept = np.sort(np.argpartition(keys, self.size - 1)[: self.size])
            rows, keys = rows[kept], keys[kept]
        return Sample(self.size, self.seed, rows, keys, self.n_seen + len(piece))
