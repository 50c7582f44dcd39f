"""What the figures share: colours, axes, and how the values of a column are scaled."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skncae._extras import needing
from skncae._pipelines import final_step

# Okabe and Ito's colours that stand out from white and from black.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"

# Longer names of columns are cut, and those of rows, which are in titles.
LONGEST_NAME, LONGEST_ROW = 60, 30
# Of text that users wrote: a dollar in it begins no formula.
AS_WRITTEN = {"parse_math": False}

DEVIATIONS = "deviations of the log-error from the median row"
ERROR = "error, minus score_samples (higher = more abnormal)"


def fitted_detector(estimator):
    """The detector at the end of a pipeline, or the detector itself; it is fitted."""
    detector = final_step(estimator)
    check_is_fitted(detector)
    return detector


def axes_for(ax, n_axes, figsize, n_columns=1, sharex=False):
    """Return the n_axes axes to draw in as an array, new ones if ax is None."""
    with needing("plot", "The displays of skncae need matplotlib."):
        from matplotlib import pyplot
    if ax is None:
        n_rows = n_axes // n_columns
        ax = pyplot.subplots(
            n_rows, n_columns, figsize=figsize, layout="constrained", sharex=sharex
        )[1]
    axes = np.ravel(ax)
    if len(axes) != n_axes:
        raise ValueError(f"ax must hold {n_axes} Axes for this, got {len(axes)}.")
    return axes


def one_line(text):
    """Write text without what no font can draw: line breaks, tabs, other controls."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def named(name, longest=LONGEST_NAME):
    """Write the name of a column or a row in one line, which ends where room does."""
    name = one_line(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def room_for(labels, n_usual):
    """Inches that labels take which are longer than usual, of 160 characters or less.

    Without them a long label leaves no place for the axes, and the title is cut.
    """
    longest = max((len(str(label)) for label in labels), default=0)
    return 0.085 * max(0, min(longest, 160) - n_usual)


class Display:
    """What the displays share: the axes and the figure that they draw in."""

    def _draw_in_one(self, ax, figsize):
        """Set `ax_` and `figure_`, new ones if ax is None."""
        (self.ax_,) = axes_for(ax, 1, figsize)
        self.figure_ = self.ax_.figure

    def _draw_in(self, ax, n_axes, figsize, **layout):
        """Set `axes_`, as many as are asked for, and `figure_`."""
        self.axes_ = axes_for(ax, n_axes, figsize, **layout)
        self.figure_ = self.axes_[0].figure


def ink():
    """The colour of text in the current style: black on white, white on black."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def quantiles(X, shares):
    """Quantiles of what each column holds; NaN of a column without any value."""
    is_empty = np.isnan(X).all(0)
    found = np.nanquantile(np.where(is_empty, 0.0, X), shares, axis=0)
    # Which is left empty in a figure.
    return np.where(is_empty, np.nan, found)


def center_and_spread(X):
    """Median, and the deviation of a normal distribution with the middle 90 % of X."""
    low, center, high = quantiles(X, [0.05, 0.5, 0.95])
    # Where these are one value, the rest decides; NaN of a column without any value.
    rest = np.sqrt(np.nan_to_num(np.square(X - center)).mean(0))
    spread = np.where(high > low, (high - low) / 3.29, rest)
    return center, np.where(spread > 0, spread, 1.0)


def rgb(image):
    """An image of one or three channels with three."""
    return np.broadcast_to(image, (*image.shape[:2], 3))
