"""Figures of the errors and of the training."""

import numpy as np

from skncae._checks import check_finite
from skncae._sentences import counted, percent
from skncae._surroundings import undisturbed
from skncae._threshold import exceeds
from skncae.data._arrays import entries
from skncae.plotting._axes import (
    BLUE,
    DEVIATIONS,
    ERROR,
    GREEN,
    PURPLE,
    VERMILION,
    Display,
    fitted_detector,
    ink,
)

N_BINS = 50
# Errors that differ by no more than this share of them are in one bin.
SAME = 1e-9


class ScoreDistributionDisplay(Display):
    """How the errors of rows are distributed, and where the threshold cuts.

    Heights grow with the logarithm of the number of rows, so that single rows show.
    The errors of several kinds of evidence are ranks, in which a row that is far out
    is one rank beyond the others; `from_estimator` draws them as the deviations of the
    log-errors that they stand for, which keep their order and show a gap.

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
    place : callable, default=None
        Places of errors on the axis, in the same order; None draws them as they are.

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
    '12 % of 500 rows flagged'
    """

    __module__ = "skncae.plotting"

    def __init__(self, errors, threshold, *, y=None, mined_share=None, place=None):
        self.errors = errors
        self.threshold = threshold
        self.y = y
        self.mined_share = mined_share
        self.place = place

    @classmethod
    def from_estimator(cls, estimator, X=None, y=None, *, ax=None):
        """Draw the errors of rows, or of the training rows.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
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
        detector = fitted_detector(estimator)
        scores = detector.training_scores_ if X is None else estimator.score_samples(X)
        display = cls(
            -scores,
            detector.threshold_,
            y=y,
            mined_share=detector.mining_share_,
            place=detector._scorer.deviations,
        )
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

        Raises
        ------
        ValueError
            If the errors or the threshold are not finite, or y says of no row, or of
            another number of rows, whether it is an outlier.
        TypeError
            If the threshold is no number.
        """
        return cls(_checked_errors(errors), threshold, y=y).plot(ax)

    @undisturbed()
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
        check_finite("threshold", self.threshold)
        errors, threshold = self._places()
        labels, colours = ["rows"], [BLUE]
        groups = [errors]
        if self.y is not None:
            outlier = _is_outlier(self.y, len(errors))
            groups = [errors[~outlier], errors[outlier]]
            labels, colours = ["normal rows", "outliers"], [BLUE, VERMILION]
        self._draw_in_one(ax, (6.4, 4.0))
        edges, is_log = _even_bins(errors), False
        if self.place is None:
            edges, is_log = _bins(errors)
        self.bars_ = self.ax_.hist(
            # Zero has no place on a logarithmic axis but the first bin.
            [np.clip(group, edges[0], edges[-1]) for group in groups],
            edges,
            stacked=True,
            color=colours,
            label=[
                counted(len(g), label) for g, label in zip(groups, labels, strict=True)
            ],
        )[2]
        self.line_ = self.ax_.axvline(
            threshold,
            color=ink(),
            linestyle="--",
            label=f"threshold β = {self.threshold:.3g}",
        )
        self.ax_.set(
            xscale="log" if is_log else "linear",
            xlabel=ERROR if self.place is None else DEVIATIONS,
            ylabel="rows",
        )
        self.ax_.set_yscale("symlog", linthresh=1, linscale=0.3)
        self.ax_.set_ylim(bottom=0)
        self.ax_.yaxis.set_major_formatter("{x:.0f}")
        flagged = np.mean(exceeds(self.errors, self.threshold))
        title = f"{percent(flagged)} of {counted(len(errors), 'rows')} flagged"
        if self.mined_share is not None:
            title += f", {percent(self.mined_share)} mined in training"
        self.ax_.set_title(title)
        # Below the axes, where no bar is.
        self.ax_.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False
        )
        return self

    def _places(self):
        """Places of the errors and of the threshold on the axis."""
        if self.place is None:
            return self.errors, self.threshold
        return self.place(self.errors), self.place(np.array([self.threshold]))[0]


class TrainingHistoryDisplay(Display):
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

    __module__ = "skncae.plotting"

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the training of a detector.

        Parameters
        ----------
        estimator : NCAEDetector or Pipeline
            A fitted detector, or a pipeline that ends in one.
        ax : array-like of 3 Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            What was drawn.
        """
        return cls(fitted_detector(estimator).history_).plot(ax)

    @undisturbed()
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
        self._draw_in(ax, len(panels), (13.0, 3.8), n_columns=len(panels))
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


def _bins(errors):
    """Edges of bins, and whether they are logarithmic, as for squared errors."""
    low, high = errors.min(), errors.max()
    positive = errors[errors > 0]
    if len(positive) and low >= 0 and high > 20 * np.median(positive):
        low = np.quantile(positive, 0.001)
        return np.geomspace(low, high, N_BINS + 1), True
    return _even_bins(errors), False


def _even_bins(errors):
    """Edges of bins of one width, also of errors that are equal up to rounding."""
    low, high = errors.min(), errors.max()
    if high - low <= SAME * max(abs(low), abs(high)):
        margin = max(0.5, SAME * abs(high))
        low, high = low - margin, high + margin
    return np.histogram_bin_edges(errors, N_BINS, (low, high))


def _checked_errors(errors):
    """Return errors as floats; raise unless they are finite, one for each row."""
    given = entries(errors, "errors")
    try:
        # numpy makes numbers of dates and of complex ones.
        errors = np.array(np.nan) if given.dtype.kind in "cmM" else given.astype(float)
    except (TypeError, ValueError):
        errors = np.array(np.nan)
    if errors.ndim != 1 or not len(errors) or not np.isfinite(errors).all():
        raise ValueError(
            "errors must be finite numbers, one for each row, got "
            f"{np.array2string(given, threshold=5)} of shape {given.shape}."
        )
    return errors


def _is_outlier(y, n_samples):
    """Read labels, where 1 among 0 and -1 among 1 are outliers, as booleans."""
    y = entries(y, "y")
    labels = set(y.ravel().tolist())
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
        f"the others; got the labels {sorted(labels, key=str)}."
    )
