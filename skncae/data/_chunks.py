"""Rows that are read a chunk at a time, for tables that memory does not hold."""

import math
from collections.abc import Mapping

import torch
from scipy.sparse import issparse

from skncae._checks import check_count
from skncae.data._arrays import refuse_other_layouts

# Chunks that are ours to cut hold about as many bytes.
CHUNK_BYTES = 2**24


class Chunks:
    """Rows that are read a chunk at a time, as often as they are asked for.

    `NCAEDetector.fit`, `score_samples`, `decision_function` and `predict` take it in
    place of an array, and hold one chunk of it at a time.

    Parameters
    ----------
    source : array-like, dataset, iterable or callable
        Where the rows are:

        - anything with a `shape` that gives rows for a slice: a numpy.memmap, an
          HDF5 dataset of h5py, a Zarr array, a tensor, a frame;
        - anything with `to_batches`, such as a pyarrow.dataset.Dataset of parquet
          files;
        - an iterable of chunks (arrays or frames of a few thousand rows, say), which
          must start anew each time it is iterated over, such as a list;
        - a function without arguments that returns an iterator over chunks.
    chunk_rows : int or None, default=None
        Rows to read at once of the first two. None reads about 16 MiB.

    See Also
    --------
    NCAEDetector.partial_fit : For rows that can be read only once.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import Chunks, NCAEDetector
    >>> def chunks():
    ...     for day in range(5):
    ...         yield np.random.default_rng(day).normal(size=(100, 4))
    >>> detector = NCAEDetector(max_iter=20, random_state=0).fit(Chunks(chunks))
    >>> detector.n_samples_seen_
    500
    >>> [detector.score_samples(chunk).shape for chunk in Chunks(chunks)][0]
    (100,)
    """

    __module__ = "skncae"

    def __init__(self, source, chunk_rows=None):
        _refuse_sparse(source, "source")
        is_known = callable(source) or any(
            hasattr(source, name) for name in ("to_batches", "shape", "__iter__")
        )
        is_scalar = getattr(source, "shape", None) == ()
        if not is_known or is_scalar or isinstance(source, str | bytes | Mapping):
            raise TypeError(
                "Chunks takes rows with a shape and slices, a dataset with to_batches, "
                "an iterable of chunks or a function that returns an iterator; got "
                f"{source!r}. Open files first."
            )
        if chunk_rows is not None:
            chunk_rows = check_count("chunk_rows", chunk_rows)
        self.source = source
        self.chunk_rows = chunk_rows

    @property
    def is_spent_once_read(self):
        """Say whether the source is an iterator, which does not start anew.

        Returns
        -------
        is_spent_once_read : bool
            False also of a function, whatever it returns.
        """
        source = self.source
        return hasattr(source, "__next__") and not callable(source)

    def __iter__(self):
        source = self.source
        if callable(source):
            chunks = _iterable_of(source)
        elif hasattr(source, "num_rows") and hasattr(source, "slice"):
            chunks = self._slices_of_arrow()
        elif hasattr(source, "to_batches"):
            chunks = self._batches()
        elif hasattr(source, "shape"):
            chunks = self._slices()
        else:
            chunks = source
        return (chunk for chunk in map(self._rows, chunks) if len(chunk))

    def _rows(self, chunk):
        """Return what comes out of an iterable, or of a loader, as rows."""
        if type(self.source).__module__.startswith("torch.utils.data"):
            # A TensorDataset gives a tuple for each row, and its loader one of batches.
            if isinstance(chunk, list | tuple) and len(chunk) == 1:
                return chunk[0]
            if not hasattr(chunk, "shape"):
                raise TypeError(
                    f"{self.source!r} gives batches of several parts; give one whose "
                    "dataset holds the rows alone."
                )
        _refuse_sparse(chunk, "chunk")
        if not hasattr(chunk, "__len__") or getattr(chunk, "shape", None) == ():
            raise TypeError(
                f"A chunk of {self.source!r} is a {type(chunk).__name__}, and no rows. "
                "Give arrays or frames."
            )
        return chunk

    def _batches(self):
        """Yield tables of pyarrow, which keep the names of the columns."""
        import pyarrow

        n_rows = self.chunk_rows or _rows_at_once(8 * len(self.source.schema))
        batches = self.source.to_batches(
            batch_size=n_rows, batch_readahead=1, fragment_readahead=1
        )
        for batch in batches:
            yield pyarrow.table(batch)

    def _slices_of_arrow(self):
        """Yield slices of a table in memory of pyarrow."""
        source = self.source
        step = self.chunk_rows or _rows_at_once(8 * source.num_columns)
        for start in range(0, source.num_rows, step):
            yield source.slice(start, step)

    def _slices(self):
        """Yield slices of the rows."""
        n_rows, *row_shape = self.source.shape
        itemsize = getattr(getattr(self.source, "dtype", None), "itemsize", 8)
        step = self.chunk_rows or _rows_at_once(itemsize * math.prod(row_shape))
        # Of a frame by position: a slice of numbers may mean its labels.
        rows = getattr(self.source, "iloc", self.source)
        for start in range(0, n_rows, step):
            yield rows[start : start + step]


def _iterable_of(function):
    """Return what a function returns, if chunks can come out of it."""
    chunks = function()
    _refuse_sparse(chunks, "source()")
    try:
        return iter(chunks)
    except TypeError as error:
        raise TypeError(
            f"{function!r} returned a {type(chunks).__name__}. Give Chunks a function "
            "that returns an iterator over chunks, such as a generator function."
        ) from error


def _refuse_sparse(rows, name):
    """Refuse what cannot be sliced, or has no length: sparse and nested rows."""
    if isinstance(rows, torch.Tensor):
        refuse_other_layouts(rows, name)
    elif issparse(rows):
        raise TypeError(
            f"{name} is a sparse {type(rows).__name__}, and rows must be dense. Give "
            "Chunks a function that yields dense chunks, such as the slices of "
            "X.tocsr() as X[start:stop].toarray()."
        )


def _rows_at_once(row_bytes):
    """Return how many rows a chunk that is ours to cut should have."""
    return max(1, CHUNK_BYTES // max(1, row_bytes))
