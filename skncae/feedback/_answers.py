"""What a reviewer said, of which rows."""

import importlib
from dataclasses import dataclass

import numpy as np

from skncae.data._arrays import entries, is_series
from skncae.data._chunks import Chunks
from skncae.data._values import is_missing

_NO_LABELS = bool | np.bool_ | np.datetime64 | np.timedelta64


@dataclass(frozen=True)
class Answers:
    """Distinct rows, and how often each was called an outlier and an inlier.

    The rows are in an order that depends on nothing but themselves, so that what is
    learnt does not depend on the order of the answers.

    Parameters
    ----------
    rows : ndarray of shape (n_answers, n_features), float64
    n_outlier, n_inlier : ndarray of shape (n_answers,), int
    """

    rows: np.ndarray
    n_outlier: np.ndarray
    n_inlier: np.ndarray

    @classmethod
    def none(cls, n_features):
        """No answers yet."""
        nothing = np.zeros(0, dtype=int)
        return cls(np.empty((0, n_features)), nothing, nothing)

    @classmethod
    def of(cls, rows, labels):
        """Count the answers, -1 or 1, of rows that may repeat."""
        rows = _plain(rows)
        _, first, which = np.unique(_keys(rows), return_index=True, return_inverse=True)
        n_outlier, n_inlier = (
            np.bincount(which[labels == label], minlength=len(first))
            for label in (-1, 1)
        )
        return cls(rows[first], n_outlier, n_inlier)

    def __len__(self):
        return len(self.rows)

    @property
    def share(self):
        """Share of the answers that called each row an outlier."""
        return self.n_outlier / self.count

    @property
    def count(self):
        """How often each row was answered."""
        return self.n_outlier + self.n_inlier

    def followed_by(self, later):
        """Add later answers; of a row in both, the later ones count."""
        stays = ~np.isin(_keys(self.rows), _keys(later.rows))
        rows = np.concatenate([self.rows[stays], later.rows])
        order = np.argsort(_keys(rows), kind="stable")
        return Answers(
            rows[order],
            np.concatenate([self.n_outlier[stays], later.n_outlier])[order],
            np.concatenate([self.n_inlier[stays], later.n_inlier])[order],
        )

    def where(self, chosen):
        """Return some of the answers, by a mask or by positions."""
        return Answers(self.rows[chosen], self.n_outlier[chosen], self.n_inlier[chosen])

    def hold(self, X):
        """Say of each row of X whether it was answered."""
        return np.isin(_keys(_plain(X)), _keys(self.rows))


def first_of_each(X):
    """Positions of the rows of X that no row before them equals."""
    _, first = np.unique(_keys(_plain(X)), return_index=True)
    return np.sort(first)


def read_labels(labels, n_samples, index=None):
    """Return the positions of the rows that were looked at, and -1 or 1 of each.

    Parameters
    ----------
    labels : array-like of shape (n_samples,) or Series
        -1 (an outlier), 1 (an inlier); 0, NaN or masked (not looked at). A Series holds
        answers for some labels of `index`, or for positions where there is none.
    n_samples : int
    index : pandas Index or None

    Returns
    -------
    positions, labels : ndarray of int

    Raises
    ------
    ValueError
        For anything else.
    """
    if hasattr(labels, "columns") and hasattr(labels, "iloc"):
        labels = _only_column(labels)
    if is_series(labels):
        positions = _positions(labels.index, n_samples, index)
        names, values = labels.index, labels.to_numpy()
    else:
        values = entries(labels, "labels")
        names = positions = np.arange(n_samples)
        if values.shape != (n_samples,):
            raise ValueError(
                f"labels has shape {values.shape}, but X has {n_samples} rows. Give "
                "one label a row, 0 where nobody looked, or a pandas Series of the "
                "answers whose index names their rows."
            )
    values = _numbers(values, names)
    looked_at = values != 0
    return positions[looked_at], values[looked_at].astype(int)


def read_outliers(outliers, X, source):
    """Return a mask of the rows that are known to be outliers; None without any.

    Parameters
    ----------
    outliers : array-like of bool of shape (n_samples,) or None
    X : array-like or Chunks
        What the rows were given as.
    source : RowsAtHand or RowsInChunks
        The rows.

    Returns
    -------
    is_known : bool ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        For anything else, and where no two rows are left to learn from.
    """
    if outliers is None:
        return None
    if isinstance(X, Chunks):
        raise ValueError(
            "outliers names rows of X by their place, and the rows of Chunks are not "
            "all in memory. Give the chunks alone, or X as one array or frame."
        )
    if np.ma.is_masked(outliers):
        raise ValueError(
            "outliers is a masked array with masked entries. Where nothing is known "
            "of them, give outliers.filled(False)."
        )
    values, n_samples = entries(outliers, "outliers"), source.n_rows
    if values.shape != (n_samples,):
        raise ValueError(
            f"outliers has shape {values.shape}, but X has {n_samples} rows. Give one "
            "bool a row: True where it is known to be an outlier."
        )
    wrong = [value for value in values.tolist() if not isinstance(value, bool)]
    if wrong:
        raise ValueError(
            f"outliers holds {wrong[0]!r}. Give one bool a row: True where it is known "
            "to be an outlier, False where nothing is known."
        )
    # A list has an index too, which is a method.
    index, of_rows = (getattr(given, "index", None) for given in (outliers, X))
    if hasattr(index, "equals") and hasattr(of_rows, "equals"):
        if not index.equals(of_rows):  # type: ignore[union-attr]
            raise ValueError(
                "The index of outliers is not that of X. Give outliers.loc[X.index]."
            )
    is_known = values.astype(bool)
    n_open = n_samples - np.count_nonzero(is_known)
    if n_open < 2:
        raise ValueError(
            f"outliers leaves {n_open} of {n_samples} rows to learn from what is "
            "normal; at least 2 are needed."
        )
    return is_known if is_known.any() else None


def _only_column(labels):
    """The answers of a frame such as a page saves."""
    names = labels.columns.tolist()
    if len(names) != 1:
        raise ValueError(
            f"labels is a frame with the columns {names}. Give the one that holds the "
            "answers, with an index that names their rows: labels.set_index(...)[...]."
        )
    return labels.iloc[:, 0]


def _numbers(values, names):
    """Labels of named rows as floats, 0 where there is none."""
    if values.dtype == object:
        missing = np.array([is_missing(value) for value in values.tolist()], bool)
        values = np.where(missing, 0, values)
    numbers = np.full(len(values), np.inf)
    # numpy makes numbers of these: True would be an inlier, False a row that nobody
    # looked at.
    if values.dtype.kind not in "bcmM":
        try:
            numbers = np.nan_to_num(values.astype(np.float64))
        except (TypeError, ValueError, OverflowError):
            pass
    is_other = [isinstance(value, _NO_LABELS) for value in values.tolist()]
    wrong = np.flatnonzero(~np.isin(numbers, (-1, 0, 1)) | np.array(is_other, bool))
    if len(wrong):
        name, value = names.tolist()[wrong[0]], values.tolist()[wrong[0]]
        raise ValueError(
            f"labels[{name!r}] is {value!r}. A label is -1 (an outlier), "
            "1 (an inlier) or 0 (not looked at)."
        )
    return numbers


def _positions(labelled, n_samples, index):
    """Positions of the rows that the index of a Series names."""
    if index is None:
        # There is pandas, since the answers came in a Series.
        pandas = importlib.import_module("pandas")
        positions = pandas.RangeIndex(n_samples).get_indexer(labelled)
    elif len(labelled) == n_samples and labelled.equals(index):
        return np.arange(n_samples)
    elif index.is_unique:
        positions = index.get_indexer(labelled)
    else:
        positions = _of_own_names(labelled, index)
    unknown = np.flatnonzero(positions < 0)
    if len(unknown):
        label = labelled[unknown[:1]].tolist()[0]
        raise ValueError(
            f"labels names a row {label!r}, which X does not have. Give the X that "
            "the answers are about."
        )
    return positions


def _of_own_names(labelled, index):
    """Positions of rows by names of an index that names others twice; -1 of none."""
    is_own = ~index.duplicated(keep=False)
    shared = labelled[labelled.isin(index[~is_own])].tolist()
    if shared:
        raise ValueError(
            f"labels names {shared[0]!r}, and the index of X names some rows twice, "
            "this one too, so the answer is ambiguous. Give labels of shape "
            "(n_samples,), or reset the index of X."
        )
    found = index[is_own].get_indexer(labelled)
    # Of no row, the last one: -1 again.
    return np.append(np.flatnonzero(is_own), -1)[found]


def _plain(X):
    """Rows as float64 in which equal values have equal bytes."""
    rows = np.array(X, dtype=np.float64, order="C")
    rows[np.isnan(rows)] = np.nan
    rows += 0.0
    return rows


def _keys(rows):
    """One comparable key a row: its bytes."""
    rows = np.ascontiguousarray(rows)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel()
