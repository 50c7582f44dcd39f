"""Training rows, wherever they are: a sample to learn from, and errors of all.

What `fit` asks of them: `sample(size, seed)` returns a uniform sample as an array and
sets `n_rows`; `errors(scorer)` returns the errors of all rows, or quantiles of them.
"""

import itertools

import numpy as np

from skncae.data._quantiles import Sketch
from skncae.data._sample import Sample, subsample


class RowsAtHand:
    """The rows of an array or a memmap.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Validated.
    """

    def __init__(self, X):
        self.X = X
        self.n_rows = len(X)

    def sample(self, size, seed):
        """Return a uniform sample of at most `size` rows."""
        return subsample(self.X, size, seed)

    def errors(self, scorer):
        """Return the error of every row."""
        return scorer.errors(self.X)


class RowsInChunks:
    """Rows of which one chunk is held at a time.

    Parameters
    ----------
    chunks : Chunks
    check : callable
        `check(chunk, reset=...)` validates a chunk and returns it as an array.
    reset : bool
        Whether the first chunk says what columns there are.
    begun : iterator, optional
        Over the chunks, for the first pass.
    """

    def __init__(self, chunks, check, reset, begun=None):
        if chunks.is_spent_once_read:
            raise ValueError(
                "fit reads the chunks twice, to learn from a sample of them and to set "
                f"the threshold, but {chunks.source!r} can be read only once. Give "
                "Chunks a function that returns such an iterator, or hand the chunks "
                "to partial_fit."
            )
        self.chunks = chunks
        self.check = check
        # The first chunk is read now: what comes next depends on the shape of its rows.
        self._pass = checked_chunks(begun or chunks, check, reset)
        self._first = next(self._pass, None)
        if self._first is None:
            raise ValueError(f"The chunks of {chunks.source!r} hold no rows.")

    def sample(self, size, seed):
        """Return a uniform sample of at most `size` rows: what is left of one pass."""
        sample = Sample.empty(size, seed, self._first)
        for X in itertools.chain([self._first], self._pass):
            sample = sample.extended(X)
        del self._first, self._pass
        self.n_rows = sample.n_seen
        return sample.rows

    def errors(self, scorer):
        """Return quantiles of the errors of all rows: one pass."""
        sketch = Sketch.of(np.empty(0))
        for X in checked_chunks(self.chunks, self.check):
            sketch = Sketch.total([sketch, Sketch.of(scorer.errors(X))])
        if sketch.n_seen != self.n_rows:
            raise ValueError(
                f"The chunks of {self.chunks.source!r} held {self.n_rows} rows, and "
                f"{sketch.n_seen} when they were read again. Give Chunks a function "
                "that returns an iterator over the same chunks each time."
            )
        return sketch.quantiles()


def checked_chunks(chunks, check, reset=False):
    """Yield the chunks as validated arrays; errors say where the chunk is."""
    start = 0
    for chunk in chunks:
        try:
            X = check(chunk, reset=reset)
        except (TypeError, ValueError) as error:
            error.add_note(f"This chunk begins at row {start}.")
            raise
        yield X
        start += len(X)
        reset = False
