"""Which columns contribute to the error of a row."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from skncae._checks import check_count
from skncae._extras import needing
from skncae._sentences import (
    MOST_CLAUSES,
    Cell,
    Column,
    counted,
    number_of_decimals,
    sentence,
    usual_ends,
)
from skncae._surroundings import undisturbed
from skncae._threshold import exceeds
from skncae.data._values import is_missing

# What a notebook shows of an explanation.
ROWS_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why rows have the errors they have; `NCAEDetector.explain` makes it.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        The rows.
    expected : ndarray of shape (n_samples, n_features)
        What the networks expect in their place, `NCAEDetector.reconstruct`.
    contributions : ndarray of shape (n_samples, n_features)
        What each column adds to the error of each row. Not negative; the sum over the
        columns is the error, minus `NCAEDetector.score_samples`.
    feature_names : ndarray of shape (n_features,)
        The names of the columns, or "x0", "x1", ... where they have none.
    index : pandas Index or None
        The labels of the rows, when they came in a pandas frame.
    image_shape : tuple of (height, width, channels) or None
        Of images, whose arrays have the shape that X has. A frame has a column for each
        pixel and channel.
    threshold : float
        Rows with a larger error are flagged; infinity flags none.
    columns : tuple of Column or None
        What sentences need to know of the columns; None knows their names alone.
    associates_of : callable or None
        Positions of the columns that go with a column, the closest first; None knows
        of none.

    Attributes
    ----------
    residual : ndarray of shape (n_samples, n_features)
        `values` minus `expected`, in the units of the rows: positive where a value
        is larger than expected; None of what has no difference, such as text.
    labels : array-like of shape (n_samples,)
        `index`, or the positions of the rows where there is none.
    errors : ndarray of shape (n_samples,)
        The sums of the contributions, minus `NCAEDetector.score_samples`.
    is_flagged : bool ndarray of shape (n_samples,)
        Which errors are larger than the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[0, 2] = 9
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> explanation = detector.explain(X[:5])
    >>> explanation.cells(k=1)[["row", "feature", "value"]].head(1)
       row feature  value
    0    0      x2    9.0
    >>> explanation.top(1).why[0]
    'x2 = 9...'
    """

    __module__ = "skncae"

    values: np.ndarray
    expected: np.ndarray
    contributions: np.ndarray
    feature_names: np.ndarray
    index: Any = None
    image_shape: Any = None
    threshold: float = np.inf
    columns: Any = None
    associates_of: Any = None

    def __repr__(self):
        n_rows, n_columns = self.contributions.shape[0], len(self.feature_names)
        size = f"{counted(n_rows, 'rows')} x {counted(n_columns, 'columns')}"
        return f"<Explanation of {size}>"

    @property
    @undisturbed()
    def residual(self):
        """Return the values minus the expected ones, in the units of the rows."""
        if self.values.dtype != object and self.expected.dtype != object:
            return self.values - self.expected
        return np.frompyfunc(_difference, 2, 1)(self.values, self.expected)

    @property
    def labels(self):
        """Return the labels of the rows: of the frame, or their positions."""
        return np.arange(len(self.values)) if self.index is None else self.index

    @property
    @undisturbed()
    def errors(self):
        """Return the error of each row, the sum of its contributions."""
        return self.contributions.reshape(len(self.contributions), -1).sum(1)

    @property
    @undisturbed()
    def is_flagged(self):
        """Say of each row whether its error exceeds the threshold."""
        return exceeds(self.errors, self.threshold)

    def flattened(self):
        """Return the explanation with one column for each pixel and channel.

        Returns
        -------
        explanation : Explanation
            Itself, where the rows are those of a table.
        """
        if self.contributions.ndim == 2:
            return self
        names = ("values", "expected", "contributions")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{k: v.reshape(len(v), -1) for k, v in arrays.items()})

    def to_frame(self):
        """Return the contributions as a pandas frame.

        Returns
        -------
        frame : DataFrame of shape (n_samples, n_features)
            Column names are `feature_names`; the index is that of the frame that was
            explained, if it was one.

        Raises
        ------
        ImportError
            Without pandas.
        """
        return _frame(
            self.flattened().contributions, index=self.index, columns=self.feature_names
        )

    def cells(self, k=5):
        """Return the largest contributions to each row as a long pandas frame.

        Parameters
        ----------
        k : int, default=5
            How many a row.

        Returns
        -------
        frame : DataFrame of shape (n_samples * min(k, n_features), 6)
            Columns "row" (its label in the frame that was explained, or its
            position), "feature", "contribution", "value", "expected", "residual";
            the rows in their order, the largest contribution of each first.

        Raises
        ------
        ValueError
            If k is less than 1.
        TypeError
            If k is no integer.
        ImportError
            Without pandas.
        """
        k = check_count("k", k)
        flat = self.flattened()
        order = np.argsort(-flat.contributions, axis=1, kind="stable")[:, :k]
        columns = {
            name: np.take_along_axis(getattr(flat, source), order, axis=1).ravel()
            for name, source in (
                ("contribution", "contributions"),
                ("value", "values"),
                ("expected", "expected"),
                ("residual", "residual"),
            )
        }
        rows = self.labels.repeat(order.shape[1])
        features = self.feature_names[order.ravel()]
        return _frame({"row": rows, "feature": features, **columns})

    def top(self, n=None):
        """Return the rows that stand out most, and why, as a pandas frame.

        Parameters
        ----------
        n : int, default=None
            How many; None returns the flagged ones.

        Returns
        -------
        frame : DataFrame of shape (n, 3)
            Columns "error" (minus `NCAEDetector.score_samples`), "flagged" and "why",
            a sentence; the largest error first. The index has the labels of the rows.

        Raises
        ------
        ValueError
            If n is less than 1.
        TypeError
            If n is no integer.
        ImportError
            Without pandas.
        """
        if n is not None:
            n = check_count("n", n)
        order = np.argsort(-self.errors, kind="stable")
        rows = order[: self.is_flagged.sum() if n is None else n]
        return _frame(
            {
                "error": self.errors[rows],
                "flagged": self.is_flagged[rows],
                "why": [self.sentence(row) for row in rows],
            },
            index=self.labels[rows],
        )

    @undisturbed()
    def sentence(self, row):
        """Say what speaks most against a row.

        Parameters
        ----------
        row : int
            Its position.

        Returns
        -------
        sentence : str
            One clause for each column that contributes about as much as the largest.
        """
        flat = self.flattened()
        parts = flat.contributions[row]
        order = np.argsort(-parts, kind="stable")[:MOST_CLAUSES]
        return sentence([flat.cell(row, j) for j in order], parts[order])

    def cell(self, row, column):
        """Return what is to be said of a value of a table.

        Parameters
        ----------
        row, column : int
            Their positions.

        Returns
        -------
        cell : Cell
            The value, what was expected, and the values that say so.
        """
        parts = self.contributions[row]
        others = [] if self.associates_of is None else self.associates_of(column)
        # What is to blame itself says nothing of another.
        beside = [j for j in others if parts[j] < parts[column]]
        pairs = tuple((self._column(j), self.values[row, j]) for j in beside)
        return replace(self.cell_alone(row, column), beside=pairs)

    def cell_alone(self, row, column):
        """Return a value of a table without those of its row that go with it.

        Of a wide table these take the time.

        Parameters
        ----------
        row, column : int
            Their positions.

        Returns
        -------
        cell : Cell
            The value, and what was expected.
        """
        told = self._column(column)
        if self.image_shape is not None:
            told = _of_brightness(told, self.expected[row, column])
        return Cell(told, self.values[row, column], self.expected[row, column])

    def _column(self, column):
        """Return what is known of a column."""
        if self.columns is None:
            return Column(str(self.feature_names[column]))
        return self.columns[column]

    def _repr_html_(self):
        """Show the rows that stand out most in a notebook; nothing without pandas."""
        try:
            import pandas
        except ImportError:
            return None
        top = self.top(min(ROWS_SHOWN, len(self.errors)))
        with pandas.option_context("display.max_colwidth", None):
            return top.to_html(escape=True, float_format="{:.2f}".format)


def _of_brightness(pixel, expected):
    """A pixel of an image where so much is expected of it.

    Usual values are those of images of median brightness and contrast. They say nothing
    of one that is expected to be beyond them.
    """
    if is_missing(pixel.low) or pixel.low <= expected <= pixel.high:
        return pixel
    return replace(pixel, low=None, high=None)


def _difference(value, expected):
    """A value minus the expected one; None of what has no difference, such as text."""
    if is_missing(value) or is_missing(expected):
        return None
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Decimal):
        value = float(value)
    try:
        return value - expected
    except TypeError:
        return None


def columns_of(scorer, names, rows):
    """Describe columns of numbers to the sentences, as the training rows had them.

    Parameters
    ----------
    scorer : Scorer
    names : sequence of str
    rows : ndarray of shape (n_samples, n_features)
        How many digits to write is taken from these.

    Returns
    -------
    columns : tuple of Column
    """
    _, spread = scorer.ensemble.view.in_units()
    usual = map(usual_ends, *scorer.usual_range())
    return tuple(
        Column(
            str(name),
            "number",
            spread[j],
            low,
            high,
            decimals=number_of_decimals(rows[:1000, j]),
        )
        for j, (name, (low, high)) in enumerate(zip(names, usual, strict=True))
    )


def typed_columns_of(layout):
    """Describe the columns of a typed table to the sentences.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    columns : tuple of Column
    """
    return tuple(Column(column.name, **column.told()) for column in layout.columns)


def _frame(content, **axes):
    """Make a pandas frame."""
    with needing("pandas", "The frames of an Explanation need pandas, its arrays not."):
        import pandas
    return pandas.DataFrame(content, **axes)
