"""Figures of the latent space and of generated rows."""

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA
from sklearn.utils import check_array

from skncae._checks import check_count
from skncae._pipelines import rows_for_final_step
from skncae._surroundings import undisturbed
from skncae.data._layout import check_rows, feature_names
from skncae.plotting._axes import (
    BLUE,
    VERMILION,
    Display,
    center_and_spread,
    fitted_detector,
    ink,
    quantiles,
    rgb,
    room_for,
)
from skncae.plotting._montage import montage, shown


class LatentSpaceDisplay(Display):
    """The latent features of rows in one network, and where normality is.

    With a `latent_dim` above 2, the two leading principal components of the rows;
    with one of 1, the latent feature against the error.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    latent : ndarray of shape (n_samples, latent_dim)
        Latent features of the rows.
    errors : ndarray of shape (n_samples,)
        Errors of the rows, minus `score_samples`.
    generated : ndarray of shape (n_generated, latent_dim)
        Latent features of generated normal rows.
    mean : ndarray of shape (latent_dim,)
        The latent mean mu.
    member : int, default=0
        Which network, for the title.

    Attributes
    ----------
    ax_ : Axes
        What it is drawn in.
    figure_ : Figure
        The figure of `ax_`.
    rows_ : PathCollection
        The rows, coloured by their error.
    generated_ : Line2D
        The generated rows.
    mean_ : Line2D
        The latent mean.
    entropy_ : float
        Entropy of the latent features in nats, from a Gaussian kernel density
        estimate at (at most 2,000 of) the rows; NaN where there is no density, as
        when all are the same.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae.plotting import LatentSpaceDisplay
    >>> Z = np.random.default_rng(0).normal(size=(2000, 2))
    >>> display = LatentSpaceDisplay(Z, (Z**2).sum(1), Z[:9] / 3, np.zeros(2)).plot()
    >>> round(display.entropy_, 1)  # of a normal distribution: log(2 pi e) = 2.84
    2.8
    """

    __module__ = "skncae.plotting"

    def __init__(self, latent, errors, generated, mean, *, member=0):
        self.latent = latent
        self.errors = errors
        self.generated = generated
        self.mean = mean
        self.member = member

    @classmethod
    def from_estimator(
        cls, estimator, X, *, member=0, n_generated=200, random_state=None, ax=None
    ):
        """Encode and generate rows and draw both.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        member : int, default=0
            Which network: latent spaces of two members have nothing in common.
        n_generated : int, default=200
            How many rows to generate.
        random_state : int, RandomState instance or None, default=None
            Seed of the generated rows.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LatentSpaceDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there is no such member.
        """
        detector = fitted_detector(estimator)
        means = detector.latent_mean_
        is_place = isinstance(member, int | np.integer) and not isinstance(member, bool)
        if not (is_place and 0 <= member < len(means)):
            raise ValueError(
                f"member must be from 0 to {len(means) - 1}, as the detector has "
                f"{len(means)} networks; got {member!r}."
            )
        check_count("n_generated", n_generated)
        # Flat rows, or the cells of a typed table, which can be encoded.
        generated = detector._generated(n_generated, random_state)
        X = rows_for_final_step(estimator, X)
        display = cls(
            detector.encode(X)[member],
            -detector.score_samples(X),
            # Not `encode`, which would miss the names of the columns.
            detector._encoded(generated)[member],
            means[member],
            member=member,
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
        display : LatentSpaceDisplay
            This display.
        """
        self._draw_in_one(ax, (6.8, 5.0))
        self.entropy_ = _entropy(self.latent)
        rows, generated, mean, labels = self._plane()
        # The most abnormal first: they are few, and would hide what is normal.
        order = np.argsort(-self.errors)
        self.rows_ = self.ax_.scatter(
            *rows[order].T,
            c=self.errors[order],
            vmax=np.quantile(self.errors, 0.99),
            cmap="viridis",
            s=18,
            edgecolors=ink(),
            linewidths=0.3,
        )
        (self.generated_,) = self.ax_.plot(
            *generated.T, "+", color=VERMILION, alpha=0.8, label="generated normals"
        )
        (self.mean_,) = self.ax_.plot(
            *mean.T,
            "X",
            color=VERMILION,
            markeredgecolor=ink(),
            markersize=12,
            label="latent mean μ",
        )
        self._frame(rows, generated, mean)
        self.figure_.colorbar(
            self.rows_,
            ax=self.ax_,
            label="error (higher = more abnormal)",
            extend="max",
        )
        normal = 0.5 * self.latent.shape[1] * (1 + np.log(2 * np.pi))
        self.ax_.set_title(
            f"Latent space of network {self.member}\n"
            f"entropy {self.entropy_:.2f} nats (that of N(μ, I): {normal:.2f})"
        )
        self.ax_.set(xlabel=labels[0], ylabel=labels[1])
        self.ax_.legend()
        return self

    def _frame(self, rows, generated, mean):
        """Set limits that a few rows far out do not decide, and count those."""
        normal = np.concatenate([generated, mean])
        low, high = np.quantile(rows, [0.01, 0.99], axis=0)
        low, high = np.minimum(low, normal.min(0)), np.maximum(high, normal.max(0))
        margin = 0.06 * np.where(high > low, high - low, 1.0)
        low, high = low - margin, high + margin
        self.ax_.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        n_outside = ((rows < low) | (rows > high)).any(1).sum()
        self.rows_.set_label(f"{len(rows)} rows ({n_outside} outside the frame)")

    def _plane(self):
        """Rows, generated rows, mean in two dimensions, and what those are."""
        width = self.latent.shape[1]
        mean = self.mean[None]
        if width == 1:
            lowest = np.full((max(len(self.generated), 1), 1), self.errors.min())
            return (
                np.column_stack([self.latent, self.errors]),
                np.column_stack([self.generated, lowest[: len(self.generated)]]),
                np.column_stack([mean, lowest[:1]]),
                ("latent feature", "error"),
            )
        if width == 2:
            names = ("latent feature 1", "latent feature 2")
            return self.latent, self.generated, mean, names
        # With the mean, for one row alone spans no plane.
        rows = self.latent if len(self.latent) > 1 else np.vstack([self.latent, mean])
        pca = PCA(2).fit(rows)
        labels = tuple(
            f"principal component {i + 1} of {width} ({100 * share:.0f} %)"
            for i, share in enumerate(pca.explained_variance_ratio_)
        )
        return *map(pca.transform, (self.latent, self.generated, mean)), labels


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
        labels = [f"{n}  [{a:.4g}, {b:.4g}]" for n, a, b in ranges]
        width = 7.5 + room_for(labels, 40)
        self._draw_in_one(ax, (width, 1.7 + 0.34 * n_features))
        scale = np.where(high > low, high - low, 1.0)
        for x in (0, 1):
            self.ax_.axvline(x, color=ink(), alpha=0.3, linewidth=0.8)
        rows = np.arange(n_features)
        self.real_ = self._plot_quantiles(
            (X - low) / scale, rows - 0.17, BLUE, f"{len(X)} real rows"
        )
        self.generated_ = self._plot_quantiles(
            (generated - low) / scale,
            rows + 0.17,
            VERMILION,
            f"{len(generated)} generated rows",
        )
        self.ax_.set_yticks(rows, labels)
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


def _entropy(Z, n_rows=2000):
    """Differential entropy in nats by a kernel density, NaN where there is none."""
    Z = Z[:: -(-len(Z) // n_rows)]
    if np.linalg.matrix_rank(Z - Z.mean(0)) < Z.shape[1]:
        # As few rows as dimensions, or rows that do not vary in all of them.
        return float("nan")
    return float(-gaussian_kde(Z.T).logpdf(Z.T).mean())
