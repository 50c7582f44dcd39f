"""Uniform samples of rows, the same ones however the rows arrive."""

import math
from dataclasses import dataclass

import numpy as np

# Rows whose keys are drawn at once.
KEYS_AT_ONCE = 2**16


def row_keys(seed, start, n_rows):
    """Random keys of n_rows rows from row `start` on, in [0, 1).

    A row's key depends on its place among all rows alone, so a piece can draw its keys
    without those before it.
    """
    return np.random.Generator(np.random.PCG64(seed).advance(start)).random(n_rows)


def subsample(X, size, seed):
    """Return X, or a random `size` of its rows, as an array in memory."""
    if len(X) <= size:
        return np.asarray(X)
    # Their indices are sampled, so that a memmap is read where the rows are.
    picked = Sample.empty(size, seed, np.arange(0))
    for start in range(0, len(X), KEYS_AT_ONCE):
        stop = min(start + KEYS_AT_ONCE, len(X))
        picked = picked.extended(np.arange(start, stop))
    return np.asarray(X[picked.rows])


@dataclass(frozen=True)
class Sample:
    """At most `size` of all rows seen, each subset of them as likely as any other.

    Every row gets a random key, and the rows of the smallest keys stay. So pieces
    may have any size, and one seed keeps the same rows of any pieces.

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
    def of_part(cls, size, seed, part, start, n_rows):
        """Sample the part that begins at row `start` of n_rows rows, for `total`.

        Where the parts are many, few rows of each can be among the smallest keys of
        all; the others are left out.
        """
        keys = row_keys(seed, start, len(part))
        # Ten deviations above the expected largest key of the sample.
        enough = keys < (size + 10 * math.sqrt(size)) / n_rows
        return cls(size, seed, part[enough], keys[enough], len(part))

    @classmethod
    def total(cls, samples):
        """Return the sample of all parts, given in the order of their rows."""
        first = samples[0]
        rows = np.concatenate([sample.rows for sample in samples])
        keys = np.concatenate([sample.keys for sample in samples])
        n_seen = sum(sample.n_seen for sample in samples)
        rows, keys = _smallest(first.size, rows, keys)
        return cls(first.size, first.seed, rows, keys, n_seen)

    @classmethod
    def empty(cls, size, seed, piece):
        """Make the sample that has seen no row yet, for rows such as the piece's."""
        return cls(size, seed, np.asarray(piece[:0]), np.empty(0))

    def state(self):
        """Everything kept, as a dictionary of arrays."""
        return vars(self).copy()

    def extended(self, piece):
        """Return the sample that has seen the rows of a piece too.

        This one stays as it is, so that a fit on the other may fail.
        """
        n_seen = self.n_seen + len(piece)
        keys = row_keys(self.seed, self.n_seen, len(piece))
        if len(self.keys) == self.size:
            # Most rows of a long stream come too late; they are not copied.
            in_time = keys < self.keys.max()
            piece, keys = piece[in_time], keys[in_time]
        rows = np.concatenate([self.rows, piece])
        keys = np.concatenate([self.keys, keys])
        rows, keys = _smallest(self.size, rows, keys)
        return Sample(self.size, self.seed, rows, keys, n_seen)


def _smallest(size, rows, keys):
    """Return the rows of the smallest keys, in their order, and these keys."""
    if len(rows) <= size:
        return rows, keys
    kept = np.sort(np.argpartition(keys, size - 1)[:size])
    return rows[kept], keys[kept]
