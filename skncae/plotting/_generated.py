"""The figure of generated rows, beside real ones."""

import numpy as np
from sklearn.utils import check_array

from skncae._checks import check_count
from skncae._pipelines import rows_for_final_step
from skncae._sentences import counted
from skncae._surroundings import undisturbed
from skncae.data._validation import check_rows, feature_names
from skncae.plotting._axes import (
    AS_WRITTEN,
    BLUE,
    VERMILION,
    Display,
    center_and_spread,
    fitted_detector,
    ink,
    named,
    quantiles,
    rgb,
    room_for,
)
from skncae.plotting._montage import montage, shown


class GeneratedSamplesDisplay(Display):
    """Generated normal rows beside real ones, column by column.

    Thin lines hold the middle 90 % of the rows, thick ones the middle half, dots are
    medians. Every column is scaled to the middle 90 % of the real rows, which the
    labels state in the units of X.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Real rows.
    generated : ndarray of shape (n_generated, n_features)
        Generated rows.
    feature_names : sequence of str of length n_features
        The names of the columns.
    k : int, default=30
        How many columns to draw: those whose medians differ most between real and
        generated rows, in their order in X.
    image_shape : tuple of (height, width, channels) or None, default=None
        Of images: some real ones are drawn above as many generated ones.

    Attributes
    ----------
    ax_ : Axes
        What it is drawn in.
    figure_ : Figure
        The figure of `ax_`.
    real_, generated_ : list of artist
        The thin lines, the thick lines and the dots of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> from skncae.plotting import GeneratedSamplesDisplay
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> detector = NCAEDetector(random_state=0).fit(X)
    >>> display = GeneratedSamplesDisplay.from_estimator(detector, X, random_state=0)
    >>> display.generated.shape
    (1000, 4)
    """

    __module__ = "skncae.plotting"

    def __init__(self, X, generated, feature_names, *, k=30, image_shape=None):
        self.X = X
        self.generated = generated
        self.feature_names = feature_names
        self.k = k
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_generated=1000, random_state=None, k=30, ax=None
    ):
        """Generate rows and draw them beside real ones.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Real rows.
        n_generated : int, default=1000
            How many rows to generate.
        random_state : int, RandomState instance or None, default=None
            Seed of the generated rows.
        k : int, default=30
            How many columns to draw: those whose medians differ most between real and
            generated rows, in their order in X.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : GeneratedSamplesDisplay
            What was drawn.
        """
        detector = fitted_detector(estimator)
        check_count("n_generated", n_generated)
        X = rows_for_final_step(estimator, X)
        if detector._layout is not None:
            # Columns of numbers: quantiles say nothing of categories.
            layout = detector._layout
            cells = check_rows(detector, X, reset=False)
            generated = detector._generated(n_generated, random_state)
            numbers = [c.family == "number" for c in layout.used]
            names = np.array([c.name for c in layout.used], dtype=object)[numbers]
            if not any(numbers):
                raise ValueError(
                    "GeneratedSamplesDisplay draws columns of numbers, and the frame "
                    "of fit has none that is used. Look at detector.generate instead."
                )
            return cls(cells[:, numbers], generated[:, numbers], names, k=k).plot(ax)
        generated = detector.generate(n_generated, random_state)
        X = check_array(X, ensure_all_finite="allow-nan", allow_nd=True)
        display = cls(
            X,
            generated,
            feature_names(detector),
            k=k,
            image_shape=detector.image_shape_,
        )
        return display.plot(ax)

    @undisturbed()
    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : GeneratedSamplesDisplay
            This display.
        """
        check_count("k", self.k)
        if self.image_shape is not None:
            return self._plot_images(ax)
        X, generated, names = self._columns()
        n_features = len(names)
        low, high = quantiles(X, [0.05, 0.95])
        ranges = zip(names, low, high, strict=True)
        labels = [f"{named(n)}  [{a:.4g}, {b:.4g}]" for n, a, b in ranges]
        width = 7.5 + room_for(labels, 40)
        self._draw_in_one(ax, (width, 1.7 + 0.34 * n_features))
        scale = np.where(high > low, high - low, 1.0)
        for x in (0, 1):
            self.ax_.axvline(x, color=ink(), alpha=0.3, linewidth=0.8)
        rows = np.arange(n_features)
        self.real_ = self._plot_quantiles(
            (X - low) / scale, rows - 0.17, BLUE, counted(len(X), "real rows")
        )
        self.generated_ = self._plot_quantiles(
            (generated - low) / scale,
            rows + 0.17,
            VERMILION,
            counted(len(generated), "generated rows"),
        )
        self.ax_.set_yticks(rows, labels, **AS_WRITTEN)
        self.ax_.set_ylim(n_features - 0.4, -1.7)
        self.ax_.set_xticks([0, 1], ["5 %", "95 %"])
        self.ax_.set_xlabel("quantiles of the real rows, in brackets in units of X")
        title = "What the networks are sure is normal"
        if n_features < len(self.feature_names):
            title += f"\n{n_features} of {len(self.feature_names)} columns"
        self.ax_.set_title(title)
        # In the empty row above the columns.
        self.ax_.legend(
            handles=[self.real_[-1], self.generated_[-1]], loc="upper center", ncols=2
        )
        return self

    def _plot_images(self, ax, n_columns=10, n_rows=3):
        """Draw rows of real images above rows of generated ones."""
        self._draw_in_one(ax, (7.5, 5.2))
        n = min(n_columns * n_rows, len(self.X), len(self.generated))
        n_columns = min(n_columns, n)
        n -= n % n_columns
        low, high = self.X.min(), self.X.max()
        grid = []
        for images in (self.X, self.generated):
            tiles = shown(images[:n].reshape(n, *self.image_shape), low, high)
            grid.append(montage(tiles.reshape(-1, n_columns, *tiles.shape[1:]), 1.0))
        stripe = np.ones((2, *grid[0].shape[1:]))
        picture = np.concatenate([grid[0], stripe, grid[1]])
        self.real_ = self.generated_ = [
            self.ax_.imshow(rgb(picture), interpolation="nearest")
        ]
        height = len(grid[0])
        self.ax_.set_yticks(
            [height / 2, height * 1.5 + 2],
            ["real", "generated"],
            rotation=90,
            va="center",
        )
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.set_xticks([])
        self.ax_.set_title("What the networks are sure is normal")
        return self

    def _columns(self):
        """Real rows, generated rows and names, of the columns that differ most."""
        center, spread = center_and_spread(self.X)
        (generated,) = quantiles(self.generated, [0.5])
        gap = np.abs(generated - center) / spread
        columns = np.sort(np.argsort(-np.nan_to_num(gap), kind="stable")[: self.k])
        names = np.asarray(self.feature_names)[columns]
        return self.X[:, columns], self.generated[:, columns], names

    def _plot_quantiles(self, X, rows, colour, label):
        """Draw the middle 90 %, the middle half and the median of each column."""
        low, quarter, median, three, high = quantiles(X, [0.05, 0.25, 0.5, 0.75, 0.95])
        thin = self.ax_.hlines(rows, low, high, color=colour, linewidth=1)
        thick = self.ax_.hlines(rows, quarter, three, color=colour, linewidth=4)
        (dots,) = self.ax_.plot(
            median, rows, "o", color=colour, markeredgecolor=ink(), label=label
        )
        return [thin, thick, dots]
