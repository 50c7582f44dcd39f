"""Which columns contribute to the error of a row."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np


@dataclass(frozen=True)
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

    Attributes
    ----------
    residual : ndarray of shape (n_samples, n_features)
        `values` minus `expected`, in the units of the rows: positive where a value
        is larger than expected.
    labels : array-like of shape (n_samples,)
        `index`, or the positions of the rows where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[0, 2] = 9
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> explanation = detector.explain(X[:5])
    >>> explanation.top(k=1)[["row", "feature", "value"]].head(1)
       row feature  value
    0    0      x2    9.0
    """

    __module__ = "skncae"

    values: np.ndarray
    expected: np.ndarray
    contributions: np.ndarray
    feature_names: np.ndarray
    index: Any = None
    image_shape: Any = None

    @property
    def residual(self):
        """Return the values minus the expected ones, in the units of the rows."""
        return self.values - self.expected

    @property
    def labels(self):
        """Return the labels of the rows: of the frame, or their positions."""
        return np.arange(len(self.values)) if self.index is None else self.index

    def flattened(self):
        """Return the explanation with one column for each pixel and channel.

        Returns
        -------
        explanation : Explanation
            Itself, where the rows are those of a table.
        """
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
        return _pandas().DataFrame(
            self.flattened().contributions, index=self.index, columns=self.feature_names
        )

    def top(self, k=5):
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
        if not isinstance(k, Integral):
            raise TypeError(f"k must be an integer, got {k!r}.")
        if k < 1:
            raise ValueError(f"k must be 1 or more contributions a row, got {k!r}.")
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
        return _pandas().DataFrame({"row": rows, "feature": features, **columns})


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "The frames of an Explanation need pandas; its arrays do not. Run: "
            'pip install "skncae[pandas]"'
        ) from error
    return pandas
