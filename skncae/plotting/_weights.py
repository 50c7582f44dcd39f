"""Figure of what answers have taught: the weight of each column and kind."""

import numpy as np

from skncae._checks import check_count
from skncae._surroundings import undisturbed
from skncae.plotting._axes import (
    AS_WRITTEN,
    Display,
    fitted_detector,
    named,
    room_for,
)


class WeightsDisplay(Display):
    """How much each column counts for each kind of evidence, after answers.

    Columns that count for more than before are drawn towards red, those that count for
    less towards blue; white is as before.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    weights : DataFrame of shape (n_kinds, n_features)
        `NCAEDetector.weights_`.
    k : int, default=20
        How many columns to draw: those whose weights changed most, in their order in X.

    Attributes
    ----------
    ax_ : Axes
        Where it was drawn.
    figure_ : Figure
        The figure of `ax_`.
    image_ : AxesImage
        Logarithms to the base 2 of the weights, one row for each column of X.

    See Also
    --------
    skncae.NCAEDetector.refine : Learn from answers.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> from skncae.plotting import WeightsDisplay
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[:5, 0] += 6
    >>> X[5:10, 1] += 6
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> labels = np.zeros(300)
    >>> labels[:3], labels[5:8] = -1, 1
    >>> display = WeightsDisplay.from_estimator(detector.refine(X, labels))
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['x0', 'x1', 'x2', 'x3']
    """

    __module__ = "skncae.plotting"

    def __init__(self, weights, *, k=20):
        self.weights = weights
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, *, k=20, ax=None):
        """Draw what a detector has learnt from answers.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        k : int, default=20
            How many columns to draw: those whose weights changed most.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : WeightsDisplay
            What was drawn.
        """
        return cls(fitted_detector(estimator).weights_, k=k).plot(ax)

    @undisturbed()
    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : WeightsDisplay
            This display.
        """
        check_count("k", self.k)
        weights = self.weights.to_numpy(dtype=float)
        logs = np.log2(np.maximum(weights, 1e-300))
        change = np.abs(logs).max(0)
        kept = np.sort(np.argsort(-change, kind="stable")[: self.k])
        n_kinds = len(weights)
        names = [named(name) for name in self.weights.columns[kept]]
        width = 2.8 + 0.8 * n_kinds + room_for(names, 8)
        self._draw_in_one(ax, (width, 1.4 + 0.3 * len(kept)))
        # At least from half to twice, so that what hardly changed looks like that.
        limit = max(1.0, float(change.max()))
        self.image_ = self.ax_.imshow(
            logs[:, kept].T, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto"
        )
        for row, column in enumerate(kept):
            for kind in range(n_kinds):
                # White on the dark ends of the colours.
                dark = abs(logs[kind, column]) > 0.6 * limit
                self.ax_.text(
                    kind,
                    row,
                    f"{weights[kind, column]:.2g}",
                    color="white" if dark else "black",
                    ha="center",
                    va="center",
                    fontsize="small",
                )
        self.ax_.set_xticks(
            np.arange(n_kinds), self.weights.index, rotation=30, ha="right"
        )
        self.ax_.set_yticks(np.arange(len(kept)), names, **AS_WRITTEN)
        self.ax_.set_xlabel("kind of evidence")
        self.ax_.set_title("Weights after answers (1 = as before)", fontsize="medium")
        return self
