"""Figures of a fitted detector, as scikit-learn's displays are.

``SomethingDisplay.from_estimator(detector, ...)`` computes what is drawn, draws it
and returns the display, whose `plot` draws it again elsewhere. They need matplotlib:
``pip install "skncae[plot]"``.

In all of them the *error* of a row is minus `NCAEDetector.score_samples`: the
higher, the more abnormal.
"""

import warnings
from numbers import Integral

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from skncae._inputs import feature_names
from skncae._montage import montage, shown

# Okabe and Ito's colours that stand out from white and from black.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"

ERROR = "error, minus score_samples (higher = more abnormal)"


class ScoreDistributionDisplay:
    """How the errors of rows are distributed, and where the threshold cuts.

    It is recommended to use `from_estimator` or `from_predictions` to create one.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
        Errors of the rows, minus `score_samples`.
    threshold : float
        Beta of Eq. 9: rows with a larger error are flagged.
    y : array-like of shape (n_samples,), default=None
        Which rows are outliers: 1 (or True) among 0, or -1 among 1.
    mined_share : float, default=None
        Share of the rows that the training mined, for the title.

    Attributes
    ----------
    ax_ : Axes
        What it is drawn in.
    figure_ : Figure
        The figure of `ax_`.
    bars_ : BarContainer or list of 2 BarContainer
        Numbers of rows, or of normal rows and, stacked on them, of outliers.
    line_ : Line2D
        The threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae.plotting import ScoreDistributionDisplay
    >>> errors = np.random.default_rng(0).exponential(size=500)
    >>> display = ScoreDistributionDisplay.from_predictions(errors, threshold=2.3)
    >>> display.ax_.get_title()
    '12.0 % of 500 rows flagged'
    """

    def __init__(self, errors, threshold, *, y=None, mined_share=None):
        self.errors = errors
        self.threshold = threshold
        self.y = y
        self.mined_share = mined_share

    @classmethod
    def from_estimator(cls, estimator, X=None, y=None, *, ax=None):
        """Draw the errors of rows, or of the training rows.

        Parameters
        ----------
        estimator : NCAEDetector
            A fitted detector.
        X : array-like of shape (n_samples, n_features), default=None
            Rows; None draws the errors of the training rows.
        y : array-like of shape (n_samples,), default=None
            Which rows are outliers: 1 (or True) among 0, or -1 among 1.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ScoreDistributionDisplay
            What was drawn.
        """
        _check_detector(estimator)
        scores = estimator.training_scores_ if X is None else estimator.score_samples(X)
        share = estimator.mining_share_
        display = cls(-scores, estimator.threshold_, y=y, mined_share=share)
        return display.plot(ax)

    @classmethod
    def from_predictions(cls, errors, threshold, y=None, *, ax=None):
        """Draw errors that were computed before.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Errors of the rows, minus `score_samples`.
        threshold : float
            Rows with a larger error are flagged.
        y : array-like of shape (n_samples,), default=None
            Which rows are outliers: 1 (or True) among 0, or -1 among 1.
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ScoreDistributionDisplay
            What was drawn.
        """
        errors = np.asarray(errors, dtype=float)
        if errors.ndim != 1 or not len(errors) or not np.isfinite(errors).all():
            raise ValueError(
                "errors must be finite numbers, one for each row, got "
                f"{np.array2string(errors, threshold=5)} of shape {errors.shape}."
            )
        return cls(errors, threshold, y=y).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ScoreDistributionDisplay
            This display.
        """
        errors, labels, colours = self.errors, ["rows"], [BLUE]
        groups = [errors]
        if self.y is not None:
            outlier = _is_outlier(self.y, len(errors))
            groups = [errors[~outlier], errors[outlier]]
            labels, colours = ["normal rows", "outliers"], [BLUE, VERMILION]
        (self.ax_,) = _axes(ax, 1, (6.4, 4.0))
        self.figure_ = self.ax_.figure
        edges, is_log = _bins(errors)
        self.bars_ = self.ax_.hist(
            # Zero has no place on a logarithmic axis but the first bin.
            [np.clip(group, edges[0], edges[-1]) for group in groups],
            edges,
            stacked=True,
            color=colours,
            label=[
                f"{len(g)} {label}" for g, label in zip(groups, labels, strict=True)
            ],
        )[2]
        self.line_ = self.ax_.axvline(
            self.threshold,
            color=_ink(),
            linestyle="--",
            label=f"threshold β = {self.threshold:.3g}",
        )
        self.ax_.set(xscale="log" if is_log else "linear", xlabel=ERROR, ylabel="rows")
        flagged = np.mean(errors > self.threshold)
        title = f"{100 * flagged:.1f} % of {len(errors)} rows flagged"
        if self.mined_share is not None:
            title += f", {100 * self.mined_share:.1f} % mined in training"
        self.ax_.set_title(title)
        self.ax_.legend(loc="upper right")
        return self


class TrainingHistoryDisplay:
    """Losses and mining scores over the steps of the training.

    Lines are means over the members, bands hold the middle 80 % of them.

    It is recommended to use `from_estimator` to create one.

    Parameters
    ----------
    history : dict of str to ndarray of shape (n_iter, n_estimators)
        `NCAEDetector.history_`.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (3,)
        Reconstruction loss, losses of the discriminators, mining scores.
    figure_ : Figure
        The figure of `axes_`.
    lines_ : dict of str to Line2D
        The mean of each part of the history that is drawn: what was switched off is
        not.
    bands_ : dict of str to PolyCollection
        The spread over the members.

    Examples
    --------
    >>> import numpy as np
    >>> from skncae import NCAEDetector
    >>> from skncae.plotting import TrainingHistoryDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> detector = NCAEDetector(max_iter=20, mining_rate=0, random_state=0).fit(X)
    >>> sorted(TrainingHistoryDisplay.from_estimator(detector).lines_)
    ['latent_discriminator_loss', 'mining_score_kept', 'reconstruction_loss', \
'sample_discriminator_loss']
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the training of a detector.

        Parameters
        ----------
        estimator : NCAEDetector
            A fitted detector.
        ax : array-like of 3 Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            What was drawn.
        """
        _check_detector(estimator)
        return cls(estimator.history_).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : array-like of 3 Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            This display.
        """
        panels = (
            (
                "Calibrated reconstruction loss, Eq. 8(a)",
                "loss (squared, scaled units)",
                {"reconstruction_loss": ("reconstruction", BLUE)},
            ),
            (
                "Losses of the discriminators, Eq. 4 and 6",
                "loss (nats; 2 log 2 = cannot tell)",
                {
                    "sample_discriminator_loss": ("sample", GREEN),
                    "latent_discriminator_loss": ("latent", PURPLE),
                },
            ),
            (
                "Mean mining score, Eq. 7",
                "mining score (lower = more contaminated)",
                {
                    "mining_score_kept": ("kept rows", BLUE),
                    "mining_score_mined": ("mined rows", VERMILION),
                },
            ),
        )
        self.axes_ = _axes(ax, len(panels), (13.0, 3.8), n_columns=len(panels))
        self.figure_ = self.axes_[0].figure
        self.lines_, self.bands_ = {}, {}
        for axes, (title, label, names) in zip(self.axes_, panels, strict=True):
            for name, (short, colour) in names.items():
                self._plot_mean_and_spread(axes, name, short, colour)
            axes.set(title=title, xlabel="step", ylabel=label)
            if axes.lines:
                axes.legend()
        self.axes_[0].set_ylim(bottom=0)
        return self

    def _plot_mean_and_spread(self, axes, name, label, colour):
        """Draw a line and a band, unless the training had no such part."""
        values = self.history[name]
        if not np.nan_to_num(values).any():
            return
        steps = np.arange(1, len(values) + 1)
        (self.lines_[name],) = axes.plot(
            steps, values.mean(1), color=colour, label=label
        )
        low, high = np.quantile(values, [0.1, 0.9], axis=1)
        self.bands_[name] = axes.fill_between(
            steps, low, high, color=colour, alpha=0.25, linewidth=0
        )


class FeatureContributionDisplay:
    """Which columns speak against rows, as bars that sum to the error of the row.

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
    ['x2', '=', '9']
    """

    def __init__(self, explanation, *, rows=None, k=10):
        self.explanation = explanation
        self.rows = rows
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, X, *, rows=None, k=10, ax=None):
        """Explain rows and draw why.

        Parameters
        ----------
        estimator : NCAEDetector
            A fitted detector.
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
        _check_detector(estimator)
        return cls(estimator.explain(X), rows=rows, k=k).plot(ax)

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
        found = self.explanation.flattened()
        check_scalar(self.k, "k", Integral, min_val=1)
        rows = _positions(self.rows, found, 1)
        n_bars = min(self.k + 1, len(found.feature_names))
        height = len(rows) * (1.2 + 0.3 * n_bars)
        self.axes_ = _axes(ax, len(rows), (7.5, height))
        self.figure_ = self.axes_[0].figure
        self.bars_ = [
            self._plot_row(axes, found, row)
            for axes, row in zip(self.axes_, rows, strict=True)
        ]
        return self

    def _plot_row(self, axes, found, row):
        """Draw the bars of a row."""
        contributions = found.contributions[row]
        order = np.argsort(-contributions, kind="stable")
        top, others = order[: self.k], order[self.k :]
        above = found.residual[row, top] > 0
        labels = [_label(found, row, j) for j in top]
        sizes = list(contributions[top])
        colours = list(np.where(above, VERMILION, BLUE))
        if len(others):
            labels.append(f"{len(others)} other columns")
            sizes.append(contributions[others].sum())
            colours.append("#888888")
        positions = np.arange(len(sizes))
        bars = axes.barh(positions, sizes, color=colours)
        axes.set_yticks(positions, labels)
        axes.invert_yaxis()
        axes.set_xlabel("contribution to the error (the bars sum to it)")
        axes.set_title(f"Row {found.labels[row]}: error {contributions.sum():.3g}")
        return bars


class ReconstructionDisplay:
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

    def __init__(self, explanation, *, rows=None, k=30):
        self.explanation = explanation
        self.rows = rows
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, X, *, rows=None, k=30, ax=None):
        """Reconstruct rows and draw both.

        Parameters
        ----------
        estimator : NCAEDetector
            A fitted detector.
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
        _check_detector(estimator)
        return cls(estimator.explain(X), rows=rows, k=k).plot(ax)

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
        found = self.explanation.flattened()
        check_scalar(self.k, "k", Integral, min_val=1)
        rows = _positions(self.rows, found, 3)
        if found.image_shape is not None:
            return self._plot_images(found, rows, ax)
        largest = np.argsort(-found.contributions[rows].sum(0), kind="stable")
        columns = np.sort(largest[: self.k])
        width = max(5.0, 2.0 + 0.33 * len(columns))
        self.axes_ = _axes(ax, len(rows), (width, 1.2 + 2.1 * len(rows)), sharex=True)
        self.figure_ = self.axes_[0].figure
        center, spread = _center_and_spread(found.values[:, columns])
        markers = []
        for axes, row in zip(self.axes_, rows, strict=True):
            value = (found.values[row, columns] - center) / spread
            expected = (found.expected[row, columns] - center) / spread
            markers.append(_plot_value_and_expected(axes, value, expected))
            error = found.contributions[row].sum()
            axes.set_title(f"Row {found.labels[row]}: error {error:.3g}")
        self.values_, self.expected_ = map(list, zip(*markers, strict=True))
        self.axes_[-1].set_xticks(
            np.arange(len(columns)), found.feature_names[columns], rotation=90
        )
        self.axes_[0].legend(
            handles=[self.values_[0], self.expected_[0]], ncols=2, loc="best"
        )
        self.axes_[len(rows) // 2].set_ylabel("deviations from the median")
        return self

    def _plot_images(self, found, rows, ax):
        """Draw each image beside the expected one and its map of contributions."""
        height, width, _ = found.image_shape
        self.axes_ = _axes(
            ax, len(rows), (5.0, len(rows) * (0.6 + 5.0 * height / width / 3))
        )
        self.figure_ = self.axes_[0].figure
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
            parts = [_rgb(images[i]), _rgb(expected[i]), hot]
            picture = axes.imshow(montage([parts], 1.0), interpolation="nearest")
            self.values_.append(picture)
            self.expected_.append(picture)
            places = (np.arange(3) + 0.5) * (width + 1) - 1
            axes.set_xticks(places, ["image", "expected", "adds to the error"])
            axes.tick_params(axis="x", length=0)
            axes.set_yticks([])
            error = found.contributions[row].sum()
            axes.set_title(f"Row {found.labels[row]}: error {error:.3g}")
        return self


class LatentSpaceDisplay:
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
        estimator : NCAEDetector
            A fitted detector.
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
        _check_detector(estimator)
        means = estimator.latent_mean_
        if not (isinstance(member, int | np.integer) and 0 <= member < len(means)):
            raise ValueError(
                f"member must be from 0 to {len(means) - 1}, as the detector has "
                f"{len(means)} networks; got {member!r}."
            )
        generated = estimator.generate(n_generated, random_state)
        display = cls(
            estimator.encode(X)[member],
            -estimator.score_samples(X),
            # Not `encode`, which would miss the names of the columns.
            estimator._scorer.encode(generated.reshape(n_generated, -1))[member],
            means[member],
            member=member,
        )
        return display.plot(ax)

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
        (self.ax_,) = _axes(ax, 1, (6.8, 5.0))
        self.figure_ = self.ax_.figure
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
            edgecolors=_ink(),
            linewidths=0.3,
        )
        (self.generated_,) = self.ax_.plot(
            *generated.T, "+", color=VERMILION, alpha=0.8, label="generated normals"
        )
        (self.mean_,) = self.ax_.plot(
            *mean.T,
            "X",
            color=VERMILION,
            markeredgecolor=_ink(),
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
        normal = 0.5 * self.latent.shape[1] * np.log(2 * np.pi * np.e)
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


class GeneratedSamplesDisplay:
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
        estimator : NCAEDetector
            A fitted detector.
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
        _check_detector(estimator)
        generated = estimator.generate(n_generated, random_state)
        X = check_array(X, ensure_all_finite="allow-nan", allow_nd=True)
        display = cls(
            X,
            generated,
            feature_names(estimator),
            k=k,
            image_shape=estimator.image_shape_,
        )
        return display.plot(ax)

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
        check_scalar(self.k, "k", Integral, min_val=1)
        if self.image_shape is not None:
            return self._plot_images(ax)
        X, generated, names = self._columns()
        n_features = len(names)
        (self.ax_,) = _axes(ax, 1, (7.5, 1.7 + 0.34 * n_features))
        self.figure_ = self.ax_.figure
        low, high = _quantiles(X, [0.05, 0.95])
        width = np.where(high > low, high - low, 1.0)
        for x in (0, 1):
            self.ax_.axvline(x, color=_ink(), alpha=0.3, linewidth=0.8)
        rows = np.arange(n_features)
        self.real_ = self._plot_quantiles(
            (X - low) / width, rows - 0.17, BLUE, f"{len(X)} real rows"
        )
        self.generated_ = self._plot_quantiles(
            (generated - low) / width,
            rows + 0.17,
            VERMILION,
            f"{len(generated)} generated rows",
        )
        ranges = zip(names, low, high, strict=True)
        self.ax_.set_yticks(rows, [f"{n}  [{a:.4g}, {b:.4g}]" for n, a, b in ranges])
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
        (self.ax_,) = _axes(ax, 1, (7.5, 5.2))
        self.figure_ = self.ax_.figure
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
            self.ax_.imshow(_rgb(picture), interpolation="nearest")
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
        center, spread = _center_and_spread(self.X)
        (generated,) = _quantiles(self.generated, [0.5])
        gap = np.abs(generated - center) / spread
        columns = np.sort(np.argsort(-np.nan_to_num(gap), kind="stable")[: self.k])
        names = np.asarray(self.feature_names)[columns]
        return self.X[:, columns], self.generated[:, columns], names

    def _plot_quantiles(self, X, rows, colour, label):
        """Draw the middle 90 %, the middle half and the median of each column."""
        low, quarter, median, three, high = _quantiles(X, [0.05, 0.25, 0.5, 0.75, 0.95])
        thin = self.ax_.hlines(rows, low, high, color=colour, linewidth=1)
        thick = self.ax_.hlines(rows, quarter, three, color=colour, linewidth=4)
        (dots,) = self.ax_.plot(
            median, rows, "o", color=colour, markeredgecolor=_ink(), label=label
        )
        return [thin, thick, dots]


def _quantiles(X, shares):
    """Quantiles of what each column holds; NaN of a column without any value."""
    with warnings.catch_warnings():
        # Which is left empty in a figure.
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.nanquantile(X, shares, axis=0)


def _check_detector(estimator):
    """Refuse what is no fitted detector, and say where one may be found in it."""
    if not hasattr(estimator, "explain"):
        raise TypeError(
            f"The displays draw an NCAEDetector, got {type(estimator).__name__}. Of a "
            "pipeline pass the last step, pipeline[-1], with the rows as that step "
            "gets them, pipeline[:-1].transform(X); of a search its best_estimator_; "
            "of skncae.pyod.NCAE its detector_."
        )
    check_is_fitted(estimator)


def _axes(ax, n_axes, figsize, n_columns=1, sharex=False):
    """Return the n_axes axes to draw in as an array, new ones if ax is None."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'The displays of skncae need matplotlib. Run: pip install "skncae[plot]"'
        ) from error
    if ax is None:
        n_rows = n_axes // n_columns
        ax = pyplot.subplots(
            n_rows, n_columns, figsize=figsize, layout="constrained", sharex=sharex
        )[1]
    axes = np.ravel(ax)
    if len(axes) != n_axes:
        raise ValueError(f"ax must hold {n_axes} Axes for this, got {len(axes)}.")
    return axes


def _ink():
    """The colour of text in the current style: black on white, white on black."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def _label(found, row, column):
    """Say what a row has in a column, and what was expected instead."""
    name, value, expected = (
        found.feature_names[column],
        found.values[row, column],
        found.expected[row, column],
    )
    if np.isnan(value):
        return f"{name} is missing, {expected:.4g} expected"
    sign = ">" if value > expected else "<"
    return f"{name} = {value:.4g}  {sign} {expected:.4g} expected"


def _rgb(image):
    """An image of one or three channels with three."""
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _heat(values):
    """Colours of values between 0 and 1."""
    from matplotlib import colormaps

    return colormaps["magma"](values)[..., :3]


def _bins(errors, n_bins=50):
    """Edges of bins, and whether they are logarithmic, as for squared errors."""
    low, high = errors.min(), errors.max()
    positive = errors[errors > 0]
    if len(positive) and low >= 0 and high > 20 * np.median(positive):
        low = np.quantile(positive, 0.001)
        return np.geomspace(low, high, n_bins + 1), True
    return np.histogram_bin_edges(errors, n_bins), False


def _is_outlier(y, n_samples):
    """Read labels, where 1 among 0 and -1 among 1 are outliers, as booleans."""
    y = np.asarray(y)
    labels = set(np.unique(y).tolist())
    if y.shape != (n_samples,):
        raise ValueError(
            f"y must have one label for each of the {n_samples} rows, got an array of "
            f"shape {y.shape}."
        )
    if labels <= {-1, 1} and -1 in labels:
        return y == -1
    if labels <= {0, 1} and 0 in labels:
        return y == 1
    raise ValueError(
        "y must be 1 for outliers and 0 for the others, or -1 for outliers and 1 for "
        f"the others; got the labels {sorted(labels)}."
    )


def _positions(rows, explanation, n_default):
    """Return the positions of rows, or of the n_default of the largest error."""
    n_rows = len(explanation.contributions)
    if rows is None:
        errors = explanation.contributions.sum(1)
        return np.argsort(-errors, kind="stable")[:n_default]
    rows = np.atleast_1d(rows)
    # An empty list is one of floats.
    if rows.size and not np.issubdtype(rows.dtype, np.integer):
        raise TypeError(
            "rows must be integers, the positions of rows, got "
            f"{np.array2string(rows, threshold=5)}. Of a mask take np.flatnonzero."
        )
    if not (0 < rows.size and 0 <= rows.min() and rows.max() < n_rows):
        raise ValueError(
            f"rows must be positions from 0 to {n_rows - 1}, got {rows.tolist()}."
        )
    return rows


def _plot_value_and_expected(axes, value, expected):
    """Draw the values of a row and what was expected, joined by lines."""
    columns = np.arange(len(value))
    axes.axhline(0, color=_ink(), alpha=0.3, linewidth=0.8)
    axes.vlines(columns, value, expected, color=_ink(), alpha=0.4)
    squares = axes.plot(
        columns, expected, "s", color=BLUE, markersize=5, label="expected"
    )
    dots = axes.plot(columns, value, "o", color=VERMILION, label="value")
    return dots[0], squares[0]


def _center_and_spread(X):
    """Median, and the deviation of a normal distribution with the middle 90 % of X."""
    low, center, high = _quantiles(X, [0.05, 0.5, 0.95])
    # Where these are one value, the rest decides; NaN of a column without any value.
    rest = np.sqrt(np.nan_to_num(np.square(X - center)).mean(0))
    spread = np.where(high > low, (high - low) / 3.29, rest)
    return center, np.where(spread > 0, spread, 1.0)


def _entropy(Z, n_rows=2000):
    """Differential entropy in nats by a kernel density, NaN where there is none."""
    Z = Z[:: -(-len(Z) // n_rows)]
    if np.linalg.matrix_rank(Z - Z.mean(0)) < Z.shape[1]:
        # As few rows as dimensions, or rows that do not vary in all of them.
        return float("nan")
    return float(-gaussian_kde(Z.T).logpdf(Z.T).mean())
