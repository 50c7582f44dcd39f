"""Figures of chosen rows: contributions of columns, and what was expected."""

import itertools
from typing import Any

import numpy as np

from skncae._checks import check_count
from skncae._explanation import Explanation
from skncae._pipelines import explain
from skncae._sentences import counted
from skncae._surroundings import undisturbed
from skncae.data._values import is_missing
from skncae.plotting._axes import (
    AS_WRITTEN,
    BLUE,
    LONGEST_ROW,
    VERMILION,
    Display,
    center_and_spread,
    fitted_detector,
    ink,
    named,
    one_line,
    rgb,
    room_for,
)
from skncae.plotting._montage import montage, shown


class _RowsDisplay(Display):
    """A display of `rows` of an `explanation`, of `k` columns of each."""

    explanation: Explanation
    rows: Any
    k: int

    def _chosen(self, n_default):
        """Return the explanation, the rows named or those that err most, and k."""
        k = check_count("k", self.k)
        found = self.explanation.flattened()
        return found, _positions(self.rows, found, n_default), k


class FeatureContributionDisplay(_RowsDisplay):
    """Contributions of columns to rows, as bars that sum to the error of the row.

    Labels say the value and what was expected; bars of values above that and bars of
    values below it have two colours.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    explanation : Explanation
        What `NCAEDetector.explain` returned.
    rows : int or array-like of int, default=None
        Positions of the rows to draw; None draws the one with the largest error.
    k : int, default=10
        How many columns to name; the others share a bar.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows,)
        One for each row.
    figure_ : Figure
        The figure of `axes_`.
    bars_ : list of BarContainer
        The bars of each row, the largest contribution first.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> from skncae.plotting import FeatureContributionDisplay
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[7, 2] = 9
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> display = FeatureContributionDisplay.from_estimator(detector, X, rows=7)
    >>> display.axes_[0].get_yticklabels()[0].get_text().split()[:3]
    ['x2', '=', '9.000']
    """

    __module__ = "skncae.plotting"

    def __init__(self, explanation, *, rows=None, k=10):
        self.explanation = explanation
        self.rows = rows
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, X, *, rows=None, k=10, ax=None):
        """Explain rows and draw why.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        rows : int or array-like of int, default=None
            Positions of the rows to draw; None draws the one with the largest error.
        k : int, default=10
            How many columns to name; the others share a bar.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one for each row; None makes a figure.

        Returns
        -------
        display : FeatureContributionDisplay
            What was drawn.
        """
        fitted_detector(estimator)
        return cls(explain(estimator, X), rows=rows, k=k).plot(ax)

    @undisturbed()
    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Where to draw, one for each row; None makes a figure.

        Returns
        -------
        display : FeatureContributionDisplay
            This display.
        """
        found, rows, k = self._chosen(1)
        n_bars = min(k + 1, len(found.feature_names))
        height = len(rows) * (1.2 + 0.3 * n_bars)
        orders = [np.argsort(-found.contributions[row], kind="stable") for row in rows]
        labels = [
            [_label(found, row, j) for j in order[:k]]
            for row, order in zip(rows, orders, strict=True)
        ]
        width = 7.5 + room_for(itertools.chain(*labels), 40)
        self._draw_in(ax, len(rows), (width, height))
        self.bars_ = [
            self._plot_row(axes, found, *of_row)
            for axes, *of_row in zip(self.axes_, rows, orders, labels, strict=True)
        ]
        return self

    def _plot_row(self, axes, found, row, order, labels):
        """Draw the bars of a row, in an order, with labels of those that have a bar."""
        contributions = found.contributions[row]
        top, others = order[: self.k], order[self.k :]
        above = [_is_above(found.cell_alone(row, j)) for j in top]
        sizes = list(contributions[top])
        colours = list(np.where(above, VERMILION, BLUE))
        if len(others):
            labels = [*labels, counted(len(others), "other columns")]
            sizes.append(contributions[others].sum())
            colours.append("#888888")
        positions = np.arange(len(sizes))
        bars = axes.barh(positions, sizes, color=colours)
        axes.set_yticks(positions, labels, **AS_WRITTEN)
        axes.invert_yaxis()
        axes.set_xlabel("contribution to the error (the bars sum to it)")
        axes.set_title(_title(found, row), **AS_WRITTEN)
        return bars


class ReconstructionDisplay(_RowsDisplay):
    """Rows beside what the networks expect in their place.

    Every column is scaled, by the median of the given rows and the spread of their
    middle 90 %, so that all share an axis.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    explanation : Explanation
        What `NCAEDetector.explain` returned. All of its rows set the scales.
    rows : int or array-like of int, default=None
        Positions of the rows to draw; None draws the three of the largest error.
    k : int, default=30
        How many columns to draw: those with the largest contributions to the errors
        of the chosen rows, in their order in X.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows,)
        One for each row.
    figure_ : Figure
        The figure of `axes_`.
    values_ : list of Line2D
        Markers of the values, for each row.
    expected_ : list of Line2D
        Markers of the expected values, for each row.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> from skncae.plotting import ReconstructionDisplay
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> len(ReconstructionDisplay.from_estimator(detector, X, rows=[0, 1]).axes_)
    2
    """

    __module__ = "skncae.plotting"

    def __init__(self, explanation, *, rows=None, k=30):
        self.explanation = explanation
        self.rows = rows
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, X, *, rows=None, k=30, ax=None):
        """Reconstruct rows and draw both.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows; all of them set the scales of the columns.
        rows : int or array-like of int, default=None
            Positions of the rows to draw; None draws the three of the largest error.
        k : int, default=30
            How many columns to draw: those with the largest contributions to the
            errors of the chosen rows, in their order in X.
        ax : Axes or array-like of Axes, default=None
            Where to draw, one for each row; None makes a figure.

        Returns
        -------
        display : ReconstructionDisplay
            What was drawn.
        """
        fitted_detector(estimator)
        return cls(explain(estimator, X), rows=rows, k=k).plot(ax)

    @undisturbed()
    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Where to draw, one for each row; None makes a figure.

        Returns
        -------
        display : ReconstructionDisplay
            This display.
        """
        found, rows, k = self._chosen(3)
        if found.image_shape is not None:
            return self._plot_images(found, rows, ax)
        largest = np.argsort(-found.contributions[rows].sum(0), kind="stable")
        # Categories have no place on the axis.
        drawn = [j for j in largest if found.cell_alone(0, j).column.kind == "number"]
        if not drawn:
            raise ValueError(
                "ReconstructionDisplay draws columns of numbers, and these rows have "
                "none. Look at FeatureContributionDisplay instead."
            )
        columns = np.sort(np.array(drawn[:k], dtype=int))
        width = max(5.0, 2.0 + 0.33 * len(columns))
        names = [named(name) for name in found.feature_names[columns]]
        height = 1.2 + 2.1 * len(rows) + room_for(names, 10)
        self._draw_in(ax, len(rows), (width, height), sharex=True)
        told = [found.cell_alone(0, j).column for j in columns]
        values = _numbers(found.values[:, columns], told)
        center, spread = center_and_spread(values)
        markers = []
        for axes, row in zip(self.axes_, rows, strict=True):
            value = (values[row] - center) / spread
            expected = _numbers(found.expected[[row]][:, columns], told)[0]
            expected = (expected - center) / spread
            markers.append(_plot_value_and_expected(axes, value, expected))
            axes.set_title(_title(found, row), **AS_WRITTEN)
        self.values_, self.expected_ = map(list, zip(*markers, strict=True))
        self.axes_[-1].set_xticks(
            np.arange(len(columns)), names, rotation=90, **AS_WRITTEN
        )
        self.axes_[0].legend(
            handles=[self.values_[0], self.expected_[0]], ncols=2, loc="best"
        )
        self.axes_[len(rows) // 2].set_ylabel("deviations from the median")
        return self

    def _plot_images(self, found, rows, ax):
        """Draw each image beside the expected one and its map of contributions."""
        height, width, _ = found.image_shape
        row_height = 0.6 + 5.0 * height / width / 3
        self._draw_in(ax, len(rows), (5.0, len(rows) * row_height))
        fold = (len(rows), *found.image_shape)
        low, high = found.values.min(), found.values.max()
        images = shown(found.values[rows].reshape(fold), low, high)
        expected = shown(found.expected[rows].reshape(fold), low, high)
        added = found.contributions[rows].reshape(fold).sum(-1, keepdims=True)
        # The scale of each map is its own: the titles say how large the errors are.
        added = added / np.maximum(added.max((1, 2, 3), keepdims=True), 1e-300)
        self.values_, self.expected_ = [], []
        for i, (axes, row) in enumerate(zip(self.axes_, rows, strict=True)):
            hot = _heat(added[i, ..., 0])
            parts = [rgb(images[i]), rgb(expected[i]), hot]
            picture = axes.imshow(montage([parts], 1.0), interpolation="nearest")
            self.values_.append(picture)
            self.expected_.append(picture)
            places = (np.arange(3) + 0.5) * (width + 1) - 1
            axes.set_xticks(places, ["image", "expected", "adds to the error"])
            axes.tick_params(axis="x", length=0)
            axes.set_yticks([])
            axes.set_title(_title(found, row), **AS_WRITTEN)
        return self


def _positions(rows, explanation, n_default):
    """Return the positions of rows, or of the n_default of the largest error."""
    n_rows = len(explanation.contributions)
    if rows is None:
        errors = explanation.contributions.sum(1)
        return np.argsort(-errors, kind="stable")[:n_default]
    rows = np.atleast_1d(rows)
    # An empty list is one of floats, and numpy takes durations for signed integers.
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(
            "rows must be integers, the positions of rows, got "
            f"{np.array2string(rows, threshold=5)}. Of a mask take np.flatnonzero."
        )
    if not (
        rows.ndim == 1 and 0 < rows.size and 0 <= rows.min() and rows.max() < n_rows
    ):
        raise ValueError(
            f"rows must be positions from 0 to {n_rows - 1}, got {rows.tolist()}."
        )
    return rows


def _title(found, row):
    """Name a row and its error."""
    name = named(found.labels[row], LONGEST_ROW)
    return f"Row {name}: error {found.contributions[row].sum():.3g}"


def _numbers(values, columns):
    """Values of columns of numbers as floats; NaN of what is missing."""
    pairs = zip(columns, values.T, strict=True)
    measured = [list(map(column.measured, of_column)) for column, of_column in pairs]
    numbers = [[np.nan if is_missing(v) else v for v in some] for some in measured]
    return np.array(numbers, dtype=float).T


def _plot_value_and_expected(axes, value, expected):
    """Draw the values of a row and what was expected, joined by lines."""
    columns = np.arange(len(value))
    axes.axhline(0, color=ink(), alpha=0.3, linewidth=0.8)
    axes.vlines(columns, value, expected, color=ink(), alpha=0.4)
    squares = axes.plot(
        columns, expected, "s", color=BLUE, markersize=5, label="expected"
    )
    dots = axes.plot(columns, value, "o", color=VERMILION, label="value")
    return dots[0], squares[0]


def _label(found, row, column):
    """Say what a row has in a column, and what was expected instead."""
    cell = found.cell_alone(row, column)
    name, expected = named(cell.column.name), cell.expected_text() or "nothing"
    if is_missing(cell.value):
        return one_line(f"{name} is missing, {expected} expected")
    value, sign = cell.value_text(), ","
    # What reads as the same number is on no side of it.
    has_side = cell.column.kind != "category" and value != expected
    ends = map(cell.column.measured, (cell.value, cell.expected))
    if has_side and not any(map(is_missing, ends)):
        sign = "  >" if _is_above(cell) else "  <"
    return one_line(f"{name} = {value}{sign} {expected} expected")


def _is_above(cell):
    """Say whether a value is larger than the expected one; False of a category."""
    if cell.column.kind == "category":
        return False
    if is_missing(cell.value) or is_missing(cell.expected):
        return False
    value, expected = map(cell.column.measured, (cell.value, cell.expected))
    return not is_missing(value) and bool(value > expected)


def _heat(values):
    """Colours of values between 0 and 1."""
    from matplotlib import colormaps

    return colormaps["magma"](values)[..., :3]
