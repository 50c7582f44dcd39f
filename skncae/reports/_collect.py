"""One pass over the rows: their errors, those that stand out, a sample of the rest."""

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from skncae._extras import needing
from skncae.data._reading import columns_of, library_of, names_of, objects_of

# Columns and the map are drawn from so many rows.
SAMPLE_ROWS = 2000


@dataclass
class Found:
    """What a pass over the rows keeps of them.

    Parameters
    ----------
    n_top : int
        How many rows to keep of those with the largest errors.
    errors : list of ndarray
        The errors of each chunk.
    top : list of Piece
        Rows with the largest errors so far.
    sample : DataFrame or None
        Random rows, each with the same chance.
    keys : ndarray or None
        What they were drawn by.
    extremes : DataFrame or None
        Least and largest number, and how many values are missing; by column.
    n_rows : int
    names : list of ndarray
        A number for the label of each row of each chunk, the same for the same label.
    """

    n_top: int
    errors: list = field(default_factory=list)
    top: list = field(default_factory=list)
    sample: Any = None
    keys: Any = None
    extremes: Any = None
    n_rows: int = 0
    names: list = field(default_factory=list)

    def namesakes(self, labels):
        """Count how many other rows of all have each label, as it is written."""
        shown, every = _numbered(labels), np.concatenate(self.names)
        names, counts = np.unique(every[np.isin(every, shown)], return_counts=True)
        return (counts[np.searchsorted(names, shown)] - 1).tolist()


@dataclass(frozen=True)
class Piece:
    """Rows of one chunk, as they came, with their labels and errors."""

    rows: Any
    labels: list
    errors: np.ndarray

    def take(self, positions):
        """Return some of the rows."""
        return Piece(
            _take(self.rows, positions),
            [self.labels[i] for i in positions],
            self.errors[positions],
        )


def collect(score_samples, chunks, names, n_top, layout=None):
    """Score chunks of rows, and keep what a report shows of them.

    Parameters
    ----------
    score_samples : callable
        Scores of the rows of a chunk.
    chunks : iterable of array-like
    names : sequence of str
        Names of the columns of rows without any.
    n_top : int
    layout : Layout or None
        What the columns are, where numbers may be read out of text.

    Returns
    -------
    found : Found
    """
    # Where it is missing that is said before rows are scored.
    _pandas()
    found, rng = Found(n_top), np.random.default_rng(0)
    for chunk in chunks:
        errors = -score_samples(chunk)
        frame = _like(as_frame(chunk, names), found.sample)
        labels = _labels(chunk, found.n_rows)
        _keep_top(found, chunk, labels, errors)
        _keep_sample(found, frame, rng)
        _keep_extremes(found, with_numbers(frame, layout))
        found.names.append(_numbered(labels))
        found.errors.append(errors)
        found.n_rows += len(errors)
    if not found.n_rows:
        raise ValueError("X has no rows. A report needs one or more.")
    return found


def _pandas():
    """Return the module of pandas, or say that a report needs it."""
    with needing("report", "A report needs pandas."):
        import pandas
    return pandas


def as_frame(rows, names):
    """Return rows as a pandas frame, with the names where they have none."""
    pandas = _pandas()
    if isinstance(rows, pandas.DataFrame):
        return rows
    if hasattr(rows, "to_pandas"):
        return _to_pandas(rows)
    rows = np.asarray(rows)
    return pandas.DataFrame(rows.reshape(len(rows), -1), columns=list(names))


def with_numbers(frame, layout):
    """Return a frame with the numbers that a layout reads out of text."""
    columns = [] if layout is None else layout.columns
    written = {c.name: c for c in columns if c.family == "number" and c.writing}
    places = [j for j, name in enumerate(frame.columns) if str(name) in written]
    if not places:
        return frame
    frame = frame.copy(deep=False)
    for j, raw in zip(places, columns_of(frame.iloc[:, places]), strict=True):
        frame.isetitem(j, written[raw.name].encode(raw))
    return frame


def _to_pandas(rows):
    """A frame of another library; what pandas has no type for is objects."""
    import pandas

    try:
        return rows.to_pandas()
    except (ValueError, NotImplementedError):
        columns = {}
    for name in names_of(rows):
        try:
            columns[name] = rows[name].to_pandas()
        except (ValueError, NotImplementedError):
            values = objects_of(rows, [name])[:, 0]
            columns[name] = pandas.Series(values, dtype=object)
    return pandas.DataFrame(columns)


def _like(frame, first):
    """Return a frame with the columns of an earlier one in their order."""
    if first is None or frame.columns.equals(first.columns):
        return frame
    own, names = [list(map(str, some.columns)) for some in (frame, first)]
    if sorted(own) == sorted(names):
        frame = frame.iloc[:, [own.index(name) for name in names]]
    return frame.set_axis(first.columns, axis=1)


def _keep_top(found, chunk, labels, errors):
    """Keep the rows of the chunk that are among the largest errors so far."""
    largest = np.sort(np.argsort(-errors, kind="stable")[: found.n_top])
    pieces = [*found.top, Piece(chunk, labels, errors).take(largest)]
    every = np.concatenate([piece.errors for piece in pieces])
    least = np.sort(every)[-min(found.n_top, len(every))]
    kept = [piece.take(np.flatnonzero(piece.errors >= least)) for piece in pieces]
    found.top = [piece for piece in kept if len(piece.errors)]


def _keep_sample(found, frame, rng):
    """Keep the rows with the smallest of random keys."""
    import pandas

    keys = rng.random(len(frame))
    near = np.argsort(keys)[:SAMPLE_ROWS]
    keys, frame = keys[near], frame.iloc[near]
    if found.sample is not None:
        keys = np.concatenate([found.keys, keys])
        frame = pandas.concat([found.sample, frame])
    kept = np.argsort(keys)[:SAMPLE_ROWS]
    found.keys, found.sample = keys[kept], frame.iloc[kept]


def _keep_extremes(found, frame):
    """Count missing values of each column, and keep its least and largest number."""
    import pandas

    # By position: names may be of types that have no order among them.
    columns = [frame.iloc[:, j] for j in range(frame.shape[1])]
    extremes = pandas.DataFrame(map(_bounds, columns), columns=["low", "high"])
    extremes["missing"] = [column.isna().sum() for column in columns]
    before = found.extremes
    if before is not None:
        extremes["low"] = np.fmin(extremes.low, before.low)
        extremes["high"] = np.fmax(extremes.high, before.high)
        extremes["missing"] += before.missing
    found.extremes = extremes


def _bounds(column):
    """Least and largest number of a column, NaN of one of anything else."""
    from pandas.api.types import is_any_real_numeric_dtype

    there = column.dropna()
    if not len(there) or not is_any_real_numeric_dtype(there):
        return np.nan, np.nan
    return float(there.min()), float(there.max())


def _take(rows, positions):
    """Return some rows of whatever holds rows."""
    if isinstance(rows, list):
        return [rows[i] for i in positions]
    if library_of(rows) == "pyarrow":
        # An old scikit-learn takes columns of a table, not rows.
        try:
            return rows.take(positions)
        except NotImplementedError:
            # Of views, such as those of text, only slices are taken.
            slices = [rows.slice(int(i), 1) for i in positions]
            return sys.modules["pyarrow"].concat_tables(slices)
    return _safe_indexing(rows, positions)


def _numbered(labels):
    """A number for each label as it is written, for text of all rows takes memory."""
    return np.fromiter(map(hash, map(str, labels)), np.int64, len(labels))


def _labels(chunk, n_before):
    """Labels of the rows of a pandas frame, or their positions among all."""
    if hasattr(chunk, "iloc"):
        return chunk.index.tolist()
    return list(range(n_before, n_before + len(chunk)))
